"""Anything the package returns as flat leaves: a name -> a list of numbers, strings, booleans and None."""

import datetime as dt
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

LONGEST = 600  # longer columns are kept as so many values, and their sums


class Parts(dict):
    """A mapping whose keys are names of the ledger; those of any other mapping are data."""


class Raised:
    """What a refusal says."""

    def __init__(self, error: Exception) -> None:
        self.kind, self.text = type(error).__name__, str(error)


def tried(function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """What a function returns, or how it refuses."""
    try:
        return function(*given, **options)
    except Exception as error:  # a refusal is an entry, too
        return Raised(error)


def each(function: Callable[[Any], Any], over: Mapping[str, Any]) -> Parts:
    """What a function makes of each, under names of the ledger; a refusal among them is kept."""
    return Parts({name: tried(function, value) for name, value in over.items()})


def computed(name: str, function: Callable[[], Any]) -> tuple[dict[str, list], float]:
    """The leaves of an entry, and the seconds they took; sentences have leaves that begin with ``text.``."""
    begun = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = {}
        for key, leaf in leaves(name, tried(function)):
            said = any(isinstance(value, str) and " " in value for value in leaf)
            key = f"text.{key}" if said and not key.startswith("text.") else key
            assert key not in found, key
            found[key] = leaf
    if caught:
        found[f"text.{name}.warnings"] = sorted({str(one.message) for one in caught})
    return found, time.perf_counter() - begun


# Fields that records got after the base: they are left out, so that the others keep their position.
ADDED = ("law", "value_law", "calendar_by", "binary", "mean_covariance", "information")


def leaves(name: str, value: Any) -> Iterator[tuple[str, list]]:
    """The leaves of a value: frames by column, data classes by field, sequences by element, all by position."""
    if isinstance(value, Raised):
        yield f"{name}.raises", [value.kind]
        yield f"text.{name.removeprefix('text.')}.message", [value.text]
    elif isinstance(value, Parts):
        for key, part in value.items():
            yield from leaves(f"{name}.{key}", part)
    elif is_scalar(value):
        yield name, [plain(value)]
    elif isinstance(value, np.ndarray):
        yield f"{name}.shape", list(value.shape)
        yield from column(name, value.ravel())
    elif isinstance(value, pd.DataFrame):
        yield from of_frame(name, value)
    elif isinstance(value, pd.Series):
        yield f"{name}.columns", [str(value.name)]
        yield from of_index(f"{name}.index", value.index)
        yield from column(name, value.to_numpy())
    elif isinstance(value, pd.Index):
        yield from of_index(name, value)
    elif isinstance(value, Mapping):
        yield f"{name}.keys", [str(key) for key in value]
        yield from by_position(name, value.values())
    elif isinstance(value, list | tuple) and all(map(is_scalar, value)):
        yield name, [plain(one) for one in value]
    elif isinstance(value, list | tuple):
        yield from by_position(name, value)
    elif isinstance(value, set | frozenset):
        yield name, sorted(map(str, value))
    elif isinstance(value, type):
        yield f"{name}.class", [value.__name__]
    elif is_dataclass(value):
        added = (*ADDED, "time_unit") if type(value).__name__ in ("Effect", "Outcome") else ADDED
        names = [field.name for field in fields(value) if field.name not in added]
        yield f"{name}.fields", names
        yield from by_position(name, (getattr(value, field) for field in names))
    else:
        yield from of_frame(name, sorted_frame(value))


def is_scalar(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float | str | dt.date | dt.timedelta | np.generic)
        or (value is pd.NaT or value is pd.NA)
    )


def plain(value: Any) -> Any:
    """A value that JSON knows, in full precision."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def by_position(name: str, values: Any) -> Iterator[tuple[str, list]]:
    for i, value in enumerate(values):
        yield from leaves(f"{name}.{i}", value)


def column(name: str, values: Any) -> Iterator[tuple[str, list]]:
    """One leaf; a long one is thinned, and its sums stand for what was left out."""
    values = list(values)
    if values and not all(map(is_scalar, values)):
        yield from by_position(name, values)
        return
    if len(values) > LONGEST:
        numbers = [float(v) for v in values if isinstance(v, int | float | np.number) and np.isfinite(v)]
        yield f"{name}.sums", [len(values), float(np.sum(numbers)), float(np.sum(np.abs(numbers)))]
        values = [values[i] for i in np.linspace(0, len(values) - 1, LONGEST).astype(int)]
    yield name, [plain(value) for value in values]


def of_index(name: str, index: pd.Index) -> Iterator[tuple[str, list]]:
    yield f"{name}.columns", [str(label) for label in index.names]
    for i in range(index.nlevels):
        yield from column(f"{name}.{i}", index.get_level_values(i))


def of_frame(name: str, frame: pd.DataFrame) -> Iterator[tuple[str, list]]:
    yield f"{name}.columns", [str(label) for label in frame.columns]
    yield f"{name}.dtypes", [str(kind) for kind in frame.dtypes]
    yield from of_index(f"{name}.index", frame.index)
    if {"horizon", "time_unit"} <= set(frame.columns):
        frame = frame.drop(columns="time_unit")
    for i in range(frame.shape[1]):
        yield from column(f"{name}.{i}", frame.iloc[:, i])
    if frame.attrs:
        yield from leaves(f"{name}.attrs", frame.attrs)


def sorted_frame(value: Any) -> pd.DataFrame:
    """A frame of any engine as pandas, its rows in an order that no engine chooses."""
    frame = nw.from_native(value, pass_through=False)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    found = frame.to_pandas()
    return found.sort_values(list(found.columns), ignore_index=True)
