"""Newton's method in log-parameters, and the limits of the parameters.

A parameter that runs to zero or to infinity is set to that limit and held there, if the likelihood is no lower. A
parameter that makes no difference is held at its value. If the first start ends in one of these cases, or fails,
further starts are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import unchecked
from retention_models.estimation.model import Limit, Model, parameter_names

TOLERANCE = 1e-10  # half the Newton decrement, that is, log-likelihood still to be gained
NO_LOSS = 1e-4  # a limit is taken where the log-likelihood is lower by no more than this
AS_HIGH = 1e-2  # of maxima that differ by no more than this, which no data could tell apart, the simplest is taken
LEAP, LEAP_FROM, LEAP_TO = 6.0, 0.2, 0.6  # steps that gain such a share of the last one's gain are made longer
FLAT = 1e-3  # information on a log-parameter, at which its 95 % interval spans a factor of e^124
FAR_BELOW = 0.05  # an end on coarsened rows that is lower by so much a customer is no maximum of all rows either
ROUNDING = 1e-13  # of a log-likelihood, relative: smaller gains are none
SMALL_ROWS = 200  # up to so many rows what costs is the call, not the arithmetic
SEARCH_ROWS = 2_000  # above this many rows further starts are tried on coarsened ones
COARSE_ROWS = 20_000  # above this many rows the first steps are made on coarsened ones, and the cores share work


Kind = tuple[frozenset[Limit], frozenset[str]]  # the parameters on limits, and those that are undetermined
Start = tuple[Callable[[], "Iterate"], tuple[Limit, ...]]  # a start, with the limits that can be reached from there


class ConvergenceError(RuntimeError):
    """The likelihood has no maximum that could be found from any start; ``value`` is the highest that was reached."""

    def __init__(self, message: str, value: float = -np.inf) -> None:
        super().__init__(message)
        self.value = value


class SeparationError(ConvergenceError):
    """The likelihood grows up to ``value`` while something runs to infinity that has no limiting model."""


@dataclass(frozen=True, slots=True)
class Iterate:
    """A point of the iteration: log-parameters, log-likelihood, what is free or held, and at a maximum the Hessian."""

    u: Array
    value: float
    free: NDArray[np.bool_]
    limits: tuple[Limit, ...] = ()
    undetermined: tuple[str, ...] = ()
    hessian: Array | None = None

    @property
    def is_interior(self) -> bool:
        """Whether every parameter is free."""
        return bool(self.free.all())

    @property
    def kind(self) -> Kind:
        """Which parameters are on which limits, and which are undetermined."""
        return frozenset(self.limits), frozenset(self.undetermined)


@dataclass(frozen=True, slots=True)
class Objective:
    """A model's total log-likelihood and its derivatives as functions of u, the log-parameters.

    ``scale`` are the logarithms against which limits measure the parameters, ``fixed`` the fields that stay. ``coarse``
    is nearly the same function of fewer rows, if there are many, on which long ways are gone first.
    """

    model_class: type[Model]
    columns: tuple[Array, ...]
    weight: Array
    scale: Array
    fixed: Mapping[str, Any]
    coarse: Objective | None = field(default=None, kw_only=True)

    @classmethod
    def from_start(cls, start: Model, columns: tuple[Array, ...], weight: Array) -> Self:
        """The log-likelihood of some data, with limits measured against the start."""
        timed = [getattr(start, n) if n in start.time_parameters else 1.0 for n in parameter_names(type(start))]
        return cls(type(start), columns, weight, np.log(timed), {name: getattr(start, name) for name in start.fixed})

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that parameters may run to."""
        return self.model_class.limits

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the model's parameters, whose logarithms come first in u."""
        return parameter_names(self.model_class)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that is in u."""
        return self.parameters

    def log_parameters(self, model: Model) -> Array:
        """The log-parameters of a model."""
        return np.log([float(getattr(model, name)) for name in self.parameters])

    def model(self, u: Array, **held: float) -> Model:
        """The model with log-parameters u, and some parameters held at exact values."""
        values = np.exp(u[: len(self.parameters)]).tolist()
        return self.model_class(**{**dict(zip(self.parameters, values, strict=True)), **held, **self.fixed})

    def estimates(self, maximum: Iterate) -> Array:
        """The values of what is in u, by ``names``."""
        return np.exp(maximum.u)

    def value(self, u: Array) -> float:
        """The total log-likelihood."""
        return float(self.weight @ unchecked(self.model(u).log_likelihood)(*self.columns))

    def score(self, u: Array) -> Array:
        """First derivatives of each row's log-likelihood in u; shape (n, len(u))."""
        return unchecked(self.model(u).score)(*self.columns) * np.exp(u)

    def start_at(self, u: Array) -> Iterate:
        """The first iterate at u, with all parameters free."""
        value = self.value(u)
        if not np.isfinite(value):
            raise ConvergenceError("the likelihood is not finite at the start values")
        return Iterate(u, value, np.ones(len(u), dtype=bool))

    def gradient(self, u: Array) -> Array:
        """First derivatives in the log-parameters."""
        return (self.weight @ unchecked(self.model(u).score)(*self.columns)) * np.exp(u)

    def hessian(self, u: Array, free: NDArray[np.bool_], step: float = 1e-4) -> Array:
        """Second derivatives in the free log-parameters, symmetric to rounding."""
        directions = step * np.eye(len(u))[free]
        gradients = self._gradients(np.concatenate([u + directions, u - directions]))
        hessian = (gradients[: len(directions)] - gradients[len(directions) :])[:, free] / (2 * step)
        return (hessian + hessian.T) / 2

    def newton_step(self, hessian: Array, gradient: Array) -> Array:
        """Newton's step, with positive curvature enforced if the likelihood is not concave; at most a factor of e^3."""
        if not (np.all(np.isfinite(hessian)) and np.all(np.isfinite(gradient))):
            raise ConvergenceError("the likelihood's derivatives are not finite")
        curvature, axes = np.linalg.eigh(-hessian)
        floor = 1e-10 * max(float(np.max(np.abs(curvature), initial=0.0)), np.finfo(float).tiny)
        step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), floor))
        return step * min(1.0, 3.0 / max(float(np.max(np.abs(step), initial=0.0)), 1e-300))

    def _gradients(self, places: Array) -> Array:
        """The gradient at several points, shape (k, p); for large tables on several cores."""
        if len(self.weight) < SMALL_ROWS and not self.fixed and self.names == self.parameters:
            values = dict(zip(self.names, np.exp(places).T[:, :, None], strict=True))
            return (self.weight @ unchecked(self.model_class(**values).score)(*self.columns)) * np.exp(places)
        return np.array(on_cores(self.gradient, places, len(self.weight))).reshape(places.shape)

    def covariance(self, maximum: Iterate, *, robust: bool) -> Array:
        """Covariance of the free parameters themselves, not of their logarithms."""
        scale = np.exp(maximum.u[maximum.free])
        covariance = self.covariance_of_log_parameters(maximum, robust=robust) * np.outer(scale, scale)
        return (covariance + covariance.T) / 2

    def covariance_of_log_parameters(self, maximum: Iterate, *, robust: bool) -> Array:
        """Covariance of what is free in u."""
        information = -(self.hessian(maximum.u, maximum.free) if maximum.hessian is None else maximum.hessian)
        curvature, axes = np.linalg.eigh(information)
        inverse = (axes / curvature) @ axes.T
        if robust:
            score = self.score(maximum.u)[:, maximum.free]
            inverse = inverse @ (score.T @ (score * self.weight[:, None])) @ inverse
        return inverse

    def limit_ahead(self, here: Iterate, gradient: Array, limits: tuple[Limit, ...]) -> Limit | None:
        """The limit that a free parameter approaches, if any."""
        for limit in limits:
            i = self.names.index(limit.parameter)
            if here.free[i] and limit.is_near(float(np.exp(here.u[i] - self.scale[i])), gradient[i]):
                return limit
        return None

    def undetermined_by(self, limit: Limit) -> tuple[str, ...]:
        """Parameters that are not determined on a limit."""
        return limit.undetermined

    def flattest(self, maximum: Iterate, direction: Array) -> int:
        """The index in u of the largest part of a direction without curvature."""
        return int(np.flatnonzero(maximum.free)[np.argmax(np.abs(direction).round(6))])

    def start_at_limit(self, limit: Limit, u: Array) -> Iterate:
        """The first iterate at u, with one parameter on its limit."""
        return self.hold_at_limit(limit, self.start_at(u))

    def hold_at_limit(self, limit: Limit, end: Iterate) -> Iterate:
        """The iterate with one parameter on its limit and no longer free."""
        index = {name: i for i, name in enumerate(self.names)}
        i = index[limit.parameter]
        u, free = end.u.copy(), end.free.copy()
        shift = np.log(limit.value) + self.scale[i] - end.u[i]
        for name in (limit.parameter, *limit.follows):
            u[index[name]] += shift
        for name in limit.against:
            u[index[name]] -= shift
        for name in (limit.parameter, *self.undetermined_by(limit)):
            free[index[name]] = False
        u[len(self.parameters) :] *= free[len(self.parameters) :]
        value = self.value(u)
        if not np.isfinite(value):
            raise ConvergenceError(f"the likelihood is not finite where {limit.model}")
        return replace(end, u=u, value=value, free=free, limits=(*end.limits, limit))


