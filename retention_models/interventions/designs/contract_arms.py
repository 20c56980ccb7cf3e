"""The arms of a test of customers with contracts: their survival curves since the assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_text, require_texts, require_type
from retention_models.core.check import Check
from retention_models.core.dates import check_time_unit, unit_plural
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.experiment import UNIVERSAL_CONTROL, Plan
from retention_models.interventions.designs.contract_cells import ContractCell, cells_of_groups, survival_at
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
        Arm to the Kaplan-Meier curve of all its customers since the assignment.
    sizes
        Arm to its number of customers.
    time_unit
        The unit of tenure, such as ``"M"``.
    checks
        Checks of the sample ratio and the unit of assignment.
    cells
        The customers of each arm in each block, from which effects are computed.
    cost_columns
        Names of the measured columns that costs count.
    """

    plan: Plan
    curves: Mapping[str, Curve]
    sizes: Mapping[str, int]
    time_unit: str
    checks: tuple[Check, ...]
    cells: tuple[ContractCell, ...]
    cost_columns: tuple[str, ...] = ()

    def _parts(self) -> Sequence[Part]:
        arms = f"{sum(self.sizes.values()):,} customers in {len(self.curves)} arms"
        headline = f"Contract test: {arms}, compared with {self.plan.control}; time in {unit_plural(self.time_unit)}."
        sizes = pd.DataFrame({"customers": self.sizes}).rename_axis("arm")
        return [headline, sizes, *(str(check) for check in self.checks if not check.passed)]

    @property
    def treated_arms(self) -> list[str]:
        """The arms beside the control."""
        return [arm for arm in self.curves if arm != self.plan.control]

    @property
    def is_clustered(self) -> bool:
        """Whether clusters were assigned."""
        return self.cells[0].cluster is not None


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
    cost_columns: Sequence[str] = (),
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
    cost_columns
        Columns that the ``contacts`` and ``redemptions`` of ``Costs`` name: numbers per customer, 0 or more. With
        ``weight``, each customer of a row has these numbers. None by default.

    Returns
    -------
    ContractExperiment
        Survival curves, numbers of customers and checks.

    Raises
    ------
    ValueError
        When a column is missing or has gaps, a time or a number of contacts or redemptions is negative, ``churned`` is
        not 0 or 1, there is no control arm, or the time unit is missing or unknown. When a cluster has customers in
        more than one arm or block, an arm has fewer than 2 clusters, or a block lacks an arm.

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
            "assigned_by='choice' cannot be judged by contracts since the start of observation: who joined later must "
            "have stayed until then (immortal time)"
        )
    cluster, block = plan.cluster if cluster is None else cluster, plan.block if block is None else block
    required = {"arm": arm, "tenure": tenure, "churned": churned}
    optional = {"weight": weight, "cluster": cluster, "block": block}
    named = {role: name for role, name in optional.items() if name is not None}
    for role, name in (required | named).items():
        require_text(role, name)
    require_texts("cost_columns", cost_columns, "['redeemed']")
    returned: tuple[Check, ...] = ()
    if isinstance(spells, Spells):
        also = [*(named[role] for role in ("cluster", "block") if role in named), *cost_columns]
        spells, returned = spells_since_observation(spells, arm, time_unit, weight, also)
        time_unit, required = DAYS, {"arm": arm, "tenure": "tenure", "churned": "churned"}
    if time_unit is None:
        raise ValueError("say the unit of tenure, such as time_unit='M'")
    check_time_unit(time_unit)
    table = _read_groups(spells, required | named, cost_columns)
    if plan.universal_control > 0:
        table = table[table["arm"] != UNIVERSAL_CONTROL]
    _check_groups(table, required | named, cost_columns)
    cells = cells_of_groups(table, len(cost_columns))
    curves = {
        str(name): kaplan_meier(part["tenure"], part["churned"], weight=part["n"])
        for name, part in table.groupby("arm")
    }
    sizes = {name: int(table.loc[table["arm"] == name, "n"].sum()) for name in curves}
    checks = _checks(cells, sizes, plan)
    return ContractExperiment(plan, curves, sizes, time_unit, checks + returned, cells, tuple(cost_columns))


