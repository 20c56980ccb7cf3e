"""Covariates of the calendar: what happened when a renewal was due, such as a price increase, a season or a campaign.

They make the renewals on which they fall count more or less for everybody:

    S(t) = S0(C(t)),   C(t) = sum over u <= t of [u^c - (u - 1)^c] exp(z_u' gamma),

with c = 1 for a model without duration dependence, and S0 the curve of a contract model by exposure, such as
B(a, b + C) / B(a, b). Customers who met the same covariates at the same renewals share a path. A covariate of the
customers moves the logit of the mean a / (a + b) of a path.

After Fader & Hardie (2020), "Incorporating Time-Varying Covariates in a Simple Mixture Model for Discrete-Time
Duration Data", a note that mixes over a gamma where this mixes over a beta distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from retention_models.core.arrays import Array
from retention_models.estimation.likelihood import Optimum
from retention_models.estimation.model import Limit, Model
from retention_models.estimation.newton import Iterate, Objective, SeparationError, newton
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
        (model, by_parameter), (growth, by_growth) = self._apply_churn(u), self._growth(u)
        before = self._before(growth)
        odds_to_leave = np.expm1(np.minimum(-model.log_stay(before, growth), 700.0))
        kept = at_risk - lost
        gain = kept - np.divide(lost, odds_to_leave, out=np.zeros_like(kept), where=odds_to_leave > 0)
        slopes = model.log_stay_slopes(before, growth)
        changes = (*by_parameter, self._before(by_growth), by_growth)
        return np.asarray(sum((gain * slope) @ by for slope, by in zip(slopes, changes, strict=True)))

    def flattest(self, maximum: Iterate, direction: Array) -> int:
        """The number of the parameter without curvature; where a coefficient moves with it, an error that names it."""
        i = Objective.flattest(self, maximum, direction)
        if i < len(self.parameters):
            return i
        raise SeparationError(
            f"{self.names[i]} cannot be determined: it determines who leaves, or follows from other covariates. "
            "Leave it out, or join its levels",
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
        growth, _ = self._growth(u)
        return self._apply_churn(u)[0].log_stay(self._before(growth), growth)

    def log_survival(self, u: Array) -> Array:
        """Logarithm of the share still there after each cell's renewal; shape (n,)."""
        growth, _ = self._growth(u)
        return self._apply_churn(u)[0].log_stay(0.0, self._before(growth) + growth)

    def _apply_churn(self, u: Array) -> tuple[Any, list[Array]]:
        """The model of each cell, and the derivatives of its parameters in u, shape (n, p) each."""
        model: Any = self.model(u)
        first = len(self.parameters)
        values = np.exp(u[:first])
        by = [np.tile(value * np.eye(len(u))[i], (len(self.path), 1)) for i, value in enumerate(values)]
        if self.churn.shape[1]:
            last = first + self.churn.shape[1]
            both, mean = values[0] + values[1], expit(u[0] - u[1] + self.churn @ u[first:last])
            shift = np.zeros((len(mean), len(u)))
            shift[:, 0], shift[:, 1], shift[:, first:last] = 1.0, -1.0, self.churn
            shift *= (both * mean * (1 - mean))[:, None]
            total = by[0] + by[1]
            by[:2] = mean[:, None] * total + shift, (1 - mean)[:, None] * total - shift
            model = replace(model, alpha=mean * both, beta=(1 - mean) * both)
        return model, by

    def _growth(self, u: Array) -> tuple[Array, Array]:
        """By how much the exposure grows at each cell's renewal, and its derivatives in u."""
        first = len(self.parameters) + self.churn.shape[1]
        tenure, ages = self.columns[0], "c" in self.parameters
        at = self.parameters.index("c") if ages else 0
        c = float(np.exp(u[at])) if ages else 1.0
        weight = np.exp(np.clip(self.calendar @ u[first:], -50.0, 50.0))
        growth = weight * power_growth(tenure, c)
        by = np.zeros((len(growth), len(u)))
        by[:, first:] = growth[:, None] * self.calendar
        if ages:
            by[:, at] = weight * c * (power_slope(tenure, c) - power_slope(tenure - 1, c))
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
