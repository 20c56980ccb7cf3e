"""The outcome of a test, and the effect row of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from retention_models.core.arguments import require_text, require_texts, require_type
from retention_models.core.check import Check
from retention_models.core.formatting import Presentation, format_together
from retention_models.interventions.arms.cells import overall_mean, overall_scatter, slopes
from retention_models.interventions.arms.contrasts import Measure, Reading, contrast, read_measure
from retention_models.interventions.arms.costs import Costs, Pricing, position, pricing
from retention_models.interventions.arms.customer_rows import uncapped_column
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.experiment_checks import enough_events, is_constant, is_share
from retention_models.interventions.arms.plan import effect_fields
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.effect import CEILING, Effect, Scale
from retention_models.interventions.effects.laws import Newcombe
from retention_models.interventions.effects.stated_interval import check_horizon
from retention_models.value.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome(Presentation):
    """An outcome of a test and how the arms are compared.

    Attributes
    ----------
    column
        The measured column.
    unit
        The unit in words: ``share of customers`` for a binary outcome. By default "<column> per customer".
    horizon, time_unit
        Time from the assignment to the end of the measurement, and its unit: ``14`` and ``"D"``. The units are those of
        ``Terms``: ``"D"``, ``"W"``, ``"M"``, ``"Q"``, ``"Y"``, ``"h"`` or a fixed length such as ``"30D"``. By default
        None: not stated.
    label
        Name of the outcome in the evidence table. By default the name of the column.
    per
        A second column: the outcome is the ratio of the two sums, such as spend per order, by the delta method. By
        default None: a mean per customer.
    adjust_for
        Covariates known before the assignment, to reduce the variance (CUPED or Lin's regression). None by default.

    Raises
    ------
    ValueError
        When a name is not text, or ``per`` is the column itself; when only one of horizon and time unit is stated, or
        one is not valid.
    """

    column: str
    unit: str = ""
    horizon: float | None = None
    time_unit: str | None = None
    label: str = ""
    per: str | None = None
    adjust_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_text("column", self.column)
        for name in ("unit", "label"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a text; got {getattr(self, name)!r}")
        if self.per is not None:
            require_text("per", self.per)
        if self.per == self.column:
            raise ValueError(
                f"per must be another column than {self.column!r}: a column divided by itself is 1 for all customers"
            )
        require_texts("adjust_for", self.adjust_for, "('spend_before',)")
        object.__setattr__(self, "adjust_for", tuple(self.adjust_for))
        check_horizon(self.horizon, self.time_unit)

    @property
    def name(self) -> str:
        """Name of the outcome in tables."""
        return self.label or (f"{self.column} per {self.per}" if self.per else self.column)

    @property
    def in_words(self) -> str:
        """The unit, by default the column per customer."""
        return self.unit or (f"{self.column} per {self.per}" if self.per else f"{self.column} per customer")


def outcome_measure(test: Experiment, outcome: Outcome) -> Measure:
    """The outcome as a measure of the arms' means, with CUPED slopes from the customers of all arms."""
    require_type("test", test, Experiment)
    require_type("outcome", outcome, Outcome)
    per = None if outcome.per is None else position(test.columns, outcome.per)
    if per is not None and any(test.arm_means(arm).mean[per] == 0 for arm in test.arms):
        raise ValueError(f"{outcome.per} is 0 for all customers of an arm: {outcome.name} is not defined there")
    plain = Measure(position(test.columns, outcome.column), per)
    x = covariate_positions(test, outcome)
    if not x:
        return plain
    centre = overall_mean(test.cells)
    _, gradient = plain(centre)
    found = slopes(overall_scatter(test.cells), gradient, x)
    return Measure(plain.y, plain.per, x, found, centre[list(x)])


def outcome_pricing(
    test: Experiment, outcome: Outcome, terms: Terms | None, costs: Mapping[str, Costs] | None
) -> Pricing | None:
    """The pricing of an outcome of a test; None without terms and costs. An outcome that is yes or no is no amount."""
    require_type("test", test, Experiment)
    require_type("outcome", outcome, Outcome)
    yes_or_no = outcome.per is None and is_share(test.cells, position(test.columns, outcome.column))
    return pricing(terms, costs, outcome.in_words, may_be_amount=not yes_or_no)


def covariate_positions(test: Experiment, outcome: Outcome) -> tuple[int, ...]:
    """Positions of the covariates to adjust for; a ValueError for columns not known before the assignment."""
    late = [name for name in outcome.adjust_for if name not in test.covariates]
    if late:
        known = ", ".join(test.covariates) or "none"
        raise ValueError(
            f"{', '.join(late)} {'is' if len(late) == 1 else 'are'} not among the covariates of this experiment "
            f"({known}): adjusting for what was measured after the assignment removes a part of the effect; name in "
            "covariates= what was known before"
        )
    return tuple(position(test.columns, name) for name in outcome.adjust_for)


def baseline_arm(test: Experiment, arm: str | None) -> str:
    """The baseline of a comparison: the control unless another arm is given."""
    if arm is not None and arm not in test.arms:
        raise ValueError(f"the baseline {arm!r} is not one of the arms {', '.join(test.arms)}")
    return arm or test.plan.control


def comparison_name(arm: str, baseline: str, test: Experiment) -> str:
    """Name of a comparison: the arm, and the baseline unless it is the control."""
    return arm if baseline == test.plan.control else f"{arm} against {baseline}"


def add_check(row: Effect, check: Check | None) -> Effect:
    """The effect with one more check, if there is one."""
    return row if check is None else replace(row, checks=(*row.checks, check))


def arm_readings(test: Experiment, measure: Measure) -> dict[str, Reading]:
    """A measure of every arm."""
    return {arm: read_measure(test.arm_means(arm), measure) for arm in test.arms}


def effect_row(
    test: Experiment,
    outcome: Outcome,
    name: str,
    weights: Mapping[str, float],
    law: Law,
    *,
    level: float,
    scale: Scale = "difference",
    adjustment: str = "CUPED",
    compared: str = "as assigned",
) -> Effect:
    """The effect of one comparison, with the law of its estimate; for a ratio, of its logarithm.

    Without a standard error the law is Newcombe's of two shares, in which a cluster counts as one customer.
    ``compared`` says in words by what the customers were divided into the groups.

    Raises
    ------
    ValueError
        When the outcome is the same for everyone in these arms and is not a share of customers.
    """
    if law.std_error == 0:
        law = law_without_variance(test, outcome, weights, scale)
    middle = math.exp(law.estimate) if scale == "ratio" else law.estimate
    return Effect(
        intervention=f"{test.plan.name}: {name}" if test.plan.name else name,
        outcome=outcome.name,
        unit=outcome.in_words,
        estimand=", ".join(
            [_comparison(outcome, weights, scale), compared, *_qualifications(test, outcome, adjustment)]
        ),
        scale=scale,
        estimate=middle,
        law=law,
        level=level,
        horizon=outcome.horizon,
        time_unit=outcome.time_unit,
        n=test.n(*(arm for arm, weight in weights.items() if weight)),
        **effect_fields(test.plan),
        checks=(*test.checks, *_outcome_checks(test, outcome, weights, level)),
    )


def law_without_variance(
    test: Experiment, outcome: Outcome, weights: Mapping[str, float], scale: Scale = "difference"
) -> Newcombe:
    """The law if the outcome is constant within each arm: Newcombe's of two shares; a ValueError for others."""
    compared = {weight: arm for arm, weight in weights.items() if weight}
    column = position(test.columns, outcome.column)
    of_shares = scale == "difference" and outcome.per is None and is_share(test.cells, column, unit=outcome.in_words)
    if not (of_shares and sorted(compared) == [-1, 1] and sum(map(bool, weights.values())) == 2):
        arms = " of " + " and ".join(arm for arm, weight in weights.items() if weight)
        where = "" if is_constant(test.cells, column) else arms
        remedy = (
            "" if outcome.in_words.startswith("share of ") else "; if it is yes or no, say unit='share of customers'"
        )
        raise ValueError(f"{outcome.name} is the same for every customer{where}: there is nothing to compare{remedy}")
    treated, control = ((float(test.arm_means(compared[w]).mean[column]), test.units(compared[w])) for w in (1, -1))
    return Newcombe(treated, control)


def _outcome_checks(
    test: Experiment, outcome: Outcome, weights: Mapping[str, float], level: float
) -> tuple[Check, ...]:
    """Checks of the outcome: enough events, influence of the ceiling, too many covariates."""
    events = enough_events(test.cells, position(test.columns, outcome.column), outcome.column, outcome.in_words)
    ceiling = _ceiling_check(test, outcome, weights, level) if outcome.column in test.ceilings else None
    return tuple(check for check in (events, ceiling, _adjustment_check(test, outcome)) if check is not None)


def _adjustment_check(test: Experiment, outcome: Outcome) -> Check | None:
    """A failed check if there are too few units for the number of covariates; otherwise None."""
    covariates, df = len(outcome.adjust_for), min(cell.df for cell in test.cells)
    if df >= 10 * covariates:
        return None
    return Check(
        "Number of covariates",
        False,
        size=float(covariates),
        limit=float(df) / 10,
        unit="covariates",
        detail=f"{covariates} covariates on {df:.1f} degrees of freedom: the interval is too narrow.",
        remedy="Adjust for fewer covariates.",
        decides=False,
    )


def _ceiling_check(test: Experiment, outcome: Outcome, weights: Mapping[str, float], level: float) -> Check:
    """Whether the uncut difference lies within the interval of the cut one."""
    full = replace(outcome, column=uncapped_column(outcome.column))
    cut, uncut = (contrast(arm_readings(test, outcome_measure(test, which)), weights) for which in (outcome, full))
    lower, upper = cut.interval(level)
    passed = lower <= uncut.estimate <= upper
    apart = format_together(uncut.estimate, uncut.std_error)
    detail = f"{test.ceilings[outcome.column]}. Without the ceiling, the difference is {' +- '.join(apart)}"
    verdict = "within the interval" if passed else "outside the interval: it depends on the largest spenders"
    return Check(CEILING, passed, decides=False, detail=f"{detail}, {verdict}.")


def _comparison(outcome: Outcome, weights: Mapping[str, float], scale: Scale) -> str:
    """The kind of comparison, in words."""
    of_two = sorted(weight for weight in weights.values() if weight) == [-1, 1]
    comparison = "ratio of" if scale == "ratio" else "difference in" if of_two else "contrast of"
    return f"{comparison} {'ratios of sums' if outcome.per else 'means'}"


def _qualifications(test: Experiment, outcome: Outcome, adjustment: str) -> list[str]:
    """Adjustment, blocks and ceiling of a comparison, in words."""
    return [
        words
        for words, holds in (
            (f"adjusted for {', '.join(outcome.adjust_for)} ({adjustment})", outcome.adjust_for),
            ("compared within blocks", len({cell.block for cell in test.cells}) > 1),
            ("with a ceiling", outcome.column in test.ceilings),
        )
        if holds
    ]
