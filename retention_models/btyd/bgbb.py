"""BG/BB: at most one purchase at each opportunity (a year, a week), until the customer leaves between two of them.

Fader, Hardie & Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual Setting", Marketing Science
29(6), 1086-1108. x = frequency, the opportunities taken; t_x = recency, the last of them; T = the opportunities so far,
the one of the first purchase not counted. Opportunities are the unit of time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betainc, expit, log_expit

from retention_models.btyd.purchase_model import (
    BuyTillYouDie,
    Parameter,
    require_count,
    require_nonnegative,
    stack_derivatives,
    zero_inflated_probability,
)
from retention_models.core.arguments import require_number
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise, possible_only
from retention_models.estimation.links import Link, LogitMeanLink
from retention_models.estimation.model import Limit
from retention_models.estimation.numerics.beta import beta_mean
from retention_models.estimation.numerics.special import digamma_rising, log_rising

MOST_SILENT = 100_000  # opportunities of a history, which are gone through one by one
MOST_OPPORTUNITIES = 1_000  # over which numbers of purchases are added up one by one
BLOCK = 50_000  # ages of customers at a time


@dataclass(frozen=True, slots=True, repr=False)
class BGBB(BuyTillYouDie):
    """BG/BB: at most one purchase at each opportunity (a year, a week) until the customer leaves.

    Parameters
    ----------
    alpha, beta
        Parameters of the beta distribution of purchase probabilities; the mean is alpha / (alpha + beta).
    gamma, delta
        Parameters of the beta distribution of drop-out probabilities before an opportunity; the mean is
        gamma / (gamma + delta).

    Notes
    -----
    The time unit is an opportunity. Source: Fader, Hardie & Shang (2010), "Customer-Base Analysis in a Discrete-Time
    Noncontractual Setting", Marketing Science 29(6), 1086-1108.

    Examples
    --------
    >>> model = BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)  # fitted to donors over six years
    >>> print(model.expected_purchases(5, frequency=3, recency=5, T=6).round(2))  # gifts in the next five
    1.8
    """

    alpha: Parameter
    beta: Parameter
    gamma: Parameter
    delta: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ()
    counts_opportunities: ClassVar[bool] = True
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit(
            "gamma", 0.0, "nobody ever leaves (the beta-binomial model)", undetermined=("delta",), nobody_leaves=True
        ),
        Limit("gamma", 0.0, "each customer leaves at once, or never", follows=("delta",)),
        Limit("gamma", np.inf, "everybody has the same chance of leaving", follows=("delta",)),
        Limit("delta", np.inf, "everybody has the same chance of leaving", follows=("gamma",)),
        Limit("alpha", 0.0, "each customer buys at every opportunity, or never", follows=("beta",)),
        Limit("beta", 0.0, "everybody buys at every opportunity while alive", undetermined=("alpha",)),
        Limit("alpha", np.inf, "everybody has the same chance to buy while alive", follows=("beta",)),
        Limit("beta", np.inf, "everybody has the same chance to buy while alive", follows=("alpha",)),
    )
    links: ClassVar[Mapping[str, Link]] = {
        "purchase": LogitMeanLink("alpha", "beta"),
        "dropout": LogitMeanLink("gamma", "delta"),
    }

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Start values for the fit: uniform purchase probabilities, and a mean drop-out probability of 1/4."""
        return cls(alpha=1.0, beta=1.0, gamma=1.0, delta=3.0)

    @elementwise
    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history, over all times at which the customer can have left; shape (n,)."""
        x, t_x, T = _history(frequency, recency, T)
        return self._log_alive(x, T) - log_expit(-self._log_odds_gone(x, t_x, T))

    @elementwise
    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in alpha, beta, gamma, delta; shape (..., n, 4)."""
        x, t_x, T = _history(frequency, recency, T)
        ways, *slopes = self._silence(_ways_gone_and_slopes, x, t_x, T)
        gone = expit(self._log_odds(x, t_x, T, ways))
        score_gone = self._score_gone(x, t_x) + stack_derivatives(*slopes)
        return (1 - gone)[..., None] * self._score_alive(x, T) + gone[..., None] * score_gone

    @elementwise
    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Probability that the customer is alive at the next opportunity, before which customers leave; (n,)."""
        to_come = self.delta + np.asarray(T)
        return self._alive_now(frequency, recency, T) * to_come / (self.gamma + to_come)

    def _alive_now(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        return expit(-self._log_odds_gone(*_history(frequency, recency, T)))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log odds of having left after the last purchase and before the last opportunity."""
        return self._log_odds(x, t_x, T, self._silence(_ways_gone, x, t_x, T)[0])

    def _log_odds(self, x: Array, t_x: Array, T: Array, ways: Array) -> Array:
        """``_log_odds_gone`` from ``_ways_gone``."""
        with np.errstate(divide="ignore"):
            return np.log(ways) + self._log_gone(x, t_x) - self._log_alive(x, T)

    def _silence(self, summary: Callable[..., Array], *history: Array) -> Array:
        """A summary of each silence since the last purchase, shape (k, ...); as many rows at a time as memory bears."""
        arrays = np.broadcast_arrays(self.alpha, self.beta, self.gamma, self.delta, *history)
        columns = [np.ravel(array).astype(float) for array in arrays]
        size = max(BLOCK // max(int(np.max(history[2] - history[1], initial=0)), 1), 1)
        starts = range(0, max(arrays[0].size, 1), size)
        summaries = [summary(*(column[i : i + size, None] for column in columns)) for i in starts]
        together = np.concatenate(summaries, axis=1)
        return together.reshape(len(together), *arrays[0].shape)

    def _log_alive(self, x: Array, T: Array) -> Array:
        """Log chance of the history of someone who outlives it."""
        return self._log_bought(x, T) + log_rising(self.delta, T) - log_rising(self.gamma + self.delta, T)

    def _log_gone(self, x: Array, age: Array) -> Array:
        """Log chance of the history of someone who leaves after ``age`` opportunities."""
        stayed = log_rising(self.delta, age) - log_rising(self.gamma + self.delta, age + 1)
        return self._log_bought(x, age) + stayed + np.log(self.gamma)

    def _log_bought(self, x: Array, age: Array) -> Array:
        """Log chance to take given x of the first ``age`` opportunities."""
        alpha, beta = self.alpha, self.beta
        return log_rising(alpha, x) + log_rising(beta, age - x) - log_rising(np.add(alpha, beta), age)

    def _score_alive(self, x: Array, T: Array) -> Array:
        stayed = digamma_rising(np.add(self.gamma, self.delta), T)
        return stack_derivatives(*self._score_bought(x, T), -stayed, digamma_rising(self.delta, T) - stayed)

    def _score_gone(self, x: Array, age: Array) -> Array:
        stayed = digamma_rising(np.add(self.gamma, self.delta), age + 1)
        return stack_derivatives(
            *self._score_bought(x, age), 1 / self.gamma - stayed, digamma_rising(self.delta, age) - stayed
        )

    def _score_bought(self, x: Array, age: Array) -> tuple[Array, Array]:
        both = digamma_rising(np.add(self.alpha, self.beta), age)
        return digamma_rising(self.alpha, x) - both, digamma_rising(self.beta, age - x) - both

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of the future purchases of a customer who is alive now; parameters of shape (n,)."""
        x, _, T = _history(frequency, recency, T)
        return type(self)(self.alpha + x, self.beta + (T - x), self.gamma, self.delta + T)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of opportunities that a new customer takes among the next ``horizon``; may be infinite."""
        h = _opportunities("horizon", horizon, finite=False)
        within = self._mean(_opportunities_alive, 1, 0.0, np.where(np.isinf(h), 0, h))
        with np.errstate(divide="ignore"):
            ever = self.delta / np.maximum(np.subtract(self.gamma, 1), 0)
        return self._mean_chance() * np.where(np.isinf(h), ever, within)

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Probability that a new customer will be there at the opportunity after the next ``horizon`` ones."""
        passed = _opportunities("horizon", horizon) + 1
        return np.exp(log_rising(self.delta, passed) - log_rising(np.add(self.gamma, self.delta), passed))

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """The mean square chance to buy, times E[N (N - 1)] of the number N of opportunities alive."""
        square = (self.alpha + 1) / (self.alpha + self.beta + 1)
        return self._mean_chance() * square * self._mean(_pairs_alive, 2, 0.0, _opportunities("horizon", horizon))

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Probability that a new customer takes exactly ``count`` of the opportunities start + 1, ..., end."""
        n, begin = require_count(count), _opportunities("start", start)
        window = _opportunities("end - start", np.subtract(end, begin))
        alive = np.exp(log_rising(self.delta, begin) - log_rising(np.add(self.gamma, self.delta), begin))
        then = type(self)(self.alpha, self.beta, self.gamma, self.delta + begin)
        return zero_inflated_probability(alive, n, then._count_probability(n, window))

    def _count_probability(self, n: Array, window: Array) -> Array:
        """Chance to take n of the first opportunities, outliving them or not."""
        if not np.any(n):  # none taken: the history of a customer who has taken none so far
            require_number("horizon", float(np.max(window, initial=0)), 0, MOST_SILENT)
            return np.exp(self.log_likelihood(0, 0, window))
        if np.max(window, initial=0) > MOST_OPPORTUNITIES:
            raise ValueError(
                f"the numbers of purchases are computed for up to {MOST_OPPORTUNITIES:,} opportunities, not "
                f"{np.max(window):,.0f}; choose fewer, or leave out intervals (level=None)"
            )
        total = np.exp(self._log_alive(n, np.maximum(window, n)) + _log_choose(np.maximum(window, n), n))
        total = np.where(window >= n, total, 0.0)
        for age in np.arange(np.max(window, initial=0)):
            is_gone = (n <= age) & (age < window)
            reached = np.maximum(age, n)
            total = total + np.where(is_gone, np.exp(self._log_gone(n, reached) + _log_choose(reached, n)), 0.0)
        return total[()]

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        return self._mean_chance() * self._mean(
            _opportunities_alive, 1, rate, _opportunities("horizon", horizon, finite=False)
        )

    def _mean_chance(self) -> Parameter:
        return self.alpha / (self.alpha + self.beta)

    def _mean(self, function: Callable[..., Array], times: int, rate: ArrayLike, horizon: Array) -> Array:
        """Mean over the chance p to leave of (1 - p)^times function(p)."""
        stayed = np.exp(log_rising(self.delta, times) - log_rising(np.add(self.gamma, self.delta), times))
        reach = np.minimum(horizon, 1 + 1 / np.maximum(rate, np.finfo(float).tiny))
        return stayed * beta_mean(function, self.gamma, np.add(self.delta, times), reach, rate, horizon)

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers after T opportunities: ``frequency, recency, T`` and whether ``alive`` at the next."""
        ages = np.atleast_1d(_opportunities("T", T))
        require_number("the largest T", float(ages.max(initial=0)), 0, MOST_SILENT)
        T, alpha, beta, gamma, delta = np.broadcast_arrays(ages, self.alpha, self.beta, self.gamma, self.delta)
        rng = np.random.default_rng(rng)
        with np.errstate(divide="ignore", over="ignore"):
            lifetime = np.floor(-rng.standard_exponential(T.shape) / np.log1p(-rng.beta(gamma, delta)))
        chance, x, last = rng.beta(alpha, beta), np.zeros(T.shape, np.int64), np.zeros(T.shape, np.int64)
        for opportunity in range(1, int(T.max(initial=0)) + 1):
            buys = (opportunity <= np.minimum(lifetime, T)) & (rng.random(T.shape) < chance)
            x, last = x + buys, np.where(buys, opportunity, last)
        return pd.DataFrame({"frequency": x, "recency": last, "T": T.astype(np.int64), "alive": lifetime > T})

    def _ages(self, customers: pd.DataFrame, rng: np.random.Generator) -> Array:
        """The opportunity of each purchase, 0 for the first, in order: any of those up to the last are as likely."""
        ages = [
            np.r_[0, np.sort(rng.choice(int(last) - 1, int(x) - 1, replace=False)) + 1, last] if x else np.zeros(1)
            for x, last in zip(customers["frequency"], customers["recency"], strict=True)
        ]
        return np.concatenate(ages).astype(float)


def _opportunities(name: str, value: ArrayLike, *, finite: bool = True) -> Array:
    """``value`` as an array of whole numbers, or of infinity unless ``finite``; an error that names it otherwise."""
    array = require_nonnegative(name, value, finite=finite)
    wrong = array[array != np.floor(array)]
    if wrong.size:
        raise ValueError(
            f"{name} counts opportunities and must be a whole number; got {wrong.flat[0]:g}"
            f"{f' and {wrong.size - 1:,} more' if wrong.size > 1 else ''}"
        )
    return array


def _history(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Array, Array, Array]:
    """A history of opportunities as floats."""
    return np.asarray(frequency, dtype=float), np.asarray(recency, dtype=float), np.asarray(T, dtype=float)


def _silent_ages(
    alpha: Array, beta: Array, gamma: Array, delta: Array, x: Array, t_x: Array, T: Array
) -> tuple[Array, Array]:
    """The numbers of opportunities after which customers may have left unseen, and how likely they have.

    Over the chance of leaving right after the last purchase; 0 from T on. Parameters and histories have shape (n, 1),
    the result (n, ages): leaving one opportunity later takes not to have left, nor to have bought.
    """
    longest = np.max(T - t_x, initial=0)
    if longest > MOST_SILENT:
        raise ValueError(
            f"a history has at most {MOST_SILENT:,} opportunities since the last one taken, not {longest:,.0f}: "
            "choose a longer period"
        )
    age = t_x + np.arange(longest)
    later = (beta + (age - x)) / (alpha + beta + age) * (delta + age) / (gamma + delta + age + 1)
    likely = np.cumprod(np.concatenate([np.ones_like(x), later[:, :-1]], axis=1)[:, : age.shape[1]], axis=1)
    return age, np.where(age < T, likely, 0.0)


def _ways_gone(*customer: Array) -> Array:
    """The chance of having left unseen, over that of having left right after the last purchase; shape (1, n)."""
    _, likely = _silent_ages(*customer)
    return likely.sum(axis=1)[None]


def _ways_gone_and_slopes(
    alpha: Array, beta: Array, gamma: Array, delta: Array, x: Array, t_x: Array, T: Array
) -> Array:
    """``_ways_gone`` and the derivatives of its logarithm in the parameters; shape (5, n).

    What a parameter changes in the chance of going on at an age, it changes in the chance of all later ones.
    """
    age, likely = _silent_ages(alpha, beta, gamma, delta, x, t_x, T)
    ways = likely.sum(axis=1)
    later = np.cumsum(likely[:, :0:-1], axis=1)[:, ::-1] / np.maximum(ways, 1.0)[:, None]
    age = age[:, :-1]
    bought, left = (np.sum(later / rate, axis=1) for rate in (alpha + beta + age, gamma + delta + age + 1))
    missed, stayed = (np.sum(later / rate, axis=1) for rate in (beta + (age - x), delta + age))
    return np.stack([ways, -bought, missed - bought, -left, stayed - left])


def _log_choose(n: Array, count: Array) -> Array:
    return log_rising(1.0, n) - log_rising(1.0, count) - log_rising(1.0, n - count)


def _opportunities_alive(p: Array, rate: Array, horizon: Array) -> Array:
    """Expected number of opportunities alive given the chance p to leave before each, over 1 - p.

    Every opportunity counts e^(-rate t).
    """
    log_kept = np.log1p(-np.minimum(p, 1 - np.finfo(float).epsneg)) - rate
    return np.exp(-rate) * np.expm1(horizon * log_kept) / np.expm1(log_kept)


def _pairs_alive(p: Array, rate: Array, horizon: Array) -> Array:
    """E[N (N - 1)] of the number N of opportunities alive, over (1 - p)^2: 2 P(p is due twice) / p^2."""
    due_twice = betainc(2.0, np.maximum(horizon - 1, 1.0), p)
    return np.where(horizon > 1, 2 * due_twice / p**2, 0.0)
