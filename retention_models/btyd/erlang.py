"""Future purchases of regular buyers: gaps of k stages each, of which a part of the first may have passed.

Stages come at the rates Gamma(r, alpha) of customers; every k-th is a purchase, after which the customer leaves with a
chance that is Beta(a, b). How many stages have passed since the last purchase is not seen: everything is a mean over
j = 0, 1, ... k - 1 of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.erlang_counts import (
    BELL,
    expected_pairs,
    expected_purchases,
    reach_probability,
    stay_probability,
)
from retention_models.btyd.erlang_discounted import discounted_ever, discounted_within
from retention_models.btyd.poisson_gamma import count_probability, probability_at_least, silent_stages
from retention_models.btyd.purchase_model import FutureProcess, Parameter, require_count, require_nonnegative
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.estimation.numerics.series import add_blocks

BLOCK = 200_000  # terms at a time: they stay in the processor's cache
FAR = 40.0  # a discount of e^-40 leaves nothing


@dataclass(frozen=True, slots=True, repr=False)
class ErlangBuyer(FutureProcess, Presentation):
    """A regular buyer who is alive; ``share`` is the time since the last purchase over alpha, which includes T."""

    r: Parameter
    alpha: Parameter
    a: Parameter
    b: Parameter
    k: int
    share: Parameter

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of purchases within ``horizon``; may be infinite."""
        h = require_nonnegative("horizon", horizon)
        within = self._by_rows(expected_purchases, np.where(np.isinf(h), 0, h) / self.alpha)
        with np.errstate(divide="ignore"):
            ever = 1 + self.b / np.maximum(self.a - 1, 0)
        return np.where(np.isinf(h), ever, within)[()]

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Chance not to have left by the end of a finite ``horizon``."""
        return self._by_rows(_probability_staying, require_nonnegative("horizon", horizon, finite=True) / self.alpha)

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """E[X (X - 1)] of the number of purchases X within ``horizon``."""
        return self._by_rows(expected_pairs, horizon / self.alpha)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance of exactly ``count`` purchases in (start, end]."""
        n, start = require_count(count), require_nonnegative("start", start)
        window = require_nonnegative("end - start", np.subtract(end, start), finite=True)
        if not np.any(start):
            return self._by_rows(_count_probability, n, window / self.alpha)
        gone = np.where(n == 0, np.maximum(1 - self.probability_staying_new(start), 0), 0.0)
        return self._by_rows(_count_probability_later, n, start / self.alpha, window / self.alpha) + gone

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        """Expected purchases within ``horizon``, each times e^(-rate t); rate above 0."""
        is_far = rate * horizon > FAR + 3 * self.k
        within = self._by_rows(discounted_within, np.where(is_far, 0, horizon) / self.alpha, rate * self.alpha)
        if not np.any(is_far):
            return within
        ever = self._by_rows(discounted_ever, rate * self.alpha)
        return np.where(is_far, ever, within)[()]

    def _by_rows(self, quantity: Callable[..., Array], *arguments: ArrayLike) -> Array:
        """``quantity(k, r, a, b, share, *arguments)``, elementwise, so many rows at a time that memory is bounded."""
        arrays = np.broadcast_arrays(self.r, self.a, self.b, self.share, *arguments)
        columns = [np.ravel(array).astype(float) for array in arrays]
        result, size = np.empty(arrays[0].size), max(BLOCK // (64 * self.k), 1)
        for i in range(0, len(result), size):
            result[i : i + size] = quantity(self.k, *(column[i : i + size] for column in columns))
        return result.reshape(arrays[0].shape)[()]


def _count_probability(k: int, r: Array, a: Array, b: Array, share: Array, n: Array, odds: Array) -> Array:
    """Chance of n purchases within a window from now on."""
    stages = silent_stages(k, r, share)
    return sum(stages[j] * _count_probability_from(j, k, r + j, a, b, n, odds) for j in range(k)) / stages.sum(axis=0)


def _count_probability_from(j: int, k: int, r: Array, a: Array, b: Array, n: Array, odds: Array) -> Array:
    """Chance of n purchases within a window of someone j stages after a purchase, who may leave at the last of them."""
    due = n * k - j
    would = sum(np.where(due + i >= 0, count_probability(np.maximum(due + i, 0), r, odds), 0.0) for i in range(k))
    leaves = np.where(n > 0, a / (b + np.maximum(n - 1, 0)) * probability_at_least(due, r, odds), 0.0)
    return stay_probability(n, a, b) * (would + leaves)


def _probability_staying(k: int, r: Array, a: Array, b: Array, share: Array, before: Array) -> Array:
    """Chance not to have left by the end of a time."""
    return _sum_over_stages(lambda j, passed, m, r, a, b: 1.0, k, r, a, b, share, before)


def _count_probability_later(
    k: int, r: Array, a: Array, b: Array, share: Array, n: Array, before: Array, odds: Array
) -> Array:
    """Chance to be there after a time, and then to buy n times within a window."""

    def then(j: int, passed: Array, m: Array, r: Array, a: Array, b: Array, n: Array, odds: Array) -> Array:
        return _count_probability_from(j, k, r + passed, a, b + m, n, odds)

    return _sum_over_stages(then, k, r, a, b, share, before, n, odds / (1 + before))


def _sum_over_stages(
    then: Callable[..., Array | float], k: int, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array
) -> Array:
    """Mean of what comes ``then``, over the m purchases and j more stages that may have passed, and the chance to stay.

    ``then(j, passed, m, r, a, b, *more)``, m purchases later; the first of ``more`` is the count that sharpens it.
    """

    def terms(m: Array, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array) -> tuple[Array, Array]:
        each = (
            _stage_probability(m * k + j, k, r, share, before) * then(j, m * k + j, m, r, a, b, *more) for j in range(k)
        )
        stays = stay_probability(m, a, b)
        return stays * sum(each), stays * reach_probability(m, k, r, share, before)

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array) -> Array:
        return BELL * m / np.sqrt(r + k * (more[0] if more else 0.0))

    none = np.zeros(len(r))
    return add_blocks(terms, length, none, none, r, a, b, share, before, *more)


def _stage_probability(s: Array, k: int, r: Array, share: Array, odds: Array) -> Array:
    """Chance that s stages have passed since the last purchase when a time ends, of which fewer than k before it."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * np.where(s >= j, count_probability(np.maximum(s - j, 0), r + j, odds), 0.0) for j in range(k))
    return sum(each) / stages.sum(axis=0)
