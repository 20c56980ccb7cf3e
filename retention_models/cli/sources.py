"""The kinds of user files on which notebooks can run, one record a kind."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from retention_models.cli.options import Option, add_options, given
from retention_models.report.errors import RequestError

Known = Mapping[str, Collection[str]]  # notebooks by name, and the names of their parameters


class Check(Protocol):
    """Says what is wrong with a file, as an error of one sentence, before any notebook runs."""

    def __call__(self, options: Namespace, known: Known, *, named: bool) -> dict[str, str]:
        """The notebooks that cannot run on the file, with the reason; if the user ``named`` them, that is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of user file on which notebooks can run instead of the embedded data.

    Its options stand for parameters of the notebooks, of the same names.

    Attributes
    ----------
    name
        Its option (``transactions`` for ``--transactions``), and the parameter that marks the notebooks which take it.
    section
        Its command, and its section in a project file.
    what
        What a sentence calls it: ``the log``.
    file_help
        What kind of file it is.
    options
        Its options, in groups with titles.
    columns
        Parameters that name columns, and the default names of these columns.
    optional
        Parameters that become None without an option: they are chosen from the file, or left out.
    with_notebook_default
        Parameters that keep the value of the notebook without an option.
    reading
        Options that are keywords of the reader: together they are the parameter ``reading``.
    assumed
        Parameters whose defaults are assumptions, which pages mark as such.
    check
        Says what is wrong with the file, before any notebook runs.
    """

    name: str
    section: str
    what: str
    file_help: str
    options: Mapping[str, tuple[Option, ...]]
    columns: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    with_notebook_default: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    check: Check

    @property
    def every_option(self) -> dict[str, Option]:
        """All options, by their names."""
        return {option.name: option for group in self.options.values() for option in group}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that an option of this kind can stand for."""
        return (self.name, *self.columns, *self.optional, *self.with_notebook_default, *self.reading)

    def add_file(self, parser: ArgumentParser | _ArgumentGroup) -> None:
        """Add the option that names the file."""
        parser.add_argument(f"--{self.name}", type=Path, metavar="FILE", help=self.file_help)

    def add_options(self, parser: ArgumentParser) -> None:
        """Add all other options."""
        add_options(parser, self.options)

    def settings(self, options: Namespace) -> dict[str, object]:
        """The parameters of the notebooks for a file of this kind."""
        defaults = {**self.columns, **dict.fromkeys(self.optional)}
        assumed = [name for name in self.assumed if getattr(options, name) is None]
        if getattr(options, "tenure", None) is None or getattr(options, "period", None) is not None:
            assumed = [name for name in assumed if name != "tenure_unit"]
        return defaults | stated_parameters(options, [self]) | {"assumed": assumed}


def stated_parameters(options: Namespace, sources: Sequence[Source]) -> dict[str, object]:
    """The parameters that options were given for."""
    names = dict.fromkeys(name for source in sources for name in source.parameters if name not in source.reading)
    stated = given(options, names) | ({"amount": None} if getattr(options, "no_amount", None) else {})
    reading = given(options, dict.fromkeys(name for source in sources for name in source.reading))
    return stated | ({"reading": reading} if reading else {})


def select_source(options: Namespace, sources: Sequence[Source]) -> Source | None:
    """The kind of file that the options name, if any.

    Raises
    ------
    RequestError
        If they name several.
    """
    named = [source for source in sources if getattr(options, source.name) is not None]
    if len(named) > 1:
        raise RequestError(
            f"name one file, not {' and '.join(f'--{source.name}' for source in named)}; run report once for each "
            "file, with the same --output, and the index lists all pages. Or name all files in a project file: "
            "retention-models init FILE ..."
        )
    return named[0] if named else None


def require_settings_without_option(settings: Collection[str], sources: Sequence[Source], named: Source | None) -> None:
    """An error for a setting that has its own option, because options are checked before the notebooks run."""
    for source in sources:
        if source.name in settings:
            raise RequestError(f"pass {source.what} as --{source.name} FILE, not with --set")
    for name in settings:
        if named is not None and name in named.parameters:
            raise RequestError(f"with --{named.name} pass {name} as --{name.replace('_', '-')}, not with --set")
