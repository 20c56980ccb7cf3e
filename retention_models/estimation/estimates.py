"""Estimated quantities with the uncertainty that they share, and their intervals.

A quantity is estimated by its ``values``, one a row. Its uncertainty is told in one of three ways: by ``errors``, to
first order (delta method); by ``draws``, its values under other samples of customers (bootstrap); or by ``profile``,
its range over all parameters that a likelihood-ratio test of a level does not reject (profile likelihood).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import (
    Ends,
    normal_quantile,
    plain_interval,
    positive_interval,
    probability_interval,
)
from retention_models.estimation.profile import LikelihoodRegion
from retention_models.estimation.profile_ends import profile_ends

TINY = np.finfo(float).tiny
MIDDLE = 0.9  # of the draws, by which intervals are made


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale on which a quantity is free to move: intervals are made there, so that no end leaves its range."""

    from_errors: Callable[[Array, Array, float], Ends]
    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    is_inside: Callable[[Array], NDArray[np.bool_]] = np.isfinite  # at an end of its range a quantity stays there

    def from_draws(self, values: Array, draws: Array, level: float) -> Ends:
        """Each end is as far from the value as the middle 90 % of the draws reach on that side, scaled to a level."""
        here, (low, high) = self.to(values), middle(self.to(draws), MIDDLE)
        stretch = normal_quantile(level) / normal_quantile(MIDDLE)
        ends = here - stretch * np.maximum(here - low, 0), here + stretch * np.maximum(high - here, 0)
        lower, upper = (np.where(self.is_inside(values), self.back(end), values) for end in ends)
        return lower, upper

    def widen(self, values: Array, *intervals: Ends) -> Ends:
        """Ends of the interval that covers several independent causes of error, each with an interval of its own."""
        here = self.to(values)
        down, up = (np.sqrt(sum((self.to(ends[i]) - here) ** 2 for ends in intervals)) for i in (0, 1))
        lower, upper = (np.where(self.is_inside(values), self.back(end), values) for end in (here - down, here + up))
        return lower, upper


def _logit(share: Array) -> Array:
    return logit(np.clip(share, TINY, 1 - np.finfo(float).epsneg))


PLAIN = Scale(plain_interval, lambda value: value, lambda value: value)
POSITIVE = Scale(
    positive_interval,
    lambda value: np.log(np.maximum(value, TINY)),
    lambda logarithm: np.exp(np.minimum(logarithm, 700.0)),
    lambda value: value > 0,
)
SHARE = Scale(probability_interval, _logit, expit, lambda share: (share > 0) & (share < 1))


@dataclass(frozen=True, slots=True)
class Profile:
    """A quantity as a function of log-parameters, and their region of each level.

    ``values`` takes places, shape (points, p), and gives shape (points, n).
    """

    values: Callable[[Array], Array]
    region: Callable[[float], LikelihoodRegion]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Values of a quantity, shape (n,), and how sure they are.

    ``errors`` have shape (n, m): the values vary as ``errors @ z`` with z standard normal, so that their covariance is
    ``errors @ errors.T``. ``draws`` have shape (draws, n). ``draws`` and ``profile`` are None where the uncertainty is
    not told in this way.
    """

    values: Array
    errors: Array
    draws: Array | None = None
    profile: Profile | None = None

    @property
    def std_error(self) -> Array:
        """Standard errors; those of draws from the width of their middle 90 %, which ignores outliers."""
        return np.sqrt(np.sum(self.errors**2, axis=-1)) if self.draws is None else spread(self.draws)

    def interval(self, level: float, scale: Scale = PLAIN) -> Ends:
        """Ends of the interval of each value, shape (n,)."""
        if self.profile is not None:
            lower, upper = profile_ends(self.profile.region(level), self.profile.values)
            return np.minimum(lower, self.values), np.maximum(upper, self.values)
        if self.draws is not None:
            return scale.from_draws(self.values, self.draws, level)
        return scale.from_errors(self.values, self.std_error, level)

    def linear(self, function: Callable[[Array], Array]) -> Estimate:
        """The estimate of ``function(values)``, which is linear and works along the last axis."""
        errors = function(self.errors.T).T
        return self._other(function(self.values), errors, function)

    def __mul__(self, other: Estimate) -> Estimate:
        """The product with another quantity that the same parameters give."""
        errors = self.errors * other.values[:, None] + other.errors * self.values[:, None]
        return self._other(self.values * other.values, errors, np.multiply, other)

    def __truediv__(self, other: Estimate) -> Estimate:
        """The ratio to another quantity that the same parameters give."""
        ratio = self.values / other.values
        errors = (self.errors - ratio[:, None] * other.errors) / other.values[:, None]
        return self._other(ratio, errors, np.divide, other)

    def _other(self, values: Array, errors: Array, function: Callable[..., Array], *others: Estimate) -> Estimate:
        draws = None if self.draws is None else function(self.draws, *(other.draws for other in others))
        if self.profile is None:
            return Estimate(values, errors, draws)
        parts = [one.profile.values for one in (self, *others) if one.profile is not None]
        profile = replace(self.profile, values=lambda places: function(*(part(places) for part in parts)))
        return Estimate(values, errors, draws, profile)


def with_interval_columns(name: str, estimate: Estimate, level: float | None, scale: Scale = PLAIN) -> dict[str, Array]:
    """The columns ``name``, ``name_lower`` and ``name_upper`` of a frame; without a level the first alone."""
    if level is None:
        return {name: estimate.values}
    lower, upper = estimate.interval(level, scale)
    return {name: estimate.values, f"{name}_lower": lower, f"{name}_upper": upper}


def middle(draws: Array, share: float) -> Ends:
    """Interval of the middle of the draws, which holds a further draw with probability ``share``.

    The i-th of n draws is the quantile i / (n + 1). By the usual rule, (i - 1) / (n - 1), the middle 90 % of 100 draws
    would be 5 % too narrow.
    """
    low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull")
    return low, high


def spread(draws: Array) -> Array:
    """The standard deviation of the draws from the width of their middle 90 %, which ignores outliers."""
    low, high = middle(draws, MIDDLE)
    return np.asarray((high - low) / (2 * normal_quantile(MIDDLE)))


def root_of(covariance: Any) -> Array:
    """A matrix R with R R' equal to the covariance, which may have no variance in some directions."""
    matrix = np.asarray(covariance, dtype=float)
    error = np.sqrt(np.diag(matrix))
    inverse = np.divide(1.0, error, out=np.zeros_like(error), where=error > 0)
    strength, axes = np.linalg.eigh((matrix + matrix.T) / 2 * np.outer(inverse, inverse))
    return np.asarray(error[:, None] * axes * np.sqrt(np.maximum(strength, 0.0)))
