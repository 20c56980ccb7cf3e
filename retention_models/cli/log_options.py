"""Options that say where a log is and how to read it, shared by all commands that take one."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention_models.core.arguments import require_discount_rate, require_margin

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from retention_models.logs.transactions.log import Transactions


_KEYWORDS = ("observation_start", "observation_end", "calibration_end", "acquired_after", "time_zone", "time_unit")
_COLUMNS = ("customer_id", "date", "amount", "start", "end", "tenure", "churned", "cause")
_SHORT = (*_COLUMNS, "horizon", "period", "refunds")  # may be names of columns in a message, too


def add_log_options(parser: ArgumentParser, *, required: bool) -> _ArgumentGroup:
    """Add ``--transactions``, the names of its columns, and the days that count; returns their group."""
    group = parser.add_argument_group("the log")
    group.add_argument(
        "--transactions",
        type=Path,
        required=required,
        metavar="FILE",
        help="CSV, Parquet or Excel file, one row a purchase, or a quoted pattern such as 'sales/*.parquet'",
    )
    group.add_argument("--customer-id", metavar="COLUMN", help="column of the customer's id (default: customer_id)")
    group.add_argument("--date", metavar="COLUMN", help="column of the date or time (default: date)")
    money = group.add_mutually_exclusive_group()
    money.add_argument("--amount", metavar="COLUMN", help="column of the amount paid (default: amount)")
    money.add_argument("--no-amount", action="store_true", help="there is no money in the log")
    group.add_argument("--time-zone", metavar="ZONE", help="whose days count, such as Europe/Berlin")
    group.add_argument("--observation-end", metavar="DAY", help="last day that counts (default: the log's last)")
    group.add_argument("--acquired-after", metavar="DAY", help="only customers first seen on this day or later")
    return group


def add_refunds(group: _ArgumentGroup) -> None:
    """Add ``--refunds`` to the options of a log."""
    group.add_argument(
        "--refunds",
        choices=("set_aside", "net", "error"),
        default="set_aside",
        help="negative amounts are no purchases (set_aside, the default), money back (net), or mistakes (error)",
    )


def columns(options: Namespace) -> dict[str, str | None]:
    """Names of the log's columns by their role; ``amount`` is None where there is no money."""
    amount = None if options.no_amount else options.amount or "amount"
    return {"customer_id": options.customer_id or "customer_id", "date": options.date or "date", "amount": amount}


def read_log(options: Namespace) -> Transactions:
    """The log that the options describe, read and checked."""
    from retention_models.logs.transactions.log import read_transactions

    kept: Any = columns(options) | {"refunds": getattr(options, "refunds", "set_aside")}
    return read_transactions(options.transactions, **kept, time_zone=options.time_zone)


def as_options(message: str) -> str:
    """A message of the package with the keywords in it written as the options that stand for them.

    Examples
    --------
    >>> as_options("Say which is which: customer_id=..., date=... (amount=None where there is no money)")
    'Say which is which: --customer-id ..., --date ... (--no-amount where there is no money)'
    >>> as_options("observation_end 1997-01-01 lies before column 'observation_end'; pass acquired_after='1997-02-01'")
    "--observation-end 1997-01-01 lies before column 'observation_end'; pass --acquired-after 1997-02-01"
    """
    message = message.replace("amount=None", "--no-amount").replace("covariates=", "--group ")
    names = "|".join((*_KEYWORDS, *_SHORT))
    message = re.sub(
        rf"\b({names})=('[^']*'|\.\.\.|[\w.-]+)", lambda said: f"{_option(said[1])} {said[2].strip(chr(39))}", message
    )
    return re.sub(rf"(?<!['\w-])({'|'.join(_KEYWORDS)})(?!['\w])", lambda said: _option(said[1]), message)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def margin(text: str) -> float:
    """A share of an amount: above 0, and at most 1."""
    return _check_number(text, require_margin)


def discount_rate(text: str) -> float:
    """A rate a year as a share: 0 or above, and below 1."""
    return _check_number(text, require_discount_rate)


def _check_number(text: str, rule: Callable[[object], None]) -> float:
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
