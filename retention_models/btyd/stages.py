"""What regular buyers do from now on: gaps of k stages each, the first gap perhaps partly passed.

Stages come at the rates Gamma(r, alpha) of customers; every k-th is a purchase, after which the customer leaves with a
chance that is Beta(a, b). How many stages have passed since the last purchase is not seen: everything is a mean over
j = 0, 1, ... k - 1 of them. The m-th purchase is made by someone who has stayed m - 1 times and passes m k - j stages,
whose chances are independent. Sums over m have positive terms; the first are added one by one and the others by blocks
(see ``series``), so that neither a long horizon nor a high frequency makes them long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.base import Array, Outlook, Parameter, checked, checked_count
from retention_models.btyd.purchases import (
    count_power,
    count_probability,
    log_count_coefficient,
    probability_at_least,
    silent_stages,
)
from retention_models.estimation.beta import beta_mean
from retention_models.estimation.gamma import gamma_rule
from retention_models.estimation.quadrature import discounting_rule, log_decay_integral
from retention_models.estimation.series import ROUNDING, add_blocks
from retention_models.estimation.special import log_rising_ratio

ONE_BY_ONE = (8, 16, 32, 64)  # purchases that are added one by one: of these numbers, one that is enough for most
BLOCK = 200_000  # terms at a time: they stay in the processor's cache
DROP = 36.0  # terms smaller by e^-36 are rounding
FAR = 40.0  # a discount of e^-40 leaves nothing
MANY = 1e6  # stages, beyond which expected purchases are smooth in time
FEW = 16  # customers at a time, each at a hundred times
SURE = 10.0  # standard deviations of its logarithm below which a number of stages is all but sure to be passed
BELL = 4.0  # standard deviations that a block of terms may span

Weigh = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class StagedBuyer(Outlook):
    """Someone alive; ``share`` is the time since the last purchase over alpha, which includes all time observed."""

    r: Parameter
    alpha: Parameter
    a: Parameter
    b: Parameter
    k: int
    share: Parameter

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of purchases within ``horizon``; may be infinite."""
        h = checked("horizon", horizon)
        within = self._by_rows(_sum_of_made, np.where(np.isinf(h), 0, h) / self.alpha)
        with np.errstate(divide="ignore"):
            ever = 1 + self.b / np.maximum(self.a - 1, 0)
        return np.where(np.isinf(h), ever, within)[()]

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Chance not to have left by the end of a finite ``horizon``."""
        return self._by_rows(_alive, checked("horizon", horizon, finite=True) / self.alpha)

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """E[X (X - 1)] of the number of purchases X within ``horizon``."""
        return self._by_rows(_sum_of_pairs, horizon / self.alpha)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance of exactly ``count`` purchases in (start, end]."""
        n, start = checked_count(count), checked("start", start)
        window = checked("end - start", np.subtract(end, start), finite=True)
        if not np.any(start):
            return self._by_rows(_exactly, n, window / self.alpha)
        gone = np.where(n == 0, np.maximum(1 - self.probability_staying_new(start), 0), 0.0)
        return self._by_rows(_exactly_later, n, start / self.alpha, window / self.alpha) + gone

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        """Expected purchases within ``horizon``, each times e^(-rate t); rate above 0."""
        is_far = rate * horizon > FAR + 3 * self.k
        within = self._by_rows(_sum_of_discounted, np.where(is_far, 0, horizon) / self.alpha, rate * self.alpha)
        if not np.any(is_far):
            return within
        ever = self._by_rows(_discounted_ever, rate * self.alpha)
        return np.where(is_far, ever, within)[()]

    def _by_rows(self, quantity: Callable[..., Array], *arguments: ArrayLike) -> Array:
        """``quantity(k, r, a, b, share, *arguments)``, elementwise, so many rows at a time that memory is bounded."""
        arrays = np.broadcast_arrays(self.r, self.a, self.b, self.share, *arguments)
        columns = [np.ravel(array).astype(float) for array in arrays]
        result, size = np.empty(arrays[0].size), max(BLOCK // (64 * self.k), 1)
        for i in range(0, len(result), size):
            result[i : i + size] = quantity(self.k, *(column[i : i + size] for column in columns))
        return result.reshape(arrays[0].shape)[()]


def _once(m: Array) -> Array:
    return np.ones_like(m)


def _pairs(m: Array) -> Array:
    return 2 * (m - 1)


def _sum_of_made(k: int, *buyer: Array) -> Array:
    """Expected purchases: the sum of the chances that the m-th is made."""
    return _sum_over_purchases(_once, k, *buyer)


def _sum_of_pairs(k: int, *buyer: Array) -> Array:
    """E[X (X - 1)]: the sum of twice m - 1 times the chance that the m-th purchase is made."""
    return _sum_over_purchases(_pairs, k, *buyer)


def _sum_over_purchases(weigh: Weigh, k: int, r: Array, a: Array, b: Array, share: Array, odds: Array) -> Array:
    """Sum over m of ``weigh(m)``, which is linear, times the chance that the m-th purchase is made."""

    def rest(m: Array, term: Array, r: Array, odds: Array) -> Array:
        beyond, gap = _beyond(m, k, r, odds)
        return _bound(term / weigh(m), beyond * weigh(m + 1 / gap))

    def later(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array) -> tuple[Array, Array]:
        term = weigh(m) * _stayed(m - 1, a, b) * _reaches(m, k, r, share, odds)
        return term, rest(m, term, r, odds)

    rows = (r, a, b, share, odds)
    total, rests, added = np.zeros(len(r)), np.zeros(len(r)), _likely_most(k, r, odds)
    for last in ONE_BY_ONE:
        group = added == last
        r, a, b, share, odds = (column[group] for column in rows)
        m = np.arange(1, last + 1.0)[:, None]
        term = weigh(m) * _stays(last, a, b) * _reaches_in_turn(last, k, r, share, odds)
        total[group], rests[group] = term.sum(axis=0), rest(m[-1], term[-1], r, odds)
    more = rests > ROUNDING * total
    total[more] = add_blocks(later, _reaching_length(k), total[more], added[more] + 1, *(each[more] for each in rows))
    return total


def _likely_most(k: int, r: Array, odds: Array) -> Array:
    """The number of purchases to add up one by one: enough for most customers, and no more than need be."""
    rate = r + k + np.sqrt(2 * DROP * (r + k)) + DROP
    stages = (
        rate * odds
        + np.sqrt(2 * DROP * rate * odds)
        + DROP / (1 + np.log1p(1 / np.maximum(odds, np.finfo(float).tiny)))
    )
    steps = np.array(ONE_BY_ONE)
    return steps[np.searchsorted(steps[:-1], stages / k + 1)]


def _reaches(m: Array, k: int, r: Array, share: Array, odds: Array) -> Array:
    """Chance to pass the stages of m purchases."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * probability_at_least(m * k - j, r + j, odds) for j in range(k))
    return sum(each) / stages.sum(axis=0)


def _reaches_in_turn(last: int, k: int, r: Array, share: Array, odds: Array) -> Array:
    """``_reaches`` for m = 1, ..., last, in shape (m, n): the stages are added up one by one."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * _at_least_in_turn(k - j, last * k - j, r + j, odds)[::k] for j in range(k))
    return sum(each) / stages.sum(axis=0)


def _at_least_in_turn(first: int, last: int, r: Array, odds: Array) -> Array:
    """Chance to pass n stages or more, for n = first, ..., last; shape (n, rows)."""
    n = np.arange(first, last + 1.0)[:, None]
    log_exactly = np.empty((len(n), len(r)))
    with np.errstate(divide="ignore"):
        log_ratio = count_power(np.ones(1), odds)
    log_exactly[:1] = log_count_coefficient(n[:1], r) + count_power(n[:1], odds) - r * np.log1p(odds)
    log_exactly[1:] = np.log((r + n[:-1]) / (n[:-1] + 1.0)) + log_ratio
    exactly = np.exp(np.cumsum(log_exactly, axis=0))
    bound = _bound(exactly[-1], _beyond(np.full(1, last), 1, r, odds)[0])
    matters = ~(bound < ROUNDING * exactly.sum(axis=0))
    exactly[-1, matters] = probability_at_least(np.full(1, last), r[matters], odds[matters])
    return exactly[::-1].cumsum(axis=0)[::-1]


def _stays(last: int, a: Array, b: Array) -> Array:
    """``_stayed(m - 1, a, b)`` for m = 1, ..., last; shape (m, n)."""
    before = np.arange(last - 1)[:, None]
    return np.concatenate([np.ones((1, len(a))), np.cumprod((b + before) / (a + b + before), axis=0)])


def _stayed(n: Array | int, a: Parameter, b: Parameter) -> Array:
    """Chance to stay n times."""
    return np.exp(log_rising_ratio(b, a, n))


def _beyond(m: Array, k: int, r: Array, odds: Array) -> tuple[Array, Array]:
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


def _bound(term: Array, beyond: Array) -> Array:
    """The product; 0 where the term is, even if all bounds fail."""
    return np.multiply(term, beyond, out=np.zeros_like(term), where=term > 0)


def _reaching_length(k: int) -> Callable[..., Array]:
    """How many purchases may form a block: over which the chance to reach them is flat, or falls like one bell."""

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array) -> Array:
        mean = np.maximum(r * odds, np.finfo(float).tiny)
        spread = np.sqrt(1 / r + 1 / mean)
        return np.maximum(mean * np.exp(-SURE * spread) / k - m, BELL * spread * m)

    return length


