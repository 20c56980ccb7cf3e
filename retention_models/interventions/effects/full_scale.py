"""Money at full scale: the value of a roll-out, the expected loss of deciding now, and the size of the next test.

A roll-out treats ``reach`` customers ``repeats`` times a year. Every repeat is assumed to have the effect that the test
measured.
"""

from __future__ import annotations

import math

from scipy.special import ndtr

from retention_models.core.arguments import require_number, require_whole
from retention_models.core.dates import span_name, unit_days

LONGEST_YEAR = 366.0  # days
FEWEST, MOST = 2, 1e15  # customers of a test


def require_full_scale(reach: object, repeats: object, smallest_gain: object) -> None:
    """Raise a ValueError unless reach is a number of customers, repeats a rate, and the smallest gain above 0."""
    if reach is not None:
        require_whole("reach", reach, 1)
    require_number("repeats", repeats, 0, math.inf, inside=True)
    if smallest_gain is not None:
        require_number("smallest_gain", smallest_gain, 0, math.inf, inside=True)


def require_within_year(repeats: float, horizon: float | None, time_unit: str | None) -> None:
    """Raise a ValueError where the repeats of a year overlap, or take longer than a year."""
    if horizon is None or time_unit is None:
        if repeats > 1:
            raise ValueError(
                f"{repeats:g} repeats a year need the horizon of an effect, such as horizon=56, time_unit='D': repeats "
                "must not overlap"
            )
        return
    days = horizon * unit_days(time_unit)
    if repeats * days > LONGEST_YEAR:
        raise ValueError(
            f"{repeats:g} repeats of {span_name(horizon, time_unit)} take {repeats * days:,.0f} days and do not fit in "
            f"a year without overlap; state at most {LONGEST_YEAR / days:.3g} repeats"
        )


def loss_of_deciding(value: float, std_error: float) -> float:
    """The expected loss, per use, of deciding by the sign of an estimated value instead of the true one.

    s (phi(z) - |z| Phi(-|z|)) with z = value / s: the expected value of perfect information under a flat prior (Raiffa
    & Schlaifer 1961).
    """
    if std_error == 0 or not math.isfinite(std_error):
        return 0.0 if std_error == 0 else math.inf
    z = abs(value) / std_error
    return std_error * (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * float(ndtr(-z)))


def next_test_size(customers: int, interval: tuple[float, float], gain: float) -> int | None:
    """Customers, at the same shares, whose interval is no wider than the gain to each side; None if too many."""
    ratio = (interval[1] - interval[0]) / 2 / gain
    needed = customers * ratio * ratio  # infinite where a power would be an error
    return max(math.ceil(needed), FEWEST) if needed < MOST else None
