"""Planning range of a total: parameters, chance, and the errors that earlier forecasts of the same log made.

range = expected x exp(b +- t_df sqrt(v + s2)), with the season term b, the relative variance v of parameters and
chance, and the variance s2 of model error. The records here are plain: ``evaluation.past_errors`` makes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from retention_models.core.arguments import require_level
from retention_models.core.arrays import Array
from retention_models.core.dates import DAY, span_name, unit_length
from retention_models.core.formatting import Facts, Part, Presentation

STATED_ERROR = 0.10  # model error of a log that has shown none yet
STATED_ORIGINS = 3  # forecasts that the stated error counts for
MOST_BORROWED = 2.0  # forecasts that the errors of a shorter horizon count for
ENOUGH_ORIGINS = 2.0  # independent forecasts from which on nothing is borrowed
SEASON_DAYS = 364  # learnt before a season can be seen
RUN = 3  # errors of one sign in a row that are reported
LEVELS = (0.80, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ForecastErrors(Presentation):
    """Errors of earlier forecasts of one total, over one horizon, oldest first.

    Attributes
    ----------
    days_ahead
        Length of the forecasts, in days.
    origins
        The days on which they could have been made.
    log_ratios
        log((actual + h) / (expected + h)) of each, where h is half a purchase.
    seasons
        The season term of each, known at its origin; 0 where no season was seen.
    variances
        Relative variance of each, known at its origin: of parameters and chance, over the expected total squared.
    days_learnt
        Days of the log before each origin.
    coming_season
        The season term of the next forecast.
    shorter
        Errors over a shorter horizon, from which to borrow where these are few.
    total
        Errors of the total, if this is a segment. The segment has the season of the total, and at least its model
        error.
    """

    days_ahead: int
    origins: tuple[date, ...] = ()
    log_ratios: tuple[float, ...] = ()
    seasons: tuple[float, ...] = ()
    variances: tuple[float, ...] = ()
    days_learnt: tuple[int, ...] = ()
    coming_season: float = 0.0
    shorter: ForecastErrors | None = None
    total: ForecastErrors | None = None

    def __post_init__(self) -> None:
        columns = (self.log_ratios, self.seasons, self.variances, self.days_learnt)
        if any(len(column) != len(self.origins) for column in columns):
            raise ValueError("log_ratios, seasons, variances and days_learnt must have one number for each origin")
        if list(self.origins) != sorted(set(self.origins)):
            raise ValueError("origins must be different days, the oldest first")

    @property
    def uses_season(self) -> bool:
        """Whether the season terms made no earlier error larger, on average; of a segment, those of the total."""
        if self.total is not None:
            return self.total.uses_season
        off, season = np.asarray(self.log_ratios), np.asarray(self.seasons)
        return bool(np.sum(np.abs(off - season)) <= np.sum(np.abs(off)))

    @property
    def season(self) -> float:
        """The season term b of the next forecast; 0 where the season terms made earlier errors larger."""
        return self.coming_season if self.uses_season else 0.0

    @property
    def errors(self) -> Array:
        """Logarithm of actual over expected, less the season term; shape (origins,)."""
        return np.asarray(self.log_ratios, dtype=float) - self.uses_season * np.asarray(self.seasons, dtype=float)

    @property
    def n_effective(self) -> float:
        """Number of independent forecasts."""
        return n_effective(self.origins, self.days_ahead)

    @property
    def excess(self) -> float:
        """Mean squared error beyond parameters and chance. It is about zero, so that a steady bias widens the range."""
        return max(0.0, float(np.mean(self.errors**2 - np.asarray(self.variances)))) if self.origins else 0.0

    @property
    def borrowed(self) -> tuple[float, float]:
        """Excess of the shorter horizon, scaled to this one, and the number of forecasts that it counts for."""
        if self.shorter is None or self.n_effective >= ENOUGH_ORIGINS:
            return 0.0, 0.0
        scale = self.days_ahead / self.shorter.days_ahead
        return scale * self.shorter.excess, min(self.shorter.n_effective, MOST_BORROWED)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of ``model_variance``."""
        return STATED_ORIGINS + self.n_effective + self.borrowed[1]

    @property
    def model_variance(self) -> float:
        """Relative variance of model error: stated, seen, and borrowed from a shorter horizon.

        That of a segment is at least that of the total.
        """
        excess, weight = self.borrowed
        seen = STATED_ORIGINS * STATED_ERROR**2 + self.n_effective * self.excess + weight * excess
        least = 0.0 if self.total is None else self.total.model_variance
        return max(seen / self.degrees, least)

    @property
    def stated_share(self) -> float:
        """Share of ``model_variance`` that is stated and not seen."""
        return STATED_ORIGINS * STATED_ERROR**2 / (self.degrees * self.model_variance)

    @property
    def was_broken(self) -> bool:
        """Whether the latest forecast lay outside the 95 % range that was known then."""
        return len(self.origins) > 1 and not self._was_inside(len(self.origins) - 1, LEVELS[-1])

    @property
    def has_few_origins(self) -> bool:
        """Whether there are fewer than two independent forecasts, so that the range rests on what is stated."""
        return self.n_effective < ENOUGH_ORIGINS

    @property
    def one_sided(self) -> int:
        """1 or -1 where the latest three errors all were above or below zero, else 0."""
        signs = np.sign(self.errors[-RUN:])
        return int(signs[0]) if len(signs) == RUN and np.all(signs == signs[0]) else 0

    def ends(self, expected: ArrayLike, variance: ArrayLike, level: float) -> tuple[Array, Array]:
        """Lower and upper end of the planning range.

        Parameters
        ----------
        expected
            Expected totals; shape (n,).
        variance
            Their relative variances, of parameters and chance; shape (n,).
        level
            Level of the range, between 0 and 1.

        Returns
        -------
        tuple
            Two arrays of shape (n,).
        """
        middle = np.asarray(expected, dtype=float) * np.exp(self.season)
        reach = self.reach(np.asarray(variance, dtype=float), level)
        return middle * np.exp(-reach), middle * np.exp(reach)

    def inside(self, level: float) -> pd.Series:
        """Whether each earlier forecast lay inside the planning range that was known at its origin.

        Parameters
        ----------
        level
            Level of the range, between 0 and 1.

        Returns
        -------
        pandas.Series
            True or False, indexed by ``origin``. The range of an origin uses only errors that were over by then.
        """
        require_level(level)
        held = [self._was_inside(i, level) for i in range(len(self.origins))]
        return pd.Series(np.array(held, dtype=bool), pd.Index(self.origins, name="origin"), name="inside")

    @property
    def table(self) -> pd.DataFrame:
        """The earlier forecasts, indexed by ``origin``: ``days_learnt``, ``error``, ``season`` and ``variance``.

        ``error`` is actual over expected, less one, after the season term.
        """
        seasons = self.uses_season * np.asarray(self.seasons, dtype=float)
        columns = {"days_learnt": self.days_learnt, "error": np.expm1(self.errors), "season": np.expm1(seasons)}
        return pd.DataFrame(columns | {"variance": self.variances}, pd.Index(self.origins, name="origin"))

    def reach(self, variance: Array, level: float) -> Array:
        """How far the planning range reaches to either side, as a logarithm; arguments as of ``ends``."""
        require_level(level)
        quantile = float(stdtrit(self.degrees, (1 + level) / 2))
        return quantile * np.sqrt(_log_variance(variance) + self.model_variance)

    def _was_inside(self, i: int, level: float) -> bool:
        known = self._known_on(self.origins[i], self.seasons[i])
        return bool(abs(self.log_ratios[i] - known.season) <= known.reach(np.asarray(self.variances[i]), level))

    def _known_on(self, day: date, season: float = 0.0) -> ForecastErrors:
        """The errors that were known on a day, before the forecast of that day with its season term."""
        n = sum(origin + timedelta(self.days_ahead) <= day for origin in self.origins)
        return replace(
            self,
            origins=self.origins[:n],
            log_ratios=self.log_ratios[:n],
            seasons=self.seasons[:n],
            variances=self.variances[:n],
            days_learnt=self.days_learnt[:n],
            coming_season=season,
            shorter=None if self.shorter is None else self.shorter._known_on(day),
            total=None if self.total is None else self.total._known_on(day, season),
        )

    def _parts(self) -> Sequence[Part]:
        return [
            Facts(
                type(self).__name__,
                {
                    "days_ahead": self.days_ahead,
                    "origins": len(self.origins),
                    "n_effective": self.n_effective,
                    "season": self.season,
                    "model_error": float(np.sqrt(self.model_variance)),
                },
            )
        ]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PastErrors(Presentation):
    """Errors that forecasts of a log made at earlier dates, for the planning range of the next forecast.

    ``evaluation.past_errors`` makes it; ``predict_total`` and ``total_value`` take it.

    Attributes
    ----------
    horizon
        Length of the forecasts, in ``time_unit``.
    time_unit
        Unit of ``horizon``, as in ``summarize``.
    as_of
        Last day of the log that was known: the origin of the next forecast.
    days_learnt
        Days of the log before ``as_of``.
    counts
        Errors of the number of purchases.
    value
        Errors of the amount that customers spend; None for a log without amounts.
    segments
        The errors of each segment, by its label; see ``by`` of ``evaluation.past_errors``.
    """

    horizon: float
    time_unit: str
    as_of: date
    days_learnt: int
    counts: ForecastErrors
    value: ForecastErrors | None = None
    segments: Mapping[Any, PastErrors] = field(default_factory=dict)

    def of_labels(self, labels: Iterable[Any]) -> list[PastErrors]:
        """The errors of some segments, in this order; those of the total for a segment without errors of its own."""
        by_text = {str(label): errors for label, errors in self.segments.items()}
        return [by_text.get(str(label), self) for label in labels]

    def with_horizon(self, horizon: float) -> PastErrors:
        """The errors for a longer horizon: those of this one, borrowed as from a shorter horizon."""
        if horizon <= self.horizon:
            return self
        days = math.floor(horizon * (unit_length(self.time_unit) / pd.Timedelta(DAY)))
        counts, value = (
            None if errors is None else ForecastErrors(days_ahead=days, shorter=errors)
            for errors in (self.counts, self.value)
        )
        assert counts is not None
        return replace(self, horizon=horizon, counts=counts, value=value, segments={})

    @property
    def has_seen_season(self) -> bool:
        """Whether the log covers a whole year, so that the coming months have been seen once."""
        return self.days_learnt >= SEASON_DAYS

    def _parts(self) -> Sequence[Part]:
        facts = {"horizon": span_name(self.horizon, self.time_unit), "as_of": self.as_of}
        return [Facts(type(self).__name__, facts), self.counts.table.round(3) + 0.0]


