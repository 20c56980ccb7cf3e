"""What every buy-till-you-die model shares.

A customer who is known to be alive is a new customer again, of the same model with updated parameters. So each
model states its chance of being alive, that update, and four quantities of a new customer; what follows from them
for customers with a history is derived here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retention_models.core.arrays import Array
from retention_models.core.distinct import distinct_rows
from retention_models.core.formatting import Facts, Part, Presentation, field_values

Parameter = float | Array


class PositiveParameters(Presentation):
    """A frozen dataclass of positive parameters: plain numbers, or arrays that broadcast against the data.

    Fields in ``fixed`` are whole numbers from 1 up.
    """

    __slots__ = ()
    fixed: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            check = _whole_number if field.name in self.fixed else _positive
            object.__setattr__(
                self, field.name, check(f"{type(self).__name__}: {field.name}", getattr(self, field.name))
            )

    def _parts(self) -> Sequence[Part]:
        return [Facts(type(self).__name__, field_values(self), is_call=True)]


def _positive(name: str, value: ArrayLike) -> Parameter:
    array = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError(f"{name} must be positive and finite; got {value!r}")
    return array if array.ndim else float(array)


def _whole_number(name: str, value: ArrayLike) -> int:
    array = np.asarray(value, dtype=float)
    if array.ndim or not (array >= 1 and np.isfinite(array) and array == np.floor(array)):
        raise ValueError(f"{name} must be a whole number, 1 or more; got {value!r}")
    return int(array)


class FutureProcess(ABC):
    """What someone who is alive does from now on; a new customer, or one in the midst of a history."""

    __slots__ = ()

    @abstractmethod
    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``."""

    @abstractmethod
    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Chance that a new customer has not left by the end of a finite ``horizon``."""

    @abstractmethod
    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance that a new customer makes exactly ``count`` repeat purchases at ages in (start, end]."""

    @abstractmethod
    def _expected_pairs_new(self, horizon: Array) -> Array:
        """E[X (X - 1)] of a new customer's number of repeat purchases X within ``horizon``."""

    @abstractmethod
    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        """Expected repeat purchases of a new customer, each times e^(-rate t); rate above 0."""

    def discounted_expected_purchases_new(self, rate: ArrayLike, *, horizon: ArrayLike = np.inf) -> Array:
        """Expected repeat purchases of a new customer within ``horizon``, discounted at a continuous ``rate``."""
        rate, horizon = checked("rate", rate), checked("horizon", horizon)
        discounted = self._discounted_new(np.where(rate > 0, rate, 1.0), horizon)
        return np.where(rate > 0, discounted, self.expected_purchases_new(horizon))[()]


