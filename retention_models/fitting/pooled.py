"""Partial pooling: a contract model for each cohort, in which cohorts with little data borrow from the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_level, require_number, require_renewals, require_text
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.estimation.estimates import SHARE
from retention_models.estimation.intervals import log_slopes, standard_error
from retention_models.estimation.model import Model, parameter_names
from retention_models.estimation.newton import ConvergenceError
from retention_models.estimation.random_effects import Pooled, pool
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.tables.customer_table import CustomerTable, Rows, open_customers, read_table
from retention_models.tables.groups import read_groups


def fit_pooled(model_class: type[Model], retention_table: Any, *, by: str = "cohort") -> Fit:
    """A contract model fitted to each cohort with partial pooling: a cohort with little data borrows from the others.

    Parameters
    ----------
    model_class
        A contract model, for example ``ShiftedBetaGeometric``.
    retention_table
        From ``retention_table``, or any frame with ``tenure, at_risk, lost`` and the column ``by``.
    by
        Column that names the cohort of a row; by default ``"cohort"``.

    Returns
    -------
    Fit
        A fit whose ``groups`` hold the partially pooled fit of each cohort, and whose parameters are those of all
        customers together. Forecasts and values take the fit of each customer's cohort; a cohort that is not in the
        table is treated as an unknown cohort. A note says how much the cohorts differ. ``log_likelihood`` is that of
        the cohorts. ``fit(model, table, by="cohort")`` fits each cohort without pooling.

    Raises
    ------
    ValueError
        When ``fit`` raises it, when there are fewer than three cohorts, or when a parameter of all customers together
        reaches a limit.
    ConvergenceError
        When the cohorts are too few or too small to estimate how they differ.

    Notes
    -----
    ``n_parameters``, and with it ``aic``, counts the parameters that the cohorts effectively have (Vaida & Blanchard
    2005, Biometrika 92, 351-370).

    Log-parameters of the cohorts are normal, with a mean and a covariance that are estimated from the data (random
    effects, empirical Bayes). See ``estimation.random_effects``.

    Examples
    --------
    >>> import retention_models as rm
    >>> import numpy as np, pandas as pd
    >>> kept = {"2021": [1000, 690, 550, 468], "2022": [1000, 640, 489], "2023": [900, 610], "2024": [20, 11]}
    >>> rows = [(c, t + 1, n[t], n[t] - n[t + 1]) for c, n in kept.items() for t in range(len(n) - 1)]
    >>> table = pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])
    >>> cohorts = rm.fitting.fit_pooled(rm.ShiftedBetaGeometric, table)
    >>> pd.Series({label: float(one.model.retention_rate(1)) for label, one in cohorts.groups.items()}).round(3)
    2021    0.686
    2022    0.643
    2023    0.676
    2024    0.651
    dtype: float64
    """
    together = fit(model_class, retention_table)
    names = list(parameter_names(model_class))
    held = [name for name in names if name not in together.covariance.index]
    if held:
        raise ValueError(
            f"{', '.join(held)} of {model_class.__name__} ran to an edge with all cohorts together: "
            f"{together.notes[0]} Choose a simpler model"
        )
    table = read_table(retention_table, model_class.columns)
    groups = read_groups(retention_table, by)
    if len(groups) < 3:
        raise ValueError(f"differences between cohorts need at least three cohorts; {by} has {len(groups)}")
    found = pool(model_class, _line_columns(table), _codes(groups), np.log(together.params.to_numpy()))
    fits = {
        label: _cohort_fit(together, table.of_lines(lines).by_tenure(), found, i)
        for i, (label, lines) in enumerate(groups.items())
    }
    common = model_class(**dict(zip(names, np.exp(found.mean).tolist(), strict=True)))
    last = float(table.columns[0].max())
    cohorts = {
        "mean": found.mean.tolist(),
        "covariance": (found.spread + found.mean_covariance).tolist(),
        "mean_covariance": found.mean_covariance.tolist(),
        "pull": dict(zip(fits, found.pull.tolist(), strict=True)),
    }
    effective = float(np.einsum("gij,gji->", found.covariance, found.information))
    return replace(
        together,
        log_likelihood=sum(one.log_likelihood for one in fits.values()),
        groups=fits,
        notes=(*together.notes, _difference(common, found, last)),
        data={**together.data, "pooled_by": by, "cohorts": cohorts, "effective_parameters": effective},
    )


def cohort_check(
    model_class: type[Model],
    retention_table: Any,
    *,
    renewals: int,
    by: str = "cohort",
    tolerance: float = 0.2,
    level: float = 0.95,
) -> tuple[pd.DataFrame, Check]:
    """A check whether cohorts have the same retention, with the expected retention of each.

    Parameters
    ----------
    model_class
        A contract model, for example ``ShiftedBetaGeometric``.
    retention_table
        From ``retention_table``, or any frame with ``tenure, at_risk, lost`` and the column ``by``.
    renewals
        Number of renewals after which the cohorts are compared, 1 or more.
    by
        Column that names the cohort of a row; by default ``"cohort"``.
    tolerance
        Largest relative difference from all customers together that passes. The check fails if the interval of a cohort
        excludes all differences up to this size.
    level
        Confidence level of the intervals, between 0 and 1.

    Returns
    -------
    tuple[pandas.DataFrame, Check]
        A frame indexed by cohort, the best first: ``customers``, the expected ``share`` that remains, its ends
        ``share_lower, share_upper``, and the relative ``difference`` from all together. If the cohorts cannot be
        pooled, or the table has no column "cohort", the frame is empty and the check says why.

    Raises
    ------
    ValueError
        When ``renewals`` is not a whole number from 1 on, or ``by`` names a column other than "cohort" that the
        table lacks.
    """
    require_renewals("renewals", renewals, 1)
    require_number("tolerance", tolerance, 0)
    require_level(level)
    name = "Differences between cohorts"
    columns = ["customers", "share", "share_lower", "share_upper", "difference"]
    require_text("by", by)
    there = open_customers(retention_table).columns
    if by not in there and by != "cohort":
        raise ValueError(f"by={by!r} is not a column of the table; it has {', '.join(map(str, there))}")
    if by not in there:
        reason = f"The table has no column {by!r}, so there are no cohorts to compare."
        return pd.DataFrame(columns=columns), Check(name, None, detail=reason)
    try:
        pooled = fit_pooled(model_class, retention_table, by=by)
    except (ValueError, ConvergenceError, np.linalg.LinAlgError) as error:
        return pd.DataFrame(columns=columns), Check(name, None, detail=f"The cohorts cannot be compared: {error}.")
    ahead = Rows((np.array([float(renewals)]),))

    def share(model: Any, tenure: Array) -> Array:
        return model.survival_function(tenure)

    everybody = float(share(pooled.model, *ahead.columns)[0])
    rows = {}
    for label, own in pooled.groups.items():
        estimate = uncertainty_of(own).estimate(share, ahead)
        (value,), (lower,), (upper,) = estimate.values, *estimate.interval(level, SHARE)
        rows[label] = (own.n_customers, value, lower, upper, value / everybody - 1)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis(by)
    frame = frame.sort_values("share", ascending=False, kind="stable")
    off = frame[["share_lower", "share_upper"]] / everybody - 1
    beyond = int(((off["share_lower"] > tolerance) | (off["share_upper"] < -tolerance)).sum())
    _, own_share, lowest, highest, _ = rows[furthest := max(rows, key=lambda label: abs(rows[label][-1]))]
    detail = (
        f"{100 * everybody:.0f} % of all customers are expected to remain after renewal {renewals}. The cohort "
        f"furthest from that is {furthest}, with {100 * own_share:.0f} % ({100 * level:g} % interval "
        f"{100 * lowest:.0f} to {100 * highest:.0f} %). In {beyond} of {len(frame)} cohorts, the share certainly "
        f"differs by more than {100 * tolerance:.0f} % of that of all. {pooled.notes[-1]}"
    )
    return frame, Check(
        name,
        not beyond,
        size=float(beyond),
        limit=0.0,
        unit=f"cohorts that differ by more than {100 * tolerance:.0f} %",
        detail=detail,
        remedy=f"Value each cohort by its own fit: fit_pooled(..., by={by!r}).",
    )


def _line_columns(table: CustomerTable) -> tuple[np.ndarray, ...]:
    """Tenure, at risk and lost of each line, its weight counted in."""
    tenure, at_risk, lost = (column[table.row] for column in table.columns)
    return tenure, at_risk * table.line_weight, lost * table.line_weight


def _codes(groups: dict[str, np.ndarray]) -> np.ndarray:
    """The number of each line's cohort."""
    return np.argmax(np.stack(list(groups.values())), axis=0)