def n_effective(origins: Sequence[date], days_ahead: int) -> float:
    """Number of independent forecasts from some origins, the oldest first: windows that overlap share their errors."""
    return min(len(origins), 1 + (origins[-1] - origins[0]).days / days_ahead) if origins else 0.0


def planning_columns(expected: Array, variance: Array, errors: Sequence[ForecastErrors]) -> dict[str, Array]:
    """The columns ``planning``, the expected totals with their season term, and their ranges at 80 and 95 %.

    ``variance`` is the relative variance of each total, of parameters and chance. Segments share the season term of the
    total, so that they add up.
    """
    columns = {"planning": expected * np.exp([one.season for one in errors])}
    for level in LEVELS:
        ends = [one.ends(mean, v, level) for mean, v, one in zip(expected, variance, errors, strict=True)]
        lower, upper = np.array(ends, dtype=float).reshape(-1, 2).T
        columns |= dict(zip(planning_names(level), (lower, upper), strict=True))
    return columns


def planning_names(level: float) -> tuple[str, str]:
    """The names of the columns of a planning range."""
    return f"planning_lower_{100 * level:.0f}", f"planning_upper_{100 * level:.0f}"


def relative_variance(variance: Array, expected: Array) -> Array:
    """A variance over the square of its expectation; 0 where nothing is expected."""
    return np.divide(variance, expected**2, out=np.zeros_like(expected, dtype=float), where=expected > 0)


