"""The one door for frames and files: the columns asked for, on their engine, under one set of names and types.

The rows stay where they are: pandas and Polars frames, DuckDB relations, Spark frames, files through DuckDB. Every
source is cleaned alike. Blanks around text are no part of it, and text that is blank is missing. Small and capital
letters differ. Text where dates or numbers are asked for is parsed; what nobody can read is missing, to be counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import narwhals as nw
import pandas as pd
from narwhals.dependencies import is_duckdb_relation, is_pandas_dataframe, is_pyspark_dataframe

from retention_models.core.dates import require_time_zone
from retention_models.tables.files import (
    BLANKS,
    NOTHING,
    PARSED,
    WHOLE,
    WHOLE_KINDS,
    ZONE,
    Kind,
    column_names_of_file,
    duckdb_connection,
    is_path,
    is_text_file,
    lend,
    naming,
    naming_damaged_pages,
    open_files,
    parse_text,
    select,
    size_of_files,
    text_columns,
    to_wall_clock,
)
from retention_models.tables.text_files import look_like_values
from retention_models.tables.text_forms import NOTHING_STATED, POINT, Stated, first_unread, recognise

Frame: TypeAlias = nw.DataFrame[Any] | nw.LazyFrame[Any]
Columns: TypeAlias = Mapping[str, str] | Sequence[str]

TEXT = (nw.String, nw.Object, nw.Categorical, nw.Enum)
SPARK = {
    nw.Datetime: "timestamp_ntz",
    nw.Float64: "double",
    nw.Int64: "long",
    nw.Boolean: "boolean",
    nw.String: "string",
}
LARGEST_KEPT = 2**30  # bytes of files whose columns are kept in memory
LARGEST_ID = 2**63 - 1  # as a whole number of 64 bits
LARGEST_EXACT = 2**53  # up to which a float holds every whole number
ID = "customer_id"
MANY_IDS = 10  # rows, among which one that is no number is no accident
SHOWN, LONGEST_SHOWN = 20, 100  # names of columns in an error, and characters of each
TYPES = {"day": nw.Datetime("us"), "number": nw.Float64(), "measure": nw.Float64()}  # of columns without any value


def open_log(
    source: Any,
    columns: Columns,
    kinds: Mapping[str, Kind],
    *,
    where: str = "the log",
    hint: str = "",
    time_zone: str | None = None,
    forms: Mapping[str, str] | None = None,
) -> Frame:
    """Some columns of a frame or file, cleaned, on their engine; ``settle`` must follow a first pass over the rows.

    Parameters
    ----------
    source
        A frame of pandas, Polars (eager or lazy), DuckDB or Spark, or the path of files.
    columns
        New name to the name in the source, or names that stay. No other column is read.
    kinds
        What each column holds, by its new name. ``"id"``: customers, of one type. ``"value"``: anything, as it is. Both
        are whole numbers in files of text if every one is. ``"text"``: names. ``"day"``: days or times, on a wall
        clock without zone. ``"number"``: floats. ``"measure"``: floats, or yes and no as 1 and 0. ``"words"``:
        what stands there where the column is one of text; missing where it is none. Ids that do not fit into 64 bits
        are text, with every digit.
    where, hint
        What an error calls the source, and what it adds when columns are missing.
    time_zone
        Time zone of the calendar for days with a zone. By default the zone that they have.
    forms
        The forms of days and numbers in text, by the new names of the columns, as ``forms_of`` finds them. By default
        it is asked.
    """
    if time_zone is not None:
        _check_zone(time_zone)
    columns = _named(columns)
    kinds = {name: kinds[name] for name in columns}
    whole = is_path(source) and is_text_file(source)
    frame = _open(source, columns, kinds, where, hint)
    forms = _forms_in(frame, kinds, columns, NOTHING_STATED) if forms is None else forms
    if frame.implementation.is_pandas():
        frame = _read_pandas(frame.to_native(), kinds, columns, forms, time_zone)
    elif frame.implementation.is_duckdb():
        frame = nw.from_native(parse_text(frame.to_native(), kinds, forms, time_zone, whole=whole))
    else:
        frame = _read_lazily(frame, kinds, forms, time_zone)
    return _with_types(frame, kinds, columns, time_zone)


def forms_of(
    source: Any,
    columns: Columns,
    kinds: Mapping[str, Kind],
    stated: Stated,
    *,
    where: str = "the log",
    hint: str = "",
    rows: nw.Expr | None = None,
) -> dict[str, str]:
    """The forms of days and numbers in text, by the new names of the columns, in some ``rows``; see ``text_forms``.

    Raises
    ------
    ValueError
        When nobody can tell the form of a column.
    """
    columns = _named(columns)
    kinds = {name: kinds[name] for name in columns}
    frame = _open(source, columns, kinds, where, hint)
    return _forms_in(frame if rows is None else frame.filter(rows), kinds, columns, stated)


def unread_hint(
    source: Any,
    columns: Mapping[str, str],
    kinds: Mapping[str, Kind],
    forms: Mapping[str, str],
    names: Iterable[str],
    *,
    where: str = "the log",
) -> str:
    """What to do about values that cannot be read, with one of each column in text; empty where there is none."""
    frame = _open(source, columns, {name: kinds[name] for name in columns}, where, "")
    hints = []
    for name in (name for name in names if name in forms):
        relation = frame.to_native() if frame.implementation.is_duckdb() else _texts_of(frame, name)
        text = text_columns(relation, {name: kinds[name]})[name]
        example = first_unread(relation, text, forms[name], kinds[name])
        option = "date_format" if kinds[name] == "day" else "decimal"
        form = forms[name][:1] if option == "decimal" else forms[name]
        if example:
            problem = f"values such as {example!r}, which {option}={form!r} does not read"
            hints.append(f"; column {columns[name]!r} has {problem}: correct them, or state another {option}")
    return "".join(hints)


def _open(source: Any, columns: Mapping[str, str], kinds: Mapping[str, Kind], where: str, hint: str) -> Frame:
    """The columns asked for, with their new names: ids that are too long as text, and days that are numbers, too."""
    frame = _write_wide_ids(_select(source, columns, where, hint), kinds)
    schema = frame.collect_schema()
    numbers = [name for name in _of_kind(kinds, "day") if schema[name].is_numeric()]
    if numbers and frame.implementation.is_pandas():
        rows = frame.to_native()
        return nw.from_native(rows.assign(**{name: _written(rows[name]) for name in numbers}))
    return _replace(frame, {name: nw.col(name).cast(nw.String) for name in numbers})


def _written(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as text; whole ones without decimals, although others may be missing."""
    numbers = numbers.astype("Float64") if numbers.dtype.kind == "f" else numbers
    is_whole = numbers.dtype.kind == "f" and not (numbers.dropna() % 1).any()
    return (numbers.astype("Int64") if is_whole else numbers).astype("string")


