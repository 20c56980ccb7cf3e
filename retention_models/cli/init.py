"""``retention-models init``: look at files, and write a project file that describes them, for the user to check."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retention_models.cli.guesses import Guess, guess
from retention_models.cli.options import LAYOUT, given, in_one_line
from retention_models.cli.project import NAME, SOURCES, read_project
from retention_models.core.whole_files import write_whole
from retention_models.report.errors import RequestError

if TYPE_CHECKING:
    from retention_models.tables.text_files import Layout

WIDTH = 40  # of a line before its remark
HEAD = """# Project file of retention_models. Every command reads it; options on the command line override it.
# "guessed": seen in the names and values of columns. Check it. Lines that begin with # state nothing.
# retention-models report    writes every page for which there is data here.
"""
REQUIRED = {"purchases": ("customer_id", "date", "amount"), "contracts": ("customer_id", "start", "end")}
TERMS = (
    ("margin", "0.3", "share of an amount or price that is earned (assumed: 0.3; of contracts 0.6)"),
    ("annual_discount_rate", "0.15", "0.15 for 15 % a year (assumed: 0.15; of contracts 0.1)"),
    ("currency", '"EUR"', "the name beside amounts"),
)
LEFT_OPEN = {  # what only the user knows: key, example, remark
    "purchases": (("horizon", "26", "length of the forecast, in time units (default: by the log)"),),
    "contracts": (
        ("sampling", '"acquisition"', "how contracts came into the file: acquisition, active_on or window"),
        ("price", "9.9", "of one payment, or the column of it in quotes"),
    ),
    "register": (
        ("budget", "50_000", "money of a year, to allocate"),
        ("contacts", '"contacts.csv"', "customer_id, effort, date: who is in several efforts"),
        ("acquisition_cost", "20.0", "of winning a new customer, with new_customer_value and its two ends"),
    ),
    "experiment": (
        ("horizon", "56", "time from the assignment to the end of the measurement"),
        ("time_unit", '"D"', "its unit"),
    ),
}
OF_TENURES = (
    ("observation_end", '"2025-12-31"', "needed: the day of the table"),
    ("tenure_unit", '"M"', "unit of the tenure: D, W, M or Y (assumed: M, months)"),
)


def add_init(parser: ArgumentParser) -> None:
    """Add the options of ``init``, and what carries it out."""
    parser.description = (
        f"Examine files of purchases, contracts, a test or efforts, and write {NAME}. It names columns, the formats "
        f"of dates and numbers, and what only you can know. Check {NAME}, then run retention-models report."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="CSV, Parquet or Excel files, one of each kind")
    parser.add_argument(
        "--output", type=Path, default=Path(NAME), metavar="FILE", help=f"project file to write (default: {NAME})"
    )
    for option in LAYOUT:
        option.add(parser)
    parser.add_argument("-h", "--help", action="help", help="show this help")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> None:
    if options.output.exists():
        raise RequestError(f"{options.output} exists already. Delete it, or name another file with --output")
    if not options.output.parent.is_dir():
        raise RequestError(f"--output {options.output}: there is no folder {options.output.parent}")
    layout = cast("Layout", given(options, [option.name for option in LAYOUT]))
    guesses = [guess(Path(file), layout) for file in options.files]
    _require_one_of_each(guesses)
    text = "\n".join(
        [HEAD, *_section("terms", _terms(guesses)), *(_describe(each, options.output) for each in guesses)]
    )
    write_whole(options.output, text.rstrip() + "\n")
    for each in guesses:
        print(_outcome(each, options.output))
    print(options.output)


def _require_one_of_each(guesses: Sequence[Guess]) -> None:
    for each in guesses:
        alike = [str(other.file) for other in guesses if other.section == each.section]
        if len(alike) > 1:
            raise RequestError(
                f"{' and '.join(alike)} both look like {each.section}: name one, or all with a quoted pattern such as "
                "'sales/*.csv'"
            )


def _terms(guesses: Sequence[Guess]) -> Iterator[str]:
    currency = next((each.currency for each in guesses if each.currency), None)
    for key, example, remark in TERMS:
        if key == "currency" and currency:
            yield _line(key, currency, "guessed")
        else:
            yield _comment(key, example, remark)


def _describe(each: Guess, output: Path) -> str:
    """The section of a file in the project file."""
    lines = [_line("file", _relative(each.file, output), "")]
    lines += [_line(key, value, "guessed") for key, value in cast("dict[str, str | bool]", each.layout).items()]
    lines += [_line(role, column, each.remarks.get(role, "guessed")) for role, column in each.columns.items()]
    lines += [_comment(role, '"..."', "not found: which column is it?") for role in _missing(each)]
    if "amount" in _missing(each):
        lines.append(_comment("no_amount", "true", "where there is no money"))
    if "where" in each.remarks:
        lines.append(_comment("where", '["column=value"]', f"rows that count; {each.remarks['where']}"))
    if each.section == "experiment":
        lines.append(_line("assigned_by", "unknown", "who decided who was treated: random, rule, choice or unknown"))
    if each.arms:
        lines += _plan(each)
    lines += [_comment(*left) for left in LEFT_OPEN[each.section]]
    if "tenure" in each.columns:
        lines += [_comment(*left) for left in OF_TENURES if left[0] not in each.columns]
    return "\n".join(_section(each.section, lines))


def _plan(each: Guess) -> list[str]:
    """What only the user knows of the arms of a test."""
    shares = ", ".join(f"{_key(arm)} = 1" for arm in each.arms)
    treated = [arm for arm in each.arms if arm != each.control]
    control = json.dumps(each.control or "...", ensure_ascii=False)
    return [
        _comment("control", control, f"the arm to compare with; there are {each.remarks['arms']}"),
        _comment("planned_shares", f"{{{shares}}}", "how large the arms were meant to be"),
        _comment("cost", f"{{{_key(treated[0])} = 0.5}}", "of one contact, by arm; of all arms but the control"),
    ]


def _key(name: str) -> str:
    """A key of TOML, in quotes where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _missing(each: Guess) -> list[str]:
    """Roles that a file of this kind needs, and for which no column was found."""
    roles = [role for role in REQUIRED.get(each.section, ()) if role not in each.columns]
    if "tenure" in each.columns:
        return []
    has_amount = each.columns.keys() & {"quantity", "no_amount"}
    return [role for role in roles if not (role == "amount" and has_amount)]


