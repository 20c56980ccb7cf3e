"""Maximum likelihood for every model: Newton's method in the logarithms of the parameters.

The parameters of all models here are positive. In their logarithms a change of the time unit is a shift, so
Newton's iterates, and with them the estimate, do not depend on it; they stop on the Newton decrement, which is
measured in units of log-likelihood whatever the data. The gradient is the model's own ``score``; the Hessian is
the central difference of that gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.model import Limit, Model, averaged_columns
from retention_models.estimation.newton import SEARCH_ROWS, ConvergenceError, Objective, newton

NEAR_EDGE = 1e4  # times the usual start: near a limit at infinity


@dataclass(frozen=True, slots=True)
class Optimum:
    """A maximum of the likelihood: the model there, its covariance, and what was held.

    ``covariance`` is that of the free parameters, ``free`` their names, in the model's order. ``limits`` were reached
    by parameters that ran away; ``undetermined`` parameters make no difference to the likelihood.
    """

    model: Model
    log_likelihood: float
    free: tuple[str, ...]
    covariance: Array
    limits: tuple[Limit, ...]
    undetermined: tuple[str, ...]


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
        The model's ``columns``, and what it calls ``averaged``, each of shape (n,).
    weight
        Shape (n,); how many customers share each row.
    start
        A model to begin from, whose ``fixed`` fields stay. By default ``model_class.start`` of the data; for a model
        with fixed fields each of ``model_class.starts`` in turn, for as long as the likelihood grows. Starts near the
        limits at infinity follow where the way from the usual start is too long.
    robust
        Whether the covariance is the sandwich (Huber-White) instead of the inverse information.

    Raises
    ------
    ConvergenceError
        When no start leads to a maximum.
    """
    data = tuple(columns[name] for name in (*model_class.columns, *averaged_columns(model_class)))
    if start is not None:
        return _maximum(start, data, weight, robust)
    if not model_class.fixed:
        first = model_class.start(*data, weight=weight)
        try:
            return _maximum(first, data, weight, robust)
        except ConvergenceError as error:
            return _maximum_near_edges(first, data, weight, robust, error)
    best: Optimum | None = None
    for first in model_class.starts(*data, weight=weight):  # type: ignore[attr-defined]
        optimum = _maximum(first, data, weight, robust)
        if best is not None and optimum.log_likelihood <= best.log_likelihood:
            break
        best = optimum
    assert best is not None
    return best


def _maximum(first: Model, data: tuple[Array, ...], weight: Array, robust: bool) -> Optimum:
    """The maximum from a start, whose fixed fields stay."""
    model_class = type(first)
    objective = Objective.from_start(first, data, weight)
    if len(weight) > SEARCH_ROWS:
        objective = replace(objective, coarse=Objective.from_start(first, *coarsen(data, weight)))
    maximum = newton(objective, objective.log_parameters(first))
    held = {
        limit.parameter: limit.value for limit in maximum.limits if limit.parameter not in model_class.time_parameters
    }
    return Optimum(
        model=objective.model(maximum.u, **held),
        log_likelihood=maximum.value,
        free=tuple(name for name, is_free in zip(objective.names, maximum.free, strict=True) if is_free),
        covariance=objective.covariance(maximum, robust=robust),
        limits=maximum.limits,
        undetermined=maximum.undetermined,
    )


def _maximum_near_edges(
    first: Model, data: tuple[Array, ...], weight: Array, robust: bool, error: ConvergenceError
) -> Optimum:
    """The maximum from starts near the limits at infinity, where the way from the usual start is too long."""
    for limit in (limit for limit in type(first).limits if limit.towards > 0):
        grown = {name: getattr(first, name) * NEAR_EDGE for name in (limit.parameter, *limit.follows)}
        with suppress(ConvergenceError):
            return _maximum(replace(first, **grown), data, weight, robust)  # type: ignore[type-var]
    raise error


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
