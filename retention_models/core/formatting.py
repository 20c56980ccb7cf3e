"""Numbers as people read them: three digits that matter, an interval as one thing, and results in short."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_level, require_number

TINY = 1e-5  # below this, zeros would be all there is to read
NEXT_TO_NOTHING = 1e-4  # a number so many times smaller than its neighbour is shown as 0
CENTS, HUNDRED = 0.0995, 99.95  # amounts between these are written with cents
THOUSAND = 1000
SMALL_P = 0.001  # below this, a p-value says no more than that it is small
IN_TEXT, ON_PAGES = 6, 3  # significant digits of the values of settings and parameters
MOST_ITEMS = 6  # of a list of values; the others are counted
MOST_ROWS, MOST_ON_PAGES = 12, 40  # of a frame within a result, as text and on pages, which fold long tables
END_OF_INTERVAL = re.compile(r"(.+)_(lower|upper)(_(\d+))?")  # the name of a column


def three_digits(value: float, *, decimals: int | None = None) -> str:
    """A number to three significant digits, whole parts kept: 1665.5 becomes 1,666; tiny ones become 1e-09.

    Parameters
    ----------
    value
        The number.
    decimals
        The largest number of decimals, for a test statistic: a value near 0 becomes 0.00. By default None: no limit.

    Returns
    -------
    str
        The number with thousands separators.

    Notes
    -----
    ``pd.set_option("display.float_format", three_digits)`` formats all tables like this.

    Examples
    --------
    >>> [three_digits(value) for value in (1665.513, 166.4, 23.4, 1.0, 0.0587, -0.02, 0.0)]
    ['1,666', '166', '23.4', '1.00', '0.0587', '-0.0200', '0']
    >>> three_digits(470.274, decimals=2), three_digits(0.00031, decimals=2)
    ('470', '0.00')
    """
    if decimals is not None and math.isfinite(value):
        return _to(min(_decimals(value, 3), decimals) if value else decimals, value)
    if value == 0 or not math.isfinite(value) or abs(value) < TINY:
        return f"{abs(value) if value == 0 else value:.3g}"
    return _to(_decimals(value, 3), value)


def amount_text(value: float) -> str:
    """An amount of money to three significant digits: cents below 100, whole parts kept above.

    Examples
    --------
    >>> [amount_text(value) for value in (0.5, 13.4, 87.68, 543.2, 16312.4, 0.0587, 0)]
    ['0.50', '13.40', '87.70', '543', '16,312', '0.0587', '0']
    """
    if not CENTS <= abs(value) < HUNDRED:
        return three_digits(value)
    return _to(2, float(f"{value:.3g}"))


def format_together(*values: float) -> tuple[str, ...]:
    """Numbers that stand side by side, with as many decimals each: three digits of the largest, one of the smallest.

    Examples
    --------
    >>> format_together(0.218, 0.0102, 0.427), format_together(7.87, 5.9, 11.8)
    (('0.218', '0.010', '0.427'), ('7.9', '5.9', '11.8'))
    >>> format_together(1.2, 0.04, 31.0), format_together(16312.0, -2.4)
    (('1.20', '0.04', '31.00'), ('16,312', '-2'))
    """
    sizes = [abs(value) for value in values if value != 0 and math.isfinite(value)]
    if not sizes or max(sizes) < TINY:
        return tuple(three_digits(value) for value in values)
    smallest = min(size for size in sizes if size >= NEXT_TO_NOTHING * max(sizes))
    decimals = max(_decimals(max(sizes), 3), _decimals(smallest, 1))
    return tuple(_to(decimals, value) for value in values)


def with_interval(estimate: float, lower: float, upper: float) -> str:
    """A number with its interval.

    Examples
    --------
    >>> with_interval(0.153, 0.0548, 0.252)
    '0.153 (0.055 to 0.252)'
    """
    middle, *ends = format_together(estimate, lower, upper)
    return f"{middle} ({' to '.join(ends)})"


def with_intervals(frame: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The frame with each pair of columns ``x_lower, x_upper`` as one column of text, for display.

    Parameters
    ----------
    frame
        A frame with intervals.
    level
        Level of the intervals, for the names of the columns; 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        The interval column is named by the level alone if it follows ``x``, and otherwise by ``x`` and the level. A
        pair ``x_lower_80, x_upper_80`` has a level of its own. What is missing (``<NA>``) becomes a dash.

    Raises
    ------
    ValueError
        When the level does not lie between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> with_intervals(pd.DataFrame({"value": [16312.0], "value_lower": [15354.2], "value_upper": [17330.4]}))
         value             95 %
    0  16312.0  15,354 … 17,330
    """
    require_level(level)
    columns: list[pd.Series] = []
    for name, values in frame.items():
        found = END_OF_INTERVAL.fullmatch(str(name))
        lower, upper = (f"{found[1]}_{end}{found[3] or ''}" if found else "" for end in ("lower", "upper"))
        if not {lower, upper} <= set(frame.columns):
            columns.append(_with_dashes(values))
        elif found and name == lower:
            whole = values.dtype.kind in "iu"
            pairs = [
                ("-",) if a is pd.NA or b is pd.NA else (f"{a:,}", f"{b:,}") if whole else format_together(a, b)
                for a, b in zip(values, frame[upper], strict=True)
            ]
            label = f"{found[4] or f'{100 * level:g}'} %"
            beside = bool(columns) and columns[-1].name == found[1]
            shown = pd.Series([" … ".join(ends) for ends in pairs], frame.index, dtype=object)
            columns.append(shown.rename(label if beside else f"{found[1]}, {label}"))
    return pd.concat(columns, axis=1)