def _read_groups(source: Any, columns: Mapping[str, str], cost_columns: Sequence[str]) -> pd.DataFrame:
    """Customers counted by arm, block, cluster, tenure and churn, with sums and products of the cost columns.

    ``columns`` is role to name. Besides the columns of ``cells_of_groups``, a group has its number of ``rows``, and of
    those without a valid weight (``bad``) or number in a cost column (``bad0``, ``bad1``, ...).
    """
    keys = [role for role in ("arm", "block", "cluster", "tenure", "churned") if role in columns]
    numbers = {f"c{i}": name for i, name in enumerate(cost_columns)}
    kinds: dict[str, Kind] = {"arm": "text", "block": "text", "cluster": "text", "tenure": "number"}
    kinds |= {"churned": "measure", "weight": "number", **dict.fromkeys(numbers, "measure")}
    weight = nw.col("weight")
    terms = {"n": weight, "bad": _is_no_number(weight)}
    for i, first in enumerate(numbers):
        terms |= {f"v{i}": weight * nw.col(first), f"bad{i}": _is_no_number(nw.col(first))}
        terms |= {f"p{i}_{j}": weight * nw.col(first) * nw.col(f"c{j}") for j in range(i, len(numbers))}
    with naming(source):
        rows = open_log(source, {**columns, **numbers}, kinds, where="the test").lazy()
        rows = rows if "weight" in columns else rows.with_columns(weight=nw.lit(1.0))
        rows = rows.select(*keys, *(term.alias(name) for name, term in terms.items()))
        table = collect(rows.group_by(keys).agg(nw.len().alias("rows"), *(nw.col(name).sum() for name in terms)))
    return (table if "block" in columns else table.assign(block="")).sort_values(keys)


def _is_no_number(column: nw.Expr) -> nw.Expr:
    """1 where a number is missing, negative or not finite, else 0."""
    return (~(column.is_finite() & (column >= 0))).fill_null(value=True).cast(nw.Int64)


def _check_groups(table: pd.DataFrame, columns: Mapping[str, str], cost_columns: Sequence[str]) -> None:
    """Raise a ValueError unless weights, cost columns, arms, times and clusters are valid."""
    rules = {"bad": (columns.get("weight"), "it says how many customers share a row")}
    remedy = "write how many each customer had, 0 for none"
    rules |= {f"bad{i}": (name, remedy) for i, name in enumerate(cost_columns)}
    for flag, (name, what) in rules.items():
        bad, rows = int(table[flag].sum()), int(table["rows"].sum())
        if bad:
            raise ValueError(f"{name} is missing, negative or not finite in {bad:,} of {rows:,} rows; {what}")
    customers = int(table["n"].sum())
    for role in ("arm", "block", "cluster", "tenure", "churned"):
        gaps = int(table.loc[table[role].isna(), "n"].sum()) if role in columns else 0
        if gaps:
            raise ValueError(
                f"{columns[role]} is missing for {gaps:,} of {customers:,} customers; fill it in: leaving such "
                "customers out would undo the random assignment"
            )
    wrong = table.loc[~table["churned"].isin([0, 1]) | (table["tenure"] < 0), "n"].sum()
    if wrong:
        raise ValueError(
            f"tenure is negative, or churned neither 0 nor 1, for {int(wrong):,} of {customers:,} "
            "customers; tenure counts from the assignment"
        )
    if "cluster" in columns:
        _check_clusters(table, columns["cluster"])


def _check_clusters(table: pd.DataFrame, name: str) -> None:
    """Raise a ValueError unless every cluster lies in one arm and one block."""
    places = table[["cluster", "arm", "block"]].drop_duplicates()
    repeated = places.loc[places["cluster"].duplicated(), "cluster"].unique()
    if len(repeated):
        raise ValueError(
            f"{name}: {len(repeated):,} of {places['cluster'].nunique():,} clusters (first: {repeated[0]}) have "
            "customers in more than one arm or block; a cluster is assigned as a whole, so name the column of the unit "
            "that was assigned"
        )


def _checks(cells: Sequence[ContractCell], sizes: Mapping[str, int], plan: Plan) -> tuple[Check, ...]:
    """The checks of an experiment, from its cells."""
    experiment_checks.require_comparison(list(sizes), plan.control)
    means = [cell.means(survival_at(cell.curve, 0)) for cell in cells]
    experiment_checks.require_blocks(means)
    if cells[0].cluster is not None:
        return experiment_checks.checks_of_clusters(means, plan.shares, plan.unit)
    return experiment_checks.checks_of_customers(sizes, plan.shares, plan.unit)


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
    return rows.to_native(), ((Check("returns", None, detail),) if later else ())
