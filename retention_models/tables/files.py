"""Files as lazy DuckDB relations, and text turned into dates and numbers: the one place that has SQL.

CSV files are read as text throughout, so that a date nobody can read becomes a missing one, to be counted, instead of
an error in line 3,141,592. Parquet files know their types. Neither is loaded: DuckDB streams them, larger than memory
or not.
"""

from __future__ import annotations

import codecs
import csv
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
SEPARATORS = ",;\t|"

# Columns that stand beside the log's own until it is known what to make of them.
ZONE = "_zone"
WHOLE_ID = "_whole_id"

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
# A year has four digits: DuckDB would read '05-01-12' in the year 5, and 'infinity' as a date.
_FOUR_DIGITS = "CASE WHEN {date} BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31 23:59:59' THEN {date} END"
# One or two digits after a comma are cents; three could be thousands, which nobody can tell.
_NUMBER = rf"""CASE WHEN contains({{text}}, ',')
    THEN try_cast(regexp_replace({_TRIMMED}, '^(-?\d+),(\d\d?)$', '\1.\2') AS DOUBLE)
    ELSE coalesce(try_cast({{text}} AS DOUBLE), try_cast({_TRIMMED} AS DOUBLE)) END"""
# Yes and no as a number, where a column says so in words.
_YES_OR_NO = f"""CASE WHEN lower({_TRIMMED}) IN ('true', 'yes') THEN 1.0
    WHEN lower({_TRIMMED}) IN ('false', 'no') THEN 0.0 ELSE {_NUMBER} END"""
# A leading zero makes a number a name: '007' is not customer 7.
_WHOLE_NUMBER = "CASE WHEN try_cast({text} AS BIGINT)::VARCHAR = {text} THEN try_cast({text} AS BIGINT) END"


def open_files(path: str | Path, customer_id: str | None, unparsed: Collection[str | None] = ()) -> DuckDBPyRelation:
    """One CSV or Parquet file, or all that match a pattern such as ``sales/*.parquet``, as a lazy relation.

    The columns of CSV files, separated by commas, semicolons, tabs or bars, are all text, without the blanks around it
    unless they are still to be parsed. Beside them stands ``WHOLE_ID``, the customer's id as a whole number, missing
    where it is none. Instants in Parquet files are read in UTC, the only zone that such a file knows.
    """
    files = [str(path)] if Path(path).exists() else sorted(glob(str(path)))  # noqa: PTH207, Path.glob needs a folder
    if not files:
        raise FileNotFoundError(f"{path}: there is no such file")
    if all(file.lower().endswith(PARQUET_ENDINGS) for file in files):
        return duckdb_connection().read_parquet(files)
    if not all(file.lower().endswith(CSV_ENDINGS) for file in files):
        raise ValueError(f"{path}: expected a file that ends in {', '.join(CSV_ENDINGS + PARQUET_ENDINGS)}")
    relation = _trimmed(_read_csv(files), unparsed)
    if customer_id not in relation.columns:
        return relation
    return relation.project(f"*, {_WHOLE_NUMBER.format(text=_quoted(customer_id))} AS {WHOLE_ID}")


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


def parse_text(relation: DuckDBPyRelation, columns: Sequence[str], time_zone: str | None) -> DuckDBPyRelation:
    """The relation with its text columns ``date`` or ``amount`` as timestamps and numbers, missing where unreadable.

    Dates are ISO 8601: ``1997-01-31``, ``1997-01-31 14:05``, with or without seconds and a zone. They become times on
    the wall clock of ``time_zone``; without one, on the clock they were written by. What each said of its zone stands
    in the column ``ZONE``, in one spelling. Blanks around dates and numbers do not matter.
    """
    if "amount" in columns:
        relation = relation.project(f"* REPLACE ({_NUMBER.format(text='amount')} AS amount)")
    if "date" in columns:
        if time_zone:
            relation = relation.project(f"* REPLACE ({_TRIMMED.format(text='date')} AS date)")
        parser = _INSTANT if time_zone else _WALL_CLOCK
        date = parser.format(text="date", zone=ZONE, time_zone=time_zone)
        relation = relation.project(f"*, {_ZONE_OF.format(text='date')} AS {ZONE}")
        relation = relation.project(f"* REPLACE ({date} AS date, {_ONE_SPELLING.format(zone=ZONE)} AS {ZONE})")
        relation = relation.project(f"* REPLACE ({_FOUR_DIGITS.format(date='date')} AS date)")
    return relation


