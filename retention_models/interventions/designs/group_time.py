"""Group-time effects of a roll-out, from sums over the units of each cohort.

Callaway & Sant'Anna (2021), "Difference-in-Differences with multiple time periods", Journal of Econometrics 225(2),
200-230. A cohort is the units that were first treated in one period; its effect in a period is how much more its mean
outcome changed since the last period before treatment than that of units not yet treated. With S the weighted sums and
W the weights of each cohort, every effect is a function of (S, W). Errors follow from leaving out units one by one, or
for many units from the derivatives of that function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation

ControlGroup = Literal["not_yet_treated", "never_treated"]
MOST_LEFT_OUT = 400  # units, up to which each is left out in turn
CHUNK = 256  # evaluations at once
STEP = 1e-6  # of a weight, relative, for a derivative


class Aggregates(NamedTuple):
    """Averages of group-time effects, weighted by the cohorts' weights; NaN where nothing can be compared.

    ``simple`` is over all treated cells, shape (...,); ``group`` over the periods of a cohort, (..., J); ``event`` by
    periods since treatment, (..., 2 T - 1), the middle one being 0; ``calendar`` by period, (..., T).
    """

    simple: Array
    group: Array
    event: Array
    calendar: Array


@dataclass(frozen=True, eq=False, repr=False)
class GroupTime(Presentation):
    """A roll-out: values of N units in T periods, and when each was first treated.

    Attributes
    ----------
    values
        Outcomes, shape (N, T).
    weights
        Weight of each unit, shape (N,), above 0.
    first
        Index of the first treated period, shape (N,); T for units that are never treated.
    anticipation
        Periods before treatment in which it may already work; the base period is the last one before these.
    control_group
        Units that are compared with: those not yet treated, or only those that never are.
    """

    values: Array
    weights: Array
    first: NDArray[np.int64]
    anticipation: int = 0
    control_group: ControlGroup = "not_yet_treated"

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.first)} units in {len(self.treated)} cohorts over {self.periods} periods."]

    @property
    def periods(self) -> int:
        """Number of periods."""
        return self.values.shape[1]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First treated period of each cohort, the never treated last, shape (K,)."""
        return np.unique(np.append(self.first, self.periods))

    @cached_property
    def cohort(self) -> NDArray[np.int64]:
        """The cohort of each unit, shape (N,)."""
        return np.searchsorted(self.starts, self.first)

    @cached_property
    def treated(self) -> NDArray[np.int64]:
        """Cohorts with an effect: treated in some period, with a base period before, shape (J,)."""
        return np.flatnonzero((self.starts < self.periods) & (self.starts - 1 - self.anticipation >= 0))

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """Weighted sums, shape (K, T), and weights, (K,), of the cohorts."""
        total, weight = np.zeros((len(self.starts), self.periods)), np.zeros(len(self.starts))
        np.add.at(total, self.cohort, self.weights[:, None] * self.values)
        np.add.at(weight, self.cohort, self.weights)
        return total, weight

    @cached_property
    def _controls(self) -> NDArray[np.bool_]:
        """Whether cohort k serves as control for treated cohort j in period t, shape (J, K, T)."""
        base = self.starts[self.treated] - 1 - self.anticipation
        latest = np.maximum(np.arange(self.periods), base[:, None]) + self.anticipation
        never = (self.starts == self.periods)[None, :, None]
        allowed = (self.starts[None, :, None] > latest[:, None, :]) | never
        if self.control_group == "never_treated":
            allowed &= never
        allowed[np.arange(len(self.treated)), self.treated] = False
        return allowed

    def effects(self, total: Array, weight: Array) -> Array:
        """Group-time effects from sums (..., K, T) and weights (..., K); shape (..., J, T), NaN without controls."""
        base = self.starts[self.treated] - 1 - self.anticipation
        found = np.full((*weight.shape[:-1], len(self.treated), self.periods), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            for j, k in enumerate(self.treated):
                since = total - total[..., base[j], None]
                allowed = self._controls[j]
                control = (since * allowed).sum(axis=-2) / (weight[..., None] * allowed).sum(axis=-2)
                found[..., j, :] = since[..., k, :] / weight[..., k, None] - control
        return np.where(np.isfinite(found), found, np.nan)

    def aggregates(self, total: Array, weight: Array) -> Aggregates:
        """The averages of the effects that follow from sums and weights."""
        effects, own = self.effects(total, weight), weight[..., self.treated]
        starts, periods = self.starts[self.treated], self.periods
        post = np.arange(periods) >= starts[:, None]
        group = _mean(effects, np.broadcast_to(post, effects.shape) * 1.0, -1)
        simple = self.simple(total, weight)
        calendar = _mean(effects, own[..., None] * post, -2)
        place = np.arange(1 - periods, periods) + starts[:, None]  # the period of each cohort since its launch
        inside = (place >= 0) & (place < periods)
        shifted = effects[..., np.arange(len(starts))[:, None], np.clip(place, 0, periods - 1)]
        event = _mean(shifted, own[..., None] * inside, -2)
        return Aggregates(simple, group, event, calendar)

    def simple(self, total: Array, weight: Array) -> Array:
        """The average over all treated cells that follows from sums and weights, shape (...,)."""
        post = np.arange(self.periods) >= self.starts[self.treated][:, None]
        return _mean(_flat(self.effects(total, weight)), _flat(weight[..., self.treated][..., None] * post), -1)

    def sums_under(self, launches: NDArray[np.int64]) -> tuple[Array, Array]:
        """Sums (m, K, T) and weights (m, K) if the launches were given to the units in other ways, shape (m, N).

        They must be the same launches, each as often.
        """
        cohort = np.searchsorted(self.starts, launches)
        member = (cohort[:, None, :] == np.arange(len(self.starts))[:, None]) * self.weights
        return member @ self.values, member.sum(axis=-1)

    @cached_property
    def estimates(self) -> Aggregates:
        """The averages of all units."""
        return self.aggregates(*self.sums)

    def left_out(self) -> Array:
        """The averages without each unit in turn, shape (N, L): simple, group, event, calendar."""
        total, weight = self.sums
        parts = []
        for start in range(0, len(self.first), CHUNK):
            units = np.arange(start, min(start + CHUNK, len(self.first)))
            rows, place = np.arange(len(units)), self.cohort[units]
            less, lighter = np.repeat(total[None], len(units), 0), np.repeat(weight[None], len(units), 0)
            less[rows, place] -= self.weights[units, None] * self.values[units]
            lighter[rows, place] -= self.weights[units]
            alone = np.bincount(self.cohort, minlength=len(self.starts))[place] == 1
            lighter[rows[alone], place[alone]] = 0.0  # exactly, so that the cohort is gone
            parts.append(_stack(self.aggregates(less, lighter)))
        return np.concatenate(parts)

    @cached_property
    def influence(self) -> Array:
        """How much each unit moves the averages, shape (N, L), by derivatives with respect to sums and weights."""
        total, weight = self.sums
        cohorts, periods = total.shape
        scale = float(np.abs(total).max()) or 1.0
        by_sum = np.empty((cohorts * periods, len(_stack(self.estimates))))
        for start in range(0, cohorts * periods, CHUNK):
            cells = np.arange(start, min(start + CHUNK, cohorts * periods))
            moved = np.zeros((len(cells), cohorts * periods))
            moved[np.arange(len(cells)), cells] = scale
            moved = moved.reshape(-1, cohorts, periods)
            weights = np.broadcast_to(weight, (len(cells), cohorts))
            up, down = (_stack(self.aggregates(total + side * moved, weights)) for side in (1, -1))
            by_sum[cells] = (up - down) / (2 * scale)
        step = np.diag(STEP * np.where(weight > 0, weight, 1.0))
        ends = [_stack(self.aggregates(np.repeat(total[None], cohorts, 0), weight + side * step)) for side in (1, -1)]
        by_weight = (ends[0] - ends[1]) / (2 * step.diagonal()[:, None])
        by_sum = np.nan_to_num(by_sum).reshape(cohorts, periods, -1)
        found = np.empty((len(self.first), by_sum.shape[-1]))
        for k in range(cohorts):
            units = self.cohort == k
            found[units] = self.weights[units, None] * (self.values[units] @ by_sum[k] + np.nan_to_num(by_weight[k]))
        return found

    def covariance(self, *, by_leaving_out: bool) -> Array:
        """The covariance of all averages, shape (L, L): by leaving out each unit, or by the influence of each.

        An average that is not known without some unit has no variance: NaN.
        """
        n = len(self.first)
        if by_leaving_out:
            replicates = self.left_out()
            apart = replicates - replicates.mean(axis=0)
            return np.asarray((n - 1) / n * apart.T @ apart)
        apart = self.influence - self.influence.mean(axis=0)
        found = np.asarray(n / (n - 1) * apart.T @ apart)
        unknown = np.isnan(_stack(self.estimates))
        found[unknown] = np.nan
        found[:, unknown] = np.nan
        return found


def _mean(values: Array, weights: Any, axis: int) -> Array:
    """The weighted mean of what is known; NaN where there is nothing."""
    known = np.isfinite(values) & (weights > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(known, values * weights, 0.0).sum(axis=axis)
        return np.asarray(total / np.where(known, weights, 0.0).sum(axis=axis))


def _flat(values: Array) -> Array:
    return values.reshape(*values.shape[:-2], -1)


def _stack(found: Aggregates) -> Array:
    """All averages beside each other, shape (..., L)."""
    return np.concatenate([found.simple[..., None], found.group, found.event, found.calendar], axis=-1)
