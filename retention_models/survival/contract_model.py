"""What every contract model shares: all quantities follow from the probability to renew.

At the t-th renewal a customer stays with probability r(t), so S(t) = r(1) r(2) ... r(t). The likelihood needs only the
numbers at risk and lost at each tenure: it is the sum of lost log(1 - r) + kept log r. Cohorts of different ages,
late entry (left truncation) and grouped rows need nothing more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import xlogy

from retention_models.core.arguments import LONGEST_SUM, require_number
from retention_models.core.arrays import Array, RNGLike
from retention_models.core.formatting import Facts, Part, Presentation, field_values
from retention_models.estimation.elementwise import elementwise

Parameter = float | Array

TERMS = 256  # terms of an endless sum that are added one by one before the rest is integrated
HUGE = 300.0  # largest logarithm of t^c, far beyond anything observed, that leaves room for squares


class ContractCurve(ABC):
    """What follows from a survival curve by renewals: forecasts and values need no more.

    Tenure counts renewals: 1 is the first renewal, 0 the start of the contract.
    """

    __slots__ = ()

    @abstractmethod
    def by_row(self) -> Self:
        """The same curve, or curves that differ by row with a further axis for the tenures of each row."""

    @abstractmethod
    def _log_survival(self, tenure: Array) -> Array:
        """Logarithm of S(t), smooth between the renewals."""

    @abstractmethod
    def _log_retention(self, tenure: Array) -> Array:
        """Logarithm of r(t) = S(t) / S(t - 1), without loss of digits where r is near 1."""

    def survival_function(self, tenure: ArrayLike, *, given: ArrayLike = 0) -> Array:
        """Share of customers who remain after a number of renewals.

        Parameters
        ----------
        tenure
            Number of renewals, 0 or more, any shape. Nobody leaves between renewals, so fractions are rounded down.
        given
            Renewals that the customers have already made: the result is S(tenure) / S(given). By default 0.

        Returns
        -------
        numpy.ndarray
            Shares in the broadcast shape of the arguments and the parameters; 1 up to ``given``.
        """
        since, when = (renewals_or_nan(np.floor(np.asarray(value, dtype=float)), least=0) for value in (given, tenure))
        when = np.maximum(when, since)
        return np.exp(self._log_survival(when) - self._log_survival(since))

    def retention_rate(self, tenure: ArrayLike) -> Array:
        """Share of customers who renew, of those who come to a renewal: S(t) / S(t - 1).

        Parameters
        ----------
        tenure
            Number of the renewal, a whole number from 1 on.

        Returns
        -------
        numpy.ndarray
            Shares in the broadcast shape of ``tenure`` and the parameters.
        """
        return np.exp(self._log_retention(renewals_or_nan(tenure, least=1)))

    def hazard(self, tenure: ArrayLike) -> Array:
        """Share of customers who leave, of those who come to a renewal: 1 - retention rate.

        Parameters
        ----------
        tenure
            Number of the renewal, a whole number from 1 on.

        Returns
        -------
        numpy.ndarray
            Shares in the broadcast shape of ``tenure`` and the parameters.
        """
        return -np.expm1(self._log_retention(renewals_or_nan(tenure, least=1)))

    @abstractmethod
    def _stay_if_saved(self, ahead: Array, renewal: Array) -> Array:
        """``survival_if_saved`` of whole numbers."""

    def survival_if_saved(self, ahead: ArrayLike, renewal: ArrayLike) -> Array:
        """Share that remains of customers who would have left at a renewal, and were kept there.

        Parameters
        ----------
        ahead
            Number of renewals after the one at which they were kept, 0 or more.
        renewal
            The renewal at which they were kept, 1 or more.

        Returns
        -------
        numpy.ndarray
            Shares in the broadcast shape of the arguments and the parameters.

        Notes
        -----
        If customers differ, those who are about to leave have a higher probability of leaving than the others.
        Keeping them changes that one decision only, so they leave again sooner. In models in which all customers are
        alike, they stay as long as the others.
        """
        return self._stay_if_saved(renewals_or_nan(ahead, least=0), renewals_or_nan(renewal, least=1))


class RetentionModel(ContractCurve, Presentation):
    """A contract model: a frozen dataclass of positive parameters, which broadcast against the tenures.

    Tenure counts renewals: 1 is the first renewal, 0 the start of the contract. Methods give nan for a tenure that is
    missing, infinite or impossible, and for numbers that ``fit`` refuses (``lost`` above ``at_risk``, say).
    """

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

    def by_row(self) -> Self:
        """The model with parameters of shape (n, 1) where they have shape (n,), so that each row has a curve."""
        rows = {name: value[:, None] for name, value in field_values(self).items() if np.ndim(value) == 1}
        return replace(self, **rows) if rows else self  # type: ignore[type-var]

    def _stay_if_saved(self, ahead: Array, renewal: Array) -> Array:
        c = getattr(self, "c", None)
        if c is None:
            return self.stay_if_saved(renewal - 1, np.ones_like(renewal), ahead)
        later = power(renewal + ahead, c) - power(renewal, c)
        return self.stay_if_saved(power(renewal - 1, c), power_growth(renewal, c), later)

    @abstractmethod
    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """Logarithm of the share that stays through an exposure, of those who stayed through one before.

        After t renewals the exposure is t^c, or t for a model without ``c``. A calendar makes it grow otherwise.
        """

    @abstractmethod
    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """Its derivatives in the parameters, then in both exposures."""

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """Share that stays through the exposure ``later``, of those who would have left in ``now``, after ``before``.

        A customer's own chance is constant in exposure, so the result is the chance to leave after ``later`` over that
        without it.
        """
        leaves, leaves_later = (-np.expm1(self.log_stay(since, now)) for since in (before, before + later))
        return np.exp(self.log_stay(before, later)) * leaves_later / leaves

    @abstractmethod
    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        """Its derivatives in the parameters."""

    @abstractmethod
    def _residual_sum(self, tenure: Array) -> Array:
        """The endless sum S(t + 1) + S(t + 2) + ... over S(t), infinite where it has no limit."""

    @elementwise
    def log_likelihood(self, tenure: Array, at_risk: Array, lost: Array) -> Array:
        """Log-likelihood of each row of a retention table.

        Parameters
        ----------
        tenure
            Number of the renewal, 1 for the first; shape (n,).
        at_risk
            Customers who came to that renewal; shape (n,).
        lost
            Customers among them who did not renew; shape (n,).

        Returns
        -------
        numpy.ndarray
            Shape (n,).
        """
        log_kept = self._log_retention(np.asarray(tenure, dtype=float))
        return xlogy(lost, -np.expm1(log_kept)) + np.subtract(at_risk, lost) * log_kept

    @elementwise
    def score(self, tenure: Array, at_risk: Array, lost: Array) -> Array:
        """Derivatives of each row's log-likelihood in the p parameters.

        Parameters
        ----------
        tenure
            Number of the renewal, 1 for the first; shape (n,).
        at_risk
            Customers who came to that renewal; shape (n,).
        lost
            Customers among them who did not renew; shape (n,).

        Returns
        -------
        numpy.ndarray
            Shape (..., n, p), with the parameters in the order of the fields.
        """
        when = np.asarray(tenure, dtype=float)
        odds_to_leave = np.expm1(np.minimum(-self._log_retention(when), 700.0))
        per_odds = np.divide(1.0, odds_to_leave, out=np.zeros(odds_to_leave.shape), where=odds_to_leave > 0)
        gain = np.subtract(at_risk, lost) - lost * per_odds
        return np.stack(np.broadcast_arrays(*(gain * slope for slope in self._log_retention_slopes(when))), axis=-1)

    def expected_residual_lifetime(self, tenure: ArrayLike = 0, *, horizon: float = np.inf) -> Array:
        """Expected number of further renewals of a customer.

        Parameters
        ----------
        tenure
            Renewals that the customer has made, a whole number; by default 0.
        horizon
            Number of renewals ahead that count, up to 10 million; by default without end.

        Returns
        -------
        numpy.ndarray
            The sum of S(tenure + j) / S(tenure) over j = 1, 2, ... up to ``horizon``; in the shape of ``tenure``.

        Notes
        -----
        Without a horizon the sum can be infinite, as in the shifted-beta-geometric with alpha <= 1. A discounted
        lifetime (``value.discounted_residual_lifetime``) is always finite.
        """
        if horizon != np.inf:
            require_number("horizon", horizon, 0, LONGEST_SUM)
        known = renewals_or_nan(tenure, least=0)
        made = np.nan_to_num(known)  # sums are taken over all rows at once
        if np.isinf(horizon):
            return self._residual_sum(made) + (known - made)
        now = self._log_survival(made)
        ahead = np.arange(1, np.floor(horizon) + 1)
        return np.exp(self._log_survival(made[..., None] + ahead) - now[..., None]).sum(axis=-1) + (known - made)

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers with their churn; the parameters must be plain numbers.

        Parameters
        ----------
        T
            Number of renewals over which each customer is observed; shape (n,).
        rng
            Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes.

        Returns
        -------
        pandas.DataFrame
            Spells: ``entry`` (0), ``tenure`` (the renewal at which the customer left, or ``T``) and ``churned``.
            ``retention_table_from_tenures(..., sampling="acquisition")`` turns them into the table that ``fit`` takes.

        Raises
        ------
        ValueError
            When the parameters are arrays, or ``T`` is not a whole number up to 10,000,000.
        """
        followed = np.atleast_1d(whole(T, least=0, name="T")).astype(np.int64)
        require_number("the largest T", int(followed.max(initial=0)), 0, LONGEST_SUM)
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


