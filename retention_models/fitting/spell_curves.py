"""Survival curves and curves by cause of contracts, by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retention_models.core.arguments import MOST_POINTS, require_whole
from retention_models.core.arrays import Array
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention import durations
from retention_models.logs.contracts.snapshot import Snapshot
from retention_models.survival.competing import CauseCurves, aalen_johansen
from retention_models.survival.curves import Curve, kaplan_meier
from retention_models.tables.customer_table import CustomerTable, read_table
from retention_models.tables.groups import read_groups


def survival_curves(spells: Any, *, by: str | None = None) -> dict[str, Curve]:
    """The Kaplan-Meier curve of each group of customers.

    Parameters
    ----------
    spells
        From ``read_contracts`` (tenure in days); or the ``Snapshot`` of ``choose_settings`` (tenure in periods); or a
        pandas or Polars frame with ``tenure, churned`` and, if there are, ``entry, weight``; or a retention table
        (tenure in renewals).
    by
        A covariate or column that names the group. By default all customers are the group ``"all"``.

    Returns
    -------
    dict[str, Curve]
        The curve of each group, by its label.

    Raises
    ------
    ValueError
        When a column is missing or breaks a rule.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> spells = pd.DataFrame({
    ...     "plan": ["month", "month", "year", "year"],
    ...     "tenure": [3, 8, 12, 12],
    ...     "churned": [True, True, True, False],
    ... })
    >>> curves = rm.fitting.survival_curves(spells, by="plan")
    >>> rm.survival.curve_table(curves, at=[6, 12])[["group", "tenure", "at_risk", "survival"]]
       group  tenure  at_risk  survival
    0  month     6.0      1.0       0.5
    1  month    12.0      0.0       0.0
    2   year     6.0      2.0       1.0
    3   year    12.0      2.0       0.5
    """
    frame = durations(spells, by=[by] if by else []) if isinstance(spells, Spells | Snapshot) else spells
    groups = read_groups(frame, by)
    if "at_risk" in frame.columns:
        table = read_table(frame, ("tenure", "at_risk", "lost"))
        return {label: _curve_of_table(table.of_lines(lines)) for label, lines in groups.items()}
    columns = _spell_columns(frame)
    churned = columns.pop("churned")
    return {
        label: kaplan_meier(churned=churned[lines], **{name: column[lines] for name, column in columns.items()})
        for label, lines in groups.items()
    }


def cause_curves(spells: Any, *, by: str | None = None) -> dict[str, CauseCurves]:
    """The Aalen-Johansen curves by cause, for each group of customers.

    Parameters
    ----------
    spells
        From ``read_contracts(cause=...)`` (tenure in days); or the ``Snapshot`` of ``choose_settings(cause=...)``
        (tenure in periods); or a pandas or Polars frame with ``tenure, churned, cause`` and, if there are, ``entry,
        weight``. The cause counts where ``churned`` is True.
    by
        A covariate or column that names the group. By default all customers are the group ``"all"``.

    Returns
    -------
    dict[str, CauseCurves]
        The curves of each group, by its label.

    Raises
    ------
    ValueError
        When there is no column ``cause``, or a column is missing or breaks a rule.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> spells = pd.DataFrame({
    ...     "tenure": [3, 8, 8, 12],
    ...     "churned": [True, True, True, False],
    ...     "cause": ["price", "moved", "price", None],
    ... })
    >>> rm.survival.curve_table(rm.fitting.cause_curves(spells), at=[12])[["group", "cause", "tenure", "incidence"]]
      group  cause  tenure  incidence
    0   all  moved    12.0       0.25
    1   all  price    12.0       0.50
    """
    frame = durations(spells, by=[by] if by else []) if isinstance(spells, Spells | Snapshot) else spells
    if "cause" not in frame.columns:
        raise ValueError(
            "cause not in the table: read_contracts(cause=...) names the column that says why contracts end"
        )
    columns = _spell_columns(frame)
    cause = np.array(frame["cause"].to_numpy(), dtype=object)
    cause[columns.pop("churned") == 0] = None
    return {
        label: aalen_johansen(cause=cause[lines], **{name: column[lines] for name, column in columns.items()})
        for label, lines in read_groups(frame, by).items()
    }


def round_tenures(curves: Mapping[str, Curve | CauseCurves], count: int = 8) -> Array:
    """Round tenures that cover some curves, for the rows of a table below a plot.

    Parameters
    ----------
    curves
        Curves by group, from ``survival_curves`` or ``cause_curves``.
    count
        Approximate number of tenures.

    Returns
    -------
    numpy.ndarray
        Tenures from 0 on, in equal steps of 1, 2 or 5 times a power of 10.

    Raises
    ------
    ValueError
        When ``count`` is not a whole number from 1 to 1,000,000, or there are no curves.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.fitting.round_tenures({"all": rm.kaplan_meier([30, 400, 1100], [True, True, False])}).tolist()
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    """
    require_whole("count", count, 1, MOST_POINTS)
    if not curves:
        raise ValueError("there are no curves to find tenures for; survival_curves makes them")
    last = max(float(curve.tenure[-1]) for curve in curves.values())
    least = max(last / count, np.finfo(float).tiny)
    unit = 10 ** np.floor(np.log10(least))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * (1 - 1e-12))
    return np.arange(0, last + step * 1e-9, max(step, 1.0))


def _curve_of_table(table: CustomerTable) -> Curve:
    """The curve of a retention table, from the renewal before the first on."""
    tenure, at_risk, lost = table.by_tenure().columns
    return Curve(tenure, at_risk, lost, start=float(tenure[0]) - 1)


def _spell_columns(frame: Any) -> dict[str, Array]:
    """The columns of spells, line by line, as ``kaplan_meier`` takes them."""
    names = ("tenure", "churned", *(["entry"] if "entry" in frame.columns else []))
    table = read_table(frame, names)
    lines = {name: column[table.row] for name, column in zip(names, table.columns, strict=True)}
    return {**lines, "weight": table.line_weight}
