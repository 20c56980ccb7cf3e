"""Cohorts that are alike but not the same: each borrows from the others as much as it lacks data of its own.

The log-parameters of the cohorts are taken as drawn from a normal distribution whose mean and covariance are estimated
from all of them (empirical Bayes). A cohort of many customers and renewals keeps its own estimate; a young one, which
alone could not tell its parameters apart, stays near the mean.

Morris (1983), "Parametric Empirical Bayes Inference", Journal of the American Statistical Association 78, 47-55.
Each cohort's likelihood is taken as normal around its posterior mode; mean and covariance of the distribution are then
those of a multivariate random-effects model, found by restricted maximum likelihood (Fisher scoring), and the modes
renewed. A cohort's covariance knows how uncertain the mean is from which it borrows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.model import Model, parameter_names

STEP = 1e-4  # of the central differences that give the curvature, in log-parameters
WIDE = 3.0  # standard deviation, in log-parameters, of cohorts about which nothing is known
NARROW = 1e-8  # the least variance between cohorts, in log-parameters: they are then the same
PRECISION = 1e-5  # change of the distribution of cohorts, in log-parameters, at which its estimate stops


@dataclass(frozen=True, slots=True)
class Pooled:
    """What cohorts have in common and where each of them stands, all in log-parameters.

    ``mean`` (p,) and ``spread`` (p, p) describe the cohorts, and ``mean_covariance`` (p, p) how sure the mean is;
    ``place`` (cohorts, p) and ``covariance`` (cohorts, p, p) are each one's posterior, and ``information`` (cohorts,
    p, p) what its own data say.
    """

    mean: Array
    spread: Array
    mean_covariance: Array
    place: Array
    covariance: Array
    information: Array


def pool(model_class: type[Model], columns: tuple[Array, ...], cohort: NDArray[np.int64], start: Array) -> Pooled:
    """Cohorts pooled as far as their data ask for it.

    Parameters
    ----------
    model_class
        A model of contracts.
    columns
        Tenure, at risk and lost of all cohorts, each of shape (n,).
    cohort
        The number of each row's cohort, 0, 1, 2...; shape (n,).
    start
        Log-parameters of all together, shape (p,).
    """
    cohorts = _Cohorts(model_class, columns, cohort, int(cohort.max()) + 1)
    place = np.tile(start, (cohorts.n, 1))
    mean, spread = start, np.eye(len(start)) * 0.1
    for _ in range(50):
        place, information = cohorts.newton(place, mean, spread)
        previous = mean, spread
        mean, spread = _distribution(place, information, cohorts.gradient(place), spread)
        if max(np.abs(mean - previous[0]).max(), np.abs(spread - previous[1]).max()) < PRECISION:
            break
    place, information = cohorts.newton(place, mean, spread)
    shrink = np.linalg.inv(np.eye(len(start)) + information @ spread)
    mean_covariance = np.linalg.inv((shrink @ information).sum(axis=0))
    covariance = spread @ shrink + shrink.swapaxes(1, 2) @ mean_covariance @ shrink
    return Pooled(mean, spread, mean_covariance, place, (covariance + covariance.swapaxes(1, 2)) / 2, information)


def near_maxima(model_class: type[Model], columns: tuple[Array, ...], cohort: NDArray[np.int64], start: Array) -> Array:
    """Log-parameters near the maximum of each cohort's own likelihood, found for all at once; shape (cohorts, p).

    Start values for many fits. Cohorts with little data stay within a factor of ``start``, so that a
    fit from here can reach the limits of the model. Parameters are those of ``pool``.
    """
    cohorts = _Cohorts(model_class, columns, cohort, int(cohort.max()) + 1)
    return cohorts.newton(np.tile(start, (cohorts.n, 1)), start, WIDE**2 * np.eye(len(start)))[0]


def _distribution(place: Array, information: Array, slope: Array, spread: Array) -> tuple[Array, Array]:
    """Mean and covariance of the cohorts, whose likelihoods are normal with these informations and slopes.

    With V the inverse of a cohort's information J, its estimate has covariance spread + V, whose inverse is
    (1 + J spread)^-1 J: finite also where a cohort tells nothing of some direction.
    """
    p = place.shape[1]
    pairs = [(i, j) for i in range(p) for j in range(i + 1)]
    units = np.zeros((len(pairs), p, p))
    for unit, (i, j) in zip(units, pairs, strict=True):
        unit[i, j] = unit[j, i] = 1.0
    weighted = np.einsum("gij,gj->gi", information, place) + slope
    for _ in range(100):
        shrink = np.linalg.inv(np.eye(p) + information @ spread)
        weight = shrink @ information
        mean = np.linalg.solve(weight.sum(axis=0), np.einsum("gij,gj->i", shrink, weighted))
        pull = np.einsum("gij,gj->gi", shrink, weighted - information @ mean)
        by_unit = np.einsum("gij,kjl->gkil", weight, units)
        lost = np.linalg.solve(weight.sum(axis=0), np.einsum("gkij,gjl->kil", by_unit, weight))
        score = np.einsum("gi,kij,gj->k", pull, units, pull) - np.einsum("gkii->k", by_unit) + np.einsum("kii->k", lost)
        fisher = np.einsum("gkij,glji->kl", by_unit, by_unit)
        off_edge = np.einsum("ij,kjl->kil", np.linalg.inv(spread), units)
        score, fisher = score + np.einsum("kii->k", off_edge), fisher + np.einsum("kij,lji->kl", off_edge, off_edge)
        change = np.einsum("k,kij->ij", np.linalg.lstsq(fisher, score, rcond=1e-12)[0], units)
        values, axes = np.linalg.eigh(spread + change)
        previous, spread = spread, (axes * np.maximum(values, NARROW)) @ axes.T
        if np.abs(spread - previous).max() < PRECISION / 10:
            break
    return mean, spread


@dataclass(frozen=True, slots=True)
class _Cohorts:
    """The log-likelihoods of all cohorts as functions of their log-parameters, shape (cohorts, p)."""

    model_class: type[Model]
    columns: tuple[Array, ...]
    cohort: NDArray[np.int64]
    n: int

    def model(self, place: Array) -> Model:
        """The model with each row's own parameters."""
        values = np.exp(place)[self.cohort]
        return self.model_class(**dict(zip(parameter_names(self.model_class), values.T, strict=True)))

    def value(self, place: Array) -> Array:
        return np.bincount(self.cohort, self.model(place).log_likelihood(*self.columns), self.n).astype(float)

    def gradient(self, place: Array) -> Array:
        score = self.model(place).score(*self.columns)
        slopes = [np.bincount(self.cohort, slope, self.n).astype(float) for slope in score.T]
        return np.stack(slopes, axis=-1) * np.exp(place)

    def information(self, place: Array) -> Array:
        """Minus the second derivatives; shape (cohorts, p, p)."""
        steps = STEP * np.eye(place.shape[1])
        rows = [(self.gradient(place - step) - self.gradient(place + step)) / (2 * STEP) for step in steps]
        information = np.stack(rows, axis=1)
        return (information + information.swapaxes(1, 2)) / 2

    def newton(self, place: Array, mean: Array, spread: Array) -> tuple[Array, Array]:
        """Each cohort's posterior mode by Newton's method, and the information of its data there."""
        precision = np.linalg.inv(spread)

        def height(at: Array) -> Array:
            away = at - mean
            return self.value(at) - np.einsum("gi,ij,gj->g", away, precision, away) / 2

        here = height(place)
        for _ in range(50):
            information = _positive(self.information(place))
            slope = self.gradient(place) - (place - mean) @ precision
            step = np.asarray(np.linalg.solve(information + precision, slope[:, :, None])[:, :, 0], dtype=np.float64)
            if np.max(np.sum(step * slope, axis=1)) < 1e-8:
                break
            place, here = _improved(height, place, here, step)
        return place, information


def _positive(information: Array) -> Array:
    """The matrices without negative eigenvalues, which a likelihood can have far from its maximum."""
    values, axes = np.linalg.eigh(information)
    return np.einsum("gij,gj,gkj->gik", axes, np.maximum(values, 0.0), axes)


def _improved(height: Callable[[Array], Array], place: Array, here: Array, step: Array) -> tuple[Array, Array]:
    """Each cohort's place after its step, its half, its quarter..., whichever first is no lower."""
    scale = np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))
    for _ in range(30):
        there = height(place + scale[:, None] * step)
        worse = ~(there >= here - 1e-9 * np.abs(here))
        if not worse.any():
            break
        scale = np.where(worse, scale / 2, scale)
    scale = np.where(worse, 0.0, scale)
    return place + scale[:, None] * step, np.where(worse, here, there)
