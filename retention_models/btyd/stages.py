"""What regular buyers do from now on: gaps of k stages each, the first gap perhaps partly passed.

Stages come at the rates Gamma(r, alpha) of customers; every k-th is a purchase, after which the customer leaves with a
chance that is Beta(a, b). How many stages have passed since the last purchase is not seen: everything is a mean over
j = 0, 1, ... k - 1 of them. With M the purchases that would be made by someone who stays, the m-th is made if M is m
or more and the customer has stayed m - 1 times; sums over m have positive terms and end where the rest is rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.base import Array, Outlook, Parameter, checked, checked_count
from retention_models.btyd.purchases import count_probability, probability_at_least, silent_stages
from retention_models.estimation.beta import beta_mean
from retention_models.estimation.gamma import gamma_rule
from retention_models.estimation.quadrature import log_decay_integral
from retention_models.estimation.special import log_rising

ROUNDING = 1e-17
BLOCK = 50_000  # terms at a time
MOST = 1_000_000  # terms of one sum
FAR = 40.0  # a discount of e^-40 leaves nothing

Terms = Callable[..., tuple[Array, Array]]


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
        within = self._sum(_made, np.where(np.isinf(h), 0, h) / self.alpha)
        with np.errstate(divide="ignore"):
            ever = 1 + self.b / np.maximum(self.a - 1, 0)
        return np.where(np.isinf(h), ever, within)[()]

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Chance not to have left by the end of a finite ``horizon``."""
        return self._sum(_alive, checked("horizon", horizon, finite=True) / self.alpha)

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """E[X (X - 1)] of the number of purchases X within ``horizon``."""
        return self._sum(_pairs, horizon / self.alpha)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance of exactly ``count`` purchases in (start, end]."""
        n, start = checked_count(count), checked("start", start)
        window = checked("end - start", np.subtract(end, start), finite=True)
        if not np.any(start):
            return self._mean(lambda j, r, a, b: _exactly(j, r, a, b, n, window / self.alpha, self.k), n, window)
        alive = self.probability_staying_new(start)
        return self._sum(_exactly_later, start / self.alpha, window / self.alpha, n) + np.where(n == 0, 1 - alive, 0.0)

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        """Expected purchases within ``horizon``, each times e^(-rate t); rate above 0."""
        is_far = rate * horizon > FAR + 3 * self.k
        within = self._sum(_discounted, np.where(is_far, 0, horizon) / self.alpha, rate * self.alpha)
        if not np.any(is_far):
            return within
        ever = self._mean(lambda j, r, a, b: _discounted_ever(j, r, a, b, rate * self.alpha, self.k), rate)
        return np.where(is_far, ever, within)[()]

    def _mean(self, quantity: Callable[..., Array], *shapes: ArrayLike) -> Array:
        """Mean over the unseen stage j of ``quantity(j, r + j, a, b)``."""
        weight = silent_stages(self.k, self.r, self.share)
        shape = np.broadcast_shapes(*(np.shape(value) for value in (self.r, self.alpha, self.a, self.b, *shapes)))
        total = np.zeros(np.broadcast_shapes(shape, weight.shape[1:]))
        for j in range(self.k):
            if np.any(weight[j]):
                total += weight[j] * quantity(j, self.r + j, self.a, self.b)
        return (total / weight.sum(axis=0))[()]

    def _sum(self, terms: Terms, *arguments: ArrayLike) -> Array:
        """Mean over the unseen stage of a sum with such terms."""
        return self._mean(lambda *buyer: _series(terms, self.k, *buyer, *arguments), *arguments)


def _series(terms: Terms, k: int, *arguments: ArrayLike) -> Array:
    """Sum over m = 1, 2, ... of the first of ``terms(m, k, *arguments)``; the second bounds all that follow.

    Elementwise. Terms are taken in growing blocks, and each row leaves the sum where what follows is rounding.
    """
    arrays = np.broadcast_arrays(*arguments)
    rows = [np.ravel(array).astype(float) for array in arrays]
    total = np.zeros(arrays[0].size)
    unfinished = np.ones(total.size, dtype=bool)
    active, first, size = np.arange(total.size), 1, 4
    while len(active):
        if first > MOST:
            raise ValueError(
                f"more than {MOST:,} stages between purchases may be passed in so long a time; "
                "ask for a shorter horizon, or for an infinite one"
            )
        for part in np.array_split(active, -(-len(active) * size // BLOCK)):
            term, rest = terms(np.arange(first, first + size)[:, None], k, *(row[part] for row in rows))
            total[part] += term.sum(axis=0)
            unfinished[part] = rest[-1] > ROUNDING * total[part]
        active = active[unfinished[active]]
        first, size = first + size, min(2 * size, BLOCK)
    return total.reshape(arrays[0].shape)[()]


def _made(m: Array, k: int, j: Array, r: Array, a: Array, b: Array, odds: Array) -> tuple[Array, Array]:
    """Chance that the m-th purchase is made."""
    n = m * k - j
    term = _stayed(m - 1, a, b) * probability_at_least(n, r, odds)
    ratio = _tail_ratio(n, r, odds) ** k
    return term, _rest(term, ratio)


def _pairs(m: Array, k: int, j: Array, r: Array, a: Array, b: Array, odds: Array) -> tuple[Array, Array]:
    """The m-th term of E[X (X - 1)]: twice m - 1 times the chance that the m-th purchase is made."""
    term, rest = _made(m, k, j, r, a, b, odds)
    ratio = _tail_ratio(m * k - j, r, odds) ** k
    return 2 * (m - 1) * term, 2 * (m + _rest(np.ones_like(term), ratio)) * rest


def _discounted(
    m: Array, k: int, j: Array, r: Array, a: Array, b: Array, odds: Array, rate: Array
) -> tuple[Array, Array]:
    """Chance that the m-th purchase is made within the window, times its discount; time and rate are per alpha."""
    n = m * k - j
    density = log_rising(r, n) - log_rising(1.0, n - 1)
    time = log_decay_integral(odds, r + n, 1.0, 0.0, 1.0, power=n - 1, rate=rate)
    term = _stayed(m - 1, a, b) * np.exp(density + time)
    return term, _rest(term, _tail_ratio(n, r, odds) ** k)


def _alive(n: Array, k: int, j: Array, r: Array, a: Array, b: Array, odds: Array) -> tuple[Array, Array]:
    """Chance to pass n - 1 stages in the window and not to leave."""
    passed = n - 1.0
    return _passed(passed, k, j, r, a, b, odds), probability_at_least(n, r, odds)


def _exactly_later(
    n: Array, k: int, j: Array, r: Array, a: Array, b: Array, before: Array, odds: Array, count: Array
) -> tuple[Array, Array]:
    """Chance to pass n - 1 stages before the window, not to leave, and to buy exactly so often in the window."""
    passed = n - 1.0
    made, stage = np.divmod(j + passed, k)
    then = _exactly(stage, r + passed, a, b + made, count, odds / (1 + before), k)
    return _passed(passed, k, j, r, a, b, before) * then, probability_at_least(n, r, before)


def _passed(passed: Array, k: int, j: Array, r: Array, a: Array, b: Array, odds: Array) -> Array:
    """Chance to pass so many stages and not to leave at the purchases among them."""
    return count_probability(passed, r, odds) * _stayed((j + passed) // k, a, b)


def _exactly(stage: Array | int, r: Parameter, a: Parameter, b: Parameter, n: Array, odds: Array, k: int) -> Array:
    """Chance of n purchases within the window of someone at this stage, who may leave at the last of them."""
    due = n * k - stage
    would = sum(np.where(due + i >= 0, count_probability(np.maximum(due + i, 0), r, odds), 0.0) for i in range(k))
    leaves = np.where(n > 0, a / (b + np.maximum(n - 1, 0)) * probability_at_least(due, r, odds), 0.0)
    return _stayed(n, a, b) * (would + leaves)


def _discounted_ever(j: int, r: Parameter, a: Parameter, b: Parameter, rate: Array, k: int) -> Array:
    """Expected purchases without end, each times e^(-rate t); the rate is per alpha."""
    return beta_mean(_discounted_ever_given_p, a, b, (np.asarray(r) + 1) / rate, j, r, rate, k)


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


def _stayed(n: Array | int, a: Parameter, b: Parameter) -> Array:
    """Chance to stay n times."""
    return np.exp(log_rising(b, n) - log_rising(np.add(a, b), n))


def _tail_ratio(n: Array, r: Array, odds: Array) -> Array:
    """A bound on P(N > i) / P(N >= i) from i = n on, for the number N of stages passed."""
    return odds / (1 + odds) * np.maximum((r + n) / (n + 1), 1.0)


def _rest(term: Array, ratio: Array) -> Array:
    """A bound on the sum of all terms after this one, when none exceeds its predecessor times the ratio."""
    bound = np.divide(term * ratio, 1 - ratio, out=np.full_like(term, np.inf), where=ratio < 1)
    return np.where(term > 0, bound, 0.0)
