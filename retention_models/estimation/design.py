"""What a formula makes of a frame of customers: a matrix of numbers, one column a coefficient.

A design remembers its levels as plain values, so that it can be stored and makes the same columns of new customers.
formulaic would drop rows with missing values and turn levels that it does not know into the baseline; here both are
errors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.core.stored_record import build
from retention_models.estimation.formula import ParsedFormula, parse_formula

MOST_LEVELS = 50  # of a column in which most levels are of one customer each
MOST_COLUMNS = 2_000  # of a matrix
Level = str | int | float | bool


@dataclass(frozen=True, repr=False)
class Design(Presentation):
    """A formula and what it means.

    ``levels`` are those of each categorical factor, the first of them the baseline unless the formula says otherwise;
    ``numeric`` the columns that hold numbers; ``terms`` the labels of the matrix's columns by term of the formula;
    ``states`` what ``scale``, ``poly`` and ``bs`` learnt from the rows, for other customers.
    """

    formula: str
    levels: Mapping[str, tuple[Level, ...]]
    numeric: tuple[str, ...]
    terms: Mapping[str, tuple[str, ...]]
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_formula(cls, formula: str, frame: pd.DataFrame) -> Self:
        """The design that a formula means for a frame, whose index labels the customers.

        Raises
        ------
        ValueError
            When the formula is none, or names a column that is absent, misses values or has only one level.
        """
        parsed = parse_formula(formula)
        raw = _read(frame, parsed.columns, formula)
        _require_few_levels(raw)
        _require_few_columns(parsed, formula, raw)
        matrix = _evaluate(parsed, formula, raw)
        encoded = {parsed.factors[factor]: state for factor, (_, state) in matrix.model_spec.encoder_state.items()}
        levels = {
            f: tuple(_plain_level(f, level) for level in s["categories"])
            for f, s in encoded.items()
            if "categories" in s
        }
        for factor, known in levels.items():
            if len(known) < 2:
                raise ValueError(
                    f"{factor} has only one level ({_join_names(known)}) for all {len(raw):,} customers: "
                    f"it can explain nothing; leave it out of {formula!r}"
                )
        labels = [parsed.shown(label) for label in matrix.columns]
        terms = {
            parsed.shown(str(term)): tuple(labels[where])
            for term, where in matrix.model_spec.term_slices.items()
            if str(term) != "1"
        }
        numeric = tuple(name for name in raw.columns if raw[name].dtype.kind in "biuf")
        return cls(formula, levels, numeric, terms, _plain_state(matrix.model_spec.transform_state))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        return tuple(label for labels in self.terms.values() for label in labels)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame that the formula uses."""
        return parse_formula(self.formula).columns

    def matrix(self, frame: pd.DataFrame) -> Array:
        """The numbers of these or of other customers; shape (n, columns).

        Raises
        ------
        ValueError
            When a column is absent, misses values, holds levels that the design does not know, or is no number.
        """
        from formulaic.parser.types import Factor

        parsed = parse_formula(self.formula)
        raw = _read(frame, parsed.columns, self.formula)
        for name in self.numeric:
            _require(
                np.full(len(raw), raw[name].dtype.kind in "biuf"),
                raw[name],
                "is no number",
                "it was a column of numbers in the fit",
            )
        encoded = {}
        for factor, shown in parsed.factors.items():
            if shown in self.levels:
                name, known = parsed.column_of(factor), self.levels[shown]
                rule = f"has a level that the fit has not seen (it knows {_join_names(known)})"
                _require(raw[name].isin(known).to_numpy(), raw[name], rule, "recode it, or fit with such customers")
                encoded[factor] = (Factor.Kind.CATEGORICAL, {"categories": list(known)})
        matrix = _evaluate(parsed, self.formula, raw, encoder_state=encoded, transform_state=_with_numbers(self.states))
        columns = dict(zip(map(parsed.shown, matrix.columns), matrix.to_numpy(dtype=float).T, strict=True))
        if absent := [label for label in self.labels if label not in columns]:
            raise ValueError(f"{self.formula!r} makes no column {absent[0]}; the stored fit may be damaged")
        numbers = np.column_stack([columns[label] for label in self.labels])
        for label, column in zip(self.labels, numbers.T, strict=True):
            _require(np.isfinite(column), raw.iloc[:, 0].rename(label), "is not finite", "change the formula")
        return numbers

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """The design whose fields were stored as plain values, tuples as lists.

        Raises
        ------
        ValueError
            When the formula is none, or what was learnt from the rows is not what it needs.
        """
        design = build(
            cls,
            {
                "formula": stored["formula"],
                "levels": {factor: tuple(levels) for factor, levels in stored["levels"].items()},
                "numeric": tuple(stored["numeric"]),
                "terms": {term: tuple(labels) for term, labels in stored["terms"].items()},
                "states": stored.get("states", {}),
            },
        )
        parsed = parse_formula(design.formula)
        _with_numbers(design.states)
        if {call: set(state) for call, state in design.states.items()} != parsed.states:
            raise ValueError(f"{design.formula!r} needs to remember {parsed.states or 'nothing'}; got {design.states}")
        if not (set(design.levels) <= set(parsed.factors.values()) and set(design.numeric) <= set(parsed.columns)):
            raise ValueError(f"{design.formula!r} lacks the columns {_join_names([*design.levels, *design.numeric])}")
        return design


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
                f"{name} has {n:,} levels for {len(raw):,} customers, too many to estimate; join levels, or use a "
                "numeric column"
            )


