"""Covariates in coordinates in which none has a unit, an origin or a reference level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.estimation.links import Link

COLLINEAR = 1e-7  # what must be left of a column, relative to its spread, after those before have explained it


@dataclass(frozen=True, slots=True, repr=False)
class Covariates(Presentation):
    """The covariates that act through one link: ``labels`` of the coefficients, ``matrix`` of shape (n, labels)."""

    link: Link
    labels: tuple[str, ...]
    matrix: Array


@dataclass(frozen=True, slots=True)
class Standard:
    """Covariates in coordinates of mean 0 and covariance 1.

    A row of the matrix is ``mean + row @ spread``, so that coefficients are ``solve(spread, standard coefficients)``.
    """

    link: Link
    labels: tuple[str, ...]
    rows: Array
    mean: Array
    spread: Array

    @classmethod
    def from_covariates(cls, covariates: Covariates, weight: Array) -> Self:
        """The standard coordinates of covariates, each row counting ``weight`` times.

        Raises
        ------
        ValueError
            When a column is constant, or follows from those before it.
        """
        matrix, row = _distinct(covariates.matrix)
        share, n = np.bincount(row, weight) / weight.sum(), f"all {weight.sum():,.0f} customers"
        mean = share @ matrix
        centred = matrix - mean
        deviation = np.sqrt(share @ centred**2)
        for label, sd, largest in zip(covariates.labels, deviation, np.abs(matrix).max(axis=0), strict=True):
            if sd <= 1e-12 * largest:
                raise ValueError(f"{label} is the same for {n}: it can explain nothing; leave it out")
        triangle: Array = np.linalg.qr(centred / deviation * np.sqrt(share)[:, None]).R
        for i, label in enumerate(covariates.labels):
            if i >= len(triangle) or abs(triangle[i, i]) < COLLINEAR:
                raise ValueError(
                    f"{label} follows from {', '.join(covariates.labels[:i])} for {n}, so their effects cannot be "
                    "separated; leave one of them out"
                )
        spread = triangle * deviation
        return cls(covariates.link, covariates.labels, np.linalg.solve(spread.T, centred.T).T[row], mean, spread)

    def coefficients(self, standard: Array) -> Array:
        """The coefficients of the covariates, from those of the standard coordinates."""
        return np.asarray(np.linalg.solve(self.spread, standard), dtype=float)


def _distinct(matrix: Array) -> tuple[Array, NDArray[np.intp]]:
    """The distinct rows of a matrix, if they are few, and which of them each row is.

    A product with random numbers tells rows apart in a moment, also with hundreds of columns; it is checked.
    """
    key = matrix @ np.random.default_rng(0).uniform(size=matrix.shape[1])
    _, first, row = np.unique(key, return_index=True, return_inverse=True)
    few = matrix[first]
    return (few, row) if np.array_equal(few[row], matrix) else (matrix, np.arange(len(matrix)))