def _forms_in(frame: Frame, kinds: Mapping[str, Kind], columns: Mapping[str, str], stated: Stated) -> dict[str, str]:
    """The forms of the text columns of an opened frame."""
    schema = frame.collect_schema()
    possible = [name for name in _of_kind(kinds, *PARSED) if schema[name] in TEXT]
    if not possible:
        return {}
    forms: dict[str, str] = {}
    for name in possible:
        relation = frame.to_native() if frame.implementation.is_duckdb() else _texts_of(frame, name)
        text = text_columns(relation, {name: kinds[name]})
        forms |= {name: recognise(relation, text[name], kinds[name] == "day", columns[name], stated)} if text else {}
    return forms


def _texts_of(frame: Frame, name: str) -> Any:
    """The distinct texts of a column, and how many rows share each, in DuckDB."""
    if frame.implementation.is_pandas():
        counts = frame.to_native()[name].astype(object).value_counts().rename_axis(name).reset_index(name="_rows")
    else:
        texts = frame.lazy().select(nw.col(name).cast(nw.String)).group_by(name).agg(nw.len().alias("_rows"))
        counts = collect(texts).dropna().sort_values(name)  # engines group in any order
    return duckdb_connection().from_df(counts.astype({name: "string"}))


def open_table(
    source: Any,
    columns: Columns,
    kinds: Mapping[str, Kind],
    *,
    where: str = "the table",
    hint: str = "",
    keep: bool = False,
    forms: Mapping[str, str] | None = None,
) -> Frame:
    """Some columns of a frame or file as ``open_log`` reads them, settled by a pass over files of text.

    Files that many questions are asked of are read once with ``keep``: they stay in memory if they are small enough.
    """
    frame = open_log(source, columns, kinds, where=where, hint=hint, forms=forms)
    if keep and is_path(source) and size_of_files(source) <= LARGEST_KEPT:
        frame = as_lazy(duckdb_connection().from_df(collect(frame)))
    facts = reading_facts(frame)
    return settle(frame, collect(frame.lazy().select(**facts)).iloc[0], _named(columns)) if facts else frame


def collect_table(
    source: Any, columns: Columns, kinds: Mapping[str, Kind], *, where: str = "the table", hint: str = ""
) -> pd.DataFrame:
    """Some columns of a small frame or file, read and brought to pandas."""
    with naming(source):
        return collect(open_table(source, columns, kinds, where=where, hint=hint))


