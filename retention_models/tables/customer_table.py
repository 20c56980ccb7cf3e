"""The door for customer tables: their columns checked once, turned into arrays, reduced to distinct rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.dates import unit_length
from retention_models.core.distinct import distinct_rows
from retention_models.core.formatting import Presentation
from retention_models.tables.rules import check_rules, join_names, require_rows

WHERE_FROM = (
    "such a table comes from summarize(transactions); for contracts from retention_table(spells), to fit a model, "
    "and from logs.active_customers(spells), to predict and value customers"
)


@dataclass(frozen=True, slots=True, repr=False)
class Rows(Presentation):
    """Some rows as models take them: the arguments of their methods, and the covariates as a block of each role.

    ``columns`` have shape (n,), and ``covariates`` by role (``purchase``, ``churn``, ...) shape (n, coefficients).
    """

    columns: tuple[Array, ...]
    covariates: Mapping[Any, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns[0])

    def take(self, rows: NDArray[Any] | slice) -> Rows:
        """Some of the rows."""
        return Rows(tuple(c[rows] for c in self.columns), {role: z[rows] for role, z in self.covariates.items()})


@dataclass(frozen=True, slots=True, repr=False)
class CustomerTable(Presentation):
    """A customer table as models need it: distinct rows, and which of them each customer has.

    ``columns`` are arrays over the distinct rows, ``covariates`` a block of design columns by role, ``weight`` how many
    customers share each row, ``row`` the distinct row of each line of the original table, ``line_weight`` the original
    weights, ``index`` its labels, ``about`` what is known of its origin, ``n_customers`` how many there are, and
    ``averaged`` columns over the original lines of which only means matter.
    """

    columns: tuple[Array, ...]
    weight: Array
    row: NDArray[np.int64]
    line_weight: Array
    index: pd.Index
    about: dict[str, Any]
    n_customers: float
    averaged: tuple[Array, ...] = ()
    covariates: Mapping[Any, Array] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        """The distinct rows, as models take them."""
        return Rows(self.columns, self.covariates)

    def of_lines(self, lines: NDArray[np.bool_]) -> CustomerTable:
        """The table of some of the lines alone."""
        return _table(
            tuple(column[self.row[lines]] for column in self.columns),
            self.line_weight[lines],
            self.index[lines],
            self.about,
            tuple(column[lines] for column in self.averaged),
            {role: block[self.row[lines]] for role, block in self.covariates.items()},
        )

    def with_covariates(self, covariates: Mapping[Any, Array]) -> CustomerTable:
        """The table with blocks of covariates, given over its lines, beside those that it has."""
        if not covariates:
            return self
        own = tuple(column[self.row] for column in self.columns)
        blocks = {role: block[self.row] for role, block in self.covariates.items()} | dict(covariates)
        return _table(own, self.line_weight, self.index, self.about, self.averaged, blocks)

    def of_columns(self, n: int) -> CustomerTable:
        """The table of its first n columns alone, without covariates."""
        own = tuple(column[self.row] for column in self.columns[:n])
        return _table(own, self.line_weight, self.index, self.about, self.averaged)

    def means(self) -> tuple[Array, ...]:
        """Over each distinct row, the mean of each of the ``averaged``."""
        n = len(self.weight)
        sums = (np.bincount(self.row, self.line_weight * column, n) for column in self.averaged)
        return tuple(np.divide(total, self.weight, out=np.zeros(n), where=self.weight > 0) for total in sums)

    def by_tenure(self) -> CustomerTable:
        """A table of tenure, at risk and lost with its numbers added up by tenure and covariates.

        That is all that models of contracts need. Its customers are as many as the table was made of, where it says so
        and is whole. Else they are counted where more are at risk than were kept before: exactly where all were
        observed from the start, and at least so many where some came in late while others were last seen.
        """
        tenure, *counts = self.columns
        covariates = (column for block in self.covariates.values() for column in block.T)
        kinds, kind = distinct_rows((np.zeros(len(tenure)), *covariates))
        (kind_of, when), group = distinct_rows((kind.astype(float), tenure))
        at_risk, lost = (np.bincount(group, weights=self.weight * count).astype(float) for count in counts)
        kept_before = np.where(np.diff(kind_of, prepend=-1) != 0, 0.0, np.append(0.0, (at_risk - lost)[:-1]))
        entered = np.maximum(at_risk - kept_before, 0.0)
        retention_rate = 1 - lost.sum() / max(at_risk.sum(), 1.0)
        is_whole = self.about.get("renewals_counted") == at_risk.sum()
        return replace(
            self,
            about={**self.about, "retention_rate": float(retention_rate)},
            columns=(when, at_risk, lost),
            covariates=_blocks(self.covariates, [column[kind_of.astype(int)] for column in kinds[1:]]),
            weight=np.ones(len(when)),
            row=group[self.row],
            n_customers=float(self.about["spells_counted"] if is_whole else entered.sum()),
        )

    def sha256(self) -> str:
        """A fingerprint of the data that does not depend on the order of rows nor on how far they are aggregated."""
        stacked = np.column_stack([*self.columns, self.weight])
        return hashlib.sha256(np.ascontiguousarray(stacked[self.weight > 0], dtype="<f8").tobytes()).hexdigest()


def read_table(customers: Any, names: Sequence[str], averaged: Sequence[str] = ()) -> CustomerTable:
    """Check a frame of customers (pandas, Polars, or anything narwhals reads) and reduce it to distinct rows.

    Rows are distinct in the columns ``names``; those called ``averaged`` are kept for their means.

    Raises
    ------
    TypeError
        When ``customers`` is no dataframe.
    ValueError
        When a column is missing, doubled, not numeric, or breaks a rule; the message names column, rule and count.
    """
    opened = open_customers(customers)
    weight = opened.numbers((*names, *averaged))
    columns, extra = (tuple(opened.number(name) for name in part) for part in (names, averaged))
    return _table(columns, weight, opened.index, dict(opened.attrs), extra)


def require_same_measure(fitted: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """An error where a fit and a table both say how time was measured, and contradict each other."""
    ours, theirs = fitted.get("period"), about.get("period")
    if None not in (ours, theirs) and ours != theirs:
        raise ValueError(
            f"the model was fitted with period {ours!r}, the table was made with period {theirs!r}; "
            f"make the table with period={ours!r}"
        )
    for name in ("time_unit", "granularity"):
        ours, theirs = fitted.get(name), about.get(name)
        if None not in (ours, theirs) and not same_measure(name, ours, theirs):
            raise ValueError(
                f"the model was fitted with {name} {ours!r}, the table was made with {theirs!r}; "
                f"summarize the log with {name}={ours!r}"
            )
    for counted, timed, does in ((fitted, about, "table"), (about, fitted, "model")):
        if "period" in counted and "time_unit" in timed and "period" not in timed:
            raise ValueError(
                f"the {does} measures time in time_unit {timed['time_unit']!r}, the other counts opportunities with "
                f"period {counted['period']!r}; make both with summarize, or both with opportunities"
            )


def require_opportunities(model_class: type[Any], table: CustomerTable) -> None:
    """An error where a model counts opportunities to buy, and the histories of a table do not."""
    if not getattr(model_class, "counts_opportunities", False):
        return
    histories = dict(zip(model_class.columns, (column[table.row] for column in table.columns), strict=False))
    remedy = f"{model_class.__name__} takes the table of logs.opportunities(transactions, period=...)"
    for name, column in histories.items():
        require_rows(column == np.floor(column), name, "is not a whole number of opportunities", table.index, remedy)
    taken, last = histories["frequency"], histories["recency"]
    require_rows(taken <= last, "frequency", "exceeds recency, the number of the last one taken,", table.index, remedy)


def same_measure(name: str, ours: Any, theirs: Any) -> bool:
    """Whether two values of ``time_unit`` or ``granularity`` are one: "7D" is a week."""
    return ours == theirs or (name == "time_unit" and unit_length(ours) == unit_length(theirs))


def read_covariates(customers: Any, names: Sequence[str], formula: str | None = None) -> pd.DataFrame:
    """Those of some columns that a frame of customers has, as they are, labelled like the customers.

    A ValueError where a ``formula`` asks for them and one is missing.
    """
    opened = open_customers(customers)
    there = [name for name in names if name in opened.columns]
    if formula is not None and len(there) < len(names):
        absent, known = join_names([name for name in names if name not in there]), join_names(opened.columns)
        raise ValueError(f"{absent} not in the table (columns: {known}); {formula!r} asks for it")
    opened.require_single(there)
    return pd.DataFrame({name: opened.column(name).array for name in there}, index=opened.index)


def _table(
    columns: tuple[Array, ...],
    weight: Array,
    index: pd.Index,
    about: dict[str, Any],
    averaged: tuple[Array, ...] = (),
    covariates: Mapping[Any, Array] | None = None,
) -> CustomerTable:
    blocks = dict(covariates or {})
    distinct, row = distinct_rows((*columns, *(column for block in blocks.values() for column in block.T)))
    shared = np.bincount(row, weights=weight, minlength=len(distinct[0])).astype(float)
    covariates = _blocks(blocks, distinct[len(columns) :])
    n = float(weight.sum())
    return CustomerTable(distinct[: len(columns)], shared, row, weight, index, about, n, averaged, covariates)


def _blocks(like: Mapping[Any, Array], columns: Sequence[Array]) -> dict[Any, Array]:
    """Columns put together in blocks as wide as others."""
    rest = iter(columns)
    return {role: np.stack([next(rest) for _ in block.T], axis=-1) for role, block in like.items()}


class Customers:
    """A frame of customers that is opened once on its way: each column is checked when it is first asked for.

    ``index`` labels its rows: the pandas index, or the column customer_id. ``attrs`` is what is known of its origin.
    """

    def __init__(self, frame: Any, index: pd.Index, attrs: Mapping[str, Any]) -> None:
        self.frame, self.index, self.attrs = frame, index, attrs
        self._numbers: dict[str, Array] = {}

    @property
    def columns(self) -> list[Any]:
        """The names of the columns."""
        return list(self.frame.columns)

    def __len__(self) -> int:
        return len(self.index)

    def column(self, name: str) -> pd.Series:
        """A column as it is, in the order of the rows."""
        column = self.frame[name]
        own = isinstance(column, pd.Series)
        return pd.Series(column.array if own else column.to_numpy())

    def require_single(self, names: Sequence[str]) -> None:
        """A ValueError that names columns which appear more than once."""
        doubled = [name for name in names if self.columns.count(name) > 1]
        if doubled:
            raise ValueError(f"{join_names(doubled)} appears more than once among the columns; keep one of them")

    def numbers(self, names: Sequence[str]) -> Array:
        """Check some columns of numbers, with the rules for what they count; the weight of each row."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            known = join_names(self.columns)
            reason = self.attrs.get("no_value", "") if "monetary_value" in missing else ""
            raise ValueError(f"{join_names(missing)} not in the table (columns: {known}); {reason or WHERE_FROM}")
        self.require_single([*names, "weight"])
        if len(self) == 0:
            raise ValueError(f"the table has no rows; {WHERE_FROM}")
        unchecked = [name for name in (*names, "weight") if name not in self._numbers]
        for name in unchecked:
            is_given = name != "weight" or name in self.columns
            self._numbers[name] = _numeric(self.frame, name, self.index) if is_given else np.ones(len(self))
        if unchecked:
            try:
                check_rules(self._numbers, self.index)
            except ValueError:
                self._numbers.clear()
                raise
        return self._numbers["weight"]

    def number(self, name: str) -> Array:
        """A column that ``numbers`` has checked."""
        return self._numbers[name]


