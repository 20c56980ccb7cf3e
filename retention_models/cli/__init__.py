"""The command line: ``retention-models report``, ``fit``, ``predict``, and ``--help`` that answers at once.

Each command has a function that adds its options to the parser, and one that carries it out and imports what
that takes. Errors are one line on stderr, as the package words them: exit code 2 for a request that cannot be
understood, 1 for one that failed. Below an error about a value stands how keywords are written as options.

Behind the door:

- ``sources``: kinds of files of one's own
- ``log_options``: options of a purchase log
- ``transactions``: reports on purchases
- ``contracts``: reports on contracts
- ``experiment``: reports on a test
- ``report``: the command ``report``
- ``scores``: the commands ``fit`` and ``predict``
- ``output``: tables written
"""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from retention_models.cli.log_options import KEYWORDS
from retention_models.cli.report import add_report
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
        print(f"retention-models: {_in_one_line(str(error))}", file=sys.stderr)
        if isinstance(error, ValueError):
            print(KEYWORDS, file=sys.stderr)
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
        description="Who is still a customer, what each is worth, and which efforts kept anyone.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_report(commands.add_parser("report", help="run notebooks, also on a log of your own, and write pages"))
    add_fit(commands.add_parser("fit", help="fit a model to a log and keep it in a file"))
    add_predict(commands.add_parser("predict", help="what a fitted model expects of each customer in a log"))
    return parser


def _in_one_line(message: str) -> str:
    """The message without line breaks, and without what would speak to the terminal: it may quote the user's data."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(message.split())
    )
