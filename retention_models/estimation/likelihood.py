"""Maximum likelihood for every model: Newton's method in the logarithms of the parameters.

The parameters of all models here are positive. In their logarithms a change of the time unit is a shift, so
Newton's iterates, and with them the estimate, do not depend on it; they stop on the Newton decrement, which is
measured in units of log-likelihood whatever the data. The gradient is the model's own ``score``; the Hessian is
the central difference of that gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALL, LARGE = 1e-9, 1e7  # where a parameter that runs to zero or to infinity is held
NEAR_ZERO, NEAR_INFINITY = 1e-3, 1e3  # from here on, the limit itself is tried
TOLERANCE = 1e-10  # half the Newton decrement, that is, log-likelihood still to be gained
COARSE_ROWS = 20_000  # above this many rows the first steps are made on coarsened ones


class ConvergenceError(RuntimeError):
    """The likelihood has no maximum that could be found from any start."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a model becomes when one of its dimensionless parameters runs to zero or to infinity.

    ``follows`` grow or shrink in proportion (their ratio to ``parameter`` stays meaningful);
    ``undetermined`` lose their meaning.
    """

    parameter: str
    towards: float
    model: str
    undetermined: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The value at which the parameter is held."""
        return SMALL if self.towards == 0 else LARGE

    def is_near(self, value: float, uphill: float) -> bool:
        """Whether the parameter is on its way to the limit, given the sign of its gradient."""
        return value < NEAR_ZERO and uphill < 0 if self.towards == 0 else value > NEAR_INFINITY and uphill > 0


@dataclass(frozen=True, slots=True)
class Optimum:
    """A maximum of the likelihood: the model there, its covariance, and what was held at an edge.

    ``covariance`` is that of the free parameters, ``free`` their names, in the model's order.
    """

    model: Any
    log_likelihood: float
    free: tuple[str, ...]
    covariance: Array
    limits: tuple[Limit, ...]


def parameter_names(model_class: type) -> tuple[str, ...]:
    """The estimated parameters of a model, in order: its fields less the ``fixed`` ones."""
    return tuple(f.name for f in fields(model_class) if f.name not in model_class.fixed)  # type: ignore[attr-defined]


def maximise(
    model_class: type, columns: Mapping[str, Array], weight: Array, start: Any | None = None, *, robust: bool = False
) -> Optimum:
    """The maximum-likelihood estimate of a model from its columns, each row counting ``weight`` times.

    Parameters
    ----------
    model_class
        A model: a frozen dataclass with ``log_likelihood``, ``score``, ``start`` and ``limits``.
    columns
        The model's ``columns``, each of shape (n,).
    weight
        Shape (n,); how many customers share each row.
    start
        A model to begin from; by default ``model_class.start`` of the data.
    robust
        Whether the covariance is the sandwich (Huber-White) instead of the inverse information.

    Raises
    ------
    ConvergenceError
        When no start leads to a maximum.
    """
    likelihood = _Likelihood(model_class, columns, weight)
    first = start if start is not None else model_class.start(**columns, weight=weight)  # type: ignore[attr-defined]
    u = np.log([float(getattr(first, name)) for name in likelihood.names])
    if len(weight) > COARSE_ROWS:
        coarse, coarse_weight = coarsen(columns, weight)
        if len(coarse_weight) < len(weight) / 2:
            u = _best_climb(_Likelihood(model_class, coarse, coarse_weight), u).u
    top = _best_climb(likelihood, u)
    covariance = likelihood.covariance(top, robust=robust)
    free = tuple(name for name, is_free in zip(likelihood.names, top.free, strict=True) if is_free)
    return Optimum(likelihood.model(top.u), top.value, free, covariance, top.limits)


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """A model's total log-likelihood and its derivatives as functions of u, the log-parameters."""

    model_class: type
    columns: Mapping[str, Array]
    weight: Array

    @property
    def names(self) -> tuple[str, ...]:
        return parameter_names(self.model_class)

    def model(self, u: Array) -> Any:
        return self.model_class(**dict(zip(self.names, np.exp(u).tolist(), strict=True)))

    def value(self, u: Array) -> float:
        return float(self.weight @ self.model(u).log_likelihood(**self.columns))

    def gradient(self, u: Array) -> Array:
        return (self.weight @ self.model(u).score(**self.columns)) * np.exp(u)

    def hessian(self, u: Array, free: NDArray[np.bool_], step: float = 1e-4) -> Array:
        """Second derivatives in the free log-parameters, symmetric to rounding."""
        directions = step * np.eye(len(u))[free]
        rows = [(self.gradient(u + d) - self.gradient(u - d))[free] / (2 * step) for d in directions]
        hessian = np.array(rows).reshape(len(directions), -1)
        return (hessian + hessian.T) / 2

    def covariance(self, top: _Climb, *, robust: bool) -> Array:
        """Covariance of the free parameters themselves, not of their logarithms."""
        information = -self.hessian(top.u, top.free)
        scale = np.exp(top.u[top.free])
        inverse = _inverse(information)
        if robust:
            score = self.model(top.u).score(**self.columns)[:, top.free] * scale
            inverse = inverse @ (score.T @ (score * self.weight[:, None])) @ inverse
        covariance = inverse * np.outer(scale, scale)
        return (covariance + covariance.T) / 2


