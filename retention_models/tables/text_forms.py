"""Forms of days and numbers in text, recognised by column: ``31.12.2024`` or ``1.234,50`` as well as ISO 8601.

One value cannot tell its form: ``3/4/2024`` is a day in April or in March. A whole column mostly can. The form that
reads most values of the column is taken. Where two forms read the same values differently, nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

ISO, POINT, COMMA = "iso", ".", ","
WRITTEN = ".,"  # decimal points, with thousands separators, currencies or brackets
PLAIN = (ISO, POINT)  # the forms that need not be stated
SHOWN = {  # in words
    "unix_s": "unix_s, in UTC unless a time_zone is stated",
    "unix_ms": "unix_ms, in UTC unless a time_zone is stated",
    WRITTEN: "decimal point, with thousands separators or a currency",
    COMMA: "decimal comma",
}
YES = ("true", "yes", "y", "t", "ja", "oui", "si", "sí", "sim")
NO = ("false", "no", "n", "f", "nein", "non", "não", "nao")
SAMPLE = 2_000  # values that are not ISO 8601, by which it is known which other forms a column can have
MIXED = 0.01  # of the values: if so many have another form than the others, the column mixes forms

DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%Y%m%d"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%B-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%y", "%d %b %y"),
)
TIMES = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p", "%I %p")
DIRECTIVES = {*"aAbBdfHIjmMpSyY%", *(f"-{part}" for part in "dHIjmMSy")}  # of a date_format; zones are ISO 8601 only
BETWEEN = (" ", "T", ", ")  # a day and its time
TIME_OF_DAY = r"(?:[ T]|, )\d{1,2}(?:(?::\d\d){1,2}(?:\.\d+)? ?(?:[AaPp][Mm])?| ?[AaPp][Mm])$"
# Numbers count from 1970 in UTC, or days as spreadsheets do. Each form reads the years 1980 to 2069 only, in which no
# two of them read most numbers alike.
FIRST, LAST = 315_532_800, 3_155_760_000
COUNTS = {
    "unix_s": ("{number}", FIRST, LAST),
    "unix_ms": ("{number} / 1000", FIRST * 1000, LAST * 1000),
    "unix_days": ("{number} * 86400", FIRST // 86400, LAST // 86400),
    "excel": ("({number} - 25569) * 86400", FIRST // 86400 + 25569, LAST // 86400 + 25569),
}
WORDS = (ISO, *COUNTS)  # forms that no strftime format describes
INSTANTS = ("unix_s", "unix_ms")
NO_DAY = "0000-00-00.*|1900-01-01.*|1970-01-01.*|9999-12-31.*"  # what programs write for no day

EXAMPLE = {  # of some values, how many there are, the first of them, and what two forms make of it
    "n": "coalesce(sum(n), 0)",
    "value": "min(value)",
    "mine": "CAST(min_by(mine, value) AS VARCHAR)",
    "its": "CAST(min_by(its, value) AS VARCHAR)",
}

# What may stand at a number: a sign, brackets for a loss, a currency.
_CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₽₩₺₴₫฿₪]|[A-Z]{3}|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.?)"
_MINUS = r"[-\x{2212}]"
_SIGN = r"[-+\x{2212}]?"
_BLANKS = r"[ \x{a0}\x{202f}\x{2009}]?"
_GROUPED = r"[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}"


def _number_pattern(decimal: str, thousands: str) -> str:
    marks = [thousands, r"['\x{2019}]", _BLANKS[:-1]]
    whole = "|".join([*(_GROUPED.format(mark=mark) for mark in marks), r"\d+"])
    number = rf"(?:(?:{whole})(?:{decimal}\d*)?|{decimal}\d+)"
    around = f"{_SIGN}{_BLANKS}(?:{_CURRENCY})?{_BLANKS}{_SIGN}"
    return rf"\(?{around}{number}{_BLANKS}(?:{_CURRENCY})?-?\)?"


PATTERNS = {POINT: _number_pattern(r"\.", ","), COMMA: _number_pattern(",", r"\.")}


@dataclass(frozen=True, slots=True)
class Stated:
    """What the caller says of the forms: ``date_format`` of days, ``decimal`` of numbers."""

    date_format: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        form = self.date_format
        if form is not None and not (isinstance(form, str) and (form in WORDS or _has_a_day(form))):
            raise ValueError(
                "date_format must state the order of day, month and year, such as '%d/%m/%Y', or be one of "
                f"{', '.join(map(repr, WORDS))}; got {form!r}"
            )
        if self.decimal not in (None, POINT, COMMA):
            raise ValueError(f"decimal must be '.' or ','; got {self.decimal!r}")


NOTHING_STATED = Stated()


class TwoMeaningsError(ValueError):
    """Two forms read the same values differently; ``problem`` says which, without the remedy."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. State one of them")
        self.problem = problem


