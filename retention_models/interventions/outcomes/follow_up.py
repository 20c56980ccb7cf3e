"""Purchases by day since the assignment, reduced to sums, and the means of any days by arm.

Customers were assigned on different days, so they are observed for different times: their *follow-up*, the days from
the assignment to the last day of the log, or to the horizon. A window of days counts the customers observed through its
last day. The purchases of one customer on one day are an *increment*. Their sums and sums of products, by follow-up and
day, give the mean of every window with its variance, and the covariance of the means of any two days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.interventions.arms.cells import Cell, arm_means, cells_of_sums
from retention_models.interventions.outcomes.purchases import is_after_assignment
from retention_models.tables.days import Day
from retention_models.tables.frames import collect

Measured = Literal["purchases", "amount", "bought"]


@dataclass(frozen=True, slots=True, eq=False)
class FollowUpSums:
    """Sums of the increments of all assigned customers; all that contrasts over time need.

    Attributes
    ----------
    groups
        One row an ``arm``, perhaps ``block``, perhaps ``cluster``. Its row number is the ``group`` of the other tables.
    customers
        Number of customers ``n`` by group and ``follow_up``; a follow-up of -1: assigned after the last day.
    sums
        Sum ``v0`` of the increments by group, ``follow_up`` and ``day``.
    products
        Sum ``p0_0`` of the products of two increments of a customer, by group, ``follow_up``, ``day`` and ``other``
        day, each pair of days in both orders. Without rows if clusters were assigned.
    """

    groups: pd.DataFrame
    customers: pd.DataFrame
    sums: pd.DataFrame
    products: pd.DataFrame

    @property
    def clustered(self) -> bool:
        """Whether clusters were assigned."""
        return "cluster" in self.groups

    @property
    def assigned(self) -> int:
        """Number of assigned customers."""
        return int(self.customers["n"].sum())

    @property
    def unobserved(self) -> int:
        """Number of customers assigned after the last day of the log."""
        return int(self.customers.loc[self.customers["follow_up"] < 0, "n"].sum())

    def window(self, first: int, last: int) -> pd.DataFrame:
        """Sums over the days ``first`` to ``last`` of the customers observed through the last: rows of an experiment.

        One row an arm, block and cluster: ``n``, ``v0`` and, without clusters, ``p0_0``.
        """

        def total(table: pd.DataFrame, name: str, *days: str) -> Array:
            kept = table["follow_up"].to_numpy() >= last
            for day in days:
                kept &= (table[day].to_numpy() >= first) & (table[day].to_numpy() <= last)
            group, value = (table[column].to_numpy()[kept] for column in ("group", name))
            return np.asarray(np.bincount(group, value, minlength=len(self.groups)), dtype=float)

        found = {"n": total(self.customers, "n"), "v0": total(self.sums, "v0", "day")}
        if not self.clustered:
            found["p0_0"] = total(self.products, "p0_0", "day", "other")
        return self.groups.assign(**found)[found["n"] > 0]

    def cells(self, first: int, last: int) -> tuple[Cell, ...]:
        """The means of the customers over a window, by arm and block."""
        return cells_of_sums(_in_one_block(self.window(first, last)), 1, np.zeros(1))

    def last_shared_day(self) -> int:
        """The last day through which each arm has two observed units in each block; -1 if there is none.

        Units are customers, or clusters.
        """
        cells = [key for key in self.groups if key != "cluster"]
        units = self.customers
        if self.clustered:
            units = units.groupby("group", as_index=False)["follow_up"].max().assign(n=1)
        longest_first = units.join(self.groups[cells], on="group").sort_values("follow_up", ascending=False)
        reached = longest_first[longest_first.groupby(cells)["n"].cumsum() >= 2]
        return int(reached.groupby(cells)["follow_up"].max().min())

    def covariance(self, arm: str, days: Sequence[Sequence[Cell]]) -> Array:
        """Covariance of an arm's means through day 0, 1, ..., shape (days, days); ``days`` are the cells of each day.

        With psi_id = share_d (Y_id - m_d) / sqrt(n_d (n_d - 1)) for the customers of a block observed through day d,
        and 0 for others, it is the sum of psi_id psi_ie over customers. It is positive semidefinite, with the unbiased
        variances on its diagonal. For clusters psi comes from their CR2 residuals, as in ``cell_of_clusters``.
        """
        means = [arm_means(cells, arm) for cells in days]
        covariance = np.zeros((len(days), len(days)))
        for place in range(len(means[0].cells)):
            cells = [mean.cells[place] for mean in means]
            shares = np.array([mean.shares[place] for mean in means])
            one_block = self._covariance_of_clusters if self.clustered else self._covariance_of_customers
            covariance += np.outer(shares, shares) * one_block(cells)
        return covariance

    def _covariance_of_customers(self, cells: Sequence[Cell]) -> Array:
        """Covariance of the means of one arm in one block through each day, shape (days, days)."""
        products, sums = (self._arrays(table, cells[0]) for table in (self.products, self.sums))
        scatter = np.zeros((len(cells), len(cells)))
        for last, cell in enumerate(cells):
            # of the outcome through each day: its sum, and that of its products with the outcome through the last day
            total, product = (_running_total(rows, last) for rows in (sums, products))
            scatter[last, : last + 1] = scatter[: last + 1, last] = product - total * total[last] / cell.n
        n = np.array([cell.n for cell in cells], dtype=float)
        spread = np.sqrt(n * (n - 1))
        return scatter / np.outer(spread, spread)

    def _arrays(self, table: pd.DataFrame, cell: Cell) -> dict[str, Array]:
        """The columns of the rows of one arm in one block."""
        mine = table[table["group"].isin(_rows_of(self.groups, cell).index)]
        return {str(name): mine[name].to_numpy() for name in mine}

    def _covariance_of_clusters(self, cells: Sequence[Cell]) -> Array:
        """Covariance of the means of one arm in one block through each day, shape (days, days)."""
        influence = {}
        for last, cell in enumerate(cells):
            totals = _rows_of(self.window(0, last), cell).set_index("cluster")
            inflation = 1 / (1 - totals["n"] / cell.n)
            influence[last] = (totals["v0"] - totals["n"] * cell.mean[0]) * np.sqrt(inflation) / cell.n
        psi = pd.DataFrame(influence).fillna(0.0).to_numpy()
        return np.asarray(psi.T @ psi)


def _rows_of(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The rows of one arm in one block."""
    rows = _in_one_block(table)
    return rows[(rows["arm"] == cell.arm) & (rows["block"] == cell.block)]


