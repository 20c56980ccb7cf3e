"""Amounts in several currencies cannot be added up: what a column beside them says of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from retention_models.tables.conditions import Condition
from retention_models.tables.engines import column_names, spelling
from retention_models.tables.frames import Frame, collect

CURRENCY = "currency"
NAMES = ("currency", "currencycode", "ccy", "currencyiso", "ordercurrency", "presentmentcurrency", "w\u00e4hrung")


def currency_column(source: Any, conditions: Sequence[Condition] = ()) -> dict[str, str]:
    """The column of a source that says the currency of its amounts, if there is one, by the name ``currency``.

    A column of which a condition picks one value needs no further look.
    """
    picked = [condition.column for condition in conditions if condition.is_equal]
    found = [name for name in column_names(source, "the log") if spelling(name) in NAMES and name not in picked]
    return {CURRENCY: found[0]} if len(found) == 1 else {}


def require_one_currency(rows: Frame, name: str, *, with_conditions: bool = True) -> None:
    """An error where the rows have several currencies; whether conditions could pick one is part of the cure."""
    counts = collect(rows.lazy().group_by(CURRENCY).agg(nw.len().alias("rows"))).dropna()
    if len(counts) > 1:
        ordered = counts.sort_values(["rows", CURRENCY], ascending=[False, True])
        told = ", ".join(f"{n:,} with {currency}" for currency, n in ordered.head(5).itertuples(index=False))
        pick = f", or keep the rows of one: where={f'{name}={ordered[CURRENCY].iloc[0]}'!r}" if with_conditions else ""
        rows_told = f"{told} of {counts['rows'].sum():,} rows"
        raise ValueError(f"column {name!r} mixes currencies: {rows_told}; convert the amounts to one{pick}")
