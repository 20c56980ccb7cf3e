"""Discounted expected purchases of regular buyers: expected purchases, each times its discount e^(-rate t).

Arguments are those of ``ErlangBuyer``, each of shape (n,); times and rates are per alpha.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import binom

from retention_models.btyd.erlang_counts import (
    ONE_BY_ONE,
    block_length,
    expected_purchases,
    number_of_terms,
    stay_probabilities,
    stay_probability,
    tail_bound,
)
from retention_models.btyd.poisson_gamma import log_count_coefficient, silent_stages
from retention_models.btyd.purchase_model import zero_safe_product
from retention_models.core.arrays import Array
from retention_models.estimation.numerics.beta import beta_mean
from retention_models.estimation.numerics.gamma import gamma_rule
from retention_models.estimation.numerics.quadrature import discounting_rule, log_decay_integral
from retention_models.estimation.numerics.series import ROUNDING, add_blocks
from retention_models.estimation.numerics.special import log_rising

MANY = 1e6  # stages, beyond which expected purchases are smooth in time
FEW = 16  # customers at a time, each at a hundred times
FEW_TOGETHER = 16  # expected purchases, while alive, up to which all share the times at which they are looked at
MORE = 32  # such times, and two more a stage, for the stages make purchases regular
TERMS = 100_000  # at a time: they stay in the processor's cache

Worth = Callable[..., Array]


def discounted_within(k: int, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
    """Expected purchases within a window, each times its discount.

    One by one, all at the same times, where few are expected, for then these tell them apart; each at times of its own
    where more are; and by parts where so many stages are passed that the times of single ones cannot be told.
    """
    result, columns = np.empty(len(r)), (r, a, b, share, odds, rate)
    last, many = number_of_terms(k, r, odds), (r + k) * odds > MANY
    few = (r * odds < k * np.minimum(last / 2, FEW_TOGETHER)) & (odds > 0) & ~many
    groups = {_discount_first_purchases(n): few & (last == n) for n in ONE_BY_ONE}
    groups |= {_discount_each_purchase: ~few & ~many, _discount_by_parts: many}
    for discounted, group in groups.items():
        if np.any(group):
            result[group] = discounted(k, *(column[group] for column in columns))
    return result


def _discount_first_purchases(last: int) -> Worth:
    """``discounted_within`` from the first purchases in turn, at times that are shared, and what may follow."""

    def discounted(k: int, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
        rows, total = (r, a, b, share, odds, rate), np.empty(len(r))
        rests = np.empty(len(r))
        size = max(TERMS // (last * (MORE + 2 * k)), 1)
        for i in range(0, len(r), size):
            r, a, b, share, odds, rate = (column[i : i + size] for column in rows)
            each = stay_probabilities(last, a, b) * _discounted_probabilities(last, k, r, share, odds, rate)
            total[i : i + size] = each.sum(axis=0)
            rests[i : i + size] = zero_safe_product(each[-1], tail_bound(np.full(1, float(last)), k, r, odds)[0])
        more = rests > ROUNDING * total
        if np.any(more):
            first = np.full(np.count_nonzero(more), last + 1.0)
            total[more] = _add_further_purchases(k, total[more], first, *(column[more] for column in rows))
        return total

    return discounted


def _discounted_probabilities(last: int, k: int, r: Array, share: Array, odds: Array, rate: Array) -> Array:
    """Chance to pass the stages of m = 1, ..., last purchases within a window, times its discount; shape (m, n).

    After s = m k - 1 stages since the last purchase, seen and unseen, the next one completes it. Of the s as many are
    unseen as fall into ``share`` of the time, fewer than k: a sum of binomial chances, of which the largest power is
    kept apart.
    """
    t, weight = discounting_rule(rate, odds, k / (r + k), more=MORE + 2 * k)
    s = k * np.arange(1.0, last + 1)[:, None] - 1
    log_odd, log_z = np.log(np.maximum(share, np.finfo(float).tiny)) - np.log(t), np.log(t) - np.log1p(t)
    is_late = log_odd <= 0
    powers = np.stack([np.exp(np.where(is_late, j, j - (k - 1)) * log_odd) for j in range(k)])
    coefficient = log_rising(r, s + 1) - log_rising(1.0, s)
    largest = np.where(is_late, 0.0, (k - 1) * log_odd)
    first = np.exp(coefficient[0] + (k - 1) * log_z - (r + 1) * np.log1p(t) + largest)
    further = np.exp(np.diff(coefficient, axis=0))[:, None] * np.exp(k * log_z)
    density = np.cumprod(np.concatenate([first[None], further]), axis=0)
    density *= np.tensordot(binom(s, np.arange(k)), powers, axes=1)
    return np.einsum("tn,mtn->mn", weight, density) / silent_stages(k, r, share).sum(axis=0)


def _discount_each_purchase(k: int, *buyer: Array) -> Array:
    """``discounted_within``, each purchase at times of its own."""
    return _add_further_purchases(k, np.zeros(len(buyer[0])), np.ones(len(buyer[0])), *buyer)


def _add_further_purchases(k: int, total: Array, first: Array, *buyer: Array) -> Array:
    """``total`` plus the discounted chances of the purchases from the ``first`` on."""

    def terms(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> tuple[Array, Array]:
        stages = silent_stages(k, r, share)
        each = (stages[j] * _discounted_stage(m * k - j, r + j, odds, rate) for j in range(k))
        term = stay_probability(m - 1, a, b) * sum(each) / stages.sum(axis=0)
        return term, zero_safe_product(term, tail_bound(m, k, r, odds)[0])

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
        return block_length(k)(m, r, a, b, share, odds)

    return add_blocks(terms, length, total, first, *buyer)


def _discount_by_parts(k: int, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
    """``discounted_within`` from E(t), the expected purchases within t, which is smooth where they are many.

    It is e^(-rate h) E(h) plus rate times the integral of e^(-rate t) E(t) over t up to h.
    """
    t, weight = discounting_rule(rate, odds, np.ones_like(odds))
    times, weights = np.concatenate([odds[None], t]), np.concatenate([np.exp(-rate * odds)[None], rate * weight])
    total = np.empty(len(odds))
    for i in range(0, len(total), FEW):
        buyers = np.broadcast_arrays(*(c[i : i + FEW] for c in (r, a, b, share)), times[:, i : i + FEW])
        expected = expected_purchases(k, *(np.ravel(each) for each in buyers)).reshape(buyers[0].shape)
        total[i : i + FEW] = np.sum(weights[:, i : i + FEW] * expected, axis=0)
    return total


def _discounted_stage(n: Array, r: Array, odds: Array, rate: Array) -> Array:
    """Chance to pass the n-th stage within a window, times its discount."""
    density = log_count_coefficient(n, r) + np.log(n)
    return np.exp(density + log_decay_integral(odds, r + n, 1.0, 0.0, 1.0, power=n - 1, rate=rate))


def discounted_ever(k: int, r: Array, a: Array, b: Array, share: Array, rate: Array) -> Array:
    """Expected purchases without end, each times e^(-rate t); the rate is per alpha."""
    stages = silent_stages(k, r, share)
    each = (
        stages[j] * beta_mean(_discounted_ever_given_p, a, b, (r + j + 1) / rate, j, r + j, rate, k) for j in range(k)
    )
    return sum(each) / stages.sum(axis=0)


def _discounted_ever_given_p(p: Array, j: Array, r: Array, rate: Array, k: Array) -> Array:
    """Given the drop-out chance p: a mean over rates of stages u / alpha.

    A stage passes before the discount cuts in with the chance v = u / (u + rate), and so the purchases are worth
    v^(k - j) (1 + (1 - p) v^k + ((1 - p) v^k)^2 + ...).
    """
    total = np.zeros_like(p)
    for u, weight in zip(*gamma_rule(r, rate), strict=True):
        log_v = -np.log1p(rate / u)
        lost = -np.expm1(k * log_v)
        total += weight * np.exp((k - j) * log_v) / (lost + p * (1 - lost))
    return total
