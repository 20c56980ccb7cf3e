"""Where frames meet models: fit one to a table of customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.estimation.climb import ConvergenceError
from retention_models.estimation.likelihood import maximise
from retention_models.estimation.model import Array, Limit, Model, averaged_columns, parameter_names
from retention_models.fitted import MODELS, Fit
from retention_models.stability import stability_check
from retention_models.survival.pooling import near_tops
from retention_models.tables import Table, read_groups, read_table

VAGUE = 1.0  # a standard error of so many times the estimate calls for a note
VAGUE_CONTRACT = 0.4  # the same for models of contracts, which are there to be extrapolated


def fit(
    model_class: type[Model], customers: Any, *, by: str | Sequence[Any] | None = None, robust: bool = False
) -> Fit:
    """A model fitted by maximum likelihood to a table of customers.

    Parameters
    ----------
    model_class
        A model class, for example ``ParetoNBD``.
    customers
        A pandas or Polars frame with the model's columns (``frequency``, ``recency``, ``T``), one row a customer,
        or one row a distinct history with a column ``weight``; from ``summarize`` or ``histories``.
    by
        Fit each group on its own, too: the name of a column, or one label for each customer. ``"cohort"`` means the
        month of ``first_purchase`` where there is no column of that name. The fit of all carries those of the groups in
        ``groups``, and a check of whether they agree in ``checks``.
    robust
        Whether standard errors are the robust ones (sandwich), which hold where the model is only roughly right.

    Returns
    -------
    Fit
        Estimates with covariance, log-likelihood, notes, and a record of the data.

    Raises
    ------
    ValueError
        When a column is missing or breaks a rule, or when there is too little data to fit anything.
    ConvergenceError
        When the likelihood has no maximum that could be found.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.fit(rm.ParetoNBD, customers)
    ParetoNBD fitted to 2,357 customers, log-likelihood -9594.9762, AIC 19197.95, standard errors
               estimate  std_error   lower  upper
    parameter
    r            0.5533    0.04763 0.4674  0.655
    alpha         10.58     0.8427  9.048  12.37
    s            0.6062     0.1873 0.3309  1.111
    beta          11.67      6.211  4.111  33.12
    """
    if not (isinstance(model_class, type) and hasattr(model_class, "columns")):
        raise TypeError(f"fit takes a model class, one of {', '.join(MODELS)}; got {model_class!r}")
    table = read_table(customers, model_class.columns, averaged_columns(model_class))
    pooled = _fit_table(model_class, table, robust)
    if by is None:
        return pooled
    groups, notes = {}, []
    parts = read_groups(customers, by)
    for (label, lines), start in zip(parts.items(), _starts(pooled, table, list(parts.values())), strict=True):
        try:
            groups[label] = _fit_table(model_class, table.of_lines(lines), robust, start)
        except (ValueError, ConvergenceError) as error:
            notes.append(f"The group {label} could not be fitted on its own: {error}.")
    return replace(
        pooled, groups=groups, notes=(*pooled.notes, *notes), checks=(stability_check(pooled, groups, table),)
    )


def _starts(pooled: Fit, table: Table, groups: Sequence[NDArray[np.bool_]]) -> Sequence[Model | None]:
    """Where to begin the fit of each group: of contracts near its top, found for all at once; else by its own data."""
    names = parameter_names(type(pooled.model))
    if "at_risk" not in type(pooled.model).columns or len(pooled.covariance) < len(names):
        return [None] * len(groups)
    tenure, at_risk, lost = (column[table.row] for column in table.columns)
    columns = tenure, at_risk * table.line_weight, lost * table.line_weight
    code = np.argmax(np.stack(groups), axis=0)
    places = near_tops(type(pooled.model), columns, code, np.log(pooled.parameters.to_numpy()))
    return [type(pooled.model)(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist()]


def _fit_table(model_class: type[Model], table: Table, robust: bool, start: Model | None = None) -> Fit:
    table, left_out = _speaking(model_class, table)
    if "at_risk" in model_class.columns:
        table = table.by_tenure()
        _require_tenures(model_class, table, robust)
    else:
        _require_enough(model_class, table)
    names, arrays = (*model_class.columns, *averaged_columns(model_class)), (*table.columns, *table.means())
    optimum = maximise(model_class, dict(zip(names, arrays, strict=True)), table.weight, start, robust=robust)
    free, labels = list(optimum.free), pd.Index(optimum.free)
    notes = _choice_sentences(optimum.model) + tuple(_limit_sentence(limit) for limit in optimum.limits)
    notes += tuple(
        f"{name} makes no difference to these data and is held where it is." for name in optimum.undetermined
    )
    return Fit(
        model=optimum.model,
        covariance=pd.DataFrame(optimum.covariance, index=labels, columns=labels),
        log_likelihood=optimum.log_likelihood,
        n_customers=round(table.n_customers),
        notes=notes + _flat_sentences(optimum.model, free, optimum.covariance),
        data={**table.about, "rows": len(table.weight), "sha256": table.sha256(), "left_out": left_out},
        robust=robust,
    )


def _speaking(model_class: type[Model], table: Table) -> tuple[Table, dict[str, int]]:
    """The rows that a model can learn from, and how many customers were left out for which reason."""
    if not hasattr(model_class, "left_out"):
        return table, {}
    reasons = model_class.left_out(*table.columns)
    counts = {reason: round(float(table.weight[rows].sum())) for reason, rows in reasons.items()}
    return table.of_lines(~np.any(list(reasons.values()), axis=0)[table.row]), {
        reason: n for reason, n in counts.items() if n
    }


def _require_enough(model_class: type[Model], table: Table) -> None:
    """An error where no model could be fitted, with the reason."""
    name, n = model_class.__name__, table.n_customers
    if n < 2:
        raise ValueError(f"{name} describes how customers differ and needs more of them; the table has {n:g}")
    if "frequency" in model_class.columns:
        frequency = table.columns[model_class.columns.index("frequency")]
        if not np.any(frequency * table.weight > 0):
            raise ValueError(
                f"{name} learns from repeat purchases, and frequency is 0 for all {n:,.0f} customers; "
                "is calibration_end too early, or granularity too coarse?"
            )
    if np.count_nonzero(table.weight) == 1:
        raise ValueError(f"{name} learns from differences, and all {n:,.0f} customers have the same history")


def _choice_sentences(model: Any) -> tuple[str, ...]:
    """Which whole numbers were chosen."""
    return tuple(
        f"{name} = {getattr(model, name)} was chosen for its likelihood; the standard errors are those at this {name}."
        for name in model.fixed
    )


def _require_tenures(model_class: type[Model], table: Table, robust: bool) -> None:
    """An error where a retention table cannot tell a model's parameters apart, or not with robust errors."""
    name, parameters = model_class.__name__, len(parameter_names(model_class))
    _, at_risk, lost = table.columns
    if not np.any(lost > 0):
        raise ValueError(f"{name} learns from customers who leave, and lost is 0 in all rows; observe them for longer")
    if not np.any(lost < at_risk):
        raise ValueError(f"{name} learns from customers who stay, and lost equals at_risk in all rows")
    tenures = np.count_nonzero(at_risk > 0)
    if tenures < parameters:
        raise ValueError(
            f"{name} has {parameters} parameters and needs customers at risk at as many tenures; "
            f"the table has {tenures}"
        )
    if robust:
        raise ValueError("robust errors need a row for each customer, and a retention table holds only their sums")


def _limit_sentence(limit: Limit) -> str:
    """What it means that a parameter was held at an edge."""
    where = "0" if limit.towards == 0 else "infinity"
    lost = f"; the value of {' and '.join(limit.undetermined)} then means nothing" if limit.undetermined else ""
    return f"{limit.parameter} ran to {where} and is held there: {limit.model}{lost}."


def _flat_sentences(model: Any, free: list[str], covariance: Array) -> tuple[str, ...]:
    """A sentence for each parameter that the data hardly determine."""
    error = np.sqrt(np.diag(covariance)) / [float(getattr(model, name)) for name in free]
    return tuple(
        f"{name} is hardly determined by these data: its standard error is {relative:.1f} times its estimate."
        for name, relative in zip(free, error, strict=True)
        if relative > (VAGUE_CONTRACT if "at_risk" in type(model).columns else VAGUE)
    )