def renewals_or_nan(renewals: ArrayLike, *, least: int) -> Array:
    """The numbers as floats; nan in place of those that are not whole, not finite, or less than ``least``."""
    numbers = np.asarray(renewals, dtype=float)
    return np.where(np.isfinite(numbers) & (numbers >= least) & (numbers == np.floor(numbers)), numbers, np.nan)


def whole(renewals: ArrayLike, *, least: int, name: str = "tenure") -> Array:
    """The numbers as floats; an error unless each is whole, and at least so many."""
    numbers = np.asarray(renewals, dtype=float)
    wrong = numbers[np.isnan(renewals_or_nan(numbers, least=least))]
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


def endless_sum(log_survival: Callable[[Array], Array], area_after: Callable[[Array], Array], tenure: Array) -> Array:
    """S(t + 1) + S(t + 2) + ... over S(t): some terms one by one, the rest by Euler and Maclaurin.

    ``area_after`` is the area under S after a tenure, over S there.
    """
    now, last = log_survival(tenure), tenure + TERMS
    before, there, after = (np.exp(log_survival(last + step) - now) for step in (-1, 0, 1))
    terms = np.exp(log_survival(tenure[..., None] + np.arange(1, TERMS + 1)) - now[..., None]).sum(axis=-1)
    return terms + there * (area_after(last) - 1 / 2) - (after - before) / 24


def starting_hazard(tenure: Array, at_risk: Array, lost: Array, weight: Array) -> float:
    """The share of all renewals that were refused, kept off 0 and 1, to begin a fit."""
    return float(np.clip(weight @ lost / np.maximum(weight @ at_risk, 1e-300), 0.001, 0.95))