def _with_dashes(values: pd.Series) -> pd.Series:
    """A column with a dash for what is ``<NA>``; large whole numbers have thousands separators, as in the text."""
    missing = np.array([value is pd.NA for value in values], dtype=bool)
    if values.dtype.kind in "iu" and not missing.any() and (values.abs() >= THOUSAND).any():
        return values.map("{:,}".format)
    if not missing.any():
        return values
    return pd.Series(
        [
            "-" if gone else f"{value:,}" if isinstance(value, int | np.integer) else value
            for value, gone in zip(values, missing, strict=True)
        ],
        values.index,
        dtype=object,
        name=values.name,
    )


def p_value_text(p_value: float) -> str:
    """A p-value as text for a column of a table.

    Parameters
    ----------
    p_value
        The p-value.

    Returns
    -------
    str
        Two significant digits, or "< 0.001"; a missing one stays nan.

    Raises
    ------
    ValueError
        When it is not a number from 0 to 1.

    Examples
    --------
    >>> p_value_text(0.0218), p_value_text(2.5e-53)
    ('0.022', '< 0.001')
    """
    if not (isinstance(p_value, float) and math.isnan(p_value)):
        require_number("p_value", p_value, 0, 1)
    return f"< {SMALL_P:g}" if p_value < SMALL_P else f"{p_value:.2g}"


def p_statement(p_value: float) -> str:
    """A p-value within a sentence.

    Examples
    --------
    >>> p_statement(0.0218), p_statement(2.5e-53)
    ('p = 0.022', 'p < 0.001')
    """
    return f"p {p_value_text(p_value)}" if p_value < SMALL_P else f"p = {p_value_text(p_value)}"


def chi_squared_statement(statistic: float, degrees: int) -> str:
    """A test's statistic within a sentence.

    Examples
    --------
    >>> chi_squared_statement(470.274, 1)
    'chi-squared 470 with 1 degree of freedom'
    """
    plural = "" if degrees == 1 else "s"
    return f"chi-squared {three_digits(statistic, decimals=2)} with {degrees} degree{plural} of freedom"


class Titled(NamedTuple):
    """A sentence with a title, which pages set in bold."""

    title: str
    text: str


class Facts(NamedTuple):
    """Names and values: of settings as ``Costs: contact = 0.02``, of a model as ``Geometric(rate=0.0448)``."""

    title: str
    values: Mapping[str, Any]
    is_call: bool = False


Part: TypeAlias = str | Titled | Facts | pd.DataFrame | Sequence[str]


class Presentation:
    """The base of results and settings: their short form, as text and as HTML, with rounded numbers.

    A class says in ``_parts`` what a reader needs: sentences, lists of sentences, small frames. By default these are
    the values of its fields. A dataclass takes ``repr=False``, so that the short form is its repr.
    """

    __slots__ = ()

    def _parts(self) -> Sequence[Part]:
        return [Facts(type(self).__name__, field_values(self))]

    def __repr__(self) -> str:
        return "\n".join(_as_text(part) for part in self._parts())

    def _repr_html_(self) -> str:
        return "".join(_as_html(part) for part in self._parts())


