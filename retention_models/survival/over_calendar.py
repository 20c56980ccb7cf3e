"""Contracts over the calendar: the curve of customers whose renewals fall into months that count more or less.

S(t) = S0(C(t)), where S0 is the curve of a contract model and the exposure C(t) adds up the weights of the months into
which the renewals up to t fell; see ``calendar_paths``, which estimates them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.survival.contract_model import ContractCurve, power_growth


@dataclass(frozen=True, eq=False)
class OverCalendar(ContractCurve):
    """The curves of customers of one contract model who began in different months.

    Attributes
    ----------
    model
        A contract model; its parameters are numbers, or have shape (n,).
    start
        The month in which each contract began, counted from the month before the first of ``weights``; shape (n,).
    weights
        How much a renewal counts in each month that is known, and in each month of a year thereafter, over and over:
        two arrays.
    """

    model: Any
    start: NDArray[np.int64]
    weights: tuple[Array, Array]

    def by_row(self) -> Self:
        """The curves with a further axis for the tenures of each row."""
        return replace(self, model=self.model.by_row(), start=self.start[:, None])

    def _log_survival(self, tenure: Array) -> Array:
        return self.model.log_stay(0.0, self._exposure(tenure))

    def _log_retention(self, tenure: Array) -> Array:
        before = self._exposure(tenure - 1)
        return self.model.log_stay(before, self._exposure(tenure) - before)

    def _stay_if_saved(self, ahead: Array, renewal: Array) -> Array:
        before, now, then = (self._exposure(tenure) for tenure in (renewal - 1, renewal, renewal + ahead))
        return self.model.stay_if_saved(before, now - before, then - now)

    def _exposure(self, tenure: Array) -> Array:
        """What has added up after so many renewals of each contract."""
        starts, row = np.unique(self.start, return_inverse=True)
        last = int(np.nan_to_num(tenure).max(initial=0))
        renewal = np.arange(1, last + 1)
        known, coming = self.weights
        month = starts[:, None] + renewal - 1
        weight = np.where(
            month < len(known),
            known[np.clip(month, 0, len(known) - 1)],
            coming[(month - len(known)) % len(coming)],
        )
        growth = weight * power_growth(renewal.astype(float), getattr(self.model, "c", 1.0))
        exposure = np.pad(np.cumsum(growth, axis=1), ((0, 0), (1, 0)))
        found = exposure[row.reshape(self.start.shape), np.nan_to_num(tenure).astype(np.int64)]
        return np.where(np.isnan(tenure), np.nan, found)
