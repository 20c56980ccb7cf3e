"""Whether the first purchases in a log are the first purchases of its customers.

A log cut out of a running business shows the next purchase of each old customer as a first purchase. This has two
effects. The check compares the opening of the log with the opening of its second half, over equally many days:

- more customers have their first purchase, because old customers add to the new ones
- more of them buy again within their half, because old customers are loyal ones

Many newcomers alone prove nothing: a launch or a campaign has the same effect. If there are not more of them, there
were few old customers. The check cannot judge cohorts (nobody is new in the second half, as in the CDNOW log) or small
logs. It mistakes loyal early adopters for old customers.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pandas as pd

from retention_models.core.check import Check

NAME = "First purchases in the log"
FEWEST_CUSTOMERS = 50
TIMES_AS_MANY = 1.2  # fewer, or lower odds of buying again, may be clearly more and still matter little
CLEARLY_MORE = 3.0  # standard errors
CLEARLY_MORE_LOYAL = 2.0  # fewer, because where newcomers are too many, a log cut in the middle is the usual reason


class Halves(NamedTuple):
    """The two halves of a log, equally long: where each begins, where the first ends, and how long the openings are."""

    first: dt.date
    first_end: dt.date
    second: dt.date
    opening: dt.timedelta


def halves(start: dt.date, end: dt.date) -> Halves:
    """The halves of the log from ``start`` to ``end``, both included; the opening of a half is its first quarter."""
    length = ((end - start).days + 1) // 2
    day = dt.timedelta(days=1)
    return Halves(start, start + length * day, end - (length - 1) * day, max(length // 4, 1) * day)


def check_openings(table: pd.DataFrame, log: Halves) -> Check:
    """Whether the log's first newcomers are too many, and too loyal, to be new.

    ``table`` has rows of customers with ``first`` (the time of their first purchase), ``customers`` (how many they
    are), ``again_early`` (how many of them bought again before the first half's end), and the number of ``purchases``
    that each of them made before the log's end.
    """
    early = _select_first_seen(table, log.first, log.first + log.opening)
    late = _select_first_seen(table, log.second, log.second + log.opening)
    n_early, n_late = int(early["customers"].sum()), int(late["customers"].sum())
    span = f"{log.opening.days} days"
    counts = (
        f"{n_early:,} customers are first seen in the {span} from {log.first}, "
        f"{n_late:,} in the {span} from {log.second}"
    )
    if n_late < FEWEST_CUSTOMERS:
        return Check(
            NAME, None, detail=f"{counts}: too few to tell. You must know whether the log shows first purchases."
        )
    if n_early < TIMES_AS_MANY * n_late or n_early - n_late < CLEARLY_MORE * np.sqrt(n_early + n_late):
        return Check(NAME, True, detail=f"{counts}: new customers are not more frequent when the log begins.")
    again_early, again_late = int(early["again_early"].sum()), int(late.loc[late["purchases"] > 1, "customers"].sum())
    counts = f"{counts}; {again_early / n_early:.0%} and {again_late / n_late:.0%} of them bought again in that half"
    if not _is_more_loyal(again_early, n_early, again_late, n_late):
        return Check(
            NAME,
            None,
            size=n_early / n_late,
            limit=TIMES_AS_MANY,
            unit="times as many new customers at the start",
            detail=f"{counts}: a launch or a campaign would look the same. "
            "Pass acquired_after if customers had bought before the log began.",
        )
    return Check(
        NAME,
        False,
        size=n_early / n_late,
        limit=TIMES_AS_MANY,
        unit="times as many new customers at the start",
        detail=f"{counts}: many of the first had been customers before.",
        remedy="Pass acquired_after to leave out customers whose first purchase is not in the log.",
    )


def _is_more_loyal(again_early: int, n_early: int, again_late: int, n_late: int) -> bool:
    """Whether the odds of buying again are materially and clearly higher among the early."""
    share_early, share_late = again_early / n_early, again_late / n_late
    share = (again_early + again_late) / (n_early + n_late)
    error = np.sqrt(share * (1 - share) * (1 / n_early + 1 / n_late))
    materially = share_early * (1 - share_late) > TIMES_AS_MANY * share_late * (1 - share_early)
    return bool(materially and share_early - share_late > CLEARLY_MORE_LOYAL * error)


def _select_first_seen(table: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    first = table["first"].to_numpy()
    within = (first >= np.datetime64(start)) & (first < np.datetime64(end))
    return table.loc[within, ["customers", "again_early", "purchases"]]
