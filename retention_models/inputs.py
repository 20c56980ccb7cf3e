"""Rules for single values that a caller passes: what is a number, a count, and a horizon one can look ahead to."""

from __future__ import annotations

import math
import numbers
from typing import TypeGuard

SHORTEST, LONGEST = 1e-9, 1e9  # horizons in any time unit, beyond which numbers lose their meaning


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def require_whole(name: str, value: object, least: int) -> None:
    """An error unless the value is a whole number, at least so many."""
    if not (isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least):
        raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}")


def require_horizon(horizon: object, *, or_endless: bool = False) -> None:
    """An error unless the horizon is a length that can be forecast, or infinite where that is allowed."""
    if or_endless and isinstance(horizon, numbers.Real) and horizon == math.inf:
        return
    if not (is_number(horizon) and SHORTEST <= horizon <= LONGEST):
        endless = ", or numpy.inf" if or_endless else " (value without end is discounted_expected_purchases)"
        raise ValueError(
            f"horizon must be a number above 0, from {SHORTEST:g} to {LONGEST:g}, in the time unit of the table"
            f"{endless}; got {horizon!r}"
        )
