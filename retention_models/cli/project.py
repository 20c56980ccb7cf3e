"""The project file: files, columns, filters and terms in one place, read by every command."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from retention_models.cli.contracts import CONTRACTS
from retention_models.cli.experiment import EXPERIMENT
from retention_models.cli.memberships import MEMBERSHIPS
from retention_models.cli.purchases import PURCHASES
from retention_models.cli.register import REGISTER
from retention_models.cli.rollout import ROLLOUT
from retention_models.cli.sources import Source
from retention_models.report.errors import RequestError

NAME = "project.toml"
SOURCES: tuple[Source, ...] = (PURCHASES, CONTRACTS, EXPERIMENT, ROLLOUT, MEMBERSHIPS, REGISTER)
TERMS = ("margin", "annual_discount_rate", "currency", "horizon", "time_unit", "level")
OF_PURCHASES = ("horizon", "time_unit")  # terms of a forecast of purchases; a test has its own


@dataclass(frozen=True, slots=True)
class Project:
    """A project file: its sections, and where it is; without a path there is none."""

    path: Path | None = None
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def has(self, source: Source) -> bool:
        """Whether the project names a file of some kind."""
        return "file" in self.sections.get(source.section, {})

    def complete(self, options: Namespace, source: Source) -> Namespace:
        """The options, those without a value from the project's section of a kind of file, or from its terms."""
        terms = self.sections.get("terms", {})
        shared = {name: terms[name] for name in terms if source.section == "purchases" or name not in OF_PURCHASES}
        stated = {name: value for name, value in shared.items() if name in source.every_option}
        stated |= self.sections.get(source.section, {})
        if "register" in source.every_option and self.has(REGISTER):
            stated.setdefault("register", self.sections[REGISTER.section]["file"])
        found = vars(options).copy()
        if options.amount if "amount" in found else False:
            stated.pop("no_amount", None)
        for name, value in stated.items():
            if name == "file":
                name, value = source.name, self._path_of(value)
            elif found.get(name) is None:
                value = self._parse(source, name, value)
            if found.get(name) is None and not (name == "amount" and found.get("no_amount")):
                found[name] = value
        return Namespace(**found)

    def _path_of(self, file: object) -> Path:
        """The path of a file, which counts from the folder of the project file."""
        if not isinstance(file, str):
            raise RequestError(f"{self.path}: a file must be the path of a file, not {file!r}")
        assert self.path is not None
        return self.path.parent / file

    def _parse(self, source: Source, name: str, value: object) -> Any:
        try:
            parsed = source.every_option[name].from_toml(value)
            return self._path_of(value) if isinstance(parsed, Path) else parsed
        except RequestError as error:
            raise RequestError(f"{self.path}, [{source.section}]: {error}") from None


def read_project(path: Path | None) -> Project:
    """The project file at a path; by default the one in the working directory, if there is one.

    Raises
    ------
    RequestError
        If the file is not there, is no TOML, or has a section or key that nobody knows.
    """
    if path is None:
        path = Path(NAME)
        if not path.exists():
            return Project()
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RequestError(
            f"--project {path}: the file does not exist; retention-models init FILE writes one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            f"{path} is not valid TOML: {error}. Write text in quotes, a path with \\ in single quotes, and numbers "
            f"with a decimal "
            "point, such as 0.3"
        ) from error
    possible = {source.section: ["file", *source.every_option] for source in SOURCES} | {"terms": list(TERMS)}
    _check_names(path, "section", sections, possible)
    for section, keys in sections.items():
        if not isinstance(keys, dict):
            raise RequestError(f"{path}: {section} must be a section, written [{section}]")
        _check_names(path, f"key in [{section}]", keys, possible[section])
    return Project(path, sections)


def _check_names(path: Path, what: str, names: Mapping[str, Any], possible: Sequence[str] | Mapping[str, Any]) -> None:
    for name in names:
        if name not in possible:
            alike = get_close_matches(name, possible, 1)
            meant = f"Did you mean {alike[0]}? " if alike else "Write it below [terms]. " if name in TERMS else ""
            raise RequestError(f"{path}: there is no {what} {name!r}. {meant}There are {', '.join(possible)}")