def field_values(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that hold anything, those left out of its repr aside."""
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.repr}
    return {name: value for name, value in values.items() if not _is_empty(value)}


def counted(counts: Mapping[str, int]) -> str:
    """Counts by what they count, in one line.

    Examples
    --------
    >>> counted({"rows without a readable date": 1, "rows with a negative amount": 1200})
    '1 row without a readable date, 1,200 rows with a negative amount'
    """
    return ", ".join(number_of(count, name) for name, count in counts.items())


def number_of(count: float, what: str) -> str:
    """A whole number, and what is counted, of which the first word is a plural: that loses its s beside 1.

    Examples
    --------
    >>> number_of(1, "days"), number_of(2, "rows without a customer_id")
    ('1 day', '2 rows without a customer_id')
    """
    first, space, rest = what.partition(" ")
    return f"{count:,.0f} {first.removesuffix('s') if count == 1 else first}{space}{rest}"


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | tuple | list | Mapping) and len(value) == 0)


def _as_text(part: Part) -> str:
    match part:
        case str():
            return part
        case Titled():
            return f"{part.title} {part.text}"
        case Facts():
            return _facts(part, IN_TEXT)
        case pd.DataFrame():
            return _as_shown(part).to_string(index=_has_labels(part), float_format=three_digits, max_rows=MOST_ROWS)
    return "\n".join(part)


def _as_html(part: Part) -> str:
    match part:
        case str():
            return f"<p>{escape(part)}</p>"
        case Titled():
            return f"<p><strong>{escape(part.title)}</strong> {escape(part.text)}</p>"
        case Facts():
            return f"<p>{escape(_facts(part, ON_PAGES))}</p>"
        case pd.DataFrame():
            shown = _as_shown(part)
            with pd.option_context("display.max_colwidth", None):
                return shown.to_html(index=_has_labels(part), float_format=three_digits, max_rows=MOST_ON_PAGES)
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in part)}</ul>"


def _has_labels(frame: pd.DataFrame) -> bool:
    """Whether the index says anything: row numbers do not."""
    return not isinstance(frame.index, pd.RangeIndex)


def _as_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of whole numbers with thousands separators and no decimals."""
    whole = [name for name in frame.columns if _is_whole(frame[name])]
    written = {name: frame[name].map("{:,.0f}".format) for name in whole}
    return frame.astype(dict.fromkeys(whole, object)).assign(**written)


def _is_whole(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iu" or (column.dtype.kind == "f" and bool(np.all(column == np.floor(column))))


def _facts(facts: Facts, digits: int) -> str:
    values = {name: _written(value, digits) for name, value in facts.values.items()}
    if facts.is_call:
        arguments = [f"{name}={value}".replace(",", "") for name, value in values.items()]
        return f"{facts.title}({', '.join(arguments)})"
    return f"{facts.title}: {'; '.join(f'{name} = {value}' for name, value in values.items())}"


def _written(value: Any, digits: int) -> str:
    """A value in a few characters; of arrays and frames the size."""
    match value:
        case bool() | np.bool_():
            return "yes" if value else "no"
        case int() | np.integer():
            return f"{value:,}"
        case float() | np.floating():
            return short_number(float(value), digits)
        case dt.date():
            return value.isoformat()
        case pd.DataFrame() | pd.Series():
            return f"{len(value):,} rows"
        case np.ndarray():
            return f"[{' by '.join(f'{length:,}' for length in value.shape)} values]"
        case Presentation():
            return _within(value, digits)
        case Mapping():
            return _listed((f"{name}: {_written(held, digits)}" for name, held in value.items()), len(value))
        case tuple() | list():
            return _listed((_written(held, digits) for held in value), len(value))
    return value if isinstance(value, str) else type(value).__name__


def _within(record: Presentation, digits: int) -> str:
    """A record within another one: its values, or the first sentence that it shows."""
    match record._parts()[0]:
        case Facts(is_call=False) as facts:
            return ", ".join(f"{name} {_written(value, digits)}" for name, value in facts.values.items())
        case Facts() as facts:
            return _facts(facts, digits)
        case pd.DataFrame() as frame:
            return _written(frame, digits)
        case str() | Titled() as sentence:
            return _as_text(sentence)
        case sentences:
            return sentences[0]


def _listed(items: Iterable[str], count: int) -> str:
    first = [item for item, _ in zip(items, range(MOST_ITEMS), strict=False)]
    return ", ".join(first) + (f" and {count - MOST_ITEMS:,} more" if count > MOST_ITEMS else "")


def short_number(value: float, digits: int = ON_PAGES) -> str:
    """A number to so many significant digits, whole parts kept, without zeros at the end: 0.1, 293, 5."""
    if value == 0 or not math.isfinite(value) or abs(value) < TINY:
        return f"{abs(value) if value == 0 else value:.{digits}g}"
    text = _to(_decimals(value, digits), value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(value: float, digits: int) -> int:
    """How many decimals show so many significant digits: 2 for three of 1.234, and of 0.9996, which becomes 1.00."""
    return max(digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits}g}")))), 0)


def _to(decimals: int, value: float) -> str:
    """A number with so many decimals; what rounds to zero has no sign."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}" if math.isfinite(value) else f"{value:g}"
