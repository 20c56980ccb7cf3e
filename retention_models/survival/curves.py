"""How many are still customers after a time: the Kaplan-Meier curve and what is read off it.

All that a curve needs of the customers is, at each tenure, how many were at risk of leaving and how many left:
so rows, weighted rows and a table that someone aggregated before give the same curve, and ties are no special case.

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

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, three_digits, with_interval, with_intervals
from retention_models.estimation.intervals import (
    normal_quantile,
    positive_interval,
)
from retention_models.survival.at_risk import as_numbers, count_losses, require, require_length, tenures_asked_for

LARGEST_EXPONENT = 700.0  # exp of more is infinite; the interval reaches from 0 to 1 long before
SHOWN = 6  # tenures of a curve in its short form


class Tabulated(Protocol):
    """A curve that can be written as a table: a ``Curve``, or curves by cause."""

    def table(self, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
        """The curve at its own tenures, or ``at`` others."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class RestrictedMean(Presentation):
    """Time spent as a customer up to a horizon, on average, with its standard error.

    ``estimate`` is the (discounted) area under the survival curve from ``start`` to ``horizon``.
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
    """The tenure by which a share of the customers has left, with its interval; infinite where not reached."""

    estimate: float
    lower: float
    upper: float

    def _parts(self) -> Sequence[Part]:
        return [f"The share has left by tenure {with_interval(self.estimate, self.lower, self.upper)}."]


@dataclass(frozen=True, eq=False, repr=False)
class Curve(Presentation):
    """A Kaplan-Meier curve, given by the numbers behind it.

    Attributes
    ----------
    tenure
        Strictly increasing times, shape (m,). They need not all have losses: a last one without says how long
        customers were followed.
    at_risk
        Customers observed just before each tenure, and still there; shape (m,).
    lost
        Customers who left at each tenure; shape (m,).
    start
        Where the curve starts: it is the survival of those still customers at ``start``, the earliest entry.
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
        """The share still customers after each tenure, a step function; flat after the last one observed."""
        return self._read(self.survival, 1.0, tenure)

    def number_at_risk(self, tenure: ArrayLike) -> Array:
        """Customers observed and still there just before each tenure; 0 after the last one, and up to a late start."""
        when = np.asarray(tenure, dtype=float)
        place = np.searchsorted(self.tenure, when, side="left")
        return np.where((when > self.start) | (self.start == 0), np.append(self.at_risk, 0.0)[place], 0.0)

    def since(self, tenure: float) -> Curve:
        """The curve of those still customers at a later tenure: S(t) / S(tenure), with its own variance.

        What to use where the first few were observed by so few that one loss brings the whole curve down.
        """
        later = self.tenure > tenure
        if tenure < self.start or not np.any(later):
            raise ValueError(
                f"tenure must lie between the start of the curve, {self.start:g}, and the last tenure observed, "
                f"{self.tenure[-1]:g}; got {tenure:g}"
            )
        return Curve(self.tenure[later], self.at_risk[later], self.lost[later], start=float(tenure))

    def restricted_mean(self, horizon: float, *, rate: float = 0.0) -> RestrictedMean:
        """The mean time as a customer up to a horizon (RMST), discounted on request, with its standard error.

        Parameters
        ----------
        horizon
            Tenure at which counting ends; above ``start``, and not beyond what was observed.
        rate
            Continuous discount rate per time unit, counted from ``start``.

        Notes
        -----
        The area under S from ``start`` to the horizon, each moment weighing exp(-rate t). Its variance sums
        A^2 d / (n (n - d)) over the tenures, A being the area from there to the horizon. Multiplied by a margin
        per time unit it is the value of a customer up to the horizon, and no model was needed.

        Raises
        ------
        ValueError
            When the curve was not observed up to the horizon, so that the area is not known.
        """
        if not np.isfinite(horizon) or horizon <= self.start:
            raise ValueError(f"horizon must be finite and above the start of the curve, {self.start:g}; got {horizon}")
        if horizon > self.tenure[-1] and self.survival[-1] > 0:
            raise ValueError(
                f"nobody was observed for longer than {self.tenure[-1]:g}, and the horizon is {horizon:g}; "
                "choose a shorter one, or extrapolate with a model"
            )
        inside = self.tenure < horizon
        edges = np.concatenate([[self.start], self.tenure[inside], [horizon]]) - self.start
        area = np.append(1.0, self.survival[inside]) * _discounted_length(edges, rate)
        ahead = np.cumsum(area[::-1])[::-1][1:]
        variance = float(np.sum(ahead**2 * self._greenwood[inside]))
        return RestrictedMean(float(np.sum(area)), float(np.sqrt(variance)), self.start, float(horizon))

    def quantile(self, share: float = 0.5, level: float = 0.95) -> Quantile:
        """The tenure by which a share of the customers has left, and the ends of its interval.

        The first tenure at which S(t) is at most 1 - share; infinite where the curve never falls that far.
        The interval holds the tenures at which the log-log interval of S does not exclude 1 - share.
        """
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, for example 0.5 for the median; got {share!r}")
        lower, upper = self._interval(level)
        return Quantile(*(self._first_at_most(steps, 1 - share) for steps in (self.survival, lower, upper)))

    def table(self, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
        """The curve as a frame: ``tenure, at_risk, lost, survival, std_error, survival_lower, survival_upper``.

        The first row is the start, where everybody is there. The interval is made on the log-log scale, so that it
        stays within 0 and 1. Where the last customers at risk all left, no variance is known: the lower end is 0, the
        upper end stays where it was. ``at`` asks for other tenures than those of the curve; ``lost`` is then what was
        lost up to there since the last.
        """
        lower, upper = self._interval(level)
        when = self.steps if at is None else tenures_asked_for(at)
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
        """The Nelson-Aalen curve: the sum of d/n, its binomial standard error, and an interval on the log scale."""
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
        place = np.searchsorted(self.tenure, np.asarray(tenure, dtype=float), side="right")
        return np.concatenate([[before], steps])[place]

    def _first_at_most(self, steps: Array, height: float) -> float:
        reached = steps <= height * (1 + 1e-12)
        return float(self.tenure[np.argmax(reached)]) if np.any(reached) else np.inf


def kaplan_meier(
    tenure: ArrayLike, churned: ArrayLike, *, entry: ArrayLike | None = None, weight: ArrayLike | None = None
) -> Curve:
    """The Kaplan-Meier curve of customers, one row each.

    Parameters
    ----------
    tenure
        Time since the start of the contract at which the customer left, or was last seen as a customer; shape (n,).
    churned
        Whether the customer left then; False (censored) where the customer was still there. Shape (n,).
    entry
        Tenure at which observation began, for customers who had been there before it did (left truncation); by
        default 0, observed from the start.
    weight
        Customers who share the row; by default 1. Standard errors take it as a count.

    Notes
    -----
    A customer is at risk after ``entry`` up to and including ``tenure``; one observed from the start also at tenure
    0. With entry times the curve is the survival of those still there at the earliest entry, ``Curve.start``.

    Raises
    ------
    ValueError
        When shapes differ, a number is missing or negative, ``churned`` is neither True nor False, or a customer was
        never at risk because ``tenure`` does not exceed ``entry``.

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
    """The curves of several groups as one frame, a column ``group`` before those of each ``table(level, at)``.

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
