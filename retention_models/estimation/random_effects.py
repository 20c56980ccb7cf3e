"""Cohorts that are alike but not the same: each borrows from the others as much as it lacks data of its own.

The log-parameters of the cohorts are taken as drawn from a normal distribution whose mean and covariance are estimated
from all of them (empirical Bayes). A cohort of many customers and renewals keeps its own estimate; a young one, which
alone could not tell its parameters apart, stays near the mean.

Morris (1983), "Parametric Empirical Bayes Inference", Journal of the American Statistical Association 78, 47-55.
Each cohort's likelihood is taken as normal around its posterior mode; mean and covariance of the distribution are then
those of a multivariate random-effects model, found by restricted maximum likelihood (Fisher scoring), and the modes
renewed. Far from the modes a normal likelihood misleads: a step to cohorts far apart is halved until it raises the
likelihood itself (Laplace's approximation). A cohort's covariance knows how uncertain the mean is from which it
borrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import unchecked
from retention_models.estimation.model import Limit, Model
from retention_models.estimation.newton import ConvergenceError, Objective, newton_from

STEP = 1e-4  # of the central differences that give the curvature, in log-parameters
WIDE = 3.0  # standard deviation, in log-parameters, of cohorts about which nothing is known
NARROW = 1e-8  # the least variance between cohorts, in log-parameters: they are then the same
RUNAWAY = 7.0  # distance of the mean of cohorts from all together, in log-parameters, at which nothing holds it
MODERATE = 1.0  # standard deviation of cohorts in log-parameters up to which a step needs no proof
HALVINGS = 12  # of a step that lowers the likelihood
TOO_LITTLE = "the data are too few to estimate how cohorts differ. Take longer or fewer cohorts, or fit all together"
PRECISION = 1e-8  # change of the distribution of cohorts, in log-parameters, at which its estimate stops


@dataclass(frozen=True, slots=True)
class Pooled:
    """What cohorts have in common and where each of them stands, all in log-parameters.

    ``mean`` (p,) and ``spread`` (p, p) describe the cohorts, and ``mean_covariance`` (p, p) how sure the mean is;
    ``place`` (cohorts, p) and ``covariance`` (cohorts, p, p) are each one's posterior, and ``information`` (cohorts,
    p, p) what its own data say. ``pull`` (cohorts, p, p) is by how much each moves with the mean: the error of the
    mean is common to all.
    """

    mean: Array
    spread: Array
    mean_covariance: Array
    place: Array
    covariance: Array
    information: Array
    pull: Array


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

    Raises
    ------
    ConvergenceError
        When the cohorts say too little to estimate their distribution.
    """
    here = _State.from_mean(model_class, columns, cohort, start, np.eye(len(start)) * 0.1)
    for _ in range(200):
        there = here.next()
        change = max(np.abs(there.mean - here.mean).max(), np.abs(there.spread - here.spread).max())
        here = there
        if change < PRECISION:
            break
        if np.abs(here.mean - start).max() > RUNAWAY:
            raise ConvergenceError(f"the mean of the cohorts runs to a limit: {TOO_LITTLE}")
    else:
        raise ConvergenceError(f"the distribution of the cohorts did not settle in 200 steps: {TOO_LITTLE}")
    shrink, spread = here.shrink, here.spread
    mean_covariance = np.linalg.inv((shrink @ here.information).sum(axis=0))
    pull = shrink.swapaxes(1, 2)
    covariance = spread @ shrink + pull @ mean_covariance @ shrink
    return Pooled(
        here.mean,
        spread,
        mean_covariance,
        here.at,
        (covariance + covariance.swapaxes(1, 2)) / 2,
        here.information,
        pull,
    )


@dataclass(frozen=True, slots=True)
class _State:
    """A distribution of cohorts, and the posterior modes of all cohorts under it."""

    cohorts: CohortsObjective
    spread: Array
    u: Array
    information: Array

    @classmethod
    def from_mean(
        cls, model_class: type[Model], columns: tuple[Array, ...], cohort: NDArray[np.int64], mean: Array, spread: Array
    ) -> Self:
        """The modes, found from the mean."""
        cohorts = CohortsObjective.from_prior(model_class, columns, cohort, mean, spread)
        return cls(cohorts, spread, *cohorts.modes(np.tile(mean, cohorts.n)))

    def next(self) -> Self:
        """One step on; the same state where no step raises the likelihood."""
        mean, spread = _distribution(self.at, self.information, self.slope, self.spread)
        mean = self.mean + np.clip(mean - self.mean, -WIDE, WIDE)
        for _ in range(HALVINGS):
            there = self._moved(mean, spread)
            if there.is_moderate or there.height >= self.height:
                return there
            mean, spread = (self.mean + mean) / 2, (self.spread + spread) / 2
        return self

    def _moved(self, mean: Array, spread: Array) -> Self:
        """The modes under another distribution, found from those here."""
        old = self.cohorts
        cohorts = CohortsObjective.from_prior(old.model_class, old.columns, old.cohort, mean, spread)
        return type(self)(cohorts, spread, *cohorts.modes(self.u))

    @property
    def mean(self) -> Array:
        """The mean of the distribution."""
        return self.cohorts.mean

    @property
    def at(self) -> Array:
        """The modes, shape (cohorts, p)."""
        return self.u.reshape(self.cohorts.n, -1)

    @property
    def slope(self) -> Array:
        """The slope of each cohort's log-likelihood at its mode, against which the distribution pulls."""
        return (self.at - self.mean) @ self.cohorts.precision

    @property
    def shrink(self) -> Array:
        """How much each cohort keeps to itself, shape (cohorts, p, p)."""
        return np.asarray(np.linalg.inv(np.eye(len(self.mean)) + self.information @ self.spread), dtype=np.float64)

    @property
    def is_moderate(self) -> bool:
        """Whether cohorts differ by less than MODERATE; beyond that the likelihood must bear it out."""
        return bool(np.linalg.eigvalsh(self.spread)[-1] < MODERATE**2)

    @property
    def height(self) -> float:
        """The marginal log-likelihood by Laplace's approximation, with the terms of restricted likelihood."""
        volumes = np.linalg.slogdet(self.shrink)[1].sum() / 2
        restricted = np.linalg.slogdet((self.shrink @ self.information).sum(axis=0))[1] / 2
        return float(self.cohorts.value(self.u) + volumes - restricted + np.linalg.slogdet(self.spread)[1] / 2)