def open_customers(customers: Any) -> Customers:
    """A frame of customers, opened: pandas, Polars, or anything narwhals reads. What is open stays so.

    Raises
    ------
    TypeError
        When it is no dataframe.
    """
    if isinstance(customers, Customers):
        return customers
    frame: Any
    if isinstance(customers, pd.DataFrame):
        frame, index = customers, customers.index
    else:
        try:
            wrapped = nw.from_native(customers)
        except TypeError:
            kind = type(customers).__name__
            raise TypeError(f"customers must be a dataframe (pandas, Polars, ...), not {kind}; {WHERE_FROM}") from None
        frame = wrapped.collect("pandas") if isinstance(wrapped, nw.LazyFrame) else wrapped
        index = pd.RangeIndex(len(frame))
    if list(frame.columns).count("customer_id") == 1:
        index = pd.Index(frame["customer_id"].to_numpy(), name="customer_id")
    return Customers(frame, index, getattr(customers, "attrs", {}))


def _numeric(frame: Any, name: str, index: pd.Index) -> Array:
    """A column as floats, every one of them a finite number."""
    raw = frame[name].to_numpy()
    if raw.dtype.kind in "mM":
        raise ValueError(f"{name} holds dates or durations; numbers in one time unit are needed, and {WHERE_FROM}")
    values = np.asarray(pd.to_numeric(pd.Series(raw), errors="coerce"), dtype=float)
    require_rows(
        np.isfinite(values), name, "is missing, infinite or not a number", index, "fill in or leave out such rows"
    )
    return values
