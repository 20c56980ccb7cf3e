"""The covariates of a fit: their coefficients, and the parameters of each customer that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.design import Design
from retention_models.estimation.links import Link, apply_links, derivatives
from retention_models.estimation.standardise import Covariates
from retention_models.fitting.calendar_months import CalendarMonths
from retention_models.survival.over_calendar import OverCalendar
from retention_models.tables.customer_table import read_covariates

CALENDAR = "calendar"  # the role of covariates of the time at which a renewal is due
NONE = pd.Series(dtype=float, name="coefficient")


@dataclass(frozen=True, eq=False, repr=False)
class CovariateTerms(Presentation):
    """The covariates of a fit: the design of each role, and the coefficients, ``purchase[...]`` and so on.

    Coefficients act by role: ``purchase``, ``dropout``, ``spend`` and ``churn`` through the links that a model
    declares, and ``calendar`` on the exposure of a renewal. ``calendar_by`` are the columns that tell apart customers
    who met different calendars, and ``months`` the calendar that forecasts go on with, if it is known.
    """

    designs: Mapping[str, Design] = field(default_factory=dict)
    coefficients: pd.Series = field(default_factory=NONE.copy)
    calendar_by: tuple[str, ...] = ()
    months: CalendarMonths | None = None

    def _parts(self) -> Sequence[Part]:
        if not self.n:
            return ["No covariates."]
        return ["Coefficients of covariates:", self.coefficients.to_frame()]

    @property
    def n(self) -> int:
        """The number of coefficients."""
        return sum(len(design.labels) for design in self.designs.values())

    @property
    def is_of_customers(self) -> bool:
        """Whether customers differ by their covariates; those of the calendar are the same for all."""
        return any(role != CALENDAR for role in self.designs)

    @property
    def terms(self) -> dict[str, tuple[str, ...]]:
        """The labels of the coefficients of each term, by the term's own label."""
        return {
            f"{link}[{term}]": _labels(link, columns)
            for link, design in self.designs.items()
            for term, columns in design.terms.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame of customers that the designs use."""
        designs = (design for role, design in self.designs.items() if role != CALENDAR)
        return tuple(dict.fromkeys(name for design in designs for name in design.columns))

    def blocks(self, customers: Any) -> dict[str, Array]:
        """The design columns of a frame of customers for each role of covariates; each of shape (n, coefficients)."""
        return {
            role: design.matrix(read_covariates(customers, design.columns, design.formula))
            for role, design in self.designs.items()
            if role != CALENDAR
        }

    def starts(self, customers: Any) -> dict[str, Array]:
        """The month in which each contract began, as a block; nothing without a calendar to go on with."""
        return {} if self.months is None else {CALENDAR: self.months.starts(customers)}

    def new_contract(self, model: Any) -> Any:
        """The model of a contract that begins today."""
        return model if self.months is None else self._over_calendar(model, self.months.next_start, None)

    def _over_calendar(self, model: Any, start: NDArray[np.int64], coefficients: Array | None) -> OverCalendar:
        assert self.months is not None
        values = self.coefficients.to_numpy() if coefficients is None else coefficients
        return OverCalendar(model, start, self.months.weights(values[-self.months.known.shape[1] :]))

    def by_link(self, model: Any, blocks: Mapping[str, Array]) -> tuple[Covariates, ...]:
        """The design columns that act through each link of a model or a class of models."""
        return tuple(
            Covariates(model.links[role], _labels(role, self.designs[role].labels), block)
            for role, block in blocks.items()
        )

    def fields(self, model: Any) -> set[str]:
        """The parameters of a model, or a class of models, that the covariates move."""
        return {name for role in self.designs if role != CALENDAR for name in model.links[role].fields}

    def apply_links(self, model: Any, blocks: Mapping[str, Array], coefficients: Array | None = None) -> Any:
        """The model of customers with these covariates; its parameters have shape (n,) where covariates move them.

        Other ``coefficients`` than those found have shape (n, coefficients), a set a customer, or (draws, 1,
        coefficients), as the model's parameters may have shape (n,) or (draws, 1). Without blocks the model stays. With
        the months in which contracts began, coefficients have shape (coefficients,).
        """
        of_customers = {role: block for role, block in blocks.items() if role != CALENDAR}
        linked = self.apply_links_to(model, model, of_customers, coefficients)
        if CALENDAR not in blocks:
            return linked
        return self._over_calendar(linked, blocks[CALENDAR][:, 0].astype(np.int64), coefficients)

    def apply_links_to(
        self, future_process: Any, model: Any, blocks: Mapping[str, Array], coefficients: Array | None = None
    ) -> Any:
        """What customers of a model do from now on, if their covariates change by so much."""
        return apply_links(future_process, self.indices(model, blocks, coefficients)) if blocks else future_process

    def indices(self, model: Any, blocks: Mapping[str, Array], coefficients: Array | None = None) -> dict[Link, Array]:
        """The index of each customer in each link."""
        values, first, indices = self.coefficients.to_numpy() if coefficients is None else coefficients, 0, {}
        for role, design in self.designs.items():
            last = first + len(design.labels)
            if role in blocks:
                indices[model.links[role]] = np.sum(blocks[role] * values[..., first:last], axis=-1)
            first = last
        return indices

    def slopes(self, model: Any, blocks: Mapping[str, Array], slopes: Array, names: Sequence[str]) -> Array:
        """Derivatives in the baseline's log-parameters and the coefficients, from those in each customer's own.

        Coefficients of roles without a block make no difference.
        """
        own = derivatives(model, self.indices(model, blocks), list(blocks.values()), slopes, names)
        every, first, theirs = np.zeros((len(own), len(names) + self.n)), len(names), len(names)
        every[:, :first] = own[:, :first]
        for role, design in self.designs.items():
            n = len(design.labels)
            if role in blocks:
                every[:, first : first + n] = own[:, theirs : theirs + n]
                theirs += n
            first += n
        return every

    def to_plain(self) -> dict[str, Any]:
        """The covariates in values that JSON knows."""
        return {
            "designs": {link: asdict(design) for link, design in self.designs.items()},
            **({"calendar_by": list(self.calendar_by)} if CALENDAR in self.designs else {}),
            **({"months": self.months.to_plain()} if self.months is not None else {}),
            "coefficients": {str(label): float(value) for label, value in self.coefficients.items()},
        }

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Self:
        """The covariates that were stored as plain values."""
        designs = {link: Design.from_plain(design) for link, design in stored["designs"].items()}
        coefficients, calendar_by = stored["coefficients"], tuple(stored.get("calendar_by", ()))
        labels = [label for role, design in designs.items() for label in _labels(role, design.labels)]
        if list(coefficients) != labels:
            raise ValueError(
                f"the coefficients are {', '.join(coefficients)}, and the formulas make {', '.join(labels)}"
            )
        if not all(type(value) in (int, float) for value in coefficients.values()):
            raise ValueError("coefficients must be numbers")
        if not all(isinstance(name, str) for name in calendar_by):
            raise ValueError("calendar_by must be names of columns")
        months = CalendarMonths.from_plain(stored["months"]) if "months" in stored else None
        if months is not None and months.known.shape[1] != len(designs[CALENDAR].labels):
            raise ValueError("the months of the calendar have other columns than the formula")
        return cls(designs, pd.Series(coefficients, dtype=float, name="coefficient"), calendar_by, months)


def _labels(link: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The labels of coefficients: which link they act through, and what of."""
    return tuple(f"{link}[{column}]" for column in columns)
