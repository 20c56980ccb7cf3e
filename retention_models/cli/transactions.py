"""Reports on a log of transactions: the options, and what is looked at before any notebook runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from retention_models.cli.log_options import add_log_options, discount_rate, number, read_log
from retention_models.cli.sources import Known, Source
from retention_models.report.errors import ReportError

_PLAN = ("calibration_end", "observation_end", "acquired_after", "time_unit", "horizon")


def _add_options(parser: ArgumentParser) -> None:
    add_log_options(parser, required=False)
    group = parser.add_argument_group("the forecast")
    group.add_argument("--calibration-end", metavar="DAY", help="last day to learn from; what follows is the holdout")
    group.add_argument("--time-unit", metavar="UNIT", help="W, D or a fixed length such as 30D")
    group.add_argument("--horizon", type=number, metavar="N", help="length of the forecast, in time units")
    group.add_argument("--annual-discount-rate", type=discount_rate, metavar="RATE", help="0.1 for 10 %% a year")


def _check(options: Namespace, known: Known) -> None:
    from retention_models.logs.plan import make_plan

    plan = make_plan(read_log(options), **{name: getattr(options, name) for name in _PLAN})
    with_holdout = [name for name, parameters in known.items() if "calibration_end" in parameters]
    if with_holdout and not plan.has_holdout:
        raise ReportError(
            f"{' and '.join(with_holdout)} cannot run on this log. {plan.reasons['calibration_end']} "
            "The other notebooks can, if you name them"
        )


TRANSACTIONS = Source(
    name="transactions",
    what="the log",
    add_options=_add_options,
    columns={"customer_id": "customer_id", "date": "date", "amount": "amount"},
    chosen=(*_PLAN, "time_zone", "currency"),
    kept=("margin", "annual_discount_rate"),
    check=_check,
)
