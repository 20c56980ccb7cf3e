"""Files of text before anybody reads their rows: encoding, separator, names of columns, and what is wrong with them."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, TypedDict, cast

if TYPE_CHECKING:
    from _csv import Reader

CSV_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SEPARATORS = ",;\t|"
CALLED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
DAMAGED = "the file is damaged"
UNEVEN = "each line must have as many values as the first"
LONGEST_HEADER, LONGEST_NAME = 1_000_000, 10_000  # characters of the first line, and of the name of a column
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
KINDS_OF_FILES = {  # first bytes of files that are no text, and what to do about them
    b"\x1f\x8b": ("compressed by gzip", "give it a name that ends in .csv.gz"),
    b"PAR1": ("a Parquet file", "give it a name that ends in .parquet"),
    b"PK\x03\x04": ("a workbook or an archive", "give a workbook a name that ends in .xlsx, and unpack an archive"),
}
TITLE = 20  # lines among which a table may begin below a title
A_VALUE = r"[-+\d.,:/ ]*\d[-+\d.,:/ ]*"  # a number or a day, which is no name of a column


@dataclass(frozen=True, slots=True)
class TextFile:
    """The path of files of text, and how they are laid out where they do not show it themselves."""

    path: str | Path
    separator: str | None = None
    no_header: bool = False
    encoding: str | None = None

    def __str__(self) -> str:
        return str(self.path)


class EncodingError(ValueError):
    """A file of text has another encoding than UTF-8, and nobody said which."""


class Layout(TypedDict, total=False):
    """Keywords that say how files of text are laid out."""

    separator: str | None
    no_header: bool
    encoding: str | None


def with_layout(
    source: Any, *, separator: str | None = None, no_header: bool = False, encoding: str | None = None
) -> Any:
    """The source, as the path of files that are laid out as stated; as it is where nothing is stated.

    Raises
    ------
    ValueError
        When the source is no path, or a statement is none.
    """
    stated = {"separator": separator, "no_header": no_header, "encoding": encoding}
    given = [name for name, value in stated.items() if value not in (None, False)]
    if not given:
        return source
    if not isinstance(source, str | Path):
        raise ValueError(f"{', '.join(given)} is for text files, but this is not a path; leave it out")
    if separator is not None:
        separator = CALLED.get(separator, separator)
        if not (isinstance(separator, str) and len(separator) == 1 and separator not in '"\r\n'):
            raise ValueError(f"separator must be one character, such as ';', or 'tab' or 'space'; got {separator!r}")
    if not isinstance(no_header, bool):
        raise ValueError(f"no_header must be True or False; got {no_header!r}")
    if encoding is not None and not _is_encoding(encoding):
        raise ValueError(f"encoding {encoding!r} is not known; write it like 'cp1252', 'latin-1' or 'utf-16'")
    return TextFile(source, separator, no_header, encoding)


def _is_encoding(encoding: object) -> bool:
    try:
        return isinstance(encoding, str) and codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        return False


def header(file: str, layout: TextFile) -> tuple[str, list[str]]:
    """The separator of a file, by default the one most frequent in its first line, and the names of its columns.

    Without a header the columns are called by their numbers, from 1.
    """
    with open_text(file, layout) as lines, _decoding(file):
        first = lines.readline(LONGEST_HEADER + 1)
        later = [] if any(map(first.count, SEPARATORS)) else [lines.readline(LONGEST_HEADER) for _ in range(TITLE)]
    separator = layout.separator or max(SEPARATORS, key=first.count)
    if len(first) > LONGEST_HEADER or any(len(name) > LONGEST_NAME for name in first.split(separator)):
        raise ValueError(
            f"{file} cannot be read: its first line must name the columns, in up to {LONGEST_HEADER:,} characters and "
            f"{LONGEST_NAME:,} for each; the file may not be a table"
        )
    table = next((n for n, line in enumerate(later, start=2) if max(map(line.count, SEPARATORS)) > 1), None)
    if table is not None and layout.separator is None:
        raise ValueError(
            f"{file} cannot be read: its first line names one column, and line {table} has more values. Leave out the "
            "lines above the names of the columns"
        )
    names = next(_rows([first], separator), [])
    if not names:
        problem = "has a blank first line" if first else "is empty"
        raise ValueError(f"{file} {problem}: expected the names of columns in the first line")
    return separator, numbered(names) if layout.no_header else named(names)


def named(names: Iterable[str]) -> list[str]:
    """Names without blanks around them. A column without one, such as row labels, is called by its position."""
    return [name.strip() or f"column{position}" for position, name in enumerate(names, start=1)]


def numbered(values: Sequence[str]) -> list[str]:
    """Names of columns that have none: their numbers, from 1."""
    return [str(position) for position in range(1, len(values) + 1)]


def look_like_values(names: Iterable[Any]) -> bool:
    """Whether most names of columns are numbers or days, as in a file without a header."""
    texts = list(map(str, names))
    if texts == numbered(texts):
        return False
    return 2 * sum(bool(re.fullmatch(A_VALUE, text)) for text in texts) > len(texts)


def open_text(file: str, layout: TextFile) -> io.TextIOWrapper:
    """The text of a file, decompressed and decoded."""
    encoding = layout.encoding or _marked_encoding(file) or "utf-8-sig"
    return io.TextIOWrapper(_open(file), encoding=encoding, newline="")


def utf8_copy(file: str, layout: TextFile, separator: str) -> str:
    """The file itself or, where it has another encoding, or blanks as separators, a copy in UTF-8 with tabs for them.

    Copies live as long as the process.
    """
    if not layout.encoding and not _marked_encoding(file) and separator != " ":
        return file
    facts = Path(file).stat()
    return _copy(file, layout, separator, facts.st_mtime_ns, facts.st_size)


@cache
def _copies() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="retention-models-")


@cache
def _copy(file: str, layout: TextFile, separator: str, changed: int, size: int) -> str:
    folder = _copies().name
    with (
        NamedTemporaryFile("w", suffix=".csv", dir=folder, delete=False, encoding="utf-8", newline="") as written,
        open_text(file, layout) as lines,
        _decoding(file),
    ):
        if separator == " ":
            csv.writer(written, delimiter="\t").writerows(row for row in _rows(lines, separator) if row)
        else:
            while block := lines.read(2**20):
                written.write(block)
    return written.name


@contextmanager
def _decoding(file: str) -> Iterator[None]:
    """Say of which file the encoding is another one."""
    try:
        yield
    except UnicodeError as error:
        encoding = getattr(error, "encoding", "of the encoding stated")
        raise ValueError(f"{file} is not {encoding} text; state another encoding") from error


def _rows(lines: Iterable[str], separator: str, *, strict: bool = False) -> Reader:
    """The values of each line. Blanks in a row separate once, and not at all at the ends of a line."""
    if separator == " ":
        lines = (line.strip() for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator == " ", strict=strict)


def first_uneven_line(files: Sequence[str], layout: TextFile) -> str:
    """Where text files first have a line without as many values as the first; empty if nowhere."""
    for file in (name for name in files if name.lower().endswith(CSV_ENDINGS)):
        separator, names = header(file, layout)
        with open_text(file, layout) as lines:
            rows, line = _rows(lines, separator, strict=True), 1
            try:
                for values in rows:
                    if values and len(values) != len(names):
                        return f"{file} has {len(values):,} instead of {len(names):,} in line {line:,}"
                    line = rows.line_num + 1
            except csv.Error as error:
                return f"{file} has a damaged value in line {line:,}: {error}"
    return ""


def mixes_line_ends(file: str) -> bool:
    """Whether some lines of a text file end with CRLF, and others with LF alone."""
    with _open(file) as stream:
        counts = [(block.count(b"\n"), block.count(b"\r\n")) for block in _blocks(stream, file)]
    ends, of_two = (sum(each) for each in zip(*counts, strict=True))
    return 0 < of_two < ends


def check_kind(file: str, layout: TextFile) -> None:
    """Raise a ValueError that says what a file is whose name says that it is text, and whose first bytes do not."""
    first = _first_bytes(file)
    for mark, (kind, cure) in KINDS_OF_FILES.items():
        if first.startswith(mark):
            raise ValueError(f"{file} is {kind}: {cure}")
    if not layout.encoding and not _marked_encoding(file) and first.count(b"\0") > len(first) / 4:
        raise ValueError(f"{file} is UTF-16 text without its mark: state encoding='utf-16-le' or 'utf-16-be'")


def check_utf8(file: str, layout: TextFile) -> None:
    """Raise an EncodingError that names the first line in another encoding, over which DuckDB may stumble."""
    if layout.encoding or _marked_encoding(file):
        return
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    with _open(file) as stream:
        for block in _blocks(stream, file):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                raise EncodingError(
                    f"{file} is not UTF-8 text (line {lines:,}); state its encoding, such as encoding='cp1252'"
                ) from error
            lines += block.count(b"\n")


def _marked_encoding(file: str) -> str | None:
    """The encoding that the first bytes of a file tell."""
    return "utf-16" if _first_bytes(file).startswith(UTF_16_MARKS) else None


def _first_bytes(file: str) -> bytes:
    with _open(file) as stream:
        return next(_blocks(stream, file), b"")[:1000]


def _blocks(stream: IO[bytes], file: str) -> Iterator[bytes]:
    """The bytes of a file, a million at a time; a ValueError where what was compressed is damaged."""
    try:
        while block := stream.read(2**20):
            yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{file} cannot be read: {DAMAGED}. {error}") from error


def _open(file: str) -> IO[bytes]:
    """The bytes of a file, or those that were compressed."""
    return cast(IO[bytes], gzip.open(file)) if file.lower().endswith(".gz") else Path(file).open("rb")
