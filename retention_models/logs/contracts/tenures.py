"""Tenures of a table without dates: read with their unit, and counted in whole periods as dated contracts are.

An active customer counts the completed renewals. A customer who churned is lost at the first renewal that did not
happen. Days do not show which calendar months they were, so a month counts as 365.25 / 12 days. If most customers left
near renewals by this count, those who left up to three days after a renewal count as lost at it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_number, require_text
from retention_models.core.check import Check
from retention_models.core.dates import MEAN_DAYS, MONTHS, unit_name
from retention_models.core.formatting import counted
from retention_models.logs.contracts.event_words import event_rules, read_events, unknown_event_hint
from retention_models.logs.contracts.log import Sampling
from retention_models.logs.contracts.retention_counts import (
    AT_RENEWALS,
    CALENDAR_SLACK,
    EXACT,
    period_days,
    require_groups,
    share_off_renewals,
)
from retention_models.logs.set_aside import check_rows_that_count
from retention_models.tables.days import Period, check_period, period_name
from retention_models.tables.engines import forms_of, open_table
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import count_distinct, on_engine
from retention_models.tables.text_forms import Stated

TenureUnit = Literal["D", "W", "M", "Y"]

ENDLESS = 1e6  # periods; a table has a row for each
KINDS: dict[str, Kind] = {
    "tenure": "number",
    "tenure_words": "words",
    "churned": "measure",
    "churned_words": "words",
    "entry": "number",
    "cause": "text",
    "price": "number",
}
UNIT_WORDS: Mapping[TenureUnit, tuple[str, ...]] = {
    "D": ("d", "day", "days"),
    "W": ("w", "wk", "wks", "week", "weeks"),
    "M": ("m", "mo", "mos", "mon", "mons", "mth", "mths", "month", "months"),
    "Y": ("y", "yr", "yrs", "year", "years"),
}
UNIT_OF = {word: unit for unit, words in UNIT_WORDS.items() for word in words}
PERIOD_OF: Mapping[TenureUnit, Period] = {"D": 1, "W": 7, "M": "M", "Y": "Y"}
UNITS_IN_WORDS = "'D' (days), 'W' (weeks), 'M' (months) or 'Y' (years)"
MOST_YEARS, MOST_YEARS_ASSUMED = 60, 40  # as a customer; longer tenures are rather in another unit
MULTIPLES = {
    30: "State tenure_unit='D' if it counts days",
    12: "State tenure_unit='M' and period='Y' if contracts are yearly",
    7: "State tenure_unit='D' if it counts days of whole weeks",
}
FEWEST_VALUES = 5  # distinct tenures that are all multiples of a number beyond chance
NOT_WHOLE = "rows whose tenure is negative or no whole number"


@dataclass(frozen=True, slots=True)
class Tenures:
    """The customers of a table of tenures who count, in whole periods.

    ``counts`` has a row for customers who are alike: ``entry``, ``tenure``, ``churned``, ``spells`` (customers),
    ``nearest`` (the tenure of active customers rounded to periods, if those of sampling acquisition leave on any day),
    the groups ``by0``, ``by1``, ..., and ``cause`` and ``price`` if there is one. ``unit`` is that of the column, None
    if it counts periods. ``set_aside`` and ``settled`` count rows; ``check`` tells whether nearly all rows count.
    """

    counts: pd.DataFrame
    period: Period
    unit: TenureUnit | None
    set_aside: dict[str, int]
    settled: dict[str, int]
    check: Check


def read_tenures(
    source: object,
    roles: Mapping[str, str | None],
    by: Sequence[str],
    *,
    sampling: Sampling,
    period: Period | None,
    tenure_unit: TenureUnit | None,
    max_set_aside: float,
    decimal: str | None = None,
) -> Tenures:
    """The rows of a table of tenures, in whole periods; ``roles`` names the columns."""
    require_number("max_set_aside", max_set_aside, 0, 1)
    if tenure_unit is not None:
        check_choice("tenure_unit", tenure_unit, get_args(TenureUnit))
    raw = _count_rows(source, roles, by, decimal)
    length, named = _read_lengths(raw, str(roles["tenure"]), tenure_unit)
    unit = tenure_unit or named
    is_assumed = period is None and unit is None
    period = ("Y" if unit == "Y" else "M") if period is None else period
    check_period(period)
    _check_length(length, raw["spells"], str(roles["tenure"]), unit, period, is_assumed=is_assumed)
    if unit is None:
        _check_name(length, raw["spells"], str(roles["tenure"]), period)
    if is_assumed:
        _check_multiples(length, raw["spells"], str(roles["tenure"]))
    unit = None if unit is None or PERIOD_OF[unit] == period else unit
    begin = _finite(raw["entry"]) if roles.get("entry") else length * 0
    left = read_events(raw)
    negative = (length < 0) | (begin < 0)
    rules: dict[str, pd.Series] = {}
    nearest = {}
    if unit is not None:
        _check_resolution(length, unit, period, str(roles["tenure"]))
        if sampling == "acquisition" and _is_any_day(length, left == 1, raw["spells"], unit, period):
            nearest = {"nearest": _round_periods(length, unit, period).where(left != 1, 0)}
        begin, length, rules = _in_periods(begin, length, left == 1, raw["spells"], unit, period, sampling)
    faults = _faults(length, left, begin, negative, is_whole=unit is None)
    usable, set_aside = _select_usable(faults, raw["spells"])
    words = unknown_event_hint(raw, left, str(roles["churned"]))
    hint = _unread_hint(raw, faults, str(roles["tenure"]), period) + words
    _require_some(usable, set_aside, hint)
    _require_both(left[usable], words)
    counts = raw.assign(entry=begin, tenure=length, churned=left == 1, **nearest)[usable]
    counts = counts.astype(dict.fromkeys(("entry", "tenure", *nearest), int))
    check = check_rows_that_count(set_aside, int(raw["spells"].sum()), max_set_aside, hint=hint)
    applied = {rule: int(raw.loc[usable & rows, "spells"].sum()) for rule, rows in rules.items()}
    settled = event_rules(raw[usable], str(roles["churned"])) | {rule: rows for rule, rows in applied.items() if rows}
    return Tenures(counts, period, unit, set_aside, settled, check)


def _in_periods(
    entry: pd.Series,
    tenure: pd.Series,
    left: pd.Series,
    rows: pd.Series,
    unit: TenureUnit,
    period: Period,
    sampling: Sampling,
) -> tuple[pd.Series, pd.Series, dict[str, pd.Series]]:
    """Entry and tenure in whole periods, and the rows to which each rule applies."""
    name, days = period_name(period), tenure * MEAN_DAYS[unit]
    any_day = _is_any_day(tenure, left, rows, unit, period)
    slack = CALENDAR_SLACK if _most_left_near_renewals(days, left, rows, period) else 0.0
    exact = count_periods(entry, tenure, left, unit, period, any_day=any_day)
    found = count_periods(entry, tenure, left, unit, period, slack, any_day=any_day)
    rules = {
        f"rows with a tenure in {unit_name(unit)}s counted in whole {name}s": tenure.notna(),
        f"rows of customers who left up to {CALENDAR_SLACK:g} days after a renewal and count as lost at it": found[1]
        < exact[1],
    }
    if any_day and sampling == "window":
        rules[f"rows of active customers counted at the nearest {name}, as customers left on any day"] = ~left
        return found[0], found[1].where(left, _round_periods(tenure, unit, period)), rules
    return *found, rules


def _is_any_day(tenure: pd.Series, left: pd.Series, rows: pd.Series, unit: TenureUnit, period: Period) -> bool:
    """Whether customers leave on any day of a period, and not at renewals."""
    return share_off_renewals(tenure[left] * MEAN_DAYS[unit], rows[left], period) > 1 - AT_RENEWALS


def _round_periods(tenure: pd.Series, unit: TenureUnit, period: Period) -> pd.Series:
    """The number of periods nearest to each tenure."""
    return np.floor(tenure * MEAN_DAYS[unit] / period_days(period) + 0.5 + EXACT)


def count_periods(
    entry: pd.Series,
    tenure: pd.Series,
    left: pd.Series,
    unit: TenureUnit,
    period: Period,
    slack: float = 0.0,
    *,
    any_day: bool = False,
) -> tuple[pd.Series, pd.Series]:
    """Entry and tenure in whole periods, as ``retention_table`` counts them.

    Periods count from the entry; if contracts end on ``any_day``, from the start, and the first after the entry counts.
    An active customer has completed them. One who left did so within the last of them, or up to ``slack`` days later.
    """
    days = period_days(period)
    begin = entry * MEAN_DAYS[unit] / days
    made = np.ceil(begin - EXACT) if any_day else np.floor(begin + EXACT)
    before = made * 0 if any_day else made
    watched = tenure * MEAN_DAYS[unit] / days - (begin * 0 if any_day else begin)
    is_seen = (tenure > entry) | ((entry == 0) & (tenure == 0))
    lost = np.ceil(watched - slack / days - EXACT).clip(lower=1).where(is_seen, watched)
    return made, before + np.floor(watched + EXACT).where(~left, lost)


def _most_left_near_renewals(days: pd.Series, left: pd.Series, rows: pd.Series, period: Period) -> bool:
    """Whether most customers left so near renewals of the calendar that those just after one belong to it."""
    if period not in MONTHS:
        return False
    length = period_days(period)
    ended = left & (days > length / 2)
    near = (days - (days / length).round() * length).abs() <= CALENDAR_SLACK
    return bool(2 * rows[ended & near].sum() > rows[ended].sum())


def _check_length(
    tenure: pd.Series, rows: pd.Series, column: str, unit: TenureUnit | None, period: Period, *, is_assumed: bool
) -> None:
    """An error where tenures are longer in their unit than customers can have been with a business."""
    name = period_name(period) if unit is None else unit_name(unit)
    years = tenure.where(tenure < ENDLESS) * (period_days(period) if unit is None else MEAN_DAYS[unit]) / MEAN_DAYS["Y"]
    most = MOST_YEARS_ASSUMED if is_assumed else MOST_YEARS
    if not (years > most).any():
        return
    longest = tenure[tenure < ENDLESS].max()
    fits = [f"{short!r} ({unit_name(short)}s)" for short in PERIOD_OF if longest * MEAN_DAYS[short] / 365.25 <= most]
    within = f"{' or '.join(fits)} would be within {most} years" if fits else "no unit makes it possible"
    advice = (
        f"state tenure_unit, the unit of the column: {UNITS_IN_WORDS}. If a contract is as long as the unit, state "
        "period: 'M', 'Y', or a number of days such as 1 or 7"
        if is_assumed
        else "correct or leave out these rows, or state the unit of the column: tenure_unit"
    )
    raise ValueError(
        f"column {column!r} reaches {longest:,g}, which would be {years.max():.0f} years of {name}s: {advice}. "
        f"{rows[years > most].sum():,} of {rows.sum():,} rows are longer than {most} years, and {within}"
    )


def unit_in_name(column: str) -> TenureUnit | None:
    """The unit of time that the name of a column says, such as ``tenure_days``; None if it says none, or several.

    Examples
    --------
    >>> [unit_in_name(name) for name in ("tenure_days", "MonthsActive", "accountagedays", "tenure", "birthday")]
    ['D', 'M', 'D', None, None]
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower()
    found = re.findall(
        r"(?<![a-z])(day|week|month|year)s?(?![a-z])|^(day|week|month|year)s|(day|week|month|year)s$", words
    )
    units = {UNIT_OF[word] for match in found for word in match if word}
    return units.pop() if len(units) == 1 else None


