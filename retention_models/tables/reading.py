"""How to read text, where it does not show it: keywords that all readers of files and frames have."""

from __future__ import annotations

from typing import Any, TypedDict

from retention_models.tables.text_files import with_layout
from retention_models.tables.text_forms import Stated


class TextReading(TypedDict, total=False):
    """The keywords."""

    date_format: str | None
    decimal: str | None
    separator: str | None
    no_header: bool
    encoding: str | None


def described(
    source: Any,
    *,
    date_format: str | None = None,
    decimal: str | None = None,
    separator: str | None = None,
    no_header: bool = False,
    encoding: str | None = None,
) -> tuple[Any, Stated]:
    """The source with its layout, and the stated forms of days and numbers.

    Raises
    ------
    ValueError
        When a layout is stated for a frame, or a statement is none.
    """
    source = with_layout(source, separator=separator, no_header=no_header, encoding=encoding)
    return source, Stated(date_format, decimal)
