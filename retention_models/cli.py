"""The command line: ``retention-models report``, and ``--help`` that answers at once.

Each command has a function that adds its options to the parser, and one that carries it out and imports what
that takes. Errors are one sentence on stderr: exit code 2 for a request that cannot be understood, 1 for one
that failed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from retention_models import __version__
from retention_models.report.errors import ReportError

_NOTEBOOKS_EXTRA = ("ipykernel", "jinja2", "latex2mathml", "nbclient", "nbconvert", "nbformat")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the command that ``arguments`` (those of the process by default) ask for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ReportError, OSError) as error:
        print(f"retention-models: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    except KeyboardInterrupt:
        print("retention-models: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="retention-models",
        description="Who is still a customer, what each is worth, and which efforts kept anyone.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_report(commands.add_parser("report", help="run notebooks and write a page for each that can be read offline"))
    return parser


def _add_report(parser: ArgumentParser) -> None:
    parser.description = "Run notebooks and write a self-contained HTML page for each, and an index of all pages."
    parser.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="name of one of the project's notebooks, or a path to one (default: all of the project's)",
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
    parser.set_defaults(run=_report)


def _report(options: Namespace) -> None:
    _need_notebooks_extra()
    from retention_models.report.notebook import find_notebooks
    from retention_models.report.parameters import parse_settings
    from retention_models.report.publish import publish

    settings = parse_settings(options.set)
    index = publish(find_notebooks(options.notebooks), options.output, settings=settings, show_code=options.show_code)
    print(index)


def _need_notebooks_extra() -> None:
    missing = [module for module in _NOTEBOOKS_EXTRA if find_spec(module) is None]
    if missing:
        raise ReportError(f"reports need {', '.join(missing)}; pip install 'retention-models[notebooks]'")
