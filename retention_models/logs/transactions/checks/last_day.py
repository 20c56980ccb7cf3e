"""Whether the last day in a log belongs to it, or is a mistyped date far from all others.

Models take the time from a customer's last purchase to the last day as silence. One row of 2205 makes everybody silent
for two centuries.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, purchases
from retention_models.tables.frames import collect
from retention_models.tables.observation_end import LAST_DAY

BEFORE = 20  # silences before the last ones, with which these are compared
FEWEST = 5  # of them from which on a silence can be told from others
UNUSUAL = 10  # times the longest of them
FEW = 0.01  # so small a share, beyond such a silence, must be misdated
STATED_DAY = "Stated last day"  # the name of the check
ENOUGH = 20  # customers, or purchases, of which one may be called few


def check_last_day(transactions: Any) -> Check:
    """Whether the last day in a log belongs to it, or is a mistyped date far from all others.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    Check
        Passed; failed, if a few purchases come after a silence ten times as long as any of the twenty before it; or not
        testable. If ``observation_end`` is stated: failed, if so long a silence lies before it.

    Raises
    ------
    ValueError
        As ``read_transactions`` raises it.

    Notes
    -----
    A shrinking business ends with its longest gaps. One in 140 of such logs fails the check.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> print(rm.logs.check_last_day(log))
    Last day of the log: passed. The log ends on 1998-06-30, without an unusual gap before.
    >>> rm.logs.check_last_day(pd.concat([log, log.tail(1).assign(date=pd.Timestamp("2205-03-01"))])).passed
    False
    """
    log = as_transactions(transactions)
    bought = collect(purchases(log).group_by("period").agg(purchases=nw.len())).sort_values("period")
    if log.observation_end is not None:
        return _judge_stated_day(pd.DatetimeIndex(bought["period"]), log.observation_end)
    return judge_last_day(pd.DatetimeIndex(bought["period"]), bought["purchases"].to_numpy(float), "purchases")


def require_last_day_of(log: Transactions) -> None:
    """A ValueError where the last day of a log is far from all others."""
    check = check_last_day(log)
    if check.passed is False:
        raise ValueError(f"the log cannot end there. {check.text}")


def _judge_stated_day(days: pd.DatetimeIndex, end: dt.date) -> Check:
    """Whether purchases go on until about the day that is stated as the last one observed."""
    known = days[days <= pd.Timestamp(end)]
    gaps = np.diff(known.to_numpy("datetime64[D]").astype(np.int64))[-BEFORE:]
    silence = (pd.Timestamp(end) - known[-1]).days if len(known) else 0
    if len(gaps) < FEWEST or silence <= UNUSUAL * gaps.max():
        return Check(LAST_DAY, True, detail=f"The log is observed until {end}, as stated.")
    last = known[-1].date()
    return Check(
        STATED_DAY,
        False,
        size=float(silence),
        limit=float(UNUSUAL * gaps.max()),
        unit="days without a purchase",
        detail=f"The log is observed until {end}, as stated, but its last purchase was on {last}, "
        f"{silence:,} days before. "
        "Earlier gaps were less than a tenth of that, so nearly all customers seem to have left.",
        remedy=f"If the log ends earlier, state observation_end={str(last)!r}",
    )


def judge_last_day(days: pd.DatetimeIndex, counts: Array, what: str) -> Check:
    """Whether a few dates at the end lie far from all others.

    Parameters
    ----------
    days
        Distinct days with a purchase, in order; shape (n,). They need not be all.
    counts
        How many ``what`` each has, purchases or customers last seen on it; shape (n,).
    """
    number = days.to_numpy("datetime64[D]").astype(np.int64)
    after = np.append(np.cumsum(counts[::-1])[::-1][1:], 0.0)  # how many are later than each day
    last = dt.date.fromisoformat(str(days[-1])[:10])
    stray = _first_stray(np.diff(number), after[:-1], float(counts.sum()))
    if stray is None and len(number) > FEWEST and counts.sum() >= ENOUGH:
        return Check(LAST_DAY, True, detail=f"The log ends on {last}, without an unusual gap before.")
    if stray is None:
        return Check(
            LAST_DAY, None, detail=f"The log ends on {last}. It is too short to judge whether that date is correct."
        )
    before = dt.date.fromordinal(dt.date(1970, 1, 1).toordinal() + int(number[stray]))
    few, silence = int(after[stray]), int(number[stray + 1] - number[stray])
    return Check(
        LAST_DAY,
        False,
        size=float(silence),
        limit=silence / UNUSUAL,
        unit="days without a purchase",
        detail=f"The last day is {last}, but the log has no rows for {silence:,} days after {before}. "
        f"Earlier gaps were less than a tenth of that, and only {few:,} of {int(counts.sum()):,} {what} are later.",
        remedy=f"Correct the dates, or state the day until which the log is complete: observation_end={str(before)!r}",
    )


def _first_stray(gaps: NDArray[np.int64], after: Array, n: float) -> int | None:
    """The place of the first silence, close to the end, that is far longer than those before it; None if there is none.

    ``after`` counts what comes later than each gap.
    """
    if n < ENOUGH:
        return None
    for place in np.flatnonzero(after <= max(1.0, FEW * n)):
        earlier = gaps[max(0, place - BEFORE) : place]
        if len(earlier) >= FEWEST and gaps[place] > UNUSUAL * earlier.max():
            return int(place)
    return None