@dataclass(frozen=True, slots=True)
class _Climb:
    """Where a climb ended: log-parameters, log-likelihood, which are free, and the limits reached."""

    u: Array
    value: float
    free: NDArray[np.bool_]
    limits: tuple[Limit, ...] = ()


def _best_climb(likelihood: _Likelihood, u: Array) -> _Climb:
    """The highest end of the climb from u, and, where that one fails or ends at an edge, from further starts."""
    signs = np.array([np.resize(pattern, len(u)) for pattern in ([1], [-1], [1, 1, -1, -1], [-1, -1, 1, 1])])
    ends: list[_Climb] = []
    problem = ""
    for start in (u, *(u + 1.5 * signs)):
        try:
            ends.append(_climb_to_limits(likelihood, start))
        except ConvergenceError as error:
            problem = problem or str(error)
        if ends and not ends[0].limits:
            return ends[0]
    if not ends:
        raise ConvergenceError(
            f"{likelihood.model_class.__name__}: no maximum of the likelihood was found ({problem}); "
            "is the time unit the one of the data, and are the histories those of customers?"
        )
    return max(ends, key=lambda end: end.value + TOLERANCE * (not end.limits))


def _climb_to_limits(likelihood: _Likelihood, u: Array) -> _Climb:
    """Newton's climb, during which a parameter that runs away is put on its limit and held there."""
    free, reached = np.ones(len(u), dtype=bool), []
    limits: tuple[Limit, ...] = likelihood.model_class.limits  # type: ignore[attr-defined]
    while True:
        end = _climb(likelihood, u, free, limits)
        limit = _limit_ahead(likelihood, end, limits)
        if limit is None:
            return replace(end, limits=tuple(reached))
        reached.append(limit)
        index = {name: i for i, name in enumerate(likelihood.names)}
        shift = np.log(limit.value) - end.u[index[limit.parameter]]
        u, free = end.u.copy(), free.copy()
        for name in (limit.parameter, *limit.follows):
            u[index[name]] += shift
        for name in (limit.parameter, *limit.undetermined):
            free[index[name]] = False


def _limit_ahead(likelihood: _Likelihood, end: _Climb, limits: tuple[Limit, ...]) -> Limit | None:
    """The limit that a free parameter is on its way to, if any."""
    gradient = likelihood.gradient(end.u)
    for limit in limits:
        i = likelihood.names.index(limit.parameter)
        if end.free[i] and limit.is_near(float(np.exp(end.u[i])), gradient[i]):
            return limit
    return None