def require_same_forecast(past_errors: Any, horizon: float, known: Any) -> PastErrors:
    """The argument, checked against a forecast.

    ``known`` maps ``time_unit``, ``calibration_end`` and ``observation_end`` of the customers, as far as they are
    stated.

    Raises
    ------
    TypeError
        When it is no ``PastErrors``.
    ValueError
        When it belongs to another horizon, or to another last day.
    """
    if not isinstance(past_errors, PastErrors):
        raise TypeError(
            "past_errors must be the result of evaluation.past_errors(transactions, Model, horizon=...); got "
            f"{type(past_errors).__name__}"
        )
    own, unit = past_errors.horizon, str(known.get("time_unit", past_errors.time_unit))
    if not np.isclose(own * unit_length(past_errors.time_unit) / unit_length(unit), horizon):
        raise ValueError(
            f"past_errors are those of forecasts over {span_name(own, past_errors.time_unit)}, and this one is over "
            f"{span_name(horizon, unit)}; make them with the same horizon"
        )
    last = str(known.get("calibration_end") or known.get("observation_end") or past_errors.as_of)[:10]
    if last != str(past_errors.as_of):
        raise ValueError(
            f"past_errors were made from the log until {past_errors.as_of}, and the customers are observed until "
            f"{last}; make "
            "both from the same log"
        )
    return past_errors


def _log_variance(relative: Array) -> Array:
    """Variance of the logarithm of a total: the relative variance, and less where that exceeds 1.

    A total that chance rules (fewer than one purchase expected) would else have no upper end.
    """
    return np.where(relative <= 1, relative, 1 + np.log((1 + np.maximum(relative, 1)) / 2))
