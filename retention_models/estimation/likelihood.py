"""Maximum likelihood for every model: Newton's method in the logarithms of the parameters.

The parameters of all models here are positive. In their logarithms a change of the time unit is a shift, so
Newton's iterates, and with them the estimate, do not depend on it; they stop on the Newton decrement, which is
measured in units of log-likelihood whatever the data. The gradient is the model's own ``score``; the Hessian is
the central difference of that gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALL, LARGE = 1e-9, 1e7  # where a parameter that runs to zero or to infinity is held
NEAR_ZERO, NEAR_INFINITY = 1e-3, 1e3  # from here on, the limit itself is tried
TOLERANCE = 1e-10  # half the Newton decrement, that is, log-likelihood still to be gained
COARSE_ROWS = 20_000  # above this many rows the first steps are made on coarsened ones, and the cores share work


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


class Model(Protocol):
    """What a model offers its estimation: a frozen dataclass of positive parameters with these members.

    ``columns`` are the arguments of its methods, in order; ``fixed`` the fields that are not estimated;
    ``time_parameters`` those that carry the time unit; ``limits`` what it becomes at its edges.
    """

    columns: ClassVar[tuple[str, ...]]
    fixed: ClassVar[tuple[str, ...]]
    time_parameters: ClassVar[tuple[str, ...]]
    limits: ClassVar[tuple[Limit, ...]]

    def __init__(self, **parameters: Any) -> None: ...

    @classmethod
    def start(cls, *columns: Array, weight: Array) -> Self:
        """A model from the data's moments, to begin the climb."""
        ...

    def log_likelihood(self, *columns: Array) -> Array:
        """The log-likelihood of each row; shape (..., n)."""
        ...

    def score(self, *columns: Array) -> Array:
        """The gradient of each row's log-likelihood in the parameters; shape (..., n, p)."""
        ...


@dataclass(frozen=True, slots=True)
class Optimum:
    """A maximum of the likelihood: the model there, its covariance, and what was held at an edge.

    ``covariance`` is that of the free parameters, ``free`` their names, in the model's order.
    """

    model: Model
    log_likelihood: float
    free: tuple[str, ...]
    covariance: Array
    limits: tuple[Limit, ...]


def parameter_names(model_class: type[Model]) -> tuple[str, ...]:
    """The estimated parameters of a model, in order: its fields less the ``fixed`` ones."""
    return tuple(f.name for f in fields(model_class) if f.name not in model_class.fixed)  # type: ignore[arg-type]


