"""Effects in tests of customers with contracts: share retained, time retained, and their value.

They come from the arms' Kaplan-Meier curves since the assignment: the difference of the curves at a horizon, of the
restricted mean survival time (RMST), and of the discounted RMST. Arms are independent, so variances add up. Clusters,
blocks and measured costs are treated as in ``differences``. Nothing is extrapolated. A value beyond the horizon needs a
model and is reported separately.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import pandas as pd

from retention_models.core.arguments import require_number, require_type
from retention_models.core.dates import span_name, unit_plural
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.cells import ArmMeans, arm_means
from retention_models.interventions.arms.contrasts import Measure, MeasureOf, contrast, difference, read_measure
from retention_models.interventions.arms.costs import Costs, Pricing, pricing, with_value
from retention_models.interventions.arms.plan import effect_fields
from retention_models.interventions.designs.contract_arms import ContractExperiment
from retention_models.interventions.designs.contract_cells import (
    RETAINED,
    TIME,
    CurveEstimate,
    observed_at,
    restricted_mean,
    survival_at,
)
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import Newcombe, StudentT
from retention_models.survival.curves import Curve
from retention_models.tables.rules import join_names
from retention_models.value.terms import Terms

ESTIMATE = Measure(0)  # the quantity of the curve; the further columns follow


def retention_difference(test: ContractExperiment, *, horizon: float, level: float = 0.95) -> list[Effect]:
    """Difference between each arm and the control in the share of customers retained at the horizon.

    Parameters
    ----------
    test
        The arms' survival curves, from ``contract_experiment``.
    horizon
        Time since the assignment, in the unit of tenure. Every arm must be observed that long.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    list of Effect
        One for each treated arm, as a share of customers: the difference of the Kaplan-Meier curves.

    Raises
    ------
    ValueError
        When an arm was not observed up to the horizon.

    Notes
    -----
    The interval is normal, with Greenwood's variance. With clusters it is Student's, with the CR2 variance and the
    degrees of freedom of cluster totals of the influence of customers on the curve. If nobody left, or everybody, it is
    Newcombe's interval of two shares, in which a cluster counts as one customer.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> counts = {"tenure": [4, 12, 6, 12], "churned": [1, 0, 1, 0], "customers": [260, 240, 190, 310]}
    >>> rows = pd.DataFrame({"arm": ["none", "none", "call", "call"], **counts})
    >>> plan = rm.Plan(assigned_by="random", control="none")
    >>> test = rm.contract_experiment(rows, plan, arm="arm", weight="customers", time_unit="M")
    >>> print(rm.interventions.retention_difference(test, horizon=12)[0])
    call changes still a customer by 0.140 (0.079 to 0.201) (share of customers; 95 % interval; 12 months;
    randomised, n = 1,000).
    """
    require_type("test", test, ContractExperiment)
    test.require_observed(horizon)

    def survival(curve: Curve) -> CurveEstimate:
        return survival_at(curve, horizon)

    def both(curve: Curve) -> list[float]:
        return list(observed_at(curve, horizon))

    estimand = f"difference of Kaplan-Meier curves at {span_name(horizon, test.time_unit)}, as assigned"
    quantity = _Quantity(RETAINED, "share of customers", estimand, survival, both, is_share=True)
    return _effects(test, _means(test, quantity), quantity, horizon, level)


def rmst_difference(
    test: ContractExperiment,
    terms: Terms | None = None,
    *,
    horizon: float,
    rate: float = 0.0,
    costs: Mapping[str, Costs] | None = None,
    level: float = 0.95,
) -> list[Effect]:
    """Difference between each arm and the control in the mean time as a customer up to the horizon.

    Parameters
    ----------
    test
        The arms' survival curves, from ``contract_experiment``.
    terms
        ``Terms(price=20)``: what a customer earns per unit of time. The value is that times the (discounted) time
        gained, less cost, up to the horizon only. By default None: effects without value.
    horizon
        Time since the assignment, in the unit of tenure. Every arm must be observed that long.
    rate
        Continuous discount rate per unit of time since the assignment; 0 by default. Above 0 the means are discounted.
    costs
        Arm to its ``Costs``; an arm that is not listed costs nothing. Columns of contacts and redemptions must be among
        the ``columns`` of the test. By default None: no costs.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    list of Effect
        One for each treated arm, in units of time per customer: the difference of restricted mean survival times
        (RMST).

    Raises
    ------
    ValueError
        When an arm was not observed up to the horizon, all customers of two arms stay equally long, costs are stated
        without terms, or costs count a column that was not measured.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> counts = {"tenure": [4, 12, 6, 12], "churned": [1, 0, 1, 0], "customers": [260, 240, 190, 310]}
    >>> rows = pd.DataFrame({"arm": ["none", "none", "call", "call"], **counts})
    >>> plan = rm.Plan(assigned_by="random", control="none")
    >>> test = rm.contract_experiment(rows, plan, arm="arm", weight="customers", time_unit="M")
    >>> a_month, a_call = rm.Terms(price=20.0), {"call": rm.Costs(contact=5.0)}
    >>> print(rm.interventions.rmst_difference(test, a_month, costs=a_call, horizon=12)[0])
    call changes time as a customer by 1.88 (1.45 to 2.31) (months per customer; 95 % interval; 12 months;
    randomised, n = 1,000). Worth 32.6 (23.9 to 41.3) per treated customer.

    Vouchers cost money if they are redeemed; here all who stayed redeemed one:

    >>> offer = {"arm": "arm", "weight": "customers", "time_unit": "M", "columns": ["vouchers"]}
    >>> test = rm.contract_experiment(rows.assign(vouchers=[0, 0, 0, 1]), plan, **offer)
    >>> vouchers = {"call": rm.Costs(redemption=10.0, redemptions="vouchers")}
    >>> effect = rm.interventions.rmst_difference(test, a_month, costs=vouchers, horizon=12)[0]
    >>> [round(x, 1) for x in (effect.cost, effect.value, effect.value_lower, effect.value_upper)]
    [6.2, 31.4, 23.0, 39.8]
    """
    require_type("test", test, ContractExperiment)
    test.require_observed(horizon)
    require_number("rate", rate, 0)

    def area(curve: Curve) -> CurveEstimate:
        return restricted_mean(curve, horizon, rate)

    discounted = f"discounted at {rate:g} per time unit, " if rate else ""
    estimand = f"difference in restricted mean time, {discounted}as assigned"
    unit = f"{unit_plural(test.time_unit)} per customer"

    def left(curve: Curve) -> list[float]:
        return [observed_at(curve, horizon)[0]]

    quantity = _Quantity(TIME, unit, estimand, area, left, is_share=False)
    arms = _means(test, quantity)
    rows = _effects(test, arms, quantity, horizon, level)
    money = pricing(terms, costs, unit, may_be_amount=False)
    if money is None:
        return rows
    money.check_arms(list(test.curves))
    _require_columns_of_costs(test, money.costs)
    return [_add_value(row, test, arms, arm, money) for row, arm in zip(rows, test.treated_arms, strict=True)]


def incremental_value(
    test: ContractExperiment,
    terms: Terms,
    *,
    costs: Mapping[str, Costs] | None = None,
    horizon: float,
    rate: float,
    residual_lifetime: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Incremental value per customer of each arm: the observed part, and separately the part from a model.

    Parameters
    ----------
    test, terms, costs, horizon, level
        As in ``rmst_difference``; ``terms`` are required.
    rate
        Continuous discount rate per unit of time since the assignment.
    residual_lifetime
        Expected discounted remaining time of a customer who is retained at the horizon, from a model, the same in all
        arms. By default None: no value beyond the horizon.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm``, in money: ``observed, observed_lower, observed_upper`` (net of cost, up to the horizon).
        With ``residual_lifetime`` also ``tail, tail_lower, tail_upper``: margin x difference of the curves at the
        horizon x residual lifetime x exp(-rate x horizon). The interval of the tail does not cover an error of the
        model. ``attrs["checks"]`` contains the checks of the test.

    Raises
    ------
    ValueError
        As in ``rmst_difference``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> counts = {"tenure": [4, 12, 6, 12], "churned": [1, 0, 1, 0], "customers": [260, 240, 190, 310]}
    >>> rows = pd.DataFrame({"arm": ["none", "none", "call", "call"], **counts})
    >>> plan = rm.Plan(assigned_by="random", control="none")
    >>> test = rm.contract_experiment(rows, plan, arm="arm", weight="customers", time_unit="M")
    >>> money = {"terms": rm.Terms(price=20.0), "costs": {"call": rm.Costs(contact=5.0)}}
    >>> rm.interventions.incremental_value(test, **money, horizon=12, rate=0.01, residual_lifetime=15.0).round(1).T
    arm             call
    observed        30.1
    observed_lower  22.2
    observed_upper  38.1
    tail            37.3
    tail_lower      21.0
    tail_upper      53.5
    """
    time_gained = rmst_difference(test, terms, costs=costs, horizon=horizon, rate=rate, level=level)
    columns = ["observed", "observed_lower", "observed_upper"]
    table = pd.DataFrame(
        [row.priced for row in time_gained], index=pd.Index(test.treated_arms, name="arm"), columns=columns
    )
    table.attrs["checks"] = [asdict(check) for check in test.checks]
    if residual_lifetime is None:
        return table
    require_number("residual_lifetime", residual_lifetime, 0)
    worth = terms.unit_value * residual_lifetime * math.exp(-rate * horizon)
    customers_gained = retention_difference(test, horizon=horizon, level=level)
    ends = {"tail": "estimate", "tail_lower": "lower", "tail_upper": "upper"}
    return table.assign(**{name: [worth * getattr(row, end) for row in customers_gained] for name, end in ends.items()})


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A quantity of a survival curve, its names, and the customers behind it."""

    outcome: str
    unit: str
    estimand: str
    estimate: Callable[[Curve], CurveEstimate]
    counts: Callable[[Curve], list[float]]
    is_share: bool


def _means(test: ContractExperiment, quantity: _Quantity) -> dict[str, ArmMeans]:
    """The quantity and the means of the further columns in each arm, over all blocks."""
    cells = [cell.means(quantity.estimate(cell.curve)) for cell in test.cells]
    return {arm: arm_means(cells, arm) for arm in test.curves}


def _contrast(test: ContractExperiment, arms: Mapping[str, ArmMeans], measures: Mapping[str, MeasureOf]) -> StudentT:
    """The first of two arms minus the second, each by its measure; the law is normal unless clusters were assigned."""
    treated, control = measures
    readings = {arm: read_measure(arms[arm], measure) for arm, measure in measures.items()}
    law = contrast(readings, difference(treated, control))
    return law if test.is_clustered else replace(law, df=math.inf)


def _effects(
    test: ContractExperiment, arms: Mapping[str, ArmMeans], quantity: _Quantity, horizon: float, level: float
) -> list[Effect]:
    """The effect of each treated arm: the quantity of its curve minus that of the control."""
    control = test.plan.control
    has_blocks = len({cell.block for cell in test.cells}) > 1
    rows = []
    for arm in test.treated_arms:
        law: Law = _contrast(test, arms, {arm: ESTIMATE, control: ESTIMATE})
        if law.std_error == 0:
            law = _law_without_variance(test, arms, quantity, arm, horizon)
        pair = [*quantity.counts(test.curves[arm]), *quantity.counts(test.curves[control])]
        rows.append(
            Effect(
                intervention=f"{test.plan.name}: {arm}" if test.plan.name else arm,
                outcome=quantity.outcome,
                unit=quantity.unit,
                estimand=quantity.estimand + (", compared within blocks" if has_blocks else ""),
                scale="difference",
                estimate=law.estimate,
                law=law,
                level=level,
                horizon=horizon,
                time_unit=test.time_unit,
                n=test.sizes[arm] + test.sizes[control],
                **effect_fields(test.plan),
                checks=(*test.checks, experiment_checks.events_check(pair, quantity.outcome)),
            )
        )
    return rows


def _add_value(row: Effect, test: ContractExperiment, arms: Mapping[str, ArmMeans], arm: str, money: Pricing) -> Effect:
    """The effect with cost and net value per treated customer; both vary with the columns that costs count."""
    columns, pair = (row.outcome, *test.columns), (arm, test.plan.control)
    cost = _contrast(test, arms, {name: money.cost(name, columns) for name in pair})
    value = _contrast(test, arms, {name: money.net_value(name, columns, ESTIMATE) for name in pair})
    return with_value(row, money, {arm: 1.0}, cost=cost.estimate, law=value)


def _require_columns_of_costs(test: ContractExperiment, costs: Mapping[str, Costs]) -> None:
    """Raise a ValueError if costs count a column that the test did not measure."""
    for arm, cost in costs.items():
        for name, price in ((cost.contacts, cost.contact), (cost.redemptions, cost.redemption)):
            if name is not None and price > 0 and name not in test.columns:
                raise ValueError(
                    f"{name} was not measured, and the costs of {arm} count it (measured: "
                    f"{join_names(test.columns)}); name it in contract_experiment(..., columns=[{name!r}])"
                )


def _law_without_variance(
    test: ContractExperiment, arms: Mapping[str, ArmMeans], quantity: _Quantity, arm: str, horizon: float
) -> Newcombe:
    """The law if nobody left, or everybody: Newcombe's for shares of the customers observed.

    Clusters count as one customer each, as if their customers could only leave together.
    """
    control = test.plan.control
    if not quantity.is_share:
        unit = "cluster" if test.is_clustered else "customer"
        raise ValueError(
            f"{quantity.outcome} is the same for every {unit} of {control} and {arm} up to "
            f"{span_name(horizon, test.time_unit)}: there is nothing to compare; choose a later horizon"
        )

    def share_and_size(name: str) -> tuple[float, float]:
        units_per_customer = sum(cell.units for cell in arms[name].cells) / test.sizes[name]
        observed = sum(quantity.counts(test.curves[name])) * units_per_customer
        return ESTIMATE(arms[name].mean)[0], max(observed, 1.0)

    return Newcombe(share_and_size(arm), share_and_size(control))