def column_names(source: Any, where: str = "the table") -> list[str]:
    """The names of the columns of a frame or file, without reading its rows."""
    if is_path(source):
        return column_names_of_file(source)
    if is_pandas_dataframe(source) or is_duckdb_relation(source) or is_pyspark_dataframe(source):
        return list(source.columns)
    try:
        return nw.from_native(source).collect_schema().names()
    except TypeError as error:
        kinds = "the path of a file, or a frame of pandas, Polars, DuckDB or Spark"
        raise TypeError(f"{where} must be {kinds}, not {type(source).__name__}") from error


def require_columns(source: Any, names: Sequence[str], where: str, hint: str) -> None:
    """An error, with a hint, unless a frame or file has some columns, each once."""
    with naming(source):
        _check_columns(_named(names), column_names(source, where), where, hint)


def clock_of(source: Any, column: str) -> str | None:
    """The time zone on whose clock a column of a frame is written; None if it does not say so, and for files."""
    dtype = None if is_path(source) else _select(source, {column: column}, "the log", "").collect_schema()[column]
    return getattr(dtype, "time_zone", None)


def measured_columns(source: Any, names: Sequence[str]) -> list[str]:
    """Those of some columns that hold numbers, or yes and no, in most rows."""
    schema = _select(source, _named(names), "the table", "").collect_schema()
    possible = [name for name in names if schema[name].is_numeric() or schema[name] in (nw.Boolean, *TEXT)]
    if not possible:
        return []
    kinds: dict[str, Kind] = dict.fromkeys(possible, "measure")
    rows = open_log(source, possible, kinds, forms=_likely_forms(source, possible)).lazy()
    filled = {name: (~nw.col(name).is_null()).cast(nw.Int64).sum() for name in possible}
    counts = collect(rows.select(nw.len().alias("_rows"), **filled)).iloc[0]
    return [name for name in possible if 2 * counts[name] > counts["_rows"]]


def _likely_forms(source: Any, names: Sequence[str]) -> dict[str, str]:
    """The forms of columns of numbers in text; decimal points where a column does not show its form."""
    forms = dict.fromkeys(names, POINT)
    for name in names:
        with suppress(ValueError):
            forms |= forms_of(source, [name], {name: "measure"}, NOTHING_STATED)
    return forms


def reading_facts(frame: Frame, faulty: nw.Expr | None = None) -> dict[str, nw.Expr]:
    """What a pass over the rows must tell before they are settled: the zones of dates, and ids that are not whole.

    Ids of ``faulty`` rows, such as a total below the others, do not count.
    """
    usable = nw.lit(value=True) if faulty is None else ~faulty
    facts: dict[str, nw.Expr] = {}
    for name in frame.collect_schema().names():
        if name.startswith(ZONE):
            zone = nw.when(~nw.col(name.removeprefix(ZONE)).is_null()).then(nw.col(name))
            facts |= {f"first{name}": zone.min(), f"last{name}": zone.max()}
        elif name.startswith(WHOLE):
            id_ = nw.col(name.removeprefix(WHOLE))
            is_other = nw.col(name).is_null() & ~id_.is_null() & usable
            facts[name] = is_other.cast(nw.Int64).sum()
            if name == WHOLE + ID:
                facts[f"some{name}"] = nw.when(is_other).then(id_).max()
                facts[f"all{name}"] = (~id_.is_null() & usable).cast(nw.Int64).sum()
    return facts


def settle(frame: Frame, facts: pd.Series[Any], columns: Mapping[str, str], time_zone: str | None = None) -> Frame:
    """The frame without the columns that stood beside it: ids that are whole numbers throughout become such.

    Raises
    ------
    ValueError
        When dates come from several time zones, and nobody said whose calendar counts. When ids are whole numbers but
        for one row or one percent, among ten rows or more: that is no customer.
    """
    beside = [name for name in frame.collect_schema().names() if name.startswith((ZONE, WHOLE))]
    for name in (name for name in beside if name.startswith(ZONE)):
        _check_zones(facts[f"first{name}"], facts[f"last{name}"], columns[name.removeprefix(ZONE)], time_zone)
    whole = [name for name in beside if name.startswith(WHOLE)]
    if WHOLE + ID in whole:
        others, rows = (0 if pd.isna(facts[key]) else int(facts[key]) for key in (WHOLE + ID, f"all{WHOLE}{ID}"))
        _check_ids(others, rows, facts[f"some{WHOLE}{ID}"], columns[ID])
    ids = [name for name in whole if facts[name] == 0]
    return _replace(frame, {name.removeprefix(WHOLE): nw.col(name) for name in ids}).drop(beside)


