"""How much of a log was set aside because it cannot be read, and when that is too much to go on.

What is set aside by a rule, such as refunds or days after the end of observation, is no fault of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from retention_models.core.check import Check
from retention_models.core.formatting import counted
from retention_models.tables.frames import collect

NAME = "Rows that cannot be read"
NOTICED = 0.01  # the share from which on what is set aside may decide a result


def check_rows_that_count(
    faults: Mapping[str, int], rows: int, most: float, *, amount_share: float = 0.0, hint: str = ""
) -> Check:
    """Whether nearly all rows of a log can be used, and with them nearly all of its money.

    Parameters
    ----------
    faults
        Number of rows that cannot be read, by reason.
    rows
        Number of all rows.
    most
        The share of rows, or of the amount, beyond which nothing is read.
    amount_share
        Share of the amount that stands in rows that cannot be read, where it is known.
    hint
        What an error adds: how values are read.

    Raises
    ------
    ValueError
        When more is set aside than ``most``.
    """
    if not faults:
        return Check(NAME, True, detail=f"All {rows:,} rows can be read.")
    share = sum(faults.values()) / rows
    told = f"{100 * share:.2g} % of the {rows:,} rows cannot be read"
    told += f", with {100 * amount_share:.2g} % of the amount" if amount_share > share else ""
    told += f": {counted(faults)}"
    if max(share, amount_share) > most:
        raise ValueError(
            f"{told}{hint}. That is more than max_set_aside={most:g}: correct the log, or pass a larger "
            "max_set_aside to read the remaining rows"
        )
    largest = max(share, amount_share)
    return Check(
        NAME,
        largest <= NOTICED,
        size=100 * largest,
        limit=100 * NOTICED,
        unit="% of the rows" if share >= amount_share else "% of the amount",
        detail=f"{told}.",
        remedy="Correct these rows in the log.",
    )


def count_faults(frame: Any, faults: Mapping[str, nw.Expr]) -> dict[str, int]:
    """How many rows have each fault; a row with several counts under the first."""
    firsts, earlier = {}, nw.lit(False)
    for reason, fault in faults.items():
        firsts[reason] = tally(fault & ~earlier)
        earlier = earlier | fault
    counts = collect(frame.lazy().select(**firsts)).iloc[0]
    return {reason: int(counts[reason]) for reason in faults if counts[reason]}


def tally(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition; Spark does not add up booleans."""
    return condition.cast(nw.Int64).sum()