def is_telling(form: str) -> bool:
    """Whether a form is one by which people write days or numbers everywhere in a table, and not that of a program."""
    return form in (*DATES, COMMA, WRITTEN)


def _has_a_day(form: str) -> bool:
    """Whether a format has a year, a month and a day, or the day of the year, and nothing that DuckDB cannot read."""
    parts = re.findall("%(-?.?)", form)
    if not all(part in DIRECTIVES for part in parts):
        return False
    found = {part.removeprefix("-") for part in parts}
    return bool(found & {"Y", "y"} and ((found & {"m", "b", "B"} and "d" in found) or "j" in found))


def iso(text: str) -> str:
    """SQL for whether a text may be a day in ISO 8601; NULL where it is none, or says AM or PM."""
    day = f"try_cast({text} AS TIMESTAMP)"
    return f"CASE WHEN year({day}) BETWEEN 1000 AND 9999 AND NOT regexp_matches({text}, '(?i)[ap]m$') THEN {day} END"


def day_in(form: str, text: str, time_zone: str | None = None) -> str:
    """SQL for the time that a text says in a form other than ISO 8601; NULL where it says none."""
    if form in COUNTS:
        number, (seconds, low, high) = f"try_cast({text} AS DOUBLE)", COUNTS[form]
        micros = f"CAST(round({seconds.format(number=number)} * 1000) AS BIGINT) * 1000"
        time = f"CASE WHEN {number} >= {low} AND {number} < {high} THEN make_timestamp({micros}) END"
        return f"timezone('{time_zone}', timezone('UTC', {time}))" if time_zone and form in INSTANTS else time
    if any(part in form for part in ("%H", "%I", "%M")):
        formats = [form]
    else:
        formats = [form, *(f"{form}{between}{time}" for between in BETWEEN for time in TIMES[1:])]
    written = _without_decimals(text) if form == "%Y%m%d" else text
    day = f"try_strptime({written}, [{', '.join(map(_literal, formats))}])"
    return f"CASE WHEN year({day}) BETWEEN 1000 AND 9999 AND regexp_matches({text}, '[0-9]') THEN {day} END"


def number_in(decimal: str, text: str) -> str:
    """SQL for the number that a text says, with decimal points or decimal commas; NULL where it says none."""
    decimal = decimal[0]
    bare = f"regexp_replace({text}, '{_CURRENCY}', '', 'g')"
    number = f"try_cast(replace(regexp_replace({bare}, '[^0-9{decimal}]', '', 'g'), ',', '.') AS DOUBLE)"
    is_loss = f"regexp_matches({text}, '{_MINUS}|^\\(.*\\)$')"
    written = (
        f"CASE WHEN regexp_full_match({text}, {_literal(PATTERNS[decimal])}) "
        f"THEN CASE WHEN {is_loss} THEN -{number} ELSE {number} END END"
    )
    plain = f"try_cast({text} AS DOUBLE)"
    if decimal == POINT:
        return f"coalesce({plain}, {written})"
    return f"CASE WHEN contains({text}, '.') THEN {written} ELSE coalesce({plain}, {written}) END"


