"""Reading a purchase log.

A row needs a customer, a date and, with money, a finite amount. The caller chooses the rules for refunds (negative
amounts, see ``returns``) and gifts (zero amounts), and the result stores them. Every row set aside is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import check_choice, require_number
from retention_models.core.formatting import counted
from retention_models.logs.set_aside import check_rows_that_count, count_faults, tally
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.returns import measure_returns
from retention_models.tables.conditions import Condition, all_met, read_conditions, values_in
from retention_models.tables.currencies import CURRENCY, currency_column, require_one_currency
from retention_models.tables.engines import (
    clock_of,
    column_names,
    forms_of,
    open_log,
    reading_facts,
    require_columns,
    settle,
    unread_hint,
)
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import Frame, collect, on_engine
from retention_models.tables.reading import TextReading, described
from retention_models.tables.text_forms import formats_in_words

Refunds = Literal["net", "set_aside", "error"]
Zeros = Literal["keep", "set_aside"]

NO_CUSTOMER = "rows without a customer_id"
UNREADABLE = "rows without a readable date"
NO_AMOUNT = "rows without a finite amount"
TOO_LARGE = "rows with an amount of 1e15 or more"
NEGATIVE = "rows with a negative amount"
UNWANTED = "rows outside the conditions"
BROKEN = (NO_CUSTOMER, UNREADABLE, NO_AMOUNT, TOO_LARGE)  # what no rule asks for
READ = {UNREADABLE: ("date",), NO_AMOUNT: ("amount", "quantity", "unit_price")}  # columns that rows are set aside for
NUMBERS = ("amount", "quantity", "unit_price")
KINDS: dict[str, Kind] = {"customer_id": "id", "date": "day", **dict.fromkeys(NUMBERS, "number")}
BEYOND_CENTS = 1e15  # numbers this large, with either sign, are an eighth apart; far larger ones have no sum


class Reading(TextReading, total=False):
    """Keywords of ``read_transactions`` that other readers of a log pass on."""

    refunds: Refunds
    zeros: Zeros
    time_zone: str | None
    max_set_aside: float
    where: str | Sequence[str]
    quantity: str | None
    unit_price: str | None
    order_id: str | None
    article: str | None


def read_transactions(
    source: Any,
    *,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    refunds: Refunds = "net",
    zeros: Zeros = "keep",
    time_zone: str | None = None,
    max_set_aside: float = 0.2,
    date_format: str | None = None,
    decimal: str | None = None,
    where: str | Sequence[str] = (),
    quantity: str | None = None,
    unit_price: str | None = None,
    order_id: str | None = None,
    article: str | None = None,
    separator: str | None = None,
    no_header: bool = False,
    encoding: str | None = None,
) -> Transactions:
    """A purchase log, checked: rows that cannot count are set aside and counted by reason.

    Parameters
    ----------
    source
        A pandas or Polars frame (eager or lazy), a DuckDB relation, a Spark frame, or the path of a CSV, Parquet or
        Excel file (``.csv``, ``.tsv``, ``.txt``, also with ``.gz``; ``.parquet``, ``.pq``; ``.xlsx``). A path can be a
        pattern such as ``"sales/*.parquet"``. CSV and Parquet files can be larger than memory. One row is one
        transaction or one line of it. Other columns are not read.
    customer_id, date, amount
        Column names of the customer, the day or time of the purchase, and the money. ``amount=None`` means that the log
        has no money.
    refunds
        What a negative amount means. ``"net"`` (the default): a return, which cancels the customer's latest purchases
        up to its size; a purchase returned whole is no purchase. ``"set_aside"``: a row that does not count, so that
        amounts are gross. ``"error"``: a mistake in the log.
    zeros
        What an amount of zero means. ``"keep"`` (the default): a purchase. ``"set_aside"``: not a purchase.
    time_zone
        The time zone of the calendar, such as ``"Europe/Berlin"``. Dates with a zone are converted to it. By default
        each date keeps its own zone.
    max_set_aside
        Largest share of the rows, or of their amount, that may be set aside because it cannot be read. By default 0.2.
    date_format
        How days are written in text: a format such as ``"%d/%m/%Y"``, or ``"iso"``, ``"unix_s"``, ``"unix_ms"``,
        ``"unix_days"`` (seconds, milliseconds, days since 1970) or ``"excel"``. By default the column shows it.
    decimal
        The decimal mark of numbers in text, ``"."`` or ``","``. By default the column shows it.
    where
        Which rows count, such as ``"status=Completed"`` or ``["currency=EUR", "channel!=test"]``: a row counts if it
        meets all conditions; several values of one column are alternatives. Values are compared as text. By default all
        rows count.
    quantity, unit_price
        Column names of the number of items and the price of one, whose product is the amount. By default the log has a
        column of amounts.
    order_id, article
        Column names of the order and of the article. A return cancels purchases of the same order and article first,
        then of the same order, then of the same article. By default the columns called ``order_id`` and ``article``, if
        the log has them.
    separator
        What stands between the values of a file of text: a character, ``"tab"``, or ``"space"`` for blanks of any
        number. By default that of ``,;|`` and tab which is most frequent in the first line.
    no_header
        Whether the first line of a file holds values. Columns are then called by their numbers, ``"1"``, ``"2"``, ...
    encoding
        Encoding of a file of text, such as ``"cp1252"``. By default UTF-8, or UTF-16 where the file is marked as such.

    Returns
    -------
    Transactions
        The rows that count (``frame``), their number, the first and the last day, the number of rows set aside by
        reason, the amounts returned (``returns``), and checks. The first fails where more than 1 % of the rows or of
        their amount cannot be read. The second fails where returns without a purchase are more than 2 % of the amount:
        amounts are then not used.

    Raises
    ------
    ValueError
        When columns are missing, duplicated or of the wrong type, or ids have several types. When dates mix time zones
        and ``time_zone`` is not given. When no row is left, or more than ``max_set_aside`` cannot be read. When amounts
        have several currencies, by their text or by a column called currency.

    Notes
    -----
    A row is set aside if the customer is missing or blank, or if the date cannot be read. So is a row whose amount is
    missing, infinite or at least 1e15.

    A return can cancel purchases of the same day and earlier ones. What is known of returns is what is dated by the end
    of the calibration period, or by the day of an earlier forecast; later returns change only what came true. If the
    first purchase is returned whole, the next one is the first.

    Days and numbers in text are read by column: the form that reads most values is taken, and stated in ``formats``.
    Where two forms read the same values differently (``3/4/2024``, ``1.234``), or some values have one form and some
    another, the log is refused, and ``date_format`` or ``decimal`` settles it. Blanks around text are ignored. Ids in
    files of text are whole numbers if every one is.

    DuckDB and Spark keep the time zone in the connection or the session. A Parquet file keeps instants in UTC.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Ann", "Bob", "Bob"],
    ...     "date": ["2024-01-05", "2024-02-30", "2024-01-20", "2024-03-01"],
    ...     "amount": [20.0, 30.0, 15.0, -15.0],
    ... })
    >>> transactions = read_transactions(log, max_set_aside=0.5)
    >>> transactions.set_aside
    {'rows without a readable date': 1}
    >>> transactions.returns
    Returns: rows = 1; gross = 35; returned = 15; net = 20; unmatched = 0
    >>> import retention_models as rm
    >>> rm.summarize(transactions).index.tolist()
    ['Ann']
    """
    check_choice("refunds", refunds, get_args(Refunds))
    check_choice("zeros", zeros, get_args(Zeros))
    require_number("max_set_aside", max_set_aside, 0, 1)
    source, stated = described(
        source,
        date_format=date_format,
        decimal=decimal,
        separator=separator,
        no_header=no_header,
        encoding=encoding,
    )
    roles = _roles(customer_id, date, amount, quantity, unit_price)
    conditions = read_conditions(where)
    has_amount = len(roles) > 2
    with naming(source):
        if conditions:
            asked = [condition.column for condition in conditions]
            require_columns(source, asked, "the log", "where names columns: 'column=value'")
        columns = roles | {f"where{i}": condition.column for i, condition in enumerate(conditions)}
        columns |= currency_column(source, conditions) if has_amount else {}
        kinds = KINDS | {name: "text" for name in columns if name not in roles}
        faults = _faults(has_amount, refunds, zeros, conditions)
        faulty = reduce(or_, faults.values())
        wanted_rows = ~faults[UNWANTED] if conditions else None
        forms = forms_of(source, columns, kinds, stated, hint=_hint(roles), rows=wanted_rows)
        keys = _key_columns(source, roles, {"order_id": order_id, "article": article})
        frame = _with_amount(open_log(source, columns, kinds, hint=_hint(roles), time_zone=time_zone, forms=forms))
        if CURRENCY in columns:
            require_one_currency(frame.filter(~faulty), columns[CURRENCY])
        facts = _scan(frame, faulty, has_amount)
        nets = refunds == "net" and facts.get("negative", 0) > 0
        if nets and keys:
            columns, kinds = columns | keys, kinds | dict.fromkeys(keys, "text")
            frame = _with_amount(open_log(source, columns, kinds, hint=_hint(roles), time_zone=time_zone, forms=forms))
    set_aside = count_faults(frame, faults) if facts["faulty"] else {}
    amount_share = _broken_amount(frame, faults) if set_aside.keys() & {NO_CUSTOMER, UNREADABLE} and has_amount else 0.0
    settled = settle(frame, facts, roles, time_zone)
    wanted = int(facts["rows"]) - set_aside.get(UNWANTED, 0)
    broken = {reason: count for reason, count in set_aside.items() if reason in BROKEN}
    unread = [role for reason in broken for role in READ.get(reason, ()) if role in roles]
    hint = unread_hint(source, roles, KINDS, forms, unread)
    if conditions and 0 < facts["rows"] == set_aside.get(UNWANTED):
        raise ValueError(f"no row of the log satisfies where. {values_in(frame, conditions)}")
    _check_rows(int(facts["rows"]), set_aside, refunds, roles, hint)
    check = check_rows_that_count(broken, wanted, max_set_aside, amount_share=amount_share, hint=hint)
    kept = ["customer_id", "date", *(["amount"] if has_amount else []), *(keys if nets else [])]
    counting = (settled.filter(~faulty) if set_aside else settled).select(*kept)
    returns = measure_returns(_grouping(counting), facts["last"].date()) if nets else None
    return Transactions(
        frame=counting.to_native(),
        rows=int(facts["rows"]) - sum(set_aside.values()),
        set_aside=set_aside,
        first_date=facts["first"].date(),
        last_date=facts["last"].date(),
        has_amount=has_amount and (returns is None or returns.allow_value),
        nets_refunds=bool(nets),
        returns=returns,
        checks=(check,) if returns is None else (check, returns.check),
        formats=formats_in_words(forms, roles),
        clock=time_zone or clock_of(source, date),
    )


def _roles(
    customer_id: str, date: str, amount: str | None, quantity: str | None, unit_price: str | None
) -> dict[str, str]:
    """The columns by their roles; an error where an amount is stated twice, or by half."""
    roles = {"customer_id": customer_id, "date": date}
    if quantity is None and unit_price is None:
        return roles if amount is None else roles | {"amount": amount}
    if quantity is None or unit_price is None:
        missing = "unit_price" if unit_price is None else "quantity"
        raise ValueError(f"{missing} is missing: an amount is the quantity times the unit_price; state both, or amount")
    if amount not in (None, "amount"):
        raise ValueError(f"amount={amount!r} and quantity times unit_price both define the amount; state only one")
    return roles | {"quantity": quantity, "unit_price": unit_price}


def _grouping(rows: Frame) -> nw.LazyFrame[Any]:
    """The rows on the engine that groups them; ids in pandas, which can have any type, as numbers."""
    if rows.implementation.is_pandas():
        frame = rows.to_native()
        return on_engine(frame.assign(customer_id=pd.factorize(frame["customer_id"])[0]))
    return rows.lazy()


def _key_columns(source: Any, roles: Mapping[str, str], stated: Mapping[str, str | None]) -> dict[str, str]:
    """The columns by which returns find their purchases: those stated, and by default those of the same name."""
    there = [name for name in column_names(source, "the log") if name not in roles.values()]
    keys = {role: name or role for role, name in stated.items() if name or role in there}
    require_columns(source, list(keys.values()), "the log", "order_id and article name columns")
    return keys


def _with_amount(frame: Frame) -> Frame:
    """The frame with the amount in place of the quantity and the price of one."""
    if "quantity" not in frame.collect_schema().names():
        return frame
    return frame.with_columns(amount=nw.col("quantity") * nw.col("unit_price")).drop("quantity", "unit_price")


def _faults(
    has_amount: bool, refunds: Refunds, zeros: Zeros, conditions: Sequence[Condition] = ()
) -> dict[str, nw.Expr]:
    """Each reason to set a row aside, with the rows it applies to."""
    customer_id, date, amount = nw.col("customer_id"), nw.col("date"), nw.col("amount")
    names = [f"where{i}" for i in range(len(conditions))]
    faults = {UNWANTED: ~all_met(conditions, names)} if conditions else {}
    faults |= {NO_CUSTOMER: customer_id.is_null(), UNREADABLE: date.is_null()}
    if has_amount:
        faults[NO_AMOUNT] = amount.is_null() | ~amount.is_finite()
        faults[TOO_LARGE] = amount.abs() >= BEYOND_CENTS
        if refunds != "net":
            faults[NEGATIVE] = amount < 0
        if zeros == "set_aside":
            faults["rows with an amount of zero"] = amount == 0
    return faults


def _scan(frame: Frame, faulty: nw.Expr, has_amount: bool) -> pd.Series[Any]:
    """What one pass over the log tells: how many rows, faulty and negative, it has; the dates, zones and ids in it."""
    usable_date = nw.when(~nw.col("_faulty")).then(nw.col("date"))
    facts = {
        "rows": nw.len(),
        "faulty": tally(nw.col("_faulty")),
        "first": usable_date.min(),
        "last": usable_date.max(),
    }
    if has_amount:
        facts["negative"] = tally(~nw.col("_faulty") & (nw.col("amount") < 0))
    facts |= reading_facts(frame, nw.col("_faulty"))
    return collect(frame.lazy().with_columns(_faulty=faulty).select(**facts)).iloc[0]


def _broken_amount(frame: Frame, faults: Mapping[str, nw.Expr]) -> float:
    """The share of the amount that stands in rows without a customer or a date."""
    amount = nw.col("amount").abs()
    known = ~(faults[NO_AMOUNT] | faults[TOO_LARGE])
    lost = faults[NO_CUSTOMER] | faults[UNREADABLE]
    rows = frame.lazy().filter(known).with_columns(_lost=lost)
    sums = collect(rows.select(all=amount.sum(), lost=nw.when(nw.col("_lost")).then(amount).sum())).fillna(0.0).iloc[0]
    return float(sums["lost"] / sums["all"]) if sums["all"] else 0.0


def _hint(roles: Mapping[str, str]) -> str:
    return f"Say which is which: {', '.join(f'{role}=...' for role in roles)} (amount=None where there is no money)"


def _check_rows(rows: int, set_aside: Mapping[str, int], refunds: Refunds, roles: Mapping[str, str], hint: str) -> None:
    if rows == 0:
        raise ValueError("the log has no rows")
    if refunds == "error" and NEGATIVE in set_aside:
        raise ValueError(
            f"{_amount_text(roles)} is negative in {set_aside[NEGATIVE]:,} of {rows:,} rows, "
            "which refunds='error' forbids; "
            "choose 'set_aside' or 'net', or correct the log"
        )
    if rows == sum(set_aside.values()):
        raise ValueError(f"no row of the log can be used: {counted(set_aside)}{hint}")


def _amount_text(roles: Mapping[str, str]) -> str:
    if "amount" in roles:
        return f"column {roles['amount']!r}"
    return f"column {roles['quantity']!r} times {roles['unit_price']!r}"
