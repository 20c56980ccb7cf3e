"""The Bayesian bootstrap: estimates under random weights of the customers.

Rubin (1981), "The Bayesian Bootstrap", Annals of Statistics 9(1), 130-134. Each customer has a standard exponential
weight (the sum of the weights does not matter). The weights of w customers with the same history add up to Gamma(w).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.newton import ConvergenceError, Iterate, Objective, newton_from

CLOSE = 1e-6  # half the Newton decrement: a thousandth of a standard error from the maximum
MOST_STEPS, LONGEST = 25, 1.0  # LONGEST is in log-parameters


def reweighted_estimates(
    objective: Objective, u: Array, replicates: int, rng: np.random.Generator, *, is_maximum: bool = True
) -> list[Iterate | None]:
    """Maxima of a likelihood under random weights of its customers; None where no maximum was found.

    Parameters
    ----------
    objective
        The likelihood; its ``weight`` is the number of customers that share each row.
    u
        Log-parameters at which Newton's method starts, shape (p,).
    replicates
        Number of weightings.
    rng
        Source of randomness.
    is_maximum
        Whether u is an interior maximum of ``objective``; the other maxima are then close.
    """
    score = objective.score(u)
    inverse = np.linalg.inv(-objective.hessian(u, np.ones(len(u), dtype=bool))).astype(float) if is_maximum else None
    maxima: list[Iterate | None] = []
    for _ in range(replicates):
        reweighted = replace(objective, weight=rng.standard_gamma(objective.weight))
        try:
            near = None if inverse is None else _nearby(reweighted, u, reweighted.weight @ score, inverse)
            maxima.append(near or newton_from(reweighted, u))
        except ConvergenceError:
            maxima.append(None)
    return maxima


def _nearby(objective: Objective, u: Array, gradient: Array, inverse: Array) -> Iterate | None:
    """The maximum near u by quasi-Newton steps (BFGS); None if they do not converge.

    ``inverse`` is the inverse of the curvature at u; each step updates it. If a parameter nears a limit, Newton's
    method continues from there.
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
        inverse = _bfgs_update(inverse, step, before - gradient)
    return None


def _bfgs_update(inverse: Array, step: Array, fall: Array) -> Array:
    """The BFGS update of the inverse curvature, after a step over which the gradient fell by ``fall``."""
    curvature = float(step @ fall)
    if not curvature > 0:
        return inverse
    left = np.eye(len(step)) - np.outer(step, fall) / curvature
    return left @ inverse @ left.T + np.outer(step, step) / curvature
