"""Does the log begin in the middle of customers' lives? Then most of its first "new" customers are old ones.

A log cut out of a running business shows each old customer's next purchase as a first one. Two things follow, and both
are looked for by comparing the opening of the log with the opening of its second half, over equally many days:

- more customers turn up for the first time, because the old ones turn up besides the new, and
- more of those buy again before their half ends, because old customers are those who stayed, and who buy often.

Many newcomers alone prove nothing: a launch or a campaign brings them, too. That there are not more of them shows that
there were no old customers to speak of. What the comparison cannot judge are cohorts (nobody is new in the second half,
as in the CDNOW log) and small logs; and it mistakes early adopters for old customers if they are as loyal.
"""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from retention_models.checks import Check

NAME = "the log begins with its customers' first purchases"
FEWEST_CUSTOMERS = 20
MATERIAL_RATIO = 1.2
CLEAR_SIGMAS = 3


class Halves(NamedTuple):
    """The two halves of a log, equally long: where each begins, where the first ends, and how long the openings are."""

    first: Date
    first_end: Date
    second: Date
    opening: timedelta


def halves(start: Date, end: Date) -> Halves:
    """The halves of the log from ``start`` to ``end``, both included; the opening of a half is its first quarter."""
    length = ((end - start).days + 1) // 2
    day = timedelta(days=1)
    return Halves(start, start + length * day, end + day - length * day, max(length // 4, 1) * day)


def check_openings(table: pd.DataFrame, log: Halves) -> Check:
    """Whether the log's first newcomers are too many, and too loyal, to be new.

    ``table`` has rows of customers with ``first`` (day of their first purchase), ``customers`` (how many they are), and
    how many of them bought again before the first half's end, ``again_early``, or before the log's, ``again``.
    """
    early = _between(table, log.first, log.first + log.opening)
    late = _between(table, log.second, log.second + log.opening)
    n_early, n_late = early["customers"].sum(), late["customers"].sum()
    span = f"{log.opening.days} days"
    counts = (
        f"{n_early:,} customers are first seen in the {span} from {log.first}, "
        f"{n_late:,} in the {span} from {log.second}"
    )
    if n_late < FEWEST_CUSTOMERS:
        return Check(NAME, None, f"{counts}: too few to tell. Whether the log shows first purchases must be known.")
    if n_early < MATERIAL_RATIO * n_late or n_early - n_late < CLEAR_SIGMAS * np.sqrt(n_early + n_late):
        return Check(NAME, True, f"{counts}: newcomers are no more frequent when the log begins.")
    share_early, share_late = early["again_early"].sum() / n_early, late["again"].sum() / n_late
    shares = f"{share_early:.0%} and {share_late:.0%} of them bought again in the same half of the log"
    if share_early - share_late < CLEAR_SIGMAS * _standard_error(share_early, n_early, share_late, n_late):
        return Check(NAME, None, f"{counts}; {shares}: a launch or a campaign would look the same.")
    return Check(
        NAME,
        False,
        f"{counts}; {shares}: many of the first had been customers before. "
        "Pass acquired_after to leave out those whose first purchase the log may not show.",
    )


def _between(table: pd.DataFrame, start: Date, end: Date) -> pd.DataFrame:
    first = table["first"]
    return table[(first >= pd.Timestamp(start)) & (first < pd.Timestamp(end))]


def _standard_error(share_1: float, n_1: int, share_2: float, n_2: int) -> float:
    """Standard error of the difference of two shares, were both equal."""
    pooled = (share_1 * n_1 + share_2 * n_2) / (n_1 + n_2)
    return float(np.sqrt(pooled * (1 - pooled) * (1 / n_1 + 1 / n_2)))
