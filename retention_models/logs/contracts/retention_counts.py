"""The retention table from counts of spells with the same renewals, and its first renewal observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.dates import MEAN_DAYS, MONTHS
from retention_models.core.formatting import three_digits
from retention_models.tables.days import Period
from retention_models.tables.frames import count_distinct

EXACT = 1e-9  # periods; what floating point leaves of a whole number
KEPT, LOST = "", "lost"  # fates of a spell that need no cause


def period_days(period: Period) -> float:
    """The length of a period in days, on average for months and years."""
    return float(period) if isinstance(period, int) else MEAN_DAYS[period]


def count_spells(rows: nw.LazyFrame[Any], by: Sequence[str], **further: nw.Expr) -> pd.DataFrame:
    """The distinct rows, and how many ``spells`` share each; an error where some have no value of ``by``.

    ``further`` is computed of the columns of these names, over the rows that share the others.
    """
    keys = [name for name in rows.collect_schema().names() if name not in further]
    counts = count_distinct(rows, keys, spells=nw.len(), **further)
    require_groups(counts, {name: name for name in by})
    return counts


def require_groups(counts: pd.DataFrame, by: Mapping[str, str]) -> None:
    """An error where some spells have no value of a column, which the log calls as ``by`` says."""
    for column, name in by.items():
        if missing := int(counts.loc[counts[column].isna(), "spells"].sum()):
            total = counts["spells"].sum()
            raise ValueError(f"column {name!r} is missing for {missing:,} of {total:,} spells; name their group")


def tabulate_retention(counts: pd.DataFrame, keys: list[str], has_cause: bool) -> pd.DataFrame:
    """Customers at risk and lost at each renewal, from counts of spells with the same renewals and outcome.

    ``_first`` and ``_last`` are the first and last renewal. ``_lost`` is KEPT, or the cause of churn at the last
    renewal (LOST without causes). ``attrs`` holds the numbers of spells and of renewals counted, by which the table is
    recognised as complete.
    """
    group = counts.groupby(keys, sort=True, dropna=False).ngroup().to_numpy() if keys else np.zeros(len(counts), int)
    labels = counts[keys].assign(_group=group).drop_duplicates("_group").sort_values("_group", ignore_index=True)
    first, last, spells = (counts[name].to_numpy(dtype=np.int64) for name in ("_first", "_last", "spells"))
    shape = (len(labels), int(last.max()) + 2)
    change = np.zeros(shape, dtype=np.int64)
    np.add.at(change, (group, first), spells)
    np.add.at(change, (group, last + 1), -spells)
    at_risk = np.cumsum(change, axis=1)
    where, tenure = np.nonzero(at_risk)
    table = labels.loc[where, keys].reset_index(drop=True).assign(tenure=tenure, at_risk=at_risk[where, tenure], lost=0)
    for cause in sorted(set(counts["_lost"]) - {KEPT}):
        lost = np.zeros(shape, dtype=np.int64)
        of_cause = (counts["_lost"] == cause).to_numpy()
        np.add.at(lost, (group[of_cause], last[of_cause]), spells[of_cause])
        table["lost"] += lost[where, tenure]
        if has_cause:
            table[f"lost_{cause}"] = lost[where, tenure]
    table.attrs.update(spells_counted=int(spells.sum()), renewals_counted=int(at_risk.sum()))
    return table


RECENT = 3  # renewals: the most customers at one of the first are those who join now
FEWEST = 10  # customers at a renewal
BILLION = 1e9  # joiners beyond it are not written in digits
IMPLIED_JOINERS = "Implied number of new customers"  # the check of a table without dates
TOO_MANY = 10.0  # times as many as join now


def check_origin(table: pd.DataFrame) -> Check:
    """Whether a retention table knows survival from the start of a contract, or only from some renewal on."""
    first = int(table["tenure"].min())
    known = "Some customers were observed from their first renewal on."
    unknown = (
        f"Nobody was observed before renewal {first}: survival is that of customers who made {first - 1} renewals."
    )
    return Check("Start of observation", first == 1, detail=known if first == 1 else unknown)


def check_implied_joiners(table: pd.DataFrame) -> Check:
    """Whether the survivors in a window of time can have come from a number of joiners like that of today.

    The n(t) customers who come to their t-th renewal are those left of n(t) / S(t - 1) who joined together, with S the
    survival by the losses of the window. It fails where these are more than 10 times as many as join now, beyond
    chance (two standard errors of log S, by Greenwood's formula).
    """
    name = IMPLIED_JOINERS
    counts = table.groupby("tenure")[["at_risk", "lost"]].sum()
    counts = counts[counts["at_risk"] > 0]
    n, lost = (counts[column].to_numpy(dtype=float) for column in ("at_risk", "lost"))
    kept = np.where(lost < n, n - lost, 0.5)
    log_survival = np.concatenate([[0.0], np.cumsum(np.log(kept / n))[:-1]])
    error = np.sqrt(np.concatenate([[0.0], np.cumsum(lost / (n * kept))[:-1]]))
    now = n[:RECENT].max()
    log_ratio = np.log(n / now) - log_survival
    rare = n < FEWEST
    beyond = np.where(rare, -np.inf, log_ratio - 2 * error)
    if rare.all():
        return Check(name, None, detail=f"No renewal was reached by {FEWEST} customers.")
    worst = int(np.argmax(beyond))
    joined, tenure = n[worst] * np.exp(-log_survival[worst]), int(counts.index[worst])
    size = float(np.exp(log_ratio[worst]))
    unit = "times as many new customers as today"
    needed = three_digits(joined) if joined < BILLION else "more than a billion"
    found = (
        f"{n[worst]:,.0f} customers came to renewal {tenure}. By the losses of this window, {needed} must have joined "
        f"then. Today {now:,.0f} join."
    )
    if beyond[worst] <= np.log(TOO_MANY):
        return Check(name, True, size, TOO_MANY, unit, detail=found)
    return Check(
        name,
        False,
        size,
        TOO_MANY,
        unit,
        detail=f"{found} Churn in this window is not that of earlier times, and survival beyond the first renewals "
        "depends on it.",
        remedy="Read a log with dates, or a longer window.",
    )


AT_RENEWALS = 0.8  # share of the ends from which on contracts count as those that end at renewals
ENOUGH_ENDS = 30  # contracts that ended, for their days to tell whether these are renewals
CALENDAR_SLACK = 3.0  # days; months of the calendar are longer than as many mean months by less


def share_off_renewals(days: pd.Series, weight: pd.Series, period: Period) -> float:
    """The share of contracts that end on any day, by the days after which contracts ended; 0 where few have.

    Those that end on any day are near a renewal by chance, too. A contract may end on the day before a renewal.
    """
    if weight.sum() < ENOUGH_ENDS:
        return 0.0
    length = period_days(period)
    slack = CALENDAR_SLACK if period in MONTHS else 0.0
    beside = days - (days / length).round().clip(lower=1) * length
    is_off = (beside < -1 - slack) | (beside > slack)
    by_chance = max(1 - (2 + 2 * slack) / length, EXACT)
    return float(weight[is_off].sum() / weight.sum() / by_chance)
