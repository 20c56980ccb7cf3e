"""One factor of value, the number of purchases or the amount of one, with its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import standard_error
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import Table


@dataclass(frozen=True, slots=True)
class ValueComponent:
    """One factor of value (discounted purchases, or the amount of one), stored by distinct row of its columns.

    Attributes
    ----------
    row
        The distinct row of each line of the table.
    values
        The factor of each distinct row, shape (rows,).
    gradient
        Its derivative with respect to the p parameters, shape (rows, p).
    covariance
        The covariance matrix of the parameters.
    """

    row: NDArray[np.int64]
    values: Array
    gradient: Array
    covariance: Array

    @classmethod
    def from_fit(cls, fit: Fit, table: Table, quantity: Callable[..., Array]) -> ValueComponent:
        """The factor ``quantity(model, *columns)`` of a fit, for a table of the columns of its model."""
        return cls(
            table.row,
            fit.values(quantity, table.columns),
            fit.gradient(quantity, table.columns),
            fit.covariance.to_numpy(),
        )

    @classmethod
    def ones(cls, lines: int) -> ValueComponent:
        """The factor 1 for every line, without error."""
        return cls(np.zeros(lines, dtype=np.int64), np.ones(1), np.zeros((1, 0)), np.zeros((0, 0)))

    def times_share(self, is_certain: NDArray[np.bool_], share: float, n: float) -> ValueComponent:
        """The factor times a share estimated from n customers, except in the rows that are certain."""
        if share == 1:
            return self
        scale = np.where(is_certain, 1.0, share)
        covariance = np.zeros(np.add(self.covariance.shape, 1))
        covariance[:-1, :-1], covariance[-1, -1] = self.covariance, share * (1 - share) / n
        gradient = np.column_stack([scale[:, None] * self.gradient, np.where(is_certain, 0.0, self.values)])
        return ValueComponent(self.row, scale * self.values, gradient, covariance)

    @property
    def line_values(self) -> Array:
        """The value of each line; shape (n,)."""
        return self.values[self.row]

    @property
    def error(self) -> Array:
        """The standard error of each line; shape (n,)."""
        return standard_error(self.gradient, self.covariance)[self.row]
