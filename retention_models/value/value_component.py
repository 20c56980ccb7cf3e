"""One factor of value, the number of purchases or the amount of one, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import Estimate


@dataclass(frozen=True, slots=True)
class ValueComponent:
    """One factor of value (discounted purchases, or the amount of one), by distinct row of its columns.

    Attributes
    ----------
    row
        The distinct row of each line of the table.
    estimate
        The factor of each distinct row.
    """

    row: NDArray[np.int64]
    estimate: Estimate

    def times_share(self, is_certain: NDArray[np.bool_], share: float, n: float) -> ValueComponent:
        """The factor times a share estimated from n customers, except in the rows that are certain."""
        if share == 1:
            return self
        scale, values = np.where(is_certain, 1.0, share), self.estimate.values
        by_share = np.where(is_certain, 0.0, values) * np.sqrt(share * (1 - share) / n)
        errors = np.column_stack([scale[:, None] * self._errors, by_share])
        return ValueComponent(self.row, Estimate(scale * values, errors))

    @property
    def line_values(self) -> Array:
        """The value of each line; shape (n,)."""
        return self.estimate.values[self.row]

    @property
    def line_errors(self) -> Array:
        """The standard error of each line; shape (n,)."""
        return self.estimate.std_error[self.row]

    def sums_with(self, weight: Array, code: NDArray[np.int64], n: int) -> Array:
        """Errors of n sums over lines of ``weight`` times this factor, as ``Estimate.errors`` are; shape (n, m)."""
        sums = np.zeros((len(self.estimate.values), n))
        np.add.at(sums, (self.row, code), weight)
        return sums.T @ self._errors

    @property
    def _errors(self) -> Array:
        """The errors, as large as the standard errors are, which ignore outliers among draws."""
        errors, of_draws = self.estimate.errors, self.estimate.draws is not None
        size = np.sqrt(np.sum(errors**2, axis=1)) if of_draws else np.ones(len(errors))
        scale = np.divide(self.estimate.std_error, size, out=np.ones_like(size), where=size > 0) if of_draws else size
        return errors * scale[:, None]