def _check_name(tenure: pd.Series, rows: pd.Series, column: str, period: Period) -> None:
    """An error where the name of the column says another unit than the period that it would be counted in."""
    unit = unit_in_name(column)
    if unit is None or PERIOD_OF[unit] == period:
        return
    name, own = period_name(period), unit_name(unit)
    raise ValueError(
        f"column {column!r} has values such as {tenure.max():,g} in {rows.sum():,} rows. They would count as {name}s, "
        f"and its name says {own}s: state tenure_unit, the unit of the column: {UNITS_IN_WORDS}"
    )


def _check_multiples(tenure: pd.Series, rows: pd.Series, column: str) -> None:
    """An error where all tenures are multiples of a number, as days of whole weeks are, and may be no months."""
    values = np.unique(tenure[tenure > 0])
    for number, advice in MULTIPLES.items():
        if len(values) >= FEWEST_VALUES and not np.any(values % number):
            raise ValueError(
                f"column {column!r} holds only multiples of {number}, such as {values[0]:g} and {values[1]:g}, in "
                f"{rows.sum():,} rows, and would be counted in months. {advice}, or tenure_unit='M' if a contract is a "
                "month"
            )


def _check_resolution(tenure: pd.Series, unit: TenureUnit, period: Period, column: str) -> None:
    """An error where whole units are longer than the period, and cannot tell in which period a customer left."""
    if MEAN_DAYS[unit] > period_days(period) and (tenure.dropna() % 1 == 0).all():
        own, name = unit_name(unit), period_name(period)
        raise ValueError(
            f"column {column!r} holds whole {own}s, such as {tenure.max():g}, in all rows. They do not show in which "
            f"{name} a customer left. State period={PERIOD_OF[unit]!r}, or use a column that counts {name}s"
        )


