"""The kinds of user files on which notebooks can run, one record a kind."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from retention_models.report.errors import RequestError

Known = Mapping[str, Collection[str]]  # notebooks by name, and the names of their parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of user file on which notebooks can run instead of the embedded data.

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
        Parameters that name columns, and the default names of these columns.
    optional
        Parameters that become None without an option: they are chosen from the file, or left out.
    with_notebook_default
        Parameters that keep the value of the notebook without an option.
    check
        Says what is wrong with the file, as an error of one sentence, before any notebook runs.
    """

    name: str
    what: str
    add_options: Callable[[ArgumentParser], None]
    columns: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    with_notebook_default: tuple[str, ...] = ()
    check: Callable[[Namespace, Known], None]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that an option of this kind can stand for."""
        return (self.name, *self.columns, *self.optional, *self.with_notebook_default)

    @property
    def defaults(self) -> dict[str, object]:
        """The parameters whose defaults differ between a user's file and the embedded data."""
        return {**self.columns, **dict.fromkeys(self.optional)}


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
            f"name one file, not {' and '.join(f'--{source.name}' for source in named)}; run report once for each, "
            "with the same --output, and the index will list all pages"
        )
    return named[0] if named else None


def option_parameters(options: Namespace, sources: Sequence[Source]) -> dict[str, object]:
    """The parameters that options were given for."""
    names = dict.fromkeys(name for source in sources for name in source.parameters)
    said = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return said | ({"amount": None} if options.no_amount else {})


def require_settings_without_option(settings: Collection[str], sources: Sequence[Source], named: Source | None) -> None:
    """An error for a setting that has its own option, because options are checked before the notebooks run."""
    for source in sources:
        if source.name in settings:
            raise RequestError(f"pass {source.what} as --{source.name} FILE, not with --set")
    for name in settings:
        if named is not None and name in named.parameters:
            raise RequestError(f"with --{named.name} pass {name} as --{name.replace('_', '-')}, not with --set")
