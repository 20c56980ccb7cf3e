"""Retention tables with covariates of the calendar: the cells of each path, and the fit to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.likelihood import Optimum
from retention_models.estimation.model import parameter_names
from retention_models.fitting.formula_terms import CALENDAR, CovariateTerms
from retention_models.survival.calendar_paths import CalendarObjective, maximise_over_calendar
from retention_models.tables.customer_table import CustomerTable, read_covariates
from retention_models.tables.rules import join_names

PATH = "path"  # the block of a table that numbers the paths
FARTHEST = 100.0  # factor from 1 within which the parameters without covariates are a start


def read_paths(retention_table: Any, calendar_by: Sequence[str], churn: Array | None) -> Array:
    """The number of each line's path, shape (n, 1): customers who met the same calendar and have the same covariates.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    frame = read_covariates(retention_table, calendar_by)
    missing = [name for name in calendar_by if name not in frame]
    if missing:
        raise ValueError(
            f"{join_names(missing)} not in the table; calendar_by names the columns by which calendars differ; "
            "calendar_by=[] states that all customers have the same calendar"
        )
    labels = frame.reset_index(drop=True).set_axis(range(len(calendar_by)), axis=1)
    if churn is not None:
        labels = pd.concat([labels, pd.DataFrame(churn)], axis=1, ignore_index=True)
    if labels.shape[1] == 0:
        return np.zeros((len(frame), 1))
    codes = labels.groupby(list(labels.columns), sort=True, dropna=False).ngroup()
    return np.asarray(codes, dtype=np.float64)[:, None]


def calendar_objective(
    model: Any, table: CustomerTable, covariate_terms: CovariateTerms
) -> tuple[CalendarObjective, NDArray[np.int64]]:
    """The likelihood of the cells of each path, and the cell of each line of the table.

    Raises
    ------
    ValueError
        When a covariate has several values in one cell, or a path lacks a renewal.
    """
    tenure, path = table.columns[0], table.covariates[PATH][:, 0].astype(np.int64)
    order = np.lexsort((tenure, path))
    rows, path = table.rows.take(order), path[order]
    names = [f"{role}[{label}]" for role, design in covariate_terms.designs.items() for label in design.labels]
    _check_one_value(rows.columns[0], path, rows.covariates, names)
    _check_every_renewal(rows.columns[0], path)
    churn = rows.covariates.get("churn", np.zeros((len(path), 0)))
    _, path = np.unique(path, return_inverse=True)
    objective = CalendarObjective.from_cells(model, rows.columns, path, churn, rows.covariates[CALENDAR], tuple(names))
    cell = np.empty(len(order), dtype=np.int64)
    cell[order] = np.arange(len(order))
    return objective, cell[table.row]


def fit_calendar(
    plain: Optimum, table: CustomerTable, covariate_terms: CovariateTerms
) -> tuple[Optimum, CovariateTerms]:
    """The maximum with covariates of the calendar, from the one without covariates.

    Raises
    ------
    ValueError
        When a covariate cannot explain anything, or a path lacks a renewal.
    ConvergenceError
        When no maximum was found.
    """
    values = {
        name: float(np.clip(getattr(plain.model, name), 1 / FARTHEST, FARTHEST))
        for name in parameter_names(type(plain.model))
    }
    start = type(plain.model)(**values)
    objective, _ = calendar_objective(start, table, covariate_terms)
    is_observed = objective.columns[1] > 0
    both = np.hstack([objective.churn, objective.calendar])[is_observed]
    same = [label for label, column in zip(objective.labels, both.T, strict=True) if np.ptp(column) == 0]
    if same:
        raise ValueError(
            f"{join_names(same)} is the same in all cells with customers: it can explain nothing; leave it out"
        )
    optimum, coefficients = maximise_over_calendar(objective, start)
    found = pd.Series(coefficients, dtype=float, name="coefficient")
    return optimum, replace(covariate_terms, coefficients=found)


def _check_one_value(tenure: Array, path: NDArray[np.int64], covariates: Any, names: Sequence[str]) -> None:
    is_again = np.append(False, (np.diff(path) == 0) & (np.diff(tenure) == 0))
    if not is_again.any():
        return
    first = int(np.flatnonzero(is_again)[0])
    both = np.hstack([block for role, block in covariates.items() if role != PATH])
    differs = np.flatnonzero(both[first] != both[first - 1])
    raise ValueError(
        f"{names[differs[0]] if len(differs) else 'a covariate'} has several values in the same path at tenure "
        f"{tenure[first]:g} ({np.count_nonzero(is_again):,} such cells); name in calendar_by the columns that "
        "separate these customers"
    )


def _check_every_renewal(tenure: Array, path: NDArray[np.int64]) -> None:
    is_first = np.append(True, np.diff(path) != 0)
    expected = np.where(is_first, 1.0, np.append(0.0, tenure[:-1]) + 1)
    missing = np.sum(tenure - expected)
    if missing:
        first = expected[tenure != expected][0]
        raise ValueError(
            f"{missing:,.0f} renewals before those of a path have no row (first: renewal {first:g}), so the "
            "calendar of these months is not known; add rows with at_risk 0 and lost 0"
        )
