"""Conditions such as ``status=Completed``, by which rows of a log count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import narwhals as nw

from retention_models.tables.frames import collect

SHOWN = 5  # values of a column in an error


@dataclass(frozen=True, slots=True)
class Condition:
    """That the text of a column is, or is not, some value."""

    column: str
    value: str
    is_equal: bool

    def met_by(self, name: str) -> nw.Expr:
        """Whether a column of text, by its new name, meets the condition; a missing value is no value."""
        is_value = (nw.col(name).cast(nw.String) == nw.lit(self.value)).fill_null(value=False)
        return is_value if self.is_equal else ~is_value


def all_met(conditions: Sequence[Condition], names: Sequence[str]) -> nw.Expr:
    """Whether rows meet conditions on columns, by their new names. Several values of one column are alternatives."""
    equal: dict[str, list[nw.Expr]] = {}
    others = []
    for condition, name in zip(conditions, names, strict=True):
        if condition.is_equal:
            equal.setdefault(condition.column, []).append(condition.met_by(name))
        else:
            others.append(condition.met_by(name))
    return reduce(and_, [*(reduce(or_, alternatives) for alternatives in equal.values()), *others])


def values_in(rows: nw.DataFrame[Any] | nw.LazyFrame[Any], conditions: Sequence[Condition]) -> str:
    """The most frequent values of the columns that conditions name, in words."""
    texts = []
    for i, condition in enumerate(conditions):
        name = f"where{i}"
        counts = collect(rows.lazy().group_by(name).agg(nw.len().alias("n"))).dropna()
        ordered = counts.sort_values(["n", name], ascending=[False, True]).head(SHOWN)
        found = ", ".join(f"{value} ({n:,} rows)" for value, n in ordered[[name, "n"]].itertuples(index=False))
        texts.append(f"Column {condition.column!r} holds {found or 'nothing'}")
    return "; ".join(dict.fromkeys(texts))


def read_conditions(where: str | Sequence[str]) -> tuple[Condition, ...]:
    """Conditions in text, as ``column=value`` or ``column!=value``.

    Raises
    ------
    ValueError
        When one is no text of that kind.
    """
    texts = where if isinstance(where, list | tuple) else [where]
    return tuple(map(_read, texts))


def _read(text: str) -> Condition:
    column, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not (equals and column.strip(" !") and value.strip()):
        raise ValueError(f"where must be conditions such as 'status=Completed' or 'status!=Cancelled'; got {text!r}")
    return Condition(column.removesuffix("!").strip(), value.strip(), not column.endswith("!"))