def on_cores(function: Callable[[Array], Array], places: Array, n_rows: int) -> list[Array]:
    """The values of a function at several points; for large tables on several cores."""
    if n_rows < COARSE_ROWS:
        return [function(place) for place in places]
    with ThreadPoolExecutor() as pool:  # numpy lets go of the lock
        return list(pool.map(function, places))


def newton(objective: Objective, u: Array) -> Iterate:
    """The maximum that Newton's method finds from u; if that fails or ends at a limit, the best from more starts.

    Further starts are other points, and the limits themselves. Where there is a ``coarse`` objective, they are tried on
    that one, and only where they end there is the start of a search on all rows. Of maxima with practically the same
    likelihood, the one with the fewest undetermined parameters is taken, and then the one with the fewest free
    parameters.
    """
    first, *others = _starting_points(objective, u)
    hessian = None
    if objective.coarse is not None and len(objective.weight) > COARSE_ROWS:
        near, _ = _search(objective.coarse, _starting_points(objective.coarse, u)[:1])
        if near and near[0].is_interior:
            first, hessian = (partial(objective.start_at, near[0].u), objective.limits), near[0].hessian
    ends, failures = _search(objective, [first], hessian)
    if ends and ends[0].is_interior:
        return ends[0]
    if objective.coarse is not None:
        others = _near_coarse_ends(objective, objective.coarse, u, ends)
    more, more_failures = _search(objective, others)
    return _simplest(objective, [*ends, *more], [*failures, *more_failures])


