"""The columns of an opened frame, cleaned alike on every engine: blanks, text parsed, ids, types, clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.tables.files import (
    BLANKS,
    NOTHING,
    PARSED,
    WHOLE,
    WHOLE_KINDS,
    ZONE,
    Kind,
    duckdb_connection,
    parse_text,
    to_wall_clock,
)
from retention_models.tables.frames import Frame, collect, like, replace_columns

TEXT = (nw.String, nw.Object, nw.Categorical, nw.Enum)
LARGEST_ID = 2**63 - 1  # as a whole number of 64 bits
LARGEST_EXACT = 2**53  # up to which a float holds every whole number
TYPES = {"day": nw.Datetime("us"), "number": nw.Float64(), "measure": nw.Float64()}  # of columns without any value


def write_wide_ids(frame: Frame, kinds: Mapping[str, Kind]) -> Frame:
    """The frame with ids that pandas has no whole numbers for as text, and beside them the whole numbers that they are.

    The types of 128 bits and decimals would become floats, which make customers with long ids one.
    """
    schema = frame.collect_schema()
    wide = [n for n, kind in kinds.items() if kind in WHOLE_KINDS and schema[n] in (nw.Int128, nw.UInt128, nw.Decimal)]
    written: dict[str, nw.Expr] = {}
    for name in wide:
        fits = (nw.col(name) >= -LARGEST_ID) & (nw.col(name) <= LARGEST_ID)
        fits = fits & (nw.col(name) % 1 == 0) if schema[name] == nw.Decimal else fits
        written |= {WHOLE + name: nw.when(fits).then(nw.col(name)).cast(nw.Int64), name: nw.col(name).cast(nw.String)}
    return replace_columns(frame, written)


def read_pandas(
    frame: pd.DataFrame,
    kinds: Mapping[str, Kind],
    columns: Mapping[str, str],
    forms: Mapping[str, str],
    time_zone: str | None,
) -> Frame:
    """The columns of a pandas frame without blanks and categories, and parsed by DuckDB where they are text."""
    arrow = {name: _without_arrow(frame[name]) for name in columns if isinstance(frame[name].dtype, pd.ArrowDtype)}
    frame = frame.assign(**arrow) if arrow else frame
    text = [name for name in columns if _may_be_text(frame[name])]
    changed = {name: _plain(frame[name]) for name in text if kinds[name] not in PARSED}
    for name in (name for name in of_kind(kinds, "text", "words") if name in changed):
        values = changed[name].dropna().unique()
        if not all(isinstance(value, str) for value in values):
            changed[name] = changed[name].map({value: str(value) for value in values})
    for name in (name for name in of_kind(kinds, "id") if name in changed):
        nothing = [value for value in changed[name].dropna().unique() if str(value).lower() in NOTHING]
        changed[name] = changed[name].mask(changed[name].isin(nothing)) if nothing else changed[name]
    changed |= {name: _plain_ids(changed.get(name, frame[name]), columns[name]) for name in of_kind(kinds, "id")}
    unread = [name for name in of_kind(kinds, *PARSED) if name in text or frame[name].isna().all()]
    if unread:
        parsed = _parse_frame(frame[unread].astype(str), kinds, forms, time_zone)
        # Objects beside None have no minimum.
        zones = {name: "string" for name in map(str, parsed) if name.startswith(ZONE)}
        changed |= {str(name): column.array for name, column in parsed.astype(zones).items()}
    return nw.from_native(frame.assign(**changed) if changed else frame)


def _parse_frame(
    text: pd.DataFrame, kinds: Mapping[str, Kind], forms: Mapping[str, str], time_zone: str | None
) -> pd.DataFrame:
    """Columns of text in memory, parsed, in the order of their rows, which DuckDB does not keep."""
    place = "_row "
    relation = duckdb_connection().from_df(text.assign(**{place: range(len(text))}))
    parsed = parse_text(relation, {str(name): kinds[str(name)] for name in text}, forms, time_zone).df()
    return parsed.sort_values(place, ignore_index=True).drop(columns=place)


def of_kind(kinds: Mapping[str, Kind], *wanted: str) -> list[str]:
    """The columns of some kinds."""
    return [name for name, kind in kinds.items() if kind in wanted]


def _without_arrow(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of Arrow in the types of pandas, which all know remainders and sorting."""
    if column.dtype.kind in "iu":
        return column.astype("Int64")
    import pyarrow as pa

    return pd.Series(pa.array(column).to_pandas().array, column.index)


def _may_be_text(column: pd.Series[Any]) -> bool:
    """Whether a column has a type of text, or one that can hold it."""
    return isinstance(column.dtype, pd.CategoricalDtype) or any(kind in str(column.dtype) for kind in ("object", "str"))


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column without categories and without blanks around its text, missing where nothing else is left.

    Only the distinct values are looked at.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object).infer_objects()
    trimmed = {value: value.strip(BLANKS) for value in column.dropna().unique() if isinstance(value, str)}
    if any(value != text for value, text in trimmed.items()):
        column = column.map(lambda value: trimmed.get(value, value), na_action="ignore")
    return column.mask(column.isin([""])).infer_objects() if "" in trimmed.values() else column


