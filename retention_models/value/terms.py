"""What value is counted in: which share of an amount is earned, how time is discounted, what the currency is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from retention_models.core.arguments import is_number, require_discount_rate, require_margin
from retention_models.core.arrays import Array
from retention_models.core.formatting import Facts, Part, Presentation, field_values, three_digits
from retention_models.estimation.intervals import normal_quantile, positive_interval
from retention_models.tables.days import MONTHS, Period, check_period, period_name


@dataclass(frozen=True, slots=True, repr=False)
class Terms(Presentation):
    """The terms on which purchases become value, to be said wherever value is told.

    Attributes
    ----------
    margin
        Share of the amount that is earned.
    annual_discount_rate
        For example 0.1 for 10 % a year.
    unit
        What value is counted in, as it stands before a number; empty where the currency has no name.
    counts_purchases
        Whether the log has no money, so that value is a number of purchases.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.Terms.of(True, margin=0.3, annual_discount_rate=0.15, currency="USD"))
    Of each amount 30 % is counted as earned (margin), and what is earned a year ahead counts 13 % less than today
    (annual_discount_rate 15 %). Amounts are in USD.
    """

    margin: float
    annual_discount_rate: float
    unit: str = ""
    counts_purchases: bool = False

    def __post_init__(self) -> None:
        require_margin(self.margin)
        require_discount_rate(self.annual_discount_rate)

    @classmethod
    def of(cls, has_amount: bool, *, margin: float, annual_discount_rate: float, currency: str | None) -> Terms:
        """The terms for a log with money; without, each purchase counts one, whatever the margin."""
        if has_amount:
            return cls(margin, annual_discount_rate, currency or "")
        return cls(1.0, annual_discount_rate, counts_purchases=True)

    @property
    def keywords(self) -> dict[str, float]:
        """``margin`` and ``annual_discount_rate``, as ``customer_value`` takes them."""
        return {"margin": self.margin, "annual_discount_rate": self.annual_discount_rate}

    def written(self, value: float) -> str:
        """A value with its unit, to three significant digits."""
        number = three_digits(value)
        return f"{number} purchases" if self.counts_purchases else f"{self.unit} {number}".strip()

    def _parts(self) -> Sequence[Part]:
        later = 1 - 1 / (1 + self.annual_discount_rate)
        waiting = (
            f"what is earned a year ahead counts {100 * later:.0f} % less than today (annual_discount_rate "
            f"{100 * self.annual_discount_rate:g} %)"
        )
        if self.counts_purchases:
            return [f"The log has no money: value is counted in purchases, and {waiting}."]
        counted = f"Of each amount {100 * self.margin:g} % is counted as earned (margin), and {waiting}."
        return [f"{counted} Amounts are in {self.unit}." if self.unit else counted]


@dataclass(frozen=True, slots=True, repr=False)
class ContractPrice(Presentation):
    """What is paid at each renewal, which share of it is earned, and what the currency is called.

    Without a price, value is counted in payments: how many are still to come, later ones counting less.

    Examples
    --------
    >>> import retention_models as rm
    >>> price = rm.value.ContractPrice(price=10.0, margin=0.6, annual_discount_rate=0.1, period="M", currency="EUR")
    >>> print(price)
    Each payment is EUR 10.0, of which 60 % is earned (margin), once a month, in advance. What is earned a year ahead
    counts 9 % less than today (annual_discount_rate 10 %).
    >>> price.written(price.terms.margin)
    'EUR 6.00'
    """

    price: float | None
    margin: float
    annual_discount_rate: float
    period: Period
    currency: str | None = None

    def __post_init__(self) -> None:
        require_margin(self.margin)
        require_discount_rate(self.annual_discount_rate)

    @property
    def terms(self) -> ContractTerms:
        """The same as ``contract_value`` takes it."""
        earned = 1.0 if self.price is None else self.price * self.margin
        return ContractTerms(margin=earned, annual_discount_rate=self.annual_discount_rate, period=self.period)

    def written(self, value: float) -> str:
        """A value with its unit, to three significant digits."""
        if self.price is None:
            return f"{three_digits(value)} payments"
        return f"{self.currency or ''} {three_digits(value)}".strip()

    def _parts(self) -> Sequence[Part]:
        later = 1 - 1 / (1 + self.annual_discount_rate)
        waiting = (
            f"What is earned a year ahead counts {100 * later:.0f} % less than today (annual_discount_rate "
            f"{100 * self.annual_discount_rate:g} %)."
        )
        if self.price is None:
            return [f"No price was said: value is counted in payments, one a {period_name(self.period)}. {waiting}"]
        return [
            f"Each payment is {self.written(self.price)}, of which {100 * self.margin:g} % is earned (margin), once a "
            f"{period_name(self.period)}, in advance. {waiting}"
        ]


Ends = tuple[Array, Array]


Payment = Literal["advance", "arrears"]


LONGEST = 1e6  # times that a payment may be worth what all to come are, where customers stay for good


NEGLIGIBLE = 1e-13  # share of a value without end that the payments left away may hold


DAYS_A_YEAR = 365.25


@dataclass(frozen=True, eq=False, repr=False)
class ContractTerms(Presentation):
    """What a contract earns, and what money is worth later.

    Attributes
    ----------
    margin
        Earned at each payment, in money: one amount, or a schedule whose first entry is the payment at the start, the
        next that at the first renewal, and so on; its last holds from there on.
    annual_discount_rate
        For example 0.1 for 10 % a year.
    period
        How long a contract runs: ``"M"``, ``"Y"`` or a number of days. There is no default: a rate a year means
        nothing without it.
    payment
        ``"advance"``, at the beginning of each period, or ``"arrears"``, at its end.
    horizon
        How many renewals ahead are counted; by default all.
    """

    annual_discount_rate: float
    period: Period
    margin: ArrayLike = 1.0
    payment: Payment = "advance"
    horizon: float = np.inf

    def __post_init__(self) -> None:
        rate = self.annual_discount_rate
        require_discount_rate(rate)
        check_period(self.period)
        _check_margin(self.margin)
        if self.payment not in get_args(Payment):
            raise ValueError(f"payment must be 'advance' or 'arrears', not {self.payment!r}")
        if self.horizon != np.inf and not (is_number(self.horizon) and self.horizon >= 1):
            raise ValueError(f"horizon must be a number of renewals, 1 or more, or numpy.inf; got {self.horizon!r}")
        if self.horizon == np.inf and 1 - self.discount < 1 / LONGEST:
            raise ValueError(
                f"with annual_discount_rate {rate:g} a value needs a horizon: customers who stay for good have no end"
            )

    def _parts(self) -> Sequence[Part]:
        endless = {"horizon"} if np.isinf(self.horizon) else set()
        stated = {name: value for name, value in field_values(self).items() if name not in endless}
        return [Facts(type(self).__name__, stated)]

    @property
    def discount(self) -> float:
        """What an amount one period ahead is worth now."""
        years = self.period / DAYS_A_YEAR if isinstance(self.period, int) else MONTHS[self.period] / 12
        return float((1 + self.annual_discount_rate) ** -years)

    @property
    def renewals(self) -> int:
        """How many renewals ahead matter."""
        if np.isfinite(self.horizon):
            return int(self.horizon)
        return int(np.ceil(np.log(NEGLIGIBLE * (1 - self.discount)) / np.log(self.discount)))

    def interval(self, value: Array, std_error: Array, level: float) -> Ends:
        """Ends of the interval of a value: on the log scale, or symmetric where some payments lose money."""
        if self._only_gain:
            return positive_interval(value, std_error, level)
        reach = normal_quantile(level) * std_error
        return value - reach, value + reach

    def with_chance(self, value: Array, ends: Ends, variance: Array, level: float) -> Ends:
        """Ends of the interval of an outcome: those of its expectation, and the variance that chance adds."""
        chance = normal_quantile(level) * np.sqrt(variance)
        if not self._only_gain:
            lower, upper = (np.hypot(value - end, chance) for end in ends)
            return value - lower, value + upper
        some = np.where(value > 0, value, 1.0)
        lower, upper = (np.hypot(np.log(np.where(value > 0, end, 1.0) / some), chance / some) for end in ends)
        return value * np.exp(-lower), value * np.exp(np.minimum(upper, 700.0))

    @property
    def _only_gain(self) -> bool:
        return bool(np.all(np.asarray(self.margin, dtype=float) >= 0))

    def paid(self, last: int) -> Array:
        """The margin at the start and at each renewal up to ``last``, discounted to the start; shape (last + 1,)."""
        payment = np.arange(last + 1)
        schedule = np.atleast_1d(np.asarray(self.margin, dtype=float))
        late = 1 if self.payment == "arrears" else 0
        return schedule[np.minimum(payment, len(schedule) - 1)] * self.discount ** (payment + late)


def _check_margin(margin: ArrayLike) -> None:
    """An error unless the margin is an amount, or a schedule of amounts."""
    try:
        amounts = np.atleast_1d(np.asarray(margin, dtype=float))
    except (TypeError, ValueError):
        amounts = np.empty(0)
    if amounts.ndim != 1 or amounts.size == 0 or not np.all(np.isfinite(amounts)):
        raise ValueError(f"margin must be an amount of money a payment, or a list of such amounts; got {margin!r}")