def _simplest(objective: Objective, ends: list[Iterate], failures: list[ConvergenceError]) -> Iterate:
    """The simplest of the highest maxima; an error where a search failed higher up."""
    highest = max((end.value for end in ends), default=-np.inf)
    higher = [failure for failure in failures if not ends or failure.value > highest + AS_HIGH]
    for failure in higher:
        if isinstance(failure, SeparationError):
            raise failure
    if higher:
        raise ConvergenceError(
            f"{objective.model_class.__name__}: no maximum of the likelihood was found ({higher[0]}); "
            "check that the time unit is that of the data, and that each history is that of one customer"
        )
    equals = [end for end in ends if end.value >= highest - AS_HIGH]
    return min(equals, key=lambda end: (not end.is_interior, len(end.undetermined), end.free.sum()))


def newton_from(objective: Objective, u: Array) -> Iterate:
    """The maximum that Newton's method finds from u alone; at a limit, another start could lead higher."""
    return _newton_to_limits(objective, objective.start_at(u), objective.limits)


def _starting_points(objective: Objective, u: Array) -> list[Start]:
    """Starts: u, points around it, and the limits that are starts."""
    limits = objective.limits
    starts: list[Start] = [(partial(objective.start_at, u), limits)]
    for pattern in ([1], [-1], [1, 1, -1, -1], [-1, -1, 1, 1]):
        away = 1.5 * np.resize(pattern, len(u)) * (np.arange(len(u)) < len(objective.parameters))
        starts.append((partial(objective.start_at, u + away), limits))
    starts += [
        (partial(objective.start_at_limit, limit, u), _remaining_limits(limit, limits))
        for limit in limits
        if limit.is_start
    ]
    return starts


