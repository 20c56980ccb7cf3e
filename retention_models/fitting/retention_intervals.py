"""Intervals of quantities of a contract model: from standard errors, or from the profile likelihood."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import normal_quantile
from retention_models.estimation.model import parameter_names
from retention_models.estimation.profile import profile_likelihood_region
from retention_models.fitting.notes import VAGUE_CONTRACT
from retention_models.fitting.result import Fit

Ends = tuple[Array, Array]


def is_vague(fit: Fit) -> bool:
    """Whether the data hardly determine a parameter, or put one on an edge; a note of the fit then says so."""
    is_held = len(fit.covariance) < len(fit.params)
    return len(fit.params) > 1 and (is_held or bool(np.any(fit.step_errors > VAGUE_CONTRACT)))


def profile_interval(fit: Fit, quantity: Callable[[Any], Array], level: float) -> Ends | None:
    """Ends of the interval of ``quantity(model)`` where the fit is vague; None where standard errors will do.

    They are the least and the largest value over all parameters that a likelihood-ratio test of this level does not
    refute (profile likelihood), which needs the table that was fitted to; fits of pooled cohorts do not have it.
    """
    if "kept" not in fit.data or not is_vague(fit):
        return None
    values = np.stack([quantity(model) for model in (fit.model, *_over_region(fit, level))])
    return values.min(axis=0), values.max(axis=0)


@lru_cache(maxsize=8)
def _over_region(fit: Fit, level: float) -> tuple[Any, ...]:
    """Models as unlike the fitted one as the data allow."""
    model_class, kept = type(fit.model), fit.data["kept"]
    columns = tuple(np.array(kept[name], dtype=float) for name in model_class.columns)
    places = profile_likelihood_region(
        model_class, columns, np.log(fit.params.to_numpy()), normal_quantile(level) ** 2 / 2
    )
    names = parameter_names(model_class)
    return tuple(model_class(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist())
