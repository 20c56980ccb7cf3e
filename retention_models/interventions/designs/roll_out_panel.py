"""The panel of a roll-out: outcomes by unit and period, and when each unit was first treated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, number_of
from retention_models.interventions.designs.roll_out_launches import as_time, ended_early, launch_places
from retention_models.tables.engines import collect_table
from retention_models.tables.files import naming

LONGEST_STEP = 1.5  # of the shortest step between periods: months differ by less
HINT = "A panel has one row a unit and period."


@dataclass(frozen=True, eq=False, repr=False)
class Panel(Presentation):
    """Outcomes of N units in T periods.

    Attributes
    ----------
    unit_name
        The column of the units.
    units, periods
        Names of the units, and the periods in order.
    outcome
        Shape (N, T).
    size
        What the outcome is divided by, shape (N, T); None if nothing.
    first
        Index of the first treated period of each unit, shape (N,); T where a unit is not treated.
    left_out
        Number of units that were left out, by reason.
    amounts
        Further columns of money or counts by their names, each of shape (N, T).
    """

    unit_name: str
    units: list[Any]
    periods: pd.Index
    outcome: Array
    size: Array | None
    first: NDArray[np.int64]
    left_out: Mapping[str, int]
    amounts: Mapping[str, Array] = field(default_factory=dict)

    def _parts(self) -> Sequence[Part]:
        ends = [str(each.date() if isinstance(each, pd.Timestamp) else each) for each in self.periods[[0, -1]]]
        treated = f"{int(self.treated.sum())} of them treated"
        return [f"{len(self.units)} units, {treated}, {len(self.periods)} periods from {ends[0]} to {ends[1]}."]

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Whether each unit is treated in some period, shape (N,)."""
        return self.first < len(self.periods)

    @property
    def launches(self) -> pd.DataFrame:
        """The unit and the first day or number of its first treated period, missing if it is not treated."""
        starts = self.periods.to_series(index=pd.RangeIndex(len(self.periods))).reindex(self.first)
        return pd.DataFrame({self.unit_name: self.units, "first_treated": starts.to_numpy()})

    def without(self, units: NDArray[np.bool_], reason: str) -> Panel:
        """The panel without some units, which are counted."""
        if not units.any():
            return self
        kept = ~units
        return replace(
            self,
            units=[name for name, is_kept in zip(self.units, kept, strict=True) if is_kept],
            outcome=self.outcome[kept],
            size=None if self.size is None else self.size[kept],
            first=self.first[kept],
            left_out={**self.left_out, reason: int(units.sum())},
            amounts={name: values[kept] for name, values in self.amounts.items()},
        )

    def base(self, base_periods: int | None) -> tuple[Array, int]:
        """Mean outcome of each unit in the early base period, shape (N,), and the length of that period.

        By default it is the first half of the periods before the first launch.
        """
        before = int(self.first.min())
        if base_periods is not None:
            require_whole("base_periods", base_periods, 1, before)
        length = max(before // 2, 1) if base_periods is None else base_periods
        return self.outcome[:, :length].mean(axis=1), length


def read_panel(
    panel: Any,
    launches: Any,
    *,
    panel_unit: str,
    period: str,
    first_treated: str,
    outcome: str,
    size: str | None,
    amounts: Sequence[str] = (),
    until: pd.Series | None = None,
) -> Panel:
    """The panel with its launches; ``until`` is the last day of the programme in units that no longer have it.

    Raises
    ------
    ValueError
        When a cell is missing or stands twice, a unit has several launches, a launch lies after the last period, or
        nothing can be compared.
    """
    numbers = dict.fromkeys((outcome, *([size] if size else []), *amounts), "number")
    kinds: Any = {panel_unit: "text", period: "value", **numbers}
    with naming(panel):
        rows = collect_table(panel, list(kinds), kinds, where="the panel", hint=HINT)
    for name in kinds:
        _refuse(rows[name].isna(), name, "is missing", "fill it in, with 0 where nothing happened")
    for name in numbers:
        _refuse(~np.isfinite(rows[name]), name, "is infinite", "correct these rows")
    rows[period] = as_time(rows[period], period)
    grid = Grid.of(rows, panel_unit, period)
    table = grid.cells(rows[outcome])
    missing = int(np.isnan(table).sum())
    if missing:
        raise ValueError(
            f"{missing:,} of {table.size:,} cells of {panel_unit} and {period} have no row; add them, with 0 where "
            "nothing happened, and leave out units that opened or closed"
        )
    if len(table) < 2:
        raise ValueError(f"the panel has {len(table)} {panel_unit}; it takes two units to compare")
    gap = _gap(grid.periods)
    if gap:
        raise ValueError(
            f"the panel has no row of any unit for {gap}; add these periods, with 0 where nothing happened"
        )
    first = launch_places(launches, grid.units, grid.periods, panel_unit, first_treated)
    sizes = grid.cells(rows[size]) if size else None
    if sizes is not None and not (sizes > 0).all():
        raise ValueError(
            f"{size} must be above 0 in each cell, which fails for {(~(sizes > 0)).sum():,} cells; leave out these "
            "units, or choose longer periods"
        )
    for name in amounts:
        _refuse(rows[name] < 0, name, "is below 0", "state amounts of money as positive numbers")
    spent = {name: grid.cells(rows[name]) for name in amounts}
    found = Panel(panel_unit, list(grid.units), grid.periods, table, sizes, first, {}, spent)
    found = found.without(first == -1, "treated before the panel begins")
    if until is not None:
        found = found.without(ended_early(until, found.units, found.periods), "switched off before the panel ends")
    if not found.treated.any():
        left_out = "".join(f"; {number_of(count, 'units')} {reason}" for reason, count in found.left_out.items())
        raise ValueError(
            f"no unit of the panel was treated: {first_treated} is empty for all {len(found.units):,}{left_out}"
        )
    if found.first.min() == found.first.max():
        raise ValueError("all units were first treated in the same period: there is no unit to compare with")
    return found


@dataclass(frozen=True, eq=False)
class Grid:
    """Where each row of a panel stands: its units and periods in order, and the place of each row among their cells."""

    units: pd.Index
    periods: pd.Index
    place: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pd.DataFrame, panel_unit: str, period: str) -> Grid:
        """The grid of some rows; a ValueError where a cell stands twice."""
        unit, units = pd.factorize(rows[panel_unit], sort=True)
        at, periods = pd.factorize(rows[period], sort=True)
        place = unit * len(periods) + at
        twice = np.bincount(place, minlength=len(units) * len(periods)) - 1
        again = int(twice[twice > 0].sum())
        if again:
            raise ValueError(
                f"{panel_unit} and {period} stand twice in {again:,} of {len(rows):,} rows; add up their rows"
            )
        return cls(pd.Index(units, name=panel_unit), pd.Index(periods, name=period), place)

    def cells(self, values: pd.Series) -> Array:
        """A column as units by periods, NaN where there is no row."""
        found = np.full(len(self.units) * len(self.periods), np.nan)
        found[self.place] = values.to_numpy(dtype=float)
        return found.reshape(len(self.units), -1)


def _refuse(bad: pd.Series, name: str, rule: str, remedy: str) -> None:
    if bad.any():
        raise ValueError(f"{name} {rule} in {bad.sum():,} of {len(bad):,} rows; {remedy}")


def _gap(periods: pd.Index) -> str:
    """What lies between two periods that are farther apart than others; empty if they are evenly spaced."""
    steps = np.diff(periods.to_numpy())
    wide = np.flatnonzero(steps > LONGEST_STEP * steps.min())
    if not len(wide):
        return ""
    before, after = (
        str(each.date() if isinstance(each, pd.Timestamp) else each) for each in periods[wide[0] : wide[0] + 2]
    )
    return f"the time between {before} and {after}"
