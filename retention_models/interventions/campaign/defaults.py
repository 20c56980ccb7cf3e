"""Defaults from the rows of a test: the outcome, the arms and the control."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import narwhals as nw

from retention_models.interventions.campaign.columns import Roles
from retention_models.tables.cleaning import TEXT
from retention_models.tables.currencies import CURRENCY, currency_column, require_one_currency
from retention_models.tables.engines import forms_of, measured_columns, open_table, unread_hint
from retention_models.tables.files import Kind
from retention_models.tables.frames import collect
from retention_models.tables.text_forms import NOTHING_STATED, Stated, formats_in_words

UNTREATED = frozenset(
    ["control", "none", "no", "nothing", "untreated", "holdout", "hold-out", "baseline", "placebo", "0", "false"]
)
WINDOW = ("purchases", "days_to_last", "days_to_next")  # of purchase_outcomes, for a model of purchases
MOST_ARMS = 20  # a column with more values does not say who was assigned to what


def open_rows(
    source: Any, roles: Roles, names: Sequence[str], stated: Stated = NOTHING_STATED, *, with_gaps: bool = False
) -> tuple[nw.LazyFrame[Any], list[str]]:
    """The columns with a role, and those of purchases in a window, as a lazy frame, and how text in them is read.

    Raises
    ------
    ValueError
        When the time of the assignment is missing for some customers, unless it may have gaps.
    """
    kinds: dict[str, Kind] = {name: "number" for name in WINDOW if name in names}
    kinds |= {name: "text" for name in (roles.arm, roles.cluster, roles.block) if name}
    kinds |= {name: "value" for name in (roles.customer_id,) if name}
    kinds |= {name: _kind_of_moment(source, name, stated) for name in (roles.assigned,) if name}
    kinds |= dict.fromkeys(roles.numbers, "measure")
    columns = {name: name for name in kinds}
    forms = forms_of(source, columns, kinds, stated, where="the test")
    frame = open_table(source, columns, kinds, keep=True, where="the test", forms=forms).lazy()
    if roles.assigned is not None and frame.collect_schema()[roles.assigned] in TEXT:
        filled = frame.select(roles.assigned).filter(~nw.col(roles.assigned).is_null())
        first = collect(filled.head(1))[roles.assigned]
        if len(first):
            raise ValueError(
                f"column {roles.assigned!r} must hold days or numbers for assigned, but contains text such as "
                f"{str(first.iloc[0])!r}, which has no order in time; write the day, or the number of the wave"
            )
    if roles.assigned is not None and not with_gaps:
        gaps = nw.col(roles.assigned).is_null().cast(nw.Int64).sum()
        gaps, rows = collect(frame.select(missing=gaps, rows=nw.len())).iloc[0]
        if gaps:
            raise ValueError(
                f"{roles.assigned} is missing for {gaps:,} of {rows:,} customers; fill it in, or leave assigned out"
            )
    return frame, [f"“{name}” is read with {form}." for name, form in formats_in_words(forms, columns).items()]


def check_currencies(source: Any) -> None:
    """An error where a column says that amounts are in several currencies."""
    if column := currency_column(source):
        rows = open_table(source, column, {CURRENCY: "text"}, where="the test")
        require_one_currency(rows, column[CURRENCY], with_conditions=False)


def _kind_of_moment(source: Any, name: str, stated: Stated) -> Kind:
    """``day`` for a column of days, ``number`` for one of numbers in text; else ``value``, as for other numbers."""
    columns: dict[str, str] = {name: name}
    kinds: dict[str, Kind] = {name: "day"}
    forms = forms_of(source, columns, kinds, stated, where="the test")
    are_days = name in forms and not unread_hint(source, columns, kinds, forms, [name], where="the test")
    if are_days:
        return "day"
    kinds[name] = "number"
    with suppress(ValueError):  # numbers in text, which would be sorted as text
        forms = forms_of(source, columns, kinds, stated, where="the test")
        if name in forms and not unread_hint(source, columns, kinds, forms, [name], where="the test"):
            return "number"
    return "value"


def choose_outcome(source: Any, roles: Roles, names: Sequence[str]) -> tuple[Roles, list[str]]:
    """The roles with an outcome, and a sentence if it was chosen.

    Raises
    ------
    ValueError
        When no outcome is given and the number of remaining numeric columns is not 1.
    """
    if roles.outcomes or roles.has_contracts:
        return roles, []
    found = measured_columns(source, [name for name in names if name not in roles.names])
    if len(found) != 1:
        there = f"columns of numbers are left: {', '.join(found) or 'none'}"
        raise ValueError(f"the outcome was not named (outcome), and not one but {len(found)} {there}")
    reason = f"“{found[0]}” is the outcome: no other column of numbers is left."
    return replace(roles, outcome=(found[0],)), [reason]


def read_arms(frame: nw.LazyFrame[Any], arm: str) -> list[str]:
    """The arms, in alphabetical order.

    Raises
    ------
    ValueError
        When there are no rows, or too many different values for a column of arms.
    """
    arms = sorted(collect(frame.select(nw.col(arm).alias("arm")).unique())["arm"].dropna())
    if not arms:
        raise ValueError(
            "there are no rows with an arm; every assigned customer needs one, including customers who did nothing"
        )
    if len(arms) > MOST_ARMS:
        raise ValueError(
            f"column {arm!r} has {len(arms):,} values ({', '.join(arms[:3])}, ...), but a test has at most "
            f"{MOST_ARMS} arms; name the column of the assigned arm (arm)"
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
            raise ValueError(f"the control {control!r} is not one of the arms {', '.join(arms)}")
        return control, f"The arms are compared with “{control}”, as asked."
    found = [arm for arm in arms if arm.strip().casefold() in UNTREATED]
    if len(found) != 1:
        raise ValueError(f"the control is not stated (control); the arms are {', '.join(arms)}")
    return found[0], f"The arms are compared with “{found[0]}”, which goes by the name of a control."


def binary_columns(frame: nw.LazyFrame[Any], names: Sequence[str]) -> set[str]:
    """The columns that contain only 0 and 1."""
    others = [((nw.col(name) != 0) & (nw.col(name) != 1)).cast(nw.Int64).sum().alias(name) for name in names]
    counts = collect(frame.select(*others)).iloc[0]
    return {name for name in names if not counts[name]}
