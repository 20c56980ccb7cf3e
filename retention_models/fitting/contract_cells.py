"""A retention table with covariates, turned into the cells of its paths: what a model with covariates is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.estimation.design import Design
from retention_models.estimation.formula import columns_in, parse_formula
from retention_models.survival.covariates import Cells
from retention_models.tables.customer_table import read_covariates, read_frame, read_table


@dataclass(frozen=True, slots=True, repr=False)
class Covariates(Presentation):
    """Which columns move the mean chance to leave, which the exposure of a renewal, and which tell paths apart.

    ``designs`` make those columns that come from a formula.
    """

    churn: tuple[str, ...]
    calendar: tuple[str, ...]
    path: tuple[str, ...]
    designs: tuple[Design, ...] = ()

    @classmethod
    def from_table(cls, table: Any, churn: Sequence[str], calendar: Sequence[str], path: Sequence[str]) -> Covariates:
        """The covariates that names of columns, or formulas, mean for a table."""
        designs = {
            formula: Design.from_formula(formula, read_covariates(table, columns_in(parse_formula(formula)), formula))
            for formula in (churn, calendar)
            if isinstance(formula, str)
        }
        moved, timed = (designs[c].labels if isinstance(c, str) else tuple(c) for c in (churn, calendar))
        return cls(moved, timed, (*path, *moved), tuple(designs.values()))

    def add_design_columns(self, table: Any) -> Any:
        """The table with the columns that the designs make of it."""
        if not self.designs:
            return table
        frame = read_covariates(table, list(read_frame(table)[0].columns))
        columns = [pd.DataFrame(d.matrix(frame), columns=list(d.labels), index=frame.index) for d in self.designs]
        others = frame[[name for name in frame if all(name not in made for made in columns)]]
        return pd.concat([others, *columns], axis=1)

    def values_of_customer(self, values: dict[str, Any]) -> Array:
        """The covariates of the customers with these values; shape (k,)."""
        design = [design for design in self.designs if design.labels == self.churn]
        wanted = columns_in(parse_formula(design[0].formula)) if design else list(self.churn)
        if set(wanted) != set(values):
            named = ", ".join(wanted) or "nothing, as there are no covariates of the customers"
            raise ValueError(f"give a value for {named}; got {', '.join(values) or 'none'}")
        frame = pd.DataFrame([values])
        return np.asarray(design[0].matrix(frame)[0] if design else [float(values[name]) for name in wanted])

    @property
    def labels(self) -> list[str]:
        """The names of the coefficients."""
        return [*(f"churn[{name}]" for name in self.churn), *(f"calendar[{name}]" for name in self.calendar)]


def cells_of(table: Any, covariates: Covariates, *, ages: bool, counts: bool) -> tuple[Cells, NDArray[np.int64]]:
    """The cells by path and tenure, renewals without a row filled in, and the cell of each line of the table."""
    table = covariates.add_design_columns(table)
    numbers = ["tenure", *(["at_risk", "lost"] if counts else []), *covariates.churn, *covariates.calendar]
    read = read_table(table, numbers)
    frame = pd.DataFrame({name: column[read.row] for name, column in zip(numbers, read.columns, strict=True)})
    frame["_path"] = _paths(table, covariates.path, len(frame))
    for name in ("at_risk", "lost"):
        frame[name] = frame[name] * read.line_weight if counts else 0.0
    varying = [*covariates.churn, *covariates.calendar]
    grouped = frame.groupby(["_path", "tenure"], sort=True)
    _check_one_path(grouped[varying].nunique(), varying)
    cells = grouped[varying].first().join(grouped[["at_risk", "lost"]].sum())
    cells = _fill_renewals(cells, covariates)
    line = cells.index.get_indexer(pd.MultiIndex.from_frame(frame[["_path", "tenure"]])).astype(np.int64)
    grid = Cells(
        tenure=cells.index.get_level_values("tenure").to_numpy(dtype=float),
        at_risk=cells["at_risk"].to_numpy(),
        lost=cells["lost"].to_numpy(),
        path=cells.index.get_level_values("_path").to_numpy(),
        churn=cells[list(covariates.churn)].to_numpy(dtype=float),
        calendar=cells[list(covariates.calendar)].to_numpy(dtype=float),
        ages=ages,
    )
    return grid, line


def _paths(table: Any, names: Sequence[str], n: int) -> NDArray[np.int64]:
    """The number of each line's path."""
    if not names:
        return np.zeros(n, dtype=np.int64)
    rows = read_frame(table)[0]
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise ValueError(f"{', '.join(missing)} not in the table; path names the columns that tell calendars apart")
    labels = pd.DataFrame({str(i): rows[name].to_numpy() for i, name in enumerate(names)})
    return np.asarray(labels.groupby(list(labels.columns), sort=True, dropna=False).ngroup(), dtype=np.int64)


def _check_one_path(values: pd.DataFrame, varying: Sequence[str]) -> None:
    for name in varying:
        bad = values.index[values[name] > 1]
        if len(bad):
            raise ValueError(
                f"{name} has several values in the same path at tenure {bad[0][1]:g} ({len(bad):,} such cells); "
                "name in path the columns that tell these customers apart"
            )


def _fill_renewals(cells: pd.DataFrame, covariates: Covariates) -> pd.DataFrame:
    """The cells with those of every path from the first renewal on."""
    last = cells.reset_index().groupby("_path")["tenure"].max().astype(int)
    every = pd.MultiIndex.from_tuples(
        [(path, float(t)) for path, end in last.items() for t in range(1, end + 1)], names=["_path", "tenure"]
    )
    absent = [cell for cell in every if cell not in cells.index]
    if absent and covariates.calendar:
        raise ValueError(
            f"{len(absent):,} renewals before those of a path have no row (first: renewal {absent[0][1]:g}), and what "
            "the calendar was then is not known; add rows with at_risk 0 and lost 0"
        )
    cells = cells.reindex(every)
    counts = cells[["at_risk", "lost"]].fillna(0.0)
    return cells.groupby("_path").transform("bfill").assign(**counts)


def check_vary(cells: Cells, covariates: Covariates) -> None:
    """An error where a covariate is the same in all cells."""
    columns = np.hstack([cells.churn, cells.calendar])[cells.at_risk > 0]
    same = [
        name
        for name, column in zip((*covariates.churn, *covariates.calendar), columns.T, strict=True)
        if np.ptp(column) == 0
    ]
    if same:
        raise ValueError(f"{', '.join(same)} is the same in all cells with customers: it can explain nothing")
