"""What every model of contracts shares: from the chance to renew, all else is derived here, once.

At the t-th renewal a customer stays with probability r(t), so that S(t) = r(1) r(2) ... r(t). A table of how many
were at risk at each tenure and how many were lost is all that the likelihood needs, the sum of lost log(1 - r) +
kept log r: cohorts of different ages, customers first seen late (left truncation) and grouped rows need nothing more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import xlogy

from retention_models.core.arrays import Array, RNGLike
from retention_models.core.formatting import Facts, Part, Presentation, field_values

Parameter = float | Array

TERMS = 256  # terms of an endless sum that are added one by one before the rest is integrated
HUGE = 300.0  # largest logarithm of t^c, far beyond anything observed, that leaves room for squares


class RetentionModel(Presentation, ABC):
    """A frozen dataclass of positive parameters: plain numbers, or arrays that broadcast against the tenures."""

    __slots__ = ()

    columns: ClassVar[tuple[str, ...]] = ("tenure", "at_risk", "lost")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            array = np.asarray(value, dtype=float)
            if not (np.isfinite(array) & (array > 0)).all():
                raise ValueError(f"{type(self).__name__}: {field.name} must be positive and finite; got {value!r}")
            object.__setattr__(self, field.name, array if array.ndim else float(array))

    def _parts(self) -> Sequence[Part]:
        return [Facts(type(self).__name__, field_values(self), is_call=True)]

    @abstractmethod
    def _log_survival(self, tenure: Array) -> Array:
        """Logarithm of S(t), smooth between the renewals."""

    @abstractmethod
    def _log_retention(self, tenure: Array) -> Array:
        """Logarithm of r(t) = S(t) / S(t - 1), without loss of digits where r is near 1."""

    @abstractmethod
    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        """Its derivatives in the parameters."""

    @abstractmethod
    def _sum_after(self, tenure: Array) -> Array:
        """The endless sum S(t + 1) + S(t + 2) + ..., infinite where it has no limit."""

    def log_likelihood(self, tenure: Array, at_risk: Array, lost: Array) -> Array:
        """Log-likelihood of each row: of those at risk at the renewal ``tenure``, so many were lost."""
        log_kept = self._log_retention(np.asarray(tenure, dtype=float))
        return xlogy(lost, -np.expm1(log_kept)) + np.subtract(at_risk, lost) * log_kept

    def score(self, tenure: Array, at_risk: Array, lost: Array) -> Array:
        """Derivatives of each row's log-likelihood in the parameters; shape (..., n, p)."""
        when = np.asarray(tenure, dtype=float)
        odds_to_leave = np.expm1(np.minimum(-self._log_retention(when), 700.0))
        per_odds = np.divide(1.0, odds_to_leave, out=np.zeros(odds_to_leave.shape), where=odds_to_leave > 0)
        gain = np.subtract(at_risk, lost) - lost * per_odds
        return np.stack(np.broadcast_arrays(*(gain * slope for slope in self._log_retention_slopes(when))), axis=-1)

    def survival_function(self, tenure: ArrayLike, *, given: ArrayLike = 0) -> Array:
        """The share still customers after ``tenure`` renewals, of those who were after ``given``: S(t) / S(given).

        Between renewals nobody leaves; up to ``given`` everybody is still there.
        """
        since, when = (np.floor(np.asarray(value, dtype=float)) for value in (given, tenure))
        if not (np.isfinite(since).all() and np.isfinite(when).all()):
            raise ValueError("tenure and given count renewals: finite numbers, 0 or more")
        when = np.maximum(when, since)
        return np.exp(self._log_survival(when) - self._log_survival(since))

    def retention_rate(self, tenure: ArrayLike) -> Array:
        """The share of those who come to the renewal ``tenure`` = 1, 2, ... that renew: S(t) / S(t - 1)."""
        return np.exp(self._log_retention(whole(tenure, least=1)))

    def hazard(self, tenure: ArrayLike) -> Array:
        """The share of those who come to the renewal ``tenure`` = 1, 2, ... that leave: 1 - retention rate."""
        return -np.expm1(self._log_retention(whole(tenure, least=1)))

    def survival_if_saved(self, ahead: ArrayLike, renewal: ArrayLike) -> Array:
        """The share still there ``ahead`` renewals after one at which they would have left, had they been kept there.

        Where customers differ, those about to leave are the fickle ones, and are sooner gone again than those who
        renew of themselves; saving them changes that one decision and nothing about them. Here all are alike.

        Parameters
        ----------
        ahead
            Renewals after the one at which they were kept, 0 or more.
        renewal
            The renewal at which they were, 1 or more.
        """
        at, later = whole(renewal, least=1, name="renewal"), whole(ahead, least=0, name="ahead")
        return self.survival_function(at + later, given=at)

    def expected_residual_lifetime(self, tenure: ArrayLike = 0, *, horizon: float = np.inf) -> Array:
        """How many more renewals to expect of a customer who has made ``tenure`` of them.

        The sum of S(tenure + j) / S(tenure) over j = 1, 2, ... up to ``horizon``. Without a horizon it is infinite
        where enough customers stay for good, as in the shifted-beta-geometric with alpha <= 1; a discounted lifetime
        (``value.contract``) is always finite.
        """
        made = whole(tenure, least=0)
        now = self._log_survival(made)
        if np.isinf(horizon):
            return self._sum_after(made) / np.exp(now)
        ahead = np.arange(1, np.floor(horizon) + 1)
        return np.exp(self._log_survival(made[..., None] + ahead) - now[..., None]).sum(axis=-1)

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers, each followed over ``T`` renewals (shape (n,)); parameters must be plain numbers.

        Returns
        -------
        pandas.DataFrame
            Spells: ``entry`` (0), ``tenure`` (the renewal at which the customer left, or ``T``) and ``churned``;
            ``retention_table_from_tenures(..., design="acquisition")`` makes of them what ``fit`` takes.
        """
        followed = np.atleast_1d(whole(T, least=0, name="T")).astype(np.int64)
        survival = self.survival_function(np.arange(1, int(followed.max(initial=0)) + 1))
        if survival.ndim > 1:
            raise ValueError(f"{type(self).__name__} has arrays of parameters; simulate one model at a time")
        leaves_at = 1 + np.searchsorted(-survival, -np.random.default_rng(rng).random(len(followed)), side="right")
        return pd.DataFrame(
            {
                "entry": np.zeros(len(followed), dtype=np.int64),
                "tenure": np.minimum(leaves_at, followed),
                "churned": leaves_at <= followed,
            }
        )


def whole(renewals: ArrayLike, *, least: int, name: str = "tenure") -> Array:
    """The numbers as floats; an error unless each is whole, and at least so many."""
    numbers = np.asarray(renewals, dtype=float)
    wrong = numbers[~(np.isfinite(numbers) & (numbers >= least) & (numbers == np.floor(numbers)))]
    if wrong.size:
        raise ValueError(f"{name} counts renewals: whole numbers from {least} on; got {wrong.flat[0]:g}")
    return numbers


def power(tenure: Array, c: Parameter) -> Array:
    """t^c, the exposure that the Weibull models have added up after t renewals."""
    with np.errstate(divide="ignore"):
        return np.exp(np.minimum(c * np.log(tenure), HUGE))


def power_growth(tenure: Array, c: Parameter) -> Array:
    """t^c - (t - 1)^c, which keeps its digits where c is small."""
    with np.errstate(divide="ignore"):
        return power(tenure, c) * -np.expm1(c * np.log1p(-1 / tenure))


def power_slope(tenure: Array, c: Parameter) -> Array:
    """Derivative of t^c in c."""
    return power(tenure, c) * np.log(np.maximum(tenure, 1))


def endless_sum(survival: Callable[[Array], Array], area_after: Callable[[Array], Array], tenure: Array) -> Array:
    """S(t + 1) + S(t + 2) + ..., some terms one by one and the rest by Euler and Maclaurin from the area under S."""
    last = tenure + TERMS
    slope = (survival(last + 1) - survival(last - 1)) / 2
    terms = survival(tenure[..., None] + np.arange(1, TERMS + 1)).sum(axis=-1)
    return terms + area_after(last) - survival(last) / 2 - slope / 12


def starting_hazard(tenure: Array, at_risk: Array, lost: Array, weight: Array) -> float:
    """The share of all renewals that were refused, kept off 0 and 1, to begin a fit."""
    return float(np.clip(weight @ lost / np.maximum(weight @ at_risk, 1e-300), 0.001, 0.95))
