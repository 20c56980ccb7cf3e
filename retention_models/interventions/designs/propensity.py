"""The chance of each customer to choose an exposure, by logistic regression on what was known before.

Rosenbaum & Rubin (1983), "The central role of the propensity score in observational studies for causal effects",
Biometrika 70(1), 41-55.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation

COLLINEAR = 1e-7  # what must be left of a column, relative to its spread, after those before have explained it
GAINED = 1e-12  # of the log-likelihood a row, by which the last step still raised it
STEPS = 50
SURE = 25.0  # of a linear predictor, beyond which a chance is 0 or 1
NEARLY = 1e-9  # distance of a chance from 0 and 1 that counts as overlap


@dataclass(frozen=True, eq=False, repr=False)
class Design(Presentation):
    """Covariates in standard units behind a constant, without those that follow from others.

    Attributes
    ----------
    labels
        Names of the covariates that are used.
    matrix
        Shape (n, 1 + used): a column of ones, and the covariates with mean 0 and deviation 1.
    left_out
        Names of covariates that are constant, or follow from others.
    """

    labels: tuple[str, ...]
    matrix: Array
    left_out: tuple[str, ...]
    mean: Array
    deviation: Array
    used: NDArray[np.intp]

    @classmethod
    def of(cls, covariates: Array, labels: Sequence[str], weight: Array) -> Design:
        """The design of covariates, shape (n, p); each row counts ``weight`` times."""
        share = weight / weight.sum()
        mean = share @ covariates
        centred = covariates - mean
        deviation = np.sqrt(share @ centred**2)
        largest = np.abs(covariates).max(axis=0, initial=0.0)
        used = [place for place in range(len(labels)) if deviation[place] > 1e-12 * largest[place]]
        gram = (centred[:, used] * share[:, None]).T @ centred[:, used] / np.outer(deviation[used], deviation[used])
        kept = [used[place] for place in _independent(gram)]
        matrix = np.column_stack([np.ones(len(covariates)), centred[:, kept] / deviation[kept]])
        names = tuple(labels[place] for place in kept)
        left_out = tuple(label for label in labels if label not in names)
        return cls(names, matrix, left_out, mean[kept], deviation[kept], np.array(kept, dtype=np.intp))

    def rows(self, covariates: Array) -> Array:
        """The same columns for other rows, shape (m, 1 + used)."""
        standard = (covariates[:, self.used] - self.mean) / self.deviation
        return np.column_stack([np.ones(len(covariates)), standard])

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.matrix):,} rows with {', '.join(self.labels) or 'no covariate'}."]


def _independent(gram: Array) -> list[int]:
    """Places of columns that do not follow from those before, by Cholesky's steps on their correlations."""
    kept: list[int] = []
    for place in range(len(gram)):
        known = gram[np.ix_(kept, kept)]
        along = gram[kept, place]
        left = gram[place, place] - (along @ np.linalg.solve(known, along) if kept else 0.0)
        if left > COLLINEAR:
            kept.append(place)
    return kept


@dataclass(frozen=True, eq=False, repr=False)
class Propensity(Presentation):
    """A fitted logistic regression.

    Attributes
    ----------
    design
        The covariates.
    coefficients
        Shape (1 + used,), in standard units.
    chance
        Of each row to be treated, shape (n,).
    treated, weight
        The rows, shape (n,).
    """

    design: Design
    coefficients: Array
    chance: Array
    treated: NDArray[np.bool_]
    weight: Array

    def _parts(self) -> Sequence[Part]:
        return [f"Chances from {self.chance.min():.3g} to {self.chance.max():.3g} ({len(self.coefficients)} numbers)."]

    @property
    def score(self) -> Array:
        """First derivatives of the log-likelihood of each row, shape (n, 1 + used)."""
        return (self.weight * (self.treated - self.chance))[:, None] * self.design.matrix

    @cached_property
    def covariance(self) -> Array:
        """The inverse of the information, shape (1 + used, 1 + used)."""
        return np.asarray(np.linalg.inv(_information(self.design.matrix, self.chance, self.weight)))


def fit_propensity(treated: NDArray[np.bool_], design: Design, weight: Array) -> Propensity:
    """The logistic regression of treatment on a design, by Newton's method.

    Raises
    ------
    ValueError
        When the covariates tell treated and untreated customers apart, so that nobody is alike.
    """
    matrix, y = design.matrix, treated.astype(float)
    share = weight / weight.sum()
    place = np.zeros(matrix.shape[1])
    rate = float(share @ y)
    place[0] = np.log(rate / (1 - rate))
    value, eta = _log_likelihood(place, matrix, y, share)
    for _ in range(STEPS):
        chance = expit(eta)
        gradient = (share * (y - chance)) @ matrix
        try:
            step = cho_solve(cho_factor(_information(matrix, chance, share)), gradient)
        except np.linalg.LinAlgError:
            raise _no_overlap(design, treated) from None
        size, gained = 1.0, -np.inf
        while size > 1e-6:
            reached, ahead = _log_likelihood(place + size * step, matrix, y, share)
            gained = reached - value
            if gained >= -GAINED:
                break
            size /= 2
        place, value, eta = place + size * step, reached, ahead
        if np.abs(eta[treated]).min() > SURE or not np.isfinite(eta).all():
            raise _no_overlap(design, treated)
        if gained < GAINED:
            break
    if -value < NEARLY:
        raise _no_overlap(design, treated)
    return Propensity(design, place, expit(eta), treated, weight)


def _log_likelihood(place: Array, matrix: Array, y: Array, share: Array) -> tuple[float, Array]:
    """The mean log-likelihood a row, and the linear predictors."""
    eta = matrix @ place
    return float(share @ (y * eta - np.logaddexp(0.0, eta))), eta


def _information(matrix: Array, chance: Array, weight: Array) -> Array:
    return np.asarray((matrix * (weight * chance * (1 - chance))[:, None]).T @ matrix)


def _no_overlap(design: Design, treated: NDArray[np.bool_]) -> ValueError:
    """Nobody is alike: the covariate that tells the groups apart most."""
    gaps = np.abs(design.matrix[treated].mean(axis=0) - design.matrix[~treated].mean(axis=0))[1:]
    named = f" (most of all {design.labels[int(gaps.argmax())]})" if len(gaps) else ""
    return ValueError(
        f"the covariates tell all {int(treated.sum()):,} treated rows from {int((~treated).sum()):,} others{named}, "
        "so there is nobody to compare with; leave out what follows from the treatment"
    )
