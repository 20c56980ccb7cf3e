"""Covariates of units in a roll-out: numbers that were known before the first launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.interventions.designs.roll_out_launches import as_time
from retention_models.interventions.designs.roll_out_panel import Panel
from retention_models.tables.engines import collect_table, column_names

IN_LAUNCHES = "state one number a unit, known before the first launch, in the launches"


def read_covariates(names: Sequence[str], source: Any, launches: Any, panel: Panel, period: str) -> Array:
    """The covariates of the units of a panel, shape (N, p): from the launches, otherwise from the panel's ``source``.

    Raises
    ------
    ValueError
        When a covariate is in neither, is missing for a unit, varies over time, is known only after the first launch,
        is the same for all units, or follows from the others.
    """
    has_columns = not isinstance(launches, Mapping | pd.Series)
    of_launches = column_names(launches, "the launches") if has_columns else []
    found = []
    for name in names:
        if name in of_launches:
            found.append(_of_launches(name, launches, panel))
        elif name in column_names(source, "the panel"):
            found.append(_of_panel(name, source, panel, period))
        else:
            raise ValueError(f"the covariate {name!r} is a column of neither the launches nor the panel; {IN_LAUNCHES}")
    values = np.column_stack(found)
    _require_different(names, values)
    return values


def _of_launches(name: str, launches: Any, panel: Panel) -> Array:
    """A column of the launches by unit."""
    kinds: Any = {panel.unit_name: "text", name: "measure"}
    rows = collect_table(launches, list(kinds), kinds, where="the launches").dropna().drop_duplicates()
    rows = rows[rows[panel.unit_name].isin(panel.units)]
    twice = rows[panel.unit_name].duplicated()
    _refuse(
        panel, twice.to_numpy(), rows[panel.unit_name].tolist(), name, "has several values for", "keep the one before"
    )
    values = rows.set_index(panel.unit_name)[name].reindex(panel.units)
    _refuse(panel, values.isna().to_numpy(), panel.units, name, "is missing for", "units without a launch need it too")
    return values.to_numpy(dtype=float)


def _of_panel(name: str, source: Any, panel: Panel, period: str) -> Array:
    """A column of the panel by unit, which must be one number, known before the first launch."""
    kinds: Any = {panel.unit_name: "text", period: "value", name: "measure"}
    rows = collect_table(source, list(kinds), kinds, where="the panel")
    rows[period] = as_time(rows[period], period)
    known = rows.dropna(subset=name)
    of_units = known.groupby(panel.unit_name)
    varies = of_units[name].nunique().reindex(panel.units, fill_value=0).to_numpy() > 1
    _refuse(panel, varies, panel.units, name, "varies over time in", IN_LAUNCHES)
    values = of_units[name].first().reindex(panel.units)
    _refuse(
        panel, values.isna().to_numpy(), panel.units, name, "is missing for", "fill it in, or leave out these units"
    )
    late = (of_units[period].min().reindex(panel.units) >= panel.periods[panel.first.min()]).to_numpy()
    _refuse(panel, late, panel.units, name, "is known only after the first launch for", "a launch may have changed it")
    return values.to_numpy(dtype=float)


def _refuse(panel: Panel, bad: NDArray[np.bool_], units: Sequence[Any], name: str, rule: str, remedy: str) -> None:
    if bad.any():
        first = units[int(np.flatnonzero(bad)[0])]
        raise ValueError(
            f"the covariate {name} {rule} {bad.sum():,} of {len(panel.units):,} units (first: {first}); {remedy}"
        )


def _require_different(names: Sequence[str], values: Array) -> None:
    """A ValueError unless units differ in each covariate, and none follows from the others."""
    n, p = values.shape
    if p + 1 >= n:
        raise ValueError(f"{p} covariates and a constant explain anything in {n} units; state fewer covariates")
    spread = np.ptp(values, axis=0)
    constant = [name for name, width in zip(names, spread, strict=True) if width == 0]
    if constant:
        raise ValueError(f"the covariate {constant[0]} is the same for all {n} units; leave it out")
    if np.linalg.matrix_rank((values - values.mean(axis=0)) / spread) < p:
        raise ValueError(f"the covariates {', '.join(names)} follow from each other; leave out one of them")
