"""One front door for everything that touched a customer, read and checked like a log of purchases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Unpack

import narwhals as nw

from retention_models.core.arguments import require_number
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.logs.set_aside import check_rows_that_count, count_faults
from retention_models.tables.engines import forms_of, open_log, reading_facts, settle, unread_hint
from retention_models.tables.files import naming
from retention_models.tables.frames import collect, count_distinct
from retention_models.tables.reading import TextReading, described
from retention_models.tables.text_forms import formats_in_words

KINDS: dict[str, Any] = {
    "customer_id": "id",
    "date": "day",
    "kind": "text",
    "effort": "text",
    "value": "number",
    "until": "day",
    "assignment": "text",
    "panel_unit": "text",
}
WHERE = "the contacts"
HINT = "State which column is which: customer_id=..., date=..., kind=... (kind=None if all rows are of one kind)"
ONE_KIND = "contact"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contacts(Presentation):
    """A log of contacts that was read and checked; ``read_contacts`` creates it.

    Attributes
    ----------
    frame
        The rows that count, on the engine of the source: ``customer_id, date, kind`` and the other columns that were
        named, under the names of the keywords.
    rows
        Number of these rows.
    set_aside
        Number of rows that do not count, by reason.
    first_date, last_date
        First and last day.
    kinds
        Number of rows of each kind, the most frequent first.
    checks
        Whether nearly all rows can be read.
    formats
        The form of columns of text that are neither ISO 8601 nor plain numbers.
    """

    frame: Any = field(repr=False)
    rows: int
    set_aside: Mapping[str, int]
    first_date: dt.date
    last_date: dt.date
    kinds: Mapping[str, int]
    checks: tuple[Check, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)

    def _parts(self) -> Sequence[Part]:
        kinds = [f"{kind}: {number:,}" for kind, number in list(self.kinds.items())[:6]]
        aside = [f"Set aside: {counted(self.set_aside)}."] if self.set_aside else []
        return [f"{self.rows:,} contacts from {self.first_date} to {self.last_date}.", kinds, *aside]


def read_contacts(
    source: Any,
    *,
    customer_id: str | None = "customer_id",
    date: str = "date",
    kind: str | None = "kind",
    effort: str | None = None,
    value: str | None = None,
    until: str | None = None,
    assignment: str | None = None,
    panel_unit: str | None = None,
    time_zone: str | None = None,
    max_set_aside: float = 0.2,
    **reading: Unpack[TextReading],
) -> Contacts:
    """A log of contacts: memberships, messages, rewards, visits, calls, surveys, complaints, trainings, launches.

    Parameters
    ----------
    source
        Frame of pandas, Polars, DuckDB or Spark, or path of a CSV, Parquet or Excel file; one row a contact.
    customer_id, date
        Columns of the customer and of the day. ``customer_id=None`` for what touches units only, such as launches and
        trainings; ``panel_unit`` is then needed.
    kind
        Column of the kind, such as "message" or "complaint". None if all rows are of one kind.
    effort
        Column of the effort that the contact belongs to, as in a register. By default none.
    value
        Column of a number, such as the points of a reward or the mark of a survey. By default none.
    until
        Column of the last day of something that lasts, such as a membership; empty if it goes on. By default none.
    assignment
        Column of who decided about the contact: random, rule, choice or unknown. By default none.
    panel_unit
        Column of the store, region or team. By default none.
    time_zone
        Time zone of the calendar. By default each day keeps its own.
    max_set_aside
        Largest share of rows that may be unreadable. By default 0.2.
    **reading
        How text is read, as in ``read_transactions``: ``date_format, decimal, separator, no_header, encoding``.

    Returns
    -------
    Contacts
        The rows that count, and how many do not, by reason.

    Raises
    ------
    ValueError
        When a column is missing, an ``assignment`` is another word, no row is left, or too many cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> rows = pd.DataFrame({"who": [1, 1, 2, None], "day": "2026-01-05", "what": ["mail", "visit", "mail", "mail"]})
    >>> rm.read_contacts(rows, customer_id="who", date="day", kind="what", max_set_aside=0.5)
    3 contacts from 2026-01-05 to 2026-01-05.
    mail: 2
    visit: 1
    Set aside: 1 row without a customer_id.
    """
    require_number("max_set_aside", max_set_aside, 0, 1)
    if customer_id is None and panel_unit is None:
        raise ValueError("contacts without a customer need panel_unit=, the column of the store, region or team")
    stated = {"customer_id": customer_id, "date": date, "kind": kind, "effort": effort, "value": value}
    stated |= {"until": until, "assignment": assignment, "panel_unit": panel_unit}
    columns = {role: name for role, name in stated.items() if name is not None}
    source, forms_stated = described(source, **reading)
    with naming(source):
        kinds = {role: KINDS[role] for role in columns}
        forms = forms_of(source, columns, kinds, forms_stated, where=WHERE, hint=HINT)
        frame = open_log(source, columns, kinds, where=WHERE, hint=HINT, time_zone=time_zone, forms=forms)
        if kind is None:
            frame = frame.with_columns(nw.lit(ONE_KIND).alias("kind"))
        faults = _faults(columns)
        faulty = reduce(or_, faults.values())
        usable = nw.when(~nw.col("_faulty")).then(nw.col("date"))
        asked = {"rows": nw.len(), "first": usable.min(), "last": usable.max()}
        asked |= reading_facts(frame, nw.col("_faulty"))
        facts = collect(frame.lazy().with_columns(_faulty=faulty).select(**asked)).iloc[0]
    set_aside = count_faults(frame, faults)
    rows = int(facts["rows"])
    hint = unread_hint(source, columns, kinds, forms, ["date"] if NO_DATE in set_aside else [])
    if rows == sum(set_aside.values()):
        raise ValueError(
            f"no row of {WHERE} can be used: {counted(set_aside)}{hint}" if rows else f"{WHERE} have no rows"
        )
    check = check_rows_that_count(set_aside, rows, max_set_aside, hint=hint)
    counting = settle(frame, facts, columns, time_zone).filter(~faulty)
    if assignment is not None:
        _require_assignment(counting, assignment)
    return Contacts(
        frame=counting.to_native(),
        rows=rows - sum(set_aside.values()),
        set_aside=set_aside,
        first_date=facts["first"].date(),
        last_date=facts["last"].date(),
        kinds=_count_kinds(counting),
        checks=(check,),
        formats=formats_in_words(forms, columns),
    )


NO_DATE = "rows without a readable date"
WORDS = ("random", "rule", "choice", "unknown")


def _faults(columns: Mapping[str, str]) -> dict[str, nw.Expr]:
    """Each reason to set a row aside, with the rows it applies to."""
    faults = {"rows without a customer_id": nw.col("customer_id").is_null()} if "customer_id" in columns else {}
    faults |= {NO_DATE: nw.col("date").is_null()}
    if "kind" in columns:
        faults["rows without a kind"] = nw.col("kind").is_null()
    if "until" in columns:
        faults["rows that end before they begin"] = nw.col("until") < nw.col("date")
    if "panel_unit" in columns and "customer_id" not in columns:
        faults["rows without a panel_unit"] = nw.col("panel_unit").is_null()
    return {reason: fault.fill_null(False) for reason, fault in faults.items()}


def _count_kinds(rows: Any) -> dict[str, int]:
    """The number of rows of each kind."""
    table = count_distinct(rows.lazy(), ["kind"], number=nw.len())
    table = table.sort_values(["number", "kind"], ascending=[False, True])
    return {str(name): int(number) for name, number in zip(table["kind"], table["number"], strict=True)}


def _require_assignment(rows: Any, column: str) -> None:
    """A ValueError unless each row says who decided, in one of four words."""
    table = count_distinct(rows.lazy(), ["assignment"], number=nw.len())
    bad = table[~table["assignment"].isin(WORDS)]
    if len(bad):
        raise ValueError(
            f"{column} must be one of {', '.join(WORDS)}, which fails for {int(bad['number'].sum()):,} rows (first: "
            f"{bad['assignment'].iloc[0]!r})"
        )
