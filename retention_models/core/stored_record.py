"""Results as JSON text that says which version wrote it, in which format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from retention_models.core.version import __version__

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A kind of result that is stored, such as a fit.

    ``format`` is raised when a version writes what earlier ones cannot read; texts that name none have
    ``unnamed_format``. ``remedy`` is what else helps against a later format than to upgrade.
    """

    name: str
    format: int
    remedy: str
    unnamed_format: int | None = None

    def write(self, plain: Mapping[str, Any], path: str | Path | None) -> str:
        """Plain values as JSON text, written to a file as well where a path is given."""
        stored = {"retention_models": __version__, "format": self.format, **plain}
        text = json.dumps(stored, indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def read(self, source: str | Path, parse: Callable[[Mapping[str, Any]], T]) -> T:
        """The result that ``parse`` makes of the values in JSON text, or in the file that holds it.

        Raises
        ------
        ValueError
            When the text is no such record, is damaged, or has a later format, with the version that wrote it.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        stored = self._values(str(source) if is_text else Path(source).read_text(encoding="utf-8"))
        try:
            return parse(stored)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{self._none}, or it is damaged ({_writer(stored)}; {problem})") from None

    @property
    def _none(self) -> str:
        return f"this is no {self.name} written by to_json"

    def _values(self, text: str) -> Mapping[str, Any]:
        try:
            stored = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{self._none}, or it is damaged ({error})") from None
        if not isinstance(stored, dict):
            raise ValueError(f"{self._none}: it holds {type(stored).__name__}, no object")
        used = stored.get("format", self.unnamed_format)
        if used is None:
            raise ValueError(f"{self._none}: it names no format")
        if used not in range(1, self.format + 1):
            raise ValueError(
                f"this {self.name} has format {used!r} ({_writer(stored)}); version {__version__} reads formats up to "
                f"{self.format}: upgrade retention_models, or {self.remedy}"
            )
        return stored


def _writer(stored: Mapping[str, Any]) -> str:
    version = stored.get("retention_models")
    return "it names no version" if version is None else f"written by version {version}"
