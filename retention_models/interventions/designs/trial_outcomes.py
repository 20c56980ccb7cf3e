"""What followed each occasion of a trial: as it went, and as it would have gone without ever joining.

Those who join later are censored then. What others did counts so much more, by the chance that they had not joined by
then: 1 / prod(1 - chance) over the occasions in between (Robins & Finkelstein 2000, Biometrics 56, 779-788). At other
times nobody can join. What those who joined would still have done is expected by a regression, which lowers the error
and moves nothing where the chances are right (augmented weighting: Robins, Rotnitzky & Zhao 1994). So is what follows
once nearly all who are alike have joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.trial_histories import Series
from retention_models.interventions.designs.trial_rows import NEVER, Occasions

HEAVIEST = 10.0  # weight of one customer, from which on what follows is expected instead of counted
CHUNK = 1 << 18  # pairs of a row and an event at once


@dataclass(frozen=True, eq=False, repr=False)
class Measure(Presentation):
    """What is counted behind an occasion.

    Attributes
    ----------
    series
        The events.
    after, last
        Events count that lie more than ``after`` and at most ``last`` behind the occasion.
    on_joining
        Whether an event on the day of joining still belongs to not having joined: an order does, its reward does not.
    what
        ``"number"``, ``"any"`` (1 with an event), ``"none"`` (1 without) or ``"money"``.
    """

    series: Series
    after: int
    last: int
    what: str = "number"
    on_joining: bool = True

    def _parts(self) -> Sequence[Part]:
        return [f"{self.what} of events from {self.after + 1} to {self.last} behind the occasion"]

    def as_joined(self, customer: NDArray[np.int64], time: NDArray[np.int64]) -> Array:
        """What followed each occasion, shape (n,)."""
        begin, end = self.series.between(customer, time + self.after, time + self.last)
        if self.what == "money":
            return np.asarray(self.series.total[end] - self.series.total[begin])
        if self.what == "number":
            return (end - begin).astype(float)
        return np.where(end > begin, 1.0, 0.0) if self.what == "any" else np.where(end > begin, 0.0, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Censoring(Presentation):
    """The chance not to have joined yet, by occasion.

    Attributes
    ----------
    occasions
        The occasions.
    odds
        The odds to join at each occasion, 0 where a customer could not, shape (n,).
    slope
        Derivatives of the logarithm of these odds in the coefficients, shape (n, coefficients).
    matrix
        Covariates of each occasion at which a customer could join behind a constant, 0 elsewhere; like ``slope``.
    """

    occasions: Occasions
    odds: Array
    slope: Array
    matrix: Array

    def _parts(self) -> Sequence[Part]:
        return [f"Chances not to join at {len(self.odds):,} occasions."]

    @classmethod
    def of(cls, occasions: Occasions, places: NDArray[np.int64], matrix: Array, coefficients: Array) -> Censoring:
        """The chances whose odds add up to the joins of each cell over those who did not join.

        ``places`` are occasions at which customers could join, and ``matrix`` their covariates behind a constant.
        """
        eta = matrix[:, 1:] @ coefficients[1:]
        tilt = np.exp(eta - eta.max())
        names, cell = np.unique(occasions.cell[places], return_inverse=True)
        joins = np.isin(places, occasions.at[occasions.at >= 0])
        others = np.where(joins, 0.0, tilt)
        total = np.bincount(cell, others, len(names))
        alone = total == 0  # all joined: nobody is left whose chance matters
        total[alone] = 1.0
        odds = (np.bincount(cell, joins, len(names)) / total)[cell] * tilt
        middle = np.column_stack([np.bincount(cell, others * column, len(names)) for column in matrix.T])
        n = len(occasions.number)
        everywhere, slope, known = np.zeros(n), np.zeros((n, matrix.shape[1])), np.zeros((n, matrix.shape[1]))
        everywhere[places], slope[places] = odds, matrix - (middle / total[:, None])[cell]
        known[places] = matrix
        return cls(occasions, everywhere, slope, known)

    @cached_property
    def passed(self) -> Array:
        """Sum of -log(1 - chance) over all occasions before each place, shape (n + 1,)."""
        return np.concatenate([[0.0], np.cumsum(np.log1p(self.odds))])

    @cached_property
    def moved(self) -> Array:
        """The derivatives of ``passed`` in the coefficients, shape (n + 1, coefficients)."""
        chance = self.odds / (1 + self.odds)
        return np.concatenate([np.zeros((1, self.slope.shape[1])), np.cumsum(chance[:, None] * self.slope, axis=0)])

    def never_joined(
        self,
        measure: Measure,
        place: NDArray[np.int64],
        expected: Array | None = None,
        *,
        with_slopes: bool = True,
    ) -> tuple[Array, Array]:
        """What would have followed each occasion without ever joining, (n,), and its derivatives in the coefficients.

        They have shape (n, coefficients), or (n, 0) without slopes. ``expected`` are coefficients of the outcome over
        the whole measure, by what is known at an occasion; by default it is not augmented.
        """
        series, occasions = measure.series, self.occasions
        customer, time = occasions.series.customer[place], occasions.series.time[place]
        joined = np.where(occasions.joined[customer] > time, occasions.joined[customer], NEVER)
        through = joined if measure.on_joining else joined - 1
        begin, end = series.between(customer, time + measure.after, np.minimum(time + measure.last, through))
        if measure.what in ("any", "none"):
            end = np.minimum(end, begin + 1)
        found, slopes = np.zeros(len(place)), np.zeros((len(place), self.slope.shape[1] if with_slopes else 0))
        for row, event in _pairs(begin, end):
            before = occasions.series.before(series.customer[event], series.time[event])
            if expected is not None:
                counted = self._weight(place[row], before) <= HEAVIEST
                row, event, before = row[counted], event[counted], before[counted]
            value = series.amount[event] if measure.what == "money" else np.ones(len(event))
            self._add(found, slopes, place, row, before, value)
        if measure.what == "none":
            return 1.0 - found, -slopes
        if expected is not None:
            self._augment(found, slopes, measure, place, expected)
        return found, slopes

    def _augment(
        self, found: Array, slopes: Array, measure: Measure, place: NDArray[np.int64], expected: Array
    ) -> None:
        """Add what those who joined, or count too heavily, would still have done, less what others stand for."""
        occasions, rate = self.occasions, np.maximum(self.matrix @ expected, 0.0)
        customer, time = occasions.series.customer[place], occasions.series.time[place]
        joined = np.where(occasions.joined[customer] > time, occasions.joined[customer], NEVER)
        begin, end = occasions.series.between(customer, time, np.minimum(time + measure.last, joined))
        for row, event in _pairs(begin, end):
            counted = self._weight(place[row], event) <= HEAVIEST
            row, event = row[counted], event[counted]
            left = rate[event] * (1 - (occasions.series.time[event] - time[row]) / measure.last)
            ends = (occasions.series.time[event] == joined[row]) | (self._weight(place[row], event + 1) > HEAVIEST)
            share = np.where(ends, 1.0, -self.odds[event])
            own = (np.where(ends, 0.0, -self.odds[event]) * left)[:, None] * self.slope[event]
            self._add(found, slopes, place, row, event, left * share, own)

    def _weight(self, place: NDArray[np.int64], before: NDArray[np.intp]) -> Array:
        """What counts for a customer who had not joined between an occasion and another: 1 / the chance of it."""
        return np.asarray(np.exp(self.passed[before] - self.passed[place + 1]))

    def _add(
        self,
        found: Array,
        slopes: Array,
        place: NDArray[np.int64],
        row: NDArray[np.int64],
        before: NDArray[np.intp],
        value: Array,
        own: Array | None = None,
    ) -> None:
        """Add values of rows, weighted by the chance not to have joined before; ``own`` are their derivatives."""
        if not len(row):
            return
        weight = self._weight(place[row], before)
        first, number = int(row[0]), int(row[-1]) + 1
        here = slice(first, number)
        found[here] += np.bincount(row - first, weight * value, number - first)
        if not slopes.size:
            return
        moved = (weight * value)[:, None] * (self.moved[before] - self.moved[place[row] + 1])
        if own is not None:
            moved += weight[:, None] * own
        slopes[here] += np.column_stack([np.bincount(row - first, column, number - first) for column in moved.T])


def _pairs(begin: NDArray[np.intp], end: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each row with each of its events, from ``begin`` to before ``end``, in parts."""
    number = np.maximum(end - begin, 0)
    reached = np.cumsum(number)
    if not len(reached) or not reached[-1]:
        return
    ends = np.unique(np.append(np.searchsorted(reached, np.arange(CHUNK, reached[-1], CHUNK)) + 1, len(number)))
    for start, stop in pairwise([0, *ends.tolist()]):
        own = number[start:stop]
        row = np.repeat(np.arange(start, stop), own)
        if len(row):
            yield row, np.repeat(begin[start:stop], own) + np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
