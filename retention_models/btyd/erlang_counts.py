"""Expected purchases of regular buyers: sums of the probabilities of the m-th purchase.

The m-th purchase is made by a customer who has stayed m - 1 times and passes m k - j stages; the two are independent.
The first terms are added one by one and the others by blocks (see ``series``). So a long horizon or a high frequency
does not make the sums long. Arguments are those of ``ErlangBuyer``, each of shape (n,); times are over alpha.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retention_models.btyd.poisson_gamma import (
    count_power,
    log_count_coefficient,
    probability_at_least,
    silent_stages,
)
from retention_models.btyd.purchase_model import Parameter, zero_safe_product
from retention_models.core.arrays import Array
from retention_models.estimation.numerics.series import ROUNDING, add_blocks
from retention_models.estimation.numerics.special import log_rising_ratio

ONE_BY_ONE = (8, 16, 32, 64)  # purchases that are added one by one: of these numbers, one that is enough for most
DROP = 36.0  # terms smaller by e^-36 are rounding
SURE = 10.0  # standard deviations of its logarithm below which a number of stages is all but sure to be passed
BELL = 4.0  # standard deviations that a block of terms may span

Weigh = Callable[[Array], Array]


def _unit_weight(m: Array) -> Array:
    return np.ones_like(m)


def _pair_weight(m: Array) -> Array:
    return 2 * (m - 1)


def expected_purchases(k: int, *buyer: Array) -> Array:
    """Expected purchases: the sum of the chances that the m-th is made."""
    return _sum_over_purchases(_unit_weight, k, *buyer)


def expected_pairs(k: int, *buyer: Array) -> Array:
    """E[X (X - 1)]: the sum of twice m - 1 times the chance that the m-th purchase is made."""
    return _sum_over_purchases(_pair_weight, k, *buyer)


def _sum_over_purchases(weigh: Weigh, k: int, r: Array, a: Array, b: Array, share: Array, odds: Array) -> Array:
    """Sum over m of ``weigh(m)``, which is linear, times the chance that the m-th purchase is made."""

    def rest(m: Array, term: Array, r: Array, odds: Array) -> Array:
        ratios, gap = tail_bound(m, k, r, odds)
        return zero_safe_product(term / weigh(m), ratios * weigh(m + 1 / gap))

    def later(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array) -> tuple[Array, Array]:
        term = weigh(m) * stay_probability(m - 1, a, b) * reach_probability(m, k, r, share, odds)
        return term, rest(m, term, r, odds)

    rows = (r, a, b, share, odds)
    total, rests, added = np.zeros(len(r)), np.zeros(len(r)), number_of_terms(k, r, odds)
    for last in ONE_BY_ONE:
        group = added == last
        r, a, b, share, odds = (column[group] for column in rows)
        m = np.arange(1, last + 1.0)[:, None]
        term = weigh(m) * stay_probabilities(last, a, b) * _reach_probabilities(last, k, r, share, odds)
        total[group], rests[group] = term.sum(axis=0), rest(m[-1], term[-1], r, odds)
    more = rests > ROUNDING * total
    total[more] = add_blocks(later, block_length(k), total[more], added[more] + 1, *(each[more] for each in rows))
    return total


def number_of_terms(k: int, r: Array, odds: Array) -> Array:
    """Number of purchases that are added one by one: enough for most customers."""
    rate = r + k + np.sqrt(2 * DROP * (r + k)) + DROP
    stages = (
        rate * odds
        + np.sqrt(2 * DROP * rate * odds)
        + DROP / (1 + np.log1p(1 / np.maximum(odds, np.finfo(float).tiny)))
    )
    steps = np.array(ONE_BY_ONE)
    return steps[np.searchsorted(steps[:-1], stages / k + 1)]


def reach_probability(m: Array, k: int, r: Array, share: Array, odds: Array) -> Array:
    """Chance to pass the stages of m purchases."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * probability_at_least(m * k - j, r + j, odds) for j in range(k))
    return sum(each) / stages.sum(axis=0)


def _reach_probabilities(last: int, k: int, r: Array, share: Array, odds: Array) -> Array:
    """``reach_probability`` for m = 1, ..., last, in shape (m, n): the stages are added up one by one."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * _tail_probabilities(k - j, last * k - j, r + j, odds)[::k] for j in range(k))
    return sum(each) / stages.sum(axis=0)


def _tail_probabilities(first: int, last: int, r: Array, odds: Array) -> Array:
    """Chance to pass n stages or more, for n = first, ..., last; shape (n, rows)."""
    n = np.arange(first, last + 1.0)[:, None]
    log_exactly = np.empty((len(n), len(r)))
    with np.errstate(divide="ignore"):
        log_ratio = count_power(np.ones(1), odds)
    log_exactly[:1] = log_count_coefficient(n[:1], r) + count_power(n[:1], odds) - r * np.log1p(odds)
    log_exactly[1:] = np.log((r + n[:-1]) / (n[:-1] + 1.0)) + log_ratio
    exactly = np.exp(np.cumsum(log_exactly, axis=0))
    rest = zero_safe_product(exactly[-1], tail_bound(np.full(1, last), 1, r, odds)[0])
    matters = ~(rest < ROUNDING * exactly.sum(axis=0))
    exactly[-1, matters] = probability_at_least(np.full(1, last), r[matters], odds[matters])
    return exactly[::-1].cumsum(axis=0)[::-1]


def stay_probabilities(last: int, a: Array, b: Array) -> Array:
    """``stay_probability(m - 1, a, b)`` for m = 1, ..., last; shape (m, n)."""
    before = np.arange(last - 1)[:, None]
    return np.concatenate([np.ones((1, len(a))), np.cumprod((b + before) / (a + b + before), axis=0)])


def stay_probability(n: Array | int, a: Parameter, b: Parameter) -> Array:
    """Chance to stay n times."""
    return np.exp(log_rising_ratio(b, a, n))


def tail_bound(m: Array, k: int, r: Array, odds: Array) -> tuple[Array, Array]:
    """A bound on what follows the m-th purchase: the sum of ratio, ratio^2, ..., and 1 - ratio.

    The ratio of the chances to reach one purchase more falls from m on, and is smaller than that to pass k stages more
    with the most stages passed before.
    """
    passed, most = (m - 1) * k + 1, r + k - 1
    gap = (passed + 1 - odds * np.maximum(most - 1, 0)) / ((1 + odds) * (passed + 1))
    log_ratio = k * np.log1p(-np.clip(gap, np.finfo(float).tiny, 1 - np.finfo(float).epsneg))
    with np.errstate(divide="ignore", over="ignore"):
        falls = gap > 0
        return np.where(falls, 1 / np.expm1(-log_ratio), np.inf), np.where(falls, -np.expm1(log_ratio), 1.0)


def block_length(k: int) -> Callable[..., Array]:
    """How many purchases may form a block: over which the chance to reach them is flat, or falls like one bell."""

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array) -> Array:
        mean = np.maximum(r * odds, np.finfo(float).tiny)
        spread = np.sqrt(1 / r + 1 / mean)
        return np.maximum(mean * np.exp(-SURE * spread) / k - m, BELL * spread * m)

    return length