def maximise(
    model_class: type[Model],
    columns: Mapping[str, Array],
    weight: Array,
    start: Model | None = None,
    *,
    robust: bool = False,
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
    data = tuple(columns[name] for name in model_class.columns)
    likelihood = _Likelihood(model_class, data, weight)
    first = start if start is not None else model_class.start(*data, weight=weight)
    u, hessian = np.log([float(getattr(first, name)) for name in likelihood.names]), None
    if len(weight) > COARSE_ROWS:
        coarse = _Likelihood(model_class, *coarsen(data, weight))
        warm = _best_climb(coarse, u)
        if not warm.limits:
            u, hessian = warm.u, coarse.hessian(warm.u, warm.free)
    top = _best_climb(likelihood, u, hessian)
    covariance = likelihood.covariance(top, robust=robust)
    free = tuple(name for name, is_free in zip(likelihood.names, top.free, strict=True) if is_free)
    held = {limit.parameter: limit.value for limit in top.limits}
    return Optimum(likelihood.model(top.u, **held), top.value, free, covariance, top.limits)


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """A model's total log-likelihood and its derivatives as functions of u, the log-parameters."""

    model_class: type[Model]
    columns: tuple[Array, ...]
    weight: Array

    @property
    def names(self) -> tuple[str, ...]:
        return parameter_names(self.model_class)

    def model(self, u: Array, **held: float) -> Model:
        return self.model_class(**{**dict(zip(self.names, np.exp(u).tolist(), strict=True)), **held})

    def value(self, u: Array) -> float:
        return float(self.weight @ self.model(u).log_likelihood(*self.columns))

    def at(self, u: Array) -> _Climb:
        """The beginning of a climb at u, every parameter free."""
        value = self.value(u)
        if not np.isfinite(value):
            raise ConvergenceError("the likelihood is not finite at the start values")
        return _Climb(u, value, np.ones(len(u), dtype=bool))

    def gradient(self, u: Array) -> Array:
        return (self.weight @ self.model(u).score(*self.columns)) * np.exp(u)

    def hessian(self, u: Array, free: NDArray[np.bool_], step: float = 1e-4) -> Array:
        """Second derivatives in the free log-parameters, symmetric to rounding."""
        directions = step * np.eye(len(u))[free]
        gradients = self._gradients([*(u + directions), *(u - directions)])
        ahead, behind = gradients[: len(directions)], gradients[len(directions) :]
        hessian = (np.array(ahead) - np.array(behind)).reshape(len(directions), len(u))[:, free] / (2 * step)
        return (hessian + hessian.T) / 2

    def _gradients(self, places: list[Array]) -> list[Array]:
        """The gradient at several places: on large tables the cores share them (numpy lets go of the lock)."""
        if len(self.weight) < COARSE_ROWS:
            return list(map(self.gradient, places))
        with ThreadPoolExecutor() as pool:
            return list(pool.map(self.gradient, places))

    def covariance(self, top: _Climb, *, robust: bool) -> Array:
        """Covariance of the free parameters themselves, not of their logarithms."""
        information = -self.hessian(top.u, top.free)
        scale = np.exp(top.u[top.free])
        inverse = _inverse(information)
        if robust:
            score = self.model(top.u).score(*self.columns)[:, top.free] * scale
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


def _best_climb(likelihood: _Likelihood, u: Array, hessian: Array | None = None) -> _Climb:
    """The highest end of the climb from u, and, where that one fails or ends at an edge, from further starts."""
    signs = np.array([np.resize(pattern, len(u)) for pattern in ([1], [-1], [1, 1, -1, -1], [-1, -1, 1, 1])])
    ends: list[_Climb] = []
    problem = ""
    for start in (u, *(u + 1.5 * signs)):
        try:
            ends.append(_climb_to_limits(likelihood, likelihood.at(start), likelihood.model_class.limits, hessian))
        except ConvergenceError as error:
            problem = problem or str(error)
        if ends and not ends[0].limits:
            return ends[0]
        hessian = None
    if not ends:
        raise ConvergenceError(
            f"{likelihood.model_class.__name__}: no maximum of the likelihood was found ({problem}); "
            "is the time unit the one of the data, and are the histories those of customers?"
        )
    return max(ends, key=lambda end: end.value + TOLERANCE * (not end.limits))


def _climb_to_limits(
    likelihood: _Likelihood, start: _Climb, limits: tuple[Limit, ...], hessian: Array | None = None
) -> _Climb:
    """Newton's climb, during which a parameter that runs away is put on its limit, if that is no lower."""
    end, limit = _climb(likelihood, start, limits, hessian)
    if limit is None:
        return end
    others = tuple(other for other in limits if other is not limit)
    there = _climb_to_limits(likelihood, _moved_to(limit, likelihood, end), others)
    if there.value >= end.value - TOLERANCE:
        return there
    return _climb_to_limits(likelihood, end, others)


def _moved_to(limit: Limit, likelihood: _Likelihood, end: _Climb) -> _Climb:
    """The same place with one parameter on its limit, and no longer free."""
    index = {name: i for i, name in enumerate(likelihood.names)}
    u, free = end.u.copy(), end.free.copy()
    for name in (limit.parameter, *limit.follows):
        u[index[name]] += np.log(limit.value) - end.u[index[limit.parameter]]
    for name in (limit.parameter, *limit.undetermined):
        free[index[name]] = False
    return _Climb(u, likelihood.value(u), free, (*end.limits, limit))


def _climb(
    likelihood: _Likelihood, start: _Climb, limits: tuple[Limit, ...], hessian: Array | None = None
) -> tuple[_Climb, Limit | None]:
    """Newton's method over the free log-parameters, to the top or to where one of them nears a limit.

    A Hessian is kept from step to step while it still cuts the decrement tenfold: on large tables the one of the
    warm start serves to the end.
    """
    here, previous = start, np.inf
    for _ in range(200):
        gradient = likelihood.gradient(here.u)
        limit = _limit_ahead(likelihood, here, gradient, limits)
        if limit is not None:
            return here, limit
        gradient = gradient[here.free]
        if hessian is None:
            hessian = likelihood.hessian(here.u, here.free)
        step = _uphill(hessian, gradient)
        decrement = float(step @ gradient) / 2
        if decrement < TOLERANCE:
            return here, None
        if decrement > previous / 10:
            hessian = likelihood.hessian(here.u, here.free)
            step = _uphill(hessian, gradient)
        previous = decrement
        here = _search(likelihood, here, step, decrement)
    raise ConvergenceError("200 steps were not enough")


def _limit_ahead(likelihood: _Likelihood, here: _Climb, gradient: Array, limits: tuple[Limit, ...]) -> Limit | None:
    """The limit that a free parameter is on its way to, if any."""
    for limit in limits:
        i = likelihood.names.index(limit.parameter)
        if here.free[i] and limit.is_near(float(np.exp(here.u[i])), gradient[i]):
            return limit
    return None


def _uphill(hessian: Array, gradient: Array) -> Array:
    """Newton's step, with the curvature's sign mended where the likelihood is not concave, at most e-fold x 3."""
    if not (np.all(np.isfinite(hessian)) and np.all(np.isfinite(gradient))):
        raise ConvergenceError("the likelihood's derivatives are not finite")
    curvature, axes = np.linalg.eigh(-hessian)
    floor = 1e-10 * max(float(np.max(np.abs(curvature), initial=0.0)), np.finfo(float).tiny)
    step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), floor))
    return step * min(1.0, 3.0 / max(float(np.max(np.abs(step), initial=0.0)), 1e-300))


