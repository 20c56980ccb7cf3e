"""The distinct rows of a holdout period, and the fits to evaluate on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Fits, Fitted, Uncertainty, uncertainty_of
from retention_models.forecast.customers import BLOCK, require_purchases
from retention_models.tables.customer_table import (
    Customers,
    CustomerTable,
    Rows,
    open_customers,
    read_table,
    same_measure,
)
from retention_models.tables.observation_end import require_last_day

HOLDOUT = ("holdout_frequency", "holdout_duration")


def fits_by_name(fits: Fits) -> dict[str, Uncertainty]:
    """Several fits of purchase models by name; those of a list, and a single one, have the name of their model class.

    Raises
    ------
    TypeError
        When one of them is no fit.
    ValueError
        When there are none, two have the same name, or one is no fit of purchases.
    """
    by_name = named_fits(fits)
    for source in by_name.values():
        require_purchases(type(source.model))
    return by_name


def named_fits(fits: Fits) -> dict[str, Uncertainty]:
    """As ``fits_by_name``, of any models."""
    if isinstance(fits, Mapping):
        by_name = {name: uncertainty_of(fit) for name, fit in fits.items()}
    else:
        sources = [uncertainty_of(fit) for fit in (fits if isinstance(fits, list | tuple) else [fits])]
        names = [type(source.model).__name__ for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{', '.join(twice)} appears more than once among the fits; name them, as in "
                "{'plain': fit, 'by plan': other}"
            )
        by_name = dict(zip(names, sources, strict=True))
    if not by_name:
        raise ValueError("there are no fits to compare; pass one fit, or several by name")
    return by_name


def shared_blocks(fits: Mapping[str, Uncertainty], customers: Customers) -> dict[Any, Array]:
    """The covariates of several fits, as blocks of one table."""
    return {(name, role): block for name, source in fits.items() for role, block in source.blocks(customers).items()}


def own_rows(name: str, source: Uncertainty, table: CustomerTable, columns: Mapping[str, Array]) -> Rows:
    """The rows of one of several fits in their common table, of whose columns some are its own."""
    own = {role: block for (whose, role), block in table.covariates.items() if whose == name}
    return Rows(tuple(columns[column] for column in source.model.columns), own)


def require_days(fit: Fit, what: str) -> None:
    """An error where ``what`` follows the days of a log, and the model of the fit counts opportunities."""
    if fit.model.counts_opportunities:
        raise ValueError(
            f"{type(fit.model).__name__} counts opportunities, and {what} follows the days of a log; its holdout can "
            "be compared by evaluation.holdout_by_frequency(fit, logs.opportunities(...))"
        )


def common_measure(fits: Mapping[str, Uncertainty], what: str, given: Any, otherwise: str) -> Any:
    """The ``time_unit`` or ``granularity`` that all fits share; an error if ``given`` differs.

    Fits to other tables do not know theirs. The result is then ``given``, or else ``otherwise``.
    """
    known = [(f"{name} was fitted", fit.data[what]) for name, fit in fits.items() if what in fit.data]
    measures = [*known, *([("the log is to be read", given)] if given is not None else [])]
    for who, measure in measures[1:]:
        if not same_measure(what, measure, measures[0][1]):
            raise ValueError(
                f"{measures[0][0]} with {what} {measures[0][1]!r}, {who} with {measure!r}; compare by one {what}, "
                "that of the fits, which need not be given"
            )
    return measures[0][1] if measures else otherwise


@dataclass(frozen=True, slots=True)
class Holdout:
    """The distinct rows of history, holdout and covariates, and the fit to evaluate on them.

    ``rows`` are those of the model. ``actual`` is the number of purchases within ``horizon``. All arrays have shape
    (rows,), as has ``weight``, the number of customers per row.
    """

    source: Uncertainty
    table: CustomerTable
    rows: Rows
    frequency: Array
    actual: Array
    horizon: Array

    @classmethod
    def from_fit(cls, fit: Fitted, customers: Any) -> Holdout:
        """The holdout in a summary; a ValueError where it has none."""
        return next(iter(cls.from_fits(fits_by_name(fit), customers).values()))

    @classmethod
    def from_fits(cls, fits: Mapping[str, Uncertainty], customers: Any) -> dict[str, Holdout]:
        """The holdout in a summary for each of several fits, over the same rows."""
        customers = open_customers(customers)
        missing = [name for name in HOLDOUT if name not in customers.columns]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} not in the table, so it has no holdout; "
                "make one with summarize(..., calibration_end=...)"
            )
        names = tuple(dict.fromkeys(name for source in fits.values() for name in source.model.columns))
        table = read_table(customers, (*names, *HOLDOUT)).with_covariates(shared_blocks(fits, customers))
        require_last_day(table.about)
        by_name = dict(zip((*names, *HOLDOUT), table.columns, strict=True))
        wrong = table.weight[(by_name[HOLDOUT[0]] < 0) | (by_name[HOLDOUT[0]] % 1 != 0)].sum()
        if wrong:
            raise ValueError(f"holdout_frequency is not a count for {wrong:,.0f} customers; it must be 0, 1, 2, ...")
        after = [by_name[column] for column in HOLDOUT]
        return {
            name: cls(source, table, own_rows(name, source, table, by_name), by_name["frequency"], *after)
            for name, source in fits.items()
        }

    @property
    def weight(self) -> Array:
        """How many customers share each row."""
        return self.table.weight

    def mean(self, values: Array) -> float:
        """Mean over customers of a value that each row has."""
        return float(self.weight @ values / self.weight.sum())

    def expected_purchases(self) -> Array:
        """Expected purchases within the horizon; shape (rows,)."""
        return self.source.row_model(self.rows).expected_purchases(self.horizon, *self.rows.columns)

    def purchases_variance(self) -> Array:
        """Variance, by chance, of the purchases within the horizon; shape (rows,)."""
        return self.source.row_model(self.rows).purchases_variance(self.horizon, *self.rows.columns)

    def probability_alive(self) -> Array:
        """Chance to be a customer still at the end of the calibration; shape (rows,)."""
        return self.source.row_model(self.rows).probability_alive(*self.rows.columns)

    def probability_no_purchase(self) -> Array:
        """Chance of no purchase within the horizon; shape (rows,)."""
        return self._probability(np.zeros(len(self.actual)), np.arange(len(self.actual)))

    def log_probability(self) -> Array:
        """Log of the probability of the count that came true; what underflows counts as the smallest float."""
        probability = self._probability(self.actual, np.arange(len(self.actual)))
        return np.log(np.maximum(probability, np.finfo(float).tiny))

    def _probability(self, count: Array | NDArray[np.int64], row: NDArray[np.int64]) -> Array:
        """Chance of a count for each of some rows."""
        some = self.rows.take(row)
        return self.source.row_model(some).purchase_probability(count, self.horizon[row], *some.columns)

    def distribution(self) -> tuple[Array, Array]:
        """Probability of fewer purchases than came true, and of just as many; shape (rows,) each."""
        counts = self.actual.astype(int) + 1
        first = np.cumsum(counts) - counts
        row = np.repeat(np.arange(len(counts)), counts)
        count = np.arange(len(row)) - first[row]
        parts = [self._probability(n, i) for n, i in zip(_blocks(count), _blocks(row), strict=True)]
        probability = np.concatenate(parts)
        at = probability[first + counts - 1]
        return np.add.reduceat(probability, first) - at, at

    def histogram(self, bins: int = 10) -> pd.DataFrame:
        """The frame of ``calibration``."""
        below, at = self.distribution()
        edges = np.linspace(0, 1, bins + 1)
        reached = [self.mean(_uniform_cdf(edge, below, at)) for edge in edges]
        share = np.diff(reached)
        return pd.DataFrame({"lower": edges[:-1], "upper": edges[1:], "share": share, "density": share * bins})


def _blocks(values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [values[i : i + BLOCK] for i in range(0, len(values), BLOCK)]


def _uniform_cdf(value: float, below: Array, width: Array) -> Array:
    """Distribution function at ``value`` of uniform distributions from ``below``, one of width 0 being a step."""
    inside = np.divide(value - below, width, where=width > 0, out=np.where(value >= below, 1.0, 0.0))
    return np.clip(inside, 0.0, 1.0)
