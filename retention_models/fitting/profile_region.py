"""The profile likelihood of a contract model where the data hardly determine its parameters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from retention_models.estimation.intervals import normal_quantile
from retention_models.estimation.model import parameter_names
from retention_models.estimation.profile import profile_likelihood_region
from retention_models.fitting.notes import VAGUE_CONTRACT
from retention_models.fitting.result import Fit, step_scale


def needs_profile(fit: Fit) -> bool:
    """Whether the data of a contract fit hardly determine a parameter, or put one at a limit; a note then says so.

    The profile likelihood needs the table that was fitted to. Fits of pooled cohorts do not have it, and with
    covariates the table of all customers does not do.
    """
    if "kept" not in fit.data or fit.covariate_terms.n or len(fit.params) == 1:
        return False
    is_held = len(fit.covariance) < len(fit.params)
    step_errors = np.sqrt(np.diag(fit.covariance)) / step_scale(fit)
    return is_held or bool(np.any(step_errors > VAGUE_CONTRACT))


@lru_cache(maxsize=8)
def models_of_region(fit: Fit, level: float) -> tuple[Any, ...]:
    """Models as unlike the fitted one as the data allow, by a likelihood-ratio test of this level."""
    model_class, kept = type(fit.model), fit.data["kept"]
    columns = tuple(np.array(kept[name], dtype=float) for name in model_class.columns)
    places = profile_likelihood_region(
        model_class, columns, np.log(fit.params.to_numpy()), normal_quantile(level) ** 2 / 2
    )
    names = parameter_names(model_class)
    return tuple(model_class(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist())
