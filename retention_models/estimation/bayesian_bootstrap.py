"""The Bayesian bootstrap: the estimate again and again, with customers reweighted at random.

Rubin (1981), "The Bayesian Bootstrap", Annals of Statistics 9(1), 130-134. The weights of n customers are n standard
exponential ones (their sum does not matter); those of w customers with the same history add up to one from Gamma(w).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.newton import ConvergenceError, Iterate, Objective, newton_from

CLOSE = 1e-6  # half the Newton decrement: a thousandth of a standard error from the top
MOST_STEPS, LONGEST = 25, 1.0  # the latter in log-parameters


def reweighted_estimates(
    objective: Objective, u: Array, replicates: int, rng: np.random.Generator, *, is_top: bool = True
) -> list[Iterate | None]:
    """Tops of a likelihood under random weightings of its customers; None where none was found.

    Parameters
    ----------
    surface
        The likelihood under the weights themselves, which say how many customers share each row.
    u
        Where the climbs begin.
    replicates, rng
        How many weightings, and the source of randomness.
    is_top
        Whether u is the top of the surface, in its interior: the way from there to the other tops is short.
    """
    score = objective.score(u)
    inverse = np.linalg.inv(-objective.hessian(u, np.ones(len(u), dtype=bool))).astype(float) if is_top else None
    tops: list[Iterate | None] = []
    for _ in range(replicates):
        drawn = replace(objective, weight=rng.standard_gamma(objective.weight))
        try:
            near = None if inverse is None else _nearby(drawn, u, drawn.weight @ score, inverse)
            tops.append(near or newton_from(drawn, u))
        except ConvergenceError:
            tops.append(None)
    return tops


def _nearby(objective: Objective, u: Array, gradient: Array, inverse: Array) -> Iterate | None:
    """The top, where steps by the curvature at u lead there, mended on the way (BFGS); None where they lead nowhere.

    ``inverse`` is that of the curvature, which every step then corrects in the direction it went. Where the way leads
    to a limit, it is climbed on from there.
    """
    here = Iterate(u, np.nan, np.ones(len(u), dtype=bool))
    for _ in range(MOST_STEPS):
        step = inverse @ gradient
        is_last = step @ gradient / 2 < CLOSE
        step *= min(1.0, LONGEST / np.max(np.abs(step)))
        here, before = replace(here, u=here.u + step), gradient
        if is_last:
            return here
        gradient = objective.gradient(here.u)
        if objective.limit_ahead(here, gradient, objective.model_class.limits) is not None:
            return newton_from(objective, here.u)
        inverse = _mended(inverse, step, before - gradient)
    return None


def _mended(inverse: Array, step: Array, fall: Array) -> Array:
    """The inverse curvature that explains by how much the gradient fell over a step, closest to the one before."""
    curvature = float(step @ fall)
    if not curvature > 0:
        return inverse
    left = np.eye(len(step)) - np.outer(step, fall) / curvature
    return left @ inverse @ left.T + np.outer(step, step) / curvature
