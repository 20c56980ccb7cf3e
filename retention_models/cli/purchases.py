"""A log of purchases: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from retention_models.cli.options import (
    CURRENCY,
    DATE_FORMAT,
    DECIMAL,
    LAYOUT,
    LEVEL,
    MARGIN,
    MAX_SET_ASIDE,
    OBSERVATION_END,
    TIME_ZONE,
    Option,
    discount_rate,
    given,
    number,
)
from retention_models.cli.sources import Known, Source
from retention_models.report.errors import ReportError, RequestError

if TYPE_CHECKING:
    from retention_models.logs.transactions.log import Transactions
    from retention_models.logs.transactions.settings import AnalysisSettings

COLUMNS = (
    Option("customer_id", "COLUMN", "column of the customer's id (default: customer_id)"),
    Option("date", "COLUMN", "column of the day or time (default: date)"),
    Option("amount", "COLUMN", "column of the amount paid (default: amount)"),
    Option("no_amount", None, "there is no money in the log"),
    Option("quantity", "COLUMN", "column of the number of items, with --unit-price, in place of --amount"),
    Option("unit_price", "COLUMN", "column of the price of one item"),
)
READING = (
    Option("where", "CONDITION", "rows that count: status=Completed or status!=Cancelled; several", repeated=True),
    Option(
        "refunds",
        "RULE",
        "negative amounts: set_aside (default), net (money back) or error",
        choices=("set_aside", "net", "error"),
    ),
    DATE_FORMAT,
    DECIMAL,
    *LAYOUT,
    TIME_ZONE,
    MAX_SET_ASIDE,
)
WINDOW = (
    OBSERVATION_END,
    Option("acquired_after", "DAY", "only customers first seen on this day or later"),
)
DISCOUNT_RATE = Option("annual_discount_rate", "RATE", "0.1 for 10 %% a year (default: 0.15, assumed)", discount_rate)
OFFER_COST = Option(
    "offer_cost", "AMOUNT", "of one offer (default: a tenth of a typical purchase, assumed)", number
)
_FORECAST = (
    Option("calibration_end", "DAY", "last day to learn from; later ones judge (default: two thirds of it)"),
    Option("time_unit", "UNIT", "W, D or a length such as 30D (default: by the rhythm of purchases)"),
    Option("horizon", "N", "length of the forecast in time units (default: as long as the holdout)", number),
    Option("model", "NAME", "such as BGNBD, for the values (default: ParetoNBD, or what forecasts better)"),
    LEVEL,
)
_PLAN = ("calibration_end", "observation_end", "acquired_after", "time_unit", "horizon")


def log_keywords(options: Namespace) -> dict[str, Any]:
    """The keywords of ``read_transactions`` that options state."""
    if options.no_amount and options.amount:
        raise RequestError("--amount and --no-amount cannot both be; leave one out")
    columns = given(options, ("customer_id", "date", "amount", "quantity", "unit_price"))
    return columns | ({"amount": None} if options.no_amount else {}) | given(options, [o.name for o in READING])


def read_log(options: Namespace) -> Transactions:
    """The log that the options describe, read and checked."""
    from retention_models.logs.transactions.log import read_transactions

    return read_transactions(options.transactions, **log_keywords(options))


def _check(options: Namespace, known: Known, named: bool) -> list[str]:
    from retention_models.logs.transactions.describe.rhythm import repeat_buyers
    from retention_models.logs.transactions.settings import purchase_settings

    log = read_log(options)
    if not repeat_buyers(log):
        reason = "no customer in it bought twice, so that there is nothing to forecast by"
        return _leave_out([name for name, parameters in known.items() if "calibration_end" in parameters], reason, named)
    plan = purchase_settings(log, **{name: getattr(options, name) for name in _PLAN})
    if log.has_amount and any("margin" in parameters for parameters in known.values()):
        _check_amounts(log, plan)
    if plan.has_holdout:
        return []
    with_holdout = [name for name, parameters in known.items() if "calibration_end" in parameters]
    return _leave_out(with_holdout, plan.reasons["calibration_end"], named)


def _leave_out(names: list[str], reason: str, named: bool) -> list[str]:
    """The notebooks that cannot run on a log; an error where they were asked for by name, or no other is left."""
    if names and named:
        raise ReportError(f"{' and '.join(names)} cannot run on this log. {reason}")
    return names


def _check_amounts(log: Transactions, plan: AnalysisSettings) -> None:
    """Refuse a log in which next to nobody pays for a repeat purchase, so that no amount can be expected."""
    from retention_models.logs.transactions.summary import summarize

    days = {name: getattr(plan, name) for name in ("calibration_end", "observation_end", "acquired_after")}
    again = summarize(log, **days, time_unit=plan.time_unit).query("frequency > 0")
    paying = int((again["monetary_value"] > 0).sum())
    if paying < 2:
        raise ReportError(
            f"what a purchase brings cannot be learnt: {paying:,} of {len(again):,} repeat buyers paid anything for "
            "their repeat purchases, and two must have; with --no-amount value is counted in purchases"
        )
