"""Which efforts a budget should pay for, how sure that is, and what to test first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from retention_models.core.arguments import require_level, require_number, require_type, require_whole
from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, with_interval
from retention_models.interventions.effects.table import RANKED
from retention_models.interventions.efforts.budget_rows import FORECAST, read_rows
from retention_models.interventions.efforts.kind_shrinkage import ALL_KINDS, draw_by_kind, shrink_by_kind
from retention_models.interventions.efforts.knapsack import Knapsack, limit_rows
from retention_models.interventions.efforts.register import Register

VALUE_DRAWS = 20_000  # of the effects, for the range of a value, which needs no further allocation
NOTHING = 1e-9  # of the expected value: rounding
NODES = 16  # results of a further test, equally probable, that the value of testing averages over
_ENDS = ndtri(np.arange(NODES + 1) / NODES)
RESULTS = -NODES * np.diff(np.exp(-(_ENDS**2) / 2)) / np.sqrt(2 * np.pi)  # means of equally probable parts of a normal
NO_OFFER = "no effort of the register has both a cost and a reach; fill in cost_per_contact or fixed_cost, and reach"
FUND, LEAVE, TEST = "fund", "do not fund", "test first"


@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Presentation):
    """A budget and the efforts that it pays for; ``allocate_budget`` finds it.

    Attributes
    ----------
    table
        One row an offer, indexed by ``effort`` and ``offer``. ``decision`` is fund, do not fund, or test first.
        ``share`` is the part of the reach that is treated, and ``customers`` the treatments a year. ``cost`` and
        ``cost_now`` are money a year. ``expected_value`` with its interval is the value of a year net of cost, at the
        share that is funded, otherwise at full reach. ``return`` is the expected value per unit of cost. ``chance`` is
        the probability that the offer belongs in the best allocation. ``value_of_test`` is the expected gain of testing
        it before the money is spent.
    budget, cost
        The budget, and what the allocation spends of it.
    value
        Expected value of a year with its interval, ``(value, lower, upper)``.
    cost_of_deciding_now
        Expected value that is lost a year since the effects are not known exactly.
    value_if_believed
        What the same allocation promises by estimates that were not shrunk.
    chance_of_gain
        The probability that this allocation earns more than today's spending on the same efforts; None if no spending
        of today is stated.
    level
        Level of the intervals.
    """

    table: pd.DataFrame
    budget: float
    cost: float
    value: tuple[float, float, float]
    cost_of_deciding_now: float
    value_if_believed: float
    chance_of_gain: float | None
    level: float

    @property
    def moves(self) -> pd.DataFrame:
        """What changes against today: ``cost_now``, ``cost`` and ``change`` a year of each effort that may decide."""
        decided = self.table[self.table["decision"] != TEST]
        moved = decided.groupby(level="effort", sort=False)[["cost_now", "cost"]].sum()
        return moved.assign(change=moved["cost"] - moved["cost_now"]).sort_values("change")

    def _parts(self) -> Sequence[Part]:
        text = f"{self.cost:,.0f} of {self.budget:,.0f} earn {with_interval(*self.value)} a year, net of cost."
        shown = ["decision", "share", "cost", "expected_value", "chance"]
        return [text, self.table[shown].reset_index()]


def allocate_budget(
    rows: Any,
    budget: float,
    *,
    acquisition: Mapping[str, float] | None = None,
    exclusive: Sequence[Sequence[str]] = (),
    limits: Mapping[str, tuple[Mapping[str, float], float]] | None = None,
    level: float = 0.95,
    draws: int = 400,
    rng: int | np.random.Generator | None = 0,
) -> Allocation:
    """The efforts that a budget should pay for.

    Parameters
    ----------
    rows
        A ``Register``, or a frame or file with one row an offer: ``effort``, ``cost`` (of a treatment), ``reach``
        (treatments a year), ``value`` (per treatment, net of its cost), ``std_error`` and ``design``. Optional:
        ``offer`` (at most one of an effort is made), ``kind``, ``fixed_cost`` (a year, by default 0), ``whole``
        (whether it is all or nothing, by default True) and ``cost_now`` (spent a year today, by default 0).
    budget
        Money of a year, 0 or more.
    acquisition
        Winning new customers, in the same allocation: ``value`` of a new customer with ``value_lower`` and
        ``value_upper``, ``cost`` of winning one, ``reach`` (the most that can be won a year). Optional: ``fixed_cost``
        (a year) and ``cost_now`` (spent a year today). By default none.
    exclusive
        Groups of efforts that exclude each other: at most one of a group is funded.
    limits
        Further limits by name: the weight of each effort at full reach, and the bound of their sum. For example
        ``{"calls": ({"welcome": 9_000, "win-back": 4_000}, 10_000)}``.
    level
        Level of the intervals, 0.95 by default.
    draws
        Number of draws of the true effects for which the best allocation is found. By default 400.
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one. By default 0.

    Returns
    -------
    Allocation
        The shares, their expected value with its range, and what to test first.

    Raises
    ------
    ValueError
        When a column is missing, a row stands twice, money has no design, a cost is missing, the budget is negative, or
        no allocation meets the limits.

    Notes
    -----
    The allocation solves the multiple-choice knapsack problem exactly (HiGHS through ``scipy.optimize.milp``). The
    response is linear in the number of treatments up to the reach. Doses that were tested are offers of one effort;
    where an effort is not ``whole``, customers may be split between them, which is the concave hull of the doses.
    Doses that were not tested are never interpolated.

    Effects that were estimated are shrunk within kinds, since the best of several looks better than it is (see
    ``Register.shrunk``). Observational and unmeasured efforts are not funded: they are to be tested first. The value of
    a test is the expected gain of a further test as precise as the last one (expected value of sample information); for
    an effort without evidence it is that of a perfect test, if its effect is like those of the others.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> efforts = pd.DataFrame({
    ...     "effort": ["letter", "coupon", "welcome", "call", "club"],
    ...     "cost": [0.5, 0.5, 1.0, 4.0, 2.0], "reach": [40_000, 40_000, 9_000, 5_000, 8_000],
    ...     "value": [0.2, -0.6, 1.1, 3.0, None], "std_error": [0.1, 0.2, 0.3, 2.0, None],
    ...     "design": ["randomised"] * 4 + ["unmeasured"],
    ... })
    >>> found = rm.allocate_budget(efforts, 35_000)
    >>> found.table["decision"].droplevel("offer").to_dict()
    {'letter': 'do not fund', 'coupon': 'do not fund', 'welcome': 'fund', 'call': 'fund', 'club': 'test first'}
    """
    require_number("budget", budget, 0)
    require_level(level)
    require_whole("draws", draws, 1)
    given = rows.offers if isinstance(rows, Register) else rows
    if isinstance(rows, Register) and given.empty and acquisition is None:
        raise ValueError(NO_OFFER)
    table = read_rows(given, acquisition, level)
    _require_names(table, exclusive, limits)
    effects = _Effects.of(table, level, draws, np.random.default_rng(rng))
    choice = _Choice(table, effects, _problem(table, float(budget), exclusive, dict(limits or {})))
    return choice.allocation(float(budget), level)


@dataclass(frozen=True, slots=True, eq=False)
class _Effects:
    """What is known of the value per treatment of each row: shape (m,), and draws of it, shape (draws, m).

    Rows that may not be funded are not ``known`` and have 0. ``unmeasured`` holds draws for them where others were
    measured, by row.
    """

    known: NDArray[np.bool_]
    mean: Array
    raw: Array
    drawn: Array
    some: Array  # the first draws, for which allocations are found
    unmeasured: dict[int, Array]

    @classmethod
    def of(cls, rows: pd.DataFrame, level: float, draws: int, rng: np.random.Generator) -> _Effects:
        known = (rows["design"].isin((*RANKED, FORECAST)) & rows["value"].notna()).to_numpy(dtype=bool)
        value, error = (np.where(known, rows[name], 0.0).astype(float) for name in ("value", "std_error"))
        mean, drawn = value.copy(), value + error * rng.standard_normal((max(VALUE_DRAWS, draws), len(rows)))
        cost = rows["cost"].to_numpy(dtype=float)
        measured = np.flatnonzero(known & (rows["design"] != FORECAST) & (cost > 0) & (error > 0))
        unit = cost[measured]
        kinds = rows["kind"].iloc[measured].tolist()
        scaled = value[measured] / unit, error[measured] / unit
        mean[measured] = shrink_by_kind(*scaled, kinds, level)["shrunk"].to_numpy() * unit
        effects, pools = draw_by_kind(*scaled, kinds, len(drawn), rng)
        drawn[:, measured] = effects * unit
        open_rows = [int(row) for row in np.flatnonzero(~known & (cost > 0)) if pools]
        like = {row: pools.get(rows["kind"].iloc[row], pools[ALL_KINDS]) * cost[row] for row in open_rows}
        return cls(known, mean, value, drawn, drawn[:draws], like)


def _require_names(table: pd.DataFrame, exclusive: Sequence[Sequence[str]], limits: Any) -> None:
    """An error for a limit on an effort that is none of the rows."""
    require_type("limits", limits or {}, Mapping)
    for group in (exclusive, *exclusive):
        if isinstance(group, str):
            raise TypeError(f"exclusive must be groups of efforts, such as [('mail', 'letter')]; got {exclusive!r}")
    for limit, stated in (limits or {}).items():
        if not (isinstance(stated, tuple | list) and len(stated) == 2 and isinstance(stated[0], Mapping)):
            raise ValueError(f"limits[{limit!r}] must be (weights by effort, bound), such as ({{'mail': 500}}, 800)")
        for number in (*stated[0].values(), stated[1]):
            require_number(f"limits[{limit!r}]", number)
    named = {name: f"exclusive names {name!r}" for group in exclusive for name in group}
    for limit, (weights, _) in (limits or {}).items():
        named |= {name: f"limits[{limit!r}] names {name!r}" for name in weights}
    for name, where in named.items():
        if name not in set(table["effort"]):
            raise ValueError(f"{where}, which is no effort; there are {', '.join(dict.fromkeys(table['effort']))}")


def _problem(rows: pd.DataFrame, budget: float, exclusive: Any, limits: Any) -> Knapsack:
    coefficients, bounds = limit_rows(rows["effort"].tolist(), exclusive, limits)
    return Knapsack(
        cost=(rows["reach"] * rows["cost"]).to_numpy(dtype=float),
        fixed_cost=rows["fixed_cost"].to_numpy(dtype=float),
        effort=pd.factorize(rows["effort"])[0],
        whole=rows["whole"].to_numpy(dtype=bool),
        budget=budget,
        coefficients=coefficients,
        bounds=bounds,
    )


@dataclass(frozen=True, eq=False)
class _Choice:
    """The allocation of a budget to rows, each array of shape (m,)."""

    rows: pd.DataFrame
    effects: _Effects
    problem: Knapsack

    @cached_property
    def reach(self) -> Array:
        """Treatments a year."""
        return self.rows["reach"].to_numpy(dtype=float)

    @cached_property
    def shares(self) -> Array:
        """The shares that gain most by the expected effects."""
        return self.best(self.effects.mean, self.effects.known)

    def best(self, effect: Array, allowed: NDArray[np.bool_]) -> Array:
        """The shares that gain most where the effects are these."""
        return self.problem.solve(self.reach * effect, allowed)

    def gain(self, shares: Array, effect: Array) -> Any:
        """The value of a year of these shares, net of all costs, for effects of shape (m,) or (draws, m)."""
        return effect @ (self.reach * shares) - self.problem.fixed_cost[shares > 0].sum()

    def spent(self, shares: Array) -> Array:
        """The cost of a year of each row at these shares."""
        return self.problem.cost * shares + self.problem.fixed_cost * (shares > 0)

    def allocation(self, budget: float, level: float) -> Allocation:
        """The allocation with all that is known of it."""
        shares, effects = self.shares, self.effects
        lower, upper = np.quantile(self.gain(shares, effects.drawn), [(1 - level) / 2, (1 + level) / 2])
        chance, lost = self.best_by_draw()
        return Allocation(
            table=self.table(level, chance),
            budget=budget,
            cost=float(self.spent(shares).sum()),
            value=(float(self.gain(shares, effects.mean)), float(lower), float(upper)),
            cost_of_deciding_now=lost,
            value_if_believed=float(self.gain(shares, effects.raw)),
            chance_of_gain=self.chance_of_gain(),
            level=level,
        )

    def table(self, level: float, chance: Array) -> pd.DataFrame:
        """What each row costs and earns at the share that is funded, otherwise at full reach."""
        known, funded = self.effects.known, self.shares > 0
        shown = np.where(funded, self.shares, 1.0)
        treated, fixed = self.reach * shown, self.problem.fixed_cost
        found = self.rows[["effort", "offer", "kind", "design", "cost_now"]].copy()
        found.insert(2, "decision", np.where(funded, FUND, np.where(known, LEAVE, TEST)))
        found["share"], found["customers"], found["cost"] = (
            self.shares,
            self.reach * self.shares,
            self.spent(self.shares),
        )
        numbers = {"expected_value": treated * self.effects.mean - fixed}
        for name, share in (("lower", (1 - level) / 2), ("upper", (1 + level) / 2)):
            numbers[f"expected_value_{name}"] = treated * np.quantile(self.effects.drawn, share, axis=0) - fixed
        cost = self.spent(shown)
        numbers["return"] = np.divide(numbers["expected_value"], cost, out=np.full(len(cost), np.nan), where=cost > 0)
        numbers["chance"] = chance
        for name, values in numbers.items():
            found[name] = pd.Series(np.where(known, values, np.nan)).astype("Float64")
        found["value_of_test"] = pd.Series(self.values_of_tests()).astype("Float64")
        return found.set_index(["effort", "offer"])

    def best_by_draw(self) -> tuple[Array, float]:
        """How often each row belongs in the best allocation, and what not knowing the effects costs on average."""
        belongs, lost = np.zeros(len(self.rows)), 0.0
        for effect in self.effects.some:
            best = self.best(effect, self.effects.known)
            belongs += best > 0
            lost += self.gain(best, effect) - self.gain(self.shares, effect)
        draws = len(self.effects.some)
        return belongs / draws, max(lost / draws, 0.0)

    def values_of_tests(self) -> Array:
        """What a test of each row adds to the expected value of the allocation; NaN where nothing is known of it.

        A further test is as precise as what is known, and moves the mean accordingly. Of a row that was never measured,
        the test is perfect, and the effect one like those of the others.
        """
        spread = self.effects.drawn.std(axis=0) / np.sqrt(2)
        known = [int(row) for row in np.flatnonzero(self.effects.known & (self.rows["std_error"] > 0))]
        results = {row: self.effects.mean[row] + spread[row] * RESULTS for row in known}
        results |= {row: _means_of_parts(drawn) for row, drawn in self.effects.unmeasured.items()}
        now = self.gain(self.shares, self.effects.mean)
        found = np.where(self.effects.known, 0.0, np.nan)
        for row, means in results.items():
            gain = self._mean_value(row, means) - now
            found[row] = gain if gain > NOTHING * abs(now) else 0.0
        return found

    def _mean_value(self, row: int, means: Array) -> float:
        """The expected value once the mean effect of one row is known, over what it may be.

        The value of the best allocation is convex in the mean of a row, and each allocation is a line below it. If the
        lines at both ends are all of it, as for a row that is taken whole or not at all, no other result is solved.
        """
        share = self.shares[row]
        ends = [means.min()] if share == 1 else [means.max()] if share == 0 else [means.min(), means.max()]
        found = [self.shares, *(self._shares_with(row, end) for end in ends)]
        if not self.rows["whole"].iloc[row] and len({shares[row] for shares in found}) > 1:
            found += [self._shares_with(row, mean) for mean in means]
        return float(np.max([self._line(row, shares, means) for shares in found], axis=0).mean())

    def _shares_with(self, row: int, mean: float) -> Array:
        """The best shares once the mean effect of one row is known to be this."""
        effect, allowed = self.effects.mean.copy(), self.effects.known.copy()
        effect[row], allowed[row] = mean, True
        return self.best(effect, allowed)

    def _line(self, row: int, shares: Array, means: Array) -> Array:
        """The expected value of these shares, for each mean effect of one row."""
        others = self.effects.mean.copy()
        others[row] = 0.0
        return np.asarray(self.gain(shares, others) + self.reach[row] * shares[row] * means)

    def chance_of_gain(self) -> float | None:
        """The probability that the allocation earns more than today's, which treats as many as its cost pays for."""
        now = np.where(self.effects.known, self.rows["cost_now"], 0.0)
        if not now.any():
            return None
        variable = self.problem.cost
        treated = np.divide(now - self.problem.fixed_cost, variable, out=1.0 * (now > 0), where=variable > 0)
        today = np.clip(treated, 0, 1)
        more = self.gain(self.shares, self.effects.drawn) - self.gain(today, self.effects.drawn)
        return float((more > 0).mean() + 0.5 * (more == 0).mean())


def _means_of_parts(drawn: Array) -> Array:
    """The means of equally probable parts of a distribution, from draws of it."""
    kept = len(drawn) - len(drawn) % NODES
    return np.asarray(np.sort(drawn)[:kept].reshape(NODES, -1).mean(axis=1))
