"""Averages of the group-time effects of a roll-out, with their laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.few_units import randomisation_law
from retention_models.interventions.designs.group_time import MOST_LEFT_OUT, GroupTime
from retention_models.interventions.designs.group_time_influence import covariance
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.laws import StudentT

Average = Literal["simple", "group", "dynamic", "calendar"]
Inference = Literal["randomisation", "jackknife", "influence"]
FEW, MANY, SMALL_COHORT = 6, 50, 5  # units: by chance alone; by influence; a cohort that asks for the jackknife


@dataclass(frozen=True, eq=False, repr=False)
class Averages(Presentation):
    """The averages of a roll-out beside each other, their covariance, and how their intervals are found."""

    group_time: GroupTime
    inference: Inference
    seed: int

    def _parts(self) -> Sequence[Part]:
        return [f"Averages of {self.units} units, with intervals by {self.inference}."]

    @classmethod
    def of(cls, group_time: GroupTime, seed: int) -> Averages:
        """The averages, by the number of units, of treated and of untreated ones, and of the cohorts.

        Untreated units are those not treated in the last period that is used.
        """
        effects = group_time.effects(*group_time.sums)
        last = int(np.flatnonzero(np.isfinite(effects).any(axis=0)).max())
        untreated = int((group_time.first > last).sum())
        treated = int((group_time.first <= last).sum())
        sizes = np.bincount(group_time.cohort)[group_time.treated]
        if min(treated, untreated) < FEW:
            return cls(group_time, "randomisation", seed)
        units, many = len(group_time.first), MANY if group_time.covariates is None else MOST_LEFT_OUT + 1
        few = units < many or sizes.min() < SMALL_COHORT
        return cls(group_time, "jackknife" if few else "influence", seed)

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.group_time.first)

    @property
    def zero(self) -> int:
        """Place of the first treated period among the periods since launch."""
        return self.group_time.periods - 1

    @cached_property
    def stacked(self) -> Array:
        """All averages: simple, group, event, calendar; shape (L,)."""
        return self.group_time.estimates.stacked()

    @cached_property
    def covariance(self) -> Array:
        """Their covariance, shape (L, L); missing where an average is not known without some unit."""
        exact = self.units <= MOST_LEFT_OUT and self.inference != "influence"
        return covariance(self.group_time, by_leaving_out=exact)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where each kind of average stands among all."""
        found = self.group_time.estimates
        ends = np.cumsum([0, 1, len(found.group), len(found.event), len(found.calendar)])
        names = ("simple", "group", "event", "calendar")
        return {name: slice(int(a), int(b)) for name, (a, b) in zip(names, pairwise(ends), strict=True)}

    @cached_property
    def law(self) -> Law:
        """The law of the simple average."""
        if self.inference == "randomisation":
            return randomisation_law(self.group_time, np.random.default_rng(self.seed))
        return self.law_of(float(self.stacked[0]), float(self.covariance[0, 0]))

    def law_of(self, estimate: float, variance: float) -> StudentT:
        """The law of an average: with N - 1 degrees of freedom, or normal with many units."""
        df = math.inf if self.inference == "influence" else self.units - 1
        return StudentT(estimate, math.sqrt(max(variance, 0.0)), df)

    def average(self, kind: Average) -> tuple[float, Law | None]:
        """The average effect of a kind and its law; None where its variance is not known, as with one treated unit."""
        if kind == "simple":
            return self.law.estimate, self.law
        weights = np.zeros(len(self.stacked))
        if kind == "group":
            weights[self.places["group"]] = self.group_time.cohort_weights
        elif kind == "dynamic":
            event = self.places["event"]
            weights[event.start + self.zero : event.stop] = 1.0
        else:
            weights[self.places["calendar"]] = 1.0
        weights = np.where(np.isfinite(self.stacked), weights, 0.0)
        means, covariance = self._weighted(weights[None] / weights.sum())
        mean, variance = float(means[0]), float(covariance[0, 0])
        return mean, self.law_of(mean, variance) if math.isfinite(variance) else None

    def _weighted(self, weights: Array) -> tuple[Array, Array]:
        """Weighted averages of averages, and their covariance."""
        used = weights.any(axis=0)
        own = weights[:, used]
        return own @ self.stacked[used], own @ self.covariance[np.ix_(used, used)] @ own.T

    def event_bins(self, bins: int | None) -> list[Array]:
        """Periods since launch that are known, before and after launch in bins; the base period is left out."""
        if bins is not None:
            require_whole("bins", bins, 1)
        event = self.group_time.estimates.event
        since = np.arange(len(event)) - self.zero
        known = since[np.isfinite(event)]
        known = known[known != -1 - self.group_time.anticipation]
        found: list[Array] = []
        for side in (known[known < 0], known[known >= 0]):
            if len(side):
                found += np.array_split(side, len(side) if bins is None else min(bins, len(side)))
        return found

    def of_bins(self, parts: Sequence[Array]) -> tuple[Array, Array]:
        """Means of periods since launch, and their covariance."""
        weights = np.zeros((len(parts), len(self.stacked)))
        for row, part in enumerate(parts):
            weights[row, self.places["event"].start + self.zero + np.asarray(part, dtype=np.int64)] = 1 / len(part)
        return self._weighted(weights)
