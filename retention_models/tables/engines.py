"""A log on any engine, brought under one set of names and types; and small tables brought back from it.

The rows stay where they are: pandas and Polars frames, DuckDB relations, Spark frames, files through DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import narwhals as nw
import pandas as pd
from narwhals.dependencies import is_duckdb_relation, is_pandas_dataframe, is_pyspark_dataframe

from retention_models.tables.files import (
    BLANKS,
    WHOLE_ID,
    ZONE,
    check_unique,
    duckdb_connection,
    open_files,
    parse_numbers,
    parse_text,
    to_wall_clock,
)

Frame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]


def open_log(source: Any, roles: Mapping[str, str], time_zone: str | None) -> Frame:
    """The log with columns ``customer_id``, ``date`` (on a wall clock, without zone) and, where asked for, ``amount``.

    ``roles`` maps these names to those in the source; further columns stay as they are. Text that is no date or no
    number has become a missing value, and so has blank text for an id.
    """
    if time_zone is not None:
        _check_zone(time_zone)
    unparsed = roles["date"], roles.get("amount")
    native = open_files(source, roles["customer_id"], unparsed) if isinstance(source, str | Path) else source
    frame = _renamed(native, roles)
    frame = _with_plain_ids(frame.to_native()) if frame.implementation.is_pandas() else _without_blank_ids(frame)
    frame = _without_text(frame, [role for role in ("date", "amount") if role in roles], time_zone)
    if "amount" in roles:
        frame = _with_float_amount(frame)
    return _with_wall_clock(frame, time_zone)


def collect(frame: Frame) -> pd.DataFrame:
    """The rows as a pandas frame. Does without pyarrow, which Polars' own conversion needs."""
    rows = frame.lazy()
    if rows.implementation.is_polars():
        table = rows.collect()
        return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
    return cast(pd.DataFrame, rows.collect("pandas").to_native())


def on_engine(frame: Any) -> nw.LazyFrame[Any]:
    """The rows on the engine that groups them. The columns of a pandas frame are lent to DuckDB.

    It reads them in place and groups on every core, more than twice as fast as pandas on two.
    """
    if isinstance(frame, pd.DataFrame):
        frame = duckdb_connection().from_df(frame)
    return nw.from_native(frame).lazy()


def _check_zone(time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"time_zone {time_zone!r} is not known; write it like 'Europe/Berlin' or 'UTC'") from error


def _renamed(native: Any, roles: Mapping[str, str]) -> Frame:
    if is_pandas_dataframe(native) or is_duckdb_relation(native) or is_pyspark_dataframe(native):
        check_unique(list(native.columns), "the log")
    try:
        frame = nw.from_native(native)
    except TypeError as error:
        kinds = "the path of a file, or a frame of pandas, Polars, DuckDB or Spark"
        raise TypeError(f"transactions must be {kinds}, not {type(native).__name__}") from error
    names = frame.collect_schema().names()
    missing = [f"{name!r}" for name in roles.values() if name not in names]
    if missing:
        raise ValueError(
            f"the log has no column {', '.join(missing)}; it has {', '.join(str(n) for n in names if n != WHOLE_ID)}. "
            f"Say which is which: {', '.join(f'{role}=...' for role in roles)} (amount=None where there is no money)"
        )
    hidden = [role for role, name in roles.items() if role in names and name != role]
    if hidden:
        raise ValueError(
            f"the log has {roles[hidden[0]]!r} to be called {hidden[0]!r}, and another column of that name"
        )
    return frame.rename({name: role for role, name in roles.items() if name != role})


def _with_plain_ids(frame: pd.DataFrame) -> Frame:
    """The frame with ids of one type, missing where they are blank text.

    Numbers that are floats or objects only because some are missing become whole again.
    """
    ids = given = frame["customer_id"]
    if (blank := _blank(ids)).any():
        ids = ids.mask(blank).infer_objects()
    if ids.dtype == object:
        kinds = ids.dropna().map(lambda value: type(value).__name__).value_counts()
        if len(kinds) > 1:
            counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            raise ValueError(f"column 'customer_id' mixes types ({counts}); make them one, as with .astype(str)")
    elif pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        ids = ids.astype("Int64")
    return nw.from_native(frame if ids is given else frame.assign(customer_id=ids))


def _blank(ids: pd.Series[Any]) -> pd.Series[bool]:
    """Which ids of a pandas log are blank text. Where they can be anything, only the distinct ones are looked at."""
    if isinstance(ids.dtype, pd.StringDtype):
        return (ids.str.strip(BLANKS) == "").fillna(False).astype(bool)
    values = () if pd.api.types.is_numeric_dtype(ids) else ids.unique()
    return ids.isin([value for value in values if isinstance(value, str) and not value.strip(BLANKS)])


