"""The arms of a test of customers with contracts: their survival curves since the assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_text, require_type
from retention_models.core.check import Check
from retention_models.core.dates import check_time_unit, unit_plural
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.plan import Plan
from retention_models.logs.contracts.log import Spells
from retention_models.survival.curves import Curve, kaplan_meier
from retention_models.tables.engines import open_log
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import as_lazy, collect


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContractExperiment(Presentation):
    """A randomised test of customers with contracts; ``contract_experiment`` creates it.

    Attributes
    ----------
    plan
        The plan of the test.
    curves
        Arm to its Kaplan-Meier curve since the assignment.
    sizes
        Arm to its number of customers.
    time_unit
        The unit of tenure, such as ``"M"``.
    checks
        Checks of the sample ratio and the unit of assignment.
    """

    plan: Plan
    curves: Mapping[str, Curve]
    sizes: Mapping[str, int]
    time_unit: str
    checks: tuple[Check, ...]

    def _parts(self) -> Sequence[Part]:
        arms = f"{sum(self.sizes.values()):,} customers in {len(self.curves)} arms"
        headline = f"Contract test: {arms}, compared with {self.plan.control}; time in {unit_plural(self.time_unit)}."
        sizes = pd.DataFrame({"customers": self.sizes}).rename_axis("arm")
        return [headline, sizes, *(str(check) for check in self.checks if not check.passed)]

    @property
    def treated_arms(self) -> list[str]:
        """The arms beside the control."""
        return [arm for arm in self.curves if arm != self.plan.control]


def contract_experiment(
    spells: Any,
    plan: Plan,
    *,
    arm: str,
    time_unit: str | None = None,
    tenure: str = "tenure",
    churned: str = "churned",
    weight: str | None = None,
) -> ContractExperiment:
    """The survival curve of each arm, from one row a customer or a table of counts, on any engine.

    Parameters
    ----------
    spells
        A frame or file with the arm to which a customer was *assigned*; ``tenure``, the time from the assignment to
        the end of the contract or to the last day of observation; ``churned``, 1 or true if it ended then. Or the
        contracts that ``read_contracts`` returns, with the arm among the covariates. For these, time counts from the
        start of observation: set ``observation_start`` to the day of the assignment. If contracts were assigned when
        they began, use ``sampling="acquisition"``. Only the first spell of a customer counts, because a customer who
        returns has left before.
    plan
        The plan of the test.
    arm
        Name of the column with the arm.
    time_unit
        The unit of tenure, as in ``Terms``: ``"D"``, ``"W"``, ``"M"``, ``"Q"``, ``"Y"`` or a fixed length such as
        ``"30D"``. Required, except for ``read_contracts``, whose unit is ``"D"``.
    tenure, churned
        Names of these columns.
    weight
        The column with the number of customers of a row. By default None: one customer.

    Returns
    -------
    ContractExperiment
        Survival curves, numbers of customers and checks.

    Raises
    ------
    ValueError
        When a column is missing or has gaps, a time is negative, ``churned`` is not 0 or 1, there is no control arm, or
        the time unit is missing or unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({
    ...     "customer_id": range(8), "start": "2024-01-10", "arm": ["none", "call"] * 4,
    ...     "end": ["2024-03-11", "2024-05-30", "2024-04-10", None, None, None, "2024-03-21", None],
    ... })
    >>> days = {"observation_start": "2024-03-01", "observation_end": "2024-06-30"}
    >>> spells = rm.read_contracts(log, sampling="active_on", covariates=["arm"], **days)
    >>> test = rm.contract_experiment(spells, rm.Plan(assigned_by="random", control="none"), arm="arm")
    >>> effect = rm.interventions.retention_difference(test, horizon=60)[0]
    >>> effect.estimate, effect.horizon, effect.time_unit
    (0.75, 60, 'D')
    """
    require_type("plan", plan, Plan)
    if plan.assigned_by == "choice":
        raise ValueError(
            "assigned_by='choice' cannot be judged by contracts since the start of observation: who joined later must "
            "have stayed until then (immortal time)"
        )
    for name, column in {"arm": arm, "tenure": tenure, "churned": churned, "weight": weight}.items():
        if name != "weight" or column is not None:
            require_text(name, column)
    returned: tuple[Check, ...] = ()
    if isinstance(spells, Spells):
        spells, returned = spells_since_observation(spells, arm, time_unit, weight)
        time_unit, tenure, churned = DAYS, "tenure", "churned"
    if time_unit is None:
        raise ValueError("say the unit of tenure, such as time_unit='M'")
    check_time_unit(time_unit)
    columns = {"arm": arm, "tenure": tenure, "churned": churned} | ({"n": weight} if weight else {})
    kinds: dict[str, Kind] = {"arm": "text", "tenure": "number", "churned": "measure", "n": "number"}
    uncounted = (~(nw.col("n").is_finite() & (nw.col("n") >= 0))).fill_null(value=True).cast(nw.Int64)
    with naming(spells):
        counted = open_log(spells, columns, kinds, where="the test").lazy()
        counted = counted if weight else counted.with_columns(n=nw.lit(1.0))
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
    experiment_checks.require_comparison(list(curves), plan.control)
    checks = experiment_checks.checks_of_customers(sizes, plan.shares, plan.unit)
    return ContractExperiment(plan, curves, sizes, time_unit, checks + returned)


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


DAYS = "D"


def spells_since_observation(
    spells: Spells, arm: str, time_unit: str | None, weight: str | None
) -> tuple[Any, tuple[Check, ...]]:
    """Each customer's first spell as ``arm, tenure, churned``, with tenure since the start of observation.

    A check counts the later spells of customers who returned.

    Raises
    ------
    ValueError
        When the arm is not among the covariates, or a unit or weight is given, which such spells already have.
    """
    if arm not in spells.covariates:
        kept = ", ".join(spells.covariates) or "none"
        raise ValueError(f"{arm!r} is not among the covariates of the contracts ({kept}); read them with covariates=")
    if time_unit not in (None, DAYS) or weight is not None:
        raise ValueError(
            "contracts read by read_contracts are one spell a row, in days: leave out time_unit and weight"
        )
    frame = as_lazy(spells.frame)
    first = nw.col("spell") == nw.col("spell").min().over("customer_id")
    rows = frame.filter(first).select(arm, (nw.col("tenure") - nw.col("entry")).alias("tenure"), "churned")
    later = spells.rows - int(collect(rows.select(nw.len().alias("rows")))["rows"].iloc[0])
    detail = f"Later spells of customers who came back do not count, because they had left: {later:,}."
    return rows.to_native(), ((Check("returns", None, detail),) if later else ())
