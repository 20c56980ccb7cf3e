"""The rows of a contract log: the columns wanted, with dates, and without the rows that cannot count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.logs.contracts.spells import Rows, contract_faults, number_days
from retention_models.tables.engines import Frame, collect, on_engine, open_log
from retention_models.tables.files import WHOLE_ID, ZONE, check_unique, open_files

OWN_NAMES = {
    *(
        "customer_id",
        "spell",
        "start",
        "end",
        "entry",
        "tenure",
        "churned",
        "cause",
        "cohort",
        "at_risk",
        "lost",
        "date",
    ),
    *("end_given", "first_day", "last_day", "reach", "before", "begins", "overlaps", "latest", "in_view", "later"),
}  # of columns of the spells, and of those on the way to them


def open_contracts(source: Any, roles: Mapping[str, str], covariates: tuple[str, ...], time_zone: str | None) -> Rows:
    """The columns of the log under the names of this package, with numbered days.

    ``end_given`` separates an end that cannot be read from a missing end.
    """
    native = open_files(source, roles["customer_id"]) if isinstance(source, str | Path) else source
    frame = _select_columns(native, roles, covariates)
    given = ~nw.col("end").is_null()
    if frame.collect_schema()["end"] in (nw.String, nw.Object, nw.Categorical):
        given = given & (nw.col("end").cast(nw.String) != "")
    elif frame.collect_schema()["end"] == nw.Unknown:  # a column without a single end
        frame = frame.with_columns(nw.col("end").cast(nw.Datetime("us")))
    frame = frame.with_columns(end_given=given)
    if "cause" in roles:
        frame = frame.with_columns(nw.col("cause").cast(nw.String))
    for column in ("start", "end"):
        frame = _read_dates(frame, column, time_zone)
    return number_days(on_engine(frame.to_native()))


def _read_dates(frame: Frame, column: str, time_zone: str | None) -> Frame:
    """The frame with one of its columns read as the dates of a transaction log are."""
    try:
        frame = open_log(frame.to_native(), {"customer_id": "customer_id", "date": column}, time_zone)
    except ValueError as error:
        raise ValueError(str(error).replace("'date'", repr(column))) from None
    zone = {ZONE: f"{column}{ZONE}"} if ZONE in frame.collect_schema().names() else {}
    return frame.rename({"date": column} | zone)


def _select_columns(native: Any, roles: Mapping[str, str], covariates: tuple[str, ...]) -> Frame:
    """The columns that are asked for, and no others."""
    names = column_names(native, "the log")
    missing = [repr(name) for name in (*roles.values(), *covariates) if name not in names]
    if missing:
        raise ValueError(
            f"the log has no column {', '.join(missing)}; it has {', '.join(n for n in names if n != WHOLE_ID)}. "
            "Say which is which: customer_id=..., start=..., end=..., cause=..., covariates=..."
        )
    for role, name in roles.items():
        others = [other for other, theirs in roles.items() if theirs == name and other != role]
        if others:
            raise ValueError(f"column {name!r} cannot be {role} and {others[0]} at once; say which is which")
    taken = sorted(set(covariates) & OWN_NAMES)
    if taken:
        raise ValueError(f"covariates {', '.join(taken)}: the spells have columns of that name; rename these")
    twice = [name for name in covariates if name in roles.values()]
    if twice:
        raise ValueError(f"covariates {', '.join(twice)}: the log's column of that name has another part already")
    whole = [WHOLE_ID] if WHOLE_ID in names else []
    columns = nw.from_native(native).select(*dict.fromkeys((*roles.values(), *covariates, *whole)))
    return columns.rename({theirs: ours for ours, theirs in roles.items() if ours != theirs})


def column_names(native: Any, where: str) -> list[str]:
    """The names of a frame's columns, each of them once."""
    if isinstance(native, pd.DataFrame):
        check_unique(list(native.columns), where)
    try:
        names = nw.from_native(native).collect_schema().names()
    except TypeError:
        kinds = "the path of a file, or a frame of pandas, Polars, DuckDB or Spark"
        raise TypeError(f"{where} must be {kinds}, not {type(native).__name__}") from None
    check_unique(names, where)
    return [str(name) for name in names]


def select_usable(log: Rows, until: dt.date, time_zone: str | None) -> tuple[Rows, dict[str, int]]:
    """The contracts that can count, and the number of others by reason."""
    faults, columns = contract_faults(until), log.collect_schema().names()
    counts, faulty = {"rows": nw.len()}, nw.lit(False)
    for reason, fault in faults.items():
        counts[reason] = (fault & ~faulty).sum()
        faulty = faulty | fault
    if WHOLE_ID in columns:
        counts["other_ids"] = (nw.col(WHOLE_ID).is_null() & ~nw.col("customer_id").is_null()).sum()
    facts = scalars(log, **counts)
    _check_zones(log, time_zone)
    set_aside = {reason: facts[reason] for reason in faults if facts[reason]}
    if facts["rows"] == 0:
        raise ValueError("the log has no rows")
    require_some(facts["rows"] - sum(set_aside.values()), set_aside)
    if facts.get("other_ids") == 0:
        log = log.with_columns(customer_id=nw.col(WHOLE_ID))
    return log.filter(~reduce(or_, faults.values())), set_aside


def _check_zones(log: Rows, time_zone: str | None) -> None:
    """An error where dates in text come from several time zones, and nobody said whose calendar counts."""
    for zone in (name for name in log.collect_schema().names() if name.endswith(ZONE)):
        column = nw.when(~nw.col(zone.removesuffix(ZONE)).is_null()).then(nw.col(zone))
        first, last = collect(log.select(first=column.min(), last=column.max())).iloc[0]
        if time_zone is None and first != last and not pd.isna(first):
            raise ValueError(
                f"column {zone.removesuffix(ZONE)!r} mixes time zones ({first or 'none'} and {last} among them); "
                "pass time_zone, such as 'Europe/Berlin', to say whose calendar counts"
            )


def require_some(rows: int, set_aside: Mapping[str, int]) -> None:
    """An error where nothing is left, with what was set aside."""
    if rows == 0:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in set_aside.items())
        raise ValueError(f"no contract can be used: {reasons} (a date in text is read as 2024-01-31)")


def scalars(frame: Rows, /, **expressions: nw.Expr) -> dict[str, int]:
    """Whole numbers about all rows together; 0 where there is none."""
    found = collect(frame.select(**expressions)).iloc[0]
    return {str(name): 0 if pd.isna(value) else int(value) for name, value in found.items()}
