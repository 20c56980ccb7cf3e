"""A test of several arms: the assignment and the means of each arm, from rows, sums, counts or means.

Every source is reduced to cells. The comparisons of the arms need nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self, Unpack, cast

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_number, require_text, require_texts, require_type
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.cells import ArmMeans, Cell, arm_means, cell_of_customers, cells_of_sums
from retention_models.interventions.arms.customer_rows import (
    Rows,
    cap_column,
    read_rows,
    require_joined_before,
    without_arm,
)
from retention_models.interventions.arms.plan import UNIVERSAL_CONTROL, Plan
from retention_models.tables.engines import column_names
from retention_models.tables.reading import TextReading


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Experiment(Presentation):
    """A test, reduced to the means of its arms and their covariance.

    ``from_rows``, ``from_sums``, ``from_counts`` and ``from_means`` create it. It is immutable.

    Attributes
    ----------
    plan
        The plan of the test.
    columns
        Names of the measured columns.
    cells
        Means and covariance of the columns in each arm and block.
    checks
        Checks of the sample ratio, the unit of assignment and the balance.
    ceilings
        Capped column to a description of its ceiling.
    rows
        The customer rows on their engine; None unless the experiment was created by ``from_rows``.
    covariates
        Names of the columns known before the assignment.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> cards = pd.DataFrame({"arm": ["8 stamps", "10 stamps, 2 given"], "n": [150, 150], "completed": [28, 51]})
    >>> test = rm.Experiment.from_counts(cards, rm.Plan(assigned_by="random", control="8 stamps"), outcome="completed")
    >>> test.table()
                        customers  units  completed
    arm
    8 stamps                  150    150   0.186667
    10 stamps, 2 given        150    150   0.340000
    """

    plan: Plan
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    checks: tuple[Check, ...] = ()
    ceilings: Mapping[str, str] = field(default_factory=dict)
    rows: Rows | None = None
    covariates: tuple[str, ...] = ()

    @classmethod
    def from_rows(
        cls,
        rows: Any,
        plan: Plan,
        *,
        arm: str,
        outcomes: Sequence[str],
        covariates: Sequence[str] = (),
        cluster: str | None = None,
        block: str | None = None,
        caps: Mapping[str, float] | None = None,
        winsorise: Mapping[str, float] | None = None,
        customer_id: str | None = "customer_id",
        joined: str | None = None,
        **reading: Unpack[TextReading],
    ) -> Self:
        """An experiment from customer rows on any engine; the rows remain where they are.

        Parameters
        ----------
        rows
            A frame or the path of files, as in ``read_transactions``.
        plan
            The plan of the test.
        arm
            The column with the arm to which a customer was *assigned*, not what was delivered.
        outcomes
            Columns measured after the assignment, with numbers or true and false.
        covariates
            Columns known before the assignment, for adjustment and the balance check. None by default.
        cluster
            The column of the household, store or team that was assigned as a whole. With ``cluster="customer_id"`` a
            row may be an order or a visit. By default None: customers were assigned.
        block
            The column within whose values customers were randomised. By default None: no blocks.
        caps
            Column to a fixed ceiling, for columns with extreme values. A check compares the result with the uncut one.
        winsorise
            Column to the quantile of all arms together at which it is cut, such as 0.999.
        customer_id
            The column that must not contain a customer twice, if it exists. None skips this check.
        joined
            The column with the day on which a customer joined, missing for those who did not. Needed where customers
            chose themselves (``assigned_by="choice"``). All must have joined before ``plan.measured_from``: who joins
            later must have stayed until then, which makes any programme look good (immortal time).
        **reading
            How to read a file or text: ``date_format``, ``decimal``, ``separator``, ``no_header``, ``encoding``, as in
            ``read_transactions``.

        Returns
        -------
        Experiment
            The means of each arm and block, with the checks.

        Raises
        ------
        TypeError
            When ``rows`` is neither a frame nor the path of a file.
        ValueError
            When a column is missing, is not numeric or has gaps; when a customer has two rows; when an arm is missing
            or has fewer than 2 units; when a ceiling is not valid.
        """
        require_type("plan", plan, Plan)
        names = _names(outcomes, covariates)
        cluster, block = plan.cluster if cluster is None else cluster, plan.block if block is None else block
        if plan.assigned_by == "choice":
            require_joined_before(rows, joined, cast("dt.date | None", plan.measured_from), **reading)
        table = read_rows(rows, names, arm=arm, cluster=cluster, block=block, customer_id=customer_id, **reading)
        if plan.universal_control > 0:
            table = without_arm(table, UNIVERSAL_CONTROL)
        ceilings = {}
        for name, rule in _ceiling_rules(names, caps or {}, winsorise or {}):
            table, ceilings[name] = cap_column(table, name, **rule)
        cells = table.cells()
        checks = _checks(cells, plan, clustered=cluster is not None) + _balance(cells, names, covariates)
        return cls(plan, table.names, cells, checks, ceilings, table, tuple(covariates))

    @classmethod
    def from_sums(cls, sums: Any, plan: Plan, *, columns: Sequence[str], covariates: Sequence[str] = ()) -> Self:
        """An experiment from sums, as a SQL query with GROUP BY returns them.

        Parameters
        ----------
        sums
            A frame or file: ``arm``, ``n`` (customers), the sum of each column, and the sums of products as
            ``"spend*spend"``, ``"spend*history"``. One row an arm, or an arm in a ``block``. With a column ``cluster``,
            one row a cluster without products.
        plan
            The plan of the test.
        columns
            The columns measured after the assignment.
        covariates
            Columns known before the assignment, for adjustment and the balance check, with the same sums. None by
            default.

        Returns
        -------
        Experiment
            The means of each arm and block, with the checks.

        Raises
        ------
        ValueError
            When a column is missing or has gaps, an arm has two rows, ``n`` is not a whole number, or the sums
            contradict each other.
        """
        _require_plan_of_aggregates(plan)
        columns = _names(columns, covariates)
        _require_other_names(columns)
        there = column_names(sums)
        renamed = {name: f"v{i}" for i, name in enumerate(columns)}
        for i, first in enumerate(columns):
            for j in range(i, len(columns)):
                products = [f"{first}*{columns[j]}", f"{columns[j]}*{first}"]
                renamed |= {name: f"p{i}_{j}" for name in products if name in there}
        clustered = "cluster" in there
        wanted = ["arm", "n", *columns]
        if not clustered:
            pairs = [(a, b) for i, a in enumerate(columns) for b in columns[i:]]
            wanted += [f"{b}*{a}" if f"{b}*{a}" in there else f"{a}*{b}" for a, b in pairs]
        table = _planned_arms(experiment_checks.read_sums(sums, wanted, optional=("block", "cluster")), plan)
        table = table.rename(columns=renamed).assign(block=table.get("block", ""))
        cells = cells_of_sums(table, len(columns), np.zeros(len(columns)))
        checks = _checks(cells, plan, clustered=clustered) + _balance(cells, columns, covariates)
        return cls(plan, columns, cells, checks, covariates=tuple(covariates))

    @classmethod
    def from_counts(cls, counts: Any, plan: Plan, *, outcome: str) -> Self:
        """An experiment from the number of customers with a binary outcome in each arm.

        Parameters
        ----------
        counts
            A frame or file with one row an arm: ``arm``, ``n`` (customers), and a column with the number of those with
            the outcome.
        plan
            The plan of the test.
        outcome
            Name of that column.

        Returns
        -------
        Experiment
            The share of customers with the outcome in each arm, with the checks.

        Raises
        ------
        ValueError
            When a count is not a whole number from 0 to ``n``, or as in ``from_sums``.
        """
        _require_plan_of_aggregates(plan)
        require_text("outcome", outcome)
        _require_other_names([outcome])
        table = experiment_checks.read_sums(counts, ["arm", "n", outcome])
        experiment_checks.require_counts(table, outcome)
        return cls.from_sums(table.assign(**{f"{outcome}*{outcome}": table[outcome]}), plan, columns=[outcome])

    @classmethod
    def from_means(cls, means: Any, plan: Plan, *, outcome: str) -> Self:
        """An experiment from the mean and standard deviation of an outcome in each arm.

        Parameters
        ----------
        means
            A frame or file with one row an arm: ``arm``, ``n``, ``mean`` and ``std_dev`` (of single customers, divisor
            n - 1).
        plan
            The plan of the test.
        outcome
            Name of the outcome.

        Returns
        -------
        Experiment
            The mean of each arm, with the checks.

        Raises
        ------
        ValueError
            When a column is missing or has gaps, or a standard deviation is below 0.
        """
        _require_plan_of_aggregates(plan)
        require_text("outcome", outcome)
        table = _planned_arms(experiment_checks.read_sums(means, ["arm", "n", "mean", "std_dev"]), plan)
        negative = table["std_dev"] < 0
        if negative.any():
            raise ValueError(f"std_dev is below 0 in {negative.sum()} of {len(table)} rows; a spread is 0 or more")
        scatter = (table["n"] - 1) * table["std_dev"] ** 2
        cells = tuple(
            cell_of_customers(str(arm), "", int(n), np.array([mean]), np.array([[squares]]))
            for arm, n, mean, squares in zip(table["arm"], table["n"], table["mean"], scatter, strict=True)
        )
        return cls(plan, (outcome,), cells, _checks(cells, plan, clustered=False))

    def _parts(self) -> Sequence[Part]:
        name = f"Experiment {self.plan.name}".strip()
        size = f"{self.n(*self.arms):,} customers in {len(self.arms)} arms, compared with {self.plan.control}"
        return [f"{name}: {size}.", self.table(), *(str(check) for check in self.checks if not check.passed)]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, the control first."""
        return tuple(dict.fromkeys([self.plan.control, *(cell.arm for cell in self.cells)]))

    def n(self, *arms: str) -> int:
        """Number of customers assigned to these arms.

        Parameters
        ----------
        *arms
            Names of the arms; without any the number is 0.

        Returns
        -------
        int
            Number of customers.
        """
        return sum(cell.n for cell in self.cells if cell.arm in arms)

    def units(self, *arms: str) -> int:
        """Number of units, customers or clusters, assigned to these arms.

        Parameters
        ----------
        *arms
            Names of the arms; without any the number is 0.

        Returns
        -------
        int
            Number of units.
        """
        return sum(cell.units for cell in self.cells if cell.arm in arms)

    def treated_arm(self, arm: str | None) -> str:
        """The treated arm, which is optional if there is only one.

        Parameters
        ----------
        arm
            Name of the arm, or None.

        Returns
        -------
        str
            Name of the arm.

        Raises
        ------
        ValueError
            When ``arm`` is None with several arms, or is not a treated arm.
        """
        others = self.arms[1:]
        if arm is None and len(others) > 1:
            raise ValueError(f"state the arm: arm= one of {', '.join(others)}")
        if arm is not None and arm not in others:
            raise ValueError(f"the arm {arm!r} is not one of {', '.join(others)}")
        return arm or others[0]

    def arm_means(self, arm: str) -> ArmMeans:
        """The means of one arm over all blocks.

        Parameters
        ----------
        arm
            Name of the arm.

        Returns
        -------
        ArmMeans
            The cells of the arm, weighted by the share of each block (post-stratification).
        """
        return arm_means(self.cells, arm)

    def table(self) -> pd.DataFrame:
        """Customers, assigned units and the mean of each column, one row an arm.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``arm``, the control first; ``attrs["checks"]`` contains the checks.
        """
        rows = [
            {"arm": arm, "customers": self.n(arm), "units": self.units(arm)}
            | dict(zip(self.columns, self.arm_means(arm).mean.tolist(), strict=True))
            for arm in self.arms
        ]
        table = pd.DataFrame(rows).set_index("arm")
        table.attrs["checks"] = [asdict(check) for check in self.checks]
        return table


