"""What contracts are counted in, and what their value says, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from retention_models.core.arguments import require_discount_rate, require_margin
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.narrative.purchases import failed_checks
from retention_models.tables.days import Period, period_name
from retention_models.value.contract_terms import ContractTerms


@dataclass(frozen=True, slots=True, repr=False)
class ContractPrice(Presentation):
    """What is paid at each renewal, which share of it is earned, and what the currency is called.

    Without a price, value is counted in payments: how many are still to come, later ones counting less.

    Examples
    --------
    >>> from retention_models.narrative.contracts import ContractPrice
    >>> price = ContractPrice(price=10.0, margin=0.6, annual_discount_rate=0.1, period="M", currency="EUR")
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


def saving_sentence(
    total: pd.DataFrame,
    saved: pd.DataFrame,
    *,
    price: ContractPrice,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """What the base is worth, and what one customer who was about to leave may cost to keep.

    Parameters
    ----------
    total
        The row of ``total_contract_value`` for all customers.
    saved
        From ``saved_value``; its last row is told, and the least and the largest value of those before.
    price
        What value is counted in.
    checks
        What was checked; those that failed are named.
    level
        Level of the intervals in both.
    """
    base, one = total.iloc[0], saved.iloc[-1]
    value, lower, upper = (price.written(base[name]) for name in ("value", "value_lower", "value_upper"))
    worth, least, most = (price.written(one[name]) for name in ("value", "value_lower", "value_upper"))
    chance = one["leaving"] / one["customers"]
    spread = _by_tenure(saved, price)
    mean = f"on average {worth} ({least} to {most}){spread}" if spread else f"{worth} ({least} to {most})"
    return (
        f"The {base['customers']:,.0f} customers are worth {value} ({100 * level:g} % interval {lower} to {upper}; a "
        f"single retention rate for all would say {price.written(base['naive_value'])}); one who was about to leave at "
        f"the next renewal and is kept is worth {mean}, which is the most that keeping one may cost"
        f"{' at that tenure' if spread else ''}, and where the offer goes to all customers, of whom "
        f"{100 * chance:.3g} % are about to leave, at most {price.written(worth_of_contact(one))} each "
        f"even if it kept every one of these{failed_checks(checks)}."
    )


def _by_tenure(saved: pd.DataFrame, price: ContractPrice) -> str:
    """Between which values, at which tenures, that of a saved customer lies; nothing where one tenure is all."""
    value, made = saved["value"].to_numpy()[:-1], saved.index.to_numpy()[:-1]
    (least, at_least), (most, at_most) = ((price.written(value[i]), made[i]) for i in (value.argmin(), value.argmax()))
    return "" if least == most else f", from {least} {_when(at_least)} to {most} {_when(at_most)}"


def _when(renewals: int) -> str:
    return f"after renewal {renewals}" if renewals else "before the first renewal"


def worth_of_contact(saved: pd.Series) -> float:
    """What an offer may cost for each customer who gets it, if it goes to all and keeps all who were about to leave."""
    return float(saved["value"] * saved["leaving"] / saved["customers"])
