"""The command line: ``retention-models report``, ``init``, ``fit``, ``predict``, and ``--help`` that answers at once.

Each command has a function that adds its options to the parser, and one that carries it out and imports what
that takes. Errors are one line on stderr, as the package words them: exit code 2 for a request that cannot be
understood, 1 for one that failed. Below an error about a value stands how keywords are written as options.

Behind the door:

- ``options``: options, and what makes values of them
- ``sources``: kinds of files of one's own
- ``purchases``, ``contracts``, ``experiment``, ``rollout``, ``memberships``, ``register``: their options and checks
- ``project``: the project file
- ``guesses``, ``init``: a project file written for files that nobody has described
- ``report``: the commands that write pages
- ``scores``: the commands ``fit`` and ``predict``
- ``output``: tables written
"""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from retention_models.cli.init import add_init
from retention_models.cli.options import Help, Option, in_one_line, on_command_line
from retention_models.cli.project import SOURCES
from retention_models.cli.report import add_command, add_report
from retention_models.cli.scores import add_fit, add_predict
from retention_models.core.version import __version__
from retention_models.report.errors import ReportError


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the command that ``arguments`` (those of the process by default) ask for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with _ending_in_order():
            options.run(options)
    except (ReportError, OSError, ValueError, RuntimeError, ModuleNotFoundError) as error:
        print(f"retention-models: {in_one_line(str(error))}", file=sys.stderr)
        if isinstance(error, ValueError) and (hint := on_command_line(str(error), _all_options())):
            print(hint, file=sys.stderr)
        return getattr(error, "exit_code", 1)
    except KeyboardInterrupt:
        print("retention-models: interrupted", file=sys.stderr)
        return 130
    return 0


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """A request to end, as by ``kill``, is an exit, so that work folders and kernels do not stay behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="retention-models",
        description="Forecast purchases and churn, value customers, and measure the effects of campaigns. Start with "
        "retention-models init FILE ..., check project.toml, and run retention-models report.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands_by_name: dict[str, tuple[Callable[[ArgumentParser], None], str]] = {
        "report": (add_report, "write pages for the files of a project, for one file, or for the embedded data"),
        "init": (add_init, "examine files and write a project file that describes them"),
        **{each.section: (partial(add_command, source=each), f"write pages for {each.what}") for each in SOURCES},
        "fit": (add_fit, "fit a model to a log and store the fit in a file"),
        "predict": (add_predict, "write the forecast of a fitted model for each customer of a log"),
    }
    for name, (add_options, what) in commands_by_name.items():
        add_options(commands.add_parser(name, help=what, formatter_class=Help, add_help=False, allow_abbrev=False))
    return parser


def _all_options() -> list[Option]:
    return [option for source in SOURCES for option in source.every_option.values()]
