"""What a contract earns, and what money is worth later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_models.core.arguments import is_number, require_discount_rate
from retention_models.core.formatting import Facts, Part, Presentation, field_values
from retention_models.estimation.intervals import normal_quantile, positive_interval
from retention_models.tables.days import MONTHS, Period, check_period

Array = NDArray[np.float64]
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
