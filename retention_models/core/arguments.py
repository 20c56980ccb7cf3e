"""Rules for single values that a caller passes: numbers, counts, horizons, and shares typed in percent."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Sequence
from typing import TypeGuard

MOST_RENEWALS = 10_000  # of a forecast, each with its intervals: 27 years of days
LONGEST_SUM = 10_000_000  # renewals that are added up one by one
MOST_POINTS = 1_000_000  # of a grid or table that is computed in one go: 8 MB a column
SHORTEST, LONGEST = 1e-9, 1e9  # horizons in any time unit, beyond which numbers lose their meaning


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number; True and False are none."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def require_number(
    name: str, value: object, low: float = -math.inf, high: float = math.inf, *, inside: bool = False
) -> None:
    """An error unless the value is a finite number from ``low`` to ``high``, or strictly ``inside``."""
    if is_number(value) and (low < value < high if inside else low <= value <= high):
        return
    if math.isfinite(low) and math.isfinite(high):
        rule = f"lie between {low:g} and {high:g}" if inside else f"be a number from {low:g} to {high:g}"
    elif math.isfinite(low):
        rule = f"be a number above {low:g}" if inside else f"be a number, {low:g} or more"
    else:
        rule = "be a finite number"
    raise ValueError(f"{name} must {rule}; got {value!r}{_in_percent(value) if high == 1 else ''}")


def require_level(level: object) -> None:
    """An error unless the level of an interval lies between 0 and 1."""
    require_number("level", level, 0, 1, inside=True)


def require_type(name: str, value: object, kind: type) -> None:
    """A TypeError unless the value is of a kind, such as an ``Effect``."""
    if not isinstance(value, kind):
        given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name} must be of type {kind.__name__}, not {given}")


def require_text(name: str, value: object) -> None:
    """An error unless the value is a text that says something."""
    if not (isinstance(value, str) and value.strip()):
        raise ValueError(f"{name} must be a text; got {value!r}")


def require_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """An error unless the value is a whole number, at least so many, and at most as many as can be computed."""
    if not (isinstance(value, numbers.Integral) and is_number(value) and int(value) >= least):
        raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}")
    if most is not None and int(value) > most:
        raise ValueError(f"{name} must be at most {most:,}; got {value!r}")


def require_bool(name: str, value: object) -> None:
    """An error unless the value is True or False; a text such as "no" would count as true."""
    if type(value).__name__ not in ("bool", "bool_"):  # numpy, which is not loaded here, has its own
        raise ValueError(f"{name} must be True or False; got {value!r}")


def require_texts(name: str, value: object, example: str = "") -> None:
    """An error unless the value is a list of texts, none of them twice; one text alone is no list."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list of texts{example and f', such as {example}'}; got {value!r}")
    for each in value:
        require_text(f"each of {name}", each)
    if repeated := [each for each in dict.fromkeys(value) if list(value).count(each) > 1]:
        raise ValueError(
            f"{name} must name each item only once; {', '.join(map(repr, repeated))} appears more than once"
        )


def require_renewals(name: str, value: object, least: int) -> None:
    """An error unless the value is a number of renewals that can be looked ahead one by one."""
    require_whole(name, value, least)
    require_number(name, value, least, MOST_RENEWALS)


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
