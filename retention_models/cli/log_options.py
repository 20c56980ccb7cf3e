"""Options that say where a log is and how to read it, shared by all commands that take one."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention_models.core.arguments import require_discount_rate, require_margin, require_number

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from retention_models.logs.transactions.log import Transactions


# Messages of the package name its keywords. They are shown as they are, with this line below.
KEYWORDS = (
    "Keywords are written as options: observation_end as --observation-end, amount=None as --no-amount, covariates as "
    "--group or, of a test, --covariate."
)


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
    group.add_argument(
        "--where", action="append", metavar="CONDITION", help="rows that count: status=Completed, or status!=Cancelled"
    )
    add_form_options(group)
    group.add_argument("--time-zone", metavar="ZONE", help="whose days count, such as Europe/Berlin")
    group.add_argument(
        "--max-set-aside", type=share, metavar="SHARE", help="of rows, or their amount, that may be unreadable (0.2)"
    )
    group.add_argument("--observation-end", metavar="DAY", help="last day that counts (default: the log's last)")
    group.add_argument("--acquired-after", metavar="DAY", help="only customers first seen on this day or later")
    return group


def add_form_options(group: ArgumentParser | _ArgumentGroup) -> None:
    """Add ``--date-format`` and ``--decimal``, which settle what columns of text do not show."""
    group.add_argument(
        "--date-format",
        metavar="FORMAT",
        help="of days in text, such as %%d/%%m/%%Y; or iso, unix_s, unix_ms, unix_days, excel (default: by the column)",
    )
    group.add_argument("--decimal", choices=(".", ","), help="decimal mark of numbers in text (default: by the column)")


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
    if options.max_set_aside is not None:
        kept["max_set_aside"] = options.max_set_aside
    kept |= {"time_zone": options.time_zone, "date_format": options.date_format, "decimal": options.decimal}
    kept |= {"where": options.where or ()}
    return read_transactions(options.transactions, **kept)


def margin(text: str) -> float:
    """A share of an amount: above 0, and at most 1."""
    return _check_number(text, require_margin)


def share(text: str) -> float:
    """A share: from 0 to 1."""
    return _check_number(text, partial(require_number, "the share", low=0, high=1))


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