def near_maxima(model_class: type[Model], columns: tuple[Array, ...], cohort: NDArray[np.int64], start: Array) -> Array:
    """Log-parameters near the maximum of each cohort's own likelihood, found for all at once; shape (cohorts, p).

    Start values for many fits. Cohorts with little data stay within a factor of ``start``, so that a
    fit from here can reach the limits of the model. Parameters are those of ``pool``.
    """
    wide = WIDE**2 * np.eye(len(start))
    cohorts = CohortsObjective.from_prior(model_class, columns, cohort, start, wide)
    return cohorts.modes(np.tile(start, cohorts.n))[0].reshape(cohorts.n, -1)


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
        previous, spread = spread, (axes * np.clip(values, NARROW, WIDE**2)) @ axes.T
        if np.abs(spread - previous).max() < PRECISION / 10:
            break
    return mean, spread


@dataclass(frozen=True, slots=True)
class CohortsObjective(Objective):
    """The log-likelihoods of all cohorts together, with the log-density of their parameters, normal around ``mean``.

    u are the log-parameters of the first cohort, then those of the second, and so on; shape (cohorts p,).
    """

    cohort: NDArray[np.int64]
    n: int
    mean: Array
    precision: Array

    @classmethod
    def from_prior(
        cls,
        model_class: type[Model],
        columns: tuple[Array, ...],
        cohort: NDArray[np.int64],
        mean: Array,
        spread: Array,
    ) -> Self:
        """The cohorts of some rows, whose log-parameters have a mean and a covariance."""
        precision = np.asarray(np.linalg.inv(spread), dtype=np.float64)
        n = int(cohort.max()) + 1
        return cls(model_class, columns, np.ones(len(cohort)), np.zeros(len(mean)), {}, cohort, n, mean, precision)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """None: the other cohorts keep each from running away."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters of each cohort."""
        return self.parameters * self.n

    def model(self, u: Array, **held: float) -> Model:
        """The model with each row's own parameters."""
        values = np.exp(u.reshape(self.n, -1))[self.cohort]
        return self.model_class(**dict(zip(self.parameters, values.T, strict=True)))

    def value(self, u: Array) -> float:
        """The total log-likelihood with the log-density of the parameters."""
        away = u.reshape(self.n, -1) - self.mean
        total = np.sum(self.model(u).log_likelihood(*self.columns))
        return float(total - np.einsum("gi,ij,gj->", away, self.precision, away) / 2)

    def data_gradient(self, u: Array) -> Array:
        """First derivatives of each cohort's log-likelihood; shape (cohorts, p)."""
        score = unchecked(self.model(u).score)(*self.columns)
        slopes = [np.bincount(self.cohort, slope, self.n).astype(float) for slope in score.T]
        return np.stack(slopes, axis=-1) * np.exp(u.reshape(self.n, -1))

    def gradient(self, u: Array) -> Array:
        """First derivatives in u."""
        return np.ravel(self.data_gradient(u) - (u.reshape(self.n, -1) - self.mean) @ self.precision)

    def information(self, u: Array) -> Array:
        """Minus the second derivatives of each cohort's log-likelihood; shape (cohorts, p, p)."""
        steps = STEP * np.tile(np.eye(len(self.mean)), self.n)
        rows = [(self.data_gradient(u - step) - self.data_gradient(u + step)) / (2 * STEP) for step in steps]
        information = np.stack(rows, axis=1)
        return (information + information.swapaxes(1, 2)) / 2

    def hessian(self, u: Array, free: NDArray[np.bool_], step: float = STEP) -> Array:
        """Second derivatives, a block for each cohort, shape (cohorts, p, p).

        A likelihood is taken as concave, which it may not be far from its maximum.
        """
        values, axes = np.linalg.eigh(self.information(u))
        return -np.einsum("gij,gj,gkj->gik", axes, np.maximum(values, 0.0), axes) - self.precision

    def newton_step(self, hessian: Array, gradient: Array) -> Array:
        """Newton's step of each cohort, at most a factor of e^3."""
        step = np.linalg.solve(-hessian, gradient.reshape(self.n, -1, 1))[..., 0]
        return np.ravel(step * np.minimum(1.0, 3.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300)))

    def modes(self, u: Array) -> tuple[Array, Array]:
        """The maximum from u, and what the data of each cohort say there; shapes (cohorts p,) and (cohorts, p, p)."""
        maximum = newton_from(self, u)
        assert maximum.hessian is not None
        return maximum.u, -maximum.hessian - self.precision
