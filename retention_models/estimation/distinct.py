"""Rows that are the same are worked on once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = np.iinfo(np.int64).max


def distinct_rows(columns: tuple[Array, ...]) -> tuple[tuple[Array, ...], NDArray[np.int64]]:
    """The distinct rows of some columns in lexicographic order, and for each row the number of its distinct one."""
    row, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        code, values = pd.factorize(column, sort=True)
        if size > LARGEST // max(len(values), 1):
            row, size = _renumbered(row)
        row, size = row * len(values) + code, size * len(values)
    row, size = _renumbered(row)
    first = np.empty(size, dtype=np.int64)
    first[row[::-1]] = np.arange(len(row))[::-1]
    return tuple(column[first] for column in columns), row


def _renumbered(row: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The same groups numbered 0, 1, 2... in the same order, and how many there are."""
    code, values = pd.factorize(row, sort=True)
    return code, len(values)
