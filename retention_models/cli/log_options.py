"""Options that say where a log is and how to read it, shared by all commands that take one."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from retention_models.inputs import require_discount_rate, require_margin

if TYPE_CHECKING:
    from retention_models.logs.transactions import Transactions


def add_log_options(parser: ArgumentParser, *, required: bool) -> None:
    """Add ``--transactions``, the names of its columns, and the days that count."""
    group = parser.add_argument_group("the log")
    group.add_argument(
        "--transactions",
        type=Path,
        required=required,
        metavar="FILE",
        help="CSV or Parquet file with one row a purchase, or a quoted pattern such as 'sales/*.parquet'",
    )
    group.add_argument("--customer-id", metavar="COLUMN", help="column of the customer's id (default: customer_id)")
    group.add_argument("--date", metavar="COLUMN", help="column of the date or time (default: date)")
    money = group.add_mutually_exclusive_group()
    money.add_argument("--amount", metavar="COLUMN", help="column of the amount paid (default: amount)")
    money.add_argument("--no-amount", action="store_true", help="there is no money in the log")
    group.add_argument("--time-zone", metavar="ZONE", help="whose days count, such as Europe/Berlin")
    group.add_argument("--observation-end", metavar="DAY", help="last day that counts (default: the log's last)")
    group.add_argument("--acquired-after", metavar="DAY", help="only customers first seen on this day or later")


def columns(options: Namespace) -> dict[str, str | None]:
    """Names of the log's columns by their role; ``amount`` is None where there is no money."""
    amount = None if options.no_amount else options.amount or "amount"
    return {"customer_id": options.customer_id or "customer_id", "date": options.date or "date", "amount": amount}


def read_log(options: Namespace) -> Transactions:
    """The log that the options describe, read and checked."""
    from retention_models.logs.transactions import read_transactions

    return read_transactions(options.transactions, **columns(options), time_zone=options.time_zone)  # type: ignore[arg-type]


def margin(text: str) -> float:
    """A share of an amount: above 0, and at most 1."""
    return _checked(text, require_margin)


def discount_rate(text: str) -> float:
    """A rate a year as a share: 0 or above, and below 1."""
    return _checked(text, require_discount_rate)


def _checked(text: str, rule: Callable[[object], None]) -> float:
    """The number that a text is, where it follows a rule."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number, not {text!r}") from None
    try:
        rule(value)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return value


def number(text: str) -> int | float:
    """A number above zero; a whole one stays whole."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return int(value) if value < 1e15 and value.is_integer() else value