def parse_numbers(relation: DuckDBPyRelation, columns: Sequence[str]) -> DuckDBPyRelation:
    """The relation with those of the columns that are text as numbers, missing where they are none; yes is 1, no 0."""
    types = dict(zip(relation.columns, relation.types, strict=True))
    text = [_quoted(name) for name in columns if str(types[name]) == "VARCHAR"]
    parsed = ", ".join(f"{_YES_OR_NO.format(text=name)} AS {name}" for name in text)
    return relation.project(f"* REPLACE ({parsed})") if parsed else relation


def to_wall_clock(relation: DuckDBPyRelation, time_zone: str) -> DuckDBPyRelation:
    """The relation with ``date``, an instant, as a time on the wall clock of ``time_zone``."""
    return relation.project(f"* REPLACE (timezone('{time_zone}', date) AS date)")


@contextmanager
def naming(source: object) -> Iterator[None]:
    """Say which file DuckDB could not read, and where: it complains when rows are asked for, long after opening."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if not isinstance(source, str | Path):
            raise
        is_csv = str(source).lower().endswith(CSV_ENDINGS)
        rule = "each line must have as many values as the first has names" if is_csv else "the file is damaged"
        complaint = " ".join(str(error).partition("Possible")[0].split())
        raise ValueError(f"{source} cannot be read: {rule}. {complaint}") from error


def check_unique(names: Sequence[str], where: str) -> None:
    """Raise a ValueError naming the columns that occur more than once."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{where} has more than one column called {', '.join(repeated)}; rename or drop all but one")


def _read_csv(files: Sequence[str]) -> DuckDBPyRelation:
    """The files' rows, every column as text. Nothing is guessed from the rows, so the last is read like the first."""
    for file in files:
        _check_utf8(file)
    separator, names = _header(files[0])
    for file in files[1:]:
        if _header(file) != (separator, names):
            raise ValueError(f"{file} has other columns than {files[0]}: {', '.join(_header(file)[1])}")
    return duckdb_connection().read_csv(
        list(files),  # type: ignore[arg-type]  # of which the stubs know but one
        header=True,
        auto_detect=False,
        delimiter=separator,
        quotechar='"',
        escapechar='"',
        columns=dict.fromkeys(names, "VARCHAR"),
    )


def _trimmed(relation: DuckDBPyRelation, untouched: Collection[str | None]) -> DuckDBPyRelation:
    """The relation without blanks around its text, which all is; some columns stay as they are."""
    trimmed = [_quoted(name) for name in relation.columns if name not in untouched]
    replaced = ", ".join(f"{_TRIMMED.format(text=name)} AS {name}" for name in trimmed)
    return relation.project(f"* REPLACE ({replaced})") if trimmed else relation


def _check_utf8(file: str) -> None:
    """Raise a ValueError that names the first line in another encoding, in which DuckDB might or might not stumble."""
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    with Path(file).open("rb") as stream:
        while block := stream.read(2**20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                raise ValueError(
                    f"{file} is not UTF-8 text (line {lines:,}); save it as such, "
                    "or read it with pandas.read_csv(..., encoding='latin-1'), say, and pass the frame"
                ) from error
            lines += block.count(b"\n")


def _header(file: str) -> tuple[str, tuple[str, ...]]:
    """The separator, which is the one that occurs most often in the first line, and the names of the columns.

    A column without a name, such as the row labels that pandas writes, is called by its position.
    """
    with Path(file).open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
    separator = max(SEPARATORS, key=first.count)
    names = tuple(name.strip() for name in next(csv.reader([first], delimiter=separator), ()))
    if not names:
        raise ValueError(f"{file} is empty: expected names of columns in its first line")
    names = tuple(name or f"column{position}" for position, name in enumerate(names, start=1))
    check_unique([name.lower() for name in names], file)  # DuckDB does not tell capitals from small letters
    if taken := {ZONE, WHOLE_ID} & set(names):
        raise ValueError(f"{file} has a column called {taken.pop()}, a name that is used here; rename it")
    return separator, names


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
