"""What follows from the numbers that somebody states in an effect: their law, and whether they agree with it."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import ndtri

from retention_models.core.arguments import is_number
from retention_models.core.dates import check_time_unit
from retention_models.core.formatting import format_together, three_digits
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.laws import StudentT

Ends = tuple[float | None, float | None]  # as stated; None where nothing was

ROUNDING = 0.02  # stated ends may differ from those of the law by this share of the distance to the estimate
CENTRED = 0.1  # the estimate may lie off the middle of two published ends by this share of half their distance


def check_horizon(horizon: float | None, time_unit: str | None) -> None:
    """Raise a ValueError unless horizon and time unit are both missing, or a number above 0 and its unit."""
    if horizon is None and time_unit is None:
        return
    if horizon is not None and not (is_number(horizon) and horizon > 0):
        raise ValueError(f"horizon must be a number above 0, with its unit in time_unit; got {horizon!r}")
    if horizon is None or time_unit is None:
        raise ValueError("horizon and time_unit go together, such as horizon=14, time_unit='D'")
    check_time_unit(time_unit)


def normal_law(estimate: float, stated: Ends, level: float, names: str) -> StudentT:
    """The normal law with a published interval; ``names`` are those of its ends.

    Its estimate is the middle of the interval, from which the published estimate differs by rounding. The standard
    error is half the width divided by the normal quantile (Cochrane Handbook, section 6.3.1).

    Raises
    ------
    ValueError
        When an end is missing or infinite, or the estimate is not in the middle.
    """
    lower, upper = stated
    if lower is None or upper is None:
        raise ValueError(f"state {names}, or their law")
    if not (math.isfinite(lower) and math.isfinite(upper)):
        raise ValueError(f"an infinite limit is not possible with a normal law; pass the law of {names} as well")
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    if abs(estimate - middle) > CENTRED * half:
        raise ValueError(
            f"the estimate is not in the middle of {names}, on the log scale for a ratio: pass their law as well, or "
            "state std_error without them"
        )
    return StudentT(middle, half / float(ndtri((1 + level) / 2)))


def law_ends(
    law: Law, level: float, stated: Ends, names: str, unit: Callable[[float], float] = float
) -> tuple[float, float]:
    """The ends of the law's interval; a ValueError where stated ends differ from them beyond rounding.

    ``unit`` turns an end into the unit of the estimate, for the error.
    """
    found = law.interval(level)
    for end, other in zip(stated, found, strict=True):
        near = abs(law.estimate - other) * ROUNDING + 1e-9 * abs(law.estimate)
        if end is not None and end != other and (math.isinf(other) or not abs(end - other) <= near):
            lower, upper = format_together(*map(unit, found))
            raise ValueError(
                f"{names} contradict their law, whose interval at {100 * level:g} % is {lower} to {upper}: leave them "
                "out, or pass their own law"
            )
    return found


def stated_error(stated: float | None, law: Law) -> float:
    """The standard error as stated, or that of the law; a ValueError where they differ beyond rounding."""
    own = law.std_error
    if stated is not None and not abs(stated - own) <= ROUNDING * own:
        raise ValueError(f"std_error contradicts the law, whose standard error is {three_digits(own)}: leave it out")
    return own if stated is None else stated
