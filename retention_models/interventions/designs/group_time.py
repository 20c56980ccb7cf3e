"""Group-time effects of a roll-out, from sums over the units of each cohort.

Callaway & Sant'Anna (2021), "Difference-in-Differences with multiple time periods", Journal of Econometrics 225(2),
200-230. A cohort is the units that were first treated in one period; its effect in a period is how much more its mean
outcome changed since the last period before treatment than that of units not yet treated.

With covariates, the change of the untreated is regressed on z = (1, covariates) and predicted for the cohort (their
outcome regression, eq. 2.8). Of cohort k it takes S_k = sum w z y' and G_k = sum w z z'. With S and G the sums over the
cohorts that serve as controls, the effect of cohort g is mean_g(change) - mean_g(z)' G^-1 S(change). Without covariates
z = 1, G is the weight of the controls, and this is the difference of two means. Every effect is thus a function of
(S, G); its influences are in ``group_time_influence``.
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
SINGULAR = 1e-10  # smallest eigenvalue of the covariates of the controls, relative to their weight


class Aggregates(NamedTuple):
    """Averages of group-time effects, weighted by the cohorts' weights; NaN where nothing can be compared.

    ``simple`` is over all treated cells, shape (...,); ``group`` over the periods of a cohort, (..., J); ``event`` by
    periods since treatment, (..., 2 T - 1), the middle one being 0; ``calendar`` by period, (..., T).
    """

    simple: Array
    group: Array
    event: Array
    calendar: Array

    def stacked(self) -> Array:
        """All averages beside each other, shape (..., L)."""
        return np.concatenate([self.simple[..., None], self.group, self.event, self.calendar], axis=-1)


@dataclass(frozen=True, eq=False, repr=False)
class GroupTime(Presentation):
    """A roll-out: values of N units in T periods, and when each was first treated.

    Attributes
    ----------
    values
        Outcomes, shape (N, T).
    weights
        Weights of the units, shape (N,).
    first
        Index of the first treated period of each unit, shape (N,); T where a unit is never treated.
    anticipation
        Number of periods before treatment in which it may already work. By default 0.
    control_group
        Whether units serve as controls until they are treated (the default), or only if they never are.
    covariates
        What was known of each unit before the first launch, shape (N, p). By default None.
    """

    values: Array
    weights: Array
    first: NDArray[np.int64]
    anticipation: int = 0
    control_group: ControlGroup = "not_yet_treated"
    covariates: Array | None = None

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
    def bases(self) -> NDArray[np.int64]:
        """The last period before treatment and its anticipation of each of these cohorts, shape (J,)."""
        return np.asarray(self.starts[self.treated] - 1 - self.anticipation)

    @cached_property
    def design(self) -> Array:
        """1 and the covariates of each unit, centred and on one scale, shape (N, q)."""
        ones = np.ones((len(self.first), 1))
        if self.covariates is None:
            return ones
        apart = self.covariates - self.covariates.mean(axis=0)
        scale = apart.std(axis=0)
        return np.hstack([ones, apart / np.where(scale > 0, scale, 1.0)])

    @cached_property
    def features(self) -> tuple[Array, Array]:
        """What each unit adds to the sums: w z y', shape (N, T, q), and w z z', (N, q, q)."""
        weighted = self.weights[:, None] * self.design
        return self.values[:, :, None] * weighted[:, None, :], weighted[:, :, None] * self.design[:, None, :]

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """The sums of the cohorts: S, shape (K, T, q), and G, (K, q, q)."""
        units = [self.cohort == k for k in range(len(self.starts))]
        total, gram = (np.array([each[own].sum(axis=0) for own in units]) for each in self.features)
        return total, gram

    @property
    def cohort_weights(self) -> Array:
        """The weight of each treated cohort, shape (J,)."""
        return np.asarray(self.sums[1][self.treated, 0, 0])

    @cached_property
    def controls(self) -> NDArray[np.bool_]:
        """Whether cohort k serves as control for treated cohort j in period t, shape (J, K, T).

        With covariates, none does where there are no more units than coefficients.
        """
        latest = np.maximum(np.arange(self.periods), self.bases[:, None]) + self.anticipation
        never = (self.starts == self.periods)[None, :, None]
        allowed = (self.starts[None, :, None] > latest[:, None, :]) | never
        if self.control_group == "never_treated":
            allowed &= never
        allowed[np.arange(len(self.treated)), self.treated] = False
        if self.covariates is not None:
            units = np.bincount(self.cohort, minlength=len(self.starts))
            allowed &= ((units[:, None] * allowed).sum(axis=1) > self.design.shape[1])[:, None, :]
        return allowed

    def effects(self, total: Array, gram: Array) -> Array:
        """Group-time effects from sums (..., K, T, q) and (..., K, q, q); shape (..., J, T), NaN without controls."""
        found = np.full((*gram.shape[:-3], len(self.treated), self.periods), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            for j, (k, base) in enumerate(zip(self.treated, self.bases, strict=True)):
                own = (total[..., k, :, 0] - total[..., k, base, 0, None]) / gram[..., k, 0, 0, None]
                found[..., j, :] = own - self._change_of_controls(j, total, gram)
        return np.where(np.isfinite(found), found, np.nan)

    def _change_of_controls(self, j: int, total: Array, gram: Array) -> Array:
        """The change since the base period that the controls predict for treated cohort j, shape (..., T)."""
        allowed, base = 1.0 * self.controls[j], self.bases[j]
        if total.shape[-1] == 1:
            change = (total[..., 0] * allowed).sum(axis=-2) - total[..., base, 0] @ allowed
            return np.asarray(change / (gram[..., 0, 0] @ allowed))
        found = np.full((*gram.shape[:-3], self.periods), np.nan)
        for members, periods in self.patterns(j):
            weight = self.regression(gram, members, gram[..., self.treated[j], 0, :])[..., None, :]
            change = (total[..., periods, :] - total[..., base, None, :])[..., members, :, :].sum(axis=-3)
            found[..., periods] = (change * weight).sum(axis=-1) / gram[..., self.treated[j], 0, 0, None]
        return found

    def patterns(self, j: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The different sets of cohorts that serve as controls of cohort j, each with its periods."""
        sets, place = np.unique(self.controls[j], axis=1, return_inverse=True)
        found = [(np.flatnonzero(sets[:, i]), np.flatnonzero(place.ravel() == i)) for i in range(sets.shape[1])]
        return [(members, periods) for members, periods in found if len(members)]

    def regression(self, gram: Array, members: NDArray[np.int64], target: Array) -> Array:
        """G^-1 target of the control cohorts, shape (..., q); NaN where their covariates are collinear."""
        own = gram[..., members, :, :].sum(axis=-3)
        size = own[..., :1, :1]
        regular = np.linalg.eigvalsh(own / np.where(size > 0, size, 1.0))[..., 0] > SINGULAR
        safe = np.where(regular[..., None, None], own, np.eye(own.shape[-1]))
        found = np.linalg.solve(safe, target[..., None])[..., 0]
        return np.where(regular[..., None], found, np.nan)

    def aggregates(self, total: Array, gram: Array) -> Aggregates:
        """The averages of the effects that follow from the sums."""
        effects, own = self.effects(total, gram), gram[..., self.treated, 0, 0]
        starts, periods = self.starts[self.treated], self.periods
        post = np.arange(periods) >= starts[:, None]
        place = np.arange(1 - periods, periods) + starts[:, None]  # the period of each cohort since its launch
        inside = (place >= 0) & (place < periods)
        shifted = effects[..., np.arange(len(starts))[:, None], np.clip(place, 0, periods - 1)]
        return Aggregates(
            simple=_mean(_flat(effects), _flat(own[..., None] * post), -1),
            group=_mean(effects, np.broadcast_to(post, effects.shape) * 1.0, -1),
            event=_mean(shifted, own[..., None] * inside, -2),
            calendar=_mean(effects, own[..., None] * post, -2),
        )

    def simple(self, total: Array, gram: Array) -> Array:
        """The average over all treated cells that follows from the sums, shape (...,)."""
        post = np.arange(self.periods) >= self.starts[self.treated][:, None]
        own = gram[..., self.treated, 0, 0]
        return _mean(_flat(self.effects(total, gram)), _flat(own[..., None] * post), -1)

    def sums_under(self, launches: NDArray[np.int64]) -> tuple[Array, Array]:
        """Sums (m, K, T, q) and (m, K, q, q) if the launches were given to the units in other ways, shape (m, N).

        They must be the same launches, each as often.
        """
        cohort = np.searchsorted(self.starts, launches)
        member = 1.0 * (cohort[:, None, :] == np.arange(len(self.starts))[:, None])
        n, q, shape = len(self.first), self.design.shape[1], member.shape[:-1]
        total, gram = (member @ each.reshape(n, -1) for each in self.features)
        return total.reshape(*shape, self.periods, q), gram.reshape(*shape, q, q)

    @cached_property
    def estimates(self) -> Aggregates:
        """The averages of all units."""
        return self.aggregates(*self.sums)

    def left_out(self) -> Array:
        """The averages without each unit in turn, shape (N, L): simple, group, event, calendar."""
        alone = np.bincount(self.cohort, minlength=len(self.starts))[self.cohort] == 1
        chunk = max(CHUNK // self.design.shape[1] ** 2, 1)
        parts = []
        for start in range(0, len(self.first), chunk):
            units = np.arange(start, min(start + chunk, len(self.first)))
            rows, place = np.arange(len(units)), self.cohort[units]
            less, lighter = (np.repeat(whole[None], len(units), 0) for whole in self.sums)
            less[rows, place] -= self.features[0][units]
            lighter[rows, place] -= self.features[1][units]
            lighter[rows[alone[units]], place[alone[units]]] = 0.0  # exactly, so that the cohort is gone
            parts.append(self.aggregates(less, lighter).stacked())
        return np.concatenate(parts)


def _mean(values: Array, weights: Any, axis: int) -> Array:
    """The weighted mean of what is known; NaN where there is nothing."""
    known = np.isfinite(values) & (weights > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(known, values * weights, 0.0).sum(axis=axis)
        return np.asarray(total / np.where(known, weights, 0.0).sum(axis=axis))


def _flat(values: Array) -> Array:
    return values.reshape(*values.shape[:-2], -1)