def _read_lengths(counts: pd.DataFrame, column: str, stated: TenureUnit | None) -> tuple[pd.Series, TenureUnit | None]:
    """The tenures as numbers, and the unit that their text names, such as ``12 months``; None if it names none."""
    number = _finite(counts["tenure"])
    parts = counts["tenure_words"].astype("string").str.lower().str.extract(r"^(\d+(?:\.\d+)?)\s*([a-z]+)\.?$")
    units = parts[1].map(UNIT_OF)
    if units.isna().all():
        return number, None
    readable = units.notna() | number.notna()
    rows = counts[readable].assign(unit=units[readable].fillna(""))
    found = rows.groupby("unit", sort=True).agg(spells=("spells", "sum"), example=("tenure_words", "min"))
    told = [
        f"{row.spells:,} rows {f'in {unit_name(str(unit))}s' if unit else 'without a unit'}, such as {row.example!r}"
        for unit, row in found.iterrows()
    ]
    if len(found) > 1:
        raise ValueError(f"column {column!r} mixes units: {'; '.join(told)}. Bring all rows to one unit")
    unit = found.index[0]
    if stated not in (None, unit):
        raise ValueError(
            f"column {column!r} has {told[0]}, but tenure_unit is {stated!r}. Leave out tenure_unit, or correct the "
            "column"
        )
    return parts[0].where(units.notna()).astype("float64"), unit


