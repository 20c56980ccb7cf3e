"""Intervals from a covariance: the delta method, on the scale where the quantity is free to move.

Positive quantities get theirs on the log scale and probabilities on the logit scale, so that no end leaves the
quantity's range. Draws are made from the normal distribution of the log-parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtri

from retention_models.core.arguments import require_level
from retention_models.core.arrays import Array
from retention_models.tables.customer_table import Rows

Ends = tuple[Array, Array]

CHUNK = 50_000  # rows at a time, which bounds memory to some hundred megabytes


def normal_quantile(level: float) -> float:
    """How many standard errors an interval of this level reaches to each side; 1.96 for 0.95."""
    require_level(level)
    return float(ndtri((1 + level) / 2))


def plain_interval(estimate: Array, std_error: Array, level: float) -> Ends:
    """Ends of the symmetric interval of a quantity that may have any value."""
    reach = normal_quantile(level) * std_error
    return estimate - reach, estimate + reach


def positive_interval(estimate: Array, std_error: Array, level: float) -> Ends:
    """Ends of the interval of a positive quantity, on the log scale; a zero stays zero."""
    estimate = np.asarray(estimate, dtype=float)
    reach = normal_quantile(level) * np.divide(std_error, estimate, where=estimate > 0, out=np.zeros_like(estimate))
    return estimate * np.exp(-reach), estimate * np.exp(np.minimum(reach, 700.0))


def probability_interval(estimate: Array, std_error: Array, level: float) -> Ends:
    """Ends of the interval of a probability, on the logit scale; 0 and 1 stay what they are."""
    estimate = np.asarray(estimate, dtype=float)
    spread = estimate * (1 - estimate)
    inside = spread > 0
    reach = normal_quantile(level) * np.divide(std_error, spread, where=inside, out=np.zeros_like(estimate))
    centre = logit(np.where(inside, estimate, 0.5))
    return np.where(inside, expit(centre - reach), estimate), np.where(inside, expit(centre + reach), estimate)


def in_chunks(function: Callable[[Rows], Array], rows: Rows, size: int = CHUNK) -> Array:
    """The values of an elementwise function of some rows, a bounded number at a time, along the last axis."""
    return np.concatenate([function(rows.take(slice(i, i + size))) for i in range(0, len(rows), size)], axis=-1)


def log_slopes(quantity: Callable[[Any], Array], model: Any, names: Sequence[str], step: float = 1e-5) -> Array:
    """Derivatives of ``quantity(model)`` in the logarithms of some of its parameters, by central differences.

    ``quantity`` has shape (n,), and the result (n, names). Parameters of shape (n,) are those of each row.
    """

    def at(name: str, change: float) -> Array:
        return quantity(replace(model, **{name: getattr(model, name) * np.exp(change)}))

    return np.stack([(at(name, step) - at(name, -step)) / (2 * step) for name in names], axis=-1)


def standard_error(gradient: Array, covariance: Array) -> Array:
    """Standard errors of quantities whose gradients are the rows of ``gradient``; shape (n, p) to (n,).

    ``covariance`` has shape (p, p), or (n, p, p) where each quantity comes with its own.
    """
    return np.sqrt(np.maximum(np.einsum("...i,...ij,...j->...", gradient, covariance, gradient), 0.0))


def draw_normal(covariance: Array, n: int, rng: np.random.Generator) -> Array:
    """Shape (n, p): draws from the normal distribution of mean 0 and this covariance."""
    curvature, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    root = axes * np.sqrt(np.maximum(curvature, 0.0))
    return rng.standard_normal((n, len(covariance))) @ root.T
