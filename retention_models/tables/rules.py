"""Rules about columns: each error says column, rule, count, the first row, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.column_rules import RULES
from retention_models.tables.frames import collect


def check_complete(
    frame: nw.LazyFrame[Any],
    keys: Mapping[str, str],
    measured: Mapping[str, str],
    customer_id: tuple[str, str] | None = None,
    *,
    each: str = "customers",
    hint: Callable[[str], str] = lambda column: "",
) -> None:
    """Count gaps in one pass over the rows, and say which column has them.

    Columns of names, of floats and of ids come with the names that they have in the source; ``each`` is what a row
    stands for, and ``hint`` says more of a column with gaps.
    """
    broken = {key: nw.col(key).is_null() for key in keys}
    broken |= {name: (~nw.col(name).is_finite()).fill_null(value=True) for name in measured}
    counts = [flag.cast(nw.Int64).sum().alias(key) for key, flag in broken.items()]
    customers = [nw.col(customer_id[0]).n_unique().alias("_customers")] if customer_id else []
    found = collect(frame.select(nw.len().alias("_rows"), *counts, *customers)).iloc[0]
    rows = int(found["_rows"])
    if rows == 0:
        raise ValueError("there are no rows; every assigned customer needs one, including customers who bought nothing")
    for column, name in {**keys, **measured}.items():
        if found[column] > 0:
            problem, cure = (
                ("is missing, not finite or no number", "fill in what is known (0 where nothing was bought)")
                if column in measured
                else ("is missing", "fill in what was assigned")
            )
            raise ValueError(
                f"{name} {problem} for {int(found[column]):,} of {rows:,} {each}{hint(column)}; {cure}: leaving such "
                f"{each} out would undo the random assignment"
            )
    if customer_id and found["_customers"] < rows:
        raise ValueError(
            f"{customer_id[1]} repeats: {rows:,} rows for {int(found['_customers']):,} customers; keep one row for "
            f"each customer, or state cluster={customer_id[1]!r} if rows are orders or visits"
        )


def require_filled(table: pd.DataFrame) -> None:
    """Raise unless every cell of a table has a value, and numbers are finite."""
    gaps = table.isin([np.inf, -np.inf]).sum() + table.isna().sum()
    if gaps.any():
        name = str(gaps.idxmax())
        raise ValueError(
            f"{name} is missing, not finite or no number in {gaps[name]} of {len(table)} rows; fill it in, or leave "
            "out rows without numbers"
        )


def check_rules(columns: dict[str, Array], index: pd.Index) -> None:
    """Every rule whose columns are there."""
    for names, broken, rule, remedy in RULES:
        if all(name in columns for name in names):
            require_rows(~broken(*(columns[name] for name in names)), names[0], rule, index, remedy)


def require_rows(good: NDArray[np.bool_], name: str, rule: str, index: pd.Index, remedy: str) -> None:
    """An error that says column, rule, count, the first one concerned, and what to do."""
    bad = np.flatnonzero(~good)
    if len(bad):
        label = index.name or "row"
        what = "customers" if label == "customer_id" else "rows"
        raise ValueError(
            f"{name} {rule} for {len(bad):,} of {len(good):,} {what} (first: {label} {index[bad[0]]}); {remedy}"
        )


def join_names(names: Sequence[str]) -> str:
    """Names in a row, for an error."""
    return ", ".join(str(name) for name in names) or "none"
