"""A randomised test: who was assigned to what, and the means of each arm, from rows, sums, counts or means.

Whatever the source, an experiment is reduced to its cells; the comparisons of its arms need nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.arms import experiment_checks
from retention_models.interventions.arms.cells import ArmMeans, Cell, arm_means, cell_of_customers, cells_of_sums
from retention_models.interventions.arms.customer_rows import Rows, capped, read_rows
from retention_models.tables.engines import collect, open_frame


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Presentation):
    """What was decided before the first customer was assigned.

    Attributes
    ----------
    control
        The arm that the others are compared with; of arms 0 and 1, or true and false, the number or truth value.
    shares
        The planned share of each arm, in any unit: ``{"control": 1, "mail": 2}``. Without it the sample ratio cannot
        be checked, and the evidence says so.
    unit
        What was assigned at random: ``customer``, ``household``, ``store``. If not the customer, standard errors
        need the clusters; without them a check fails.
    name
        What the test is called; stands before the arm in the evidence.
    population
        Whom it speaks of.
    """

    control: str
    shares: Mapping[str, float] | None = None
    unit: str = "customer"
    name: str = ""
    population: str = "all assigned customers"

    def __post_init__(self) -> None:
        object.__setattr__(self, "control", str(self.control))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Experiment(Presentation):
    """The arms of a randomised test, reduced to their means and how sure these are.

    Made by ``from_rows``, ``from_sums``, ``from_counts`` or ``from_means``; immutable.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> cards = pd.DataFrame({"arm": ["8 stamps", "10 stamps, 2 given"], "n": [150, 150], "completed": [28, 51]})
    >>> test = rm.Experiment.from_counts(cards, rm.Plan(control="8 stamps"), outcome="completed")
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
    ) -> Self:
        """An experiment from one row a customer, on any engine; the rows stay where they are.

        Parameters
        ----------
        rows
            A pandas or Polars frame, a DuckDB relation, a Spark frame, or the path of a CSV or Parquet file.
        plan
            What was decided before.
        arm
            The column that says to which arm a customer was *assigned* (not what was delivered).
        outcomes
            Columns measured after the assignment: numbers, or true/false.
        covariates
            Columns known before it, for adjustment and the balance check.
        cluster
            The column of the household, store or team that was assigned as a whole. With ``cluster="customer_id"``
            a row may be an order or visit.
        block
            The column within whose values the assignment was made.
        caps, winsorise
            Ceilings for heavy-tailed columns: a fixed amount, or a quantile of all arms together such as 0.999. What
            was cut is stated in a check, and the uncut comparison next to it.
        customer_id
            Checked for repeats where there is such a column; None leaves that out.
        """
        names = _names(outcomes, covariates)
        table = read_rows(rows, names, arm=arm, cluster=cluster, block=block, customer_id=customer_id)
        ceilings = {}
        for name, rule in _ceiling_rules(names, caps or {}, winsorise or {}):
            table, ceilings[name] = capped(table, name, **rule)
        cells = table.cells()
        checks = _checks(cells, plan, clustered=cluster is not None) + _balance(cells, names, covariates)
        return cls(plan, table.names, cells, checks, ceilings, table, tuple(covariates))

    @classmethod
    def from_sums(cls, sums: Any, plan: Plan, *, columns: Sequence[str], covariates: Sequence[str] = ()) -> Self:
        """An experiment from sums, as a GROUP BY gives them.

        Parameters
        ----------
        sums
            A frame with ``arm``, ``n`` (customers), for each column its sum, and the sums of products as
            ``"spend*spend"``, ``"spend*history"``; one row an arm, or an arm in a ``block``. With a column
            ``cluster``, one row a cluster, and no products are needed.
        plan
            What was decided before.
        columns
            The columns measured after the assignment.
        covariates
            Columns known before it, for adjustment and the balance check; their sums as those of the others.
        """
        columns = _names(columns, covariates)
        table = collect(open_frame(sums))
        renamed = {name: f"v{i}" for i, name in enumerate(columns)}
        for i, first in enumerate(columns):
            for j in range(i, len(columns)):
                there = [f"{first}*{columns[j]}", f"{columns[j]}*{first}"]
                renamed |= {name: f"p{i}_{j}" for name in there if name in table}
        clustered = "cluster" in table
        wanted = ["arm", "n", *columns]
        if not clustered:
            wanted += [f"{a}*{b}" for i, a in enumerate(columns) for b in columns[i:] if f"{b}*{a}" not in table]
        table = experiment_checks.require_sums(table, wanted)
        table = table.rename(columns=renamed).assign(block=table["block"].astype(str) if "block" in table else "")
        cells = cells_of_sums(table, len(columns), np.zeros(len(columns)))
        checks = _checks(cells, plan, clustered=clustered) + _balance(cells, columns, covariates)
        return cls(plan, columns, cells, checks, covariates=tuple(covariates))

    @classmethod
    def from_counts(cls, counts: Any, plan: Plan, *, outcome: str) -> Self:
        """An experiment from counts: a frame with ``arm``, ``n`` customers, and how many of them did it."""
        table = collect(open_frame(counts))
        table = experiment_checks.require_sums(table, ["arm", "n", outcome])
        experiment_checks.require_counts(table, outcome)
        return cls.from_sums(table.assign(**{f"{outcome}*{outcome}": table[outcome]}), plan, columns=[outcome])

    @classmethod
    def from_means(cls, means: Any, plan: Plan, *, outcome: str) -> Self:
        """An experiment from a frame with ``arm``, ``n``, ``mean`` and ``std_dev`` (the customers', divisor n - 1)."""
        table = collect(open_frame(means))
        table = experiment_checks.require_sums(table, ["arm", "n", "mean", "std_dev"])
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
        """The arms, control first."""
        return tuple(dict.fromkeys([self.plan.control, *(cell.arm for cell in self.cells)]))

    def n(self, *arms: str) -> int:
        """How many customers were assigned to these arms."""
        return sum(cell.n for cell in self.cells if cell.arm in arms)

    def treated_arm(self, arm: str | None) -> str:
        """The arm asked for, which may be left open where there is only one beside the control."""
        others = self.arms[1:]
        if arm is None and len(others) > 1:
            raise ValueError(f"say which arm is meant: arm= one of {', '.join(others)}")
        if arm is not None and arm not in others:
            raise ValueError(f"the arm {arm!r} is none of {', '.join(others)}")
        return arm or others[0]

    def arm_means(self, arm: str) -> ArmMeans:
        """The means of one arm over all blocks."""
        return arm_means(self.cells, arm)

    def table(self) -> pd.DataFrame:
        """Customers, assigned units and the mean of each column, one row an arm; its ``attrs`` hold the ``checks``."""
        rows = [
            {"arm": arm, "customers": self.n(arm), "units": sum(cell.units for cell in self.cells if cell.arm == arm)}
            | dict(zip(self.columns, self.arm_means(arm).mean.tolist(), strict=True))
            for arm in self.arms
        ]
        table = pd.DataFrame(rows).set_index("arm")
        table.attrs["checks"] = [asdict(check) for check in self.checks]
        return table


