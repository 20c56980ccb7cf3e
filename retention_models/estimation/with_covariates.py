"""Maximum likelihood with covariates: parameters and coefficients are estimated together.

The coefficients work through the links that a model declares, and the gradient is the model's own ``score`` by the
chain rule. Newton's method uses ``standard`` coordinates of the covariates, and the parameters of a customer with mean
covariates. So its steps, and the maximum, do not depend on units, origins or reference levels of covariates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import unchecked
from retention_models.estimation.likelihood import Optimum
from retention_models.estimation.links import FURTHEST, Link, apply_links, derivatives
from retention_models.estimation.model import Limit, Model
from retention_models.estimation.newton import Iterate, Objective, SeparationError, newton, on_cores
from retention_models.estimation.standardise import Covariates, Standard

MOVES = 0.1  # of a direction without curvature: the part of a coefficient that is in it, and not there by rounding


@dataclass(frozen=True, slots=True)
class CovariateObjective(Objective):
    """A model's total log-likelihood as a function of the log-parameters at mean covariates, and coefficients."""

    covariates: tuple[Standard, ...]

    @classmethod
    def from_covariates(
        cls, start: Model, columns: tuple[Array, ...], weight: Array, covariates: tuple[Covariates, ...]
    ) -> CovariateObjective:
        """The log-likelihood of some data, with limits measured against the start.

        Raises
        ------
        ValueError
            When a covariate is constant, or follows from others.
        """
        counted = weight > 0
        columns, weight = tuple(column[counted] for column in columns), weight[counted]
        standards = tuple(
            Standard.from_covariates(replace(each, matrix=each.matrix[counted]), weight) for each in covariates
        )
        plain = Objective.from_start(start, columns, weight)
        return cls(plain.model_class, columns, weight, plain.scale, plain.fixed, standards)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, then those of the coefficients."""
        return self.parameters + tuple(label for each in self.covariates for label in each.labels)

    def log_parameters(self, model: Model) -> Array:
        """The log-parameters of a model without effects of covariates, with coefficients 0."""
        return self.log_parameters_with(model, np.zeros(len(self.names) - len(self.parameters)))

    def log_parameters_with(self, model: Model, coefficients: Array) -> Array:
        """The log-parameters of a model of customers whose covariates are all 0, with its coefficients."""
        u = np.append(np.zeros(len(self.parameters)), coefficients)
        means = {e.link: np.asarray(e.mean @ u[block]) for e, block in zip(self.covariates, self.blocks(), strict=True)}
        u[: len(self.parameters)] = Objective.log_parameters(self, apply_links(model, means))
        for each, block in zip(self.covariates, self.blocks(), strict=True):
            u[block] = each.spread @ u[block]
        return u

    def blocks(self) -> list[slice]:
        """Where in u the coefficients of each link stand."""
        ends = len(self.parameters) + np.cumsum([0, *(len(each.labels) for each in self.covariates)])
        return [slice(first, last) for first, last in pairwise(ends)]

    def indices(self, u: Array) -> dict[Link, Array]:
        """The index of each customer in each link."""
        return {each.link: each.rows @ u[block] for each, block in zip(self.covariates, self.blocks(), strict=True)}

    def value(self, u: Array) -> float:
        """The total log-likelihood."""
        model = apply_links(self.model(u), self.indices(u))
        return float(self.weight @ unchecked(model.log_likelihood)(*self.columns))

    def score(self, u: Array) -> Array:
        """First derivatives of each row's log-likelihood in u; shape (n, len(u))."""
        own, p = self._slopes(u), len(self.parameters)
        by_link = [own[:, p + i, None] * each.rows for i, each in enumerate(self.covariates)]
        return np.concatenate([own[:, :p], *by_link], axis=1)

    def hessian(self, u: Array, free: NDArray[np.bool_], step: float = 1e-4) -> Array:
        """Second derivatives in what is free, symmetric to rounding.

        Differences are taken in the few log-parameters and indices of each row, however many coefficients there are;
        from there on it is the chain rule, for indices are linear in the coefficients.
        """
        directions = step * np.eye(len(self.parameters) + len(self.covariates))
        slopes = on_cores(
            lambda shift: self._slopes(u, shift), np.concatenate([directions, -directions]), len(self.weight)
        )
        second = (np.stack(slopes[: len(directions)]) - np.stack(slopes[len(directions) :])) / (2 * step)
        one = np.ones((len(self.weight), 1))
        rows = [*(one for _ in self.parameters), *(each.rows for each in self.covariates)]
        blocks = [
            [a.T @ ((self.weight * second[i, :, j])[:, None] * b) for j, b in enumerate(rows)]
            for i, a in enumerate(rows)
        ]
        hessian = np.block(blocks)[free][:, free]
        return (hessian + hessian.T) / 2

    def _slopes(self, u: Array, shift: Array | None = None) -> Array:
        """First derivatives of each row's log-likelihood in the log-parameters, and in the index of each link.

        ``shift`` moves these, for all rows alike.
        """
        p, indices = len(self.parameters), self.indices(u)
        if shift is not None:
            u = np.append(u[:p] + shift[:p], u[p:])
            indices = {link: index + by for (link, index), by in zip(indices.items(), shift[p:], strict=True)}
        model = self.model(u)
        linked = apply_links(model, indices)
        values = np.stack(np.broadcast_arrays(self.weight, *(getattr(linked, name) for name in self.parameters))[1:], 1)
        slopes = unchecked(linked.score)(*self.columns) * values
        one = np.ones((len(self.weight), 1))
        return derivatives(model, indices, [one for _ in indices], slopes, self.parameters)

    def gradient(self, u: Array) -> Array:
        """First derivatives in u."""
        weighted, p = self.weight[:, None] * self._slopes(u), len(self.parameters)
        by_link = [weighted[:, p + i] @ each.rows for i, each in enumerate(self.covariates)]
        return np.concatenate([weighted[:, :p].sum(axis=0), *by_link])

    def undetermined_by(self, limit: Limit) -> tuple[str, ...]:
        """Parameters that are not determined on a limit, with the coefficients that act on these or on the held one."""
        pinned = {limit.parameter}
        lost = (
            each.labels
            for each in self.covariates
            if set(each.link.fields) & set(limit.undetermined) or set(each.link.fields) == pinned
        )
        return limit.undetermined + tuple(label for labels in lost for label in labels)

    def at_zero(self, maximum: Iterate) -> tuple[Array, Array]:
        """The log-parameters of a customer whose covariates are 0 and the coefficients; their derivatives in u.

        On a limit only the ratio of some parameters means something: there the one that was held keeps its value.
        """
        place, jacobian = maximum.u.copy(), np.eye(len(maximum.u))
        for each, block in zip(self.covariates, self.blocks(), strict=True):
            where = [self.parameters.index(name) for name in each.link.fields]
            by_standard = np.linalg.inv(each.spread)
            place[block] = each.coefficients(maximum.u[block])
            index = np.array(-each.mean @ place[block])
            logs = list(maximum.u[where])
            slopes = each.link.slopes(logs, index[None])[..., 0]
            place[where] = each.link.apply(logs, index[None])[:, 0]
            jacobian[np.ix_(where, where)] = slopes[:, :-1]
            jacobian[where, block] = slopes[:, -1:] * (-each.mean @ by_standard)
            jacobian[block, block] = by_standard
            for limit in maximum.limits:
                if limit.parameter in each.link.fields:
                    i, shared = self.parameters.index(limit.parameter), set(limit.follows) & set(each.link.fields)
                    for j in (self.parameters.index(name) for name in shared):
                        place[j] += maximum.u[i] - place[i]
                        jacobian[j] -= jacobian[i]
                    place[i] = maximum.u[i]
        return place, jacobian

    def estimates(self, maximum: Iterate) -> Array:
        """The parameters of a customer whose covariates are 0, and the coefficients; those of ``names``."""
        place = self.at_zero(maximum)[0]
        return np.append(np.exp(place[: len(self.parameters)]), place[len(self.parameters) :])

    def flattest(self, maximum: Iterate, direction: Array) -> int:
        """The number of the parameter without curvature; where a coefficient moves with it, an error that names it."""
        everywhere = np.zeros(len(maximum.u))
        everywhere[maximum.free] = direction
        if np.max(np.abs(everywhere[len(self.parameters) :])) < MOVES:
            return Objective.flattest(self, maximum, direction)
        parts: dict[str, tuple[float, float]] = {}
        for each, block in zip(self.covariates, self.blocks(), strict=True):
            size = np.abs(each.coefficients(everywhere[block])) * np.sqrt(np.sum(each.spread**2, axis=0))
            parts.update(zip(each.labels, zip(size, each.coefficients(maximum.u[block]), strict=True), strict=True))
        label = max(parts, key=lambda name: parts[name][0])
        where = "minus infinity" if parts[label][1] < 0 else "infinity"
        raise SeparationError(
            f"{label} runs to {where}: for some of its values, no customers or all customers do what it explains. "
            "Join such a level with another one, or leave the covariate out",
            maximum.value,
        )


