"""Tests among customers with contracts: how many more stayed, for how long, and what that is worth.

From the arms' Kaplan-Meier curves, counted from the assignment: the difference of the curves at a horizon, of the
restricted mean time as a customer (RMST), of the same discounted. Arms are independent, so variances add. Nothing is
extrapolated; a tail beyond the horizon needs a model's word and is reported apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_models.checks import Check
from retention_models.interventions import integrity
from retention_models.interventions.contract_spells import DAYS, since_observed
from retention_models.interventions.contrasts import Estimate
from retention_models.interventions.effect import Effect
from retention_models.interventions.experiment import Plan
from retention_models.interventions.money import Money, priced
from retention_models.interventions.rows import as_name, open_frame
from retention_models.interventions.share_interval import newcombe
from retention_models.logs.contracts import Spells
from retention_models.logs.engines import collect
from retention_models.survival.curves import Curve, kaplan_meier


@dataclass(frozen=True, slots=True, eq=False)
class ContractTest:
    """The arms of a randomised test among customers with contracts: their survival curves since the assignment.

    Made by :func:`contract_test`. ``time_unit`` names the unit of tenure, in words (``months``).
    """

    plan: Plan
    curves: Mapping[str, Curve]
    sizes: Mapping[str, int]
    time_unit: str
    checks: tuple[Check, ...]

    @property
    def treated(self) -> list[str]:
        """The arms beside the control."""
        return [arm for arm in self.curves if arm != self.plan.control]


def contract_test(
    spells: Any,
    plan: Plan,
    *,
    arm: str,
    time_unit: str | None = None,
    tenure: str = "tenure",
    churned: str = "churned",
    weight: str | None = None,
) -> ContractTest:
    """The survival curve of each arm, from one row a customer, or a table that counts them, on any engine.

    Parameters
    ----------
    spells
        Rows with the arm a customer was *assigned* to; ``tenure``, the time from the assignment to the end of the
        contract or to when it was last seen running; ``churned``, whether it ended then (1 or true). Or what
        :func:`retention_models.read_contracts` returned, with the arm among its covariates. Its clock starts for each
        customer where observation does: so read the log with ``observed_from`` the day of the assignment, or, where
        contracts were assigned as they began, by ``design="acquisition"``. A customer's first spell counts; who came
        back had left.
    plan
        What was decided before.
    arm, tenure, churned
        Names of the columns.
    weight
        The column that says how many customers share a row; by default each row is one.
    time_unit
        The unit of tenure, in words: ``months``. That of contracts read by the package is days.

    Raises
    ------
    ValueError
        When a column is missing, or holds gaps, negative times, or anything but 0 and 1 in ``churned``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> from retention_models.interventions.contract_outcomes import contract_test, share_kept
    >>> log = pd.DataFrame({
    ...     "customer_id": range(8), "start": "2024-01-10", "arm": ["none", "call"] * 4,
    ...     "end": ["2024-03-11", "2024-05-30", "2024-04-10", None, None, None, "2024-03-21", None],
    ... })
    >>> spells = rm.read_contracts(log, design="active_on", observed_from="2024-03-01", observed_until="2024-06-30",
    ...                            covariates=["arm"])
    >>> test = contract_test(spells, rm.Plan(control="none"), arm="arm")
    >>> effect = share_kept(test, horizon=60)[0]
    >>> effect.estimate, effect.horizon
    (0.75, '60 days')
    """
    returned: tuple[Check, ...] = ()
    if isinstance(spells, Spells):
        spells, returned = since_observed(spells, arm, time_unit, weight)
        time_unit, tenure, churned = DAYS, "tenure", "churned"
    if time_unit is None:
        raise ValueError("say the unit of tenure, in words: time_unit='months'")
    frame = open_frame(spells)
    names = frame.collect_schema().names()
    missing = [name for name in (arm, tenure, churned, *([weight] if weight else [])) if name not in names]
    if missing:
        raise ValueError(f"{', '.join(missing)} not among the columns {', '.join(names)}")
    counted = frame.select(
        as_name(arm, frame.collect_schema()).alias("arm"),
        nw.col(tenure).cast(nw.Float64).alias("tenure"),
        nw.col(churned).cast(nw.Float64).alias("churned"),
        (nw.col(weight).cast(nw.Float64) if weight else nw.lit(1.0)).alias("n"),
    )
    uncounted = (~(nw.col("n").is_finite() & (nw.col("n") >= 0))).fill_null(value=True).cast(nw.Int64)
    table = collect(
        counted.with_columns(uncounted.alias("uncounted"))
        .group_by("arm", "tenure", "churned")
        .agg(nw.col("n").sum(), nw.col("uncounted").sum(), nw.len().alias("rows"))
    )
    _check_counts(table, weight)
    curves = {
        str(name): kaplan_meier(part["tenure"], part["churned"], weight=part["n"])
        for name, part in table.sort_values(["tenure", "churned"]).groupby("arm")
    }
    sizes = {name: int(table.loc[table["arm"] == name, "n"].sum()) for name in curves}
    integrity.require_comparison(list(curves), plan.control)
    checks = integrity.checks_of_customers(sizes, plan.shares, plan.unit)
    return ContractTest(plan, curves, sizes, time_unit, checks + returned)


def _check_counts(table: pd.DataFrame, weight: str | None) -> None:
    uncounted = int(table["uncounted"].sum())
    if uncounted:
        raise ValueError(
            f"{weight} is missing, negative or not finite in {uncounted:,} of {int(table['rows'].sum()):,} rows; "
            "it says how many customers share a row"
        )
    gaps = int(table.loc[table.isna().any(axis=1), "n"].sum())
    if gaps:
        raise ValueError(f"arm, tenure or churned is missing for {gaps:,} of {int(table['n'].sum()):,} customers")
    wrong = table.loc[~table["churned"].isin([0, 1]) | (table["tenure"] < 0), "n"].sum()
    if wrong:
        raise ValueError(
            f"tenure is negative, or churned neither 0 nor 1, for {int(wrong):,} of {int(table['n'].sum()):,} "
            "customers; tenure counts from the assignment"
        )


def share_kept(test: ContractTest, *, horizon: float, level: float = 0.95) -> list[Effect]:
    """How many more of each arm's customers were still there at the horizon: the difference of the curves.

    Raises
    ------
    ValueError
        When the horizon lies beyond what an arm was observed for.
    """
    _require_observed(test, horizon)

    def survival(curve: Curve) -> tuple[float, float]:
        place = int(np.searchsorted(curve.tenure, horizon, side="right")) - 1
        return (1.0, 0.0) if place < 0 else (float(curve.survival[place]), float(curve.std_error[place]))

    def both(curve: Curve) -> list[float]:
        left = _lost(curve, horizon)
        return [left, float(curve.number_at_risk(horizon)) - _lost_at(curve, horizon)]

    estimand = f"difference of Kaplan-Meier curves at {horizon:g} {test.time_unit}, as assigned"
    quantity = _Quantity("still a customer", "share of customers", estimand, survival, both)
    return _effects(test, quantity, horizon, level)


def time_kept(
    test: ContractTest, *, horizon: float, rate: float = 0.0, money: Money | None = None, level: float = 0.95
) -> list[Effect]:
    """How much longer each arm's customers stayed within the horizon: the difference of restricted means.

    Parameters
    ----------
    test
        The arms' curves.
    horizon
        Where counting ends, in the unit of tenure; every arm must have been observed so long.
    rate
        Continuous discount rate per time unit, counted from the assignment: above 0 the discounted RMST.
    money
        ``worth`` is the margin per time unit of a customer who is there; costs are those of contacts. The value is
        margin x (discounted) time kept less cost, within the horizon only.
    level
        Level of the intervals.
    """
    _require_observed(test, horizon)

    def area(curve: Curve) -> tuple[float, float]:
        mean = curve.restricted_mean(horizon, rate=rate)
        return mean.estimate, mean.std_error

    discounted = f"discounted at {rate:g} per time unit, " if rate else ""
    estimand = f"difference in restricted mean time, {discounted}as assigned"
    unit = f"{test.time_unit} per customer"
    quantity = _Quantity("time as a customer", unit, estimand, area, lambda curve: [_lost(curve, horizon)])
    rows = _effects(test, quantity, horizon, level)
    if money is None:
        return rows
    money.check_arms(list(test.curves))
    return [priced(row, money, arm, test.plan.control) for row, arm in zip(rows, test.treated, strict=True)]


def incremental_value(
    test: ContractTest,
    money: Money,
    *,
    horizon: float,
    rate: float,
    residual_lifetime: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Money gained per customer of each arm: what was observed, and, apart from it, what a model adds beyond.

    Parameters
    ----------
    test, money, horizon, rate, level
        As in :func:`time_kept`.
    residual_lifetime
        Discounted time that a customer who is there at the horizon will still stay, counted from the horizon: a
        model's expectation, taken as the same in all arms. Without it there is no tail.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm``: ``observed, observed_lower, observed_upper`` (net of cost, to the horizon) and with
        ``residual_lifetime`` also ``tail, tail_lower, tail_upper``: margin x difference of the curves at the horizon x
        residual lifetime x exp(-rate x horizon). The tail's interval holds no error of the model. ``attrs["checks"]``
        holds those of the test.
    """
    longer = time_kept(test, horizon=horizon, rate=rate, money=money, level=level)
    columns = ["observed", "observed_lower", "observed_upper"]
    table = pd.DataFrame([row.priced for row in longer], index=pd.Index(test.treated, name="arm"), columns=columns)
    table.attrs["checks"] = [asdict(check) for check in test.checks]
    if residual_lifetime is None:
        return table
    worth = money.worth * residual_lifetime * math.exp(-rate * horizon)
    stayed = share_kept(test, horizon=horizon, level=level)
    ends = {"tail": "estimate", "tail_lower": "lower", "tail_upper": "upper"}
    return table.assign(**{name: [worth * getattr(row, end) for row in stayed] for name, end in ends.items()})


