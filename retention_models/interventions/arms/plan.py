"""The plan of a test: its arms, its size, its looks before the end, and the reach of a roll-out.

``assign`` writes it before the test. Every analysis of the test reads it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pandas as pd

from retention_models.core.arguments import is_number, require_number, require_text, require_whole
from retention_models.core.dates import read_day
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.core.stored_record import StoredRecord, build
from retention_models.interventions.effects.assignment import NOT_STATED, AssignedBy, require_assigned_by
from retention_models.interventions.effects.full_scale import require_full_scale

UNIVERSAL_CONTROL = "universal control"  # the arm of customers who are kept out of every test
KEPT_OUT = (
    f"{UNIVERSAL_CONTROL!r} is no arm of a test, but the customers who are kept out of every one: leave it out of "
    "shares, and state their share as universal_control"
)
STORED = StoredRecord("plan", format=1, remedy="draw the test again")
DAYS = ("measured_from", "measured_on")
NUMBERS = ("universal_control", "customers", "detectable_effect", "smallest_gain", "reach", "repeats")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Presentation):
    """The plan of a test, made before the assignment.

    Attributes
    ----------
    control
        The arm with which the others are compared. Of arms 0 and 1, or true and false, the number or truth value.
    shares
        Planned share of each arm, in any unit: ``{"control": 1, "mail": 2}``. By default None: the sample ratio cannot
        be checked, and a check says so.
    unit
        The unit of random assignment: ``customer`` (the default), ``household``, ``store``. For other units than the
        customer, standard errors need the clusters. Without them a check fails.
    name
        Name of the test; stands before the arm in the evidence table. Empty by default.
    population
        The customers to whom the result applies, in words.
    assigned_by
        Who decided which customers were treated. ``"random"``: chance. ``"rule"``: a rule or a person of the company.
        ``"choice"``: the customers themselves, as by joining. ``"unknown"``: nobody knows. There is no default. Only
        random assignment makes a randomised experiment. All other differences are observational.
    measured_from, measured_on
        First day on which outcomes were measured, and the day of the measurement. By default None. The first day must
        be stated with ``"choice"``.
    block, cluster
        The columns of the strata and of the units that were assigned as a whole, as ``assign`` names them. The
        analysis uses them unasked. By default None.
    universal_control
        Share of the customers who are kept out of every test. Rows with the arm ``universal control`` are left out.
    customers
        Number of customers planned for all arms together. By default None: not stated.
    looks
        Planned looks before the end, as increasing fractions of ``customers``, such as ``(0.5, 0.75)``. Empty by
        default: the test is read once, at its end.
    detectable_effect, detectable_outcome
        The effect that each arm detects with a power of 0.8, and the outcome for which it was computed, in words. By
        default None and empty.
    smallest_gain
        The smallest gain per treated customer that would matter: in money if the outcome has a price, otherwise in the
        unit of the outcome. The size of the next test follows from it. By default None: the cost of a contact.
    reach, repeats
        Number of customers that a roll-out would treat, and how often a year (1 by default). Money at full scale
        follows from them. By default None: not stated.
    owner
        Who decides about the roll-out. Empty by default.

    Raises
    ------
    TypeError
        When ``assigned_by`` is not stated.
    ValueError
        When the control is missing, a text is none, a number is out of range, or the looks do not increase.
    """

    control: str
    shares: Mapping[str, float] | None = None
    unit: str = "customer"
    name: str = ""
    population: str = "all assigned customers"
    assigned_by: AssignedBy = NOT_STATED
    measured_from: dt.date | str | None = None
    measured_on: dt.date | str | None = None
    block: str | None = None
    cluster: str | None = None
    universal_control: float = 0.0
    customers: int | None = None
    looks: tuple[float, ...] = ()
    detectable_effect: float | None = None
    detectable_outcome: str = ""
    smallest_gain: float | None = None
    reach: int | None = None
    repeats: float = 1.0
    owner: str = ""

    def __post_init__(self) -> None:
        require_assigned_by(self.assigned_by)
        for name in DAYS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, read_day(name, getattr(self, name)))
        if not pd.api.types.is_scalar(self.control) or pd.isna(self.control):
            raise ValueError(f"control must name the arm with which the others are compared; got {self.control!r}")
        object.__setattr__(self, "control", str(self.control))
        require_text("control", self.control)
        if self.shares is not None:
            object.__setattr__(self, "shares", read_shares(self.shares))
            if self.control not in self.shares:
                raise ValueError(
                    f"shares must give each of the arms, including the control {self.control!r}, a share above 0; got "
                    f"{dict(self.shares)}"
                )
        for name in ("unit", "population"):
            require_text(name, getattr(self, name))
        for name in ("name", "owner", "detectable_outcome"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a text; got {getattr(self, name)!r}")
        for name in ("block", "cluster"):
            if getattr(self, name) is not None:
                require_text(name, getattr(self, name))
        require_number("universal_control", self.universal_control, 0, 1)
        if self.universal_control > 0 and UNIVERSAL_CONTROL in (self.shares or ()):
            raise ValueError(KEPT_OUT)
        if self.customers is not None:
            require_whole("customers", self.customers, 1)
        if self.detectable_effect is not None:
            require_number("detectable_effect", self.detectable_effect)
        object.__setattr__(self, "looks", check_looks(self.looks))
        require_full_scale(self.reach, self.repeats, self.smallest_gain)
        for name in NUMBERS:
            object.__setattr__(self, name, _plain_number(getattr(self, name)))

    def to_json(self, path: str | Path | None = None) -> str:
        """The plan as JSON text.

        Parameters
        ----------
        path
            File to write the text to as well; by default none.

        Returns
        -------
        str
            The text that ``from_json`` reads.
        """
        days = {name: None if getattr(self, name) is None else str(getattr(self, name)) for name in DAYS}
        return STORED.write({"plan": asdict(self) | days}, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Self:
        """The plan that ``to_json`` wrote.

        Parameters
        ----------
        source
            JSON text, or the path of a file that holds it.

        Returns
        -------
        Plan
            The plan, equal to the one that was written.

        Raises
        ------
        ValueError
            When the text is no stored plan, is damaged, or has a later format.
        """
        return STORED.read(source, lambda stored: build(cls, _with_tuples(stored["plan"])))

    @property
    def is_random(self) -> bool:
        """Whether customers were assigned at random."""
        return self.assigned_by == "random"

    def _parts(self) -> Sequence[Part]:
        name = f"Plan {self.name}".strip()
        arms = "" if self.shares is None else f" Arms: {', '.join(f'{a} {s:g}' for a, s in self.shares.items())}."
        size = "" if self.customers is None else f" {self.customers:,} customers."
        looks = f" Looks at {', '.join(f'{100 * look:g} %' for look in self.looks)}." if self.looks else ""
        detects = ""
        if self.detectable_effect is not None:
            effect = three_digits(self.detectable_effect)
            detects = f" Each arm detects an effect of {effect} with a power of 0.8 ({self.detectable_outcome})."
        return [f"{name}: compared with {self.control}.{arms}{size}{detects}{looks}"]


def effect_fields(plan: Plan) -> dict[str, Any]:
    """The fields of an effect that come from the plan of its test."""
    names = ("population", "assigned_by", "smallest_gain", "reach", "repeats", "owner", "measured_on")
    return {name: getattr(plan, name) for name in names}


def check_looks(looks: object) -> tuple[float, ...]:
    """The fractions of planned looks; a ValueError unless they increase from above 0 to at most 1."""
    found = tuple(looks) if isinstance(looks, Sequence) and not isinstance(looks, str) else None
    if found is None or not all(is_number(look) and 0 < look <= 1 for look in found):
        raise ValueError(f"looks must be fractions of the planned customers, such as (0.5, 0.75); got {looks!r}")
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise ValueError(f"looks must increase; got {', '.join(f'{look:g}' for look in found)}")
    return tuple(map(float, found))


def _with_tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a plan from JSON, which knows lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}


def read_shares(shares: object) -> dict[str, float]:
    """The planned shares by the names of the arms; a ValueError unless numbers above 0, of two arms or more."""
    if not isinstance(shares, Mapping) or not shares:
        raise ValueError(
            f"shares must give each arm its planned share, such as {{'none': 1, 'mail': 2}}; got {shares!r}"
        )
    for arm, share in shares.items():
        require_number(f"the planned share of {arm} in shares", share, 0, math.inf, inside=True)
    found = {str(arm): _plain_number(share) for arm, share in shares.items()}
    if len(found) < len(shares):
        raise ValueError(f"shares name an arm more than once, as numbers and as text: {', '.join(map(repr, shares))}")
    if len(found) < 2:
        raise ValueError(f"shares name only one arm, {next(iter(found))}; a test needs a control and another arm")
    return found


def _plain_number(value: Any) -> Any:
    """A number of numpy as one of Python, which JSON can hold; any other value as it is."""
    return value.item() if hasattr(value, "item") else value