def _names(outcomes: Sequence[str], covariates: Sequence[str]) -> tuple[str, ...]:
    """All measured columns; what was known before the assignment is no outcome of it."""
    both = [name for name in covariates if name in outcomes]
    if both:
        raise ValueError(
            f"{', '.join(both)}: an outcome is measured after the assignment, a covariate before; name one"
        )
    return tuple(dict.fromkeys([*outcomes, *covariates]))


def _balance(cells: Sequence[Cell], names: Sequence[str], covariates: Sequence[str]) -> tuple[Check, ...]:
    """The check of what was known before the assignment, where anything was."""
    return (experiment_checks.balance(cells, [names.index(name) for name in covariates]),) if covariates else ()


def _checks(cells: Sequence[Cell], plan: Plan, *, clustered: bool) -> tuple[Check, ...]:
    """Whether the test was run as planned, as far as the cells can tell."""
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
    wrong = [q for q in winsorise.values() if not 0.5 < q < 1]
    if wrong:
        raise ValueError(f"winsorise takes quantiles between 0.5 and 1, such as 0.999; got {wrong[0]!r}")
    fixed: list[tuple[str, dict[str, float]]] = [(name, {"at": float(at)}) for name, at in caps.items()]
    return fixed + [(name, {"quantile": float(q)}) for name, q in winsorise.items()]
