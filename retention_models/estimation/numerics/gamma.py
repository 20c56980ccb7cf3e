"""Means over a rate that is Gamma-distributed over customers, of functions of it that are smooth in its logarithm.

The trapezoidal rule in the logarithm converges exponentially, as in ``beta``.
"""

from __future__ import annotations

import numpy as np

from retention_models.core.arrays import Array

DROP = 36.0  # a density smaller than its peak by e^-36 is rounding
STEP = 0.3  # in log u, less as the density narrows: the error is then below 1e-12
FEWEST = 32  # nodes, enough for a density as narrow as the normal one


def gamma_rule(shape: Array, scale: Array) -> tuple[Array, Array]:
    """Nodes u and weights for means over u from Gamma(shape, 1); both of shape (nodes, n).

    For functions that fall at least in proportion to u below ``scale``. The first weight also stands for the
    infinitely many nodes beyond it, where only the density's mass is left.
    """
    least = np.minimum(np.minimum(np.log(shape), np.log(scale)), 0) - DROP - 4
    low = np.maximum(np.log(shape) - DROP / shape - np.sqrt(2 * DROP / shape), least)
    high = np.log(shape + np.sqrt(2 * DROP * shape) + DROP)
    steps = (high - low) * np.sqrt(1 + shape / 4) / STEP
    n = max(int(np.ceil(np.max(steps))) + 1, FEWEST)
    step = (high - low) / (n - 1)
    log_u = low + step * np.arange(n)[:, None]
    u = np.exp(log_u)
    weight = np.exp(shape * (log_u - np.log(shape)) - (u - shape))
    weight[0] /= -np.expm1(-shape * step)
    return u, weight / weight.sum(axis=0)
