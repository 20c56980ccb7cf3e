"""A band around several estimates that holds the truth of all of them at once: the sup-t band.

Montiel Olea & Plagborg-Moller (2019), "Simultaneous confidence bands: Theory, implementation, and an application to
SVARs", Journal of Applied Econometrics 34(1), 1-17.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from retention_models.core.arrays import Array
from retention_models.interventions.effects.laws import StudentT

DRAWS = 20_000  # of the largest error, whose 95 % quantile they give to about 0.5 %
LEAST_EIGENVALUE = 1e-8  # of a correlation matrix; what is below is rounding error


def band_ends(
    laws: Sequence[StudentT], covariance: Array, level: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """The ends of the band at each estimate: those of its own law, at an error that all share.

    ``covariance`` of the estimates has shape (k, k). Estimates without variance have a band without width.
    """
    varying = [place for place, law in enumerate(laws) if law.std_error > 0]
    if not varying:
        return [(law.estimate, law.estimate) for law in laws]
    own = covariance[np.ix_(varying, varying)]
    scale = np.sqrt(np.diag(own))
    error = shared_error(own / np.outer(scale, scale), level, rng)
    return [law.ends(error) for law in laws]


def shared_error(correlation: Array, level: float, rng: np.random.Generator) -> float:
    """The error probability of each interval with which all of them together hold the truth at ``level``.

    ``correlation`` of the estimates has shape (k, k). With c the ``level`` quantile of the largest |Z_i|, Z ~ N(0,
    correlation), it is 2 Phi(-c), and never above 1 - level. Correlations are rounded, so that every engine gives the
    same number.
    """
    values, vectors = np.linalg.eigh(np.round(correlation, 9))
    root = vectors * np.sqrt(np.where(values > LEAST_EIGENVALUE, values, 0.0)) @ vectors.T
    largest = np.abs(rng.standard_normal((DRAWS, len(root))) @ root).max(axis=1)
    return min(2 * float(ndtr(-np.quantile(largest, level))), 1 - level)
