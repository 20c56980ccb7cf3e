"""Effects as JSON text: what is written, and how it is read."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from retention_models.core.check import Check
from retention_models.core.stored_record import StoredRecord, build
from retention_models.interventions.effects.derived_laws import Law

Row = TypeVar("Row")  # ``Effect``, whose module uses this one

STORED = StoredRecord("effect", format=3, remedy="compute the effect again")
LAWS = {law.__name__: law for law in get_args(Law)}


def to_text(effect: Any, path: str | Path | None) -> str:
    """The effect as JSON text."""
    return STORED.write({"effect": {f.name: _to_plain(getattr(effect, f.name)) for f in fields(effect)}}, path)


def from_text(effect_class: type[Row], source: str | Path) -> Row:
    """The effect that JSON text holds; a ValueError names the version that wrote what cannot be read."""

    def parse(stored: Mapping[str, Any]) -> Row:
        values = {name: _from_plain(value) for name, value in stored["effect"].items() if name != "checks"}
        if "assigned_by" not in values:  # written before it was asked: what is not known to be random is not
            values["assigned_by"] = "unknown"
            values["design"] = "observational" if values.get("design") == "randomised" else values.get("design")
        return build(
            effect_class, values | {"checks": tuple(build(Check, each) for each in stored["effect"]["checks"])}
        )

    return STORED.read(source, parse)


def _to_plain(value: Any) -> Any:
    """A value as JSON can hold it: laws with their names; infinite numbers, which JSON lacks, as {"number": "inf"}."""
    if isinstance(value, Check):
        return asdict(value)
    if is_dataclass(value):  # a law
        return {"kind": type(value).__name__} | {f.name: _to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, str | bool | None):
        return value
    number = value.item() if hasattr(value, "item") else value  # numbers of numpy as well
    return {"number": f"{number:g}"} if math.isinf(number) else number


def _from_plain(value: Any) -> Any:
    """The value that was stored as ``_to_plain`` says."""
    if isinstance(value, list):
        return tuple(_from_plain(item) for item in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"number"}:
        return {"inf": math.inf, "-inf": -math.inf}[value["number"]]
    if value["kind"] not in LAWS:
        raise ValueError(f"{value['kind']} is not one of its laws, {', '.join(LAWS)}")
    return build(LAWS[value["kind"]], {name: _from_plain(item) for name, item in value.items() if name != "kind"})
