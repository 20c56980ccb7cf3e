"""How many customers are in several efforts at once, from a plain frame of contacts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.interventions.efforts.effort_file import plain_remedies
from retention_models.tables.engines import open_table
from retention_models.tables.files import naming
from retention_models.tables.frames import collect, count_distinct

YEAR = dt.timedelta(days=365)
MOST = 60  # efforts, each a bit of a whole number
COLUMNS = ("customer_id", "effort", "date")


def count_overlap(contacts: Any, as_of: dt.date) -> pd.DataFrame:
    """Customers by the efforts that reached them in the year up to a day.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``effort`` with a column for each effort: customers who are in both, and in the effort itself on the
        diagonal. ``attrs`` holds ``customers``, ``in_several`` (customers in two or more), and ``share_in_several``.

    Raises
    ------
    ValueError
        When a column or a value is missing, there are more than 60 efforts, or no contact lies in that year.
    """
    kinds: Any = {"customer_id": "id", "effort": "text", "date": "day"}
    where, hint = "the table of contacts", "It needs customer_id, effort and date, one row a contact."
    with plain_remedies(), naming(contacts):
        rows = open_table(contacts, {name: name for name in COLUMNS}, kinds, where=where, hint=hint).lazy()
    _require_all(rows, where)
    first, last = as_of - YEAR, as_of + dt.timedelta(days=1)
    rows = rows.filter(nw.col("date") > dt.datetime.combine(first, dt.time()))
    rows = rows.filter(nw.col("date") < dt.datetime.combine(last, dt.time()))
    written = sorted(collect(rows.select("effort").unique())["effort"].dropna().astype(str))
    names = {name.lower(): name for name in reversed(written)}  # one effort, in capitals or not
    efforts = [names[name] for name in sorted(names, key=names.__getitem__)]
    rows = rows.with_columns(nw.col("effort").str.to_lowercase())
    if not efforts:
        raise ValueError(f"{where} has no row with an effort in the year up to {as_of}; state another as_of")
    if len(efforts) > MOST:
        raise ValueError(f"{where} has {len(efforts)} efforts; overlaps are counted for at most {MOST}: name fewer")
    each = rows.select("customer_id", "effort").unique()
    bit = nw.lit(0)
    for place, name in enumerate(efforts):
        bit = bit + nw.when(nw.col("effort") == name.lower()).then(nw.lit(2**place)).otherwise(nw.lit(0))
    patterns = each.with_columns(bit.alias("bit")).group_by("customer_id").agg(nw.col("bit").sum().alias("pattern"))
    counted = count_distinct(patterns, ["pattern"], customers=nw.len())
    member = (counted["pattern"].to_numpy(dtype=np.int64)[:, None] >> np.arange(len(efforts))) & 1
    customers = counted["customers"].to_numpy(dtype=np.int64)
    shared = pd.DataFrame((member * customers[:, None]).T @ member, pd.Index(efforts, name="effort"), efforts)
    several = int(customers[member.sum(axis=1) >= 2].sum())
    shared.attrs = {
        "customers": int(customers.sum()),
        "in_several": several,
        "share_in_several": several / int(customers.sum()),
    }
    return shared


def _require_all(rows: nw.LazyFrame[Any], where: str) -> None:
    """An error where a contact has no customer, effort or day, since it would be counted wrongly."""
    gaps = collect(rows.select(nw.len().alias("rows"), *(nw.col(name).is_null().sum().alias(name) for name in COLUMNS)))
    for name in COLUMNS:
        missing, of = int(gaps[name].iloc[0]), int(gaps["rows"].iloc[0])
        if missing:
            raise ValueError(
                f"{where} has no {name} in {missing:,} of {of:,} rows; fill it in, or leave these rows out"
            )
