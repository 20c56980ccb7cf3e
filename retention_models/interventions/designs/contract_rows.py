"""Rows of a test of customers with contracts on any engine, counted by arm, block, cluster, tenure and churn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.tables.engines import open_log
from retention_models.tables.files import Kind, naming
from retention_models.tables.frames import collect

KEYS = ("arm", "block", "cluster", "tenure", "churned")


def read_groups(source: Any, roles: Mapping[str, str], columns: Sequence[str]) -> pd.DataFrame:
    """Customers counted by arm, block, cluster, tenure and churn, with sums and products of the further columns.

    ``roles`` is role to name. Besides the columns of ``cells_of_groups``, a group has its number of ``rows``, and of
    those without a valid weight (``bad``) or number in a further column (``bad0``, ``bad1``, ...).
    """
    keys = [role for role in KEYS if role in roles]
    numbers = {f"c{i}": name for i, name in enumerate(columns)}
    kinds: dict[str, Kind] = {"arm": "text", "block": "text", "cluster": "text", "tenure": "number"}
    kinds |= {"churned": "measure", "weight": "number", **dict.fromkeys(numbers, "measure")}
    weight = nw.col("weight")
    terms = {"n": weight, "bad": _flag(weight.is_finite() & (weight >= 0))}
    for i, first in enumerate(numbers):
        terms |= {f"v{i}": weight * nw.col(first), f"bad{i}": _flag(nw.col(first).is_finite())}
        terms |= {f"p{i}_{j}": weight * nw.col(first) * nw.col(f"c{j}") for j in range(i, len(numbers))}
    with naming(source):
        rows = open_log(source, {**roles, **numbers}, kinds, where="the test").lazy()
        rows = rows if "weight" in roles else rows.with_columns(weight=nw.lit(1.0))
        rows = rows.select(*keys, *(term.alias(name) for name, term in terms.items()))
        table = collect(rows.group_by(keys).agg(nw.len().alias("rows"), *(nw.col(name).sum() for name in terms)))
    return (table if "block" in roles else table.assign(block="")).sort_values(keys)


def _flag(rule: nw.Expr) -> nw.Expr:
    """1 where a rule does not hold or a number is missing, else 0."""
    return (~rule).fill_null(value=True).cast(nw.Int64)


def check_groups(table: pd.DataFrame, roles: Mapping[str, str], columns: Sequence[str]) -> None:
    """Raise a ValueError unless weights, further columns, arms, times and clusters are valid."""
    rules = {"bad": (roles.get("weight"), "missing, negative or not finite", "it says how many customers share a row")}
    rules |= {f"bad{i}": (name, "missing or not finite", "write 0 for none") for i, name in enumerate(columns)}
    for flag, (name, problem, what) in rules.items():
        bad, rows = int(table[flag].sum()), int(table["rows"].sum())
        if bad:
            raise ValueError(f"{name} is {problem} in {bad:,} of {rows:,} rows; {what}")
    customers = int(table["n"].sum())
    for role in KEYS:
        gaps = int(table.loc[table[role].isna(), "n"].sum()) if role in roles else 0
        if gaps:
            raise ValueError(
                f"{roles[role]} is missing for {gaps:,} of {customers:,} customers; fill it in: leaving such "
                "customers out would undo the random assignment"
            )
    impossible = (table["tenure"] < 0) | ~np.isfinite(table["tenure"].astype(float))
    wrong = table.loc[~table["churned"].isin([0, 1]) | impossible, "n"].sum()
    if wrong:
        raise ValueError(
            f"tenure is negative or infinite, or churned neither 0 nor 1, for {int(wrong):,} of {customers:,} "
            "customers; tenure counts from the assignment"
        )
    if "cluster" in roles:
        _check_clusters(table, roles["cluster"])


def _check_clusters(table: pd.DataFrame, name: str) -> None:
    """Raise a ValueError unless every cluster lies in one arm and one block."""
    places = table[["cluster", "arm", "block"]].drop_duplicates()
    repeated = places.loc[places["cluster"].duplicated(), "cluster"].unique()
    if len(repeated):
        raise ValueError(
            f"{name}: {len(repeated):,} of {places['cluster'].nunique():,} clusters (first: {repeated[0]}) have "
            "customers in more than one arm or block; a cluster is assigned as a whole, so name the column of the "
            "assigned unit"
        )
