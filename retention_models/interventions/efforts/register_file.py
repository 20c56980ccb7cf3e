"""Reading a register: the file that people write, and the evidence stored beside it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from retention_models.core.arguments import require_level, require_type
from retention_models.core.dates import read_day
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.efforts.effort_file import read_efforts
from retention_models.interventions.efforts.effort_log import Measurement, log_path, read_log
from retention_models.interventions.efforts.overlap import count_overlap
from retention_models.interventions.efforts.register import Register


def read_register(
    source: Any,
    *,
    customers: int | None = None,
    owners: Sequence[str] | None = None,
    department: str | None = None,
    contacts: Any = None,
    as_of: str | dt.date | None = None,
    level: float = 0.95,
    currency: str = "",
) -> Register:
    """The efforts of a company, from a file that people write, and the evidence that is stored beside it.

    Parameters
    ----------
    source
        Path of a CSV, Parquet or Excel file, or a frame of pandas, Polars, DuckDB or Spark, one row an effort. Columns
        ``effort`` (its name, which is the ``intervention`` of its effects) and ``kind`` are required; of a kind,
        capitals, blanks, hyphens and a plural do not matter. Optional:
        ``department, owner, contact_point, population`` (the kind of customer it is for), ``started, ends,
        review_date``, ``fixed_cost`` (a year), ``cost_per_contact``, ``contacts`` (a year; by default the reach),
        ``reach`` (customers a year), and ``evidence`` (path of stored effects, or name of a report). An end in the
        year 9999 is none.
    customers
        Number of customers of the company; no effort may reach more. By default not checked.
    owners
        Names that an owner may have. By default any.
    department
        Read the efforts of one department only. By default all.
    contacts
        Frame or file with ``customer_id, effort, date``, to count customers who are in several efforts. By default
        none.
    as_of
        The day of the states. By default today.
    level
        Level of the intervals that decide, 0.95 by default.
    currency
        The currency of costs and values. By default not stated.

    Returns
    -------
    Register
        The efforts, each in one of five states.

    Raises
    ------
    ValueError
        When a column is missing, a value breaks a rule, an effort stands twice, or stored evidence is not there or
        cannot be read.

    Notes
    -----
    The state of an effort follows from its effects by these rules.

    - *unmeasured*: no effect is stored, or only effects in another currency or of days after ``as_of``.
    - *stale*: all its effects were measured before a review date that has passed, or on another population.
    - *proven*: the interval of its value lies above its costs, the fixed ones included. The design is randomised
      without a failed deciding check, or quasi-experimental with checks that all passed. An observational difference
      proves nothing.
    - *harmful*: the interval lies below the costs, under the same conditions.
    - *undecided*: all others. ``customers_to_decide`` is the size of the test that would decide: its interval is no
      wider than the smallest gain that matters to each side. It is missing where the last test was that large.

    Effects on the same data are one piece of evidence. Of two pieces, one must decide at half the error, and the other
    must not contradict it. Three and more are pooled (Paule & Mandel 1982; Hartung & Knapp 2001).

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> efforts = pd.DataFrame({
    ...     "effort": ["coupon", "club"], "kind": ["discount", "loyalty programme"], "owner": ["Ann", ""],
    ...     "cost_per_contact": [0.5, 2.0], "reach": [20_000, 8_000],
    ... })
    >>> register = rm.read_register(efforts, as_of="2026-06-30", currency="EUR")
    >>> coupon = rm.Effect(
    ...     intervention="coupon", outcome="margin", unit="EUR per customer", estimand="difference in means",
    ...     scale="difference", estimate=1.3, std_error=0.2, value=0.8, value_lower=0.4, value_upper=1.2, cost=0.5,
    ...     population="customers", n=9_000, assigned_by="random",
    ... )
    >>> register.add(coupon, data="test of May").table[["state", "cost_per_year", "annual_value"]]
                 state  cost_per_year  annual_value
    effort
    coupon      proven        10000.0       16000.0
    club    unmeasured        16000.0          <NA>
    """
    require_level(level)
    require_type("currency", currency, str)
    day = dt.date.today() if as_of is None else read_day("as_of", as_of)
    efforts = read_efforts(source, customers=customers, owners=owners, currency=currency)
    path = Path(os.fspath(source)) if isinstance(source, str | os.PathLike) else None
    measurements = [each for name, row in efforts.iterrows() for each in _stored(str(name), row["evidence"], path)]
    damaged = 0
    if path is not None:
        found, damaged = read_log(log_path(path))
        measurements += found
    if department is not None:
        efforts = _of_department(efforts, department)
        names = {name.casefold() for name in efforts.index}
        measurements = [each for each in measurements if each.effort.casefold() in names]
    overlap = None if contacts is None else count_overlap(contacts, day)
    distinct = {each.key: each for each in measurements}
    return Register(efforts, tuple(distinct.values()), overlap, day, level, currency, path, damaged)


def _of_department(efforts: pd.DataFrame, department: str) -> pd.DataFrame:
    own = efforts[efforts["department"] == department]
    if own.empty:
        there = ", ".join(sorted(set(efforts["department"]) - {""})) or "none"
        raise ValueError(f"no effort has the department {department!r}; there are {there}")
    return own


def _stored(effort: str, evidence: str, register: Path | None) -> list[Measurement]:
    """The effects that the evidence of an effort names; a report that is no file of effects holds none."""
    if not evidence.lower().endswith((".json", ".jsonl")):
        return []
    path = (register.parent if register else Path()) / evidence
    if not path.exists():
        raise ValueError(f"evidence of {effort}: there is no file {path}; correct the path, or leave it empty")
    if path.suffix.lower() == ".jsonl":
        return [replace(each, effort=effort) for each in read_log(path)[0]]
    try:
        return [Measurement(effort, Effect.from_json(path))]
    except ValueError as error:
        raise ValueError(f"evidence of {effort}: {path}: {error}") from None