def _without_blank_ids(frame: Frame) -> Frame:
    """The frame with ids missing where they are blank text. Text that begins with a letter or a digit cannot be."""
    if frame.collect_schema()["customer_id"] not in (nw.String, nw.Categorical, nw.Enum):
        return frame
    customer_id = nw.col("customer_id")
    text = customer_id.cast(nw.String)
    suspect = (text < nw.lit("!")) | (text > nw.lit("~"))
    blank = nw.when(suspect).then(text.str.strip_chars(BLANKS) == nw.lit("")).otherwise(nw.lit(False))
    return frame.with_columns(nw.when(~blank).then(customer_id).alias("customer_id"))


def _without_text(frame: Frame, roles: Sequence[str], time_zone: str | None) -> Frame:
    """The frame with dates and amounts parsed where they are text; beside them what the text said of its zone."""
    schema = frame.collect_schema()
    text = [role for role in roles if schema[role] in (nw.String, nw.Object, nw.Categorical)]
    native = frame.to_native()
    if frame.implementation.is_pandas():
        text += [role for role in roles if role not in text and native[role].isna().all()]
    if not text:
        return frame
    if frame.implementation.is_duckdb():
        return nw.from_native(parse_text(native, text, time_zone))
    if frame.implementation.is_pandas():
        parsed = parse_text(on_engine(native[text].astype(str)).to_native(), text, time_zone).df()
        if ZONE in parsed:
            parsed[ZONE] = parsed[ZONE].astype("string")  # objects beside None have no minimum
        return nw.from_native(native.assign(**{name: parsed[name].array for name in parsed}))
    raise ValueError(
        f"column {text[0]!r} holds text; only files, pandas frames and DuckDB relations are parsed. "
        "Convert it where it is, for example in Polars with pl.col(...).str.to_datetime(strict=False)"
    )


def _with_float_amount(frame: Frame) -> Frame:
    dtype = frame.collect_schema()["amount"]
    if not dtype.is_numeric():
        raise ValueError(f"column 'amount' holds {dtype}, not numbers; convert it, or pass amount=None")
    return frame.with_columns(nw.col("amount").cast(nw.Float64))


def _with_wall_clock(frame: Frame, time_zone: str | None) -> Frame:
    """The frame with ``date`` as it stood on the clocks of ``time_zone``, or of the zone that the column has."""
    dtype = frame.collect_schema()["date"]
    date = nw.col("date")
    if dtype == nw.Date:
        dtype, date = nw.Datetime("us"), date.cast(nw.Datetime("us"))
    if not isinstance(dtype, nw.Datetime):
        raise ValueError(f"column 'date' holds {dtype}, not dates; convert it first")
    if time_zone is not None and dtype.time_zone is None and ZONE not in frame.columns:
        raise ValueError(f"column 'date' has no time zone to convert from; leave out time_zone={time_zone!r}")
    if dtype.time_zone is None:
        return frame.with_columns(date)
    if time_zone in (None, dtype.time_zone):
        return frame.with_columns(date.dt.replace_time_zone(None))
    if frame.implementation.is_duckdb():
        return nw.from_native(to_wall_clock(frame.to_native(), time_zone))
    if frame.implementation.is_pandas() or frame.implementation.is_polars():
        return frame.with_columns(date.dt.convert_time_zone(time_zone).dt.replace_time_zone(None))
    raise ValueError(
        f"column 'date' is shown in the session's time zone, {dtype.time_zone}; set the session to {time_zone}"
    )


def open_frame(source: Any, numbers: Sequence[str] | None = None) -> nw.LazyFrame[Any]:
    """A lazy frame over what narwhals reads, or over a CSV or Parquet file by DuckDB.

    Where it is said which columns are ``numbers``, a file is read as text but for those, as logs are: with its own
    separator, decimal commas, and yes and no. Otherwise DuckDB guesses the types.
    """
    if isinstance(source, str | Path) and numbers is not None:
        relation = open_files(source, None)
        source = parse_numbers(relation, [name for name in numbers if name in relation.columns])
    if isinstance(source, str | Path):
        import duckdb

        path = str(source)
        if not Path(path).exists():
            raise FileNotFoundError(f"{path}: there is no such file")
        source = duckdb.read_parquet(path) if path.endswith(".parquet") else duckdb.read_csv(path)
    try:
        return nw.from_native(source).lazy()
    except TypeError:
        kind = type(source).__name__
        raise TypeError(
            f"rows must be a frame (pandas, Polars, DuckDB, Spark) or a path to a file, not {kind}"
        ) from None


def as_name(column: str, schema: nw.Schema) -> nw.Expr:
    """A column as names, of arms say: true and false as ``True`` and ``False``, whatever the engine writes."""
    name = nw.col(column)
    if schema[column] == nw.Boolean:
        return nw.when(name).then(nw.lit("True")).otherwise(nw.when(~name).then(nw.lit("False")))
    return name.cast(nw.String)


def number(name: str, schema: nw.Schema) -> nw.Expr:
    """A column as floats. True and false are not cast, which DuckDB would do while it reads the words from a file."""
    column = nw.col(name)
    if schema[name] == nw.Boolean:
        return nw.when(column).then(nw.lit(1.0)).otherwise(nw.when(~column).then(nw.lit(0.0)))
    return column.cast(nw.Float64)
