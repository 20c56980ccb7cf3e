"""The Bayesian bootstrap: the estimate again and again, with customers reweighted at random.

Rubin (1981), "The Bayesian Bootstrap", Annals of Statistics 9(1), 130-134. The weights of n customers are n standard
exponential ones (their sum does not matter); those of w customers with the same history add up to one from Gamma(w).
"""

from __future__ import annotations

import numpy as np

from retention_models.estimation.climb import Climb, ConvergenceError, Surface, single_climb
from retention_models.estimation.model import Array, Model

CLOSE = 1e-6  # half the Newton decrement: a thousandth of a standard error from the top
MOST_STEPS, LONGEST = 25, 1.0  # the latter in log-parameters


def reweighted(
    estimate: Model,
    columns: tuple[Array, ...],
    weight: Array,
    replicates: int,
    rng: np.random.Generator,
    *,
    is_interior: bool = True,
) -> list[Climb | None]:
    """Tops of the likelihood under random weightings of the customers; None where none was found.

    Parameters
    ----------
    estimate
        The model at the top under the weights themselves. Its ``fixed`` fields stay.
    columns
        What ``log_likelihood`` takes, each of shape (n,).
    weight
        Shape (n,); how many customers share each row.
    replicates, rng
        How many weightings, and the source of randomness.
    is_interior
        Whether the climbs may begin at the estimate; at a limit the likelihood is too flat for that.
    """
    fixed = {name: getattr(estimate, name) for name in estimate.fixed}
    start = estimate if is_interior else type(estimate).start(*columns, weight=weight, **fixed)
    here = Surface.above(start, columns, weight)
    u, every = here.place(start), np.ones(len(here.names), dtype=bool)
    inverse = np.linalg.inv(-here.hessian(u, every)).astype(float) if is_interior else None
    tops: list[Climb | None] = []
    for _ in range(replicates):
        surface = Surface.above(start, columns, rng.standard_gamma(weight))
        try:
            near = None if inverse is None else _nearby(surface, u, inverse)
            tops.append(near or single_climb(surface, u))
        except ConvergenceError:
            tops.append(None)
    return tops


def _nearby(surface: Surface, u: Array, inverse: Array) -> Climb | None:
    """The top, where steps by the curvature at the estimate lead there, mended on the way (BFGS); otherwise None.

    ``inverse`` is that of the curvature, which every step then corrects in the direction it went.
    """
    here, gradient = Climb(u, np.nan, np.ones(len(u), dtype=bool)), surface.gradient(u)
    for _ in range(MOST_STEPS):
        step = inverse @ gradient
        is_last = step @ gradient / 2 < CLOSE
        step *= min(1.0, LONGEST / np.max(np.abs(step)))
        here, before = Climb(here.u + step, np.nan, here.free), gradient
        if is_last:
            return here
        gradient = surface.gradient(here.u)
        if surface.limit_ahead(here, gradient, surface.model_class.limits) is not None:
            return None
        inverse = _mended(inverse, step, before - gradient)
    return None


def _mended(inverse: Array, step: Array, fall: Array) -> Array:
    """The inverse curvature that explains by how much the gradient fell over a step, closest to the one before."""
    curvature = float(step @ fall)
    if not curvature > 0:
        return inverse
    left = np.eye(len(step)) - np.outer(step, fall) / curvature
    return left @ inverse @ left.T + np.outer(step, step) / curvature
