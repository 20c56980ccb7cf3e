"""Covariates of the calendar: what happened when a renewal was due, such as a price increase, a season or a campaign.

They make the renewals on which they fall count more or less for everybody:

    S(t) = B(a, b + C(t)) / B(a, b) exp(-floor C(t)),   C(t) = sum over u <= t of [u^c - (u - 1)^c] exp(z_u' gamma),

with c = 1 but for the beta-discrete-Weibull, and a floor of 0 but for the floored beta-geometric. Customers who met the
same covariates at the same renewals share a path. A covariate of the customers moves the logit of the mean a / (a + b)
of a path.

After Fader & Hardie (2020), "Incorporating Time-Varying Covariates in a Simple Mixture Model for Discrete-Time
Duration Data", a note that mixes over a gamma where this mixes over a beta distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from retention_models.core.arrays import Array
from retention_models.estimation.likelihood import Optimum
from retention_models.estimation.model import Limit, Model
from retention_models.estimation.newton import Iterate, Objective, SeparationError, newton
from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes
from retention_models.survival.contract_model import power_growth, power_slope

MOVES = 0.1  # of a direction without curvature: the part of a coefficient that is in it, and not there by rounding


@dataclass(frozen=True, slots=True)
class CalendarObjective(Objective):
    """The log-likelihood of a retention table by path, as a function of log-parameters and coefficients.

    ``columns`` are tenure, at risk and lost, sorted by ``path`` (0, 1, 2, ...) and within it by tenure 1, 2, 3, ...
    ``churn`` has shape (n, k) and ``calendar`` (n, l), both divided by ``spread``; ``labels`` name their coefficients.
    """

    path: NDArray[np.int64]
    churn: Array
    calendar: Array
    spread: Array
    labels: tuple[str, ...]

    @classmethod
    def from_cells(
        cls,
        start: Model,
        columns: tuple[Array, ...],
        path: NDArray[np.int64],
        churn: Array,
        calendar: Array,
        labels: tuple[str, ...],
    ) -> Self:
        """The log-likelihood of some cells, in which covariates have no unit."""
        both = np.hstack([churn, calendar])
        spread = np.std(both, axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        plain = Objective.from_start(start, columns, np.ones(len(path)))
        churn, calendar = np.split(both / spread, [churn.shape[1]], axis=1)
        return cls(
            plain.model_class, columns, plain.weight, plain.scale, plain.fixed, path, churn, calendar, spread, labels
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, then those of the coefficients."""
        return self.parameters + self.labels

    def log_parameters(self, model: Model) -> Array:
        """The log-parameters of a model, with coefficients 0."""
        return np.append(Objective.log_parameters(self, model), np.zeros(len(self.labels)))

    def value(self, u: Array) -> float:
        """The total log-likelihood."""
        _, at_risk, lost = self.columns
        log_kept = self.log_retention(u)
        return float(np.sum(xlogy(lost, -np.expm1(log_kept)) + (at_risk - lost) * log_kept))

    def gradient(self, u: Array) -> Array:
        """First derivatives in u, by the chain rule through a, b and the exposure."""
        _, at_risk, lost = self.columns
        (a, b, growth), (by_a, by_b, by_growth) = self._apply_covariates(u)
        before, floor = self._before(growth), self._floor(u)
        odds_to_leave = np.expm1(np.minimum(floor * growth - log_mean_power(a, b + before, growth), 700.0))
        kept = at_risk - lost
        gain = kept - np.divide(lost, odds_to_leave, out=np.zeros_like(kept), where=odds_to_leave > 0)
        slope_a, slope_b, slope_growth = (gain * slope for slope in log_mean_power_slopes(a, b + before, growth))
        slopes = slope_a @ by_a + slope_b @ (by_b + self._before(by_growth)) + (slope_growth - gain * floor) @ by_growth
        if floor:
            slopes[2] -= floor * gain @ growth
        return np.asarray(slopes)

    def flattest(self, maximum: Iterate, direction: Array) -> int:
        """The number of the parameter without curvature; where a coefficient moves with it, an error that names it."""
        i = Objective.flattest(self, maximum, direction)
        if i < len(self.parameters):
            return i
        raise SeparationError(
            f"{self.names[i]} cannot be determined: it says who leaves, or follows from other covariates; "
            "leave it out, or join its levels",
            maximum.value,
        )

    def undetermined_by(self, limit: Limit) -> tuple[str, ...]:
        """Parameters that are not determined on a limit, with the coefficients that act on these."""
        lost = self.labels[: self.churn.shape[1]] if limit.towards == 0 else ()
        return limit.undetermined + tuple(lost)

    def scales(self, u: Array) -> Array:
        """Change of each parameter, and of each coefficient in the units of its covariate, per unit of u."""
        return np.append(np.exp(u[: len(self.parameters)]), 1 / self.spread)

    def log_retention(self, u: Array) -> Array:
        """Logarithm of the chance to renew in each cell; shape (n,)."""
        (a, b, growth), _ = self._apply_covariates(u)
        return log_mean_power(a, b + self._before(growth), growth) - self._floor(u) * growth

    def log_survival(self, u: Array) -> Array:
        """Logarithm of the share still there after each cell's renewal; shape (n,)."""
        (a, b, growth), _ = self._apply_covariates(u)
        exposure = self._before(growth) + growth
        return log_mean_power(a, b, exposure) - self._floor(u) * exposure

    def _floor(self, u: Array) -> float:
        """The rate of leaving that is the same for all; 0 for a model without one."""
        return float(np.exp(u[2])) if "floor" in self.parameters else 0.0

    def _apply_covariates(self, u: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
        """Each cell's a, b and growth of exposure, and their derivatives in the parameters."""
        first = len(self.parameters)
        last = first + self.churn.shape[1]
        alpha, beta = np.exp(u[:2])
        mean = expit(u[0] - u[1] + self.churn @ u[first:last])
        a, b = mean * (alpha + beta), (1 - mean) * (alpha + beta)
        by_mean, by_both = np.zeros((len(a), len(u))), np.zeros((len(a), len(u)))
        by_mean[:, 0], by_mean[:, 1], by_mean[:, first:last] = 1.0, -1.0, self.churn
        by_mean *= (mean * b)[:, None]
        by_both[:, :2] = alpha, beta
        by_a, by_b = mean[:, None] * by_both + by_mean, (1 - mean[:, None]) * by_both - by_mean
        growth, by_growth = self._growth(u, last)
        return (a, b, growth), (by_a, by_b, by_growth)

    def _growth(self, u: Array, first: int) -> tuple[Array, Array]:
        """By how much the exposure grows at each cell's renewal, and its derivatives in the parameters."""
        tenure, ages = self.columns[0], "c" in self.parameters
        c = float(np.exp(u[2])) if ages else 1.0
        weight = np.exp(np.clip(self.calendar @ u[first:], -50.0, 50.0))
        growth = weight * power_growth(tenure, c)
        by = np.zeros((len(growth), len(u)))
        by[:, first:] = growth[:, None] * self.calendar
        if ages:
            by[:, 2] = weight * c * (power_slope(tenure, c) - power_slope(tenure - 1, c))
        return growth, by

    def _before(self, growth: Array) -> Array:
        """What has added up over the earlier cells of each cell's path."""
        so_far = np.cumsum(growth, axis=0) - growth
        start = np.flatnonzero(np.diff(self.path, prepend=-1))
        return so_far - so_far[start][self.path]


def maximise_over_calendar(objective: CalendarObjective, start: Model) -> tuple[Optimum, dict[str, float]]:
    """The maximum of the likelihood of cells with covariates, and the coefficients.

    Raises
    ------
    ValueError
        When the coefficient of a covariate has no maximum.
    ConvergenceError
        When no start leads to a maximum.
    """
    try:
        maximum = newton(objective, objective.log_parameters(start))
    except SeparationError as error:
        raise ValueError(str(error)) from None
    first, scales = len(objective.parameters), objective.scales(maximum.u)
    free = scales[maximum.free]
    covariance = objective.covariance_of_log_parameters(maximum, robust=False) * np.outer(free, free)
    optimum = Optimum(
        model=objective.model(maximum.u),
        log_likelihood=maximum.value,
        free=tuple(name for name, is_free in zip(objective.names, maximum.free, strict=True) if is_free),
        covariance=(covariance + covariance.T) / 2,
        limits=maximum.limits,
        undetermined=maximum.undetermined,
    )
    return optimum, dict(zip(objective.labels, (maximum.u * scales)[first:].tolist(), strict=True))
