"""Effects of the arms of an experiment by intention to treat: differences, ratios and contrasts.

Intervals are Welch's t intervals. Ratios of sums use the delta method, adjustment uses CUPED. Clusters use CR2 with
Satterthwaite's degrees of freedom, blocks use post-stratification. The arms' means already contain all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from scipy.special import chdtrc

from retention_models.core.arguments import check_choice, require_bool, require_type
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, chi_squared_statement, p_statement
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.cells import overall_mean, overall_scatter
from retention_models.interventions.arms.contrasts import (
    Measure,
    contrast,
    log_contrast,
    measure_contrast,
    read_measure,
)
from retention_models.interventions.arms.costs import Costs, Pricing, law_of_net_value, require_amount, with_value
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import (
    Outcome,
    arm_readings,
    baseline_arm,
    comparison_name,
    effect_row,
    outcome_measure,
    outcome_pricing,
)
from retention_models.interventions.designs.lin import lin_effects
from retention_models.interventions.effects.derived_laws import Law, linear
from retention_models.interventions.effects.effect import Effect, Scale, name_failed_checks
from retention_models.value.terms import Terms

Adjustment = Literal["CUPED", "Lin"]


def differences(
    test: Experiment,
    outcome: Outcome,
    terms: Terms | None = None,
    *,
    costs: Mapping[str, Costs] | None = None,
    baseline: str | None = None,
    pairwise: bool = False,
    scale: Scale = "difference",
    adjustment: Adjustment = "CUPED",
    level: float = 0.95,
) -> list[Effect]:
    """The effect of each arm compared with the baseline (by default the control), one effect an arm.

    Parameters
    ----------
    test
        The experiment.
    outcome
        The outcome.
    terms
        What one unit of the outcome earns: ``Terms(margin=0.3)`` for an amount, ``Terms(price=12)`` for a count or a
        share. By default None: effects without value.
    costs
        Arm to its ``Costs``; an arm that is not listed costs nothing. By default None: no costs.
    baseline
        The arm to compare with. By default None: the control.
    pairwise
        Whether to compare every pair of arms once, the later in ``test.arms`` minus the earlier. False by default.
    scale
        ``"difference"`` of means, the default, or ``"ratio"``: 1.10 is a lift of 10 %. The interval of a ratio is
        computed on the log scale. A ratio needs means above 0 and has no value. With adjustment, its interval also
        covers the error of the covariates' overall mean, which does not cancel in a ratio.
    adjustment
        Method of adjustment for ``outcome.adjust_for``. ``"CUPED"``, the default, uses one slope for all arms.
        ``"Lin"`` is a regression in each arm with HC2 standard errors, which needs the rows of single customers. The
        value then comes from the same regression of the net value of each customer.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    list of Effect
        In the order of ``test.arms``, in the unit of the outcome, with cost and value in money where there are terms.

    Raises
    ------
    ValueError
        When a column was not measured or never varies, or a ratio has terms. For ``"Lin"``, also when the experiment
        does not come from rows, clusters were assigned, or the outcome is a ratio; when there is no covariate, or an
        arm is too small.

    Notes
    -----
    Customers count in the arm to which they were assigned (intention to treat). CUPED is Deng, Xu, Kohavi & Walker
    (2013), the regression is Lin (2013).

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> visit = rm.Outcome(column="visit", unit="share of customers", horizon=2, time_unit="W")
    >>> print(rm.differences(test, visit)[0])
    men's e-mail changes visit by 0.0766 (0.0700 to 0.0832) (share of customers; 95 % interval; 2 weeks; randomised,
    n = 42,613).
    >>> [round(effect.estimate, 2) for effect in rm.differences(test, visit, scale="ratio")]
    [1.72, 1.43]
    >>> for effect in rm.differences(test, visit, pairwise=True):
    ...     print(effect.intervention, round(effect.estimate, 3))
    men's e-mail 0.077
    women's e-mail 0.045
    women's e-mail against men's e-mail -0.031
    """
    require_type("test", test, Experiment)
    require_type("outcome", outcome, Outcome)
    require_bool("pairwise", pairwise)
    money = outcome_pricing(test, outcome, terms, costs)
    check_choice("scale", scale, get_args(Scale)[:2])
    check_choice("adjustment", adjustment, get_args(Adjustment))
    weights = _pairwise_contrasts(test) if pairwise else _baseline_contrasts(test, baseline_arm(test, baseline))
    if scale == "ratio":
        if money is not None or adjustment == "Lin":
            raise ValueError("a ratio has no value and no adjustment by Lin's regression; leave them out, or scale")
        return _ratios(test, outcome, weights, level)
    if adjustment == "Lin":
        return lin_effects(test, outcome, weights, money, level=level)
    return contrast_effects(test, outcome, weights, money, level=level)


def _baseline_contrasts(test: Experiment, baseline: str) -> dict[str, dict[str, float]]:
    """The weights of each arm minus the baseline, by the name of the comparison."""
    others = [arm for arm in test.arms if arm != baseline]
    return {comparison_name(arm, baseline, test): contrasts.difference(arm, baseline) for arm in others}


def _pairwise_contrasts(test: Experiment) -> dict[str, dict[str, float]]:
    """The weights of every arm minus every earlier one, by the name of the comparison."""
    return {
        comparison_name(arm, other, test): contrasts.difference(arm, other)
        for i, other in enumerate(test.arms)
        for arm in test.arms[i + 1 :]
    }


def _ratios(
    test: Experiment, outcome: Outcome, weights: Mapping[str, Mapping[str, float]], level: float
) -> list[Effect]:
    """The ratios of means of pairs of arms, with intervals on the log scale."""
    measure = outcome_measure(test, outcome)
    low = [arm for arm, reading in arm_readings(test, measure).items() if reading.value <= 0]
    if low:
        raise ValueError(f"{outcome.name} is not above 0 in {', '.join(low)}: a relative lift needs positive means")
    arms = {arm: test.arm_means(arm) for arm in test.arms}
    return [
        effect_row(test, outcome, name, w, log_contrast(arms, measure, w), level=level, scale="ratio")
        for name, w in weights.items()
    ]


def factorial_effects(
    test: Experiment,
    outcome: Outcome,
    campaigns: Mapping[str, tuple[str, ...]],
    terms: Terms | None = None,
    *,
    costs: Mapping[str, Costs] | None = None,
    level: float = 0.95,
) -> list[Effect]:
    """Main effects of overlapping campaigns and their two-way interactions.

    Parameters
    ----------
    test, outcome, terms, costs, level
        As in ``differences``.
    campaigns
        Arm to the names of all campaigns to which its customers were assigned: ``{"none": (), "mail": ("mail",),
        "both": ("mail", "call")}``. Every combination of campaigns is an arm.

    Returns
    -------
    list of Effect
        One for each campaign, averaged over the others, and one for each pair: the difference between their joint
        effect and the sum of their effects. An interaction has no value, because nobody can choose it.

    Raises
    ------
    ValueError
        When a combination is missing or occurs twice, or as in ``differences``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> arms, stayed = ["none", "mail", "call", "both"], [700, 730, 760, 772]
    >>> counts = pd.DataFrame({"arm": arms, "n": [1000] * 4, "stayed": stayed})
    >>> test = rm.Experiment.from_counts(counts, rm.Plan(assigned_by="random", control="none"), outcome="stayed")
    >>> campaigns = {"none": (), "mail": ("mail",), "call": ("call",), "both": ("mail", "call")}
    >>> for effect in rm.interventions.factorial_effects(test, rm.Outcome(column="stayed"), campaigns):
    ...     print(effect.intervention, round(effect.estimate, 3), round(effect.lower, 3), round(effect.upper, 3))
    mail 0.021 -0.006 0.048
    call 0.051 0.024 0.078
    mail x call -0.018 -0.072 0.036
    """
    weights = contrasts.factorial_contrasts(campaigns)
    return contrast_effects(test, outcome, weights, outcome_pricing(test, outcome, terms, costs), level=level)


def programme_effect(
    test: Experiment,
    outcome: Outcome,
    terms: Terms | None = None,
    *,
    costs: Mapping[str, Costs] | None = None,
    level: float = 0.95,
) -> Effect:
    """The effect of all campaigns together compared with a universal control group.

    Parameters
    ----------
    test
        The experiment. Its control is the universal control group, which no campaign reached.
    outcome, terms, costs, level
        As in ``differences``.

    Returns
    -------
    Effect
        The mean of the other arms, weighted by their customers, minus the control.

    Raises
    ------
    ValueError
        As in ``differences``.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> visit = rm.Outcome(column="visit", unit="share of customers", horizon=2, time_unit="W")
    >>> print(rm.interventions.programme_effect(test, visit))
    all campaigns together changes visit by 0.0609 (0.0554 to 0.0663) (share of customers; 95 % interval; 2 weeks;
    randomised, n = 64,000).
    """
    reached = [arm for arm in test.arms if arm != test.plan.control]
    weights = {arm: test.n(arm) / test.n(*reached) for arm in reached} | {test.plan.control: -1.0}
    return contrast_effects(
        test, outcome, {"all campaigns together": weights}, outcome_pricing(test, outcome, terms, costs), level=level
    )[0]


def contrast_effects(
    test: Experiment,
    outcome: Outcome,
    weights: Mapping[str, Mapping[str, float]],
    money: Pricing | None = None,
    *,
    level: float = 0.95,
    compared: str = "as assigned",
) -> list[Effect]:
    """Effects of any contrasts of the arms: name to weights of the arms, which add up to 0.

    ``compared`` says in words by what the customers were divided into the arms.
    Only a contrast of one mix of arms with another, with weights that add up to 1 and -1, has a value. Other contrasts,
    such as interactions, are not options to choose from.
    """
    _check_weights(test, weights)
    measure = outcome_measure(test, outcome)
    readings = arm_readings(test, measure)
    rows = [
        effect_row(test, outcome, name, w, contrast(readings, w), level=level, compared=compared)
        for name, w in weights.items()
    ]
    if money is None:
        return rows
    return [
        _add_value(row, test, measure, w, money) if _is_choice(w) else row
        for row, w in zip(rows, weights.values(), strict=True)
    ]


@dataclass(frozen=True, slots=True, repr=False)
class AnyDifference(Presentation):
    """A test of the hypothesis that all arms are equal; ``any_difference`` creates it.

    Attributes
    ----------
    chi_squared
        The test statistic; for two arms its square root is z.
    df
        Degrees of freedom.
    p_value
        The p-value.
    failed
        The checks of the experiment that failed.
    """

    chi_squared: float
    df: int
    p_value: float
    failed: tuple[Check, ...] = ()

    def _parts(self) -> Sequence[Part]:
        verdict = "The arms differ" if self.p_value < 0.05 else "The data show no difference between the arms"
        test = f"{chi_squared_statement(self.chi_squared, self.df)}, {p_statement(self.p_value)}"
        return [f"{verdict} ({test}).{name_failed_checks(self.failed)}"]


def any_difference(test: Experiment, outcome: Outcome) -> AnyDifference:
    """A test of the hypothesis that all arms are equal: the score test with the variance of all customers together.

    Parameters
    ----------
    test
        The experiment, with customers assigned one by one.
    outcome
        The outcome.

    Returns
    -------
    AnyDifference
        ``chi_squared``, ``df``, ``p_value``, and the checks of the experiment that ``failed``.

    Raises
    ------
    ValueError
        When clusters or blocks were assigned, or the outcome is the same for every customer.

    Notes
    -----
    The statistic is the sum of n_arm (mean_arm - mean)^2 / s^2. For a binary outcome it is Pearson's chi-squared, and
    for two arms the square of the pooled z.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> found = rm.interventions.any_difference(test, rm.Outcome(column="visit"))
    >>> round(found.chi_squared, 1), found.df, found.p_value < 1e-100
    (504.5, 2, True)
    """
    if len(test.cells) != len(test.arms) or any(cell.units != cell.n for cell in test.cells):
        raise ValueError(
            "interventions.any_difference is for customers assigned one by one, without clusters or blocks"
        )
    centre = overall_mean(test.cells)
    _, gradient = outcome_measure(test, outcome)(centre)
    variance = float(gradient @ overall_scatter(test.cells) @ gradient) / test.n(*test.arms)
    if variance == 0:
        raise ValueError(f"{outcome.name} is the same for every customer: there is nothing to compare")
    gaps = [(test.n(arm), gradient @ (test.arm_means(arm).mean - centre)) for arm in test.arms]
    statistic = sum(n * gap**2 for n, gap in gaps) / variance
    df = len(test.arms) - 1
    failed = tuple(check for check in test.checks if check.passed is False)
    return AnyDifference(float(statistic), df, float(chdtrc(df, statistic)), failed)


def _add_value(row: Effect, test: Experiment, measure: Measure, weights: Mapping[str, float], money: Pricing) -> Effect:
    """The effect with cost and net value per treated customer."""
    require_amount(row.outcome, measure)
    money.check_arms(test.arms)
    arms = {arm: test.arm_means(arm) for arm in test.arms}
    net = {arm: read_measure(means, money.net_value(arm, test.columns, measure)) for arm, means in arms.items()}
    costs = {arm: read_measure(means, money.cost(arm, test.columns)) for arm, means in arms.items()}
    value = contrast(net, weights)
    cost = contrast(costs, weights).estimate
    law: Law = value
    if measure_contrast(arms, measure, weights).std_error == 0:  # the cost varies, and the gain has a law of its own
        law = law_of_net_value(linear(row.law, money.worth), value)
    return with_value(row, money, weights, cost=cost, law=law)


def _is_choice(weights: Mapping[str, float]) -> bool:
    """Whether a contrast is one mix of arms minus another."""
    return math.isclose(sum(weight for weight in weights.values() if weight > 0), 1.0)


def _check_weights(test: Experiment, weights: Mapping[str, Mapping[str, float]]) -> None:
    for name, weight in weights.items():
        unknown = [arm for arm in weight if arm not in test.arms]
        if unknown:
            raise ValueError(
                f"{name}: there is no arm called {', '.join(unknown)}; the arms are {', '.join(test.arms)}"
            )
        if not any(weight.values()) or abs(sum(weight.values())) > 1e-9 * sum(map(abs, weight.values())):
            raise ValueError(
                f"{name}: the weights of a comparison must add up to 0, and not all of them may be 0; "
                f"got {dict(weight)}"
            )
