"""Effects as JSON text: what is written, and how it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_args

from retention_models.core.check import Check
from retention_models.core.version import __version__
from retention_models.interventions.effects.derived_laws import Law

Row = TypeVar("Row")  # ``Effect``, whose module uses this one

FORMAT = 1  # raised when a version writes what earlier ones cannot read
NO_EFFECT = "this is no effect written by to_json"
LAWS = {law.__name__: law for law in get_args(Law)}


def to_text(effect: Any) -> str:
    """The effect as JSON text."""
    stored = {name.name: _to_plain(getattr(effect, name.name)) for name in fields(effect)}
    return json.dumps({"retention_models": __version__, "format": FORMAT, "effect": stored}, indent=2, allow_nan=False)


def _to_plain(value: Any) -> Any:
    """A value as JSON can hold it: laws with their names; infinite numbers, which JSON lacks, as {"number": "inf"}."""
    if isinstance(value, Check):
        return asdict(value)
    if is_dataclass(value):  # a law
        return {"kind": type(value).__name__} | {f.name: _to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, str | bool | None):
        return value
    number = value.item() if hasattr(value, "item") else value  # numbers of numpy as well
    return {"number": f"{number:g}"} if math.isinf(number) else number


def from_text(effect_class: Callable[..., Row], text: str) -> Row:
    """The effect that JSON text holds; a ValueError names the version that wrote what cannot be read."""
    stored = _read_object(text)
    try:
        values = {name: _from_plain(value) for name, value in stored["effect"].items() if name != "checks"}
        return effect_class(**values, checks=tuple(Check(**check) for check in stored["effect"]["checks"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{NO_EFFECT}, or it is damaged ({_writer(stored)}; {_problem(error)})") from None


def _from_plain(value: Any) -> Any:
    """The value that was stored as ``_to_plain`` says."""
    if isinstance(value, list):
        return tuple(_from_plain(item) for item in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"number"}:
        return float(value["number"])
    if value["kind"] not in LAWS:
        raise ValueError(f"{value['kind']} is none of its laws, {', '.join(LAWS)}")
    return LAWS[value["kind"]](**{name: _from_plain(item) for name, item in value.items() if name != "kind"})


def _read_object(text: str) -> Mapping[str, Any]:
    """The JSON object in the text; an error if there is none, or if this version does not know its format."""
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{NO_EFFECT}, or it is damaged ({error})") from None
    if not isinstance(stored, dict) or "format" not in stored:
        raise ValueError(f"{NO_EFFECT}: it names no format")
    if stored["format"] not in range(1, FORMAT + 1):
        raise ValueError(
            f"this effect has format {stored['format']!r} ({_writer(stored)}); version {__version__} reads formats up "
            f"to {FORMAT}: upgrade retention_models, or compute the effect again"
        )
    return stored


def _writer(stored: Mapping[str, Any]) -> str:
    version = stored.get("retention_models")
    return "it names no version" if version is None else f"written by version {version}"


def _problem(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
