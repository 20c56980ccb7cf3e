"""Profile-likelihood regions: the parameters that a likelihood-ratio test does not reject.

If a table is small or short, the log-likelihood is not a parabola around its maximum. It can be a curved ridge, or be
flat up to a limit. A standard error then says little. The region holds all parameters whose log-likelihood is lower
than the maximum by no more than z^2 / 2. The range of a quantity over it is its profile-likelihood interval, whatever
the parametrisation.

The boundary is found by random walks within the region (hit-and-run: Smith (1984), Operations Research 32(6),
1296-1308). Each walk draws a line through its point, records where the line leaves the region on both sides, and moves
to a point between. Lines follow the covariance of the walks. Such walks rarely reach the ends of a long ridge, so
every other line starts from a boundary point that is the farthest in some direction. A part of the region that is not
connected with the maximum is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import unchecked
from retention_models.estimation.model import Model, parameter_names

WALKS, STEPS, SETTLED = 40, 24, 6  # walks, lines drawn by each, and how many of these are not boundary yet
EDGE = np.log(1e7)  # log-parameters beyond which a model is as good as at its limit
STEEPEST = np.log(30.0)  # the same for the c of t^c, which would be beyond all numbers
HALVINGS = 12  # of a line, to find where it leaves the region
NEARER = 4  # times that a place outside the region is drawn nearer to where its line starts
DIRECTIONS, BOUNDARY_POINTS = 400, 100  # in which the farthest boundary points are kept, and how many beside these
STEP = 1e-4  # of differences of first derivatives


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodRegion:
    """All log-parameters within the edges whose log-likelihood is not below ``lowest``.

    ``edge``, shape (p,), bounds their absolute values. ``boundary``, shape (points, p), are places on the boundary, as
    far apart as random walks have found them.
    """

    model_class: type[Model]
    columns: tuple[Array, ...]
    lowest: float
    edge: Array
    boundary: Array

    def height(self, places: Array) -> Array:
        """The log-likelihood at some places; shape (k,)."""
        return unchecked(_stacked(self.model_class, places).log_likelihood)(*self.columns).sum(axis=-1)

    def holds(self, places: Array) -> NDArray[np.bool_]:
        """Whether places are in the region; shape (k,)."""
        is_within = (np.abs(places) <= self.edge).all(axis=1)
        return is_within & (self.height(np.clip(places, -self.edge, self.edge)) >= self.lowest)

    def slopes(self, places: Array) -> Array:
        """Its first derivatives; shape (k, p)."""
        return unchecked(_stacked(self.model_class, places).score)(*self.columns).sum(axis=-2) * np.exp(places)

    def curvature(self, places: Array) -> Array:
        """Its second derivatives; shape (k, p, p)."""
        around = places + STEP * np.concatenate([np.eye(places.shape[1]), -np.eye(places.shape[1])])[:, None]
        up, down = np.split(self.slopes(around.reshape(-1, places.shape[1])).reshape(around.shape), 2)
        found = np.moveaxis((up - down) / (2 * STEP), 0, -1)
        return (found + np.swapaxes(found, -1, -2)) / 2


def models_at(model_class: type[Model], places: Array) -> list[Model]:
    """The models of some log-parameters, shape (k, p)."""
    names = parameter_names(model_class)
    return [model_class(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist()]


def _stacked(model_class: type[Model], places: Array) -> Model:
    """One model with the parameters of all places, each of shape (k, 1)."""
    return model_class(**dict(zip(parameter_names(model_class), np.exp(places).T[:, :, None], strict=True)))


def profile_likelihood_region(
    model_class: type[Model], columns: tuple[Array, ...], maximum: Array, depth: float
) -> LikelihoodRegion:
    """The region of log-parameters less than ``depth`` below the maximum.

    Parameters
    ----------
    model_class
        A model of contracts.
    columns
        Tenure, at risk and lost, each of shape (n,).
    maximum
        Log-parameters of the maximum, shape (p,); a parameter held at a limit has its value there.
    depth
        By how much the log-likelihood may be lower.
    """
    edge = np.full(len(maximum), EDGE)
    for i, name in enumerate(parameter_names(model_class)):
        if name == "c":
            edge[i] = max(STEEPEST, maximum[i])
    everything = LikelihoodRegion(model_class, columns, -np.inf, edge, maximum[None])
    region = replace(everything, lowest=float(everything.height(maximum[None])[0]) - depth)
    return replace(region, boundary=_walk(region, _inside(region, maximum)))


def _walk(region: LikelihoodRegion, centre: Array) -> Array:
    """Boundary points that random walks from a place inside have found; shape (points, p)."""
    rng = np.random.default_rng(0)  # the same fit, the same interval
    place: Array = np.tile(centre, (WALKS, 1))
    boundary: Array = np.empty((0, len(centre)))
    root: Array = np.eye(len(centre))
    for step in range(STEPS):
        start = _boundary_points(boundary, root, rng, WALKS) if step > SETTLED and step % 2 else place
        direction = rng.standard_normal(place.shape) @ root.T
        ends = [_end_of_line(region.holds, start, side * direction) for side in (-1.0, 1.0)]
        place = _between(region.holds, start, ends[0] + rng.uniform(0.02, 0.98, (WALKS, 1)) * (ends[1] - ends[0]))
        spread = np.cov(place.T) + 1e-6 * np.eye(len(centre))
        root = np.asarray(np.linalg.cholesky(spread), dtype=np.float64)
        if step >= SETTLED:
            boundary = np.concatenate([boundary, *ends])
    farthest = _boundary_points(boundary, root, rng, DIRECTIONS)
    return np.unique(np.concatenate([farthest, rng.permutation(boundary)[:BOUNDARY_POINTS]]), axis=0)


def _between(is_in: Callable[[Array], NDArray[np.bool_]], start: Array, place: Array) -> Array:
    """The places, drawn nearer to the start of their line where it bends out of the region before them."""
    for _ in range(NEARER):
        place = np.where(is_in(place)[:, None], place, (start + place) / 2)
    return np.where(is_in(place)[:, None], place, start)


def _boundary_points(places: Array, root: Array, rng: np.random.Generator, count: int) -> Array:
    """Those places that are the farthest in some directions; a direction is a step of a walk."""
    along = np.linalg.solve(root, places.T).T @ rng.standard_normal((places.shape[1], count))
    return places[along.argmax(axis=0)]


def _inside(region: LikelihoodRegion, maximum: Array) -> Array:
    """A place well inside the region and the edges, as near to the maximum as that allows."""
    names, place = parameter_names(region.model_class), maximum.copy()
    for limit in region.model_class.limits:
        i = names.index(limit.parameter)
        if abs(place[i]) > EDGE:
            ladder = np.linspace(0.0, np.sign(place[i]) * (EDGE - 1), 60)
            moved = np.tile(place, (len(ladder), 1))
            for name in (limit.parameter, *limit.follows):
                moved[:, names.index(name)] += ladder - place[i]
            good = np.flatnonzero(region.height(moved) > region.lowest)
            place = moved[good[len(good) // 2]] if len(good) else place
    return np.clip(place, 0.01 - region.edge, region.edge - 0.01)


def _end_of_line(is_in: Callable[[Array], NDArray[np.bool_]], place: Array, direction: Array) -> Array:
    """Where the lines from some places leave the region."""
    near, far = np.zeros((len(place), 1)), np.ones((len(place), 1))
    for _ in range(12):
        still = is_in(place + far * direction)[:, None]
        if not still.any():
            break
        near, far = np.where(still, far, near), np.where(still, 2 * far, far)
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        still = is_in(place + middle * direction)[:, None]
        near, far = np.where(still, middle, near), np.where(still, far, middle)
    return place + near * direction
