"""Rows that are the same are worked on once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array

LARGEST = np.iinfo(np.int64).max
FEW = 1_000  # up to so many rows a sort is done before pandas has begun


def distinct_rows(columns: tuple[Array, ...]) -> tuple[tuple[Array, ...], NDArray[np.int64]]:
    """The distinct rows of some columns in lexicographic order, and for each row the number of its distinct one."""
    if len(columns[0]) < FEW:
        return _by_sorting(columns)
    row, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        code, values = pd.factorize(column, sort=True)
        if size > LARGEST // max(len(values), 1):
            row, size = _renumber(row)
        row, size = row * len(values) + code, size * len(values)
    row, size = _renumber(row)
    first = np.empty(size, dtype=np.int64)
    first[row[::-1]] = np.arange(len(row))[::-1]
    return tuple(column[first] for column in columns), row


def _by_sorting(columns: tuple[Array, ...]) -> tuple[tuple[Array, ...], NDArray[np.int64]]:
    order = np.lexsort(columns[::-1])
    in_order = [column[order] for column in columns]
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for column in in_order:
        new[1:] |= column[1:] != column[:-1]
    row = np.empty(len(order), dtype=np.int64)
    row[order] = np.cumsum(new) - 1
    return tuple(column[new] for column in in_order), row


def _renumber(row: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """The same groups numbered 0, 1, 2... in the same order, and how many there are."""
    code, values = pd.factorize(row, sort=True)
    return code, len(values)
