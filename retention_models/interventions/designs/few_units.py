"""Roll-outs over a few units: what chance would do if the launches had been given to other units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.stepped_wedge import arrangements, permutation_law
from retention_models.interventions.effects.laws import Permutation

FEWEST_ASSIGNMENTS = 40  # different ones, below which a test by chance cannot decide
DRAWS = 1_999
CHUNK = 256  # assignments at once
TIE = 1e-12  # statistics closer than this, relative, are equal


def count_assignments(first: NDArray[np.int64]) -> int:
    """The number of different ways in which the launches could have been given to the units."""
    found = math.factorial(len(first))
    for size in np.unique(first, return_counts=True)[1]:
        found //= math.factorial(int(size))
    return found


def assignments(first: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], bool]:
    """Other launches of the units, shape (m, N), and whether they are all that differ; otherwise they are drawn."""
    if count_assignments(first) <= DRAWS + 1:
        return np.array(list(arrangements(first.tolist())), dtype=np.int64), True
    return rng.permuted(np.tile(first, (DRAWS, 1)), axis=1), False


def _under(roll_out: GroupTime, orders: NDArray[np.int64], statistic: Callable[[Array, Array], Array]) -> Array:
    """A statistic of sums and weights under each assignment, shape (m,)."""
    parts = [orders[start : start + CHUNK] for start in range(0, len(orders), CHUNK)]
    return np.concatenate([statistic(*roll_out.sums_under(part)) for part in parts])


def randomisation_law(roll_out: GroupTime, rng: np.random.Generator) -> Permutation:
    """The law of a constant effect: launches are given to other units, and the effect is what they cannot explain."""
    orders, is_exact = assignments(roll_out.first, rng)
    treated = (np.arange(roll_out.periods) >= roll_out.first[:, None]).astype(np.float64)
    switches = replace(roll_out, values=treated)
    found, switched = (_under(each, orders, each.simple) for each in (roll_out, switches))
    known = np.isfinite(found) & np.isfinite(switched)
    estimate = float(roll_out.estimates.simple)
    return permutation_law(estimate, found[known], switched[known], is_exact=is_exact)


def p_value_of_departure(roll_out: GroupTime, bins: Sequence[NDArray[np.int64]], rng: np.random.Generator) -> float:
    """The share of assignments under which the largest mean of a bin is at least as large as under the actual one.

    ``bins`` are places among the averages by periods since launch.
    """
    orders, is_exact = assignments(roll_out.first, rng)

    def largest(total: Array, weight: Array) -> Array:
        event = roll_out.aggregates(total, weight).event
        return np.max([np.abs(event[..., places].mean(axis=-1)) for places in bins], axis=0)

    actual = float(largest(*roll_out.sums))
    found = _under(roll_out, orders, largest)
    found = found[np.isfinite(found)]
    as_large = int((found >= actual * (1 - TIE)).sum())
    return as_large / len(found) if is_exact else (as_large + 1) / (len(found) + 1)


def noise(values: Array, before: int) -> Array:
    """How much each unit varies around the common course before the first launch, shape (N,)."""
    early = values[:, :before]
    apart = early - early.mean(axis=0) - early.mean(axis=1, keepdims=True) + early.mean()
    return np.asarray(apart.std(axis=1))


def all_noisy(values: Array, first: NDArray[np.int64]) -> bool:
    """Whether all treated units are among the noisiest third before the first launch."""
    treated = first < values.shape[1]
    if int(first.min()) < 2 or treated.all():
        return False
    spread = noise(values, int(first.min()))
    rank = np.argsort(np.argsort(-spread, kind="stable"), kind="stable")
    return bool((rank[treated] < len(first) / 3).all())
