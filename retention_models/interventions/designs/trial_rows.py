"""A sequence of trials: at each occasion some customers join, and others who could have do not.

Hernan & Robins (2016), "Using big data to emulate a target trial when a randomized trial is not available", American
Journal of Epidemiology 183(8), 758-764. Others are sampled among those with an occasion in the same calendar period and
with the same order number, so many for each who joins (nested case-control sampling: Thomas 1977).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.trial_histories import Series

NEVER = 1 << 22  # a time beyond any log
EARLY = 7  # days before the first order that a join may date from
IN_FULL = {"order": "order", "contract": "whole month under contract", "contact": "occasion"}
AN = {"order": "an order", "contract": "a contract", "contact": "an occasion"}
LATER = 3  # order number of the third order and all after it


@dataclass(frozen=True, eq=False, repr=False)
class Occasions(Presentation):
    """The occasions at which customers could join.

    Attributes
    ----------
    series
        All occasions.
    joined
        The time from which each customer is a member, ``NEVER`` if not, shape (customers,).
    at
        Place of the occasion at which each customer joined, -1 if at none, shape (customers,).
    number
        Of each occasion: 1 for the first order, 2 for the second, 3 for all later ones.
    period
        Of each occasion: the calendar period.
    open
        Of each occasion: whether the customer is not a member yet.
    observed
        Of each occasion: whether the horizon behind it is in the log.
    anchored
        Whether each occasion is something that the customer did, or a time at which being a customer is known.
    what
        What an occasion is: order, contract or contact.
    """

    series: Series
    joined: NDArray[np.int64]
    at: NDArray[np.int64]
    number: NDArray[np.int64]
    period: NDArray[np.int64]
    open: NDArray[np.bool_]
    observed: NDArray[np.bool_]
    anchored: bool
    what: str
    left_out: Mapping[str, int]
    early: int
    apart: int

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.number):,} occasions, at {int((self.at >= 0).sum()):,} of which customers joined."]

    @property
    def joiners(self) -> NDArray[np.int64]:
        """Places of the occasions with a join whose horizon is observed."""
        places = self.at[self.at >= 0]
        return np.sort(places[self.observed[places]])

    @property
    def others(self) -> NDArray[np.int64]:
        """Places of the occasions without a join at which the customer could have joined, with an observed horizon."""
        could = self.open & self.observed
        could[self.at[self.at >= 0]] = False
        return np.flatnonzero(could)

    @property
    def cell(self) -> NDArray[np.int64]:
        """The calendar period and order number of each occasion as one number."""
        return self.period * (LATER + 1) + self.number


def occasions_of(
    series: Series,
    joins: tuple[NDArray[np.int64], NDArray[np.int64]],
    customers: int,
    period: NDArray[np.int64],
    *,
    last: int,
    end: int,
    what: str,
    anchored: bool,
    counts: dict[str, int],
) -> Occasions:
    """The occasions, with the first join of each customer at one of them.

    ``joins`` are customers and times; ``last`` is the last time whose horizon is in the log, ``end`` its last one. Only
    orders are numbered. ``counts`` of joins that were left out before are carried on.
    """
    numbered = what == "order"
    customer, time = joins
    joined = np.full(customers, NEVER, dtype=np.int64)
    np.minimum.at(joined, customer, time)
    member = joined < NEVER
    begin = series.first(np.arange(customers))
    has_any = (begin < len(series.time)) & (
        series.customer[np.minimum(begin, len(series.time) - 1)] == np.arange(customers)
    )
    first = np.where(has_any, series.time[np.minimum(begin, len(series.time) - 1)], NEVER)
    place = series.before(np.arange(customers), np.minimum(joined, NEVER))
    here = (place < len(series.time)) & (
        series.key[np.minimum(place, len(series.time) - 1)] == np.arange(customers) * (1 << 24) + joined
    )
    early = member & (joined < first) & (joined >= first - EARLY) & numbered
    at = np.where(member & here, place, np.where(early, begin, -1))
    too_late = member & (joined > end)
    too_early = member & (joined < first) & ~early & ~too_late
    apart = member & (at < 0) & ~too_early & ~too_late
    left_out = dict(counts)
    left_out[f"joined before their first {IN_FULL[what]}"] = int(too_early.sum())
    left_out[f"joined at a time without {AN[what]}"] = int(apart.sum())
    left_out["joined after the end of the log"] = int(too_late.sum())
    number = (
        np.minimum(np.arange(len(series.time)) - begin[series.customer] + 1, LATER)
        if numbered
        else np.full(len(series.time), LATER)
    )
    observed = series.time <= last
    found = at[at >= 0]
    left_out["joined too late for a whole horizon in the log"] = int((~observed[found]).sum())
    is_open = series.time < np.where(early, first, joined)[series.customer]
    is_open[found] = True
    return Occasions(
        series, joined, at, number, period, is_open, observed, anchored, what,
        {reason: count for reason, count in left_out.items() if count}, int(early.sum()), int(apart.sum()),
    )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class TrialRows(Presentation):
    """The sampled rows of all trials.

    Attributes
    ----------
    place
        Place of the occasion of each row, shape (n,).
    joined
        Whether the customer joined at it.
    weight
        1 for those who joined; for others so much that they add up to the joins of their cell.
    """

    place: NDArray[np.int64]
    joined: NDArray[np.bool_]
    weight: NDArray[np.float64]
    unmatched: int

    def _parts(self) -> Sequence[Part]:
        return [f"{int(self.joined.sum()):,} joined, {int((~self.joined).sum()):,} did not."]


def sample_rows(occasions: Occasions, numbers: Sequence[int], per_joiner: int, rng: np.random.Generator) -> TrialRows:
    """Those who joined at orders of some numbers, and others of the same cells, ``per_joiner`` each at most."""
    wanted = np.isin(occasions.number, numbers)
    joiners = occasions.joiners[wanted[occasions.joiners]]
    others = occasions.others[wanted[occasions.others]]
    cells = occasions.cell
    names, joins = np.unique(cells[joiners], return_counts=True)
    others = others[np.isin(cells[others], names)]
    others = others[np.argsort(rng.random(len(others)), kind="stable")]
    others = others[np.argsort(cells[others], kind="stable")]
    cell = np.searchsorted(names, cells[others])
    available = np.bincount(cell, minlength=len(names))
    rank = np.arange(len(others)) - np.repeat(np.cumsum(available) - available, available)
    kept = rank < per_joiner * joins[cell]
    others, cell = others[kept], cell[kept]
    taken = np.bincount(cell, minlength=len(names))
    alone = taken[np.searchsorted(names, cells[joiners])] == 0
    weight = np.concatenate([np.ones(int((~alone).sum())), joins[cell] / taken[cell]])
    place = np.concatenate([joiners[~alone], others])
    joined = np.arange(len(place)) < int((~alone).sum())
    order = np.argsort(place)  # so that looking up their histories goes in one direction
    return TrialRows(place[order], joined[order], weight[order], int(alone.sum()))