def _exactly(k: int, r: Array, a: Array, b: Array, share: Array, n: Array, odds: Array) -> Array:
    """Chance of n purchases within a window from now on."""
    stages = silent_stages(k, r, share)
    return sum(stages[j] * _exactly_from(j, k, r + j, a, b, n, odds) for j in range(k)) / stages.sum(axis=0)


def _exactly_from(j: int, k: int, r: Array, a: Array, b: Array, n: Array, odds: Array) -> Array:
    """Chance of n purchases within a window of someone j stages after a purchase, who may leave at the last of them."""
    due = n * k - j
    would = sum(np.where(due + i >= 0, count_probability(np.maximum(due + i, 0), r, odds), 0.0) for i in range(k))
    leaves = np.where(n > 0, a / (b + np.maximum(n - 1, 0)) * probability_at_least(due, r, odds), 0.0)
    return _stayed(n, a, b) * (would + leaves)


def _alive(k: int, r: Array, a: Array, b: Array, share: Array, before: Array) -> Array:
    """Chance not to have left by the end of a time."""
    return _sum_over_stages(lambda j, passed, m, r, a, b: 1.0, k, r, a, b, share, before)


def _exactly_later(k: int, r: Array, a: Array, b: Array, share: Array, n: Array, before: Array, odds: Array) -> Array:
    """Chance to be there after a time, and then to buy n times within a window."""

    def then(j: int, passed: Array, m: Array, r: Array, a: Array, b: Array, n: Array, odds: Array) -> Array:
        return _exactly_from(j, k, r + passed, a, b + m, n, odds)

    return _sum_over_stages(then, k, r, a, b, share, before, n, odds / (1 + before))


