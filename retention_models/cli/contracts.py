"""A log of contracts: the options of commands that take one, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from retention_models.cli.options import (
    CURRENCY,
    DATE_FORMAT,
    DECIMAL,
    LAYOUT,
    LEVEL,
    MAX_SET_ASIDE,
    OBSERVATION_END,
    TIME_ZONE,
    Option,
    discount_rate,
    event,
    given,
    margin,
    period,
    price,
    whole,
)
from retention_models.cli.sources import Known, Source
from retention_models.report.errors import RequestError

_COLUMNS = {"customer_id": "customer_id", "start": "start", "end": "end"}
_PLAN = ("sampling", "observation_start", "observation_end", "period", "renewals", "cause")
_TENURES = ("tenure", "churned", "tenure_unit", "window")
_READING = (DATE_FORMAT, replace(DECIMAL, hidden=True), *LAYOUT, TIME_ZONE, MAX_SET_ASIDE)
UNITS = ("D", "W", "M", "Y")
SAMPLINGS = ("acquisition", "active_on", "window")


def _check(options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
    from retention_models.fitting.model_selection import select_contract_model
    from retention_models.logs.contracts.calendar_events import with_events
    from retention_models.logs.contracts.retention import retention_table
    from retention_models.logs.contracts.settings import contract_settings
    from retention_models.report.written_tables import check_output

    if options.scores is not None:
        check_output(options.scores, option="--scores")
    if options.tenure is not None or options.churned is not None:
        _check_without_dates(options)
    keywords: dict[str, Any] = given(options, (*_COLUMNS, *_PLAN, *_TENURES, *(option.name for option in _READING)))
    if isinstance(options.price, str):
        keywords["price"] = options.price
    settings = contract_settings(options.contracts, covariates=[options.group] if options.group else [], **keywords)
    table = retention_table(settings.spells, period=settings.period)
    if options.event:
        with_events(table, dict(options.event))
    select_contract_model(table)
    return {}


def _check_without_dates(options: Namespace) -> None:
    """An error for options about dates if the file has no dates."""
    names = [name for name in (*_COLUMNS, "time_zone", "date_format") if getattr(options, name) is not None]
    if names:
        unused = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise RequestError(f"--tenure and --churned are for files without dates. Leave out {unused}, or them")
    if options.scores is not None:
        raise RequestError("--scores lists customers by id, which files without dates do not have; leave it out")


CONTRACTS = Source(
    name="contracts",
    section="contracts",
    what="the contracts",
    file_help="CSV, Parquet or Excel file with one row per contract",
    options={
        "columns and rows": (
            Option("customer_id", "COLUMN", "column of the customer's id (default: customer_id)"),
            Option("start", "COLUMN", "column of the first day (default: start)"),
            Option("end", "COLUMN", "column of the last day, empty for active contracts (default: end)"),
            Option("cause", "COLUMN", "column of the reason why contracts ended"),
            Option("group", "COLUMN", "column that groups customers, such as the plan"),
            *_READING,
        ),
        "tables without dates": (
            Option("tenure", "COLUMN", "column of the time as a customer"),
            Option("churned", "COLUMN", "column of churn: yes, no, churned, ..."),
            Option("tenure_unit", "UNIT", "unit of the tenure: D, W, M or Y (default: --period)", choices=UNITS),
            Option("window", "N", "sampling window: periods in which customers left (default: 1)", whole),
        ),
        "contents of the file": (
            Option(
                "sampling",
                "WORD",
                "contracts in the file: acquisition (all), active_on (active on "
                "--observation-start or later), window (active now or ended since)",
                choices=SAMPLINGS,
            ),
            Option("observation_start", "DAY", "first day from which the file is complete"),
            OBSERVATION_END,
            Option("period", "LENGTH", "length of a contract: M, Y or days such as 28 (default: by the file)", period),
            Option("event", "NAME=MONTH,...", "months with a different churn rate; repeatable", event, repeated=True),
        ),
        "the forecast": (
            Option("renewals", "N", "renewals to forecast (default: by the length of the log)", whole),
            LEVEL,
        ),
        "the money": (
            Option("price", "AMOUNT|COLUMN", "price of one payment, each for one --period (default: none)", price),
            Option("margin", "SHARE", "margin as a share of the price (default: 0.6, assumed)", margin),
            Option(
                "annual_discount_rate",
                "RATE",
                "discount rate: 0.1 for 10 %% a year (default: 0.1, assumed)",
                discount_rate,
            ),
            CURRENCY,
        ),
        "files beside the pages": (
            Option(
                "scores",
                "FILE",
                "write churn risk and value at risk by customer: .csv or .parquet",
                Path,
                is_output=True,
            ),
        ),
    },
    columns=_COLUMNS,
    optional=(*_PLAN, *_TENURES, "event", "group", "price", "currency", "scores"),
    with_notebook_default=("margin", "annual_discount_rate", "level"),
    reading=tuple(option.name for option in _READING),
    assumed=("margin", "annual_discount_rate", "tenure_unit"),
    check=_check,
)