def formats_in_words(forms: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """The forms that are neither ISO 8601 nor plain numbers, by the names of columns in the source."""
    stated = {name: SHOWN.get(form, form) for name, form in forms.items() if form not in PLAIN}
    return {columns[name]: form for name, form in stated.items() if name in columns}


def measure_in(decimal: str, text: str) -> str:
    """SQL for the number that a text says, or for yes and no as 1 and 0; NULL where it says neither."""
    return f"""CASE WHEN lower({text}) IN {YES} THEN 1.0
        WHEN lower({text}) IN {NO} THEN 0.0 ELSE {number_in(decimal, text)} END"""


def recognise(relation: DuckDBPyRelation, text: str, is_day: bool, given: str, stated: Stated) -> str:
    """The form of a column of days or numbers.

    Parameters
    ----------
    relation
        The rows. A column ``_rows`` says how many share each, if there is one.
    text
        SQL for the text of the column without blanks around it, NULL where nothing stands.
    is_day, given
        Whether the column holds days, not numbers; what the source calls it.
    stated
        What the caller says; a stated form is not looked for, but days in ISO 8601 remain what they are.

    Raises
    ------
    ValueError
        When two forms read the same values differently, or some values have one form and some another.
    """
    column = _Column(relation, text, given)
    known = stated.date_format if is_day else stated.decimal
    if known is not None and is_day:
        return ISO if column.is_iso() else known
    if known is not None:
        _check_currencies(column, known)
        return known
    return _form_of_days(column) if is_day else _form_of_numbers(column)


def first_unread(relation: DuckDBPyRelation, text: str, form: str, kind: str) -> str | None:
    """The first value, in alphabetical order, that a form does not read; None where it reads all."""
    values = _Column(relation, text, "").values()
    read = {"day": _reader, "number": number_in, "measure": measure_in}[kind](form, "value")
    found: str | None = _one_row(values.filter(f"({read}) IS NULL"), {"value": "min(value)"})["value"]
    return found


def _reader(form: str, text: str) -> str:
    """SQL for the day that a text says in a form, and whether it is one in ISO 8601."""
    return iso(text) if form == ISO else day_in(form, text)


@dataclass(frozen=True, slots=True)
class _Column:
    """The text of a column: in SQL, with the rows it stands in and the name that the source has for it."""

    relation: DuckDBPyRelation
    text: str
    given: str

    def is_iso(self) -> bool:
        """Whether all values are days in ISO 8601."""
        return not _one_row(self.days(), {"others": f"count(*) FILTER (({iso('value')}) IS NULL)"})["others"]

    def days(self) -> DuckDBPyRelation:
        """The values without what programs write for no day."""
        return self.values().filter(f"NOT regexp_full_match(value, '{NO_DAY}')")

    def values(self) -> DuckDBPyRelation:
        """Each value, and the number of rows that it stands for."""
        rows = "_rows" if "_rows" in self.relation.columns else "1"
        return self.relation.project(f"{self.text} AS value, {rows} AS n").filter("value IS NOT NULL")


def _form_of_days(column: _Column) -> str:
    """The form that reads most days of a column; ISO 8601 where none reads any."""
    if column.is_iso():
        return ISO
    some = column.days().filter(f"({iso('value')}) IS NULL").limit(SAMPLE)
    readers = {form: _day_alone(form) for form in (*DATES, *COUNTS)}
    counts = _one_row(some, {form: f"count({sql})" for form, sql in readers.items()})
    possible = {form: sql for form, sql in readers.items() if counts[form]}
    if not possible:
        return ISO
    return _best(column.days(), {ISO: iso("value")} | possible, column.given, "date_format")


def _day_alone(form: str) -> str:
    """SQL for the day that a value says, whatever its time of day, which does not tell forms apart."""
    if form in COUNTS:
        return day_in(form, "value")
    text = _without_decimals("value") if form == "%Y%m%d" else f"regexp_replace(value, '{TIME_OF_DAY}', '')"
    day = f"try_strptime({text}, {_literal(form)})"
    return f"CASE WHEN year({day}) BETWEEN 1000 AND 9999 AND regexp_matches(value, '[0-9]') THEN {day} END"


def _form_of_numbers(column: _Column) -> str:
    """Whether the numbers of a column have decimal points or decimal commas."""
    plain = r"[-+]?\d*\.(?:\d\d?|\d{4,})|[-+]?0\.\d+"
    counts = _one_row(
        column.values(),
        {
            "n": "count(*)",
            "plain": f"count(*) FILTER (regexp_full_match(value, '{plain}'))",
            "other": f"count(*) FILTER (NOT regexp_full_match(value, '{plain}|[-+]?\\d+'))",
        },
    )
    if not counts["n"] or (counts["plain"] and not counts["other"]):
        return POINT
    readers = {decimal: number_in(decimal, "value") for decimal in (POINT, COMMA)}
    best = _best(column.values(), readers, column.given, "decimal")
    written = f"count({readers[POINT]}) - count(try_cast(value AS DOUBLE))"
    if best == POINT and not _one_row(column.values(), {"written": written})["written"]:
        return POINT
    _check_currencies(column, best)
    return WRITTEN if best == POINT else COMMA


def _check_currencies(column: _Column, decimal: str) -> None:
    """An error where numbers have several currencies, which cannot be added up."""
    numbers = column.values().filter(f"regexp_full_match(value, {_literal(PATTERNS[decimal])})")
    found = numbers.project(f"nullif(regexp_extract(value, '{_CURRENCY}'), '') AS currency, n")
    found = found.filter("currency IS NOT NULL").aggregate("currency, sum(n) AS n")
    counts = found.order("n DESC, currency").fetchall()
    if len(counts) > 1:
        told = ", ".join(f"{n:,} rows with {currency}" for currency, n in counts[:5])
        raise ValueError(
            f"column {column.given!r} mixes currencies: {told}; convert them to one, or keep the rows of one: "
            "where='column=value'"
        )


def _best(rows: DuckDBPyRelation, readers: Mapping[str, str], given: str, option: str) -> str:
    """The form that reads most values; an error if another reads as many differently, or many that it cannot read."""
    facts = {form: f"coalesce(sum(n) FILTER (({sql}) IS NOT NULL), 0)" for form, sql in readers.items()}
    counts = _one_row(rows, {"": "sum(n)"} | facts)
    best, n = max(readers, key=lambda form: counts[form]), counts[""]
    first = f"{option}={best!r}"
    for form in (form for form in readers if form != best):
        both, other = rows.project(f"value, n, {readers[best]} AS mine, {readers[form]} AS its"), f"{option}={form!r}"
        differ = _one_row(both.filter("mine <> its"), EXAMPLE) if counts[form] == counts[best] else {"n": 0}
        if differ["n"]:
            mine, its = (str(differ[name]).removesuffix(" 00:00:00") for name in ("mine", "its"))
            raise TwoMeaningsError(
                f"column {given!r} has values such as {differ['value']!r} in {differ['n']:,} of {n:,} rows, which can "
                f"mean two things: {mine} with {first}, or {its} with {other}"
            )
        alone = _one_row(both.filter("mine IS NULL AND its IS NOT NULL"), EXAMPLE)
        if alone["n"] > MIXED * n:
            own = _one_row(both.filter("mine IS NOT NULL"), EXAMPLE)
            raise ValueError(
                f"column {given!r} mixes formats: {first} reads {own['n']:,} rows such as {own['value']!r}, and "
                f"{other} "
                f"{alone['n']:,} others of {n:,} rows, such as {alone['value']!r}. Bring them to one format, or "
                "state one, and the others are set aside"
            )
    if best not in PLAIN and n - counts[best] > MIXED * n:
        unread = _one_row(rows.filter(f"({readers[best]}) IS NULL"), {"value": "min(value)"})["value"]
        raise ValueError(
            f"column {given!r} has several formats: {first} reads {counts[best]:,} of {n:,} rows, and "
            f"{n - counts[best]:,} "
            f"others are such as {unread!r}. Correct them, or state {option}, and they are set aside"
        )
    return best


def _one_row(relation: DuckDBPyRelation, facts: Mapping[str, str]) -> dict[str, Any]:
    (row,) = relation.aggregate(", ".join(f"{sql} AS fact{i}" for i, sql in enumerate(facts.values()))).fetchall()
    return dict(zip(facts, row, strict=True))


def _without_decimals(text: str) -> str:
    return f"regexp_replace({text}, '\\.0+$', '')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
