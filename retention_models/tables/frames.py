"""Frames of any engine: brought to pandas, or to the engine of another, and counted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import narwhals as nw
import pandas as pd

from retention_models.tables.files import duckdb_connection, is_path, is_small, lend, naming_damaged_pages

Frame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]

SPARK = {
    nw.Datetime: "timestamp_ntz",
    nw.Float64: "double",
    nw.Int64: "long",
    nw.Boolean: "boolean",
    nw.String: "string",
}


def collect(frame: Frame) -> pd.DataFrame:
    """The rows as a pandas frame. Does without pyarrow, which Polars' own conversion needs."""
    rows = frame.lazy()
    if rows.implementation.is_polars():
        table = rows.collect()
        return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
    with naming_damaged_pages():
        return cast(pd.DataFrame, rows.collect("pandas").to_native())


def as_lazy(frame: Any) -> nw.LazyFrame[Any]:
    """The rows of a frame that has been read, on their engine."""
    return nw.from_native(frame).lazy()


def on_engine(frame: Any) -> nw.LazyFrame[Any]:
    """The rows on the engine that groups them. The columns of a pandas frame are lent to DuckDB.

    It reads them in place and groups on every core, more than twice as fast as pandas on two.
    """
    return as_lazy(duckdb_connection().from_df(frame) if isinstance(frame, pd.DataFrame) else frame)


def keep_rows(rows: nw.LazyFrame[Any], source: Any) -> nw.LazyFrame[Any]:
    """The same rows, in memory where they come from small files or a pandas frame: what is derived is derived once.

    Without it DuckDB would read the files and derive all columns again at every question.
    """
    relation, here = rows.to_native(), is_small(source) if is_path(source) else isinstance(source, pd.DataFrame)
    return as_lazy(relation.materialize()) if here and hasattr(relation, "materialize") else rows  # from DuckDB 2.0 on


def move_to_engine(frame: Frame, other: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """A small table beside another one: in the same DuckDB, or on the same engine."""
    if other.implementation.is_duckdb():
        native = frame.to_native() if frame.implementation.is_duckdb() else collect(frame)
        return nw.from_native(lend(native, other.to_native()))
    return (frame if frame.implementation == other.implementation else like(other, collect(frame))).lazy()


def count_distinct(rows: nw.LazyFrame[Any], names: Sequence[str], **counted: nw.Expr) -> pd.DataFrame:
    """The distinct values of some columns, and what is counted of the rows that share each.

    They are grouped under other names: DuckDB takes ``plan.type`` for the column ``type`` of a table ``plan``.
    """
    keys = {f"key{i}": name for i, name in enumerate(names)}
    renamed = rows.with_columns(nw.col(name).alias(key) for key, name in keys.items())
    return collect(renamed.group_by(*keys).agg(**counted)).rename(columns=keys)


def like(frame: Frame, table: pd.DataFrame) -> Any:
    """A small table on the engine of a frame."""
    types = {name: _plain_type(dtype) for name, dtype in nw.from_native(table).schema.items()}
    values = {name: table[name].astype(object).where(table[name].notna(), None) for name in types}
    columns = {  # in types of Python
        name: [value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in column]
        for name, column in values.items()
    }
    if frame.implementation.is_polars():
        small = nw.from_dict(columns, types, backend="polars")
        return small.lazy() if isinstance(frame, nw.LazyFrame) else small
    if frame.implementation.is_pyspark():
        schema = ", ".join(f"`{name}` {SPARK[type(dtype)]}" for name, dtype in types.items())
        session = frame.to_native().sparkSession
        return nw.from_native(session.createDataFrame(list(zip(*columns.values(), strict=True)), schema))
    raise ValueError(f"columns {', '.join(types)} cannot be brought to {frame.implementation}; convert text there")


def _plain_type(dtype: nw.dtypes.DType) -> nw.dtypes.DType:
    """The type of a column's values in any engine."""
    if isinstance(dtype, nw.Datetime | nw.Boolean):
        return nw.Datetime("us") if isinstance(dtype, nw.Datetime) else dtype
    return nw.Int64() if dtype.is_integer() else nw.Float64() if dtype.is_numeric() else nw.String()


def replace_columns(frame: Frame, columns: Mapping[str, nw.Expr]) -> Frame:
    """The frame with columns replaced, of which there may be none."""
    return frame.with_columns(**columns) if columns else frame
