"""What joining changed: customers who joined at an occasion, against others alike who could have and did not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_number, require_whole
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, counted, with_interval
from retention_models.interventions.designs.adjustment import (
    Target,
)
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
from retention_models.interventions.designs.trial_comparison import Comparison, Estimand
from retention_models.interventions.designs.trial_histories import WEEK, WINDOWS
from retention_models.interventions.designs.trial_outcomes import Measure
from retention_models.interventions.designs.trial_rows import LATER
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.value.terms import Terms

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
    level: float
    _comparison: Comparison

    def _parts(self) -> Sequence[Part]:
        found = self.overall()
        lines = [
            f"{self.outcome}: {with_interval(*row[['estimate', 'lower', 'upper']])} against {IN_WORDS[str(name)]}."
            for name, row in found.iterrows()
        ]
        headline = f"{self.joins:,} joins ({self.kind}), {int((~self._comparison.rows.joined).sum()):,} others alike."
        aside = [f"Left out: {counted(self.left_out)}."] if self.left_out else []
        return [headline, *lines, *aside, *(str(check) for check in self.checks if check.passed is False)]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the covariates."""
        return self._comparison.features

    @property
    def target(self) -> Target:
        """Whose effect it is: of those who joined (``treated``), or of those among them who are like others."""
        return self._comparison.target

    @property
    def joins(self) -> int:
        """Number of joins that are compared."""
        return int(self._comparison.rows.joined.sum())

    @property
    def left_out(self) -> dict[str, int]:
        """Number of joins that are not compared, by reason."""
        first = int((self._comparison.occasions.number[self._comparison.occasions.joiners] == 1).sum())
        apart = {
            "joined at their first order, without a history": first,
            "joined when no other had an occasion": self._comparison.rows.unmatched,
        }
        return dict(self._comparison.occasions.left_out) | {reason: count for reason, count in apart.items() if count}

    @property
    def estimands(self) -> tuple[Estimand, ...]:
        """The comparisons that can be made: against never joining, each occasion must be one at which to join."""
        return (
            get_args(Estimand)
            if self._comparison.occasions.anchored and self._comparison.learner is None
            else ("as_joined",)
        )

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
        mean = float(self._comparison.outcomes("as_joined")[self._comparison.rows.joined, 0].mean())
        for estimand in self.estimands:
            law = self._comparison.found(estimand).law(self._comparison.unit(0))
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
        numbered = len(np.unique(self._comparison.occasions.number)) > 1
        for number, name in (NUMBERS if numbered else {LATER: "all"}).items():
            sampled = self._comparison.sample((number,))
            if sampled.joined.sum() < 2 or (~sampled.joined).sum() < 2:
                continue
            own = () if number == 1 else self.features
            found = self._comparison.adjusted(
                self._comparison.compared(sampled, self._comparison.design(sampled, own), "as_joined")
            )
            law = found.law(self._comparison.unit(0))
            mean = float(
                self._comparison.measures[self.outcome]
                .as_joined(*self._comparison.who(sampled.place[sampled.joined]))
                .mean()
            )
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
        if not self._comparison.log.in_weeks:
            raise ValueError("contracts have no orders by week")
        rows, before = {}, None
        for weeks in WINDOWS:
            found = self._comparison.adjusted(
                self._comparison.compared(
                    self._comparison.rows, self._comparison.design(self._comparison.rows, None, weeks), "as_joined"
                )
            )
            law = found.law(self._comparison.unit(0))
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
        table = self._comparison.table(self._comparison.rows)
        found = self._comparison.found("as_joined")
        return standardised_gaps(table, self._comparison.rows.joined, self._comparison.rows.weight, found.weights)

    def curves(self) -> pd.DataFrame:
        """The outcome so far of those who joined and of the comparison group, by time since joining.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``since`` (weeks, or months with contracts): ``joined``; by estimand the mean of the comparison
            group, ``as_joined`` and ``never_joined``; and ``difference, lower, upper`` of the first.
        """
        step = WEEK if self._comparison.log.in_weeks else 1
        last = self._comparison.last
        ends = np.unique(np.append(np.arange(step, last, step), last))
        parts = [self._comparison.so_far(int(end)) for end in ends]
        columns: dict[str, Any] = {}
        for estimand in self.estimands:
            found = self._comparison.adjusted(
                self._comparison.compared(self._comparison.rows, self._comparison.main_design, estimand, parts)
            )
            y = np.column_stack([each.as_joined(*self._comparison.who(self._comparison.rows.place)) for each in parts])
            mean = y[self._comparison.rows.joined].mean(axis=0)
            columns |= {"joined": mean, estimand: mean - found.estimates}
            if estimand == "as_joined":
                laws = [found.law(self._comparison.unit(place, len(parts))) for place in range(len(parts))]
                ends_of = np.array([law.interval(self.level) for law in laws])
                bands = {"difference": found.estimates, "lower": ends_of[:, 0], "upper": ends_of[:, 1]}
        table = pd.DataFrame(
            columns | bands, index=pd.Index(ends // step if last % step == 0 else ends / step, name="since")
        )
        table.attrs = {"outcome": self.outcome, "unit": "weeks" if self._comparison.log.in_weeks else "months"}
        return table

    def before(self, weeks: int = 13) -> pd.DataFrame:
        """Orders in the weeks before joining, of those who joined and of the others: a description, no test.

        Both groups are made alike in what they did before, so that no difference is to be expected.

        Parameters
        ----------
        weeks
            Number of weeks. By default 13.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``since`` (-1 for the week before joining): ``joined`` and ``others``, mean orders in the week.

        Raises
        ------
        ValueError
            With contracts, which have no orders.
        """
        require_whole("weeks", weeks, 1)
        if not self._comparison.log.in_weeks:
            raise ValueError("contracts have no orders by week")
        since = np.arange(-weeks, 0)
        parts = [
            Measure(self._comparison.log.events, WEEK * week - 1, WEEK * (week + 1) - 1) for week in since.tolist()
        ]
        y = np.column_stack([each.as_joined(*self._comparison.who(self._comparison.rows.place)) for each in parts])
        weights, joined = self._comparison.found("as_joined").weights, self._comparison.rows.joined
        means = {name: weights[group] @ y[group] for name, group in (("joined", joined), ("others", ~joined))}
        return pd.DataFrame(means, index=pd.Index(since, name="since"))

    def naive(self) -> pd.DataFrame:
        """Members against others over the last horizon of the log: the number that a dashboard shows.

        It is no evidence: good customers join, and who joined has lived long enough to join.

        Returns
        -------
        pandas.DataFrame
            One row: ``members, others, mean_members, mean_others, difference, std_error``.
        """
        log, end = self._comparison.log, self._comparison.log.last - self._comparison.last
        who = np.arange(len(log.customers))
        begun = log.events.first(who)
        known = log.events.time[np.minimum(begun, len(log.events.time) - 1)] <= end
        y = self._comparison.measures[self.outcome].as_joined(who, np.full(len(who), end))
        member = self._comparison.occasions.joined <= log.last
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
        found, law = (
            self._comparison.found("as_joined"),
            self._comparison.found("as_joined").law(self._comparison.unit(0)),
        )
        history = self.by_history() if self._comparison.log.in_weeks else None
        begun = self._comparison.log.known.events.time.min()
        joined = self._comparison.occasions.series.time[self._comparison.rows.place[self._comparison.rows.joined]]
        seen = float(np.median(joined - begun)) / WEEK
        return (
            check_anchor(self._comparison.occasions),
            check_joins(self.joins, self.left_out, self._comparison.occasions.early),
            check_balance(self.balance()),
            check_comparison_group(found, self.target),
            check_overlap(found),
            check_history(history, seen),
            self._check_unaffected(law),
            check_detectable(
                law,
                float(self._comparison.outcomes("as_joined")[self._comparison.rows.joined, 0].mean()) - law.estimate,
            ),
            check_hidden(law, self.outcome, self._share_without(law), found, *self._comparison.strongest()),
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
        found, money = self._comparison.found(estimand), self.terms if terms is None else terms
        law = found.law(self._comparison.unit(0))
        priced: dict[str, Any] = {}
        if terms is not None:
            self._require_price(terms)
        if money is not None and self._has_price(money):
            weights = self._comparison.unit(0) * self._gain(money)
            rewards = (
                self._comparison.unit(1) if self._comparison.log.rewards is not None else self._comparison.unit(0) * 0
            )
            value = found.law(weights - rewards)
            cost = float(found.estimates @ rewards) + running_cost
            value = StudentT(value.estimate - running_cost, value.std_error, value.df)
            priced = {"value": value.estimate, "value_law": value, "cost": cost}
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
            n=len(found.influence),
            assigned_by="choice",
            design="quasi-experimental" if self._comparison.occasions.anchored else "observational",
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
            return float(money.margin or 1.0)
        return -money.unit_value if self.lower_is_better else money.unit_value

    def _has_price(self, money: Terms) -> bool:
        return (money.margin if self.outcome == "amount" else money.price) is not None

    def _require_price(self, money: Terms) -> None:
        """An error unless terms have what makes money of the outcome."""
        if not self._has_price(money):
            needed = "a margin, for an amount" if self.outcome == "amount" else "a price, for a count or a share"
            raise ValueError(f"terms must have {needed}; the outcome is {self.outcome}")

    @property
    def lower_is_better(self) -> bool:
        """Whether less of the outcome is better, as with churn."""
        return self.outcome == "churned"

    @property
    def _unit_name(self) -> str:
        if self.outcome == "amount":
            currency = self.terms.currency if self.terms is not None else ""
            return f"{currency or 'money'} per customer"
        return UNITS.get(self.outcome, "months per customer")

    def _share_without(self, law: StudentT) -> float | None:
        """The share of those who joined that would have had the outcome anyway; None for amounts and counts."""
        if self._comparison.measures[self.outcome].what not in ("any", "none"):
            return None
        return float(self._comparison.outcomes("as_joined")[self._comparison.rows.joined, 0].mean()) - law.estimate

    def _check_unaffected(self, law: StudentT) -> Check:
        series = self._comparison.log.unaffected
        if series is None:
            return check_unaffected(None, 0.0, 0.0, 0)
        measure = Measure(series, 0, self._comparison.last)
        compared = self._comparison.compared(
            self._comparison.rows, self._comparison.main_design, "as_joined", [measure]
        )
        own = self._comparison.adjusted(compared).law([1.0])
        mean = float(self._comparison.outcomes("as_joined")[self._comparison.rows.joined, 0].mean())
        relative = abs(law.estimate / (mean - law.estimate)) if mean != law.estimate else math.inf
        joined = float(compared.outcomes[self._comparison.rows.joined, 0].mean())
        return check_unaffected(own, joined - own.estimate, relative, len(compared.treated))
