"""Files as lazy DuckDB relations, and text turned into dates and numbers: the one place that has SQL.

CSV files and workbooks are read as text throughout, so that a date nobody can read becomes a missing one, to be
counted, instead of an error in line 3,141,592. Parquet files know their types. CSV and Parquet files are not loaded:
DuckDB streams them, larger than memory or not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, cast

import pandas as pd

from retention_models.tables.text_files import (
    CSV_ENDINGS,
    DAMAGED,
    UNEVEN,
    TextFile,
    check_kind,
    check_utf8,
    first_uneven_line,
    header,
    mixes_line_ends,
    named,
    numbered,
    utf8_copy,
)
from retention_models.tables.text_forms import INSTANTS, ISO, POINT, day_in, measure_in, number_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

Kind = Literal["id", "value", "day", "number", "measure", "text", "words"]

MOST_KEPT = 1 << 27  # bytes of text whose rows are kept in memory
PACKED = 8  # how much larger rows are than their packed file
PARQUET_ENDINGS = (".parquet", ".pq")
WORKBOOK_ENDINGS = (".xlsx",)
ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS)
Files = str | Path | TextFile

# What programs write where there is nothing. It is no customer.
NOTHING = ("null", "none", "nan", "nat", "<na>", "n/a", "#n/a")
PARSED = ("day", "number", "measure")  # kinds whose text is made something else
# What people and programs write where a contract has no end. It is no day.
NO_END = (
    *NOTHING,
    *("na", "-", "--", "---", "0000-00-00", "0000-00-00 00:00:00", "0001-01-01"),
    *("open", "active", "running", "current", "present", "ongoing", "aktiv", "laufend"),
)
WHOLE_KINDS = ("id", "value")  # which text files hold as whole numbers if every one is

# What stands beside a column until it is known what to make of it: the zone of a date, an id as a whole number.
ZONE, WHOLE = "_zone ", "_whole "

# Around a value they are no part of it. That most values have none is seen from their ends, much faster than by trim.
BLANKS = " \t\n\v\f\r\u00a0"
_TRIMMED = (
    "CASE WHEN {text} BETWEEN '!' AND '~' AND {text}[-1] BETWEEN '!' AND '~' THEN {text} "
    f"ELSE trim({{text}}, '{BLANKS}') END"
)
# What follows the time of day: nothing, 'Z', '+02:00' or a name. Only a text longer than seconds, or with something
# other than seconds after its minutes, can have it, which spares most rows the regular expression.
_ZONE_OF = rf"""CASE WHEN strlen({{text}}) > 19 OR (strlen({{text}}) > 16 AND {{text}}[17] <> ':')
    THEN regexp_extract({_TRIMMED}, '^.{{{{16}}}}[0-9:.]*\s*(.*)$', 1) ELSE '' END"""
# It must look like a zone, an offset, 'CET' or 'Europe/Berlin': 'PM' is none, and would make an evening a morning.
_WALL_CLOCK = rf"""CASE
    WHEN {{zone}} = '' THEN coalesce(try_cast({{text}} AS TIMESTAMP), try_cast({_TRIMMED} AS TIMESTAMP))
    WHEN {{zone}} = 'Z' OR regexp_full_match({{zone}},
        'z|utc|[+-]\d\d(:?\d\d)?|[A-Z]{{{{3,5}}}}([+-]\d[\d:]*)?|[A-Z][A-Za-z_]*/[A-Za-z0-9/_+-]+')
    THEN try_cast(rtrim(left({_TRIMMED}, -strlen({{zone}}))) AS TIMESTAMP) END"""
# '+0200' is '+02:00', and there are many ways to write UTC.
_ONE_SPELLING = """CASE
    WHEN {zone} IN ('Z', 'z', 'UTC', 'utc', 'GMT', '+00', '-00', '+0000', '-0000', '-00:00') THEN '+00:00'
    WHEN {zone}[1] IN ('+', '-') THEN {zone}[1:3] || ':' || rpad(ltrim({zone}[4:], ':'), 2, '0') ELSE {zone} END"""
# Some versions of DuckDB read a zone only behind seconds.
_INSTANT = """timezone('{time_zone}', try_cast(
    CASE WHEN strlen({text}) > 16 AND {text}[17] <> ':' THEN left({text}, 16) || ':00' || {text}[17:] ELSE {text} END
    AS TIMESTAMPTZ))"""
# '14:05:00 +0100', as shops write it, is '14:05:00+0100'.
_WITHOUT_GAP = r"regexp_replace({text}, '\s+([+-]\d\d(:?\d\d)?)$', '\1')"
# A year has four digits: DuckDB would read '05-01-12' in the year 5, and 'infinity' as a date.
_FOUR_DIGITS = "CASE WHEN {date} BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31 23:59:59' THEN {date} END"
_WRITTEN = f"nullif({_TRIMMED}, '')"
# A leading zero makes a number a name: '007' is not customer 7.
# '14096.0' is 14096, which some program took for a measure.
_WHOLE_NUMBER = r"""CASE WHEN try_cast(regexp_replace({text}, '\.0+$', '') AS BIGINT)::VARCHAR
    = regexp_replace({text}, '\.0+$', '') THEN try_cast(regexp_replace({text}, '\.0+$', '') AS BIGINT) END"""
_PARSERS: Mapping[Kind, str] = {
    "id": f"CASE WHEN lower({_TRIMMED}) NOT IN ({', '.join(map(repr, ('', *NOTHING)))}) THEN {_TRIMMED} END",
    "value": _WRITTEN,
    "text": _WRITTEN,
    "number": _TRIMMED,
    "measure": _TRIMMED,
    "words": _WRITTEN,
}


def open_files(path: Files) -> tuple[DuckDBPyRelation, list[str]]:
    """One file, or all that match a pattern such as ``sales/*.parquet``, as a relation, and its columns' names.

    The columns of CSV files, separated by commas, semicolons, tabs or bars, and of workbooks are all text, as it
    stands there. Instants in Parquet files are read in UTC, the only zone that such a file knows.
    """
    files = _files(path)
    if is_text_file(path):
        layout = path if isinstance(path, TextFile) else TextFile(path)
        is_workbook = files[0].lower().endswith(WORKBOOK_ENDINGS)
        return _read_workbooks(files, layout) if is_workbook else _read_csv(files, layout)
    if isinstance(path, TextFile):
        raise ValueError(f"{path} is not a text file: leave out separator, no_header and encoding")
    relation = duckdb_connection().read_parquet(list(map(escape, files)))
    return relation, relation.columns


def is_text_file(path: Files) -> bool:
    """Whether all that a file holds is text, of which the reader must make dates and numbers."""
    return not _files(path)[0].lower().endswith(PARQUET_ENDINGS)


def column_names_of_file(path: Files) -> list[str]:
    """The names of a file's columns, of a CSV file from its first line."""
    first, layout = _files(path)[0], path if isinstance(path, TextFile) else TextFile(path)
    if not first.lower().endswith(CSV_ENDINGS):
        return open_files(path)[1]
    check_kind(first, layout)
    check_utf8(first, layout)
    return header(first, layout)[1]


def size_of_files(path: Files) -> int:
    """How many bytes the files have together."""
    return sum(Path(file).stat().st_size for file in _files(path))


def is_small(path: Files) -> bool:
    """Whether the rows of files may stay in memory."""
    packed = _files(path)[0].lower().endswith((".gz", *PARQUET_ENDINGS, *WORKBOOK_ENDINGS))
    return size_of_files(path) * (PACKED if packed else 1) <= MOST_KEPT


def is_path(source: object) -> TypeGuard[Files]:
    """Whether a source is the path of files, not a frame."""
    return isinstance(source, str | Path | TextFile)


def _files(path: Files) -> list[str]:
    """The files that a path or a pattern means, all of one kind."""
    path = path.path if isinstance(path, TextFile) else path
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder; name its files, such as {str(Path(path, '*.csv'))!r}")
    files = [str(path)] if Path(path).exists() else sorted(glob(str(path)))  # noqa: PTH207, Path.glob needs a folder
    if not files:
        raise FileNotFoundError(f"{path}: there is no such file")
    for kind in (CSV_ENDINGS, PARQUET_ENDINGS, WORKBOOK_ENDINGS):
        if all(file.lower().endswith(kind) for file in files):
            return files
    raise ValueError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")


def duckdb_connection() -> DuckDBPyConnection:
    """A connection to a database in memory, in UTC, the calling thread's own, as DuckDB wants it.

    It is kept open because relations need not keep it: in most versions they end with their connection.
    """
    return _connection(os.getpid(), threading.get_ident())


@cache
def _connection(process: int, thread: int) -> DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def select(relation: DuckDBPyRelation, columns: Mapping[str, str]) -> DuckDBPyRelation:
    """Some columns of the relation, by their new names."""
    return relation.project(", ".join(f"{_quoted(name)} AS {_quoted(new)}" for new, name in columns.items()))


def text_columns(relation: DuckDBPyRelation, kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Columns of text that hold days or numbers: SQL for their text, NULL where nothing stands."""
    texts = {
        name: _TRIMMED.format(text=_as_text(name))
        for name, kind in kinds.items()
        if kind in PARSED and _is_text(relation, name)
    }
    words = {name: NO_END if kinds[name] == "day" else ("-", *NOTHING) for name in texts}
    nothing = {name: ", ".join(map(repr, ("", *words[name]))) for name in texts}
    return {name: f"CASE WHEN lower({text}) NOT IN ({nothing[name]}) THEN {text} END" for name, text in texts.items()}


def parse_text(
    relation: DuckDBPyRelation,
    kinds: Mapping[str, Kind],
    forms: Mapping[str, str],
    time_zone: str | None,
    *,
    whole: bool = False,
) -> DuckDBPyRelation:
    """The relation with its text columns as what they are to be, missing where nobody can read them as that.

    Blanks around values do not matter. Days and numbers have the form of their column. Days in ISO 8601 are
    ``1997-01-31`` or ``1997-01-31 14:05``, with or without seconds and a zone. They become times on the wall clock of
    ``time_zone``; without one, on the clock they were written by. What each said of its zone stands beside it, in one
    spelling. Beside an id or value stands the ``whole`` number that it is, where asked for.
    """
    text = {name: kind for name, kind in kinds.items() if _is_text(relation, name)}
    days = [name for name, kind in text.items() if kind == "day" and forms.get(name, ISO) == ISO]
    others = {name: forms[name] for name, kind in text.items() if kind == "day" and name not in days}
    parsers = {name: _PARSERS[kind] for name, kind in text.items() if kind != "day"}
    parsers |= dict.fromkeys(days, _TRIMMED) if time_zone else {}
    parsers |= dict.fromkeys(others, _TRIMMED)
    first = {name: parser.format(text=_as_text(name)) for name, parser in parsers.items()}
    first |= {ZONE + name: _ZONE_OF.format(text=_as_text(name)) for name in days}
    second = {
        WHOLE + n: _WHOLE_NUMBER.format(text=_quoted(n)) for n, kind in text.items() if whole and kind in WHOLE_KINDS
    }
    for name in days:
        zone, parser = _quoted(ZONE + name), _INSTANT if time_zone else _WALL_CLOCK
        text_of_day = _WITHOUT_GAP.format(text=_as_text(name)) if time_zone else _as_text(name)
        second[name] = parser.format(text=text_of_day, zone=zone, time_zone=time_zone)
        second[ZONE + name] = _ONE_SPELLING.format(zone=zone)
    for name, form in others.items():
        second[name] = day_in(form, _quoted(name), time_zone)
        second[ZONE + name] = "'+00:00'" if form in INSTANTS else "''"
    for name in (name for name, kind in text.items() if kind in ("number", "measure")):
        parse = number_in if text[name] == "number" else measure_in
        second[name] = parse(forms.get(name, POINT), _quoted(name))
    third = {name: _FOUR_DIGITS.format(date=_quoted(name)) for name in (*days, *others)}
    for step in filter(None, (first, second, third)):
        relation = _with_columns(relation, step)
    return relation


def to_wall_clock(relation: DuckDBPyRelation, name: str, time_zone: str) -> DuckDBPyRelation:
    """The relation with a column of instants as times on the wall clock of ``time_zone``."""
    return _with_columns(relation, {name: f"timezone('{time_zone}', {_quoted(name)})"})


def lend(rows: DuckDBPyRelation | pd.DataFrame, relation: DuckDBPyRelation) -> DuckDBPyRelation:
    """Rows as a relation in the database of another; those of a third database are copied to memory for that."""
    import duckdb

    try:
        lent = relation.query("lender", "SELECT * FROM rows")  # DuckDB finds the rows by their name
    except duckdb.InvalidInputException:
        rows = cast("DuckDBPyRelation", rows).df()
        lent = relation.query("lender", "SELECT * FROM rows")
    return cast("DuckDBPyRelation", lent)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write the columns of a table to a Parquet file."""
    duckdb_connection().from_df(table).write_parquet(str(path))


def read_packaged(path: Path, **layout: Any) -> pd.DataFrame:
    """A table that comes with a package: the types of its columns are guessed, because they are known to be right."""
    return pd.read_csv(path, **layout)


def _with_columns(relation: DuckDBPyRelation, columns: dict[str, str]) -> DuckDBPyRelation:
    """The relation with columns replaced or added."""
    kept = {name: _quoted(name) for name in relation.columns} | columns
    return relation.project(", ".join(f"{expression} AS {_quoted(name)}" for name, expression in kept.items()))


def _is_text(relation: DuckDBPyRelation, name: str) -> bool:
    """Whether a column is text, of a few categories perhaps, or has no value at all."""
    kind = str(relation.types[relation.columns.index(name)])
    return kind in ("VARCHAR", '"NULL"') or kind.startswith("ENUM")


def _as_text(name: str) -> str:
    return f"CAST({_quoted(name)} AS VARCHAR)"


class UnreadableError(ValueError):
    """DuckDB could not read a file when it was asked for rows."""


@contextmanager
def naming(source: object) -> Iterator[None]:
    """Say which file DuckDB could not read, and where: it complains when rows are asked for, long after opening."""
    import duckdb

    try:
        yield
    except (duckdb.Error, UnreadableError) as error:
        if not is_path(source):
            raise
        if not is_text_file(source):
            raise ValueError(f"{source} cannot be read: {DAMAGED}. {error}") from error
        layout = source if isinstance(source, TextFile) else TextFile(source)
        if line := first_uneven_line(_files(source), layout):
            raise ValueError(f"{source} cannot be read: {UNEVEN}. {line}") from error
        if mixed := [file for file in _files(source) if mixes_line_ends(file)]:
            raise ValueError(f"{mixed[0]} mixes line ends (CRLF and LF): save it with one kind") from error
        raise ValueError(f"{source} cannot be read: {error}") from error


@contextmanager
def naming_damaged_pages() -> Iterator[None]:
    """Say that a page of a Parquet file is damaged, which DuckDB finds, and names, when rows are asked for."""
    import duckdb

    try:
        yield
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        raise UnreadableError(f"a file cannot be read: {DAMAGED}. {error}") from error


def _read_csv(files: Sequence[str], layout: TextFile) -> tuple[DuckDBPyRelation, list[str]]:
    """The files' rows, every column as text, and the columns' names.

    Nothing is guessed from the rows, so the last is read like the first. DuckDB knows the columns by their position,
    because it does not tell capitals from small letters.
    """
    for file in files:
        check_kind(file, layout)
        check_utf8(file, layout)
    separator, names = header(files[0], layout)
    for file in files[1:]:
        other_separator, others = header(file, layout)
        _check_same_columns(file, others, files[0], names if other_separator == separator else [])
    copies = [utf8_copy(file, layout, separator) for file in files]
    for file, copy in zip(files, copies, strict=True):
        facts = Path(copy).stat()
        if _has_surplus(copy, "\t" if separator == " " else separator, len(names), facts.st_mtime_ns, facts.st_size):
            raise ValueError(f"{file} cannot be read: {UNEVEN}. {first_uneven_line([file], layout)}")
    relation = duckdb_connection().read_csv(
        list(map(escape, copies)),  # type: ignore[arg-type]  # of which the stubs know but one
        header=not layout.no_header,
        auto_detect=False,
        delimiter="\t" if separator == " " else separator,
        quotechar='"',
        escapechar='"',
        columns={f"column{position}": "VARCHAR" for position in range(len(names))},
    )
    return relation, names


@cache
def _has_surplus(file: str, separator: str, columns: int, changed: int, size: int) -> bool:
    """Whether some lines, but not all, have more values than there are columns.

    DuckDB leaves out a surplus value at the end of a line if it is empty. The values before it are then not in their
    own columns, unless every line ends in a separator.
    """
    import duckdb

    layout: Any = {"auto_detect": False, "delimiter": "\x01", "quotechar": "", "escapechar": ""}
    lines = duckdb_connection().read_csv(escape(file), header=False, columns={"line": "VARCHAR"}, **layout)
    unquoted = "regexp_replace(line, '\"[^\"]*\"', '', 'g')"
    separators = f"length({unquoted}) - length(replace({unquoted}, {_literal(separator)}, ''))"
    is_surplus = f"{separators} >= {columns} AND NOT contains({unquoted}, '\"')"
    filled = lines.filter("trim(line, '\r ') <> ''")
    try:
        ((surplus, rows),) = filled.aggregate(f"count(*) FILTER ({is_surplus}), count(*)").fetchall()
    except duckdb.Error:  # whatever is wrong with such lines is found, and named, when their values are read
        return False
    return bool(0 < surplus < rows - 1)


def _read_workbooks(files: Sequence[str], layout: TextFile) -> tuple[DuckDBPyRelation, list[str]]:
    """The rows of workbooks, every cell as text, and the columns' names."""
    if layout.separator or layout.encoding:
        raise ValueError(f"{files[0]} is a workbook: leave out separator and encoding")
    sheets = [_read_sheet(file, no_header=layout.no_header) for file in files]
    for file, (_, names) in zip(files, sheets, strict=True):
        _check_same_columns(file, names, files[0], sheets[0][1])
    return duckdb_connection().from_df(pd.concat([rows for rows, _ in sheets], ignore_index=True)), sheets[0][1]


def _read_sheet(file: str, *, no_header: bool) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the only sheet that has some, every cell as text, and the names in its first row, if it has any."""
    try:
        sheets = pd.read_excel(file, engine="calamine", sheet_name=None, header=None, dtype=object, na_filter=False)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{file}: workbooks are read by python-calamine, which is not installed: "
            "pip install 'retention-models[spreadsheets]'"
        ) from error
    except Exception as error:  # the reader has an error of its own for each part of a workbook
        raise ValueError(f"{file} cannot be read: {DAMAGED}. {error}") from error
    filled = {name: rows for name, rows in sheets.items() if not rows.empty}
    if len(filled) != 1:
        sheet = f"it has {len(filled)} ({', '.join(map(str, filled))})" if filled else "it is empty"
        raise ValueError(f"{file} must have one sheet with rows; {sheet}: keep one, or save it as CSV")
    cells = next(iter(filled.values())).map(lambda cell: str(cell).strip())
    rows = cells if no_header else cells[1:]
    rows = rows[(rows != "").any(axis=1)]  # an empty row is none, like an empty line of a CSV file
    names = numbered(list(cells.iloc[0])) if no_header else named(cells.iloc[0])
    return rows.astype(object).set_axis([f"column{i}" for i in range(cells.shape[1])], axis=1), names


def _check_same_columns(file: str, names: Sequence[str], first: str, wanted: Sequence[str]) -> None:
    if names != wanted:
        raise ValueError(f"{file} has other columns than {first}: {', '.join(names)}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
