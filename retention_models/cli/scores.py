"""``retention-models fit`` and ``predict``: from a log to a fitted model, and from both to a score of each customer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retention_models.cli.options import Option, add_options, discount_rate, level, margin, number
from retention_models.cli.project import read_project
from retention_models.cli.purchases import COLUMNS, PURCHASES, READING, WINDOW, read_log
from retention_models.report.errors import ReportError, RequestError

if TYPE_CHECKING:
    import pandas as pd

    from retention_models.fitting.result import Fit
    from retention_models.logs.transactions.log import Transactions


_GRANULARITIES = ("W", "D", "h", "min", "s")
_PERIODS = ("Y", "Q", "M", "W")


_HORIZON = Option("horizon", "N", "length of the forecast, in the fit's time units", number)
_LEVEL = Option("level", "P", "level of the intervals (default: 0.95)", level)

DEFAULT_MODELS = ("MBGNBD", "ParetoNBD")  # in both, customers can leave after the first purchase


def add_fit(parser: ArgumentParser) -> None:
    """Add the options of ``fit``, and what carries it out."""
    parser.usage = "retention-models fit --output FILE [--transactions FILE] [options]"
    parser.description = (
        "Fit a model to a log by maximum likelihood, print the fit, and store it in a file for predict."
    )
    parser.add_argument("--model", metavar="NAME", help="model, such as BGNBD (default: MBGNBD or ParetoNBD, by AIC)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="JSON file to write")
    parser.add_argument("--time-unit", metavar="UNIT", help="W, D or a fixed length such as 30D (default: by the log)")
    parser.add_argument(
        "--granularity",
        choices=_GRANULARITIES,
        default="D",
        metavar="UNIT",
        help="what counts as one purchase: W, D, h, min or s (default: D, a day)",
    )
    parser.add_argument(
        "--period", choices=_PERIODS, metavar="UNIT", help="for BGBB, length of one opportunity: Y, Q, M or W"
    )
    _add_log(parser)
    parser.add_argument("-h", "--help", action="help", help="show this help")
    parser.set_defaults(run=_fit)


def add_predict(parser: ArgumentParser) -> None:
    """Add the options of ``predict``, and what carries it out."""
    parser.usage = "retention-models predict --fit FILE --output FILE --horizon N [--transactions FILE] [options]"
    parser.description = (
        "Write the forecast of a fitted model for each customer of a log: one row for each customer, CSV or "
        "Parquet. In "
        "a CSV file, text that a spreadsheet would run as a formula gets an apostrophe in front."
    )
    parser.add_argument(
        "--fit", type=Path, required=True, metavar="FILE", help="file that retention-models fit has written"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="file to write, ending in .csv or .parquet"
    )
    for option in (_HORIZON, _LEVEL):
        option.add(parser)
    _add_log(parser)
    add_worth_options(parser)
    parser.add_argument("-h", "--help", action="help", help="show this help")
    parser.set_defaults(run=_predict)


def _add_log(parser: ArgumentParser) -> None:
    """Add the options that say where the log is, how to read it, and which days count."""
    group = parser.add_argument_group("the log")
    PURCHASES.add_file(group)
    group.add_argument(
        "--project", type=Path, metavar="FILE", help="project file (default: project.toml, if there is one)"
    )
    for option in (*COLUMNS, *READING, *WINDOW):
        option.add(group)


def _with_project(options: Namespace) -> Namespace:
    """The options, completed by the project file; its terms of value count only where ``--spend`` asks for value."""
    complete = read_project(options.project).complete(options, PURCHASES)
    if getattr(options, "spend", None) is None:
        complete = Namespace(**vars(complete) | {name: getattr(options, name, None) for name in _TERMS_OF_VALUE})
    if complete.transactions is None:
        raise RequestError("name the log: --transactions FILE, or file = ... below [purchases] in a project file")
    return complete


def _fit(options: Namespace) -> None:
    from retention_models.fitting.estimate import fit
    from retention_models.fitting.models import PURCHASES
    from retention_models.logs.transactions.settings import purchase_settings
    from retention_models.report.written_tables import check_output

    options = _with_project(options)
    models = {model.__name__: model for model in PURCHASES}
    candidates = [cast(Any, models.get(name)) for name in ([options.model] if options.model else DEFAULT_MODELS)]
    if None in candidates:
        raise RequestError(f"there is no purchase model called {options.model!r}; there are {', '.join(models)}")
    _check_period(options)
    check_output(options.output, (".json",))
    log = _read_window(options)
    if options.period:
        customers, reason = _customers(options, log, {"period": options.period}), ""
    else:
        plan = purchase_settings(log, time_unit=options.time_unit)
        units, reason = {"time_unit": plan.time_unit, "granularity": options.granularity}, plan.reasons["time_unit"]
        customers = _customers(options, log, units, each="monetary_value" in candidates[0].columns)
    fits = [fit(model, customers) for model in candidates]
    fitted = min(fits, key=lambda one: one.aic)
    others = [
        f"{type(one.model).__name__} has an AIC of {one.aic - fitted.aic:,.1f} more."
        for one in fits
        if one is not fitted
    ]
    fitted.to_json(options.output)
    print(fitted, *others, *([reason] if reason else []), sep="\n")
    _print_remarks(options, log, customers)


def _predict(options: Namespace) -> None:
    from retention_models.forecast.customers import predict
    from retention_models.forecast.next_purchase import next_purchase_day
    from retention_models.report.written_tables import check_output, write_table

    options = _with_project(options)
    if options.horizon is None:
        raise RequestError("--horizon N is missing: the length of the forecast, in the fit's time units")
    check_output(options.output)
    fitted = _read_fit(options.fit)
    check_worth_options(options, fitted)
    spend = None if options.spend is None else _read_spend(options.spend)
    log = _observed_like(fitted, _read_window(options))
    customers = _customers(options, log, fitted.data)
    forecast = predict(fitted, customers, options.horizon, options.level or 0.95)
    table = customers[list(fitted.model.columns)].join([forecast, next_purchase_day(forecast)])
    if spend is not None:
        table = table.join(worth(options, fitted, spend, customers))
    write_table(table, options.output)
    dated = int(table["next_purchase_day"].notna().sum())
    print(
        f"next_purchase_day, by which 90 % of such customers have bought again, lies within the horizon for {dated:,} "
        f"of {len(table):,} customers; it is blank for the others.",
        file=sys.stderr,
    )
    print(_end_text(fitted, log, asked=options.observation_end is not None), file=sys.stderr)
    _print_remarks(options, log, customers)
    print(options.output)


def _read_window(options: Namespace) -> Transactions:
    """The log, with the days that count."""
    log = read_log(options)
    return log.window(observation_end=options.observation_end, acquired_after=options.acquired_after)


def _observed_like(fitted: Fit, log: Transactions) -> Transactions:
    """The log, observed until the last day of a fit where nobody says otherwise and its own last purchase is earlier.

    Some customers of a log, such as those who have long been silent, are observed no less than all of them.
    """
    until = fitted.observation_end
    if log.observation_end is None and until is not None and until > log.last_date:
        return log.window(observation_end=until)
    return log


def _end_text(fitted: Fit, log: Transactions, *, asked: bool) -> str:
    """Until when the customers count as observed, in a sentence."""
    if asked:
        return f"Observed until {log.last_observed}, as asked."
    if log.observation_end is not None:
        last = f"the last purchase in the log was on {log.last_date}"
        return f"Observed until {fitted.observation_end}, the last day of the fit; {last}."
    return f"Observed until {log.last_observed}, the day of the last purchase."


def _check_period(options: Namespace) -> None:
    """Refuse a model of opportunities without a period, a period for another, and options that it does not know."""
    if (options.model == "BGBB") != (options.period is not None):
        raise RequestError(
            "--model BGBB counts opportunities to buy and needs --period Y, Q, M or W, the length of one "
            "opportunity. Other models have no --period"
        )
    if options.period and (options.acquired_after or options.time_unit):
        raise RequestError("with --period all customers count; leave out --acquired-after and --time-unit")


def _customers(options: Namespace, log: Transactions, units: Mapping[str, Any], *, each: bool = True) -> pd.DataFrame:
    """The log reduced to what models take, in the units of a fit: one row each customer, or each distinct history."""
    from retention_models.logs.transactions.opportunities import opportunities
    from retention_models.logs.transactions.summary import histories, summarize

    if "period" in units:
        return opportunities(log, period=units["period"])
    reduced = summarize if each else histories
    return reduced(log, time_unit=units["time_unit"], granularity=units["granularity"])


def _read_spend(path: Path) -> Fit:
    """The fit in a file, of a model of spending."""
    fitted = _read(path)
    if not hasattr(fitted.model, "expected_spend"):
        raise RequestError(
            f"--spend {path} holds a {type(fitted.model).__name__}; make the file with fit --model GammaGamma"
        )
    return fitted


def _read(path: Path) -> Fit:
    from retention_models.fitting.result import Fit

    try:
        return Fit.from_json(path)
    except ValueError as error:
        raise ReportError(f"{path}: {error}") from error


def _read_fit(path: Path) -> Fit:
    """The fit in a file, of a model of purchases, with the units it was made in."""
    fitted = _read(path)
    if not hasattr(fitted.model, "expected_purchases"):
        hint = "; pass it as --spend" if hasattr(fitted.model, "expected_spend") else ""
        raise RequestError(f"{path} holds a {type(fitted.model).__name__}, which expects no purchases{hint}")
    if "period" not in fitted.data and not {"time_unit", "granularity"} <= fitted.data.keys():
        raise ReportError(f"{path} does not state its time unit; make the file with retention-models fit")
    return fitted


def _print_remarks(options: Namespace, log: Transactions, customers: pd.DataFrame) -> None:
    """Say on stderr what of the log was not used, and which checks failed."""
    from retention_models.core.check import Check
    from retention_models.core.formatting import number_of
    from retention_models.logs.transactions.checks.accounts import check_accounts
    from retention_models.logs.transactions.checks.regularity import check_regularity

    for name, form in log.formats.items():
        print(f"Column {name!r} is read with {form}.", file=sys.stderr)
    for reason, count in customers.attrs["set_aside"].items():
        print(f"Set aside: {number_of(count, reason)}", file=sys.stderr)
    if log.returns is not None and log.returns.allow_value:
        print(log.returns.sentence, file=sys.stderr)
    checks = (Check(**check) for check in customers.attrs.get("checks", []))
    for check in (
        *checks,
        check_accounts(log),
        check_regularity(log),
    ):
        if check.passed is False:
            print(check, file=sys.stderr)


_NEEDS = ("margin", "annual_discount_rate")
_TERMS_OF_VALUE = (*_NEEDS, "offer_cost")
_WORTH = (
    Option("spend", "FILE", "fit of --model GammaGamma: adds columns of value", Path),
    Option("margin", "SHARE", "margin as a share of the amount, such as 0.3", margin),
    Option("annual_discount_rate", "RATE", "discount rate: 0.1 for 10 %% a year", discount_rate),
    Option("offer_cost", "AMOUNT", "cost of one offer: adds the break-even uplift", number),
)


def add_worth_options(parser: ArgumentParser) -> None:
    """Add the options that ask for the value of each customer."""
    add_options(parser, {"the value of each customer": _WORTH})


def check_worth_options(options: Namespace, fitted: Fit) -> None:
    """Refuse options of value that do not make one, before the work is done."""
    if options.spend is None:
        alone = [name for name in _TERMS_OF_VALUE if getattr(options, name) is not None]
        if alone:
            raise RequestError(f"{_options(alone)} needs --spend FILE, what fit --model GammaGamma has written")
        return
    missing = [name for name in _NEEDS if getattr(options, name) is None]
    if missing:
        raise RequestError(f"--spend needs {_options(missing)}: value is not defined without it")
    if options.no_amount:
        raise RequestError("--spend needs the amounts of the log, which --no-amount leaves out")
    if "period" in fitted.data:
        raise RequestError("--spend needs a fit of purchases at any time, but this fit is of opportunities")


def worth(options: Namespace, fitted: Fit, spend: Fit, customers: pd.DataFrame) -> pd.DataFrame:
    """The columns of value of each customer and, for an offer, of its break-even uplift."""
    from retention_models.value.break_even import break_even_uplift
    from retention_models.value.customer import customer_value
    from retention_models.value.terms import Terms

    terms = Terms(
        horizon=options.horizon,
        time_unit=fitted.data["time_unit"],
        annual_discount_rate=options.annual_discount_rate,
        margin=options.margin,
    )
    value = customer_value(fitted, customers, terms, spend=spend, level=options.level or 0.95)
    return value if options.offer_cost is None else value.join(break_even_uplift(value, cost=options.offer_cost))


def _options(names: list[str]) -> str:
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)