@dataclass(frozen=True, slots=True)
class _Quantity:
    """What is read off a curve, with its standard error, how it is called, and the customers who it stands on."""

    outcome: str
    unit: str
    estimand: str
    read: Callable[[Curve], tuple[float, float]]
    counts: Callable[[Curve], list[float]]


def _lost(curve: Curve, horizon: float) -> float:
    """How many left up to a horizon."""
    return float(curve.lost[curve.tenure <= horizon].sum())


def _lost_at(curve: Curve, horizon: float) -> float:
    return float(curve.lost[curve.tenure == horizon].sum())


def _effects(test: ContractTest, quantity: _Quantity, horizon: float, level: float) -> list[Effect]:
    """Each treated arm's row: what is read off its curve less what is read off the control's."""
    control, control_error = quantity.read(test.curves[test.plan.control])
    rows = []
    for arm in test.treated:
        treated, treated_error = quantity.read(test.curves[arm])
        std_error = math.hypot(treated_error, control_error)
        lower, upper = Estimate(treated - control, std_error, math.inf).interval(level)
        if std_error == 0:
            lower, upper = _without_spread(test, quantity, arm, (treated, control), horizon, level)
            std_error = max(treated - control - lower, upper - treated + control) / float(ndtri((1 + level) / 2))
        pair = [*quantity.counts(test.curves[arm]), *quantity.counts(test.curves[test.plan.control])]
        rows.append(
            Effect(
                intervention=f"{test.plan.name}: {arm}" if test.plan.name else arm,
                outcome=quantity.outcome,
                unit=quantity.unit,
                estimand=quantity.estimand,
                scale="difference",
                estimate=treated - control,
                std_error=std_error,
                lower=lower,
                upper=upper,
                level=level,
                horizon=f"{horizon:g} {test.time_unit}",
                population=test.plan.population,
                n=test.sizes[arm] + test.sizes[test.plan.control],
                design="randomised",
                checks=(*test.checks, integrity.events_check(pair, quantity.outcome)),
            )
        )
    return rows


def _without_spread(
    test: ContractTest, quantity: _Quantity, arm: str, values: tuple[float, float], horizon: float, level: float
) -> tuple[float, float]:
    """The interval where nobody left, or everybody: Newcombe's for shares, of the customers followed so long."""
    control = test.plan.control
    if quantity.unit != "share of customers":
        raise ValueError(
            f"{quantity.outcome} is the same for every customer of {control} and {arm} up to {horizon:g} "
            f"{test.time_unit}: there is nothing to compare; choose a later horizon"
        )
    sizes = [max(sum(quantity.counts(test.curves[name])), 1.0) for name in (arm, control)]
    return newcombe((values[0], sizes[0]), (values[1], sizes[1]), level)


def _require_observed(test: ContractTest, horizon: float) -> None:
    for arm, curve in test.curves.items():
        if horizon > curve.tenure[-1] and curve.survival[-1] > 0:
            raise ValueError(
                f"nobody in {arm} was observed for longer than {curve.tenure[-1]:g} {test.time_unit}; "
                f"choose a horizon up to that, not {horizon:g}"
            )