def _search(
    objective: Objective, starts: Iterable[Start], hessian: Array | None = None
) -> tuple[list[Iterate], list[ConvergenceError]]:
    """Where Newton's method ends from some starts, and how it failed from others."""
    ends: list[Iterate] = []
    failures: list[ConvergenceError] = []
    faces: dict[Kind, Iterate] = {}
    for start, open_limits in starts:
        try:
            ends.append(_newton_to_limits(objective, start(), open_limits, hessian, faces))
        except ConvergenceError as error:
            failures.append(error)
    return ends, failures


def _near_coarse_ends(objective: Objective, coarse: Objective, u: Array, known: list[Iterate]) -> list[Start]:
    """Starts at the highest end of each kind on fewer rows, and all starts if one of them fails higher up there.

    Kinds that are ``known`` already, ends that are lower by far, and ends with more undetermined parameters than one
    that is as high, are left out.
    """
    ends, failures = _search(coarse, _starting_points(coarse, u))
    highest = max((end.value for end in ends), default=-np.inf)
    if not ends or any(failure.value > highest + AS_HIGH for failure in failures):
        return _starting_points(objective, u)[1:]
    kinds = {end.kind: end for end in sorted(ends, key=lambda end: end.value)}
    low, met = highest - FAR_BELOW * float(coarse.weight.sum()), {end.kind for end in known}
    new = [
        end
        for kind, end in kinds.items()
        if end.value > low
        and kind not in met
        and not any(e.value >= end.value - AS_HIGH and len(e.undetermined) < len(end.undetermined) for e in ends)
    ]
    return [(partial(_start_on, objective, end), _open_limits(objective, end)) for end in new]


def _start_on(objective: Objective, end: Iterate) -> Iterate:
    """The iterate at the end of a search on other rows, with the same parameters on their limits."""
    here = objective.start_at(end.u)
    for limit in end.limits:
        here = objective.hold_at_limit(limit, here)
    return here


def _open_limits(objective: Objective, end: Iterate) -> tuple[Limit, ...]:
    """The limits that can still be reached from an end."""
    limits = objective.limits
    for limit in end.limits:
        limits = _remaining_limits(limit, limits)
    return limits


