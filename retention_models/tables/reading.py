"""How to read text, where it does not show it: keywords that all readers of files and frames have."""

from __future__ import annotations

from typing import Any, Unpack

from retention_models.tables.text_files import Layout, with_layout
from retention_models.tables.text_forms import Stated


class TextReading(Layout, total=False):
    """The keywords."""

    date_format: str | None
    decimal: str | None


def described(
    source: Any,
    *,
    date_format: str | None = None,
    decimal: str | None = None,
    **layout: Unpack[Layout],
) -> tuple[Any, Stated]:
    """The source with its layout, and the stated forms of days and numbers.

    Raises
    ------
    ValueError
        When a layout is stated for a frame, or a statement is none.
    """
    return with_layout(source, **layout), Stated(date_format, decimal)
