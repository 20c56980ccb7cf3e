"""Ends of profile-likelihood intervals: the least and the greatest value of a quantity over a likelihood region.

Each end is a constrained maximum: that of the quantity, or of its negative, where the log-likelihood is not below a
lowest value (Venzon & Moolgavkar (1988), Applied Statistics 37(1), 87-94). The search begins at the boundary point with
the greatest value. A quantity is expensive and a likelihood is cheap. The search therefore expands the quantity to
second order around a place. It climbs the expansion within the exact region by Newton steps for the Lagrangian. Where
the quantity differs from its expansion at the place reached, a new expansion is made. An end is always a value of the
quantity itself, at a place in the region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.model import parameter_names
from retention_models.estimation.profile import LikelihoodRegion

ROUNDS, STEPS, RETURNS = 20, 30, 8  # expansions of a quantity, Newton steps on each, and steps back to the region
REACH = 1.0  # change of a log-parameter up to which the first expansion is used
DIFFERENCE = 1e-2  # of log-parameters, for the derivatives of a quantity
AGREES, NOTHING = 1e-4, 1e-6  # errors of an expansion, as shares of the range of a quantity, that may and do not matter
SETTLED = 1e-6  # change of a log-parameter that is none
NEAR = 1e-7  # of the log-likelihood to its lowest value


def profile_ends(region: LikelihoodRegion, quantity: Callable[[Array], Array]) -> tuple[Array, Array]:
    """The least and the greatest value over the region of each of n quantities, each of shape (n,).

    ``quantity`` takes log-parameters of shape (k, p) and gives values of shape (k, n). An end that is not finite at the
    boundary points is that of these points.
    """
    known = quantity(region.boundary)
    n = known.shape[1]
    row, side = np.tile(np.arange(n), 2), np.repeat([-1.0, 1.0], n)
    start = (side * known[:, row]).argmax(axis=0)
    value, place = side * known[start, row], region.boundary[start]
    span = np.ptp(np.where(np.isfinite(known), known, value[n:]), axis=0)[row]
    reach = np.full(2 * n, REACH)
    todo = np.flatnonzero(np.isfinite(value) & np.isfinite(span) & (span > 0))
    for _ in range(ROUNDS):
        if not len(todo):
            break
        expansion = _expansions(quantity, place[todo], row[todo], side[todo])
        there, gain = _climb(region, expansion, reach[todo])
        places, which = np.unique(np.concatenate([there, _at_limits(region, there)]), axis=0, return_inverse=True)
        found = quantity(places)
        for values, at in zip(side * found[:, row], places, strict=True):
            better = values > value
            value[better], place[better] = values[better], at
        own = side[todo] * found[which[: len(todo)], row[todo]]
        missed = own - expansion.value - gain
        off, one = np.abs(missed), span[todo]
        is_cut = (np.abs(there - expansion.centre).max(axis=1) > 0.9 * reach[todo]) & (gain > NOTHING * one)
        is_wrong = (off > NOTHING * one) & (off > np.minimum(AGREES * one, gain / 10))
        is_beaten = value[todo] > own + NOTHING * one
        reach[todo] *= np.where(missed < -gain / 2, 0.25, np.where(off < gain / 4, 2.0, 1.0))
        todo = todo[(is_cut | is_wrong | is_beaten) & (reach[todo] > SETTLED)]
    return -value[:n], value[n:]


@dataclass(frozen=True, slots=True, eq=False)
class _Expansions:
    """Quantities to second order around a centre each; shapes (m, p), (m,), (m, p) and (m, p, p)."""

    centre: Array
    value: Array
    slope: Array
    curvature: Array

    def slope_at(self, place: Array) -> Array:
        """First derivatives of the expansions."""
        return self.slope + np.einsum("mij,mj->mi", self.curvature, place - self.centre)

    def gain_at(self, place: Array) -> Array:
        """By how much the expansions are above their centres."""
        return np.einsum("mi,mi->m", place - self.centre, self.slope + self.slope_at(place)) / 2


def _expansions(quantity: Callable[[Array], Array], centre: Array, row: NDArray[np.int64], side: Array) -> _Expansions:
    """The expansions of ``side`` times one quantity each; flat where the quantity is not finite around the centre."""
    places, which = np.unique(centre, axis=0, return_inverse=True)
    p = centre.shape[1]
    one, pairs = DIFFERENCE * np.eye(p), np.triu_indices(p, 1)
    steps = np.concatenate([np.zeros((1, p)), one, -one, one[pairs[0]] + one[pairs[1]]])
    values = quantity((places[:, None] + steps).reshape(-1, p)).reshape(len(places), len(steps), -1)
    values = side[:, None] * values[which, :, row]
    here = values[:, :1]
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, here)
    up, down, both = np.split(values[:, 1:], [p, 2 * p], axis=1)
    curvature = np.zeros((len(centre), p, p))
    curvature[:, np.arange(p), np.arange(p)] = up + down - 2 * here
    mixed = both - up[:, pairs[0]] - up[:, pairs[1]] + here
    curvature[:, pairs[0], pairs[1]] = curvature[:, pairs[1], pairs[0]] = mixed
    return _Expansions(centre, here[:, 0], (up - down) / (2 * DIFFERENCE), curvature / DIFFERENCE**2)


def _climb(region: LikelihoodRegion, expansion: _Expansions, reach: Array) -> tuple[Array, Array]:
    """The places in the region with the greatest value of each expansion within its reach, and the gain there."""
    centre = expansion.centre
    bounds = np.maximum(centre - reach[:, None], -region.edge), np.minimum(centre + reach[:, None], region.edge)
    place, gain, radius = centre, np.zeros(len(centre)), reach
    for _ in range(STEPS):
        step = _lagrange_step(region, place, expansion, bounds)
        size = np.abs(step).max(axis=1)
        room = np.where(step > 0, bounds[1] - place, place - bounds[0])
        most = np.min(np.divide(room, np.abs(step), out=np.full_like(step, np.inf), where=step != 0), axis=1)
        share = np.minimum(np.clip(most, 0.0, 1.0), radius / np.maximum(size, 1e-300))
        there = _return(region, place + step * share[:, None])
        new = expansion.gain_at(there)
        better = (new > gain) & (region.height(there) > region.lowest - NEAR)
        place, gain = np.where(better[:, None], there, place), np.where(better, new, gain)
        radius = np.where(better, np.minimum(2 * radius, reach), np.minimum(radius, size) / 4)
        if np.all(np.minimum(radius, size) < SETTLED):
            break
    return place, gain


def _lagrange_step(
    region: LikelihoodRegion, place: Array, expansion: _Expansions, bounds: tuple[Array, Array]
) -> Array:
    """A Newton step to the maximum of the expansion on the boundary, or inside the region where it rises inwards.

    A parameter at one of its bounds that the step would leave is held there.
    """
    slack, all_uphill, all_goal = region.height(place) - region.lowest, region.slopes(place), expansion.slope_at(place)
    bend = region.curvature(place)
    at_bound = place <= bounds[0] + SETTLED, place >= bounds[1] - SETTLED
    free, step = np.ones_like(place), np.zeros_like(place)
    for _ in range(place.shape[1]):
        uphill, goal = all_uphill * free, all_goal * free
        size = np.maximum(np.sum(uphill**2, axis=1), 1e-300)
        price = np.maximum(-np.sum(uphill * goal, axis=1) / size, 0.0)
        normal = uphill * np.sqrt((price > 0) / size)[:, None]
        tangent = free[:, :, None] * np.eye(place.shape[1]) - normal[:, :, None] * normal[:, None, :]
        strength, axes = np.linalg.eigh(tangent @ (expansion.curvature + price[:, None, None] * bend) @ tangent)
        strength = np.abs(strength)
        inverse = np.divide(
            1.0, strength, out=np.zeros_like(strength), where=strength > 1e-9 * strength.max(axis=1, keepdims=True)
        )
        along = np.einsum("mij,mj,mkj,mkl,ml->mi", axes, inverse, axes, tangent, goal)
        step = along - ((price > 0) * slack / size)[:, None] * uphill
        leaves = (at_bound[0] & (step < 0)) | (at_bound[1] & (step > 0))
        if not leaves.any():
            break
        free = free * ~leaves
    return step * free


def _return(region: LikelihoodRegion, place: Array) -> Array:
    """The places, moved uphill to the boundary where they are outside the region."""
    place = np.clip(place, -region.edge, region.edge)
    for _ in range(RETURNS):
        short = np.maximum(region.lowest - region.height(place), 0.0)
        if np.all(short < NEAR / 10):
            break
        uphill = region.slopes(place)
        uphill = np.where((np.abs(place) >= region.edge) & (uphill * place > 0), 0.0, uphill)
        step = uphill * (short / np.maximum(np.sum(uphill**2, axis=1), 1e-300))[:, None]
        place = np.clip(place + step, -region.edge, region.edge)
    return place


def _at_limits(region: LikelihoodRegion, place: Array) -> Array:
    """The places moved along each limit of the model to the edge, where the region reaches it, as ridges do."""
    names = parameter_names(region.model_class)
    moved = []
    for limit in region.model_class.limits:
        along = np.isin(names, (limit.parameter, *limit.follows)) * (1.0 if limit.towards else -1.0)
        room = np.where(along != 0, region.edge - place * along, np.inf).min(axis=1)
        moved.append(_return(region, place + room[:, None] * along))
    there = np.concatenate(moved)
    return there[region.height(there) > region.lowest - NEAR]
