"""Conditions such as ``status=Completed``, by which rows of a log count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw


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
