"""Results as JSON text that says which version wrote it, in which format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from retention_models.core.version import __version__
from retention_models.core.whole_files import write_whole

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
            write_whole(path, text + "\n")
        return text

    def read(self, source: str | Path, parse: Callable[[Mapping[str, Any]], T]) -> T:
        """The result that ``parse`` makes of the values in JSON text, or in the file that holds it.

        Raises
        ------
        ValueError
            When the text is no such record, is damaged, or has a later format, with the version that wrote it.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith(("{", "["))
        stored = self._values(str(source).encode() if is_text else self._bytes(source))
        try:
            return parse(stored)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            problem = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{self._none}, or it is damaged ({_writer(stored)}; {problem})") from None

    def _bytes(self, path: str | Path) -> bytes:
        if not isinstance(path, str | PathLike):
            raise TypeError(
                f"a stored {self.name} is the JSON text of to_json, or the path of the file that holds it, not "
                f"{type(path).__name__}"
            )
        if not str(path).strip() or Path(path).is_dir():
            what = f"{str(path)!r} is a folder" if str(path).strip() else "the text is empty"
            raise ValueError(f"{self._none}: {what}; pass the JSON text, or the path of the file that holds it")
        return Path(path).read_bytes()

    @property
    def _none(self) -> str:
        return f"this is no {self.name} written by to_json"

    def _values(self, text: bytes) -> Mapping[str, Any]:
        try:
            stored = json.loads(
                text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_without_repeated_names
            )
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self._none}, or it is damaged ({error})") from None
        if not isinstance(stored, dict):
            raise ValueError(f"{self._none}: it holds {type(stored).__name__}, no object")
        used = stored.get("format", self.unnamed_format)
        if used is None:
            raise ValueError(f"{self._none}: the format is not stated")
        if type(used) is not int or used not in range(1, self.format + 1):
            raise ValueError(
                f"this {self.name} has format {used!r} ({_writer(stored)}); version {__version__} reads formats up to "
                f"{self.format}: upgrade retention_models, or {self.remedy}"
            )
        return stored


def build(record: type[T], values: Mapping[str, Any]) -> T:
    """The dataclass with these values, each of the type that its field declares.

    Raises
    ------
    ValueError
        When a value has another type, or belongs to no field.
    """
    types = get_type_hints(record)
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"{record.__name__} has no {name}")
        if not _is_of(value, types[name]):
            raise ValueError(f"{name} of {record.__name__} must be of another type; got {repr(value)[:80]}")
    return record(**values)


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value that was stored is of a type, as far as plain values can tell."""
    parts = get_args(kind)
    match get_origin(kind):
        case origin if origin in (Union, UnionType):
            return any(_is_of(value, part) for part in parts)
        case origin if origin is Literal:
            return value in parts
        case origin if origin is tuple:
            each = parts[:1] * len(value) if isinstance(value, tuple) and parts[-1] is ... else parts
            return isinstance(value, tuple) and len(value) == len(each) and all(map(_is_of, value, each))
        case origin if origin is Mapping:
            return isinstance(value, Mapping) and all(
                _is_of(name, parts[0]) and _is_of(held, parts[1]) for name, held in value.items()
            )
    if kind in (int, float):
        return type(value) is int or (kind is float and type(value) is float)
    return kind is Any or isinstance(value, kind)


def _finite(number: str) -> float:
    """A number of JSON text, which has neither infinity nor NaN."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is not a number that the record can hold")
    return value


def _without_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON text, in which a name that comes twice would hide a value."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name appears twice in an object")
    return found


def _writer(stored: Mapping[str, Any]) -> str:
    version = stored.get("retention_models")
    return "it names no version" if version is None else f"written by version {version}"