def _planned_arms(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The rows of the arms of a test, without a universal control group if the plan has one."""
    return table[table["arm"] != UNIVERSAL_CONTROL] if plan.universal_control > 0 else table


def _require_other_names(columns: Sequence[str]) -> None:
    """Raise a ValueError if a measured column has the name of a column that a table of sums has anyway."""
    for name in columns:
        if name in ("arm", "n", "block", "cluster"):
            raise ValueError(
                f"{name!r} is a column of every table of sums, so it cannot be an outcome; rename the outcome"
            )


def _require_plan_of_aggregates(plan: object) -> None:
    """An error for a plan that needs the rows of single customers."""
    require_type("plan", plan, Plan)
    if cast(Plan, plan).assigned_by == "choice":
        raise ValueError(
            "assigned_by='choice' needs the rows of single customers with the day on which each joined "
            "(Experiment.from_rows with joined): who joins while outcomes are measured must have stayed until then"
        )


def _names(outcomes: Sequence[str], covariates: Sequence[str]) -> tuple[str, ...]:
    """Names of all measured columns; a ValueError if one is no text, or a covariate is also an outcome."""
    require_texts("outcomes", outcomes, "['bought']")
    require_texts("covariates", covariates, "['bought_before']")
    if not outcomes:
        raise ValueError("no outcome is named; name the columns that were measured after the assignment")
    both = [name for name in covariates if name in outcomes]
    if both:
        raise ValueError(
            f"{', '.join(both)}: an outcome is measured after the assignment, a covariate before; name one"
        )
    return tuple(dict.fromkeys([*outcomes, *covariates]))


def _balance(cells: Sequence[Cell], names: Sequence[str], covariates: Sequence[str]) -> tuple[Check, ...]:
    """The balance check, if there are covariates."""
    return (experiment_checks.balance(cells, [names.index(name) for name in covariates]),) if covariates else ()


def _checks(cells: Sequence[Cell], plan: Plan, *, clustered: bool) -> tuple[Check, ...]:
    """The checks of an experiment, from its cells."""
    experiment_checks.require_comparison(experiment_checks.arm_names(cells), plan.control)
    experiment_checks.require_blocks(cells)
    if clustered:
        return experiment_checks.checks_of_clusters(cells, plan.shares, plan.unit)
    sizes = {arm: sum(cell.n for cell in cells if cell.arm == arm) for arm in experiment_checks.arm_names(cells)}
    return experiment_checks.checks_of_customers(sizes, plan.shares, plan.unit)


def _ceiling_rules(
    names: Sequence[str], caps: Mapping[str, float], winsorise: Mapping[str, float]
) -> list[tuple[str, dict[str, float]]]:
    """Column and rule of each ceiling, checked."""
    for name in [*caps, *winsorise]:
        if name not in names or (name in caps and name in winsorise):
            raise ValueError(f"{name}: a ceiling needs one of the measured columns ({', '.join(names)}), and one rule")
    for name, ceiling in caps.items():
        require_number(f"the ceiling of {name} in caps", ceiling)
    for name, quantile in winsorise.items():
        require_number(f"the quantile of {name} in winsorise", quantile, 0.5, 1, inside=True)
    fixed: list[tuple[str, dict[str, float]]] = [(name, {"ceiling": float(ceiling)}) for name, ceiling in caps.items()]
    return fixed + [(name, {"quantile": float(q)}) for name, q in winsorise.items()]
