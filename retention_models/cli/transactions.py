"""Reports on a log of transactions: the options, and the checks before any notebook runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from retention_models.cli.log_options import add_log_options, discount_rate, number, read_log
from retention_models.cli.sources import Known, Source
from retention_models.report.errors import ReportError

if TYPE_CHECKING:
    from retention_models.logs.transactions.log import Transactions
    from retention_models.logs.transactions.settings import AnalysisSettings

_PLAN = ("calibration_end", "observation_end", "acquired_after", "time_unit", "horizon")


def _add_options(parser: ArgumentParser) -> None:
    add_log_options(parser, required=False)
    group = parser.add_argument_group("the forecast")
    group.add_argument("--calibration-end", metavar="DAY", help="last day to learn from; what follows is the holdout")
    group.add_argument(
        "--time-unit", metavar="UNIT", help="W, D or a fixed length such as 30D; for a test also M, Q, Y"
    )
    group.add_argument(
        "--horizon",
        type=number,
        metavar="N",
        help="length of the forecast, or time from the assignment to the end of the measurement, in time units",
    )
    group.add_argument("--annual-discount-rate", type=discount_rate, metavar="RATE", help="0.1 for 10 %% a year")


def _check(options: Namespace, known: Known) -> None:
    from retention_models.logs.transactions.settings import purchase_settings

    log = read_log(options)
    plan = purchase_settings(log, **{name: getattr(options, name) for name in _PLAN})
    if log.has_amount and any("margin" in parameters for parameters in known.values()):
        _check_amounts(log, plan)
    with_holdout = [name for name, parameters in known.items() if "calibration_end" in parameters]
    if with_holdout and not plan.has_holdout:
        raise ReportError(
            f"{' and '.join(with_holdout)} cannot run on this log. {plan.reasons['calibration_end']} "
            "The other notebooks can, if you name them"
        )


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


TRANSACTIONS = Source(
    name="transactions",
    what="the log",
    add_options=_add_options,
    columns={"customer_id": "customer_id", "date": "date", "amount": "amount"},
    optional=(*_PLAN, "time_zone", "date_format", "decimal", "where", "currency"),
    with_notebook_default=("margin", "annual_discount_rate", "max_set_aside"),
    check=_check,
)
