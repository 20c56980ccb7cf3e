"""A log of purchases: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
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
    Option("no_amount", None, "the log has no amounts"),
    Option("quantity", "COLUMN", "column of the number of items: with --unit-price, no --amount"),
    Option("unit_price", "COLUMN", "column of the price of one item"),
    Option("order_id", "COLUMN", "column of the order that a return cancels (default: order_id)"),
    Option("article", "COLUMN", "column of the article that is returned (default: article)"),
)
READING = (
    Option(
        "where",
        "CONDITION",
        "rows to use: status=Completed or status!=Cancelled; repeatable",
        repeated=True,
    ),
    Option(
        "refunds",
        "RULE",
        "negative amounts: net (default: returns cancel purchases), set_aside or error",
        choices=("net", "set_aside", "error"),
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
DISCOUNT_RATE = Option(
    "annual_discount_rate", "RATE", "discount rate: 0.1 for 10 %% a year (default: 0.15, assumed)", discount_rate
)
_COSTS = (
    Option("acquisition_cost", "AMOUNT", "cost of acquiring a customer (default: not known)", number),
    Option("retention_cost", "AMOUNT", "cost of keeping a customer who would have left (default: not known)", number),
)
OFFER_COST = Option(
    "offer_cost", "AMOUNT", "cost of one offer (default: a tenth of a typical purchase, assumed)", number
)
_FORECAST = (
    Option("calibration_end", "DAY", "end of the calibration period (default: two thirds of the log)"),
    Option("time_unit", "UNIT", "W, D or a length such as 30D (default: by the inter-purchase times)"),
    Option("horizon", "N", "length of the forecast in time units (default: of the holdout)", number),
    Option("model", "NAME", "model for values, such as BGNBD (default: the smallest AIC)"),
    LEVEL,
)
_BESIDE = ("quantity", "unit_price", "order_id", "article")
_FILES = ("segments", "scores")
_PLAN = ("calibration_end", "observation_end", "acquired_after", "time_unit", "horizon")


MODELS = ("ParetoNBD", "MBGNBD", "BGNBD", "NBD", "MBGCNBD")  # of which notebook 02 takes one


def log_keywords(options: Namespace) -> dict[str, Any]:
    """The keywords of ``read_transactions`` that options state."""
    if options.no_amount and options.amount:
        raise RequestError("--amount and --no-amount contradict each other; leave one out")
    columns = given(options, ("customer_id", "date", "amount", *_BESIDE))
    return columns | ({"amount": None} if options.no_amount else {}) | given(options, [o.name for o in READING])


def read_log(options: Namespace) -> Transactions:
    """The log that the options describe, read and checked."""
    from retention_models.logs.transactions.read_log import read_transactions

    return read_transactions(options.transactions, **log_keywords(options))


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.logs.transactions.settings import purchase_settings
    from retention_models.report.written_tables import check_output

    for name in _FILES:
        if (path := getattr(options, name)) is not None:
            check_output(path, option=f"--{name}")
    log = read_log(options)
    settings = purchase_settings(log, **{name: getattr(options, name) for name in _PLAN})
    asks_model = options.model is not None and any("model" in parameters for parameters in known.values())
    if asks_model and options.model not in MODELS:
        raise RequestError(f"--model: expected one of {', '.join(MODELS)}, not {options.model!r}")
    if settings.has_forecast and log.has_amount and any("margin" in parameters for parameters in known.values()):
        _check_amounts(log, settings)
    if log.first_date == settings.observation_end:
        raise ReportError(f"the log covers a single day, {log.first_date}, so it contains no repeat purchases")
    if settings.has_holdout:
        return {}
    reason = settings.reasons["calibration_end"]
    without = {name: reason for name, parameters in known.items() if "calibration_end" in parameters}
    if without and (named or len(without) == len(known)):
        raise ReportError(f"{' and '.join(without)} cannot run on this log. {reason}")
    return without


def _check_amounts(log: Transactions, settings: AnalysisSettings) -> None:
    """Refuse a log in which next to nobody pays for a repeat purchase, so that no amount can be expected."""
    from retention_models.logs.transactions.summary import summarize

    days = {name: getattr(settings, name) for name in ("calibration_end", "observation_end", "acquired_after")}
    again = summarize(log, **days, time_unit=settings.time_unit).query("frequency > 0")
    paying = int((again["monetary_value"] > 0).sum())
    if paying < 2:
        raise ReportError(
            f"the value of a purchase cannot be estimated: {paying:,} of {len(again):,} repeat buyers paid anything "
            "for their repeat purchases, and the model needs at least two. With --no-amount, value is counted in "
            "purchases"
        )


PURCHASES = Source(
    name="transactions",
    section="purchases",
    what="the log",
    file_help="CSV, Parquet or Excel, one row per purchase; or 'sales/*.csv'",
    options={
        "columns, rows and days": (*COLUMNS, *READING, *WINDOW),
        "the forecast": _FORECAST,
        "the money": (MARGIN, DISCOUNT_RATE, CURRENCY, OFFER_COST, *_COSTS),
        "files beside the pages": (
            Option("segments", "FILE", "write the segment of each customer: .csv or .parquet", Path, is_output=True),
            Option("scores", "FILE", "write the forecast of each customer: .csv or .parquet", Path, is_output=True),
        ),
    },
    columns={"customer_id": "customer_id", "date": "date", "amount": "amount"},
    optional=(*_PLAN, "currency", "offer_cost", *(option.name for option in _COSTS), "model", *_FILES),
    with_notebook_default=("margin", "annual_discount_rate", "level"),
    reading=(*(option.name for option in READING), *_BESIDE),
    assumed=("margin", "annual_discount_rate", "offer_cost"),
    check=_check,
)
