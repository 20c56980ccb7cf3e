"""The effect of one intervention: one row of the evidence table."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast, get_args

from retention_models.core.arguments import require_level, require_number, require_text, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import read_day, span_name
from retention_models.core.formatting import Part, Presentation, with_interval
from retention_models.interventions.effects.assignment import (
    NOT_STATED,
    AssignedBy,
    Design,
    design_of,
    require_assigned_by,
)
from retention_models.interventions.effects.derived_laws import Law
from retention_models.interventions.effects.full_scale import (
    loss_of_deciding,
    next_test_size,
    require_full_scale,
    require_within_year,
)
from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.stated_interval import check_horizon, law_ends, normal_law, stated_error
from retention_models.interventions.effects.stored_effect import from_text, to_text

Scale = Literal["difference", "ratio", "hazard ratio"]

FOLLOWS = cast("float", None)  # what follows from the other numbers; once an effect exists, nothing is missing
LAW_FOLLOWS = cast("Law", None)
DESIGN_FOLLOWS = cast("Design", None)
LARGEST_EXPONENT = 709.0  # of a floating-point number


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Effect(Presentation):
    """The effect of an intervention on one outcome, and its value.

    An effect carries the law of its estimate, from which its p-value and the interval of any level follow. Designs
    state the law. For a published row, state one of these:

    - ``std_error``: the law is normal around the estimate, on the log scale for a ratio
    - ``lower`` and ``upper``: the law is the normal one that has this interval at ``level``
    - ``law``: another law, such as ``StudentT(estimate, std_error, df=12)``

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
        The confidence interval and its level, 0.95 by default. An end is infinite where the data set no limit.
    horizon, time_unit
        Time from the assignment to the end of the measurement, and its unit: ``14`` and ``"D"``. The units are those of
        ``Terms``: ``"D"``, ``"W"``, ``"M"``, ``"Q"``, ``"Y"``, ``"h"`` or a fixed length such as ``"30D"``. None if not
        stated.
    population, n
        The customers to whom the number applies, and how many of them are in the data.
    cost
        Additional cost per treated customer compared with the baseline, in money; None if not stated.
    value, value_lower, value_upper
        Value per treated customer net of cost, with its confidence interval; None if the outcome has no price.
    design
        ``randomised``, ``quasi-experimental`` or ``observational``. By default it follows from ``assigned_by``:
        randomised if assigned at random, else observational. A design with checks of its own is quasi-experimental.
    checks
        The checks of the effect.
    law, value_law
        The law of the estimate, of its logarithm for a ratio or hazard ratio, and the law of the value. Stated ends
        must be those of the law up to rounding, and are replaced by them.
    assigned_by
        Who decided which customers were treated: ``"random"``, ``"rule"``, ``"choice"`` or ``"unknown"``. There is no
        default.
    smallest_gain
        The smallest gain per treated customer that would matter, in money if there is a value, otherwise in the unit of
        the outcome. The size of the next test follows from it. By default None.
    reach, repeats
        Number of customers (or units) that a roll-out would treat, and how often a year. By default None, and 1.
        Repeats must not overlap: together they take at most a year.
    panel_unit
        What is treated where it is not customers, such as ``"store"``: value and cost are then those of such a unit in
        one period, and ``n`` and ``reach`` count units. By default empty: customers.
    owner, measured_on
        Who decides about the roll-out, and the day of the measurement. By default empty, and None.

    Raises
    ------
    ValueError
        When scale, design or time unit is unknown, the numbers contradict each other or the law, or the repeats do not
        fit in a year.
    TypeError
        When ``assigned_by`` is not stated.

    Examples
    --------
    >>> import retention_models as rm
    >>> study = {"intervention": "call", "outcome": "churn", "unit": "share of customers", "estimand": "hazard ratio",
    ...          "population": "subscribers", "n": 812, "assigned_by": "random", "horizon": 12, "time_unit": "M"}
    >>> published = rm.Effect(**study, scale="hazard ratio", estimate=0.8, lower=0.70, upper=0.91)
    >>> print(published)
    call multiplies churn by 0.800 (0.700 to 0.910) (share of customers; 95 % interval; 12 months; randomised, n = 812).
    >>> round(published.p_value, 5), [round(end, 2) for end in published.interval(0.99)]
    (0.00075, [0.67, 0.95])

    The value of a roll-out, and what the next test needs if a gain of 0.20 per customer would matter:

    >>> money = {"value": 0.4, "value_lower": -0.1, "value_upper": 0.9, "reach": 50_000, "repeats": 1.0}
    >>> call = rm.Effect(**study, scale="ratio", estimate=1.1, std_error=0.05, **money, smallest_gain=0.2)
    >>> [f"{amount:,.0f}" for amount in call.annual_value]
    ['20,000', '-5,000', '45,000']
    >>> round(call.expected_loss), call.customers_of_next_test
    (320, 5075)
    """

    intervention: str
    outcome: str
    unit: str
    estimand: str
    scale: Scale
    estimate: float
    std_error: float = FOLLOWS
    lower: float = FOLLOWS
    upper: float = FOLLOWS
    level: float = 0.95
    horizon: float | None = None
    time_unit: str | None = None
    population: str
    n: int
    cost: float | None = None
    value: float | None = None
    value_lower: float | None = None
    value_upper: float | None = None
    design: Design = DESIGN_FOLLOWS
    checks: tuple[Check, ...] = ()
    law: Law = LAW_FOLLOWS
    value_law: Law | None = None
    assigned_by: AssignedBy = NOT_STATED
    smallest_gain: float | None = None
    reach: int | None = None
    repeats: float = 1.0
    owner: str = ""
    measured_on: dt.date | str | None = None
    panel_unit: str = ""

    def __post_init__(self) -> None:
        require_assigned_by(self.assigned_by)
        if self.design is DESIGN_FOLLOWS:
            self._set({"design": design_of(self.assigned_by)})
        for name, allowed in (("scale", get_args(Scale)), ("design", get_args(Design))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        for law in (self.law, self.value_law):
            if law is not None and not isinstance(law, get_args(Law)):
                raise TypeError(f"law must be a law such as StudentT(estimate, std_error); got {type(law).__name__}")
        for name in ("intervention", "outcome", "unit", "estimand", "population"):
            require_text(name, getattr(self, name))
        try:
            require_level(self.level)
            require_whole("n", self.n, 1)
            for name in ("estimate", "std_error", "cost", "value"):
                if name == "estimate" or getattr(self, name) is not None:
                    require_number(name, getattr(self, name), 0 if name == "std_error" else -math.inf)
            check_horizon(self.horizon, self.time_unit)
            self._settle_full_scale()
            self._refuse(self._contradictions())
            self._settle_effect()
            self._settle_value()
            self._refuse(self._contradictions())
        except ValueError as error:
            raise ValueError(f"effect of {self.intervention} on {self.outcome}: {error}") from None

    def _refuse(self, contradictions: dict[str, bool]) -> None:
        for problem, found in contradictions.items():
            if found:
                raise ValueError(problem)

    def _contradictions(self) -> dict[str, bool]:
        """Rules for the numbers of an effect, and whether each is violated; before the law is known, and after."""
        value = [number for number in (self.value_lower, self.value, self.value_upper) if number is not None]
        numbers = [number for number in (self.lower, self.estimate, self.upper) if number is not None]
        return {
            "a ratio must be above 0": self.scale != "difference" and self.estimate <= 0,
            "the estimate must lie inside its interval": not _rise(numbers),
            "value, value_lower and value_upper go together, or value and value_law": (
                len(value) not in (0, 3) and (self.value is None or self.value_law is None)
            ),
            "a value_law needs the value": self.value is None and self.value_law is not None,
            "the value must lie inside its interval": not _rise(value),
            "a randomised effect needs assigned_by='random'": (
                self.design == "randomised" and self.assigned_by != "random"
            ),
            "customers assigned at random make no observational effect": (
                self.design == "observational" and self.assigned_by == "random"
            ),
        }

    def _settle_effect(self) -> None:
        """The law, the standard error and the ends of the interval, from what was stated."""
        ends = (self._to_working(self.lower), self._to_working(self.upper))
        middle = self._to_working(self.estimate)
        law = self.law
        if law is None and self.std_error is not None:
            law = StudentT(middle, self.std_error)
        elif law is None:
            law = normal_law(middle, ends, self.level, "lower and upper")
        lower, upper = law_ends(law, self.level, ends, "lower and upper", self._from_working)
        settled = {"lower": self._from_working(lower), "upper": self._from_working(upper)}
        if lower <= middle <= upper:  # also after rounding, for an exact ratio
            settled |= {"lower": min(settled["lower"], self.estimate), "upper": max(settled["upper"], self.estimate)}
        self._set({"law": law, "std_error": stated_error(self.std_error, law), **settled})

    def _settle_value(self) -> None:
        """The law of the value and the ends of its interval, from what was stated."""
        if self.value is None:
            return
        ends, names = (self.value_lower, self.value_upper), "value_lower and value_upper"
        law = self.value_law or normal_law(self.value, ends, self.level, names)
        lower, upper = law_ends(law, self.level, ends, names)
        self._set({"value_law": law, "value_lower": lower, "value_upper": upper})

    def _settle_full_scale(self) -> None:
        """The rules for a roll-out, and the day of the measurement."""
        require_full_scale(self.reach, self.repeats, self.smallest_gain)
        if self.reach is not None:
            require_within_year(self.repeats, self.horizon, self.time_unit)
        for name in ("owner", "panel_unit"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a text; got {getattr(self, name)!r}")
        if self.measured_on is not None:
            self._set({"measured_on": read_day("measured_on", self.measured_on)})

    def _set(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _to_working(self, number: float) -> float:
        """A number on the scale of ``std_error``: as it is, or its logarithm for a ratio; one that follows, as well."""
        if number is FOLLOWS or self.scale == "difference":
            return number
        return math.log(number) if number > 0 else -math.inf

    def _from_working(self, number: float) -> float:
        if self.scale == "difference":
            return number
        return math.exp(number) if number < LARGEST_EXPONENT else math.inf

    @property
    def no_effect(self) -> float:
        """The estimate without an effect: 0 for a difference, 1 for a ratio."""
        return 0.0 if self.scale == "difference" else 1.0

    @property
    def on_working_scale(self) -> tuple[float, float, float]:
        """Estimate and interval on the scale of ``std_error``: as they are, or logarithms for a ratio."""
        estimate, lower, upper = (self._to_working(x) for x in (self.estimate, self.lower, self.upper))
        return estimate, lower, upper

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no effect, by the law; below ``1 - level`` exactly if the interval excludes no effect.

        A ratio by Anderson and Rubin may exclude no effect although its interval has no end.
        """
        return self.law.p_value(0.0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The confidence interval of any level, by the law.

        Parameters
        ----------
        level
            Level of the interval, 0.95 by default.

        Returns
        -------
        tuple
            Lower and upper end, in the unit of the estimate. An end is infinite where the data set no limit.

        Raises
        ------
        ValueError
            When the level does not lie between 0 and 1.
        """
        lower, upper = self.law.interval(level)
        return self._from_working(lower), self._from_working(upper)

    def value_interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """The confidence interval of the value at any level, by its law.

        Parameters
        ----------
        level
            Level of the interval, 0.95 by default.

        Returns
        -------
        tuple or None
            Lower and upper end, in money per treated customer; None where the outcome has no price.

        Raises
        ------
        ValueError
            When the level does not lie between 0 and 1.
        """
        return None if self.value_law is None else self.value_law.interval(level)

    @property
    def uses(self) -> float | None:
        """Number of treatments a year at full scale, ``reach`` times ``repeats``; None if not stated."""
        return None if self.reach is None else self.reach * self.repeats

    @property
    def annual_value(self) -> tuple[float, float, float] | None:
        """Value of a year at full scale with its interval, if each repeat has the effect measured; None if not known.

        It needs a value and ``reach``. An observational difference has none: nobody knows what treatment changes.
        """
        if self.priced is None or self.uses is None or self.design == "observational":
            return None
        value, lower, upper = (self.uses * amount for amount in self.priced)
        return value, lower, upper

    @property
    def expected_loss(self) -> float | None:
        """Expected loss a year at full scale of deciding now by the sign of the value; None if not known.

        It is the most that a further test could be worth: the chance that the sign is wrong, times what that would
        cost (flat prior).
        """
        if self.value is None or self.value_law is None or self.uses is None or self.design == "observational":
            return None
        return self.uses * loss_of_deciding(self.value, self.value_law.std_error)

    @property
    def customers_of_next_test(self) -> int | None:
        """Customers of both groups whose interval would be no wider than ``smallest_gain`` to each side.

        Groups have the same shares as in this test. None without ``smallest_gain``, or where an interval has no end.
        The observed effect plays no part.
        """
        ends = self.priced[1:] if self.priced else (self.lower, self.upper)
        if self.smallest_gain is None or (self.scale != "difference" and not self.priced):
            return None
        return next_test_size(self.n, ends, self.smallest_gain)

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

    @property
    def horizon_text(self) -> str:
        """The horizon with its unit in words, such as "14 days"; "not stated" where it is missing."""
        if self.horizon is None or self.time_unit is None:
            return UNSTATED
        return span_name(self.horizon, self.time_unit)

    def to_json(self, path: str | Path | None = None) -> str:
        """The effect with its law and checks as JSON text, which holds plain numbers and no code.

        Parameters
        ----------
        path
            File to write the text to as well; by default none.

        Returns
        -------
        str
            The text that ``from_json`` reads.
        """
        return to_text(self, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Effect:
        """The effect that ``to_json`` wrote.

        Parameters
        ----------
        source
            JSON text, or the path of a file that holds it.

        Returns
        -------
        Effect
            The effect, equal to the one that was written.

        Raises
        ------
        ValueError
            When the text is no stored effect, is damaged, has a law that this version does not know, or a later format.
            The error names the version that wrote it.
        """
        return from_text(cls, source)

    def _parts(self) -> Sequence[Part]:
        changed = "changes" if self.scale == "difference" else "multiplies"
        by = with_interval(self.estimate, self.lower, self.upper)
        money = f" Worth {with_interval(*self.priced)} per {one_treated(self)}." if self.priced else ""
        about = [self.unit, f"{100 * self.level:g} % interval", self.design]
        if self.horizon is not None:
            about.insert(2, self.horizon_text)
        return [
            f"{self.intervention} {changed} {self.outcome} by {by} ({'; '.join(about)}, n = {self.n:,}).{money}"
            f"{name_failed_checks(self.failed)}"
        ]


def one_treated(effect: Effect) -> str:
    """What value and cost are counted by, in words: a treated customer, or a treated unit and period."""
    return f"treated {effect.panel_unit} and period" if effect.panel_unit else "treated customer"


def all_treated(effect: Effect) -> str:
    """What ``n`` and ``reach`` count, in words."""
    return f"units ({effect.panel_unit})" if effect.panel_unit else "customers"


def with_laws(effect: Effect, law: Law, value_law: Law | None, checks: tuple[Check, ...]) -> Effect:
    """The effect under other laws of the same estimates: its intervals and p-value follow from them."""
    row = replace(effect, law=law, lower=FOLLOWS, upper=FOLLOWS, checks=checks)
    return replace(row, value_law=value_law, value_lower=None, value_upper=None)


def _rise(numbers: Sequence[float]) -> bool:
    """Whether numbers do not decrease; never true of missing ones."""
    return all(a <= b for a, b in pairwise(numbers))


def name_failed_checks(failed: Sequence[Check]) -> str:
    """A sentence that names the failed checks, or an empty text."""
    return f" FAILED: {', '.join(check.name for check in failed)}." if failed else ""


RATIO = "Sample ratio"


BALANCE = "Balance before assignment"


ASSIGNMENT = "Random assignment"


UNIT = "Unit of assignment"


# If one of these fails, no estimate is valid. In lower case: their names in effects stored by version 0.2.0.
BREAKING = (RATIO, BALANCE, ASSIGNMENT, UNIT, "sample ratio", "balance", "assignment", "unit of assignment")


CEILING = "Ceiling"


UNSTATED = "not stated"