def _search(likelihood: _Likelihood, here: _Climb, step: Array, decrement: float) -> _Climb:
    """The first of the step, its half, its quarter... that does not lose likelihood beyond rounding."""
    rounding = 1e-13 * abs(here.value)
    for halving in range(40):
        u = here.u.copy()
        u[here.free] += step / 2**halving
        value = likelihood.value(u)
        if value >= here.value + 1e-4 * decrement / 2**halving - rounding:
            return replace(here, u=u, value=value)
    raise ConvergenceError("no step along the gradient gains likelihood")


def _inverse(information: Array) -> Array:
    """The inverse of the information, which must be positive definite at a maximum."""
    if information.size == 0:
        return information
    curvature, axes = np.linalg.eigh(information)
    if not np.all(curvature > 0):
        raise ConvergenceError("the likelihood is flat at its maximum: the data do not determine every parameter")
    return (axes / curvature) @ axes.T


def coarsen(columns: tuple[Array, ...], weight: Array, bins: int = 24) -> tuple[tuple[Array, ...], Array]:
    """Fewer rows that tell nearly the same: columns averaged within quantile bins, small whole numbers kept.

    Whole numbers stay whole. Serves to find a start, never the estimate.
    """
    whole = [bool(np.all(column == np.floor(column))) for column in columns]
    group = np.zeros(len(weight), dtype=np.int64)
    for column, is_whole in zip(columns, whole, strict=True):
        edges = np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1])
        edges = np.unique(np.concatenate([edges, np.arange(20.0)]) if is_whole else edges)
        code = np.searchsorted(edges, column, side="right")
        _, group = np.unique(group * (len(edges) + 1) + code, return_inverse=True)
    total = np.bincount(group, weights=weight).astype(float)
    filled = total > 0
    means = [np.bincount(group, weights=weight * column)[filled] / total[filled] for column in columns]
    return tuple(np.rint(m) if w else m for m, w in zip(means, whole, strict=True)), total[filled]
