"""The effect of one intervention: one row of the evidence table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from scipy.special import ndtr, ndtri, stdtr, stdtridf, stdtrit

from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, with_interval

Scale = Literal["difference", "ratio", "hazard ratio"]
Design = Literal["randomised", "quasi-experimental", "observational"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Effect(Presentation):
    """The effect of an intervention on one outcome, and its value.

    Attributes
    ----------
    intervention
        The intervention, and the baseline if it is not the control.
    outcome, unit
        The outcome and its unit: ``share of customers``, ``purchases per customer``, ``EUR per customer``.
    estimand
        What the number estimates, in words.
    scale
        ``difference``, ``ratio`` or ``hazard ratio``.
    estimate, std_error
        The effect and its standard error. For a ratio or hazard ratio, the standard error is that of its logarithm.
    lower, upper, level
        The confidence interval and its level, 0.95 by default. An end may be infinite, but not missing.
    horizon
        Time from the assignment to the end of the measurement, in words: ``14 days``.
    population, n
        The customers to whom the number applies, and how many of them are in the data.
    cost
        Additional cost per treated customer compared with the baseline, in money; None if not stated.
    value, value_lower, value_upper
        Value per treated customer net of cost, with its confidence interval; None if the outcome has no price.
    design
        ``randomised``, ``quasi-experimental`` or ``observational``.
    checks
        The checks of the effect.

    Raises
    ------
    ValueError
        When scale or design is unknown, or the numbers contradict each other.
    """

    intervention: str
    outcome: str
    unit: str
    estimand: str
    scale: Scale
    estimate: float
    std_error: float
    lower: float
    upper: float
    level: float = 0.95
    horizon: str
    population: str
    n: int
    cost: float | None = None
    value: float | None = None
    value_lower: float | None = None
    value_upper: float | None = None
    design: Design
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("scale", get_args(Scale)), ("design", get_args(Design))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        for problem, found in self._contradictions().items():
            if found:
                raise ValueError(f"effect of {self.intervention} on {self.outcome}: {problem}")

    def _contradictions(self) -> dict[str, bool]:
        """Rules for the numbers of an effect, and whether each is violated."""
        stated = [number for number in (self.value_lower, self.value, self.value_upper) if number is not None]
        return {
            "level must lie between 0 and 1": not 0 < self.level < 1,
            "estimate and std_error must be finite, std_error not negative": not (
                math.isfinite(self.estimate) and math.isfinite(self.std_error) and self.std_error >= 0
            ),
            "the estimate must lie inside its interval": not self.lower <= self.estimate <= self.upper,
            "a ratio must be above 0": self.scale != "difference" and self.estimate <= 0,
            "n must be at least 1": self.n < 1,
            "value, value_lower and value_upper go together": len(stated) not in (0, 3),
            "the value must lie inside its interval": len(stated) == 3 and not stated[0] <= stated[1] <= stated[2],
        }

    @property
    def no_effect(self) -> float:
        """The estimate without an effect: 0 for a difference, 1 for a ratio."""
        return 0.0 if self.scale == "difference" else 1.0

    @property
    def on_working_scale(self) -> tuple[float, float, float]:
        """Estimate and interval on the scale of ``std_error``: as they are, or logarithms for a ratio."""
        numbers = (self.estimate, self.lower, self.upper)
        if self.scale == "difference":
            return numbers
        estimate, lower, upper = (math.log(x) if x > 0 else -math.inf for x in numbers)
        return estimate, lower, upper

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no effect; below ``1 - level`` exactly if the interval excludes no effect.

        It uses the end of the interval towards no effect, and the degrees of freedom that follow from its t-quantile.
        """
        estimate, lower, upper = self.on_working_scale
        distance = abs(estimate)
        reach = estimate - lower if estimate > 0 else upper - estimate
        if distance == 0 or math.isinf(reach):
            return 1.0
        if reach == 0:
            return 0.0
        return _two_sided_p(distance / reach, reach / self.std_error if self.std_error > 0 else 0.0, self.level)

    def stretch(self, error: float) -> float:
        """Factor by which the interval widens for the error probability ``error`` instead of 1 - level.

        Parameters
        ----------
        error
            The probability that the interval misses the true effect.

        Returns
        -------
        float
            It uses the t-distribution of which the longer side, in standard errors, is the quantile. 1 for infinite
            ends.
        """
        middle, lower, upper = self.on_working_scale
        reach = max((end for end in (middle - lower, upper - middle) if math.isfinite(end)), default=math.inf)
        if math.isinf(reach):
            return 1.0
        df = t_degrees_of_freedom(reach / self.std_error, self.level) if self.std_error > 0 else math.inf
        if math.isinf(df):
            return float(ndtri(error / 2)) / float(ndtri((1 - self.level) / 2))
        return -float(stdtrit(df, error / 2)) * self.std_error / reach

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def priced(self) -> tuple[float, float, float] | None:
        """Value and its interval per treated customer; None where the outcome has no price."""
        if self.value is None or self.value_lower is None or self.value_upper is None:
            return None
        return self.value, self.value_lower, self.value_upper

    def _parts(self) -> Sequence[Part]:
        changed = "changes" if self.scale == "difference" else "multiplies"
        by = with_interval(self.estimate, self.lower, self.upper)
        money = f" Worth {with_interval(*self.priced)} per treated customer." if self.priced else ""
        return [
            f"{self.intervention} {changed} {self.outcome} by {by} ({self.unit}; {100 * self.level:g} % interval; "
            f"{self.horizon}; {self.design}, n = {self.n:,}).{money}{name_failed_checks(self.failed)}"
        ]


def name_failed_checks(failed: Sequence[Check]) -> str:
    """A sentence that names the failed checks, or an empty text."""
    return f" FAILED: {', '.join(check.name for check in failed)}." if failed else ""


def _two_sided_p(relative: float, quantile: float, level: float) -> float:
    """P-value of an estimate that is ``relative`` times as far from no effect as its interval is wide to one side.

    ``quantile`` is that width in standard errors. If no t-distribution has this quantile, the normal one is scaled to
    it.
    """
    freedom = t_degrees_of_freedom(quantile, level)
    if math.isinf(freedom):
        return 2 * float(ndtr(-float(ndtri((1 + level) / 2)) * relative))
    return 2 * float(stdtr(freedom, -quantile * relative))


def t_degrees_of_freedom(quantile: float, level: float) -> float:
    """Degrees of freedom of the t-distribution with this quantile; infinite for the normal distribution."""
    if quantile <= float(ndtri((1 + level) / 2)) * (1 + 1e-9):
        return math.inf
    return float(stdtridf((1 + level) / 2, quantile))


RATIO = "sample ratio"


BREAKING = (RATIO, "balance", "assignment", "unit of assignment")  # without these no estimate means what it says


CEILING = "ceiling"


UNSTATED = "not stated"
