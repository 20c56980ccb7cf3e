"""Rules for single values that a caller passes: numbers, counts, horizons, and shares typed in percent."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import TypeGuard

SHORTEST, LONGEST = 1e-9, 1e9  # horizons in any time unit, beyond which numbers lose their meaning


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def require_whole(name: str, value: object, least: int) -> None:
    """An error unless the value is a whole number, at least so many."""
    if not (isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least):
        raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}")


def require_share(name: str, share: object) -> None:
    """A ValueError unless an argument is a share, from 0 to 1."""
    if not (is_number(share) and 0 <= share <= 1):
        raise ValueError(f"{name} must be a share from 0 to 1, for example 0.3; got {share!r}")


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


def require_margin(margin: object) -> None:
    """An error unless the margin is a share of an amount: above 0, and at most 1."""
    if not (is_number(margin) and 0 < margin <= 1):
        raise ValueError(
            "margin must be the share of the amount that is earned, for example 0.3; "
            f"got {margin!r}{_in_percent(margin)}"
        )


def require_discount_rate(rate: object) -> None:
    """An error unless the rate is one a year, as a share: 0 or above, and below 1."""
    if not (is_number(rate) and 0 <= rate < 1):
        raise ValueError(
            "annual_discount_rate must be 0 or above and below 1, for example 0.1 for 10 % a year; "
            f"got {rate!r}{_in_percent(rate)}"
        )


def _in_percent(value: object) -> str:
    """What may have been meant by a number that is too large for a share."""
    return f"; did you mean {value / 100:g}?" if is_number(value) and 1 <= value < 100 else ""


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise a ValueError unless ``value`` is one that the keyword ``name`` can have."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
