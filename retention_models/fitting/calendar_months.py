"""Covariates of the months of the calendar, for forecasts: those that were known, and those to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.design import Design
from retention_models.tables.customer_table import open_customers, read_covariates
from retention_models.tables.rules import join_names

SEASON = "month"  # the column that goes on with the months of the year; any other keeps its last value
LONGEST_WEIGHT = 50.0  # logarithm of the weight of a month


@dataclass(frozen=True, eq=False, repr=False)
class CalendarMonths(Presentation):
    """The design columns of each month (or year) of a retention table, and of those that follow.

    Attributes
    ----------
    first
        The first month, as text.
    period
        ``"M"`` or ``"Y"``.
    known
        The design columns from the first to the last month, shape (months, columns).
    coming
        Those of the next twelve months (or of the next year), which then come again and again; shape (12, columns).
    """

    first: str
    period: str
    known: Array
    coming: Array

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.known)} months from {self.first}, and {len(self.coming)} that come again and again."]

    @classmethod
    def from_table(cls, retention_table: Any, design: Design) -> Self | None:
        """The months of a retention table whose column ``calendar`` names them, as in ``with_events``.

        None without them, or where covariates differ within a month, so that what is to come is not known. The
        column ``month`` goes on with the months of the year. Any other column keeps the value of the last month.

        Raises
        ------
        ValueError
            When a month of the year was never seen, or months are missing.
        """
        if "calendar" not in open_customers(retention_table).columns:
            return None
        frame = read_covariates(retention_table, ["calendar", *design.columns]).drop_duplicates()
        frame = frame.sort_values("calendar", ignore_index=True)
        period = {7: "M", 4: "Y"}.get(len(str(frame["calendar"].iloc[0])))
        if period is None or frame["calendar"].duplicated().any():
            return None
        months = pd.PeriodIndex(frame["calendar"], freq=period)
        missing = int((months[-1] - months[0]).n) + 1 - len(months)
        if missing:
            raise ValueError(
                f"calendar lacks {missing:,} of the months from {months[0]} to {months[-1]}: add their rows"
            )
        ahead = pd.period_range(months[-1] + 1, periods=12 if period == "M" else 1)
        coming = pd.concat([frame.tail(1)] * len(ahead), ignore_index=True)
        if SEASON in design.columns:
            coming[SEASON] = _seasons(frame[SEASON], months, ahead)
        known, later = (design.matrix(part[list(design.columns)]) for part in (frame, coming))
        return cls(str(months[0]), period, known, later)

    def starts(self, customers: Any) -> Array:
        """The month in which each customer's contract began, counted from the month before the first; shape (n, 1).

        Raises
        ------
        ValueError
            When there is no column ``cohort``, or a contract began before the first month.
        """
        opened = open_customers(customers)
        if "cohort" not in opened.columns:
            raise ValueError(
                "the column cohort is missing: the fit has calendar covariates, and a forecast needs the month in "
                "which each contract began, as active_customers returns it"
            )
        cohort = read_covariates(opened, ["cohort"])["cohort"]
        began = pd.PeriodIndex(cohort, freq=self.period)
        first = pd.Period(self.first, freq=self.period)
        start = np.array([(month - first).n for month in began]) + 1
        if (start < 0).any():
            raise ValueError(
                f"cohort is before the first month of the fit's calendar, {first}, in {np.sum(start < 0):,} rows "
                f"(first: {cohort.iloc[int(np.argmax(start < 0))]}); leave them out, or fit a table with these months"
            )
        return start.astype(float)[:, None]

    @property
    def next_start(self) -> NDArray[np.int64]:
        """The month in which a contract begins today, shape (1,): its first renewal is in the first month to come."""
        return np.array([len(self.known)])

    def weights(self, coefficients: Array) -> tuple[Array, Array]:
        """How much a renewal counts in each month that is known, and in those to come."""
        logs = (np.clip(part @ coefficients, -LONGEST_WEIGHT, LONGEST_WEIGHT) for part in (self.known, self.coming))
        known, coming = map(np.exp, logs)
        return known, coming

    def to_plain(self) -> dict[str, Any]:
        """The months in values that JSON knows."""
        return {
            "first": self.first,
            "period": self.period,
            "known": self.known.tolist(),
            "coming": self.coming.tolist(),
        }

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """The months that were stored as plain values."""
        known, coming = (np.array(stored[name], dtype=float) for name in ("known", "coming"))
        pd.Period(stored["first"], freq=stored["period"])
        if known.ndim != 2 or coming.ndim != 2 or known.shape[1] != coming.shape[1]:
            raise ValueError("known and coming months must have the same columns")
        return cls(stored["first"], stored["period"], known, coming)


def _seasons(values: pd.Series[Any], months: pd.PeriodIndex, ahead: pd.PeriodIndex) -> list[Any]:
    """The value of the column ``month`` in the months ahead, as in the same months of the years before."""
    by_month = dict(zip(months.month, values, strict=True))
    unseen = sorted({f"{month:02d}" for month in ahead.month} - {f"{month:02d}" for month in by_month})
    if unseen:
        raise ValueError(
            f"{SEASON} {join_names(unseen)} is not in the table, and a season needs every month of the year; leave "
            f"{SEASON} out"
        )
    return [by_month[month] for month in ahead.month]
