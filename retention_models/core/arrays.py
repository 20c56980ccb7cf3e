"""Types of the arguments that models compute with: arrays, and sources of randomness."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RNGLike: TypeAlias = int | np.random.Generator | None  # what ``numpy.random.default_rng`` takes (SPEC 7)
