"""``retention-models report``: run notebooks, on the data they bring along or on a file of the user's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from retention_models.cli.contracts import CONTRACTS
from retention_models.cli.experiment import EXPERIMENT
from retention_models.cli.log_options import margin, number
from retention_models.cli.sources import Source, option_parameters, require_settings_without_option, select_source
from retention_models.cli.transactions import TRANSACTIONS
from retention_models.report.errors import ReportError

SOURCES: tuple[Source, ...] = (TRANSACTIONS, CONTRACTS, EXPERIMENT)

_EXTRA = ("ipykernel", "jinja2", "latex2mathml", "nbclient", "nbconvert", "nbformat")


def add_report(parser: ArgumentParser) -> None:
    """Add the command's options, and what carries it out."""
    files = " or ".join(f"--{source.name}" for source in SOURCES)
    parser.description = (
        f"Run notebooks and write a self-contained HTML page for each, and an index of all pages. With {files} they "
        "run on a file of your own, and whatever is not said is chosen from it and stated on the page."
    )
    parser.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="name of one of the project's notebooks, or a path to one (default: all of the project's; with a file of "
        "your own all that take one of its kind)",
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
    for source in SOURCES:
        source.add_options(parser)
    money = parser.add_argument_group("the money")
    money.add_argument("--margin", type=margin, metavar="SHARE", help="share of the amount that is earned, such as 0.3")
    money.add_argument(
        "--price",
        type=number,
        metavar="AMOUNT",
        help="of one payment of a contract, or of one more of the first outcome of a test (or one fewer)",
    )
    money.add_argument("--currency", metavar="NAME", help="what amounts are counted in, such as EUR")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> None:
    _need_extra()
    from retention_models.report.notebook import find_notebooks
    from retention_models.report.parameters import parse_settings
    from retention_models.report.publish import publish

    settings = parse_settings(options.set)
    source = select_source(options, SOURCES)
    require_settings_without_option(settings, SOURCES, source)
    settings |= option_parameters(options, SOURCES)
    notebooks = find_notebooks(options.notebooks)
    if source is not None:
        known = _parameters(notebooks)
        if not options.notebooks:
            notebooks = [path for path in notebooks if source.name in known[path]]
        everything = set().union(*known.values())
        settings = {name: value for name, value in source.defaults.items() if name in everything} | settings
        source.check(options, {path.stem: known[path] for path in notebooks})
    print(publish(notebooks, options.output, settings=settings, show_code=options.show_code))


def _parameters(notebooks: Sequence[Path]) -> dict[Path, Collection[str]]:
    from retention_models.report.notebook import read_notebook
    from retention_models.report.parameters import read_parameters

    return {path: read_parameters(read_notebook(path)).keys() for path in notebooks}


def _need_extra() -> None:
    missing = [module for module in _EXTRA if find_spec(module) is None]
    if missing:
        raise ReportError(f"reports need {', '.join(missing)}; pip install 'retention-models[notebooks]'")