def _outcome(each: Guess, output: Path) -> str:
    """What reading the file as described gives: a line on its rows, or why it cannot be read."""
    (source,) = (source for source in SOURCES if source.section == each.section)
    nothing = Namespace(**dict.fromkeys(source.every_option), **{source.name: None})
    options = read_project(output).complete(nothing, source)
    try:
        source.check(options, {}, named=False)
    except (ValueError, RuntimeError) as error:
        unsure = each.section == "purchases" and _missing(each)
        other = " (If it is a file of contracts or of a test, rename its section.)" if unsure else ""
        return f"{each.file}: {each.section}. Not read yet: {in_one_line(str(error))}{other}"
    return f"{each.file}: {each.section}. It can be read as described."


def _relative(file: Path, output: Path) -> str:
    """The path of a file as the project file names it: from its own folder, where that is possible."""
    folder = output.parent.absolute()
    path = file.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _section(name: str, lines: Any) -> list[str]:
    return [f"[{name}]", *lines, ""]


def _line(key: str, value: str | bool | list[str], remark: str) -> str:
    text = f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    return f"{text:<{WIDTH}}  # {in_one_line(remark)}" if remark else text


def _comment(key: str, example: str, remark: str) -> str:
    return f"{f'# {key} = {example}':<{WIDTH}}  # {in_one_line(remark)}"
