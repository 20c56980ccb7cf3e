"""Breakdown of the cost and value of a test, and the cost per additional customer retained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, amount_text, three_digits
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.contrasts import Measure, MeasureOf, combination, contrast, read_measure
from retention_models.interventions.arms.costs import Costs, Pricing, law_of_net_value, position
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.experiment_checks import is_share
from retention_models.interventions.arms.outcome import Outcome, law_without_variance, outcome_measure, outcome_pricing
from retention_models.interventions.effects.derived_laws import Law, linear
from retention_models.interventions.effects.effect import name_failed_checks
from retention_models.interventions.effects.ratio_laws import Fieller
from retention_models.value.terms import Terms

LINES = ("gross gain", "contacts", "redemptions", "subsidised purchases", "net value")


@dataclass(frozen=True, slots=True, repr=False)
class CostPerRetained(Presentation):
    """Cost per additional customer retained (or per additional purchase) because of the intervention.

    ``cost_per_retained`` creates it.

    Attributes
    ----------
    estimate
        Cost per additional customer, in money; infinite where the effect is 0 or negative and the interval is
        unbounded.
    lower, upper
        Confidence interval. ``upper`` is infinite where the effect may be zero.
    level
        Level of the interval.
    sentence
        The result in words.
    checks
        The checks of the test.
    currency
        The name of the currency; empty if it has no name.
    """

    estimate: float
    lower: float
    upper: float
    level: float
    sentence: str
    checks: tuple[Check, ...] = ()
    currency: str = ""

    @property
    def is_bounded(self) -> bool:
        """Whether the interval has a finite upper limit."""
        return math.isfinite(self.upper)

    def _parts(self) -> Sequence[Part]:
        return [self.sentence + name_failed_checks([check for check in self.checks if check.passed is False])]


def cost_per_retained(
    test: Experiment,
    outcome: Outcome,
    costs: Mapping[str, Costs],
    *,
    arm: str | None = None,
    currency: str = "",
    level: float = 0.95,
) -> CostPerRetained:
    """Cost per additional customer retained: the cost divided by the effect, with Fieller's interval.

    Parameters
    ----------
    test
        The experiment.
    outcome
        The outcome that counts as retained: a share of customers, or a number of purchases.
    costs
        Arm to its ``Costs``; an arm that is not listed costs nothing.
    arm
        The treated arm. By default None: the only arm beside the control.
    currency
        The name of the currency, for the sentence. Empty by default.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    CostPerRetained
        The cost in money, its interval and the result in words.

    Raises
    ------
    ValueError
        When the arm costs no more than the control, the effect is exactly 0, or ``arm`` is missing or unknown.

    Notes
    -----
    The interval is that of Fieller (1954). It has no upper limit if the data do not exclude an effect of zero.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> visit, costs = rm.Outcome(column="visit"), {"men's e-mail": rm.Costs(contact=0.02)}
    >>> print(rm.interventions.cost_per_retained(test, visit, costs, arm="men's e-mail", currency="USD"))
    men's e-mail, visit: each additional one cost USD 0.26 (0.24 to 0.29).
    """
    arm, money = test.treated_arm(arm), Pricing(worth=0.0, costs=costs, currency=currency)
    money.check_arms(test.arms)
    weights = contrasts.difference(arm, test.plan.control)
    readings = {
        line: {name: read_measure(test.arm_means(name), measure) for name, measure in measures.items()}
        for line, measures in _cost_and_outcome(test, outcome, money, weights).items()
    }
    spent, gained, both = (contrast(readings[line], weights) for line in ("spent", "kept", "both"))
    if spent.estimate <= 0 or gained.estimate == 0:
        raise ValueError(
            f"{arm} cost {three_digits(spent.estimate)} more and kept {three_digits(gained.estimate)} more: "
            "no cost per kept"
        )
    allowed = Fieller.of_estimates(spent, gained, both, gained.df).confidence_set(level)
    lower, upper = (allowed.lower, allowed.upper) if allowed.is_bounded else (allowed.lower, math.inf)
    ratio = spent.estimate / gained.estimate
    estimate = ratio if allowed.is_bounded or ratio > 0 else math.inf
    found = CostPerRetained(estimate, lower, upper, level, "", test.checks, money.currency)
    return replace(found, sentence=f"{arm}, {outcome.name}: {cost_in_words(found, what=counted_by(outcome.unit))}")


def _cost_and_outcome(
    test: Experiment, outcome: Outcome, money: Pricing, weights: Mapping[str, float]
) -> dict[str, dict[str, MeasureOf]]:
    """Cost, outcome and their sum as measures of each arm."""
    spent = {arm: money.cost(arm, test.columns) for arm in weights}
    kept: dict[str, MeasureOf] = dict.fromkeys(weights, outcome_measure(test, outcome))
    return {
        "spent": spent,
        "kept": kept,
        "both": {arm: combination((1, spent[arm]), (1, kept[arm])) for arm in weights},
    }


def counted_by(unit: str) -> str:
    """What an additional one is, by the unit of the outcome: a customer where it is a share of them."""
    return "customer" if unit.startswith("share of customers") else "one"


def cost_in_words(cost: CostPerRetained, *, what: str = "one", lower_is_better: bool = False) -> str:
    """The cost of one more, or of one fewer where a lower outcome is better, without the names of arm and outcome."""
    unit = f"{cost.currency} " if cost.currency else ""
    one, others = (f"each {what} fewer", "more") if lower_is_better else (f"each additional {what}", "fewer")
    if not cost.is_bounded:
        least = f"at least {unit}{amount_text(cost.lower)}" if math.isfinite(cost.lower) else "any amount"
        return f"{one} costs {least}, without upper limit: an effect of zero, or a loss, is not ruled out."
    if cost.estimate < 0:
        return f"it cost money and made them {others}; there is no cost of {one}."
    middle, lower, upper = map(amount_text, (cost.estimate, cost.lower, cost.upper))
    return f"{one} cost {unit}{middle} ({lower} to {upper})."


def cost_breakdown(
    test: Experiment,
    outcome: Outcome,
    terms: Terms,
    *,
    costs: Mapping[str, Costs] | None = None,
    arm: str | None = None,
    purchases: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Gain, costs and net value per customer of an arm, compared with the control.

    Parameters
    ----------
    test, outcome, terms, costs
        As in ``differences``; ``terms`` are required.
    arm
        The treated arm. By default None: the only arm beside the control.
    purchases
        The measured column that counts the purchases for which the offer can be redeemed. With it, the table shows the
        subsidised purchases: redemptions for purchases that would have happened without the offer.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``line``: ``gross gain, contacts, redemptions, subsidised purchases, net value``. ``subsidised
        purchases`` needs ``purchases`` and is a part of the redemptions. Columns ``amount, lower, upper`` in money per
        customer, costs negative. Gain, contacts and redemptions add up to the net value.

    Raises
    ------
    ValueError
        When ``arm`` is missing or unknown, the terms state no price or margin, or a column was not measured.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> visit, costs = rm.Outcome(column="visit"), {"men's e-mail": rm.Costs(contact=0.02)}
    >>> rm.interventions.cost_breakdown(test, visit, rm.Terms(price=1.0), costs=costs, arm="men's e-mail").round(3)
                 amount  lower  upper
    line
    gross gain    0.077   0.07  0.083
    contacts     -0.020  -0.02 -0.020
    redemptions   0.000   0.00  0.000
    net value     0.057   0.05  0.063
    """
    arm, money = test.treated_arm(arm), outcome_pricing(test, outcome, terms, costs)
    assert money is not None
    money.check_arms(test.arms)
    weights = contrasts.difference(arm, test.plan.control)
    gain = outcome_measure(test, outcome)
    parts = {
        "gross gain": Pricing(worth=money.worth),
        "contacts": Pricing(worth=0.0, costs={name: replace(c, redemption=0.0) for name, c in money.costs.items()}),
        "redemptions": Pricing(worth=0.0, costs={name: replace(c, contact=0.0) for name, c in money.costs.items()}),
        "net value": money,
    }
    measures = {line: {a: part.net_value(a, test.columns, gain) for a in weights} for line, part in parts.items()}
    if purchases is not None:
        measures["subsidised purchases"] = _subsidised_purchases(test, money, arm, purchases, weights)
    plain = {name: read_measure(test.arm_means(name), gain) for name in weights}
    nobody_differs = contrast(plain, weights).std_error == 0 and is_share(
        test.cells, position(test.columns, outcome.column), unit=outcome.in_words
    )
    rows = {}
    for line in (line for line in LINES if line in measures):
        readings = {name: read_measure(test.arm_means(name), measure) for name, measure in measures[line].items()}
        differs = contrast(readings, weights)
        found: Law = differs
        if nobody_differs and line in ("gross gain", "net value"):
            gained = linear(law_without_variance(test, outcome, weights), money.worth)
            found = gained if line == "gross gain" else law_of_net_value(gained, differs)
        rows[line] = (found.estimate, *found.interval(level))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["amount", "lower", "upper"]).rename_axis("line")


def _subsidised_purchases(
    test: Experiment, money: Pricing, arm: str, purchases: str, weights: Mapping[str, float]
) -> dict[str, MeasureOf]:
    """What redemptions gave away beyond the purchases gained: -price x (redeemed - (bought - bought by control))."""
    costs = money.costs.get(arm, Costs())
    if costs.redemptions is None:
        raise ValueError(f"{arm} has no redemptions to split: name their column in Costs(redemptions=...)")
    bought = Measure(position(test.columns, purchases))
    redeemed = Measure(position(test.columns, costs.redemptions))
    price = costs.redemption
    return {name: combination((price, bought), (-price if name == arm else 0.0, redeemed)) for name in weights}
