"""What a formula makes of a frame of customers: a matrix of numbers, one column a coefficient.

A design remembers its levels as plain values, so that it can be stored and makes the same columns of new customers.
formulaic would drop rows with missing values and turn levels that it does not know into the baseline; here both are
errors.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.estimation.formula import columns_in, columns_of, parse_formula

MOST_LEVELS = 50  # of a column in which most levels are of one customer each
Level = str | int | float | bool


@dataclass(frozen=True, repr=False)
class Design(Presentation):
    """A formula and what it means.

    ``levels`` are those of each categorical factor, the first of them the baseline unless the formula says otherwise;
    ``numeric`` the columns that hold numbers; ``terms`` the labels of the matrix's columns by term of the formula.
    """

    formula: str
    levels: Mapping[str, tuple[Level, ...]]
    numeric: tuple[str, ...]
    terms: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_formula(cls, formula: str, frame: pd.DataFrame) -> Self:
        """The design that a formula means for a frame, whose index labels the customers.

        Raises
        ------
        ValueError
            When the formula is none, or names a column that is absent, misses values or has one level only.
        """
        found = parse_formula(formula)
        raw = _read(frame, columns_in(found), formula)
        _require_few_levels(raw)
        matrix = _evaluate(formula, lambda: found.get_model_matrix(raw, context={}, na_action="raise"))
        states = {factor: state for factor, (_, state) in matrix.model_spec.encoder_state.items()}
        levels = {
            f: tuple(_plain_level(f, level) for level in s["categories"])
            for f, s in states.items()
            if "categories" in s
        }
        for factor, known in levels.items():
            if len(known) < 2:
                raise ValueError(
                    f"{factor} has one level only ({_join_names(known)}) for all {len(raw):,} customers: "
                    f"it can explain nothing; leave it out of {formula!r}"
                )
        labels = list(matrix.columns)
        terms = {str(term): tuple(labels[where]) for term, where in matrix.model_spec.term_slices.items()}
        numeric = tuple(name for name in raw.columns if raw[name].dtype.kind in "biuf")
        return cls(formula, levels, numeric, {term: names for term, names in terms.items() if term != "1"})

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        return tuple(label for labels in self.terms.values() for label in labels)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame that the formula uses."""
        return columns_in(parse_formula(self.formula))

    def matrix(self, frame: pd.DataFrame) -> Array:
        """The numbers of these or of other customers; shape (n, columns).

        Raises
        ------
        ValueError
            When a column is absent, misses values, holds levels that the design does not know, or is no number.
        """
        from formulaic import ModelSpec
        from formulaic.parser.types import Factor

        raw = _read(frame, self.columns, self.formula)
        for name in self.numeric:
            _require(
                np.full(len(raw), raw[name].dtype.kind in "biuf"),
                raw[name],
                "is no number",
                "it was a column of numbers in the fit",
            )
        for factor, known in self.levels.items():
            (name,) = columns_of(factor) if factor not in raw.columns else (factor,)
            rule = f"has a level that the fit has not seen (it knows {_join_names(known)})"
            _require(raw[name].isin(known).to_numpy(), raw[name], rule, "recode it, or fit with such customers")
        state = {
            factor: (Factor.Kind.CATEGORICAL, {"categories": list(known)}) for factor, known in self.levels.items()
        }
        spec = ModelSpec(formula=parse_formula(self.formula), encoder_state=state, na_action="raise", output="pandas")
        matrix = _evaluate(self.formula, lambda: spec.get_model_matrix(raw, context={}))
        numbers = np.column_stack([matrix[label].to_numpy(dtype=float) for label in self.labels])
        for label, column in zip(self.labels, numbers.T, strict=True):
            _require(np.isfinite(column), raw.iloc[:, 0].rename(label), "is not finite", "change the formula")
        return numbers

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """The design whose fields were stored as plain values, tuples as lists."""
        return cls(
            stored["formula"],
            {factor: tuple(levels) for factor, levels in stored["levels"].items()},
            tuple(stored["numeric"]),
            {term: tuple(labels) for term, labels in stored["terms"].items()},
        )


def _read(frame: pd.DataFrame, names: tuple[str, ...], formula: str) -> pd.DataFrame:
    """The columns of a formula, each there and without gaps: numbers, or categories with no level unused."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(
            f"{_join_names(absent)} not in the table (columns: {_join_names(frame.columns)}); {formula!r} asks for it"
        )
    columns = {}
    for name in names:
        column = frame[name]
        _require(column.notna().to_numpy(), column, "is missing", "fill in or leave out such customers")
        if column.dtype.kind in "biuf":
            numbers = pd.Series(column.to_numpy(dtype=column.dtype.type), index=frame.index)
            _require(np.isfinite(numbers.to_numpy(dtype=float)), column, "is infinite", "give a number")
            columns[name] = numbers
        elif isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = column.cat.remove_unused_categories()
        else:
            columns[name] = column.astype(object)
    return pd.DataFrame(columns, index=frame.index)


def _require_few_levels(raw: pd.DataFrame) -> None:
    """An error where a column of text tells customers apart one by one, before a matrix is matrix of it."""
    for name in raw.columns:
        n = 0 if raw[name].dtype.kind in "biuf" else raw[name].nunique()
        if n > MOST_LEVELS and 2 * n > len(raw):
            raise ValueError(
                f"{name} has {n:,} levels for {len(raw):,} customers, too many to learn from; "
                "join levels, or make it a number"
            )


def _evaluate(formula: str, make: Any) -> Any:
    """A matrix matrix by formulaic; a ValueError that names the formula where that fails."""
    from formulaic.errors import FormulaicError

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            return make()
    except (FormulaicError, ValueError, Warning) as error:
        raise ValueError(f"{formula!r} could not be evaluated: {error}") from None


def _plain_level(factor: str, level: Any) -> Level:
    """A level as a value that JSON knows."""
    value = level.item() if isinstance(level, np.generic) else level
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"{factor} has levels of type {type(value).__name__}; make them text")
    return value


def _require(good: NDArray[np.bool_], column: pd.Series, rule: str, remedy: str) -> None:
    """An error that says column, rule, count, the first one concerned, and what to do."""
    bad = np.flatnonzero(~good)
    if len(bad):
        first = f"first: {column.index.name or 'row'} {column.index[bad[0]]}"
        raise ValueError(f"{column.name} {rule} for {len(bad):,} of {len(good):,} customers ({first}); {remedy}")


def _join_names(names: Iterable[Any]) -> str:
    return ", ".join(str(name) for name in names)