def _count_rows(
    source: object, roles: Mapping[str, str | None], by: Sequence[str], decimal: str | None
) -> pd.DataFrame:
    """The distinct values of the roles' columns and of those of ``by``, and how many rows share them."""
    for role, column in roles.items():
        if column is not None or role in ("tenure", "churned"):
            require_text(role, column)
    named = {role: name for role, name in roles.items() if name is not None}
    named |= {f"{role}_words": named[role] for role in ("tenure", "churned")}
    groups = {f"by{i}": name for i, name in enumerate(by)}
    kinds: dict[str, Kind] = {**dict.fromkeys(groups, "value"), **KINDS}
    hint = "Say which is which: tenure=..., churned=..., cause=..."
    with naming(source):
        stated = Stated(decimal=decimal)
        forms = forms_of(source, named | groups, kinds, stated, where="the table", hint=hint) if decimal else None
        rows = open_table(source, named | groups, kinds, hint=hint, forms=forms)
        counts = count_distinct(on_engine(rows.to_native()), [*named, *groups], spells=nw.len())
    require_groups(counts, groups)
    return counts


def _faults(
    end: pd.Series, left: pd.Series, begin: pd.Series, negative: pd.Series, *, is_whole: bool
) -> dict[str, pd.Series]:
    whole = {NOT_WHOLE: negative | (end % 1 != 0) | (begin % 1 != 0)}
    return {
        "rows without a readable tenure": end.isna() | begin.isna(),
        "rows that do not say whether the customer left": ~left.isin([0, 1]),
        **(whole if is_whole else {"rows whose tenure is negative": negative}),
        "rows whose tenure is a million periods or more": end >= ENDLESS,
    }


def _finite(column: pd.Series) -> pd.Series:
    return column.replace([np.inf, -np.inf], np.nan)


def _select_usable(faults: Mapping[str, pd.Series], rows: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Which rows have no fault, and how many have which as their first."""
    usable, set_aside = pd.Series(True, rows.index), {}
    for reason, fault in faults.items():
        set_aside[reason] = int(rows[usable & fault].sum())
        usable &= ~fault
    return usable, {reason: count for reason, count in set_aside.items() if count}


def _unread_hint(counts: pd.DataFrame, faults: Mapping[str, pd.Series], column: str, period: Period) -> str:
    """What to do about tenures that cannot be read or counted, with an example of each."""
    hint = ""
    unread = counts.loc[faults["rows without a readable tenure"], "tenure_words"].dropna()
    if not unread.empty:
        hint += f"; column {column!r} has values such as {unread.min()!r}"
    uneven = [fault for reason, fault in faults.items() if reason == NOT_WHOLE]
    fractions = [counts.loc[fault & (counts["tenure"] > 0), "tenure"].min() for fault in uneven]
    if any(pd.notna(fractions)):
        hint += (
            f"; column {column!r} has values such as {fractions[0]:g}, which are no whole {period_name(period)}s. "
            f"If it counts another unit, state tenure_unit: {UNITS_IN_WORDS}"
        )
    return hint


def _require_some(usable: pd.Series, set_aside: Mapping[str, int], hint: str) -> None:
    if not usable.any():
        raise ValueError(f"no row of the table can be used: {counted(set_aside) or 'it has none'}{hint}")


def _require_both(left: pd.Series, hint: str) -> None:
    """An error where only one outcome is left because the words for the other are unknown."""
    if hint and left.nunique() < 2:
        only = "customers who churned" if left.iloc[0] == 1 else "customers who did not churn"
        raise ValueError(f"the rows that can be read hold only {only}{hint}")