def _in_one_block(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column ``block``, empty unless the test has blocks."""
    return table if "block" in table else table.assign(block="")


def _running_total(rows: Mapping[str, Array], last: int) -> Array:
    """Sums through day 0, 1, ... ``last``, shape (last + 1,), of the customers observed through the last."""
    kept = (rows["follow_up"] >= last) & (rows["day"] <= last)
    if "other" in rows:
        kept &= rows["other"] <= last
    value = rows["p0_0" if "other" in rows else "v0"]
    return np.bincount(rows["day"][kept], value[kept], minlength=last + 1).cumsum()


def follow_up_sums(
    who: nw.LazyFrame[Any],
    bought: nw.LazyFrame[Any],
    outcome: Measured,
    keys: Sequence[str],
    *,
    last_day: dt.date,
    horizon_days: int,
    keeps_day: bool,
) -> FollowUpSums:
    """The sums of a test from its customers and their purchases by day, both with the key ``_id`` of a join."""
    who = who.select("_id", "assigned", *keys, follow_up=_follow_up(last_day, horizon_days))
    by_follow_up = [*keys, "follow_up"]
    days = Day.in_column("period").number - Day.in_column("assigned").number
    joined = who.join(bought.drop("customer_id"), on="_id", how="inner").with_columns(days=days)
    inside = joined.filter(is_after_assignment(keeps_day=keeps_day) & (nw.col("days") <= nw.col("follow_up")))
    increments = _increments(inside, outcome, by_follow_up)
    sums = increments.group_by(*by_follow_up, "day").agg(nw.col("v0").sum())
    products = _products(increments.head(0) if "cluster" in keys else increments, by_follow_up)
    customers = who.group_by(by_follow_up).agg(n=nw.len())
    tables = [_in_order(table, keys) for table in (customers, sums, products)]
    groups = tables[0][list(keys)].drop_duplicates(ignore_index=True)
    number = groups.reset_index(names="group")
    return FollowUpSums(groups, *(table.merge(number, on=list(keys)).drop(columns=list(keys)) for table in tables))


def _follow_up(last_day: dt.date, horizon_days: int) -> nw.Expr:
    """Days from the assignment to the last day, at most the horizon; -1 for customers assigned after the last day."""
    days = Day.constant(last_day).number - Day.in_column("assigned").number
    horizon, never = nw.lit(horizon_days, nw.Int64), nw.lit(-1, nw.Int64)
    return nw.when(days > horizon_days).then(horizon).otherwise(nw.when(days < 0).then(never).otherwise(days))


def _increments(inside: nw.LazyFrame[Any], outcome: Measured, keys: Sequence[str]) -> nw.LazyFrame[Any]:
    """What each purchase adds to the outcome of its customer: ``_id``, keys, ``day`` and ``v0``."""
    if outcome == "bought":  # the first purchase alone
        inside = inside.group_by("_id", *keys).agg(nw.col("days").min())
    added = nw.col("amount").cast(nw.Float64) if outcome == "amount" else nw.lit(1.0)
    return inside.select("_id", *keys, day=nw.col("days"), v0=added)


def _products(increments: nw.LazyFrame[Any], keys: Sequence[str]) -> nw.LazyFrame[Any]:
    """Sums of products of the increments of a customer on each pair of days."""
    others = increments.select("_id", other=nw.col("day"), w0=nw.col("v0"))
    pairs = increments.join(others, on="_id", how="inner").with_columns(p0_0=nw.col("v0") * nw.col("w0"))
    return pairs.group_by(*keys, "day", "other").agg(nw.col("p0_0").sum())


def _in_order(table: nw.LazyFrame[Any], keys: Sequence[str]) -> pd.DataFrame:
    """A collected table in the order of its keys, days as whole numbers."""
    found = collect(table)
    days = [name for name in ("follow_up", "day", "other") if name in found]
    return found.astype(dict.fromkeys(days, np.int64)).sort_values([*keys, *days], ignore_index=True)
