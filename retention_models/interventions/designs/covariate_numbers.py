"""Columns of numbers and words as numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array

MOST_WORDS = 12  # different words of a column that each become a covariate


def in_numbers(table: pd.DataFrame) -> dict[str, Array]:
    """Columns as numbers; each word of a text but the most frequent becomes one of its own.

    Raises
    ------
    ValueError
        When a value is missing or infinite, or a text has too many different words.
    """
    found: dict[str, Array] = {}
    for name in table:
        values = table[name]
        missing = int(values.isna().sum())
        if missing:
            raise ValueError(f"{name} is missing in {missing:,} of {len(values):,} rows; fill it in, or leave it out")
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            found[str(name)] = values.to_numpy(dtype=float)
            endless = int((~np.isfinite(found[str(name)])).sum())
            if endless:
                raise ValueError(f"{name} is infinite in {endless:,} of {len(values):,} rows; correct them")
            continue
        words = values.astype(str)
        often = words.value_counts()
        if len(often) > MOST_WORDS:
            raise ValueError(f"{name} has {len(often):,} different words, more than {MOST_WORDS}; group them")
        found |= {f"{name}={word}": (words == word).to_numpy(dtype=float) for word in sorted(often.index[1:])}
    return found