def _plain_ids(ids: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Ids of one type. Numbers that are floats or objects only because some are missing become whole again."""
    if pd.api.types.is_float_dtype(ids) and (ids.abs() >= LARGEST_EXACT).any():
        raise ValueError(
            f"column {name!r} has ids of {LARGEST_EXACT:,} or more as floats, which cannot distinguish neighbouring "
            f"ids; read the column as text or whole numbers, as with pandas.read_csv(..., dtype={...: 'Int64'})"
        )
    if ids.dtype == object:
        kinds = ids.dropna().map(lambda value: type(value).__name__).value_counts()
        if len(kinds) > 1:
            counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            raise ValueError(f"column {name!r} mixes types ({counts}); convert all to one type, as with .astype(str)")
    elif pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        return ids.astype("Int64")
    return ids


def read_lazily(frame: Frame, kinds: Mapping[str, Kind], forms: Mapping[str, str], time_zone: str | None) -> Frame:
    """The columns of a frame of Polars, Spark or another engine, without blanks, and parsed where they are text."""
    schema = frame.collect_schema()
    empty = [name for name in schema if schema[name] == nw.Unknown and frame.implementation.is_polars()]
    frame = replace_columns(frame, {name: nw.col(name).cast(TYPES.get(kinds[name], nw.String())) for name in empty})
    text = [name for name in schema if schema[name] in TEXT]
    frame = replace_columns(frame, {name: nw.col(name).cast(nw.String).str.strip_chars(BLANKS) for name in text})
    frame = replace_columns(frame, {name: nw.when(nw.col(name) != nw.lit("")).then(nw.col(name)) for name in text})
    words = {name: nw.col(name).str.to_lowercase().is_in(NOTHING) for name in text if kinds[name] == "id"}
    frame = replace_columns(frame, {name: nw.when(~is_word).then(nw.col(name)) for name, is_word in words.items()})
    for name in (name for name in text if kinds[name] in PARSED):
        frame = _parse_distinct(frame, name, kinds[name], forms, time_zone)
    return frame


def _parse_distinct(frame: Frame, name: str, kind: Kind, forms: Mapping[str, str], time_zone: str | None) -> Frame:
    """The frame with a column of text parsed: DuckDB reads its distinct values, and they are joined to the rows."""
    values = collect(frame.lazy().select(name).unique()).dropna().astype(str)
    parsed = _parse_frame(values, {name: kind}, forms, time_zone)
    lookup = like(frame, parsed.assign(_text=values[name].array))
    joined = frame.rename({name: "_text"}).join(lookup, on="_text", how="left")
    return joined.select(*frame.collect_schema().names(), *(str(other) for other in parsed if other != name))


def with_types(frame: Frame, kinds: Mapping[str, Kind], columns: Mapping[str, str], time_zone: str | None) -> Frame:
    """The frame with each column of the type of its kind."""
    schema, typed = frame.collect_schema(), {}
    for name, kind in kinds.items():
        if kind == "words":
            typed[name] = _as_name(name, schema[name]) if schema[name] in TEXT else nw.lit(None, nw.String())
        elif kind == "text":
            typed[name] = _as_name(name, schema[name])
        elif kind in ("number", "measure"):
            typed[name] = _as_float(name, schema[name], columns[name], kind)
    frame = replace_columns(frame, typed)
    for name in of_kind(kinds, "day"):
        frame = _on_wall_clock(frame, name, columns[name], time_zone)
    return frame


def _as_name(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A column as names, of arms say: true and false as ``True`` and ``False``, whatever the engine writes."""
    column = nw.col(name)
    if dtype == nw.Boolean:
        return nw.when(column).then(nw.lit("True")).otherwise(nw.when(~column).then(nw.lit("False")))
    return column if dtype == nw.String else column.cast(nw.String)


def _as_float(name: str, dtype: nw.dtypes.DType, given: str, kind: Kind) -> nw.Expr:
    """A column as floats. True and false are not cast, which DuckDB would do while it reads the words from a file."""
    column = nw.col(name)
    if kind == "measure" and dtype == nw.Boolean:
        return nw.when(column).then(nw.lit(1.0)).otherwise(nw.when(~column).then(nw.lit(0.0)))
    if not dtype.is_numeric():
        wanted = "numbers or yes and no" if kind == "measure" else "numbers"
        raise ValueError(f"column {given!r} holds {dtype}, not {wanted}; convert it first")
    return column.cast(nw.Float64)


def _on_wall_clock(frame: Frame, name: str, given: str, time_zone: str | None) -> Frame:
    """The frame with a column as it stood on the clocks of ``time_zone``, or of the zone that the column has."""
    schema = frame.collect_schema()
    dtype, date = schema[name], nw.col(name)
    if dtype == nw.Date:
        dtype, date = nw.Datetime("us"), date.cast(nw.Datetime("us"))
    if not isinstance(dtype, nw.Datetime):
        raise ValueError(f"column {given!r} holds {dtype}, not dates; convert it first")
    if time_zone is not None and dtype.time_zone is None and ZONE + name not in schema:
        raise ValueError(f"column {given!r} has no time zone to convert from; leave out time_zone={time_zone!r}")
    if dtype.time_zone is None:
        return frame.with_columns(date)
    if time_zone in (None, dtype.time_zone):
        return frame.with_columns(date.dt.replace_time_zone(None))
    if frame.implementation.is_duckdb():
        return nw.from_native(to_wall_clock(frame.to_native(), name, time_zone))
    if frame.implementation.is_pandas() or frame.implementation.is_polars():
        return frame.with_columns(date.dt.convert_time_zone(time_zone).dt.replace_time_zone(None))
    raise ValueError(
        f"column {given!r} is shown in the session's time zone, {dtype.time_zone}; set the session to {time_zone}"
    )
