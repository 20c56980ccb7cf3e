"""Profile-likelihood regions: the parameters that a likelihood-ratio test does not reject.

If a table is small or short, the log-likelihood is not a parabola around its maximum. It can be a curved ridge, or be
flat up to a limit. A standard error then says little. The region holds all parameters whose log-likelihood is lower
than the maximum by no more than z^2 / 2. The range of a quantity over it is its profile-likelihood interval, whatever
the parametrisation.

The boundary is found by random walks within the region (hit-and-run: Smith (1984), Operations Research 32(6),
1296-1308). Each walk draws a line through its point, records where the line leaves the region on both sides, and moves
to a point between. Lines follow the covariance of the walks. Such walks rarely reach the ends of a long ridge, so
every other line starts from a boundary point that is the farthest in some direction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import unchecked
from retention_models.estimation.model import Model, parameter_names

WALKS, STEPS, SETTLED = 40, 24, 6  # walks, lines drawn by each, and how many of these are not boundary yet
EDGE = np.log(1e5)  # log-parameters beyond which a model is as good as at its limit
STEEPEST = np.log(30.0)  # the same for the c of t^c, which would be beyond all numbers
HALVINGS = 12  # of a line, to find where it leaves the region
NEARER = 4  # times that a place outside the region is drawn nearer to where its line starts
BOUNDARY_POINTS = 400  # boundary points that are kept: of the farthest ones, and of all


def profile_likelihood_region(
    model_class: type[Model], columns: tuple[Array, ...], maximum: Array, depth: float
) -> Array:
    """Log-parameters on the boundary of the region less than ``depth`` below the maximum; shape (points, p).

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
    names, rng = parameter_names(model_class), np.random.default_rng(0)  # the same fit, the same interval

    def height(places: Array) -> Array:
        values = dict(zip(names, np.exp(places).T[:, :, None], strict=True))
        return unchecked(model_class(**values).log_likelihood)(*columns).sum(axis=-1)

    lowest = float(height(maximum[None])[0]) - depth
    edge = np.array([max(STEEPEST, maximum[i]) if name == "c" else EDGE for i, name in enumerate(names)])
    centre = _inside(model_class, height, maximum, lowest, edge)

    def is_in(places: Array) -> NDArray[np.bool_]:
        return (np.abs(places) <= edge).all(axis=1) & (height(np.clip(places, -edge, edge)) >= lowest)

    place: Array = np.tile(centre, (WALKS, 1))
    boundary: Array = np.empty((0, len(maximum)))
    root: Array = np.eye(len(maximum))
    for step in range(STEPS):
        start = _boundary_points(boundary, root, rng, WALKS) if step > SETTLED and step % 2 else place
        direction = rng.standard_normal(place.shape) @ root.T
        ends = [_end_of_line(is_in, start, side * direction) for side in (-1.0, 1.0)]
        place = _between(is_in, start, ends[0] + rng.uniform(0.02, 0.98, (WALKS, 1)) * (ends[1] - ends[0]))
        spread = np.cov(place.T) + 1e-6 * np.eye(len(maximum))
        root = np.asarray(np.linalg.cholesky(spread), dtype=np.float64)
        if step >= SETTLED:
            boundary = np.concatenate([boundary, *ends])
    return np.unique(
        np.concatenate(
            [_boundary_points(boundary, root, rng, BOUNDARY_POINTS), rng.permutation(boundary)[:BOUNDARY_POINTS]]
        ),
        axis=0,
    )


def _between(is_in: Callable[[Array], NDArray[np.bool_]], start: Array, place: Array) -> Array:
    """The places, drawn nearer to the start of their line where it bends out of the region before them."""
    for _ in range(NEARER):
        place = np.where(is_in(place)[:, None], place, (start + place) / 2)
    return np.where(is_in(place)[:, None], place, start)


def _boundary_points(places: Array, root: Array, rng: np.random.Generator, count: int) -> Array:
    """Those places that are the farthest in some directions; a direction is a step of a walk."""
    along = np.linalg.solve(root, places.T).T @ rng.standard_normal((places.shape[1], count))
    return places[along.argmax(axis=0)]


def _inside(
    model_class: type[Model], height: Callable[[Array], Array], maximum: Array, lowest: float, edge: Array
) -> Array:
    """A place well inside the region and the edges, as near to the maximum as that allows."""
    names, place = parameter_names(model_class), maximum.copy()
    for limit in model_class.limits:
        i = names.index(limit.parameter)
        if abs(place[i]) > EDGE:
            ladder = np.linspace(0.0, np.sign(place[i]) * (EDGE - 1), 60)
            moved = np.tile(place, (len(ladder), 1))
            for name in (limit.parameter, *limit.follows):
                moved[:, names.index(name)] += ladder - place[i]
            good = np.flatnonzero(height(moved) > lowest)
            place = moved[good[len(good) // 2]] if len(good) else place
    return np.clip(place, 0.01 - edge, edge - 0.01)


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