def _cohort_fit(together: Fit, table: CustomerTable, found: Pooled, i: int) -> Fit:
    """The fit of one cohort: its place among the others, and how sure that is."""
    names = list(together.covariance.index)
    value = np.exp(found.place[i])
    model = type(together.model)(**dict(zip(names, value.tolist(), strict=True)))
    covariance = found.covariance[i] * np.outer(value, value)
    return replace(
        together,
        model=model,
        covariance=pd.DataFrame(covariance, index=names, columns=names),
        log_likelihood=float(np.sum(model.log_likelihood(*table.columns))),
        n_customers=round(table.n_customers),
        notes=(),
        data={**table.about, "rows": len(table.weight), "sha256": table.sha256()},
    )


def _difference(model: Model, found: Pooled, last: float) -> str:
    """How much the cohorts differ, in words: in what their parameters mean, which may be flat where these are not."""

    def logarithms(model: Any) -> Array:
        return np.log([float(model.hazard(1)), float(model.survival_function(last))])

    slope = log_slopes(logarithms, model, parameter_names(type(model)))
    leave, stay = 100 * np.expm1(standard_error(slope, found.spread))
    return (
        "Cohorts are partially pooled; from one to another the share who leave at the first renewal typically differs "
        f"by {leave:.0f} % of it, and the share still there after renewal {last:g} by {stay:.0f} %."
    )
