"""Options of commands: each is a keyword of a reader, a parameter of notebooks, and a key of a project file."""

from __future__ import annotations

import datetime as dt
import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace, _ArgumentGroup
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from retention_models.core.arguments import require_discount_rate, require_margin, require_number
from retention_models.report.errors import RequestError

Help = partial(HelpFormatter, max_help_position=32, width=100)
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"


@dataclass(frozen=True, slots=True)
class Option:
    """An option, by the name of its keyword: ``date_format`` is ``--date-format``.

    Attributes
    ----------
    name, metavar, help
        As a parser takes them.
    parse
        What makes a value of its text; by default the text is the value.
    choices
        The values that there are, if they are few.
    repeated
        Whether it may be given several times.
    hidden
        Whether ``--help`` leaves it out, as it does with those that a plan file states as well.
    is_output
        Whether it names a file that a notebook writes.
    """

    name: str
    metavar: str | None
    help: str
    parse: Callable[[str], Any] | None = None
    choices: tuple[str, ...] | None = None
    repeated: bool = False
    hidden: bool = False
    is_output: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether it has no value."""
        return self.metavar is None

    def add(self, parser: ArgumentParser | _ArgumentGroup, help: str | None = None) -> None:
        """Add the option to a parser."""
        words: dict[str, Any] = {"help": SUPPRESS if self.hidden else help or self.help, "default": None}
        if self.is_switch:
            parser.add_argument(self.flag, action="store_const", const=True, **words)
            return
        words |= {"metavar": self.metavar, "choices": self.choices, "type": self.parse}
        parser.add_argument(self.flag, action="append" if self.repeated else "store", **words)

    def from_toml(self, value: object) -> Any:
        """The value that a project file states.

        Raises
        ------
        RequestError
            When it is of another type, or the option has no such value.
        """
        try:
            if self.is_switch or isinstance(value, bool):
                return self._switched(value)
            if self.repeated:
                return [self._parsed(item) for item in (value if isinstance(value, list) else [value])]
            return self._parsed(value)
        except ArgumentTypeError as error:
            raise RequestError(f"{self.name}: {error}") from None

    def _switched(self, value: object) -> bool | None:
        if not (self.is_switch and isinstance(value, bool)):
            wanted = "true or false" if self.is_switch else "no true or false"
            raise ArgumentTypeError(f"expected {wanted}, not {value!r}")
        return value or None

    def _parsed(self, value: object) -> Any:
        if isinstance(value, dict) and self.parse in (by_arm, cost):
            value = ",".join(f"{arm}={share}" for arm, share in value.items())
        if isinstance(value, list) and self.parse is shares:
            value = ",".join(map(str, value))
        if not isinstance(value, str | int | float | dt.date):
            raise ArgumentTypeError(f"expected a single value, not {value!r}")
        if self.choices and value not in self.choices:
            raise ArgumentTypeError(f"expected one of {', '.join(self.choices)}, not {value!r}")
        return str(value) if self.parse is None else self.parse(str(value))


def event(text: str) -> tuple[str, list[str]]:
    """An event and its months: ``price_rise=2022-09,2022-10``."""
    name, equals, months = text.partition("=")
    found = [month.strip() for month in months.split(",") if month.strip()]
    if not (equals and name.strip() and found):
        raise ArgumentTypeError(f"{text!r} is not an event with months, such as price_rise=2022-09,2022-10")
    return name.strip(), found


def add_options(parser: ArgumentParser, groups: Mapping[str, Iterable[Option]]) -> None:
    """Add options to a parser, in groups with titles."""
    for title, options in groups.items():
        group = parser.add_argument_group(title)
        for option in options:
            option.add(group)


def given(options: Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The values of those options that have one."""
    return {name: value for name in names if (value := getattr(options, name, None)) is not None}


def on_command_line(message: str, options: Iterable[Option]) -> str:
    """How the keywords that a message of the package names are written as options; empty where it names none."""
    flags = {option.name: option.flag for option in options if re.search(rf"\b{option.name}\b", message)}
    flags = {name: flag for name, flag in flags.items() if "_" in name or re.search(rf"\b{name}=(?!None)", message)}
    if "amount=None" in message:
        flags["amount=None"] = "--no-amount"
    if re.search(r"\bcovariates?\b", message):
        flags["covariates"] = "--group or, for a test, --covariate"
    written = [f"{name} is {flag}" for name, flag in flags.items()]
    return f"On the command line: {', '.join(written)}." if written else ""


