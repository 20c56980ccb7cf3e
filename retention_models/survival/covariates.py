"""What moves the chance to leave: who the customers are, and what happened while they were there.

A covariate of the customers (plan, channel) moves the mean chance to leave of those who share it: the logit of the
mean is linear in x, the concentration alpha + beta common to all. A covariate of the calendar (a price rise, a season,
a campaign) makes the renewals on which it falls weigh more or less for everybody:

    S(t) = B(a, b + C(t)) / B(a, b),   C(t) = sum over u <= t of [u^c - (u - 1)^c] exp(z_u' gamma),

with c = 1 for the shifted-beta-geometric. Customers who met the same covariates at the same renewals share a path; the
cells of a path need those of all its renewals.

After Fader & Hardie (2020), "Incorporating Time-Varying Covariates in a Simple Mixture Model for Discrete-Time
Duration Data", a note that mixes over a gamma where this mixes over a beta distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from retention_models.core.arrays import Array
from retention_models.estimation.newton import ConvergenceError
from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes
from retention_models.survival.contract_model import power_growth, power_slope

TOLERANCE = 1e-12  # half the Newton decrement: log-likelihood still to be gained
STEP = 1e-5
ALIKE = np.log(1e8)  # log beta from which on customers with the same covariates are alike


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a retention table with their covariates, sorted by path and within it by tenure 1, 2, 3...

    ``churn`` has shape (n, k), ``calendar`` (n, l), and ``path`` numbers the paths 0, 1, 2... ``ages`` tells whether
    the model has a c. The parameters are log alpha, log beta, (log c,) and the k and the l coefficients.
    """

    tenure: Array
    at_risk: Array
    lost: Array
    path: NDArray[np.int64]
    churn: Array
    calendar: Array
    ages: bool

    def log_retention(self, parameters: Array) -> Array:
        """Logarithm of the chance to renew in each cell; shape (n,)."""
        (a, b, growth), _ = self._apply_covariates(parameters)
        return log_mean_power(a, b + self._before(growth), growth)

    def log_survival(self, parameters: Array) -> Array:
        """Logarithm of the share still there after each cell's renewal; shape (n,)."""
        (a, b, growth), _ = self._apply_covariates(parameters)
        return log_mean_power(a, b, self._before(growth) + growth)

    def log_likelihood(self, parameters: Array) -> float:
        """The total log-likelihood."""
        log_kept = self.log_retention(parameters)
        return float(np.sum(xlogy(self.lost, -np.expm1(log_kept)) + (self.at_risk - self.lost) * log_kept))

    def score(self, parameters: Array) -> Array:
        """Its gradient, by the chain rule through a, b and the exposure; shape (parameters,)."""
        (a, b, growth), (by_a, by_b, by_growth) = self._apply_covariates(parameters)
        before = self._before(growth)
        odds_to_leave = np.expm1(np.minimum(-log_mean_power(a, b + before, growth), 700.0))
        kept = self.at_risk - self.lost
        gain = kept - np.divide(self.lost, odds_to_leave, out=np.zeros_like(kept), where=odds_to_leave > 0)
        slope_a, slope_b, slope_growth = (gain * slope for slope in log_mean_power_slopes(a, b + before, growth))
        return slope_a @ by_a + slope_b @ (by_b + self._before(by_growth)) + slope_growth @ by_growth

    def _apply_covariates(self, parameters: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
        """Each cell's a, b and growth of exposure, and their derivatives in the parameters."""
        first = 3 if self.ages else 2
        last = first + self.churn.shape[1]
        alpha, beta = np.exp(parameters[:2])
        mean = expit(parameters[0] - parameters[1] + self.churn @ parameters[first:last])
        a, b = mean * (alpha + beta), (1 - mean) * (alpha + beta)
        by_mean, by_both = np.zeros((len(a), len(parameters))), np.zeros((len(a), len(parameters)))
        by_mean[:, 0], by_mean[:, 1], by_mean[:, first:last] = 1.0, -1.0, self.churn
        by_mean *= (mean * b)[:, None]
        by_both[:, :2] = alpha, beta
        by_a, by_b = mean[:, None] * by_both + by_mean, (1 - mean[:, None]) * by_both - by_mean
        growth, by_growth = self._growth(parameters, last)
        return (a, b, growth), (by_a, by_b, by_growth)

    def _growth(self, parameters: Array, first: int) -> tuple[Array, Array]:
        """By how much the exposure grows at each cell's renewal, and its derivatives in the parameters."""
        c = float(np.exp(parameters[2])) if self.ages else 1.0
        weight = np.exp(np.clip(self.calendar @ parameters[first:], -50.0, 50.0))
        growth = weight * power_growth(self.tenure, c)
        by = np.zeros((len(growth), len(parameters)))
        by[:, first:] = growth[:, None] * self.calendar
        if self.ages:
            by[:, 2] = weight * c * (power_slope(self.tenure, c) - power_slope(self.tenure - 1, c))
        return growth, by

    def _before(self, growth: Array) -> Array:
        """What has added up over the earlier cells of each cell's path."""
        so_far = np.cumsum(growth, axis=0) - growth
        start = np.flatnonzero(np.diff(self.path, prepend=-1))
        return so_far - so_far[start][self.path]


def maximise(cells: Cells, start: Array) -> tuple[Array, Array, bool]:
    """The parameters that maximise the likelihood, their covariance, and whether customers like each other differ.

    Where those with the same covariates do not, alpha and beta run to infinity together; beta is then held there, its
    error 0.

    Raises
    ------
    ConvergenceError
        When the likelihood has no maximum.
    """
    every = np.ones(len(start), dtype=bool)
    try:
        return *newton(cells, start, every), True
    except ConvergenceError as error:
        near_equal, free = start.copy(), every.copy()
        near_equal[:2], free[1] = ALIKE + np.array([start[0] - start[1], 0.0]), False
        try:
            place, covariance = newton(cells, near_equal, free)
        except ConvergenceError:
            raise error from None
        return place, covariance, False


def newton(cells: Cells, start: Array, free: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The free parameters that maximise the likelihood; Newton's method, the curvature by differences.

    Their covariance has zeros for those that are held.

    Raises
    ------
    ConvergenceError
        When there is no maximum, as where a covariate separates those who stay from those who leave.
    """
    here, height = start, cells.log_likelihood(start)
    for _ in range(200):
        slope, curvature = cells.score(here)[free], _curvature(cells, here)[np.ix_(free, free)]
        values, axes = np.linalg.eigh(curvature)
        size = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
        step = axes @ ((axes.T @ slope) / size)
        moved = np.zeros(len(here))
        moved[free] = step
        if step @ slope / 2 < TOLERANCE and values[0] > 1e-9 * values[-1]:
            covariance = np.zeros((len(here), len(here)))
            covariance[np.ix_(free, free)] = (axes / values) @ axes.T
            return here + moved, covariance
        here, height = _higher(cells, here, height, moved * min(1.0, 2.0 / np.abs(step).max()))
    raise ConvergenceError(
        "no maximum of the likelihood was found: is a covariate constant, or does it say who leaves?"
    )


def _curvature(cells: Cells, here: Array) -> Array:
    """Minus the second derivatives of the log-likelihood."""
    rows = [(cells.score(here - step) - cells.score(here + step)) / (2 * STEP) for step in STEP * np.eye(len(here))]
    curvature = np.array(rows)
    return (curvature + curvature.T) / 2


def _higher(cells: Cells, here: Array, height: float, step: Array) -> tuple[Array, float]:
    """The place after the step, its half, its quarter..., whichever first is no lower beyond rounding."""
    for halving in range(40):
        there = here + step / 2**halving
        there_height = cells.log_likelihood(there)
        if there_height >= height - 1e-13 * abs(height):
            return there, there_height
    raise ConvergenceError("no step gains likelihood")
