"""The Kaplan-Meier curve: how many customers remain after a time.

A curve needs only the numbers at risk and lost at each tenure. So rows, weighted rows and an aggregated table give the
same curve, and ties need no special case.

Kaplan & Meier (1958), Journal of the American Statistical Association 53, 457-481; Greenwood (1926) for the
variance; Aalen (1978), Annals of Statistics 6, 701-726 for the cumulative hazard; Brookmeyer & Crowley (1982),
Biometrics 38, 29-41 for quantiles. S(t) is the share still there after tenure t, n the number at risk, d the lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retention_models.core.arguments import is_number, require_number
from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, three_digits, with_interval, with_intervals
from retention_models.estimation.intervals import (
    normal_quantile,
    positive_interval,
)
from retention_models.survival.at_risk import as_numbers, count_losses, require, require_increasing, require_length

LARGEST_EXPONENT = 700.0  # exp of more is infinite; the interval reaches from 0 to 1 long before
SHOWN = 6  # tenures of a curve in its short form


class Tabulated(Protocol):
    """A curve with a table: a ``Curve``, or curves by cause."""

    def table(self, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
        """The curve at its own tenures, or ``at`` others."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class RestrictedMean(Presentation):
    """Mean time as a customer up to a horizon (RMST), with its standard error.

    Attributes
    ----------
    estimate
        Area under the survival curve from ``start`` to ``horizon``, discounted if a rate was given.
    std_error
        Its standard error.
    start, horizon
        Tenures between which time is counted.
    """

    estimate: float
    std_error: float
    start: float
    horizon: float

    def _parts(self) -> Sequence[Part]:
        span = f"from {self.start:g} to {self.horizon:g}"
        error = three_digits(self.std_error)
        return [f"Mean time as a customer {span}: {three_digits(self.estimate)} (standard error {error})."]


@dataclass(frozen=True, slots=True, repr=False)
class Quantile(Presentation):
    """The tenure by which a share of the customers has left.

    Attributes
    ----------
    estimate
        That tenure; infinite if the curve does not fall so far.
    lower, upper
        Confidence interval of the tenure.
    """

    estimate: float
    lower: float
    upper: float

    def _parts(self) -> Sequence[Part]:
        return [f"The share has left by tenure {with_interval(self.estimate, self.lower, self.upper)}."]


