"""The terms on which purchases and payments become value, for every function that computes money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from retention_models.core.arguments import check_choice, require_discount_rate, require_horizon, require_margin
from retention_models.core.dates import check_time_unit, span_name
from retention_models.core.formatting import Facts, Part, Presentation, amount_text, field_values, three_digits
from retention_models.tables.days import Period, check_period, period_name

Payment = Literal["advance", "arrears"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Terms(Presentation):
    """The terms on which purchases and payments become value.

    State what you know. A function that needs more raises an error which names it.

    Attributes
    ----------
    horizon
        How far ahead value counts: in ``time_unit`` for purchases, in billing periods (renewals) for contracts.
        ``numpy.inf`` counts the whole remaining life. Contracts without a horizon count it as well.
    time_unit
        The unit of the horizon for purchases, which is the unit of the customer table: "D", "W", "h" or a fixed length
        such as "30D". For ``BGBB`` it is the period of an opportunity: "Y", "Q", "M" or "W". There is no default,
        because a discount rate a year needs it.
    annual_discount_rate
        Discount rate a year of 365.25 days: 0.1 for 10 %.
    margin
        Share of an amount that is earned, above 0 and at most 1. Value in money needs it if amounts come from the log.
        A margin of 1.0 gives revenue instead of value.
    price
        Money for one unit: one payment of a contract, one purchase without an amount, or one unit of the outcome of a
        test. A sequence is the price of each payment of a contract, from the payment at the start; its last price holds
        for all later payments. A list may hold losses, below 0, such as the cost of a free start. One price below 0 is
        that of an outcome whose lower values are better, such as complaints. Text is the column of the customers with
        contracts that holds the price of each, such as ``"price"`` of ``active_customers``. Without a price, payments
        and purchases are counted.
    currency
        The name of the currency, written before an amount: "EUR". Empty by default.
    billing_period
        Time between two payments of a contract: "M", "Y" or a number of days.
    payment
        ``"advance"``, the default, or ``"arrears"``: at the beginning or at the end of each billing period.

    Raises
    ------
    ValueError
        When the margin or the discount rate is not a share, or the price is not an amount.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.Terms(horizon=52, time_unit="W", margin=0.3, annual_discount_rate=0.15, currency="USD"))
    Of each amount 30 % is counted as earned (margin), and what is earned a year ahead counts 13 % less than today
    (annual_discount_rate 15 %). Amounts are in USD. Value counts the next 52 weeks.
    >>> monthly = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", currency="EUR")
    >>> print(monthly)
    Each payment is EUR 10.00, with a margin of 60 %, once a month, in advance. What is earned a year ahead counts 9 %
    less than today (annual_discount_rate 10 %).
    >>> monthly.written(monthly.unit_value)
    'EUR 6.00'
    """

    horizon: float | None = None
    time_unit: str | None = None
    annual_discount_rate: float | None = None
    margin: float | None = None
    price: float | Sequence[float] | str | None = None
    currency: str = ""
    billing_period: Period | None = None
    payment: Payment = "advance"

    def __post_init__(self) -> None:
        if self.horizon is not None:
            require_horizon(self.horizon, or_endless=True)
        if self.annual_discount_rate is not None:
            require_discount_rate(self.annual_discount_rate)
        if self.margin is not None:
            require_margin(self.margin)
        if self.billing_period is not None:
            check_period(self.billing_period, "billing_period")
        if self.price is not None:
            object.__setattr__(self, "price", _check_price(self.price))
        if isinstance(self.price, float) and self.price < 0 and (self.billing_period or self.horizon) is not None:
            raise ValueError(
                f"price must be 0 or more for purchases and payments; got {self.price:g} (payments that begin with a "
                "loss are a list; a price below 0 is for an outcome whose lower values are better)"
            )
        if self.time_unit is not None:
            check_time_unit(self.time_unit)
        object.__setattr__(self, "currency", self.currency or "")
        if not isinstance(self.currency, str):
            raise ValueError(f"currency must be a name such as 'EUR'; got {self.currency!r}")
        check_choice("payment", self.payment, get_args(Payment))

    @property
    def unit_value(self) -> float:
        """Amount earned for one unit: price times margin, each 1 where it is not stated."""
        if isinstance(self.price, tuple | str):
            raise ValueError("price must be one amount here, and not one for each payment or a column")
        return (1.0 if self.price is None else float(np.asarray(self.price))) * (self.margin or 1.0)

    @property
    def is_money(self) -> bool:
        """Whether value is money; otherwise purchases or payments are counted."""
        return self.price is not None or (self.margin is not None and self.billing_period is None)

    def written(self, value: float) -> str:
        """A value with its unit, to three significant digits.

        Parameters
        ----------
        value
            The value, in money or in purchases or payments.

        Returns
        -------
        str
            Such as "EUR 6.00" or "12.3 purchases".
        """
        number = amount_text(value) if self.is_money else three_digits(value)
        if self.is_money:
            return f"{self.currency} {number}".strip()
        return f"{number} {'purchases' if self.billing_period is None else 'payments'}"

    def require(self, *names: str) -> None:
        """Raise a ValueError if one of the named terms is not stated.

        Parameters
        ----------
        *names
            Names of attributes that a function needs.

        Raises
        ------
        ValueError
            Names what is missing and gives an example.
        """
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise ValueError("; ".join(f"the terms lack {name}: {NEEDED[name]}" for name in missing))

    def _parts(self) -> Sequence[Part]:
        rate = self.annual_discount_rate
        if rate is None or isinstance(self.price, tuple) or (self.price is not None and self.billing_period is None):
            return [Facts(type(self).__name__, field_values(self))]
        later = f"{100 * (1 - 1 / (1 + rate)):.0f} % less than today (annual_discount_rate {100 * rate:g} %)"
        if self.billing_period is not None:
            payments = self._payment_sentence(period_name(self.billing_period))
            return [f"{payments} What is earned a year ahead counts {later}.{self._horizon_sentence()}"]
        waiting = f"what is earned a year ahead counts {later}"
        if self.margin is None:
            return [f"The log has no money: value is counted in purchases, and {waiting}.{self._horizon_sentence()}"]
        counted = f"Of each amount {100 * self.margin:g} % is counted as earned (margin), and {waiting}."
        currency = f" Amounts are in {self.currency}." if self.currency else ""
        return [f"{counted}{currency}{self._horizon_sentence()}"]

    def _horizon_sentence(self) -> str:
        if self.horizon is None:
            return ""
        if np.isinf(self.horizon):
            return " Value counts the whole remaining life."
        if self.billing_period is not None:
            return f" Value counts the next {self.horizon:g} renewals."
        length = span_name(self.horizon, self.time_unit) if self.time_unit else f"{self.horizon:g} time units"
        return f" Value counts the next {length}."

    def _payment_sentence(self, period: str) -> str:
        if self.price is None:
            return f"No price was said: value is counted in payments, one a {period}."
        own = f"the customer's own price{f' (in {self.currency})' if self.currency else ''}"
        amount = own if isinstance(self.price, str) else self.written(float(np.asarray(self.price)))
        paid = {"advance": "in advance", "arrears": "in arrears"}[self.payment]
        share = f", with a margin of {100 * self.margin:g} %" if self.margin is not None else ""
        return f"Each payment is {amount}{share}, once a {period}, {paid}."


NEEDED = {
    "horizon": "how far ahead value is counted, such as horizon=52 (numpy.inf for the whole remaining life)",
    "time_unit": "the unit of the horizon, such as time_unit='W'",
    "annual_discount_rate": "for example 0.1 for 10 % a year (0 for no discount)",
    "margin": "the share of an amount that is earned, such as margin=0.3; 1.0 would be revenue, not value",
    "billing_period": "how long a contract runs between two payments, 'M', 'Y' or a number of days",
}


def require_terms(terms: object, *names: str) -> None:
    """Raise a TypeError unless the argument is ``Terms``, a ValueError if it lacks one of the named terms."""
    if not isinstance(terms, Terms):
        raise TypeError(
            "terms must be Terms, such as Terms(horizon=52, time_unit='W', annual_discount_rate=0.1, margin=0.3), not "
            f"{type(terms).__name__}"
        )
    terms.require(*names)


def _check_price(price: ArrayLike) -> float | str | tuple[float, ...]:
    """The price as a number, that of each payment as a tuple, or the name of a column."""
    if isinstance(price, str) and price.strip() and not _is_amount(price):
        return price
    amounts = np.asarray(price)
    if amounts.ndim > 1 or amounts.size == 0 or amounts.dtype.kind not in "fiu" or not np.all(np.isfinite(amounts)):
        quoted = ", which is text: write an amount without quotes" if isinstance(price, str) else ""
        raise ValueError(f"price must be an amount of money, or a list of such amounts; got {price!r}{quoted}")
    return float(amounts) if amounts.ndim == 0 else tuple(amounts.astype(float).tolist())


def _is_amount(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
