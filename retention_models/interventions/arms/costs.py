"""What an intervention costs, and what it is worth for each treated customer.

Gross margin gained, less what every contact costs, less what every redemption gives away, to those who would have
bought anyway too. Costs are counted in both arms: what the comparison costs as well is no extra cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from retention_models.core.arguments import is_number
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.interventions.arms.contrasts import MeasureOf
from retention_models.interventions.effects.effect import Effect
from retention_models.value.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Costs(Presentation):
    """What one customer assigned to an arm costs, in money.

    Attributes
    ----------
    contact
        For each contact: paper, postage, the sender's fee.
    contacts
        The measured column that counts a customer's contacts; by default everyone is contacted once.
    redemption
        For each redemption: the discount or gift given away.
    redemptions
        The measured column that counts a customer's redemptions; needed where a redemption costs something.
    """

    contact: float = 0.0
    contacts: str | None = None
    redemption: float = 0.0
    redemptions: str | None = None

    def __post_init__(self) -> None:
        for name in ("contact", "redemption"):
            cost = getattr(self, name)
            if not (is_number(cost) and cost >= 0):
                raise ValueError(f"{name} must be a cost of 0 or more; got {cost!r}")
        if self.redemption > 0 and self.redemptions is None:
            raise ValueError("redemption costs something: name the column that counts them in redemptions=")

    def prices(self, columns: Sequence[str]) -> tuple[float, Array]:
        """Cost as ``fixed + price @ mean``: the fixed part of each customer and a price for each column, shape (k,)."""
        price = np.zeros(len(columns))
        for column, cost in ((self.contacts, self.contact), (self.redemptions, self.redemption)):
            if column is not None and cost > 0:
                price[position(columns, column)] += cost
        return (self.contact if self.contacts is None else 0.0), price


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The price of an outcome, and the costs of each arm: what ``pricing`` makes of terms and costs.

    Attributes
    ----------
    worth
        Pricing for one unit of the outcome: the margin of one purchase, 1.0 where the outcome is margin already.
    costs
        Arm to its ``Costs``; an arm not named costs nothing.
    currency
        What the money is, for sentences: ``EUR``.
    """

    worth: float
    costs: Mapping[str, Costs] = field(default_factory=dict)
    currency: str = ""

    def __post_init__(self) -> None:
        if not is_number(self.worth):
            raise ValueError(f"worth is money for one unit of the outcome, a finite number; got {self.worth!r}")

    def check_arms(self, arms: Sequence[str]) -> None:
        """Raise where costs are stated for an arm that is not there."""
        unknown = [arm for arm in self.costs if arm not in arms]
        if unknown:
            raise ValueError(f"costs are stated for {', '.join(unknown)}; the arms are {', '.join(arms)}")

    def cost(self, arm: str, columns: Sequence[str]) -> MeasureOf:
        """The cost of one customer of an arm, as a measure of the arm's means."""
        fixed, price = self.costs.get(arm, Costs()).prices(columns)
        return lambda mean: (fixed + float(price @ mean), price)

    def net(self, arm: str, columns: Sequence[str], outcome: MeasureOf) -> MeasureOf:
        """What one customer of an arm brings net of cost, as a measure of the arm's means."""
        cost = self.cost(arm, columns)

        def brings(mean: Array) -> tuple[float, Array]:
            (value, gradient), (spent, price) = outcome(mean), cost(mean)
            return self.worth * value - spent, self.worth * gradient - price

        return brings


def pricing(terms: Terms | None, costs: Mapping[str, Costs] | None) -> Pricing | None:
    """What terms and costs make of an effect; None where there are no terms.

    Raises
    ------
    ValueError
        When costs are stated without terms, or terms without a price or a margin.
    """
    if terms is None and not costs:
        return None
    if terms is None or (terms.price is None and terms.margin is None):
        raise ValueError(
            "value needs what one unit of the outcome earns: pass terms such as Terms(price=12), or Terms(margin=0.3) "
            "where the outcome is an amount"
        )
    return Pricing(worth=terms.unit_value, costs=costs or {}, currency=terms.currency)


def priced(row: Effect, money: Pricing, arm: str, control: str | None = None) -> Effect:
    """A row with cost and net value where costs hang on no measured column: worth x effect, less the cost."""
    arms = [(1.0, arm)] if control is None else [(1.0, arm), (-1.0, control)]
    cost = sum(sign * money.cost(name, ())(np.empty(0))[0] for sign, name in arms)
    lower, value, upper = sorted(money.worth * end - cost for end in (row.lower, row.estimate, row.upper))
    return replace(row, cost=cost, value=value, value_lower=lower, value_upper=upper)


def position(columns: Sequence[str], name: str) -> int:
    """Where a measured column stands; an error names those there are."""
    if name not in columns:
        raise ValueError(f"{name} was not measured in this experiment (measured: {', '.join(columns)})")
    return list(columns).index(name)
