"""Defaults from the rows of a test: the outcome, the arms and the control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.interventions.campaign.columns import Roles
from retention_models.tables.engines import collect, open_frame
from retention_models.tables.files import open_files, parse_numbers

UNTREATED = frozenset(
    ["control", "none", "no", "nothing", "untreated", "holdout", "hold-out", "baseline", "placebo", "0", "false"]
)
MOST_ARMS = 20  # a column with more values does not say who was assigned to what


def open_rows(rows: Any) -> nw.LazyFrame[Any]:
    """The rows as a lazy frame; those of a file as text, so that invalid numbers can be counted."""
    return open_frame(open_files(rows, None) if isinstance(rows, str | Path) else rows)


def parse_text_columns(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """The rows of a file with text columns as numbers, missing where the text is not a number."""
    if not frame.implementation.is_duckdb():
        return frame
    return nw.from_native(parse_numbers(frame.to_native(), columns))


def parse_assignment_time(frame: nw.LazyFrame[Any], assigned: str | None) -> nw.LazyFrame[Any]:
    """The rows with a numeric time of assignment if all its values are numbers; dates in ISO 8601 sort as text.

    Raises
    ------
    ValueError
        When the time is missing for some customers.
    """
    if assigned is None:
        return frame
    gaps, rows = _count_missing(frame, assigned)
    if gaps:
        raise ValueError(f"{assigned} is missing for {gaps:,} of {rows:,} customers; fill it in, or leave assigned out")
    parsed = parse_text_columns(frame, [assigned])
    return frame if _count_missing(parsed, assigned)[0] else parsed


def _count_missing(frame: nw.LazyFrame[Any], name: str) -> tuple[int, int]:
    """The number of missing values of a column, and the number of rows."""
    missing = nw.col(name).is_null().cast(nw.Int64).sum().alias("missing")
    found = collect(frame.select(missing, nw.len().alias("rows"))).iloc[0]
    return int(found["missing"]), int(found["rows"])


def choose_outcome(frame: nw.LazyFrame[Any], roles: Roles) -> tuple[Roles, list[str]]:
    """The roles with an outcome, and a sentence if it was chosen.

    Raises
    ------
    ValueError
        When no outcome is given and the number of remaining numeric columns is not 1.
    """
    if roles.outcomes:
        return roles, []
    left = [name for name in frame.collect_schema().names() if name not in roles.names]
    found = _number_columns(parse_text_columns(frame, left), left)
    if len(found) != 1:
        there = f"columns of numbers are left: {', '.join(found) or 'none'}"
        raise ValueError(f"the outcome was not named (outcome), and not one but {len(found)} {there}")
    reason = f"“{found[0]}” is the outcome: no other column of numbers is left."
    return replace(roles, outcome=(found[0],)), [reason]


def _number_columns(frame: nw.LazyFrame[Any], names: Sequence[str]) -> list[str]:
    """The columns with numbers, or true and false, in most rows."""
    schema = frame.collect_schema()
    numeric = [name for name in names if schema[name].is_numeric() or schema[name] == nw.Boolean]
    if not numeric:
        return []
    filled = [(~nw.col(name).is_null()).cast(nw.Int64).sum().alias(name) for name in numeric]
    counts = collect(frame.select(nw.len().alias("rows"), *filled)).iloc[0]
    return [name for name in numeric if 2 * counts[name] > counts["rows"]]


def read_arms(frame: nw.LazyFrame[Any], arm: str) -> list[str]:
    """The arms, in alphabetical order.

    Raises
    ------
    ValueError
        When there are no rows, or too many different values for a column of arms.
    """
    found = collect(frame.select(nw.col(arm).cast(nw.String).alias("arm")).unique())["arm"].dropna()
    arms = sorted(str(name) for name in found if str(name).strip())
    if not len(found):
        raise ValueError("there are no rows with an arm; every assigned customer needs one, those who did nothing too")
    if len(arms) > MOST_ARMS:
        raise ValueError(
            f"column {arm!r} has {len(arms):,} values ({', '.join(arms[:3])}, ...), and a test at most "
            f"{MOST_ARMS} arms; name the column that says who was assigned to what (arm)"
        )
    return arms


def choose_control(arms: Sequence[str], control: str | None) -> tuple[str, str]:
    """The control arm, and the reason for the choice.

    Raises
    ------
    ValueError
        When ``control`` is not an arm, or is not given and the number of arms with the name of a control is not 1.
    """
    if control is not None:
        if control not in arms:
            raise ValueError(f"the control {control!r} is none of the arms {', '.join(arms)}")
        return control, f"The arms are compared with “{control}”, as asked."
    found = [arm for arm in arms if arm.strip().casefold() in UNTREATED]
    if len(found) != 1:
        raise ValueError(f"which arm is the control was not said (control); it is one of {', '.join(arms)}")
    return found[0], f"The arms are compared with “{found[0]}”, which goes by the name of a control."


def binary_columns(frame: nw.LazyFrame[Any], names: Sequence[str]) -> set[str]:
    """The columns that contain only 0 and 1, or true and false."""
    schema = frame.collect_schema()
    numbers = [name for name in names if schema[name] != nw.Boolean]
    others = [((nw.col(name) != 0) & (nw.col(name) != 1)).cast(nw.Int64).sum().alias(name) for name in numbers]
    counts = collect(frame.select(*others)).iloc[0] if others else pd.Series(dtype=int)
    return set(names) - {str(name) for name in counts.index[counts > 0]}