class BuyTillYouDie(PositiveParameters, FutureProcess):
    """A model of customers who buy for a while and leave without saying so.

    Times are in the unit in which the parameters are. Every method is elementwise and broadcasts: parameters of
    shape (n,) give each customer their own, of shape (draws, 1) each draw its row. ``horizon`` is the length of
    the window that begins now (at age T).
    """

    __slots__ = ()

    counts_opportunities: ClassVar[bool] = False  # whether time is a number of opportunities, as in BG/BB

    @abstractmethod
    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Chance that a customer with this history has not left."""

    @abstractmethod
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> FutureProcess:
        """What a customer with this history does from now on, if still alive."""

    @abstractmethod
    def simulate(self, T: ArrayLike, rng: np.random.Generator) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and whether they are still ``alive``."""

    def future_process(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Array, FutureProcess]:
        """The chance that a customer with this history has a future, and what it then is."""
        return self._alive_now(frequency, recency, T), self.conditional_on_alive(frequency, recency, T)

    def probability_staying(self, horizon: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Chance that a customer with this history will not have left by the end of a finite ``horizon``."""
        history = (frequency, recency, T)
        stays = self._of_the_living(history, lambda then, horizon: then.probability_staying_new(horizon), horizon)
        return self._alive_now(*history) * stays

    def _alive_now(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """The chance with which ``conditional_on_alive`` applies."""
        return self.probability_alive(frequency, recency, T)

    def expected_purchases(self, horizon: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Expected number of purchases within ``horizon``, given the history.

        ``horizon`` may be infinite: the answer is then all future purchases, which may be infinitely many.
        """
        history = (frequency, recency, T)
        expected = self._of_the_living(history, lambda then, horizon: then.expected_purchases_new(horizon), horizon)
        return _times(self._alive_now(*history), expected)

    def purchases_variance(self, horizon: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Variance of the number of purchases within a finite ``horizon``, given the history."""
        history = (frequency, recency, T)
        window, alive = checked("horizon", horizon, finite=True), self._alive_now(*history)
        mean = self._of_the_living(history, lambda then, window: then.expected_purchases_new(window), window)
        pairs = self._of_the_living(history, lambda then, window: then._expected_pairs_new(window), window)
        spread = np.maximum(pairs + mean - mean**2, 0)
        return alive * (spread + (1 - alive) * mean**2)

    def purchase_probability(
        self,
        count: ArrayLike,
        horizon: ArrayLike,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        *,
        start: ArrayLike = 0.0,
    ) -> Array:
        """Chance of exactly ``count`` purchases at ages in (T + start, T + horizon], given the history."""
        history = (frequency, recency, T)
        probability = self._of_the_living(
            history,
            lambda then, count, horizon, start: then.purchase_probability_new(count, horizon, start),
            count,
            horizon,
            start,
        )
        return if_alive(self._alive_now(*history), count, probability)

    def discounted_expected_purchases(
        self, rate: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike = np.inf
    ) -> Array:
        """Expected purchases within ``horizon``, each discounted to now at a continuous ``rate`` per unit of time.

        At rate 0 these are the expected purchases, without end infinitely many where their expectation is.
        """
        history = (frequency, recency, T)
        discounted = self._of_the_living(
            history,
            lambda then, rate, horizon: then.discounted_expected_purchases_new(rate, horizon=horizon),
            rate,
            horizon,
        )
        return _times(self._alive_now(*history), discounted)

    def _of_the_living(
        self, history: tuple[ArrayLike, ...], quantity: Callable[..., Array], *window: ArrayLike
    ) -> Array:
        """A quantity of the model of what each customer does if alive, once for all whose future is the same.

        For windows that are the same for all: numbers, or of shape (..., 1).
        """
        then = self.conditional_on_alive(*history)
        varying = {f.name: v for f in fields(then) if np.ndim(v := getattr(then, f.name))}  # type: ignore[arg-type]
        shapes = {np.shape(value) for value in varying.values()}
        if (
            len(shapes) != 1
            or len(next(iter(shapes))) != 1
            or any(np.shape(each)[-1:] not in ((), (1,)) for each in window)
        ):
            return quantity(then, *window)
        distinct, row = distinct_rows(tuple(varying.values()))
        shared = replace(then, **dict(zip(varying, distinct, strict=True)))  # type: ignore[type-var]
        return quantity(shared, *window)[..., row]

    def simulate_transactions(
        self, T: ArrayLike, rng: np.random.Generator, *, start: Any, time_unit: str | pd.Timedelta
    ) -> pd.DataFrame:
        """A simulated log of dated purchases, the first of each customer among them, in the order of customers.

        Parameters
        ----------
        T
            Age of each customer when the observation ends, in ``time_unit``.
        rng
            The source of randomness; the customers are those of ``simulate(T, rng)``.
        start
            When the oldest customer is first seen. All are observed until ``start`` plus the largest T.
        time_unit
            ``"D"``, ``"W"``, ``"h"``, or any fixed length such as ``"30D"`` or a ``pandas.Timedelta``.
        """
        customers = self.simulate(T, rng)
        return dated(customers, self._ages(customers, rng), start, time_unit)

    def _ages(self, customers: pd.DataFrame, rng: np.random.Generator) -> Array:
        """The age at each purchase, the first among them, in order.

        While alive customers buy at a constant rate, so the purchases between the first and the last one are
        spread evenly.
        """
        purchases = customers["frequency"].to_numpy() + 1
        customer = np.repeat(np.arange(len(customers)), purchases)
        last = np.cumsum(purchases) - 1
        share = rng.random(len(customer))
        share[last] = 1.0
        share[last - purchases + 1] = 0.0
        return share[np.lexsort((share, customer))] * customers["recency"].to_numpy()[customer]


def dated(customers: pd.DataFrame, age: Array, start: Any, time_unit: str | pd.Timedelta) -> pd.DataFrame:
    """A log of purchases at given ages, in the order of customers, all of them observed to the same moment."""
    customer = np.repeat(np.arange(len(customers)), customers["frequency"].to_numpy() + 1)
    first_seen = (customers["T"].max() - customers["T"]).to_numpy()
    unit = pd.Timedelta(f"1{time_unit}" if str(time_unit).isalpha() else time_unit)
    seconds = (first_seen[customer] + age) * unit.total_seconds()
    return pd.DataFrame({"customer_id": customer, "date": pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")})


def checked(name: str, value: ArrayLike, *, finite: bool = False) -> Array:
    """``value`` as an array of numbers from 0 up; an error that names it otherwise."""
    array = np.asarray(value, dtype=float)
    if not np.all(array >= 0) or (finite and not np.all(np.isfinite(array))):
        raise ValueError(f"{name} must be {'a finite number' if finite else 'a number'}, 0 or more; got {value!r}")
    return array


def checked_count(count: ArrayLike) -> Array:
    """``count`` as an array of whole numbers from 0 up; an error otherwise."""
    array = np.asarray(count, dtype=float)
    if not np.all((array >= 0) & (array == np.floor(array)) & np.isfinite(array)):
        raise ValueError(f"count must be a whole number, 0 or more; got {count!r}")
    return array


def last_axis(*derivatives: Array) -> Array:
    """Arrays of derivatives, broadcast and side by side along a new last axis."""
    return np.stack(np.broadcast_arrays(*derivatives), axis=-1)


def if_alive(alive: Array, count: ArrayLike, probability: Array) -> Array:
    """Chance of ``count`` purchases of someone alive with chance ``alive``, who otherwise makes none."""
    return alive * probability + np.where(np.asarray(count) == 0, 1 - alive, 0.0)


def _times(alive: Array, expected: Array) -> Array:
    """The product, 0 where the chance of being alive is 0 and what is expected of the living infinite."""
    return np.multiply(
        alive, expected, out=np.zeros(np.broadcast_shapes(alive.shape, expected.shape)), where=alive > 0
    )[()]