def _sum_over_stages(
    then: Callable[..., Array | float], k: int, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array
) -> Array:
    """Mean of what comes ``then``, over the m purchases and j more stages that may have passed, and the chance to stay.

    ``then(j, passed, m, r, a, b, *more)``, m purchases later; the first of ``more`` is the count that sharpens it.
    """

    def terms(m: Array, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array) -> tuple[Array, Array]:
        each = (_passes(m * k + j, k, r, share, before) * then(j, m * k + j, m, r, a, b, *more) for j in range(k))
        stayed = _stayed(m, a, b)
        return stayed * sum(each), stayed * _reaches(m, k, r, share, before)

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, before: Array, *more: Array) -> Array:
        return BELL * m / np.sqrt(r + k * (more[0] if more else 0.0))

    none = np.zeros(len(r))
    return add_blocks(terms, length, none, none, r, a, b, share, before, *more)


def _passes(s: Array, k: int, r: Array, share: Array, odds: Array) -> Array:
    """Chance that s stages have passed since the last purchase when a time ends, of which fewer than k before it."""
    stages = silent_stages(k, r, share)
    each = (stages[j] * np.where(s >= j, count_probability(np.maximum(s - j, 0), r + j, odds), 0.0) for j in range(k))
    return sum(each) / stages.sum(axis=0)


def _sum_of_discounted(k: int, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
    """Expected purchases within a window, each times its discount; time and rate are per alpha.

    One by one, but by parts where so many stages are passed that the times of single ones cannot be told.
    """
    many = (r + k) * odds > MANY
    if np.any(many) and not np.all(many):
        result, columns = np.empty(len(r)), (r, a, b, share, odds, rate)
        for some in (many, ~many):
            result[some] = _sum_of_discounted(k, *(column[some] for column in columns))
        return result
    if np.any(many):
        return _discounted_by_parts(k, r, a, b, share, odds, rate)

    def terms(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> tuple[Array, Array]:
        stages = silent_stages(k, r, share)
        each = (stages[j] * _discounted_stage(m * k - j, r + j, odds, rate) for j in range(k))
        term = _stayed(m - 1, a, b) * sum(each) / stages.sum(axis=0)
        return term, _bound(term, _beyond(m, k, r, odds)[0])

    def length(m: Array, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
        return _reaching_length(k)(m, r, a, b, share, odds)

    return add_blocks(terms, length, np.zeros(len(r)), np.ones(len(r)), r, a, b, share, odds, rate)


def _discounted_by_parts(k: int, r: Array, a: Array, b: Array, share: Array, odds: Array, rate: Array) -> Array:
    """``_sum_of_discounted`` from E(t), the expected purchases within t, which is smooth where they are many.

    It is e^(-rate h) E(h) plus rate times the integral of e^(-rate t) E(t) over t up to h.
    """
    t, weight = discounting_rule(rate, odds, np.ones_like(odds))
    times, weights = np.concatenate([odds[None], t]), np.concatenate([np.exp(-rate * odds)[None], rate * weight])
    total = np.empty(len(odds))
    for i in range(0, len(total), FEW):
        buyers = np.broadcast_arrays(*(c[i : i + FEW] for c in (r, a, b, share)), times[:, i : i + FEW])
        expected = _sum_of_made(k, *(np.ravel(each) for each in buyers)).reshape(buyers[0].shape)
        total[i : i + FEW] = np.sum(weights[:, i : i + FEW] * expected, axis=0)
    return total


def _discounted_stage(n: Array, r: Array, odds: Array, rate: Array) -> Array:
    """Chance to pass the n-th stage within a window, times its discount."""
    density = log_count_coefficient(n, r) + np.log(n)
    return np.exp(density + log_decay_integral(odds, r + n, 1.0, 0.0, 1.0, power=n - 1, rate=rate))


def _discounted_ever(k: int, r: Array, a: Array, b: Array, share: Array, rate: Array) -> Array:
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
