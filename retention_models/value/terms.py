"""What value is counted in: which share of an amount is earned, how time is discounted, what the currency is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.arguments import require_discount_rate, require_margin
from retention_models.core.formatting import Part, Presentation, three_digits


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
    >>> from retention_models.value.terms import Terms
    >>> print(Terms.of(True, margin=0.3, annual_discount_rate=0.15, currency="USD"))
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
