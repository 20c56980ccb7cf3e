"""Survival curves of fitted objects of other libraries, such as lifelines and scikit-survival."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.tables.customer_table import open_customers, read_covariates

OWN_COLUMNS = ("customer_id", "tenure", "weight")


def predicted_survival(model: Any, customers: Any, last: int) -> Array:
    """S(t) of each customer at t = 0, 1, ... ``last``, from ``model.predict_survival_function``; shape (n, last + 1).

    lifelines returns a frame with a column for each customer, scikit-survival a step function for each.

    Raises
    ------
    ValueError
        When ``last`` lies beyond the data of the model. lifelines continues its curves at a constant level there, as if
        no customer ever left.
    """
    opened = open_customers(customers)
    names = [name for name in opened.columns if name not in OWN_COLUMNS]
    features = read_covariates(opened, names).reset_index(drop=True)
    times = np.arange(last + 1)
    if "times" in inspect.signature(model.predict_survival_function).parameters:
        return _from_lifelines(model, features, times)
    steps = model.predict_survival_function(features)
    require_observed_length(min(float(step.x[-1]) for step in steps), last)
    return np.stack([np.where(times < step.x[0], 1.0, step(np.maximum(times, step.x[0]))) for step in steps])


def _from_lifelines(model: Any, features: Any, times: NDArray[np.int64]) -> Array:
    """Curves of lifelines as rows, set to 1 before the first observed duration."""
    durations = np.asarray(model.durations, dtype=float)
    require_observed_length(float(durations.max()), int(times[-1]))
    curves = np.array(model.predict_survival_function(features, times=times), dtype=float).T
    first = durations.min() if hasattr(model, "baseline_survival_") else 1
    curves[:, times < first] = 1.0
    return curves


def require_observed_length(longest: float, last: int) -> None:
    """Raise a ValueError if a curve is needed for longer than its data reach."""
    if last > longest:
        raise ValueError(
            f"survival is needed up to renewal {last}, but the external model has no renewals beyond {longest:g}; "
            "shorten the horizon, or extrapolate with a model of contracts"
        )
