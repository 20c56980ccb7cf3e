"""Reports on a log of contracts: the options, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from retention_models.cli.sources import Known, Source
from retention_models.report.errors import RequestError

_COLUMNS = {"customer_id": "customer_id", "start": "start", "end": "end"}
_PLAN = (
    *("sampling", "observation_start", "observation_end", "time_zone", "date_format", "period", "renewals"),
    *("tenure", "churned", "cause"),
)
DESIGNS = ("acquisition", "active_on", "window")


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the contracts")
    group.add_argument("--contracts", type=Path, metavar="FILE", help="CSV, Parquet or Excel file, one row a contract")
    group.add_argument("--start", metavar="COLUMN", help="column of the first day (default: start)")
    group.add_argument("--end", metavar="COLUMN", help="column of the last day, empty while it runs (default: end)")
    group.add_argument(
        "--tenure",
        metavar="COLUMN",
        help="column of whole periods as a customer, in a file without dates: a snapshot of --observation-end, with "
        "--sampling window and --churned",
    )
    group.add_argument(
        "--churned", metavar="COLUMN", help="its column that says whether the customer left then: yes, no"
    )
    group.add_argument("--cause", metavar="COLUMN", help="column that says why contracts ended")
    group.add_argument("--group", metavar="COLUMN", help="column to tell customers apart by, such as the plan")
    group.add_argument(
        "--sampling",
        choices=DESIGNS,
        help="how contracts came into the file: each from its start (acquisition); those that ran on the day "
        "--observation-start, and those begun later (active_on); those running now, and those ended since that day "
        "(window). Without it the first, and only where the file looks like that",
    )
    group.add_argument("--observation-start", metavar="DAY", help="first day that the file knows everything about")
    group.add_argument("--period", type=period, metavar="LENGTH", help="of a contract: M, Y or a number of days")
    group.add_argument("--renewals", type=_whole, metavar="N", help="how many renewals ahead to look")


def period(text: str) -> str | int:
    """How long a contract runs: M, Y, or a number of days such as ``28`` or ``28D``."""
    letter, days = text.strip().upper(), text.strip().upper().removesuffix("DAYS").removesuffix("D").strip()
    if letter in ("M", "Y"):
        return letter
    if not (days.isdecimal() and int(days) > 0):
        raise ArgumentTypeError(f"expected M, Y or a number of days such as 28, not {text!r}")
    return int(days)


def _whole(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def _check(options: Namespace, known: Known) -> None:
    from retention_models.fitting.model_selection import select_contract_model
    from retention_models.logs.contracts.retention import retention_table
    from retention_models.logs.contracts.settings import contract_settings

    if options.tenure is not None or options.churned is not None:
        _check_without_dates(options)
    keywords: dict[str, Any] = {role: getattr(options, role) or name for role, name in _COLUMNS.items()}
    keywords |= {name: getattr(options, name) for name in _PLAN}
    keywords |= {} if options.max_set_aside is None else {"max_set_aside": options.max_set_aside}
    plan = contract_settings(options.contracts, covariates=[options.group] if options.group else [], **keywords)
    select_contract_model(retention_table(plan.spells, period=plan.period))


def _check_without_dates(options: Namespace) -> None:
    """An error for options about dates if the file has no dates."""
    names = [name for name in (*_COLUMNS, "time_zone") if getattr(options, name) is not None]
    if names:
        unused = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise RequestError(f"--tenure and --churned are for files without dates; leave out {unused}, or them")


CONTRACTS = Source(
    name="contracts",
    what="the contracts",
    add_options=_add_options,
    columns=_COLUMNS,
    optional=(*_PLAN, "group", "price", "currency"),
    with_notebook_default=("margin", "annual_discount_rate", "max_set_aside"),
    check=_check,
)