@dataclass(frozen=True, slots=True)
class CovariateOptimum:
    """A maximum of the likelihood with covariates.

    ``optimum.model`` is that of a customer whose covariates are all 0; ``optimum.covariance`` and ``optimum.free``
    are of the parameters and of the ``coefficients``.
    """

    optimum: Optimum
    coefficients: dict[str, float]


def maximise_with_covariates(
    start: Model, columns: tuple[Array, ...], weight: Array, covariates: tuple[Covariates, ...], *, robust: bool = False
) -> CovariateOptimum:
    """The maximum-likelihood estimate of a model with covariates, each row counting ``weight`` times.

    Parameters
    ----------
    start
        A model to begin from; its ``fixed`` fields stay.
    columns
        What the model's ``log_likelihood`` takes, each of shape (n,).
    weight
        Shape (n,); how many customers share each row.
    covariates
        What acts through each link.
    robust
        Whether the covariance is the sandwich (Huber-White).

    Raises
    ------
    ValueError
        When a covariate is constant, follows from others, or tells for sure what customers do.
    ConvergenceError
        When no start leads to a maximum.
    """
    objective = CovariateObjective.from_covariates(start, columns, weight, covariates)
    try:
        maximum = newton(objective, objective.log_parameters(start))
    except SeparationError as error:
        raise ValueError(str(error)) from None
    place, jacobian = objective.at_zero(maximum)
    _check_reach(objective, place - maximum.u)
    p = len(objective.parameters)
    scale = np.append(np.exp(place[:p]), np.ones(len(place) - p))
    spread = (scale[:, None] * jacobian)[maximum.free][:, maximum.free]
    covariance = spread @ objective.covariance_of_log_parameters(maximum, robust=robust) @ spread.T
    held = {limit.parameter: limit.value for limit in maximum.limits if limit.parameter not in start.time_parameters}
    optimum = Optimum(
        model=objective.model(place, **held),
        log_likelihood=maximum.value,
        free=tuple(name for name, is_free in zip(objective.names, maximum.free, strict=True) if is_free),
        covariance=(covariance + covariance.T) / 2,
        limits=maximum.limits,
        undetermined=maximum.undetermined,
    )
    return CovariateOptimum(optimum, dict(zip(objective.names[p:], place[p:].tolist(), strict=True)))


def _check_reach(objective: CovariateObjective, shift: Array) -> None:
    """An error if covariates are so far from 0 that the parameters at 0 cannot be computed."""
    if np.any(np.abs(shift[: len(objective.parameters)]) > FURTHEST):
        largest = max(
            (abs(mean) / np.sqrt(spread), label)
            for each in objective.covariates
            for mean, spread, label in zip(each.mean, np.sum(each.spread**2, axis=0), each.labels, strict=True)
        )
        raise ValueError(
            f"{largest[1]} is so far from 0 for all customers that the model of a customer with 0 cannot be "
            f"estimated; subtract a typical value, for example scale(year), or years since 2020 in a column"
        )