def in_one_line(message: str) -> str:
    """The message without line breaks, and without what would speak to the terminal: it may quote the user's data."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(message.split())
    )


def margin(text: str) -> float:
    """A share of an amount: above 0, and at most 1."""
    return _check_number(text, require_margin)


def share(text: str) -> float:
    """A share: from 0 to 1."""
    return _check_number(text, partial(require_number, "the share", low=0, high=1))


def shares(text: str) -> list[float]:
    """Shares separated by commas."""
    return [share(part) for part in text.split(",")]


def level(text: str) -> float:
    """The level of an interval: above 0, and below 1."""
    value = share(text)
    if value in (0, 1):
        raise ArgumentTypeError(f"expected a level between 0 and 1, such as 0.95, not {text!r}")
    return value


def discount_rate(text: str) -> float:
    """A rate a year as a share: 0 or above, and below 1."""
    return _check_number(text, require_discount_rate)


def _check_number(text: str, rule: Callable[[object], None]) -> float:
    """The number that a text is, where it follows a rule."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number, not {text!r}") from None
    try:
        rule(value)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return value


def number(text: str) -> int | float:
    """A number above zero; a whole one stays whole."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return int(value) if value < 1e15 and value.is_integer() else value


def price(text: str) -> int | float | str:
    """A number above zero, or the name of a column: a text that reads as a number is one."""
    try:
        float(text)
    except ValueError:
        return text
    return number(text)


def whole(text: str) -> int:
    """A whole number above zero."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def period(text: str) -> str | int:
    """How long a contract runs: M, Y, or a number of days such as ``28`` or ``28D``."""
    letter, days = text.strip().upper(), text.strip().upper().removesuffix("DAYS").removesuffix("D").strip()
    if letter in ("M", "Y"):
        return letter
    if not (days.isdecimal() and int(days) > 0):
        raise ArgumentTypeError(f"expected M, Y or a number of days such as 28, not {text!r}")
    return int(days)


def by_arm(text: str) -> dict[str, float]:
    """Numbers by arm from ``ARM=NUMBER,ARM=NUMBER``; a comma may be part of a name."""
    found = re.findall(rf"([^=]+)=({_NUMBER})(?:,|$)", text)
    if not found or ",".join(f"{arm}={value}" for arm, value in found) != text.rstrip(","):
        raise ArgumentTypeError(f"expected ARM=NUMBER, several of them separated by commas, not {text!r}")
    return {arm.strip(): float(value) for arm, value in found}


def cost(text: str) -> float | dict[str, float]:
    """One cost for all arms, or one for each."""
    return float(text) if re.fullmatch(_NUMBER, text) else by_arm(text)


DATE_FORMAT = Option(
    "date_format", "FORMAT", "format of dates in text, such as %%d/%%m/%%Y; or iso, excel, unix_s, ..."
)
DECIMAL = Option("decimal", "MARK", "decimal mark of numbers in text: . or ,", choices=(".", ","))
LAYOUT = (
    Option("separator", "MARK", "between values: a character, tab or space (default: from the file)"),
    Option("no_header", None, "the first line has values; the columns are called 1, 2, 3, ..."),
    Option("encoding", "NAME", "encoding of a text file, such as cp1252 (default: UTF-8)"),
)
TIME_ZONE = Option("time_zone", "ZONE", "time zone of the dates, such as Europe/Berlin")
MAX_SET_ASIDE = Option("max_set_aside", "SHARE", "largest share of unreadable rows (default: 0.2)", share)
OBSERVATION_END = Option("observation_end", "DAY", "last day of observation (default: the last in the file)")
MARGIN = Option("margin", "SHARE", "margin as a share of the amount (default: 0.3, assumed)", margin)
CURRENCY = Option("currency", "NAME", "currency of amounts, such as EUR (default: not stated)")
LEVEL = Option("level", "P", "level of all intervals (default: 0.95)", level)
