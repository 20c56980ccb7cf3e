"""The arms of a test of customers with contracts: their survival curves since the assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_number, require_text, require_texts, require_type
from retention_models.core.check import Check
from retention_models.core.dates import check_time_unit, span_name, unit_plural
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.cells import Cell, cell_of_customers
from retention_models.interventions.arms.costs import position
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.plan import UNIVERSAL_CONTROL, Plan
from retention_models.interventions.designs.contract_cells import (
    RETAINED,
    TIME,
    ContractCell,
    cells_of_groups,
    observed_at,
    restricted_mean,
    survival_at,
)
from retention_models.interventions.designs.contract_rows import check_groups, read_groups
from retention_models.logs.contracts.log import Spells
from retention_models.survival.curves import Curve, kaplan_meier
from retention_models.tables.frames import as_lazy, collect


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContractExperiment(Presentation):
    """A randomised test of customers with contracts; ``contract_experiment`` creates it.

    Attributes
    ----------
    plan
        The plan of the test.
    curves
        Arm to the Kaplan-Meier curve of all its customers since the assignment.
    sizes
        Arm to its number of customers.
    time_unit
        The unit of tenure, such as ``"M"``.
    checks
        Checks of the sample ratio and the unit of assignment.
    cells
        The customers of each arm in each block, from which effects are computed.
    columns
        Names of the further measured columns.
    """

    plan: Plan
    curves: Mapping[str, Curve]
    sizes: Mapping[str, int]
    time_unit: str
    checks: tuple[Check, ...]
    cells: tuple[ContractCell, ...]
    columns: tuple[str, ...] = ()

    def _parts(self) -> Sequence[Part]:
        arms = f"{sum(self.sizes.values()):,} customers in {len(self.curves)} arms"
        headline = f"Contract test: {arms}, compared with {self.plan.control}; time in {unit_plural(self.time_unit)}."
        counts = {"customers": self.sizes} | ({"clusters": self._clusters} if self.is_clustered else {})
        sizes = pd.DataFrame(counts).rename_axis("arm")
        return [headline, sizes, *(str(check) for check in self.checks if not check.passed)]

    @property
    def treated_arms(self) -> list[str]:
        """The arms beside the control."""
        return [arm for arm in self.curves if arm != self.plan.control]

    @property
    def is_clustered(self) -> bool:
        """Whether clusters were assigned."""
        return self.cells[0].is_clustered

    def experiment_at(self, horizon: float, *, covariates: Sequence[str] = ()) -> Experiment:
        """The test as an experiment with two outcomes at a horizon, on which everything works that works on means.

        Parameters
        ----------
        horizon
            Time since the assignment, in the unit of tenure. Every arm must be observed that long.
        covariates
            Those of the further columns that were known before the assignment. None by default.

        Returns
        -------
        Experiment
            With the columns ``still a customer`` (the Kaplan-Meier curve at the horizon), ``time as a customer`` (its
            restricted mean) and the further ones. A customer's part in the first two is the pseudo-value.

        Raises
        ------
        ValueError
            When an arm was not observed up to the horizon, or a covariate was not measured.

        Notes
        -----
        Andersen, Klein & Rosthoj (2003), Biometrika 90, 15-27.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_models as rm
        >>> counts = {"tenure": [4, 12, 6, 12], "churned": [1, 0, 1, 0], "customers": [260, 240, 190, 310]}
        >>> rows = pd.DataFrame({"arm": ["none", "none", "call", "call"], **counts})
        >>> plan = rm.Plan(assigned_by="random", control="none")
        >>> test = rm.contract_experiment(rows, plan, arm="arm", weight="customers", time_unit="M")
        >>> kept = rm.Outcome(column="still a customer", unit="share of customers", horizon=12, time_unit="M")
        >>> calls = {"call": rm.Costs(contact=5.0)}
        >>> print(rm.interventions.cost_per_retained(test.experiment_at(12), kept, calls))
        call, still a customer: each additional customer cost 35.70 (24.90 to 63.40).
        """
        self.require_observed(horizon)
        columns = (RETAINED, TIME, *self.columns)
        for name in covariates:
            position(self.columns, name)
        cells = [
            _with_divisor_n_minus_1(
                cell.means(survival_at(cell.curve, horizon), restricted_mean(cell.curve, horizon, 0.0))
            )
            for cell in self.cells
        ]
        counts = [count for curve in self.curves.values() for count in observed_at(curve, horizon)]
        checks = [*self.checks, experiment_checks.events_check(counts, RETAINED)]
        if covariates:
            checks.append(experiment_checks.balance(cells, [columns.index(name) for name in covariates]))
        return Experiment(self.plan, columns, tuple(cells), tuple(checks), covariates=tuple(covariates))

    def require_observed(self, horizon: float) -> None:
        """Raise a ValueError unless every arm was observed up to the horizon, in every block."""
        require_number("horizon", horizon, 0, inside=True)
        for cell in self.cells:
            last = cell.curve.tenure[-1]
            if horizon > last and cell.curve.survival[-1] > 0:
                where = cell.arm + (f" of block {cell.block!r}" if cell.block else "")
                raise ValueError(
                    f"no customer in {where} was observed for longer than {span_name(last, self.time_unit)}; choose a "
                    f"horizon up to that, not {horizon:g}"
                )

    @property
    def _clusters(self) -> dict[str, int]:
        """Arm to its number of clusters."""
        return {arm: sum(cell.units for cell in self.cells if cell.arm == arm) for arm in self.curves}


def contract_experiment(
    spells: Any,
    plan: Plan,
    *,
    arm: str,
    time_unit: str | None = None,
    tenure: str = "tenure",
    churned: str = "churned",
    weight: str | None = None,
    cluster: str | None = None,
    block: str | None = None,
    columns: Sequence[str] = (),
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
    cluster
        The column of the household, store or team that was assigned as a whole. By default that of the plan, and if it
        has none, customers were assigned.
    block
        The column within whose values customers were randomised. By default that of the plan, and if it has none, there
        are no blocks. Effects are computed within blocks, weighted by their share of all customers.
    columns
        Further measured columns, numbers per customer: those that ``Costs`` count, and covariates. With ``weight``,
        each customer of a row has these numbers. None by default.

    Returns
    -------
    ContractExperiment
        Survival curves, numbers of customers and checks.

    Raises
    ------
    ValueError
        When a column is missing or has gaps, a time is negative, ``churned`` is not 0 or 1, there is no control arm, or
        the time unit is missing or unknown. When a cluster has customers in more than one arm or block, an arm has
        fewer than 2 clusters, or a block lacks an arm.

    Notes
    -----
    Rows with the arm ``universal control`` are left out if the plan has a universal control group.

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
            "assigned_by='choice' cannot be analysed with contracts since the start of observation: a customer who "
            "joined later must have stayed until then (immortal time)"
        )
    roles = {"arm": arm, "tenure": tenure, "churned": churned}
    cluster, block = plan.cluster if cluster is None else cluster, plan.block if block is None else block
    units = {role: name for role, name in (("cluster", cluster), ("block", block)) if name is not None}
    roles |= units | ({} if weight is None else {"weight": weight})
    for role, name in roles.items():
        require_text(role, name)
    require_texts("columns", columns, "['redeemed']")
    returned: tuple[Check, ...] = ()
    if isinstance(spells, Spells):
        also = [*units.values(), *columns]
        spells, returned = spells_since_observation(spells, arm, time_unit, weight, also)
        time_unit, roles = DAYS, roles | {"tenure": "tenure", "churned": "churned"}
    if time_unit is None:
        raise ValueError("state the unit of tenure, such as time_unit='M'")
    check_time_unit(time_unit)
    table = read_groups(spells, roles, columns)
    if plan.universal_control > 0:
        table = table[table["arm"] != UNIVERSAL_CONTROL]
    check_groups(table, roles, columns)
    table = table[table["n"] > 0]
    cells = cells_of_groups(table, len(columns))
    curves = {
        str(name): kaplan_meier(part["tenure"], part["churned"], weight=part["n"])
        for name, part in table.groupby("arm")
    }
    sizes = {name: int(table.loc[table["arm"] == name, "n"].sum()) for name in curves}
    checks = _checks(cells, sizes, plan)
    return ContractExperiment(plan, curves, sizes, time_unit, checks + returned, cells, tuple(columns))


def _checks(cells: Sequence[ContractCell], sizes: Mapping[str, int], plan: Plan) -> tuple[Check, ...]:
    """The checks of an experiment, from its cells."""
    experiment_checks.require_comparison(list(sizes), plan.control)
    means = [cell.means(survival_at(cell.curve, 0)) for cell in cells]
    experiment_checks.require_blocks(means)
    if cells[0].is_clustered:
        return experiment_checks.checks_of_clusters(means, plan.shares, plan.unit)
    return experiment_checks.checks_of_customers(sizes, plan.shares, plan.unit)


def _with_divisor_n_minus_1(cell: Cell) -> Cell:
    """A cell with the variances of an experiment, if customers were assigned one by one; Greenwood divides by n."""
    if cell.units < cell.n:
        return cell
    return cell_of_customers(cell.arm, cell.block, cell.n, cell.mean, cell.covariance * float(cell.n) ** 2)


DAYS = "D"


def spells_since_observation(
    spells: Spells, arm: str, time_unit: str | None, weight: str | None, also: Sequence[str] = ()
) -> tuple[Any, tuple[Check, ...]]:
    """Each customer's first spell as ``arm, tenure, churned``, with tenure since the start of observation.

    The columns ``also`` are kept, too. A check counts the later spells of customers who returned.

    Raises
    ------
    ValueError
        When a column is not among the covariates, or a unit or weight is given, which such spells already have.
    """
    columns = list(dict.fromkeys([arm, *also]))
    for name in columns:
        if name not in spells.covariates:
            kept = ", ".join(spells.covariates) or "none"
            raise ValueError(
                f"{name!r} is not among the covariates of the contracts ({kept}); read them with covariates="
            )
    if time_unit not in (None, DAYS) or weight is not None:
        raise ValueError(
            "contracts read by read_contracts are one spell a row, in days: leave out time_unit and weight"
        )
    frame = as_lazy(spells.frame)
    first = nw.col("spell") == nw.col("spell").min().over("customer_id")
    rows = frame.filter(first).select(*columns, (nw.col("tenure") - nw.col("entry")).alias("tenure"), "churned")
    later = spells.rows - int(collect(rows.select(nw.len().alias("rows")))["rows"].iloc[0])
    detail = f"Later spells of customers who came back do not count, because they had left: {later:,}."
    return rows.to_native(), ((Check("Returning customers", None, detail=detail),) if later else ())
