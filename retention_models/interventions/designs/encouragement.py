"""The effect of receiving an offer, where only the assignment to the offer was random.

Not every customer opens a letter. Customers who open it differ from the others in more than the letter; the assigned
groups do not. Imbens & Angrist (1994): the effect on compliers, who receive because of the assignment, is the
difference in the outcome divided by the difference in receiving. The interval is that of Anderson & Rubin (1949). It
keeps its level however few compliers there are, and may be unbounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw

from retention_models.core.check import Check
from retention_models.core.formatting import three_digits
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.cells import ArmMeans
from retention_models.interventions.arms.contrasts import (
    Measure,
    MeasureOf,
    combination,
    contrast,
    measure_contrast,
    read_measure,
)
from retention_models.interventions.arms.costs import Costs, position, require_amount
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import (
    Outcome,
    effect_row,
    law_without_variance,
    outcome_measure,
    outcome_pricing,
)
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import contrast_effects
from retention_models.interventions.effects.derived_laws import Law, linear
from retention_models.interventions.effects.effect import ASSIGNMENT, Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.ratio_laws import AndersonRubin, RatioInterval
from retention_models.tables.engines import open_log
from retention_models.tables.files import naming
from retention_models.tables.rules import check_complete
from retention_models.value.terms import Terms


def complier_effect(
    test: Experiment,
    outcome: Outcome,
    terms: Terms | None = None,
    *,
    costs: Mapping[str, Costs] | None = None,
    received: str,
    arm: str | None = None,
    level: float = 0.95,
) -> Effect:
    """The effect of receiving on the customers who received because of the assignment (compliers).

    Parameters
    ----------
    test
        The experiment, by assignment.
    outcome
        The outcome.
    terms, costs
        As in ``differences``. The value is that of one complier. It includes the cost of all customers assigned for one
        complier.
    received
        The measured column that says whether (or how much) a customer received: 1 for an opened letter.
    arm
        The arm with the offer. By default None: the only arm beside the control.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    Effect
        In the unit of the outcome. An unbounded interval has infinite ends, and a check says which values it contains.

    Raises
    ------
    ValueError
        When the assignment did not change ``received``, a column was not measured, or a ratio of sums has terms.

    Notes
    -----
    The assignment is random, receiving is not: the effect is quasi-experimental. The estimate assumes that the
    assignment acts only through receiving, and prevents nobody from receiving. Imbens & Angrist (1994); the interval is
    that of Anderson & Rubin (1949).

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> arm, opened, bought = ["none"] * 4 + ["letter"] * 4, [0, 0, 0, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0, 0, 1]
    >>> rows = pd.DataFrame({"arm": arm * 100, "opened": opened * 100, "bought": bought * 100})
    >>> bought = rm.Outcome(column="bought", unit="share of customers", horizon=56, time_unit="D")
    >>> plan = rm.Plan(assigned_by="random", control="none")
    >>> test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["bought", "opened"])
    >>> print(rm.interventions.complier_effect(test, bought, received="opened"))
    letter, received changes bought by 0.333 (0.252 to 0.413) (share of customers; 95 % interval; 56 days;
    quasi-experimental, n = 800).
    """
    arm = test.treated_arm(arm)
    weights = contrasts.difference(arm, test.plan.control)
    arms = {name: test.arm_means(name) for name in weights}
    y, d = outcome_measure(test, outcome), Measure(position(test.columns, received))
    uptake = measure_contrast(arms, d, weights)
    if uptake.estimate == 0:
        raise ValueError(f"{received} is the same in {arm} and {test.plan.control}: the assignment changed nothing")
    ratio = _ratio_to_uptake(arms, dict.fromkeys(arms, y), d, weights)
    law: Law = ratio
    allowed = ratio.confidence_set(level)
    if ratio.std_error == 0:  # the outcome is constant within the arms
        law = linear(law_without_variance(test, outcome, weights), 1 / uptake.estimate)
        allowed = RatioInterval(*law.interval(level))
    row = effect_row(test, outcome, arm, weights, law, level=level)
    strength = (uptake.estimate / uptake.std_error) ** 2 if uptake.std_error > 0 else math.inf
    check = Check(
        "Strength of the encouragement",
        allowed.is_bounded,
        detail=f"The assignment changed {received} by {three_digits(uptake.estimate)} (F = {three_digits(strength)}). "
        f"The effects that fit the data: {allowed}.",
    )
    effect_on_compliers = replace(
        row,
        intervention=f"{row.intervention}, received",
        estimand="effect of receiving on those whom the assignment moved, by randomised encouragement",
        design="quasi-experimental" if test.plan.is_random else row.design,
        population=f"those whom it moved, {100 * abs(uptake.estimate):.3g} % of {test.plan.population}",
        reach=None,  # a roll-out reaches all who are assigned, not those whom it moves
        checks=(*row.checks, check),
    )
    money = outcome_pricing(test, outcome, terms, costs)
    if money is None:
        return effect_on_compliers
    require_amount(row.outcome, y)
    money.check_arms(test.arms)
    net = {name: money.net_value(name, test.columns, y) for name in arms}
    value = _ratio_to_uptake(arms, net, d, weights)
    cost = money.worth * law.estimate - value.estimate
    value_law = value if value.std_error > 0 else linear(effect_on_compliers.law, money.worth, -cost)
    return replace(effect_on_compliers, cost=cost, value=value.estimate, value_law=value_law)


def _ratio_to_uptake(
    arms: Mapping[str, ArmMeans], measures: Mapping[str, MeasureOf], uptake: Measure, weights: Mapping[str, float]
) -> AndersonRubin:
    """The law of the contrast of a measure divided by that of receiving."""

    def found(*factors: float) -> StudentT:
        parts = {name: combination((factors[0], measures[name]), (factors[1], uptake)) for name in arms}
        return contrast({name: read_measure(arms[name], parts[name]) for name in arms}, weights)

    numerator = found(1, 0)
    return AndersonRubin.of_estimates(numerator, found(0, 1), found(1, 1), numerator.df)


def as_treated_difference(rows: Any, outcome: Outcome, *, received: str, level: float = 0.95) -> Effect:
    """The as-treated difference between those who received and those who did not, for comparison with the effect.

    Who receives is not random: letters reach customers who are still active. The effect is therefore observational and
    has a failed check. ``rows`` and ``received`` are as in ``Experiment.from_rows`` and ``complier_effect``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> from retention_models.interventions.designs.encouragement import as_treated_difference
    >>> arm, opened, bought = ["none"] * 4 + ["letter"] * 4, [0, 0, 0, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0, 0, 1]
    >>> rows = pd.DataFrame({"arm": arm * 100, "opened": opened * 100, "bought": bought * 100})
    >>> bought = rm.Outcome(column="bought", unit="share of customers", horizon=56, time_unit="D")
    >>> print(as_treated_difference(rows, bought, received="opened"))
    opened, naive changes bought by 0.467 (0.403 to 0.531) (share of customers; 95 % interval; 56 days;
    observational, n = 800). FAILED: Random assignment.
    """
    outcomes = list(dict.fromkeys([outcome.column, *([outcome.per] if outcome.per else [])]))
    names = list(dict.fromkeys([received, *outcomes, *outcome.adjust_for]))
    with naming(rows):
        frame = open_log(rows, names, dict.fromkeys(names, "measure"), where="the test")
        check_complete(frame.lazy(), {}, {received: received})
    got = nw.when(nw.col(received) > 0).then(nw.lit("received")).otherwise(nw.lit("not received"))
    frame = frame.with_columns(got.alias("received or not"))
    test = Experiment.from_rows(
        frame.to_native(),
        Plan(control="not received", assigned_by="unknown"),
        arm="received or not",
        outcomes=outcomes,
        covariates=outcome.adjust_for,
    )
    weights = {f"{received}, naive": contrasts.difference("received", "not received")}
    row = contrast_effects(test, outcome, weights, level=level, compared="as received")[0]
    check = Check(
        ASSIGNMENT,
        False,
        detail=f"Customers were not assigned to {received!r} at random. The two groups also differ in other ways.",
        remedy="Use the effect as assigned, or that on compliers.",
    )
    return replace(row, checks=(check,))
