"""Kinds of files of one's own that notebooks can run on, each described once; one more kind is one more record."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from retention_models.report.errors import RequestError

Known = Mapping[str, Collection[str]]  # notebooks by name, and the names of their parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of file that notebooks can run on instead of the data that they bring along.

    Its options stand for parameters of the notebooks, of the same names.

    Attributes
    ----------
    name
        Its option (``transactions`` for ``--transactions``), and the parameter that marks the notebooks which take it.
    what
        What a sentence calls it: ``the log``.
    add_options
        Adds the options that say where the file is and how to read it.
    columns
        Parameters that name columns, and what those are called where nothing is said.
    chosen
        Parameters that become None where nothing is said: they are chosen from the file, or left out.
    kept
        Parameters that stay as the notebook has them where nothing is said.
    check
        Says what is wrong with the file, as an error of one sentence, before any notebook runs.
    """

    name: str
    what: str
    add_options: Callable[[ArgumentParser], None]
    columns: Mapping[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    check: Callable[[Namespace, Known], None]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that an option of this kind can stand for."""
        return (self.name, *self.columns, *self.chosen, *self.kept)

    @property
    def unsaid(self) -> dict[str, object]:
        """The parameters that a file of the user's own needs otherwise than the data that notebooks bring along."""
        return {**self.columns, **dict.fromkeys(self.chosen)}


def chosen_source(options: Namespace, sources: Sequence[Source]) -> Source | None:
    """The kind of file that the options name, if any.

    Raises
    ------
    RequestError
        If they name several.
    """
    named = [source for source in sources if getattr(options, source.name) is not None]
    if len(named) > 1:
        raise RequestError(
            f"name one file, not {' and '.join(f'--{source.name}' for source in named)}; run report once for each, "
            "with the same --output, and the index will list all pages"
        )
    return named[0] if named else None


def given_parameters(options: Namespace, sources: Sequence[Source]) -> dict[str, object]:
    """The parameters that options were given for."""
    names = dict.fromkeys(name for source in sources for name in source.parameters)
    said = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return said | ({"amount": None} if options.no_amount else {})


def check_settings_of(settings: Collection[str], sources: Sequence[Source], named: Source | None) -> None:
    """Refuse as a setting what has an option of its own, which is looked at before the notebooks run."""
    for source in sources:
        if source.name in settings:
            raise RequestError(f"pass {source.what} as --{source.name} FILE, not with --set")
    for name in settings:
        if named is not None and name in named.parameters:
            raise RequestError(f"with --{named.name} pass {name} as --{name.replace('_', '-')}, not with --set")
