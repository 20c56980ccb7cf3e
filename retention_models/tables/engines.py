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
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import narwhals as nw
import pandas as pd
from narwhals.dependencies import is_duckdb_relation, is_pandas_dataframe, is_pyspark_dataframe

from retention_models.core.dates import require_time_zone
from retention_models.tables.cleaning import TEXT, of_kind, read_lazily, read_pandas, with_types, write_wide_ids
from retention_models.tables.files import (
    PARSED,
    WHOLE,
    ZONE,
    Kind,
    column_names_of_file,
    duckdb_connection,
    is_path,
    is_text_file,
    naming,
    open_files,
    parse_text,
    select,
    size_of_files,
    text_columns,
)
from retention_models.tables.frames import Frame, as_lazy, collect, keep_rows, replace_columns
from retention_models.tables.text_files import look_like_values
from retention_models.tables.text_forms import (
    NOTHING_STATED,
    POINT,
    Stated,
    TwoMeaningsError,
    first_unread,
    is_telling,
    recognise,
)

Columns: TypeAlias = Mapping[str, str] | Sequence[str]

LARGEST_KEPT = 2**30  # bytes of files whose columns are kept in memory
ID = "customer_id"
MANY_IDS = 10  # rows, among which one that is no number is no accident
SHOWN, LONGEST_SHOWN = 20, 100  # names of columns in an error, and characters of each


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
        frame = read_pandas(frame.to_native(), kinds, columns, forms, time_zone)
    elif frame.implementation.is_duckdb():
        parsed = as_lazy(parse_text(frame.to_native(), kinds, forms, time_zone, whole=whole))
        frame = keep_rows(parsed, source)
    else:
        frame = read_lazily(frame, kinds, forms, time_zone)
    return with_types(frame, kinds, columns, time_zone)


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
    frame = write_wide_ids(_select(source, columns, where, hint), kinds)
    schema = frame.collect_schema()
    numbers = [name for name in of_kind(kinds, "day") if schema[name].is_numeric()]
    if numbers and frame.implementation.is_pandas():
        rows = frame.to_native()
        return nw.from_native(rows.assign(**{name: _written(rows[name]) for name in numbers}))
    return replace_columns(frame, {name: nw.col(name).cast(nw.String) for name in numbers})


def _written(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as text; whole ones without decimals, although others may be missing."""
    numbers = numbers.astype("Float64") if numbers.dtype.kind == "f" else numbers
    is_whole = numbers.dtype.kind == "f" and not (numbers.dropna() % 1).any()
    return (numbers.astype("Int64") if is_whole else numbers).astype("string")


def _forms_in(frame: Frame, kinds: Mapping[str, Kind], columns: Mapping[str, str], stated: Stated) -> dict[str, str]:
    """The forms of the text columns of an opened frame.

    A column that can mean two things has the form of the others of its kind, if they have one that reads all of it.
    """
    schema = frame.collect_schema()
    possible = [name for name in of_kind(kinds, *PARSED) if schema[name] in TEXT]
    if not possible:
        return {}
    forms: dict[str, str] = {}
    unsettled: dict[str, tuple[Any, str, TwoMeaningsError]] = {}
    for name in possible:
        relation = frame.to_native() if frame.implementation.is_duckdb() else _texts_of(frame, name)
        text = text_columns(relation, {name: kinds[name]}).get(name)
        if text is None:
            continue
        try:
            forms[name] = recognise(relation, text, kinds[name] == "day", columns[name], stated)
        except TwoMeaningsError as error:
            unsettled[name] = (relation, text, error)
    for name, (relation, text, problem) in unsettled.items():
        is_day = kinds[name] == "day"
        others = {form for other, form in forms.items() if (kinds[other] == "day") == is_day and is_telling(form)}
        form = others.pop() if len(others) == 1 else None
        if form is None or first_unread(relation, text, form, kinds[name]) is not None:
            raise problem
        forms[name] = form
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
    return replace_columns(frame, {name.removeprefix(WHOLE): nw.col(name) for name in ids}).drop(beside)


def _check_ids(others: int, rows: int, example: Any, name: str) -> None:
    """An error where a few values make names of ids which else are whole numbers."""
    if rows >= MANY_IDS and 0 < others <= max(1, rows // 100):
        raise ValueError(
            f"column {name!r} holds whole numbers, except in {others:,} of {rows:,} rows, such as {example!r}: "
            "leave such rows out (for example a total). If they are correct, pass a frame with all ids as text"
        )


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
            f"column {name!r} mixes times with a zone ({last} among them) and times without one: give all times a "
            "zone, or none"
        )
    if time_zone is None and first != last:
        raise ValueError(
            f"column {name!r} mixes time zones ({first} and {last} among them); "
            "pass time_zone, such as 'Europe/Berlin', to state which calendar counts"
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
