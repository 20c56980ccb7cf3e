"""Tables written to files: CSV in which no cell is a formula, or Parquet; the whole file or none of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from retention_models.core.whole_files import whole_file
from retention_models.report.errors import RequestError
from retention_models.tables.files import write_parquet

CSV, PARQUET = (".csv",), (".parquet", ".pq")
NUMBER = re.compile(r"[+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?(?:\s?%)?", re.IGNORECASE)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are wide


def check_output(path: Path, endings: tuple[str, ...] = CSV + PARQUET, *, option: str = "--output") -> None:
    """Refuse a file that could not be written, before the work is done.

    Raises
    ------
    RequestError
        If its name has another ending, or its folder does not exist.
    """
    if path.suffix.lower() not in endings:
        raise RequestError(f"{option} must end in {' or '.join(endings)}, not {path.name!r}")
    if not path.parent.is_dir():
        raise RequestError(f"{option} {path}: there is no folder {path.parent}")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write the table, its index first, in the format that the path ends in.

    In CSV files all text is in quotes, so that no separator of any country splits it. Text that begins like a formula
    gets an apostrophe in front, which marks plain text in spreadsheets. Numbers are not changed.

    Parameters
    ----------
    table
        The table, with an index that has a name.
    path
        Path of the file, ending in ``.csv``, or in ``.parquet`` or ``.pq``. It is written whole or not at all.
    """
    path, rows = Path(path), table.reset_index()
    with whole_file(path) as unfinished:
        if path.suffix.lower() in PARQUET:
            write_parquet(rows, unfinished)
        else:
            without_formulas(rows).to_csv(unfinished, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe in front of whatever text a spreadsheet would run.

    Examples
    --------
    >>> import pandas as pd
    >>> without_formulas(pd.DataFrame({"customer_id": ["=1+1", "Ann"], "score": [-0.5, 0.5]}))
      customer_id  score
    0       '=1+1   -0.5
    1         Ann    0.5
    """
    return table.apply(
        lambda column: column if is_numeric_dtype(column) else column.map(without_formula, na_action="ignore")
    )


def without_formula(value: object) -> str:
    """The text of a cell, with an apostrophe in front if a spreadsheet would run it; a number is none."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text
