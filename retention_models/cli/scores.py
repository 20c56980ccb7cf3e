"""``retention-models fit`` and ``predict``: from a log to a fitted model, and from both to a score of each customer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retention_models.cli.log_options import add_log_options, number, read_log
from retention_models.report.errors import ReportError, RequestError

if TYPE_CHECKING:
    import pandas as pd

    from retention_models.fitted import Fit
    from retention_models.logs.transactions import Transactions


def add_fit(parser: ArgumentParser) -> None:
    """Add the options of ``fit``, and what carries it out."""
    parser.description = "Fit a model to a log by maximum likelihood, print it, and keep it in a file for predict."
    parser.add_argument("--model", default="ParetoNBD", metavar="NAME", help="such as BGNBD (default: ParetoNBD)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="where the fit goes, as JSON")
    parser.add_argument("--time-unit", metavar="UNIT", help="W, D or a fixed length such as 30D (default: by the log)")
    add_log_options(parser, required=True)
    parser.set_defaults(run=_fit)


def add_predict(parser: ArgumentParser) -> None:
    """Add the options of ``predict``, and what carries it out."""
    parser.description = (
        "Write what a fitted model expects of each customer in a log: one row a customer, CSV or Parquet. In a CSV "
        "file, text that a spreadsheet would run as a formula gets an apostrophe in front."
    )
    parser.add_argument("--fit", type=Path, required=True, metavar="FILE", help="what retention-models fit has written")
    parser.add_argument(
        "--horizon", type=number, required=True, metavar="N", help="length of the forecast, in the fit's time units"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="file to write, ending in .csv or .parquet"
    )
    parser.add_argument("--level", type=float, default=0.95, metavar="P", help="level of the intervals (default: 0.95)")
    add_log_options(parser, required=True)
    parser.set_defaults(run=_predict)


def _fit(options: Namespace) -> None:
    from retention_models.cli.output import check_output
    from retention_models.fitted import MODELS
    from retention_models.fitting import fit
    from retention_models.logs.plan import make_plan
    from retention_models.logs.summary import histories, summarize

    if options.model not in MODELS:
        raise RequestError(f"no model is called {options.model!r}; there are {', '.join(MODELS)}")
    check_output(options.output, (".json",))
    log, model = read_log(options), cast(Any, MODELS[options.model])
    days = {"observation_end": options.observation_end, "acquired_after": options.acquired_after}
    plan = make_plan(log, **days, time_unit=options.time_unit)
    reduced = summarize if "monetary_value" in model.columns else histories
    customers = reduced(log, **days, time_unit=plan.time_unit)
    fitted = fit(model, customers)
    fitted.to_json(options.output)
    print(fitted)
    print(plan.reasons["time_unit"])
    _print_remarks(options, log, customers)


def _predict(options: Namespace) -> None:
    from retention_models.cli.output import check_output, write_table
    from retention_models.logs.summary import summarize
    from retention_models.prediction import predict

    check_output(options.output)
    fitted = _read_fit(options.fit)
    log = read_log(options)
    customers = summarize(
        log,
        observation_end=options.observation_end,
        acquired_after=options.acquired_after,
        time_unit=fitted.data["time_unit"],
        granularity=fitted.data["granularity"],
    )
    forecast = predict(fitted, customers, options.horizon, options.level)
    write_table(customers[list(fitted.model.columns)].join(forecast), options.output)
    _print_remarks(options, log, customers)
    print(options.output)


def _read_fit(path: Path) -> Fit:
    """The fit in a file, of a model of purchases, with the units it was made in."""
    from retention_models.fitted import Fit

    try:
        fitted = Fit.from_json(path)
    except ValueError as error:
        raise ReportError(f"{path}: {error}") from error
    if not hasattr(fitted.model, "expected_purchases"):
        raise RequestError(f"{path} holds a {type(fitted.model).__name__}, which expects no purchases")
    if not {"time_unit", "granularity"} <= fitted.data.keys():
        raise ReportError(f"{path} does not say its time unit; make it with retention-models fit")
    return fitted


def _print_remarks(options: Namespace, log: Transactions, customers: pd.DataFrame) -> None:
    """Say on stderr what of the log was not used, and which checks failed."""
    days = {"observation_end": options.observation_end, "acquired_after": options.acquired_after}
    from retention_models.checks import Check
    from retention_models.logs.accounts import check_accounts
    from retention_models.logs.regularity import check_regularity

    for reason, count in customers.attrs["set_aside"].items():
        print(f"Set aside: {count:,} {reason}", file=sys.stderr)
    checks = (Check(**check) for check in customers.attrs["checks"])
    for check in (
        *checks,
        check_accounts(log, **days),
        check_regularity(log, observation_end=customers.attrs["observation_end"]),
    ):
        if check.passed is False:
            print(check, file=sys.stderr)