def _remaining_limits(limit: Limit, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """The limits that can still be reached once a limit has been: those about other parameters."""
    return tuple(other for other in limits if not other.involved & limit.involved)


def _newton_to_limits(
    objective: Objective,
    start: Iterate,
    limits: tuple[Limit, ...],
    hessian: Array | None = None,
    faces: dict[Kind, Iterate] | None = None,
) -> Iterate:
    """Newton's method, in which parameters that run to a limit, or make no difference, are held.

    ``faces`` are the maxima with parameters on limits that earlier ways have led to; each is found only once.
    """
    faces = {} if faces is None else faces
    end, limit = _newton(objective, start, limits, hessian)
    if limit is None:
        flat = _flat_parameter(objective, end)
        if flat is None:
            return end
        held = replace(end, free=end.free & (np.arange(len(end.free)) != flat), hessian=None)
        held = replace(held, undetermined=(*end.undetermined, objective.names[flat]))
        return _newton_to_limits(objective, held, limits, faces=faces)
    held, others = objective.hold_at_limit(limit, end), _remaining_limits(limit, limits)
    if held.kind not in faces:
        faces[held.kind] = _newton_to_limits(objective, _closer(objective, held, others), others, faces=faces)
    there = faces[held.kind]
    if there.value >= end.value - NO_LOSS:
        return there
    return _newton_to_limits(objective, end, tuple(other for other in limits if other is not limit), faces=faces)


def _closer(objective: Objective, start: Iterate, limits: tuple[Limit, ...]) -> Iterate:
    """The start, or a higher point with the same parameters on limits, near the maximum on coarse rows."""
    if objective.coarse is None:
        return start
    try:
        near = _newton_to_limits(objective.coarse, _start_on(objective.coarse, start), limits)
        there = _start_on(objective, near)
    except ConvergenceError:
        return start
    return there if near.kind == start.kind and there.value > start.value else start


def _flat_parameter(objective: Objective, maximum: Iterate) -> int | None:
    """The index in u of the largest part of a direction without curvature, if there is one."""
    if maximum.hessian is None or not maximum.free.any():
        return None
    curvature, axes = np.linalg.eigh(-maximum.hessian)
    if curvature.min() > FLAT:
        return None
    return objective.flattest(maximum, axes[:, 0])


def _newton(
    objective: Objective, start: Iterate, limits: tuple[Limit, ...], hessian: Array | None = None
) -> tuple[Iterate, Limit | None]:
    """Newton's method over the free log-parameters, to the maximum or to where one of them nears a limit.

    In an exponential tail, where a parameter runs away and each step gains a fraction of the last gain, steps are made
    longer. A Hessian from a warm start is kept while the decrement falls tenfold a step; on large tables it serves
    almost to the end. The maximum itself is always confirmed with its own Hessian. Where steps gain less than rounding
    and do not become smaller fast, the likelihood is flat, and they end.
    """
    here, previous, is_own = start, np.inf, hessian is None
    for _ in range(200):
        gradient = objective.gradient(here.u)
        limit = objective.limit_ahead(here, gradient, limits)
        if limit is not None:
            return here, limit
        if hessian is None:
            hessian, is_own = objective.hessian(here.u, here.free), True
        step = objective.newton_step(hessian, gradient[here.free])
        decrement = float(step @ gradient[here.free]) / 2
        is_stuck = decrement < ROUNDING * abs(here.value) and decrement > previous / 10
        is_done = decrement < TOLERANCE or is_stuck
        if is_done and is_own:
            return replace(_last_step(objective, here, step), hessian=hessian), None
        if not is_done:
            in_tail = LEAP_FROM < decrement / previous < LEAP_TO
            here = _line_search(objective, here, step * LEAP if in_tail else step, decrement)
        if is_own or is_done or decrement > previous / 10:
            hessian = None
        previous = decrement
    raise ConvergenceError("the search did not converge in 200 steps", here.value)


def _last_step(objective: Objective, here: Iterate, step: Array) -> Iterate:
    """The step that gains less than the tolerance: near the maximum it doubles the digits of the parameters."""
    u = here.u.copy()
    u[here.free] += step
    return replace(here, u=u, value=objective.value(u))


def _line_search(objective: Objective, here: Iterate, step: Array, decrement: float) -> Iterate:
    """The first of the step, its half, its quarter... that does not lose likelihood beyond rounding."""
    rounding = ROUNDING * abs(here.value)
    for halving in range(40):
        u = here.u.copy()
        u[here.free] += step / 2**halving
        value = objective.value(u)
        if value >= here.value + 1e-4 * decrement / 2**halving - rounding:
            return replace(here, u=u, value=value)
    raise ConvergenceError("no step along the gradient increases the likelihood", here.value)
