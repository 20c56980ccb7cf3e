"""``retention-models report``: run notebooks, on the data they bring along or on a log of the user's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from retention_models.cli.log_options import add_log_options, columns, number, read_log
from retention_models.report.errors import ReportError, RequestError

_EXTRA = ("ipykernel", "jinja2", "latex2mathml", "nbclient", "nbconvert", "nbformat")
# Options that stand for parameters of the notebooks of the same name: on a log of the user's own those not given are
# chosen from the log, left out, or as the notebook has them.
_CHOSEN = ("calibration_end", "observation_end", "acquired_after", "time_unit", "horizon")
_LEFT_OUT = ("time_zone", "currency")
_KEPT = ("margin", "annual_discount_rate")


def add_report(parser: ArgumentParser) -> None:
    """Add the command's options, and what carries it out."""
    parser.description = (
        "Run notebooks and write a self-contained HTML page for each, and an index of all pages. With --transactions "
        "they run on your own log, and whatever is not said is chosen from it and stated on the page."
    )
    parser.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="name of one of the project's notebooks, or a path to one (default: all of the project's, "
        "with --transactions all that take a log)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("reports"), metavar="FOLDER", help="where the pages go (default: reports)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a constant of the notebook's parameters cell; may be repeated",
    )
    parser.add_argument("--show-code", action="store_true", help="show the code instead of folding it away")
    add_log_options(parser, required=False)
    _add_forecast_options(parser.add_argument_group("the forecast"))
    parser.set_defaults(run=_run)


def _add_forecast_options(group: _ArgumentGroup) -> None:
    group.add_argument("--calibration-end", metavar="DAY", help="last day to learn from; what follows is the holdout")
    group.add_argument("--time-unit", metavar="UNIT", help="W, D or a fixed length such as 30D")
    group.add_argument("--horizon", type=number, metavar="N", help="length of the forecast, in time units")
    group.add_argument("--margin", type=number, metavar="SHARE", help="share of the amount that is earned, such as 0.3")
    group.add_argument("--annual-discount-rate", type=float, metavar="RATE", help="such as 0.1 for 10 %% a year")
    group.add_argument("--currency", metavar="NAME", help="what amounts are counted in, such as EUR")


def _run(options: Namespace) -> None:
    _need_extra()
    from retention_models.report.notebook import find_notebooks
    from retention_models.report.parameters import parse_settings
    from retention_models.report.publish import publish

    settings = parse_settings(options.set)
    if "transactions" in settings:
        raise RequestError("pass the log as --transactions FILE, not with --set")
    settings |= _given(options)
    notebooks = find_notebooks(options.notebooks)
    if options.transactions is not None:
        known = _parameters(notebooks)
        notebooks = [path for path in notebooks if options.notebooks or "transactions" in known[path]]
        settings = _unsaid(options, set().union(*known.values())) | settings
        _check_log(options, [path.stem for path in notebooks if "calibration_end" in known[path]])
    print(publish(notebooks, options.output, settings=settings, show_code=options.show_code))


def _given(options: Namespace) -> dict[str, object]:
    """The parameters that options were given for."""
    given = {
        name: getattr(options, name) for name in ("transactions", "customer_id", "date", *_CHOSEN, *_LEFT_OUT, *_KEPT)
    }
    given = {name: value for name, value in given.items() if value is not None}
    return given | ({"amount": columns(options)["amount"]} if options.amount or options.no_amount else {})


def _unsaid(options: Namespace, known: Collection[str]) -> dict[str, object]:
    """The parameters that a log of the user's own needs otherwise than the data that the notebooks bring along."""
    unsaid = {**columns(options), **dict.fromkeys(_CHOSEN + _LEFT_OUT)}
    return {name: value for name, value in unsaid.items() if name in known}


def _parameters(notebooks: Sequence[Path]) -> dict[Path, Collection[str]]:
    from retention_models.report.notebook import read_notebook
    from retention_models.report.parameters import read_parameters

    return {path: read_parameters(read_notebook(path)).keys() for path in notebooks}


def _check_log(options: Namespace, with_holdout: Sequence[str]) -> None:
    """Say what is wrong with the log before any notebook runs."""
    from retention_models.logs.plan import make_plan

    asked = {name: getattr(options, name) for name in _CHOSEN}
    plan = make_plan(read_log(options), **asked)
    if with_holdout and not plan.has_holdout:
        raise ReportError(
            f"{' and '.join(with_holdout)} cannot run on this log. {plan.reasons['calibration_end']} "
            "The other notebooks can, if you name them"
        )


def _need_extra() -> None:
    missing = [module for module in _EXTRA if find_spec(module) is None]
    if missing:
        raise ReportError(f"reports need {', '.join(missing)}; pip install 'retention-models[notebooks]'")