@dataclass(frozen=True, eq=False, repr=False)
class Curve(Presentation):
    """A Kaplan-Meier curve: what ``kaplan_meier`` returns.

    Attributes
    ----------
    tenure
        Strictly increasing times, shape (m,), in the unit of the data. A tenure without losses shows how long customers
        were observed.
    at_risk
        Customers observed and still there just before each tenure; shape (m,).
    lost
        Customers who left at each tenure; shape (m,).
    start
        Tenure at which the curve starts, the earliest entry; the curve is the survival of those still there then.

    Raises
    ------
    ValueError
        When shapes differ, tenures do not increase, or ``lost`` is not between 0 and ``at_risk``.
    """

    tenure: Array
    at_risk: Array
    lost: Array
    start: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tenure", "at_risk", "lost"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        if not (self.tenure.ndim == 1 and self.tenure.shape == self.at_risk.shape == self.lost.shape):
            raise ValueError("tenure, at_risk and lost must be one-dimensional and of the same length")
        if len(self.tenure) == 0:
            raise ValueError("a curve needs at least one tenure at which customers were at risk")
        if not np.all(np.isfinite(self.tenure)) or np.any(np.diff(self.tenure) <= 0) or self.tenure[0] < self.start:
            raise ValueError(f"tenure must be finite, strictly increasing and not before the start, {self.start:g}")
        if not np.all((self.lost >= 0) & (self.lost <= self.at_risk) & np.isfinite(self.at_risk)):
            raise ValueError("lost must lie between 0 and at_risk, and at_risk must be finite")

    def _parts(self) -> Sequence[Part]:
        lost, most = float(self.lost.sum()), float(self.at_risk.max())
        headline = f"Survival curve: up to {most:,.0f} customers at risk, {lost:,.0f} of them left."
        few = np.unique(np.linspace(0, len(self.tenure) - 1, SHOWN).astype(int))
        return [headline, with_intervals(self.table(at=self.tenure[few]).drop(columns="std_error"))]

    @property
    def steps(self) -> Array:
        """The tenures, preceded by the start of the curve."""
        return self.tenure if self.tenure[0] == self.start else np.append(self.start, self.tenure)

    @cached_property
    def survival(self) -> Array:
        """S(t) at each tenure, the product of 1 - d/n; shape (m,)."""
        return np.cumprod(1 - self._hazard, dtype=np.float64)

    @cached_property
    def std_error(self) -> Array:
        """Greenwood's standard error of ``survival``; 0 where nobody has left yet and where nobody is left."""
        return self.survival * np.sqrt(np.cumsum(self._greenwood))

    def survival_function(self, tenure: ArrayLike) -> Array:
        """Share of customers who remain after each tenure.

        Parameters
        ----------
        tenure
            Tenures, any shape, in the unit of the curve.

        Returns
        -------
        numpy.ndarray
            Shares in the shape of ``tenure``; a step function, flat after the last observed tenure; nan at nan.
        """
        return self._read(self.survival, 1.0, tenure)

    def number_at_risk(self, tenure: ArrayLike) -> Array:
        """Customers observed and still there just before each tenure.

        Parameters
        ----------
        tenure
            Tenures, any shape, in the unit of the curve.

        Returns
        -------
        numpy.ndarray
            Counts in the shape of ``tenure``; 0 after the last observed tenure, and up to a late start.
        """
        when = np.asarray(tenure, dtype=float)
        place = np.searchsorted(self.tenure, when, side="left")
        at_risk = np.where((when > self.start) | (self.start == 0), np.append(self.at_risk, 0.0)[place], 0.0)
        return np.where(np.isnan(when), np.nan, at_risk)

    def since(self, tenure: float) -> Curve:
        """The curve of customers who are still there at a later tenure: S(t) / S(tenure), with its own variance.

        Use it if only few customers were observed at the start, where one loss lowers the whole curve.

        Parameters
        ----------
        tenure
            Where the new curve starts; not before ``start``, and before the last observed tenure.

        Returns
        -------
        Curve
            The curve with ``start`` at that tenure.

        Raises
        ------
        ValueError
            When ``tenure`` is outside the curve.
        """
        require_number("tenure", tenure)
        later = self.tenure > tenure
        if tenure < self.start or not np.any(later):
            raise ValueError(
                f"tenure must lie between the start of the curve, {self.start:g}, and the last tenure observed, "
                f"{self.tenure[-1]:g}; got {tenure:g}"
            )
        return Curve(self.tenure[later], self.at_risk[later], self.lost[later], start=float(tenure))

    def restricted_mean(self, horizon: float, *, rate: float = 0.0) -> RestrictedMean:
        """Mean time as a customer up to a horizon (RMST), with its standard error.

        Parameters
        ----------
        horizon
            Tenure at which counting ends; above ``start``, and not beyond what was observed.
        rate
            Continuous discount rate per time unit, from ``start`` on; by default 0, no discount.

        Returns
        -------
        RestrictedMean
            The estimate and its standard error, in the unit of ``tenure``.

        Raises
        ------
        ValueError
            When the curve was not observed up to the horizon, so that the area is not known.

        Notes
        -----
        The area under S from ``start`` to the horizon, with weights exp(-rate t). Its variance is the sum of A^2
        d / (n (n - d)) over the tenures, where A is the area from there to the horizon. Times a margin per time unit,
        it is the value of a customer up to the horizon, without a model.
        """
        require_number("rate", rate, 0)
        if not (is_number(horizon) and horizon > self.start):
            raise ValueError(
                f"horizon must be a finite number above the start of the curve, {self.start:g}; got {horizon!r}"
            )
        if horizon > self.tenure[-1] and self.survival[-1] > 0:
            raise ValueError(
                f"no customer was observed for longer than {self.tenure[-1]:g}, and the horizon is {horizon:g}; "
                "choose a shorter one, or extrapolate with a model"
            )
        inside = self.tenure < horizon
        edges = np.concatenate([[self.start], self.tenure[inside], [horizon]]) - self.start
        area = np.append(1.0, self.survival[inside]) * _discounted_length(edges, rate)
        ahead = np.cumsum(area[::-1])[::-1][1:]
        variance = float(np.sum(ahead**2 * self._greenwood[inside]))
        return RestrictedMean(float(np.sum(area)), float(np.sqrt(variance)), self.start, float(horizon))

    def quantile(self, share: float = 0.5, level: float = 0.95) -> Quantile:
        """The tenure by which a share of the customers has left.

        Parameters
        ----------
        share
            Share of the customers, between 0 and 1; by default 0.5, the median.
        level
            Confidence level of the interval, between 0 and 1.

        Returns
        -------
        Quantile
            The first tenure at which S(t) is at most 1 - share, infinite if there is none, and its interval.

        Raises
        ------
        ValueError
            When ``share`` or ``level`` is not between 0 and 1.

        Notes
        -----
        The interval holds the tenures at which the log-log interval of S includes 1 - share (Brookmeyer & Crowley
        1982).
        """
        require_number("share", share, 0, 1, inside=True)
        lower, upper = self._interval(level)
        return Quantile(*(self._first_at_most(steps, 1 - share) for steps in (self.survival, lower, upper)))

    def table(self, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
        """The curve as a frame.

        Parameters
        ----------
        level
            Confidence level of the intervals, between 0 and 1.
        at
            Tenures of the rows, finite and increasing; by default those of the curve, with its start first.

        Returns
        -------
        pandas.DataFrame
            ``tenure, at_risk, lost, survival, std_error, survival_lower, survival_upper``. With ``at``, ``lost`` counts
            the losses since the row before.

        Notes
        -----
        Intervals use the log-log scale, so they stay within 0 and 1. If all customers at risk left at the last
        tenure, the variance is not known: the lower end is 0, and the upper end keeps its last value.
        """
        lower, upper = self._interval(level)
        when = self.steps if at is None else require_increasing(at)
        lost_so_far = self._read(np.cumsum(self.lost), 0.0, when)
        return pd.DataFrame(
            {
                "tenure": when,
                "at_risk": self.number_at_risk(when),
                "lost": np.diff(lost_so_far, prepend=0.0),
                "survival": self.survival_function(when),
                "std_error": self._read(self.std_error, 0.0, when),
                "survival_lower": self._read(lower, 1.0, when),
                "survival_upper": self._read(upper, 1.0, when),
            }
        )

    def cumulative_hazard(self, level: float = 0.95) -> pd.DataFrame:
        """The Nelson-Aalen curve of the cumulative hazard.

        Parameters
        ----------
        level
            Confidence level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            ``tenure, cumulative_hazard, std_error, cumulative_hazard_lower, cumulative_hazard_upper``: the sum of d/n,
            its binomial standard error, and an interval on the log scale.
        """
        hazard, total = self._hazard, np.cumsum(self._hazard)
        spread = np.divide(hazard * (1 - hazard), self.at_risk, out=np.zeros_like(hazard), where=self.at_risk > 0)
        std_error = np.sqrt(np.cumsum(spread))
        lower, upper = positive_interval(total, std_error, level)
        return pd.DataFrame(
            {
                "tenure": self.tenure,
                "cumulative_hazard": total,
                "std_error": std_error,
                "cumulative_hazard_lower": lower,
                "cumulative_hazard_upper": upper,
            }
        )

    @cached_property
    def _hazard(self) -> Array:
        """d/n, and 0 in a gap in which nobody was at risk."""
        return np.divide(self.lost, self.at_risk, out=np.zeros_like(self.lost), where=self.at_risk > 0)

    @cached_property
    def _greenwood(self) -> Array:
        """The terms d / (n (n - d)) of Greenwood's sum; 0 where all leave, since S and its area are 0 from there."""
        kept = self.at_risk - self.lost
        return np.divide(self._hazard, kept, out=np.zeros_like(kept), where=kept > 0)

    def _interval(self, level: float) -> tuple[Array, Array]:
        lower, upper = log_log_interval(self.survival, self.std_error, level)
        nobody = self.survival == 0
        last = upper[~nobody][-1] if not np.all(nobody) else 1.0
        return lower, np.where(nobody, last, upper)

    def _read(self, steps: Array, before: float, tenure: ArrayLike) -> Array:
        """The value of a right-continuous step function at some tenures."""
        when = np.asarray(tenure, dtype=float)
        place = np.searchsorted(self.tenure, when, side="right")
        return np.where(np.isnan(when), np.nan, np.concatenate([[before], steps])[place])

    def _first_at_most(self, steps: Array, height: float) -> float:
        reached = steps <= height * (1 + 1e-12)
        return float(self.tenure[np.argmax(reached)]) if np.any(reached) else np.inf


def kaplan_meier(
    tenure: ArrayLike, churned: ArrayLike, *, entry: ArrayLike | None = None, weight: ArrayLike | None = None
) -> Curve:
    """The Kaplan-Meier survival curve of customers, one row each.

    Parameters
    ----------
    tenure
        Time since the start of the contract at which the customer left or was last observed; shape (n,), in any unit.
    churned
        True if the customer left at ``tenure``, False (censored) if still a customer; shape (n,).
    entry
        Tenure at which observation of the customer began (left truncation), shape (n,). By default 0: observed from the
        start of the contract.
    weight
        Number of customers who share the row, shape (n,); by default 1. Standard errors take it as a count.

    Returns
    -------
    Curve
        The curve, with tables, quantiles and means.

    Raises
    ------
    ValueError
        When shapes differ, a number is missing or negative, ``churned`` is neither True nor False, or a customer was
        never at risk because ``tenure`` does not exceed ``entry``.

    Notes
    -----
    S(t) is the product of 1 - d/n (Kaplan & Meier 1958), with Greenwood's variance. A customer is at risk after
    ``entry`` up to and including ``tenure``. A customer observed from the start is also at risk at tenure 0. With entry
    times the curve is the survival of customers who are still there at the earliest entry, ``Curve.start``.

    Examples
    --------
    >>> import retention_models as rm
    >>> curve = rm.kaplan_meier(tenure=[1, 2, 2, 3, 5], churned=[True, True, False, False, True])
    >>> curve.table().round(3)[["tenure", "at_risk", "lost", "survival", "std_error"]]
       tenure  at_risk  lost  survival  std_error
    0     0.0      5.0   0.0       1.0      0.000
    1     1.0      5.0   1.0       0.8      0.179
    2     2.0      4.0   1.0       0.6      0.219
    3     3.0      2.0   0.0       0.6      0.219
    4     5.0      1.0   1.0       0.0      0.000
    >>> mean = curve.restricted_mean(horizon=4)
    >>> round(mean.estimate, 3), round(mean.std_error, 3)
    (3.0, 0.566)
    """
    left = as_numbers("churned", churned)
    require_length("churned", left.size, np.size(tenure))
    require((left == 0) | (left == 1), "churned is neither True nor False")
    counts = count_losses(tenure, left, causes=1, entry=entry, weight=weight)
    return Curve(counts.tenure, counts.at_risk, counts.lost[:, 0], counts.start)


def log_log_interval(probability: Array, std_error: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval of a probability on the log(-log) scale; 0 and 1 stay what they are."""
    inside = (probability > 0) & (probability < 1)
    p = np.where(inside, probability, 0.5)
    reach = np.exp(np.minimum(normal_quantile(level) * std_error / (p * -np.log(p)), LARGEST_EXPONENT))
    return np.where(inside, p**reach, probability), np.where(inside, p ** (1 / reach), probability)


def _discounted_length(edges: Array, rate: float) -> Array:
    """The integral of exp(-rate t) between neighbouring edges."""
    width = np.diff(edges)
    if rate == 0:
        return width
    return np.exp(-rate * edges[:-1]) * -np.expm1(-rate * width) / rate


def curve_table(curves: Mapping[str, Tabulated], *, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
    """The curves of several groups as one frame.

    Parameters
    ----------
    curves
        Curves by group, from ``kaplan_meier``, ``aalen_johansen``, or ``fitting.survival_curves``.
    level
        Confidence level of the intervals, between 0 and 1.
    at
        Tenures of the rows, finite and increasing; by default those of each curve.

    Returns
    -------
    pandas.DataFrame
        A column ``group``, then the columns of ``table(level, at)`` of the curves.

    Examples
    --------
    >>> import retention_models as rm
    >>> curves = {"month": rm.kaplan_meier([1, 2], [True, True]), "year": rm.kaplan_meier([2, 2], [True, False])}
    >>> rm.survival.curve_table(curves, at=[2])[["group", "tenure", "at_risk", "survival"]]
       group  tenure  at_risk  survival
    0  month     2.0      1.0       0.0
    1   year     2.0      2.0       0.5
    """
    return pd.concat(
        [curve.table(level, at).assign(group=label) for label, curve in curves.items()], ignore_index=True
    ).pipe(lambda frame: frame[["group", *frame.columns.drop("group")]])
