"""Retention rate and survival of each row of a retention table, with its covariates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import SHARE, Estimate, with_interval_columns
from retention_models.estimation.model import parameter_names
from retention_models.fitting.calendar_covariates import PATH, calendar_objective, read_paths
from retention_models.fitting.formula_terms import CALENDAR
from retention_models.fitting.result import is_free
from retention_models.fitting.retention_columns import contract_uncertainty
from retention_models.fitting.uncertainty import Fitted, Uncertainty
from retention_models.survival.contract_model import whole
from retention_models.tables.customer_table import CustomerTable, open_customers, read_covariates, read_table

STEP = 1e-5  # of differences in log-parameters and standardised coefficients


def predict_retention(fit: Fitted, retention_table: Any, *, level: float | None = 0.95) -> pd.DataFrame:
    """Retention rate and survival by the model for each row of a retention table, with intervals.

    Parameters
    ----------
    fit
        A fitted contract model.
    retention_table
        A frame with ``tenure``, the number of the renewal, and the columns of the covariates: the table of the fit, or
        one with other values, such as a price increase that did not happen. With calendar covariates each calendar
        needs all its renewals from the first one on.
    level
        Level of the intervals, from 0 to 1. By default 0.95; None for no intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``retention_table``: ``retention_rate``, the share who renew of those who come to the renewal, and
        ``survival``, the share who remain after it, each with a confidence interval ``<name>_lower, <name>_upper``.

    Raises
    ------
    TypeError
        When ``fit`` is not a fit of a contract model.
    ValueError
        When a column is missing, a tenure is no whole number from 1 on, or a calendar lacks a renewal.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    >>> rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, table, churn_covariates="plan")
    >>> cells = pd.DataFrame({"plan": ["regular", "high end"], "tenure": [5, 5]})
    >>> rm.forecast.predict_retention(fit, cells)[["retention_rate", "survival", "survival_lower"]].round(3)
       retention_rate  survival  survival_lower
    0           0.848     0.265           0.238
    1           0.928     0.557           0.525
    """
    source, opened = contract_uncertainty(fit), open_customers(retention_table)
    table = read_table(opened, ("tenure",))
    whole(table.columns[0], least=1)
    if CALENDAR in source.terms.designs:
        found = _over_calendar(source, opened, table)
    else:
        table = table.with_covariates(source.blocks(opened))
        found = (
            source.estimate(lambda model, tenure: model.retention_rate(tenure), table.rows),
            source.estimate(lambda model, tenure: model.survival_function(tenure), table.rows),
            table.row,
        )
    rate, survival, row = found
    frame = with_interval_columns("retention_rate", rate, level, SHARE)
    frame |= with_interval_columns("survival", survival, level, SHARE)
    return pd.DataFrame(frame).take(row).set_axis(opened.index)


def _over_calendar(source: Uncertainty, opened: Any, table: CustomerTable) -> tuple[Estimate, Estimate, Any]:
    """Both quantities of the cells of each path, and the cell of each line."""
    terms = source.terms
    design = terms.designs[CALENDAR]
    blocks = source.terms.blocks(opened)
    blocks[CALENDAR] = design.matrix(read_covariates(opened, design.columns, design.formula))
    blocks[PATH] = read_paths(opened, terms.calendar_by, blocks.get("churn"))
    table = table.with_covariates(blocks)
    none = np.zeros(len(table.weight))
    cells, line = calendar_objective(source.model, replace(table, columns=(table.columns[0], none, none)), terms)
    first = len(parameter_names(type(source.model)))
    u = np.append(np.log(source.fit.params.to_numpy()[:first]), terms.coefficients * cells.spread)
    per_step = np.append(np.ones(first), cells.spread)[is_free(source.fit)]
    errors = source.step_errors * per_step[:, None]
    free = is_free(source.fit)
    rate, survival = (_estimate(logarithm, u, free, errors) for logarithm in (cells.log_retention, cells.log_survival))
    return rate, survival, line


def _estimate(logarithm: Callable[[Array], Array], u: Array, free: NDArray[np.bool_], errors: Array) -> Estimate:
    """The estimate of a share from its logarithm, by differences in what is free."""
    steps = STEP * np.eye(len(u))[free]
    slopes = np.stack([(logarithm(u + step) - logarithm(u - step)) / (2 * STEP) for step in steps], axis=-1)
    share = np.exp(logarithm(u))
    return Estimate(share, share[:, None] * (slopes @ errors))
