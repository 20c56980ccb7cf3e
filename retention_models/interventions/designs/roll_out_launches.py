"""Launches of a roll-out: when each unit got the programme, from a frame, a mapping, or a log of contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.formatting import counted
from retention_models.interventions.effects.assignment import AssignedBy
from retention_models.logs.contacts.contact_log import Contacts
from retention_models.tables.engines import collect_table
from retention_models.tables.files import naming
from retention_models.tables.frames import as_lazy, collect

WEAKEST_FIRST: tuple[AssignedBy, ...] = ("unknown", "choice", "rule", "random")
FOR_EVER = pd.Timestamp("2262-01-01").as_unit("us")  # of what has no last day


@dataclass(frozen=True, eq=False)
class Launches:
    """The launches of a log of contacts.

    Attributes
    ----------
    first
        One row a unit: its name and its first day with the programme, under the names of the analysis.
    until
        The last day without interruption, by unit; None where the contacts do not say.
    assignment
        Number of launches by who decided about them; empty where the contacts do not say.
    """

    first: pd.DataFrame
    until: pd.Series | None = None
    assignment: Mapping[AssignedBy, int] = field(default_factory=dict)

    @classmethod
    def of(cls, contacts: Contacts, panel_unit: str, first_treated: str) -> Launches:
        """The launches of a log of contacts of one kind.

        Raises
        ------
        ValueError
            When the contacts name no unit, or are of several kinds.
        """
        rows = as_lazy(contacts.frame)
        columns = rows.collect_schema().names()
        if "panel_unit" not in columns:
            raise ValueError(
                f"the launches name no unit: read them with read_contacts(..., panel_unit={panel_unit!r}, the column "
                "of the unit)"
            )
        if len(contacts.kinds) > 1:
            raise ValueError(
                f"the launches are contacts of {len(contacts.kinds)} kinds ({counted(contacts.kinds)}); keep the rows "
                "of one kind, and state others as other_launches"
            )
        known = rows.filter(~nw.col("panel_unit").is_null())
        table = collect(known.select([name for name in columns if name in ("panel_unit", "date", *OPTIONAL)]))
        table["panel_unit"], table["date"] = table["panel_unit"].astype(str), pd.to_datetime(table["date"])
        table = table.sort_values(["panel_unit", "date"], ignore_index=True)
        first = table.drop_duplicates("panel_unit")[["panel_unit", "date"]]
        first = first.set_axis([panel_unit, first_treated], axis=1).reset_index(drop=True)
        words: Any = table.drop_duplicates("panel_unit")["assignment"].value_counts() if "assignment" in table else {}
        assignment = {cast("AssignedBy", word): int(number) for word, number in words.items()}
        return cls(first, _until(table) if "until" in table else None, assignment)

    def assigned_by(self, stated: AssignedBy) -> AssignedBy:
        """Who decided about the order of launches: the weakest word of the contacts, and no other may be ``stated``.

        Raises
        ------
        ValueError
            When the contacts say another word than what is stated.
        """
        if not self.assignment:
            return stated
        found = next(word for word in WEAKEST_FIRST if word in self.assignment)
        if stated is not None and stated != found:
            named = ", ".join(f"{word}: {number:,}" for word, number in self.assignment.items())
            raise ValueError(
                f"assigned_by={stated!r} is stated, but the weakest assignment of the launches is {found!r} ({named}); "
                "leave assigned_by out, or correct the contacts"
            )
        return found


OPTIONAL = ("until", "assignment")


def _until(table: pd.DataFrame) -> pd.Series:
    """The last day of each unit without interruption; rows are in order of unit and day."""
    found = {}
    for unit, rows in table.groupby("panel_unit"):
        last: pd.Timestamp | None = None
        for begins, ends in zip(rows["date"], pd.to_datetime(rows["until"]).fillna(FOR_EVER), strict=True):
            if last is not None and begins.normalize() - last > pd.Timedelta(days=1):
                break
            last = ends.normalize() if last is None else max(last, ends.normalize())
        found[unit] = last
    return pd.Series(found)


def ended_early(until: pd.Series, units: Sequence[Any], periods: Any) -> NDArray[np.bool_]:
    """Whether each unit no longer had the programme on the last day of the panel, shape (N,)."""
    if not isinstance(periods, pd.DatetimeIndex):
        return np.zeros(len(units), dtype=bool)
    last_day = periods[-1] + np.diff(periods).min() - pd.Timedelta(days=1)
    return (until.reindex(pd.Index(units)).fillna(FOR_EVER) < last_day).to_numpy()


def as_time(periods: pd.Series, name: str) -> pd.Series:
    """Periods as whole numbers, or as days."""
    if pd.api.types.is_numeric_dtype(periods):
        return periods
    try:
        return periods if pd.api.types.is_datetime64_any_dtype(periods) else pd.to_datetime(periods, format="ISO8601")
    except (ValueError, TypeError):
        raise ValueError(f"{name} must be numbers or days such as 2026-01-05; got {periods.iloc[0]!r}") from None


def launch_places(
    launches: Any, units: pd.Index, periods: Any, panel_unit: str, first_treated: str, *, others: bool = False
) -> NDArray[np.int64]:
    """Place of the first treated period of each unit: T if never, -1 before the panel begins.

    Launches of ``others`` may concern units that are not in the panel, and lie after its end: these do not count.
    """
    if isinstance(launches, Mapping | pd.Series):
        launches = pd.DataFrame({panel_unit: list(launches.keys()), first_treated: list(pd.Series(launches))})
    kinds: Any = {panel_unit: "text", first_treated: "value"}
    with naming(launches):
        rows = collect_table(launches, list(kinds), kinds, where="the launches", hint="One row a unit.").dropna()
    rows = rows.drop_duplicates()
    twice = rows[panel_unit].duplicated(keep=False)
    if twice.any():
        raise ValueError(
            f"{rows[panel_unit][twice].nunique():,} units were launched more than once (first: "
            f"{rows[panel_unit][twice].iloc[0]}); name the first launch, and leave out units that were switched off"
        )
    unknown = pd.Series(units.get_indexer(pd.Index(rows[panel_unit])) < 0, rows.index)
    rows, unknown = (rows[~unknown], unknown[:0]) if others else (rows, unknown)
    if unknown.any():
        raise ValueError(
            f"{unknown.sum():,} launched units are not in the panel (first: {rows[panel_unit][unknown].iloc[0]})"
        )
    launched = as_time(rows[first_treated], first_treated)
    if isinstance(periods, pd.DatetimeIndex) != pd.api.types.is_datetime64_any_dtype(launched) and len(launched):
        raise ValueError(f"{first_treated} and the periods must both be days, or both numbers")
    end = periods[-1] + (periods[-1] - periods[-2])
    late = launched >= end
    if late.any() and not others:
        raise ValueError(
            f"{first_treated} lies after the last period for {late.sum():,} units (first: "
            f"{rows[panel_unit][late].iloc[0]}); leave it empty for units that are not treated within the panel"
        )
    at = pd.Series(np.searchsorted(periods, launched, side="right") - 1, index=rows[panel_unit].to_numpy())
    at = at.mask(late.to_numpy(), len(periods))
    return at.reindex(units).fillna(len(periods)).to_numpy(dtype=np.int64)
