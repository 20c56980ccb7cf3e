"""Roll-outs over a few units: what chance would do if the launches had been given to other units."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.stepped_wedge import arrangements, permutation_law
from retention_models.interventions.effects.laws import Permutation

FEWEST_ASSIGNMENTS = 40  # different ones, below which a test by chance cannot decide
DRAWS = 1_999


def count_assignments(first: NDArray[np.int64]) -> int:
    """The number of different ways in which the launches could have been given to the units."""
    found = math.factorial(len(first))
    for size in np.unique(first, return_counts=True)[1]:
        found //= math.factorial(int(size))
    return found


def assignments(first: NDArray[np.int64], rng: np.random.Generator) -> tuple[list[NDArray[np.int64]], bool]:
    """Other launches of the units, and whether they are all that differ; otherwise they are drawn."""
    if count_assignments(first) <= DRAWS + 1:
        return [np.array(order, dtype=np.int64) for order in arrangements(first.tolist())], True
    return [rng.permutation(first) for _ in range(DRAWS)], False


def randomisation_law(roll_out: GroupTime, rng: np.random.Generator) -> Permutation:
    """The law of a constant effect: launches are given to other units, and the effect is what they cannot explain."""
    orders, is_exact = assignments(roll_out.first, rng)
    treated = (np.arange(roll_out.periods) >= roll_out.first[:, None]).astype(np.float64)
    switches = GroupTime(treated, roll_out.weights, roll_out.first, roll_out.anticipation, roll_out.control_group)
    found = np.array([(_simple(roll_out, order), _simple(switches, order)) for order in orders])
    known = np.isfinite(found).all(axis=1)
    estimate = float(roll_out.estimates.simple)
    return permutation_law(estimate, found[known, 0], found[known, 1], is_exact=is_exact)


def randomisation_p_value(
    roll_out: GroupTime, statistic: Callable[[GroupTime], float], rng: np.random.Generator
) -> float:
    """The share of assignments under which a statistic is at least as large as under the actual one."""
    orders, is_exact = assignments(roll_out.first, rng)
    actual = statistic(roll_out)
    found = np.array([statistic(roll_out.with_first(order)) for order in orders])
    found = found[np.isfinite(found)]
    as_large = int((found >= actual * (1 - 1e-12)).sum())
    return as_large / len(found) if is_exact else (as_large + 1) / (len(found) + 1)


def _simple(roll_out: GroupTime, first: NDArray[np.int64]) -> float:
    return float(roll_out.with_first(first).estimates.simple)


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
