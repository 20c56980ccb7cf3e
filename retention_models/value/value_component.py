"""One factor of value, how many purchases or how much each, with what is known of its error."""

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
    """One factor of value (discounted purchases, or the amount of one), kept by distinct row of its columns.

    ``row`` is the distinct row of each line of the table, ``values`` have shape (rows,), ``gradient`` (rows, p), and
    ``covariance`` is that of the p parameters.
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
        """The factor 1 of every line, known for sure."""
        return cls(np.zeros(lines, dtype=np.int64), np.ones(1), np.zeros((1, 0)), np.zeros((0, 0)))

    def times_share(self, is_certain: NDArray[np.bool_], share: float, n: float) -> ValueComponent:
        """The factor times a share that was counted among n, except in the distinct rows that are certain."""
        if share == 1:
            return self
        scale = np.where(is_certain, 1.0, share)
        covariance = np.zeros(np.add(self.covariance.shape, 1))
        covariance[:-1, :-1], covariance[-1, -1] = self.covariance, share * (1 - share) / n
        gradient = np.column_stack([scale[:, None] * self.gradient, np.where(is_certain, 0.0, self.values)])
        return ValueComponent(self.row, scale * self.values, gradient, covariance)

    @property
    def by_line(self) -> Array:
        """The value of each line; shape (n,)."""
        return self.values[self.row]

    @property
    def error(self) -> Array:
        """The standard error of each line; shape (n,)."""
        return standard_error(self.gradient, self.covariance)[self.row]
