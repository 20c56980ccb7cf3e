"""What joining changed: customers who joined at an occasion, against others alike who could have and did not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice, require_number
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, counted, with_interval
from retention_models.interventions.designs.adjustment import (
    Adjusted,
    Compared,
    Target,
    adjust,
    cross_fitted,
    nuisance_of,
)
from retention_models.interventions.designs.propensity import Design
from retention_models.interventions.designs.trial_checks import (
    check_anchor,
    check_balance,
    check_comparison_group,
    check_detectable,
    check_hidden,
    check_history,
    check_joins,
    check_overlap,
    check_unaffected,
    standardised_gaps,
)
from retention_models.interventions.designs.trial_histories import WEEK, WINDOWS
from retention_models.interventions.designs.trial_log import TrialLog
from retention_models.interventions.designs.trial_outcomes import Censoring, Measure
from retention_models.interventions.designs.trial_rows import LATER, Occasions, TrialRows, sample_rows
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.value.terms import Terms

Estimand = Literal["as_joined", "never_joined"]
SHOP = {"orders": "number", "bought": "any", "retained": "any", "amount": "money"}
CONTRACTS = {"retained": "any", "churned": "none", "time": "number"}
UNITS = {
    "orders": "orders per customer",
    "bought": "share of customers",
    "retained": "share of customers",
    "churned": "share of customers",
}
IN_WORDS = {"as_joined": "as others went on, some of whom joined later", "never_joined": "never joining"}
NUMBERS = {1: "first order", 2: "second order", LATER: "later orders"}
COUNTS = ("orders", "contacts_", "calendar")
FEWER_OTHERS = 5  # a join, where covariates are left out in turn
SETTLED = (2, LATER)  # order numbers of joins with a history


@dataclass(frozen=True, eq=False, repr=False)
class Trials(Presentation):
    """What joining changed, by a sequence of trials; ``target_trials`` returns it.

    Attributes
    ----------
    kind, outcome
        The kind of contact that was joined, and the outcome.
    horizon, time_unit
        Length of the horizon behind each occasion, and its unit.
    joins
        Number of joins that are compared.
    left_out
        Number of joins that are not, by reason.
    features
        Names of the covariates.
    target
        ``"treated"``: the effect is that on those who joined. ``"overlap"``: on those among them who are like others.
    level
        Level of intervals.
    """

    kind: str
    outcome: str
    horizon: float
    time_unit: str
    terms: Terms | None
    features: tuple[str, ...]
    target: Target
    level: float
    _log: TrialLog
    _occasions: Occasions
    _rows: TrialRows
    _measures: dict[str, Measure]
    _per_joiner: int
    _seed: int
    _learner: Any
    _folds: int

    def _parts(self) -> Sequence[Part]:
        found = self.overall()
        lines = [
            f"{self.outcome}: {with_interval(*row[['estimate', 'lower', 'upper']])} against {IN_WORDS[str(name)]}."
            for name, row in found.iterrows()
        ]
        headline = f"{self.joins:,} joins ({self.kind}), {int((~self._rows.joined).sum()):,} others alike."
        aside = [f"Left out: {counted(self.left_out)}."] if self.left_out else []
        return [headline, *lines, *aside, *(str(check) for check in self.checks if check.passed is False)]

    @property
    def joins(self) -> int:
        """Number of joins that are compared."""
        return int(self._rows.joined.sum())

    @property
    def left_out(self) -> dict[str, int]:
        """Number of joins that are not compared, by reason."""
        first = int((self._occasions.number[self._occasions.joiners] == 1).sum())
        apart = {
            "joined at their first order, without a history": first,
            "joined when no other had an occasion": self._rows.unmatched,
        }
        return dict(self._occasions.left_out) | {reason: count for reason, count in apart.items() if count}

    @property
    def estimands(self) -> tuple[Estimand, ...]:
        """The comparisons that can be made: against never joining, each occasion must be one at which to join."""
        return get_args(Estimand) if self._occasions.anchored and self._learner is None else ("as_joined",)

    def overall(self) -> pd.DataFrame:
        """The effect on those who joined.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``estimand``: ``joins, mean`` (of those who joined), ``estimate, std_error, lower, upper,
            p_value``. ``as_joined`` compares with others as they went on, some of whom joined later; ``never_joined``
            with never joining.
        """
        rows = {}
        mean = float(self._outcomes("as_joined")[self._rows.joined, 0].mean())
        for estimand in self.estimands:
            law = self._found(estimand).law(self._unit(0))
            ends = law.interval(self.level)
            rows[estimand] = (self.joins, mean, law.estimate, law.std_error, *ends, law.p_value(0.0))
        columns = ["joins", "mean", "estimate", "std_error", "lower", "upper", "p_value"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("estimand")

    def by_order_number(self) -> pd.DataFrame:
        """The effect by the order at which customers joined.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``joined_at``: ``joins, mean, estimate, std_error, lower, upper, settled``. Those who joined at
            their first order have no history to be alike in: their row is not settled, and no part of the effect. Where
            time zero is not an order, there is one row.
        """
        rows = {}
        numbered = len(np.unique(self._occasions.number)) > 1
        for number, name in (NUMBERS if numbered else {LATER: "all"}).items():
            sampled = self._sample((number,))
            if sampled.joined.sum() < 2 or (~sampled.joined).sum() < 2:
                continue
            own = () if number == 1 else self.features
            found = self._adjusted(self._compared(sampled, self._design(sampled, own), "as_joined"))
            law = found.law(self._unit(0))
            mean = float(self._measures[self.outcome].as_joined(*self._who(sampled.place[sampled.joined])).mean())
            rows[name] = (
                int(sampled.joined.sum()),
                mean,
                law.estimate,
                law.std_error,
                *law.interval(self.level),
                number != 1,
            )
        columns = ["joins", "mean", "estimate", "std_error", "lower", "upper", "settled"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("joined_at")

    def by_history(self) -> pd.DataFrame:
        """The effect with what was known from the last 13, 26 and 52 weeks only.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``weeks``: ``estimate, std_error, lower, upper``, and ``step, step_error`` (change since the
            shorter history, and its standard error). An effect that still falls is not settled.
        """
        rows, before = {}, None
        for weeks in WINDOWS:
            found = self._adjusted(self._compared(self._rows, self._design(self._rows, None, weeks), "as_joined"))
            law = found.law(self._unit(0))
            step = (math.nan, math.nan)
            if before is not None:
                apart = found.influence[:, 0] - before.influence[:, 0]
                step = (float(found.estimates[0] - before.estimates[0]), float(np.sqrt((apart**2).sum())))
            rows[weeks] = (law.estimate, law.std_error, *law.interval(self.level), *step)
            before = found
        columns = ["estimate", "std_error", "lower", "upper", "step", "step_error"]
        found_rows = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("weeks")
        return found_rows.astype({"step": "Float64", "step_error": "Float64"})

    def balance(self) -> pd.DataFrame:
        """How much those who joined differ from the others, before and after weighting.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``covariate``: ``joined, others, before, after``. The first two are means; the others are
            standardised differences: of means, in standard deviations of those who joined.
        """
        table = self._table(self._rows)
        found = self._found("as_joined")
        return standardised_gaps(table, self._rows.joined, self._rows.weight, found.weights)

    def curves(self) -> pd.DataFrame:
        """The outcome so far of those who joined and of the comparison group, by time since joining.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``since`` (weeks, or months with contracts): ``joined``; by estimand the mean of the comparison
            group, ``as_joined`` and ``never_joined``; and ``difference, lower, upper`` of the first.
        """
        step = WEEK if self._log.in_weeks else 1
        ends = np.arange(step, self._last + 1, step)
        parts = [self._so_far(int(end)) for end in ends]
        columns: dict[str, Any] = {}
        for estimand in self.estimands:
            found = self._adjusted(self._compared(self._rows, self._main_design, estimand, parts))
            y = np.column_stack([each.as_joined(*self._who(self._rows.place)) for each in parts])
            mean = y[self._rows.joined].mean(axis=0)
            columns |= {"joined": mean, estimand: mean - found.estimates}
            if estimand == "as_joined":
                laws = [found.law(self._unit(place, len(parts))) for place in range(len(parts))]
                ends_of = np.array([law.interval(self.level) for law in laws])
                bands = {"difference": found.estimates, "lower": ends_of[:, 0], "upper": ends_of[:, 1]}
        table = pd.DataFrame(columns | bands, index=pd.Index(ends // step, name="since"))
        table.attrs = {"outcome": self.outcome, "unit": "weeks" if self._log.in_weeks else "months"}
        return table

    def naive(self) -> pd.DataFrame:
        """Members against others over the last horizon of the log: the number that a dashboard shows.

        It is no evidence: good customers join, and who joined has lived long enough to join.

        Returns
        -------
        pandas.DataFrame
            One row: ``members, others, mean_members, mean_others, difference, std_error``.
        """
        log, end = self._log, self._log.last - self._last
        who = np.arange(len(log.customers))
        begun = log.events.first(who)
        known = log.events.time[np.minimum(begun, len(log.events.time) - 1)] <= end
        y = self._measures[self.outcome].as_joined(who, np.full(len(who), end))
        member = self._occasions.joined <= log.last
        groups = [y[known & member], y[known & ~member]]
        if min(map(len, groups)) < 2:
            raise ValueError("there are no two members and two others before the last horizon of the log")
        error = math.sqrt(sum(group.var(ddof=1) / len(group) for group in groups))
        row = [len(groups[0]), len(groups[1]), groups[0].mean(), groups[1].mean()]
        columns = ["members", "others", "mean_members", "mean_others", "difference", "std_error"]
        return pd.DataFrame([[*row, row[2] - row[3], error]], index=pd.Index(["naive"], name="method"), columns=columns)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the comparison rests on: the occasion, the joins, balance, overlap, history, an untouched outcome."""
        return self._checks

    @cached_property
    def _checks(self) -> tuple[Check, ...]:
        found, law = self._found("as_joined"), self._found("as_joined").law(self._unit(0))
        history = self.by_history() if self._log.in_weeks else None
        begun = self._log.known.events.time.min()
        joined = self._occasions.series.time[self._rows.place[self._rows.joined]]
        seen = float(np.median(joined - begun)) / WEEK
        return (
            check_anchor(self._occasions, self._log.in_weeks),
            check_joins(self.joins, self.left_out),
            check_balance(self.balance()),
            check_comparison_group(found, self.target),
            check_overlap(found),
            check_history(history, seen),
            self._check_unaffected(law),
            check_detectable(law, float(self._outcomes("as_joined")[self._rows.joined, 0].mean()) - law.estimate),
            check_hidden(law, self.outcome, self._share_without(law), found, *self._strongest()),
        )

    def effect(
        self,
        terms: Terms | None = None,
        *,
        estimand: Estimand = "as_joined",
        intervention: str | None = None,
        running_cost: float = 0.0,
        reach: int | None = None,
        repeats: float = 1.0,
        owner: str = "",
        measured_on: Any = None,
    ) -> Effect:
        """The effect as a row of the evidence table, per customer who joined.

        Parameters
        ----------
        terms
            Margin for an amount, or price for a count, and currency. By default those of ``target_trials``; without
            both the effect has no value.
        estimand
            ``"as_joined"``, the default: against others as they went on. ``"never_joined"``: against never joining.
        intervention
            Name of the effort. By default the kind.
        running_cost
            Cost of the effort per member within the horizon, in money, without rewards from the contacts. By default 0.
        reach, repeats, owner, measured_on
            As in ``Effect``.

        Returns
        -------
        Effect
            Quasi-experimental, and observational where joins have no occasion. The value is net of rewards.

        Raises
        ------
        ValueError
            When terms have neither margin nor price, the estimand is not known here, or a number is not valid.
        """
        check_choice("estimand", estimand, self.estimands)
        require_number("running_cost", running_cost, 0)
        found, money = self._found(estimand), self.terms if terms is None else terms
        law = found.law(self._unit(0))
        priced: dict[str, Any] = {}
        if money is not None and (money.margin is not None or money.price is not None):
            weights = self._unit(0) * self._gain(money)
            rewards = self._unit(1) if self._log.rewards is not None else self._unit(0) * 0
            value = found.law(weights - rewards)
            cost = float(found.estimates @ rewards) + running_cost
            value = StudentT(value.estimate - running_cost, value.std_error, value.df)
            priced = {"value": value.estimate, "value_law": value, "cost": cost}
        elif terms is not None:
            raise ValueError("terms must have a margin, for an amount, or a price, for a count")
        return Effect(
            intervention=intervention or self.kind,
            outcome=self.outcome,
            unit=self._unit_name,
            estimand=f"effect on those who joined, against {IN_WORDS[estimand]}",
            scale="difference",
            estimate=law.estimate,
            law=law,
            level=self.level,
            horizon=self.horizon,
            time_unit=self.time_unit,
            population=f"customers who joined ({self.kind})",
            n=len(self._rows.joined),
            assigned_by="choice",
            design="quasi-experimental" if self._occasions.anchored else "observational",
            checks=tuple(check for check in self.checks if check.decides or check.passed is not None),
            reach=reach,
            repeats=repeats,
            owner=owner,
            measured_on=measured_on,
            **priced,
        )

    def _gain(self, money: Terms) -> float:
        """Money earned with one unit of the outcome."""
        if self.outcome == "amount":
            money.require("margin")
            return float(money.margin or 1.0)
        money.require("price")
        return money.unit_value

    @property
    def _unit_name(self) -> str:
        if self.outcome == "amount":
            currency = self.terms.currency if self.terms is not None else ""
            return f"{currency or 'money'} per customer"
        return UNITS.get(self.outcome, "months per customer")

    @property
    def _last(self) -> int:
        """The horizon in days, or in months."""
        return max(each.last for each in self._measures.values())

    def _unit(self, place: int, length: int | None = None) -> Array:
        """Which of the outcomes a law is of."""
        return np.eye(len(self._columns) if length is None else length)[place]

    @property
    def _columns(self) -> list[Measure]:
        """The outcome, and rewards if there are any."""
        return [each for name, each in self._measures.items() if name in (self.outcome, "rewards")]

    def _who(self, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self._occasions.series.customer[place], self._occasions.series.time[place]

    def _sample(self, numbers: Sequence[int]) -> TrialRows:
        return sample_rows(self._occasions, numbers, self._per_joiner, np.random.default_rng(self._seed))

    def _table(self, rows: TrialRows, names: Sequence[str] | None = None, weeks: int | None = None) -> pd.DataFrame:
        """What was known at each row; names that a shorter history does not have are left out."""
        known = self._log.known
        kept = list(self.features if names is None else names)
        if weeks is not None:
            kept = [name for name in kept if name in known.names(weeks)]
        table = known.table(*self._who(rows.place), kept, longest=weeks)
        number = self._occasions.number[rows.place]
        table["calendar"] = (self._who(rows.place)[1] - self._log.known.events.time.min()).astype(float)
        return table.assign(second_order=(number == 2).astype(float)) if len(np.unique(number)) > 1 else table

    def _design(self, rows: TrialRows, names: Sequence[str] | None = None, weeks: int | None = None) -> Design:
        known = self._table(rows, names, weeks)
        table = _shaped(known, _forms(known))
        return Design.of(table.to_numpy(dtype=float), list(table.columns), rows.weight)

    @cached_property
    def _main_design(self) -> Design:
        return self._design(self._rows)

    def _outcomes(self, estimand: Estimand, measures: Sequence[Measure] | None = None) -> Array:
        return self._compared(self._rows, self._main_design, estimand, measures).outcomes

    def _compared(
        self, rows: TrialRows, design: Design, estimand: Estimand, measures: Sequence[Measure] | None = None
    ) -> Compared:
        """The rows with their outcomes."""
        parts = self._columns if measures is None else measures
        customer, time = self._who(rows.place)
        y = np.column_stack([each.as_joined(customer, time) for each in parts])
        slopes = None
        if estimand == "never_joined":
            slopes = {}
            expected = _others_regression(rows, design, y)
            for column, each in enumerate(parts):
                counted_up = each.what in ("number", "money") and each.series is self._log.events
                own = expected[:, column] if counted_up else None
                y[~rows.joined, column], moved = self._censoring.never_joined(
                    each, rows.place[~rows.joined], own, with_slopes=measures is None
                )
                if moved.size:
                    slopes[column] = np.zeros((len(y), design.matrix.shape[1]))
                    slopes[column][~rows.joined] = moved
        _, cluster = np.unique(customer, return_inverse=True)
        return Compared(rows.joined, y, design, rows.weight, cluster.astype(np.int64), slopes)

    def _adjusted(self, compared: Compared) -> Adjusted:
        if self._learner is None:
            return adjust(compared, self.target, nuisance_of(compared, self.target))
        rng = np.random.default_rng(self._seed)
        return adjust(compared, self.target, cross_fitted(compared, self._folds, rng, learner=self._learner))

    @cached_property
    def _censoring(self) -> Censoring:
        """The chances to join, from the propensity of the trials, at all occasions at which customers could."""
        compared = self._compared(self._rows, self._main_design, "as_joined")
        propensity = nuisance_of(compared, "treated", regress=False).propensity
        assert propensity is not None
        occasions = self._occasions
        places = np.flatnonzero(occasions.open & np.isin(occasions.number, SETTLED))
        table = self._table(TrialRows(places, np.zeros(0, dtype=bool), np.zeros(0), 0))
        forms = _forms(self._table(self._rows))
        matrix = self._main_design.rows(_shaped(table, forms).to_numpy(dtype=float))
        return Censoring.of(occasions, places, matrix, propensity.coefficients)

    def _found(self, estimand: Estimand) -> Adjusted:
        if estimand not in self._estimates:
            self._estimates[estimand] = self._adjusted(self._compared(self._rows, self._main_design, estimand))
        return self._estimates[estimand]

    @cached_property
    def _estimates(self) -> dict[Estimand, Adjusted]:
        return {}

    def _so_far(self, end: int) -> Measure:
        """The outcome up to a time: counts and amounts so far, with contracts the share at that time."""
        whole = self._measures[self.outcome]
        if not self._log.in_weeks:
            return Measure(whole.series, end - 1, end, "none" if whole.what == "none" else "any")
        return Measure(whole.series, 0, end, "number" if self.outcome == "retained" else whole.what)

    def _share_without(self, law: StudentT) -> float | None:
        """The share of those who joined that would have had the outcome anyway; None for amounts and counts."""
        if self._measures[self.outcome].what not in ("any", "none"):
            return None
        return float(self._outcomes("as_joined")[self._rows.joined, 0].mean()) - law.estimate

    def _strongest(self) -> tuple[str, float]:
        """The covariates whose leaving out moves the estimate most, and by how much, on a smaller sample."""
        rows = sample_rows(self._occasions, SETTLED, FEWER_OTHERS, np.random.default_rng(self._seed))

        def estimate(names: Sequence[str]) -> float:
            compared = self._compared(rows, self._design(rows, names), "as_joined")
            return float(self._adjusted(compared).estimates[0])

        whole, moves = estimate(self.features), {}
        for group in dict.fromkeys(map(_group, self.features)):
            moves[group] = abs(estimate([name for name in self.features if _group(name) != group]) - whole)
        name = max(moves, key=lambda each: moves[each], default="")
        return name, moves.get(name, 0.0)

    def _check_unaffected(self, law: StudentT) -> Check:
        series = self._log.unaffected
        if series is None:
            return check_unaffected(None, 0.0, 0.0, 0)
        measure = Measure(series, 0, self._last)
        compared = self._compared(self._rows, self._main_design, "as_joined", [measure])
        own = self._adjusted(compared).law([1.0])
        mean = float(self._outcomes("as_joined")[self._rows.joined, 0].mean())
        relative = abs(law.estimate / (mean - law.estimate)) if mean != law.estimate else math.inf
        joined = float(compared.outcomes[self._rows.joined, 0].mean())
        return check_unaffected(own, joined - own.estimate, relative, len(compared.treated))


def _group(name: str) -> str:
    """What a covariate is about: orders and amounts of all windows belong together."""
    return next((group for group in ("orders", "amount") if name.startswith(group)), name)


def _forms(table: pd.DataFrame) -> dict[str, tuple[bool, ...]]:
    """For each covariate whether it enters by log(1 + x): numbers of 0 or more do, counts also as they are."""
    skewed = {str(name): bool((values >= 0).all() and values.max() > 1) for name, values in table.items()}
    return {
        name: (False,) if not by_log else (True, False) if name.startswith(COUNTS) else (True,)
        for name, by_log in skewed.items()
    }


def _shaped(table: pd.DataFrame, forms: Mapping[str, tuple[bool, ...]]) -> pd.DataFrame:
    """Covariates as regressions take them."""
    found = {
        f"log of {name}" if by_log else name: np.log1p(table[name]) if by_log else table[name]
        for name, own in forms.items()
        for by_log in own
    }
    return pd.DataFrame(found, index=table.index)


def _others_regression(rows: TrialRows, design: Design, y: Array) -> Array:
    """Coefficients of the outcomes of those who did not join, shape (coefficients, k)."""
    others = ~rows.joined
    weighted = design.matrix[others] * rows.weight[others, None]
    return np.asarray(np.linalg.lstsq(weighted.T @ design.matrix[others], weighted.T @ y[others], rcond=None)[0])
