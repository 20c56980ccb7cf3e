"""What every buy-till-you-die model shares: its parameters are checked once, and its start is measured once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameter = float | Array


class BuyTillYouDie:
    """A frozen dataclass of positive parameters: plain numbers, or arrays that broadcast against the histories."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            array = np.asarray(value, dtype=float)
            if not np.all(np.isfinite(array) & (array > 0)):
                raise ValueError(f"{type(self).__name__}: {field.name} must be positive and finite; got {value!r}")
            object.__setattr__(self, field.name, array if array.ndim else float(array))


def purchase_start(frequency: Array, T: Array, weight: Array) -> tuple[float, float, float]:
    """Rough r and alpha of the Gamma of purchase rates, by the moments of the counts, and the mean age."""
    n = weight.sum()
    mean, age = weight @ frequency / n, weight @ T / n
    excess = weight @ (frequency - mean) ** 2 / n - mean
    r = float(np.clip(mean**2 / excess, 0.1, 10)) if excess > 0 else 10.0
    return r, float(r * age / max(mean, 0.01)), float(age)