def _climb(likelihood: _Likelihood, u: Array, free: NDArray[np.bool_], limits: tuple[Limit, ...]) -> _Climb:
    """Newton's method over the free log-parameters, stopped early when one of them nears a limit.

    The Hessian is kept from step to step while it still cuts the decrement tenfold: on large tables the first
    one, from a warm start, serves to the end.
    """
    value, hessian, previous = likelihood.value(u), None, np.inf
    for _ in range(200):
        gradient = likelihood.gradient(u)
        if hessian is None:
            hessian = likelihood.hessian(u, free)
        step = _uphill(hessian, gradient[free])
        decrement = float(step @ gradient[free]) / 2
        if not np.isfinite(decrement):
            raise ConvergenceError("the likelihood is not finite")
        if decrement < TOLERANCE:
            return _Climb(u, value, free)
        if decrement > previous / 10:
            hessian = likelihood.hessian(u, free)
            step = _uphill(hessian, gradient[free])
        previous = decrement
        u, value = _search(likelihood, u, value, free, step, decrement)
        end = _Climb(u, value, free)
        if _limit_ahead(likelihood, end, limits):
            return end
    raise ConvergenceError("200 steps were not enough")


def _uphill(hessian: Array, gradient: Array) -> Array:
    """Newton's step, with the curvature's sign mended where the likelihood is not concave, at most e-fold x 3."""
    if not np.all(np.isfinite(hessian)):
        raise ConvergenceError("the likelihood's curvature is not finite")
    curvature, axes = np.linalg.eigh(-hessian)
    floor = 1e-10 * max(float(np.max(np.abs(curvature), initial=0.0)), np.finfo(float).tiny)
    step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), floor))
    return step * min(1.0, 3.0 / max(float(np.max(np.abs(step), initial=0.0)), 1e-300))


def _search(
    likelihood: _Likelihood, u: Array, value: float, free: NDArray[np.bool_], step: Array, decrement: float
) -> tuple[Array, float]:
    """The first of the step, its half, its quarter... that does not lose likelihood beyond rounding."""
    rounding = 1e-13 * abs(value)
    for halving in range(40):
        trial = u.copy()
        trial[free] += step / 2**halving
        trial_value = likelihood.value(trial)
        if trial_value >= value + 1e-4 * decrement / 2**halving - rounding:
            return trial, trial_value
    raise ConvergenceError("no step along the gradient gains likelihood")


def _inverse(information: Array) -> Array:
    """The inverse of the information, which must be positive definite at a maximum."""
    if information.size == 0:
        return information
    curvature, axes = np.linalg.eigh(information)
    if not np.all(curvature > 0):
        raise ConvergenceError("the likelihood is flat at its maximum: the data do not determine every parameter")
    return (axes / curvature) @ axes.T


def coarsen(columns: Mapping[str, Array], weight: Array, bins: int = 24) -> tuple[dict[str, Array], Array]:
    """Fewer rows that tell nearly the same: real-valued columns averaged within quantile bins.

    Columns of whole numbers (frequency) are kept as they are. Serves to find a start, never the estimate.
    """
    key = np.zeros(len(weight), dtype=np.int64)
    for column in columns.values():
        if np.all(column == np.floor(column)):
            _, code = np.unique(column, return_inverse=True)
        else:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
            code = np.searchsorted(edges, column, side="right")
        _, key = np.unique(key * (int(code.max()) + 1) + code, return_inverse=True)
    total = np.bincount(key, weights=weight)
    kept = total > 0
    means = {
        name: (np.bincount(key, weights=weight * column)[kept] / total[kept])
        if not np.all(column == np.floor(column))
        else _first_of(key, column)[kept]
        for name, column in columns.items()
    }
    return means, total[kept]


def _first_of(key: NDArray[np.int64], column: Array) -> Array:
    """The column's value in each group, where all of a group share it."""
    value = np.empty(int(key.max()) + 1)
    value[key] = column
    return value


Objective = Callable[[Array], float]
