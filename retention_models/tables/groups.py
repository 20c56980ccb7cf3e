"""Who belongs to which group: one label for each line of a customer table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.tables.customer_table import Customers, open_customers
from retention_models.tables.rules import join_names, require_rows

Labels = str | Sequence[Any] | pd.Series


def read_groups(customers: Any, by: Labels | None) -> dict[str, NDArray[np.bool_]]:
    """Which lines of a table belong to each group, by its label as text, in order; ``by`` as in ``read_codes``."""
    code, names = read_codes(customers, by)
    return {str(name): code == number for number, name in enumerate(names)}


def read_codes(customers: Any, by: Labels | None) -> tuple[NDArray[np.int64], pd.Index]:
    """The number of each line's group, and the groups' labels in order.

    ``by`` is a column; ``"cohort"`` without such a column is the month of ``first_purchase``; or a pandas Series, which
    finds the customers by its index; or a list or array of one label for each line, in the order of the table. Without
    ``by`` everybody is in the group "all".

    Raises
    ------
    ValueError
        When a customer has no label, or two labels read alike, such as 1 and "1".
    """
    opened = open_customers(customers)
    index = opened.index
    labels = pd.Series(["all"] * len(index)) if by is None else _labels(opened, by)
    name = by if isinstance(by, str) else "by"
    require_rows(labels.notna().to_numpy(), name, "is missing", index, "name the group")
    code, names = pd.factorize(labels, sort=True)
    text = pd.Index(names).map(str)
    if text.has_duplicates:
        twice = text[text.duplicated()][0]
        same = join_names([f"{label!r} ({type(label).__name__})" for label in names if str(label) == twice])
        raise ValueError(f"{name} has labels with the same text: {same}; merge them, or give them different names")
    return code.astype(np.int64), pd.Index(names, name=by if isinstance(by, str) else getattr(by, "name", None))


def _labels(customers: Customers, by: Labels) -> pd.Series:
    """One label for each line, in the order of the table."""
    index = customers.index
    if isinstance(by, pd.Series):
        own = customers.frame.index if isinstance(customers.frame, pd.DataFrame) else index
        return _align_series(by, own if by.index.name == own.name else index)
    if not isinstance(by, str):
        if not np.iterable(by):
            raise ValueError(f"by must be the name of a column, or one label for each customer; got {by!r}")
        labels = pd.Series(by if isinstance(by, pd.Categorical) else list(by))
        if len(labels) != len(index):
            raise ValueError(f"by has {len(labels):,} labels for {len(index):,} customers; give one for each")
        return labels
    if by in customers.columns:
        return customers.column(by)
    if by == "cohort" and "first_purchase" in customers.columns:
        return pd.Series(customers.frame["first_purchase"].to_numpy()).dt.strftime("%Y-%m")
    raise ValueError(f"by={by!r} is not a column of the table (columns: {join_names(customers.columns)})")


def _align_series(by: pd.Series, index: pd.Index) -> pd.Series:
    """The labels of a Series in the order of the customers in ``index``."""
    if by.index.equals(index):
        return by.reset_index(drop=True)
    if by.index.has_duplicates:
        twice = by.index[by.index.duplicated()]
        raise ValueError(f"by has {len(twice):,} customers more than once (first: {twice[0]}); keep one label for each")
    place = by.index.get_indexer(index)
    require_rows(
        place >= 0, "by", "has no label", index, "a Series finds customers by its index, a list or array by position"
    )
    return by.iloc[place].reset_index(drop=True)