def _require_few_columns(parsed: ParsedFormula, formula: str, raw: pd.DataFrame) -> None:
    """An error where a matrix would have so many columns that it needs the whole memory."""
    levels = {
        factor: raw[parsed.column_of(factor)].nunique() - 1
        for factor in parsed.factors
        if factor.startswith("C(") or raw[parsed.column_of(factor)].dtype.kind not in "biuf"
    }
    n = sum(math.prod(levels.get(factor, 1) for factor in term) for term in parsed.terms if term)
    if n > MOST_COLUMNS:
        raise ValueError(
            f"{formula!r} makes {n:,} columns or more; a fit takes at most {MOST_COLUMNS:,}: "
            "join levels, or leave interactions out"
        )


def _evaluate(parsed: ParsedFormula, formula: str, raw: pd.DataFrame, **states: Any) -> Any:
    """The matrix that formulaic makes of columns by names of ours; a ValueError that names the formula if it fails."""
    from formulaic import Formula, ModelSpec
    from formulaic.errors import FormulaicError

    spec = ModelSpec(formula=Formula(parsed.text), na_action="raise", output="pandas", **states)
    own = raw[list(parsed.columns)].set_axis(list(parsed.names), axis=1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            return spec.get_model_matrix(own, context={"sqrt": np.sqrt})
    except (FormulaicError, ValueError, TypeError, LookupError, ArithmeticError, Warning) as error:
        raise ValueError(f"{formula!r} could not be evaluated: {parsed.shown(str(error))}") from None


def _plain_state(state: Any) -> Any:
    """What formulaic learnt, as values that JSON knows; the keys of dictionaries become text."""
    if isinstance(state, Mapping):
        return {str(key): _plain_state(value) for key, value in state.items()}
    return np.asarray(state, dtype=float).tolist()


def _with_numbers(state: Any) -> Any:
    """What formulaic learnt, as it wrote it: keys that are numbers as numbers. A ValueError where it is no numbers."""
    if isinstance(state, Mapping):
        return {int(key) if key.isdigit() else key: _with_numbers(value) for key, value in state.items()}
    if not all(type(value) in (int, float) for value in (state if isinstance(state, list) else [state])):
        raise ValueError(f"the stored values of a formula must be numbers; got {state!r}")
    return state


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
