"""What each customer did, in order of time: what was known before a moment, and what followed it.

Times are whole numbers: days of a log of purchases, or periods of contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation

SPAN = 1 << 24  # more than any number of days
WINDOWS = (13, 26, 52)  # weeks
OF_LATE = 13  # weeks of contacts
WEEK = 7


@dataclass(frozen=True, eq=False, repr=False)
class Series(Presentation):
    """Events of customers, sorted by customer and time.

    Attributes
    ----------
    customer, time
        Whole numbers, shape (n,). A customer has one event at a time at most.
    amount
        Money of each event, or 0, shape (n,).
    """

    customer: NDArray[np.int64]
    time: NDArray[np.int64]
    amount: Array

    @classmethod
    def of(cls, customer: NDArray[np.int64], time: NDArray[np.int64], amount: Array | None = None) -> Series:
        """Events in any order; those of one customer at one time are added up."""
        money = np.zeros(len(customer)) if amount is None else amount
        key, place = np.unique(customer * SPAN + time, return_inverse=True)
        return cls(key // SPAN, key % SPAN, np.bincount(place, money, len(key)).astype(float))

    @classmethod
    def latest(cls, customer: NDArray[np.int64], time: NDArray[np.int64], value: Array) -> Series:
        """Numbers with the time from which they hold; of several at one time, the last one counts."""
        key, place = np.unique((customer * SPAN + time)[::-1], return_index=True)
        return cls(key // SPAN, key % SPAN, value[::-1][place].astype(float))

    def _parts(self) -> Sequence[Part]:
        return [f"{len(self.time):,} events of {len(np.unique(self.customer)):,} customers."]

    @cached_property
    def key(self) -> NDArray[np.int64]:
        """The customer and time as one number, rising."""
        return self.customer * SPAN + self.time

    @cached_property
    def total(self) -> Array:
        """Money of all events before each place, shape (n + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.amount)])

    def first(self, customer: NDArray[np.int64]) -> NDArray[np.intp]:
        """Place of the first event of a customer, or where it would be."""
        return np.searchsorted(self.key, customer * SPAN)

    def before(self, customer: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.intp]:
        """Place behind the last event of a customer before a time."""
        return np.searchsorted(self.key, customer * SPAN + np.maximum(time, 0))

    def between(
        self, customer: NDArray[np.int64], after: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places of the events after a time, up to a last one: from the first place to before the second."""
        return self.before(customer, after + 1), self.before(customer, last + 1)


@dataclass(frozen=True, eq=False, repr=False)
class Known(Presentation):
    """What can be known of customers before a moment.

    Attributes
    ----------
    events
        Purchases, or periods under contract.
    contacts
        Contacts by kind.
    has_amount
        Whether events have money.
    in_weeks
        Whether times are days, so that windows of weeks have a meaning.
    constant
        Numbers that hold for a customer at any time, shape (customers,), by name.
    dated
        Numbers with the day from which they were known, by name: a series whose money is the number.
    begun
        The time at which each contract began, with the time from which it counts; None where the first event is the
        beginning.
    """

    events: Series
    contacts: Mapping[str, Series]
    has_amount: bool
    in_weeks: bool
    constant: Mapping[str, Array]
    dated: Mapping[str, Series]
    begun: Series | None = None

    def _parts(self) -> Sequence[Part]:
        return [f"Known of customers: {', '.join(self.names())}."]

    def names(self, longest: int = WINDOWS[-1]) -> list[str]:
        """Names of all that is known with windows of at most so many weeks."""
        counted = ["orders", *(["amount"] if self.has_amount else [])]
        windows = [f"{name}_{weeks}" for name in counted for weeks in WINDOWS if weeks <= longest]
        own = ["orders", "tenure", "recency", *windows] if self.in_weeks else ["tenure"]
        return [*own, *(f"contacts_{kind}" for kind in self.contacts), *self.constant, *self.dated]

    def table(
        self, customer: NDArray[np.int64], time: NDArray[np.int64], names: Sequence[str], *, longest: int | None = None
    ) -> pd.DataFrame:
        """What was known of customers before a time, one column a name.

        With ``longest`` nothing counts that is older than so many weeks.
        """
        events = self.events
        place = events.before(customer, time)
        begin = events.first(customer) if longest is None else events.before(customer, time - WEEK * longest)
        found: dict[str, Array] = {}
        unit = WEEK if self.in_weeks else 1
        some = place > begin
        oldest = 0 if longest is None else longest
        last = events.time[np.maximum(place - 1, 0)]
        first = events.time[np.minimum(begin, len(events.time) - 1)]
        found["orders"] = (place - begin).astype(float)
        found["tenure"] = np.where(some, (time - first) / unit, oldest)
        if self.begun is not None:
            found["tenure"] = time - _latest(self.begun, customer, time)
        found["recency"] = np.where(some, (time - last) / unit, oldest)
        for name in names:
            found |= {} if name in found else {name: self._number(name, customer, time, place)}
        return pd.DataFrame({name: found[name] for name in names}, index=range(len(customer)))

    def _number(
        self, name: str, customer: NDArray[np.int64], time: NDArray[np.int64], place: NDArray[np.intp]
    ) -> Array:
        """One number that was known of each customer before a time."""
        if name in self.constant:
            return self.constant[name][customer]
        if name in self.dated:
            return _latest(self.dated[name], customer, time)
        if name.startswith("contacts_"):
            contacts = self.contacts[name.removeprefix("contacts_")]
            late = OF_LATE * WEEK if self.in_weeks else OF_LATE // 4
            return (contacts.before(customer, time) - contacts.before(customer, time - late)).astype(float)
        counted, weeks = name.rsplit("_", 1)
        begin = self.events.before(customer, time - WEEK * int(weeks))
        if counted == "orders":
            return (place - begin).astype(float)
        return self.events.total[place] - self.events.total[begin]


def _latest(values: Series, customer: NDArray[np.int64], time: NDArray[np.int64]) -> Array:
    """The latest number that was known of each customer before a time; NaN where there was none."""
    latest = values.before(customer, time) - 1
    known = latest >= values.first(customer)
    return np.where(known, values.amount[np.maximum(latest, 0)], np.nan)