def _check_ids(others: int, rows: int, example: Any, name: str) -> None:
    """An error where a few values make names of ids which else are whole numbers."""
    if rows >= MANY_IDS and 0 < others <= max(1, rows // 100):
        raise ValueError(
            f"column {name!r} holds whole numbers, except in {others:,} of {rows:,} rows, such as {example!r}: leave "
            "such rows out (a total, say); if they are right, pass a frame with all ids as text"
        )


def _write_wide_ids(frame: Frame, kinds: Mapping[str, Kind]) -> Frame:
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
    return _replace(frame, written)


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


def move_to_engine(frame: Frame, other: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """A small table beside another one: in the same DuckDB, or on the same engine."""
    if other.implementation.is_duckdb():
        native = frame.to_native() if frame.implementation.is_duckdb() else collect(frame)
        return nw.from_native(lend(native, other.to_native()))
    return (frame if frame.implementation == other.implementation else _like(other, collect(frame))).lazy()


def count_distinct(rows: nw.LazyFrame[Any], names: Sequence[str], **counted: nw.Expr) -> pd.DataFrame:
    """The distinct values of some columns, and what is counted of the rows that share each.

    They are grouped under other names: DuckDB takes ``plan.type`` for the column ``type`` of a table ``plan``.
    """
    keys = {f"key{i}": name for i, name in enumerate(names)}
    renamed = rows.with_columns(nw.col(name).alias(key) for key, name in keys.items())
    return collect(renamed.group_by(*keys).agg(**counted)).rename(columns=keys)


def _named(columns: Columns) -> Mapping[str, str]:
    return columns if isinstance(columns, Mapping) else {name: name for name in columns}


def _check_zone(time_zone: str) -> None:
    require_time_zone(time_zone)
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"time_zone {time_zone!r} is not known; write it like 'Europe/Berlin' or 'UTC'") from error


def _check_zones(first: Any, last: Any, name: str, time_zone: str | None) -> None:
    if pd.isna(first):
        return
    first, last = first or "none at all", last or "none at all"
    if first == "none at all" != last:
        raise ValueError(
            f"column {name!r} mixes times with a zone ({last} among them) and times without one: give all of them a "
            "zone, or none"
        )
    if time_zone is None and first != last:
        raise ValueError(
            f"column {name!r} mixes time zones ({first} and {last} among them); "
            "pass time_zone, such as 'Europe/Berlin', to say whose calendar counts"
        )
    if time_zone is not None and first == "none at all":
        raise ValueError(f"column {name!r} holds times without a zone, which time_zone={time_zone!r} cannot convert")


def _select(source: Any, columns: Mapping[str, str], where: str, hint: str) -> Frame:
    """The columns asked for, under their new names, as they are."""
    relation, names = open_files(source) if is_path(source) else (None, column_names(source, where))
    _check_columns(columns, names, where, hint)
    places = {name: place for place, name in enumerate(names)}
    if relation is not None:
        there = relation.columns
        return nw.from_native(select(relation, {new: there[places[name]] for new, name in columns.items()}))
    if is_pandas_dataframe(source):
        picked = source.iloc[:, [places[name] for name in columns.values()]]
        return nw.from_native(picked.set_axis(list(columns), axis=1))
    if is_pyspark_dataframe(source):  # which takes 'plan.type' for a part of 'plan', and 'Date' for 'date'
        columns = {new: f"column{places[name]}" for new, name in columns.items()}
        source = source.toDF(*(f"column{place}" for place in range(len(names))))
    return nw.from_native(source).select(nw.col(name).alias(new) for new, name in columns.items())


def _check_columns(columns: Mapping[str, str], names: Sequence[str], where: str, hint: str) -> None:
    counts = Counter(names)
    if missing := [repr(name) for name in dict.fromkeys(columns.values()) if not counts[name]]:
        there = ", ".join(str(name)[:LONGEST_SHOWN] for name in names[:SHOWN]) + (
            f" and {len(names) - SHOWN:,} more" if names[SHOWN:] else ""
        )
        alike = {spelling(name): name for name in reversed(names)}
        wanted = [spelling(name) for name in columns.values() if not counts[name]]
        meant = list(dict.fromkeys(repr(alike[name]) for name in wanted if name in alike))
        hint = f"Did you mean {', '.join(meant)}? {hint}" if meant else hint
        if look_like_values(names):
            hint = "Its first line holds values: state no_header=True, and call columns by their numbers, from '1'"
        raise ValueError(f"{where} has no column {', '.join(missing)}; it has {there}{f'. {hint}' if hint else ''}")
    if repeated := [name for name in dict.fromkeys(columns.values()) if counts[name] > 1]:
        raise ValueError(f"{where} has more than one column called {', '.join(repeated)}; rename or drop all but one")


def spelling(name: Any) -> str:
    """A name without the differences that people overlook: capitals, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", str(name)).casefold()


def _read_pandas(
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
    for name in (name for name in _of_kind(kinds, "text", "words") if name in changed):
        values = changed[name].dropna().unique()
        if not all(isinstance(value, str) for value in values):
            changed[name] = changed[name].map({value: str(value) for value in values})
    for name in (name for name in _of_kind(kinds, "id") if name in changed):
        nothing = [value for value in changed[name].dropna().unique() if str(value).lower() in NOTHING]
        changed[name] = changed[name].mask(changed[name].isin(nothing)) if nothing else changed[name]
    changed |= {name: _plain_ids(changed.get(name, frame[name]), columns[name]) for name in _of_kind(kinds, "id")}
    unread = [name for name in _of_kind(kinds, *PARSED) if name in text or frame[name].isna().all()]
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


def _replace(frame: Frame, columns: Mapping[str, nw.Expr]) -> Frame:
    """The frame with columns replaced, of which there may be none."""
    return frame.with_columns(**columns) if columns else frame


def _of_kind(kinds: Mapping[str, Kind], *wanted: str) -> list[str]:
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
            f"column {name!r} has ids of {LARGEST_EXACT:,} or more as floats, which cannot tell neighbours apart; "
            "read it as text or whole numbers, as with pandas.read_csv(..., dtype={...: 'Int64'})"
        )
    if ids.dtype == object:
        kinds = ids.dropna().map(lambda value: type(value).__name__).value_counts()
        if len(kinds) > 1:
            counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            raise ValueError(f"column {name!r} mixes types ({counts}); make them one, as with .astype(str)")
    elif pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        return ids.astype("Int64")
    return ids


def _read_lazily(frame: Frame, kinds: Mapping[str, Kind], forms: Mapping[str, str], time_zone: str | None) -> Frame:
    """The columns of a frame of Polars, Spark or another engine, without blanks, and parsed where they are text."""
    schema = frame.collect_schema()
    empty = [name for name in schema if schema[name] == nw.Unknown and frame.implementation.is_polars()]
    frame = _replace(frame, {name: nw.col(name).cast(TYPES.get(kinds[name], nw.String())) for name in empty})
    text = [name for name in schema if schema[name] in TEXT]
    frame = _replace(frame, {name: nw.col(name).cast(nw.String).str.strip_chars(BLANKS) for name in text})
    frame = _replace(frame, {name: nw.when(nw.col(name) != nw.lit("")).then(nw.col(name)) for name in text})
    words = {name: nw.col(name).str.to_lowercase().is_in(NOTHING) for name in text if kinds[name] == "id"}
    frame = _replace(frame, {name: nw.when(~is_word).then(nw.col(name)) for name, is_word in words.items()})
    for name in (name for name in text if kinds[name] in PARSED):
        frame = _parse_distinct(frame, name, kinds[name], forms, time_zone)
    return frame


def _parse_distinct(frame: Frame, name: str, kind: Kind, forms: Mapping[str, str], time_zone: str | None) -> Frame:
    """The frame with a column of text parsed: DuckDB reads its distinct values, and they are joined to the rows."""
    values = collect(frame.lazy().select(name).unique()).dropna().astype(str)
    parsed = _parse_frame(values, {name: kind}, forms, time_zone)
    lookup = _like(frame, parsed.assign(_text=values[name].array))
    joined = frame.rename({name: "_text"}).join(lookup, on="_text", how="left")
    return joined.select(*frame.collect_schema().names(), *(str(other) for other in parsed if other != name))


def _like(frame: Frame, table: pd.DataFrame) -> Any:
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


def _with_types(frame: Frame, kinds: Mapping[str, Kind], columns: Mapping[str, str], time_zone: str | None) -> Frame:
    """The frame with each column of the type of its kind."""
    schema, typed = frame.collect_schema(), {}
    for name, kind in kinds.items():
        if kind == "words":
            typed[name] = _as_name(name, schema[name]) if schema[name] in TEXT else nw.lit(None, nw.String())
        elif kind == "text":
            typed[name] = _as_name(name, schema[name])
        elif kind in ("number", "measure"):
            typed[name] = _as_float(name, schema[name], columns[name], kind)
    frame = _replace(frame, typed)
    for name in _of_kind(kinds, "day"):
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
