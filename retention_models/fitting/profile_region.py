"""The profile likelihood of a contract model where the data hardly determine its parameters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from retention_models.estimation.intervals import normal_quantile
from retention_models.estimation.profile import LikelihoodRegion, profile_likelihood_region
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
def region_of(fit: Fit, level: float) -> LikelihoodRegion:
    """The log-parameters that a likelihood-ratio test of this level does not reject."""
    model_class, kept = type(fit.model), fit.data["kept"]
    columns = tuple(np.array(kept[name], dtype=float) for name in model_class.columns)
    maximum = np.log(fit.params.to_numpy())
    return profile_likelihood_region(model_class, columns, maximum, normal_quantile(level) ** 2 / 2)
