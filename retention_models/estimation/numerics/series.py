"""Sums over the whole numbers from some first one on, however many of them matter.

A function that is smooth in the logarithm of a whole number is summed over n of them, to rounding, from its values at
a few places between them: Gauss's quadrature for sums, whose places are the zeros of the discrete Chebyshev
polynomials (Szegő 1975, Orthogonal Polynomials, section 2.8). So a sum's cost follows the logarithm of its length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from retention_models.core.arrays import Array

ROUNDING = 1e-17
NODES = 16  # a block of twice its first number, or of a few standard deviations of a bell: the error is rounding
MOST = 1000  # blocks double: no sum of floating-point numbers has more

Terms = Callable[..., tuple[Array, Array]]
Length = Callable[..., Array]


def add_blocks(terms: Terms, length: Length, total: Array, first: Array, *arguments: Array) -> Array:
    """``total`` plus the sum of ``terms(m, *arguments)`` over m = first, first + 1, ... until the rest is rounding.

    Parameters
    ----------
    terms
        Positive terms at m of shape (nodes, n), smooth in log m, and a bound on the sum of all terms after each.
    length
        How many terms from m on may form a block: ``length(m, *arguments)`` of shape (n,), by the scale on which the
        terms change.
    total, first, arguments
        Each of shape (n,).
    """
    total, first = total.astype(float), first.astype(float)
    active = np.arange(len(total))
    nodes, weights = _rules()
    for _ in range(MOST):
        if not len(active):
            return total
        rows, start = tuple(column[active] for column in arguments), first[active]
        most = np.minimum(length(start, *rows), start)
        size = np.clip(np.log2(np.maximum(most, NODES)), np.log2(NODES), len(nodes.T) - 1).astype(int)
        place = np.ldexp(nodes[:, size], size)
        term, rest = terms(start + place, *rows)
        total[active] += np.sum(np.ldexp(weights[:, size], size) * term, axis=0)
        first[active] = start + np.ldexp(1.0, size)
        active = active[rest[-1] > ROUNDING * total[active]]
    return total


@lru_cache
def _rules() -> tuple[Array, Array]:
    """Places and weights of sums over 0, ..., n - 1, in units of n = 2^e; both of shape (NODES, exponents)."""
    n = np.ldexp(1.0, np.maximum(np.arange(1000), int(np.log2(NODES))))[:, None, None]
    k = np.arange(1, NODES)
    beside = k / 2 * np.sqrt((1 - (k / n) ** 2) / (4 * k**2 - 1.0))
    matrix = beside * np.eye(NODES, k=1)[:, 1:][None, :, :]
    matrix = np.pad(matrix, ((0, 0), (0, 0), (1, 0)))
    place, vectors = np.linalg.eigh(matrix + np.swapaxes(matrix, 1, 2))
    place, weight = (place + (1 - 1 / n[:, 0]) / 2).T, (vectors[:, 0, :] ** 2).T
    is_every = n[:, 0, 0] == NODES
    place[:, is_every], weight[:, is_every] = np.arange(NODES)[:, None] / NODES, 1 / NODES
    return place, weight
