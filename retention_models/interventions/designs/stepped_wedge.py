"""The stepped wedge: stores or teams that switch one after the other, in random order.

In every period, clusters that have switched are compared with those that have not. No cluster is compared with its own
earlier periods, so an effect that changes over time causes no bias. A permutation test assigns the same switching times
to the clusters in other orders, to show how large a difference is by chance. The interval contains the constant effects
that the test does not reject (Thompson et al. 2018, "Robust analysis of stepped wedge trials using cluster-level
summaries within periods", Statistics in Medicine 37, 2487-2500).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.interventions.arms.costs import Costs, add_value, pricing
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.effects.assignment import NOT_STATED, AssignedBy, require_assigned_by
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import Permutation
from retention_models.tables.engines import open_table
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import collect
from retention_models.tables.rules import check_complete
from retention_models.value.terms import Terms

NOTHING = 1e-9  # differences smaller than this, relative to the estimate, come from rounding


@dataclass(frozen=True, slots=True, eq=False)
class Wedge:
    """Means and switches by cluster and period.

    Attributes
    ----------
    values
        Mean outcome, shape (clusters, periods), relative to the cluster's mean over the periods before the first
        switch.
    switched
        1 where the cluster has switched, shape (clusters, periods).
    n
        Number of customers.
    """

    values: Array
    switched: Array
    n: int

    def statistic(self, values: Array, order: NDArray[np.int64]) -> Array:
        """Mean difference over periods between switched and other clusters, under the switching times of an order.

        Cluster c has the switching time of cluster order[..., c]. The weight of a period is switched x other /
        clusters. The weighted differences then add up to the sum of (switched - share switched) x value. ``order`` has
        shape (..., clusters), the result (...).
        """
        share = self.switched.mean(axis=0)
        weight = len(self.switched) * np.sum(share * (1 - share))
        product = (self.switched - share) @ values.T
        return np.asarray(product[order, np.arange(len(values))].sum(axis=-1) / weight)


def stepped_wedge(
    rows: Any,
    outcome: Outcome,
    terms: Terms | None = None,
    *,
    costs: Mapping[str, Costs] | None = None,
    cluster: str,
    period: str,
    switched: str,
    rng: np.random.Generator,
    assigned_by: AssignedBy = NOT_STATED,
    intervention: str = "switched stores",
    draws: int = 4_999,
    level: float = 0.95,
) -> Effect:
    """The effect of switching, where clusters switched at random times.

    Parameters
    ----------
    rows
        Rows on any engine: customers, orders, or one a cluster and period.
    outcome
        The outcome. Its mean in each cluster and period counts, all clusters with equal weight.
    terms, costs
        As in ``differences``. Costs are those of ``intervention``, of contacts only.
    cluster
        The column of the store or team.
    period
        The column of the period, whose values sort in time.
    switched
        The column with 1 where the cluster has switched, and 0 before.
    rng
        Random generator for the orders of the permutation test. It is not used if all orders are enumerated.
    assigned_by
        Who decided about the order of the clusters, as in ``Plan``; there is no default. A random order makes the
        effect randomised, any other quasi-experimental.
    intervention
        Name of the intervention in the evidence table.
    draws
        Number of random orders, 4,999 by default. If no more than this differ from the actual order, all are
        enumerated.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    Effect
        In the unit of the outcome.

    Raises
    ------
    TypeError
        When ``assigned_by`` is not stated.
    ValueError
        When a number is missing; when a cluster lacks a period, switches back or switches within a period; when all
        clusters switch at once; or when the outcome is a ratio or adjusted.

    Notes
    -----
    If there are periods before the first switch, the values of each cluster are relative to its mean in these. The
    interval contains the constant effects that the permutation test does not reject. Its p-value is never below 1 /
    number of orders, and the interval has no end if the level asks for more than that. ``std_error`` is the standard
    deviation over the orders at the estimate. With random orders, p-value and interval have a random error. Thompson et
    al. (2018).

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame([(s, t) for s in range(12) for t in range(5)], columns=["store", "month"])
    >>> rows["switched"] = (rows["month"] > rows["store"] // 3).astype(int)  # three stores more each month
    >>> rows["kept"] = 0.6 + 0.02 * rows["month"] + 0.05 * rows["switched"] + rng.normal(0, 0.02, len(rows))
    >>> names = {"cluster": "store", "period": "month", "switched": "switched"}
    >>> print(rm.interventions.stepped_wedge(rows, rm.Outcome(column="kept"), **names, rng=rng,
    ...                                     assigned_by="random"))
    switched stores changes kept by 0.0575 (0.0339 to 0.0824) (kept per customer; 95 % interval; randomised,
    n = 60).
    """
    require_assigned_by(assigned_by)
    if outcome.per is not None or outcome.adjust_for:
        raise ValueError(
            f"{outcome.name}: a stepped wedge compares means of clusters as they are; leave out per and adjust_for"
        )
    wedge = _read_wedge(rows, outcome.column, cluster, period, switched)
    clusters = len(wedge.values)
    estimate = float(wedge.statistic(wedge.values, np.arange(clusters)))
    orders, is_exact = _orders(wedge, draws, rng)
    permuted, permuted_switches = wedge.statistic(wedge.values, orders), wedge.statistic(wedge.switched, orders)
    law = permutation_law(estimate, permuted, permuted_switches, is_exact=is_exact)
    money = pricing(terms, costs, outcome.in_words)
    if money is not None:
        money.check_arms([intervention])
    row = Effect(
        intervention=intervention,
        outcome=outcome.name,
        unit=outcome.in_words,
        estimand="difference between switched and not yet switched clusters in the same period, clusters alike",
        scale="difference",
        estimate=estimate,
        law=law,
        level=level,
        horizon=outcome.horizon,
        time_unit=outcome.time_unit,
        population=f"customers of {clusters} clusters over {wedge.values.shape[1]} periods",
        n=wedge.n,
        assigned_by=assigned_by,
        design="randomised" if assigned_by == "random" else "quasi-experimental",
        checks=(_orders_check(wedge, law, level),),
    )
    return row if money is None else add_value(row, money, intervention)


def _orders(wedge: Wedge, draws: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], bool]:
    """Orders of the switching times, shape (orders, clusters), and whether they are all that differ.

    They are if there are no more than ``draws`` beside the actual one. Otherwise they are random.
    """
    clusters = len(wedge.values)
    if _count_orders(wedge) > draws + 1:
        return np.argsort(rng.random((draws, clusters)), axis=1), False
    _, first, kinds = np.unique(wedge.switched, axis=0, return_index=True, return_inverse=True)
    return first[np.array(list(arrangements(kinds.ravel().tolist())))], True


def _count_orders(wedge: Wedge) -> int:
    """The number of different orders of the switching times."""
    _, sizes = np.unique(wedge.switched, axis=0, return_counts=True)
    orders = math.factorial(len(wedge.values))
    for size in sizes:
        orders //= math.factorial(int(size))
    return orders


def arrangements(items: Sequence[int]) -> Iterator[list[int]]:
    """All different orders of some items, of which several may be alike, in lexicographic order."""
    current = sorted(items)
    while True:
        yield list(current)
        rises = [i for i in range(len(current) - 1) if current[i] < current[i + 1]]
        if not rises:
            return
        last = rises[-1]
        larger = max(i for i in range(last + 1, len(current)) if current[i] > current[last])
        current[last], current[larger] = current[larger], current[last]
        current[last + 1 :] = current[:last:-1]


def permutation_law(
    estimate: float, permuted: Array, permuted_switches: Array, *, is_exact: bool = True
) -> Permutation:
    """The law of a constant effect, from the statistics of the values and of the switches under each order.

    With an effect d, the values without it have the statistic permuted - d x permuted_switches. The order supports d if
    this is at least as far from 0 as the actual statistic, estimate - d. Let x = d - estimate, S = permuted_switches
    and u = permuted - estimate x S. The condition |u - x S| >= |x| holds for x between -|u| / (1 - s S) and |u| / (1 +
    s S), with s the sign of u. It has no limit on a side where the divisor is 0, and none at all for the actual order,
    where u = 0 and S = 1. Random orders count the actual one as well; the standard error is that of the orders drawn.
    """
    std_error = float(np.std(permuted - estimate * permuted_switches))
    if not is_exact:
        permuted, permuted_switches = np.append(permuted, estimate), np.append(permuted_switches, 1.0)
    u = permuted - estimate * permuted_switches
    u = np.where(np.abs(u) > NOTHING * max(float(np.std(permuted)), abs(estimate)), u, 0.0)
    sign, reach = np.where(u > 0, 1.0, -1.0), np.abs(u)
    lowest = estimate - _quotient(reach, 1 - sign * permuted_switches, permuted_switches)
    highest = estimate + _quotient(reach, 1 + sign * permuted_switches, permuted_switches)
    return Permutation(
        estimate,
        std_error,
        tuple(np.sort(_without_noise(lowest, estimate)).tolist()),
        tuple(np.sort(_without_noise(highest, estimate)).tolist()),
    )


def _quotient(reach: Array, divisor: Array, permuted_switches: Array) -> Array:
    """How far the effects reach that an order supports; infinite where the divisor is 0, or nothing distinguishes."""
    endless = (divisor < NOTHING) | ((reach == 0) & (np.abs(permuted_switches) > 1 - NOTHING))
    return np.divide(reach, divisor, out=np.full_like(reach, np.inf), where=~endless)


def _without_noise(ends: Array, estimate: float) -> Array:
    """Ends at no effect are exactly 0: orders that are as far from it as the actual one count, despite rounding."""
    return np.where(np.abs(ends) > NOTHING * abs(estimate), ends, 0.0)


def _read_wedge(rows: Any, column: str, cluster: str, period: str, switched: str) -> Wedge:
    """Means by cluster and period, from rows on any engine."""
    keys, measured = {"cluster": cluster, "period": period}, {"value": column, "switched": switched}
    kinds: dict[str, Kind] = {"cluster": "value", "period": "value", "value": "measure", "switched": "measure"}
    with naming(rows):
        frame = open_table(rows, keys | measured, kinds, where="the roll-out").lazy()
        check_complete(frame, keys, measured, each="rows")
        means = frame.group_by("cluster", "period").agg(
            *(nw.len().alias("n"), nw.col("value").mean()),
            *(nw.col("switched").min(), nw.col("switched").max().alias("last")),
        )
        table = collect(means).sort_values(["cluster", "period"])
    _check_every_period(table)
    shape = (table["cluster"].nunique(), table["period"].nunique())
    values, states = (table[name].to_numpy().reshape(shape) for name in ("value", "switched"))
    _check_wedge(states)
    if np.ptp(values) == 0:
        raise ValueError(f"{column} is {values[0, 0]:g} in every cluster and period: there is no effect to estimate")
    before = states.max(axis=0) == 0
    if before.any():
        values = values - values[:, before].mean(axis=1, keepdims=True)
    return Wedge(values, states, int(table["n"].sum()))


def _check_every_period(table: pd.DataFrame) -> None:
    clusters, periods = table["cluster"].nunique(), table["period"].nunique()
    absent = clusters * periods - len(table)
    if absent:
        raise ValueError(
            f"{absent:,} of {clusters * periods:,} cluster-periods have no rows; every cluster needs every period: "
            "leave out clusters that opened or closed during the test"
        )
    if (table["switched"] != table["last"]).any() or not table["switched"].isin([0, 1]).all():
        raise ValueError("switched must be 0 or 1, the same for all rows of a cluster in a period; use whole periods")


def _check_wedge(states: Array) -> None:
    if (np.diff(states, axis=1) < 0).any():
        raise ValueError(
            f"{int((np.diff(states, axis=1) < 0).any(axis=1).sum())} clusters switch back, which is not allowed"
        )
    share = states.mean(axis=0)
    if not ((share > 0) & (share < 1)).any():
        raise ValueError(
            "there is no period in which some clusters have switched and others have not: there is nothing to compare"
        )


def _orders_check(wedge: Wedge, law: Permutation, level: float) -> Check:
    """Whether there are enough possible orders for an interval of this level."""
    orders, passed = _count_orders(wedge), all(map(math.isfinite, law.interval(level)))
    counted = f"{orders:,}" if orders < 1_000_000 else "more than a million"
    verdict = "enough" if passed else "too few"
    return Check(
        "Possible orders of switching",
        passed,
        size=float(orders),
        unit="possible orders",
        detail=f"The clusters could have switched in {counted} different orders: {verdict} for the test.",
        remedy="Include more clusters, or let them switch at more different times.",
    )
