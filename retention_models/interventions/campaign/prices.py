"""Prices of the outcomes and costs of the arms of a campaign, with sentences on what is not stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retention_models.core.arguments import is_number
from retention_models.core.dates import unit_name
from retention_models.core.formatting import Presentation, three_digits
from retention_models.interventions.arms.costs import Costs, Pricing
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.campaign.columns import Roles
from retention_models.value.terms import Terms, require_terms


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Prices(Presentation):
    """Prices and costs of a campaign, as far as they are stated.

    Attributes
    ----------
    margin
        Share of the amount that is earned, above 0 and at most 1.
    price
        Money for one more of the first outcome, or one fewer where a lower value is better; an alternative to
        ``margin``.
    cost
        Cost of one contact: one number for every arm but the control, or arm to number.
    redemption_cost
        Cost of one redemption.
    currency
        Name of the currency; None if it has no name.

    Raises
    ------
    ValueError
        When the margin is not a share, price is not above 0, or a cost is below 0.
    """

    margin: float | None = None
    price: float | None = None
    cost: float | Mapping[str, float] | None = None
    redemption_cost: float | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        margin, price = self.margin, self.price
        if margin is not None and not (is_number(margin) and 0 < margin <= 1):
            meant = f"; did you mean {margin / 100:g}?" if is_number(margin) and 1 < margin <= 100 else ""
            raise ValueError(f"margin is a share of the amount, above 0 and at most 1; got {margin!r}{meant}")
        if price is not None and not (is_number(price) and price > 0):
            raise ValueError(
                f"price is the margin of one more of the first outcome, above 0; got {price!r}. If lower is better, "
                "name the outcome in lower_is_better, and state the margin of one fewer"
            )
        each = self.cost if isinstance(self.cost, Mapping) else {"cost": self.cost}
        for name, cost in {**each, "redemption_cost": self.redemption_cost}.items():
            if cost is not None and not (is_number(cost) and cost >= 0):
                raise ValueError(f"{name} must be a cost of 0 or more; got {cost!r}")

    @property
    def unit(self) -> str:
        """The name of money in units."""
        return self.currency or "money"

    def check(self, roles: Roles) -> None:
        """Raise a ValueError where a price belongs to something that was not measured."""
        nothing_redeemed = self._has_redemption_cost and not roles.redeemed
        for problem, found in (
            ("margin is a share of an amount: say which column that is (amount)", self.margin and not roles.amount),
            ("redemption_cost needs the column that counts redemptions (redeemed)", nothing_redeemed),
            ("price and margin both value an outcome: say one of them", self.price and self.margin),
            (
                "less of an amount cannot be better and earn a margin",
                self.margin and roles.amount in roles.lower_outcomes,
            ),
        ):
            if found:
                raise ValueError(problem)

    def costs(self, arms: Sequence[str], roles: Roles) -> dict[str, Costs]:
        """The costs of each arm; the control, which is the first arm, is not contacted."""
        if isinstance(self.cost, Mapping):
            contact = {str(arm): float(cost) for arm, cost in self.cost.items()}
        else:
            contact = dict.fromkeys(arms[1:], float(self.cost or 0.0))
        counted = roles.redeemed if self._has_redemption_cost else None
        gift = float(self.redemption_cost or 0)
        found = {arm: Costs(contact=cost, redemption=gift, redemptions=counted) for arm, cost in contact.items()}
        Pricing(worth=0.0, costs=found).check_arms(arms)
        return found if self._has_cost else {}

    @classmethod
    def from_terms(
        cls, terms: Terms, cost: float | Mapping[str, float] | None, redemption_cost: float | None
    ) -> Prices:
        """The prices for the terms and costs of a campaign."""
        require_terms(terms)
        if isinstance(terms.price, tuple | str):
            raise ValueError("price must be one amount here, and not one for each payment or a column")
        price = None if terms.price is None else float(np.asarray(terms.price))
        stated: dict[str, Any] = {"margin": terms.margin, "price": price, "currency": terms.currency or None}
        return cls(**stated, cost=cost, redemption_cost=redemption_cost)

    def priced_outcome(self, roles: Roles, outcomes: Sequence[Outcome]) -> tuple[Outcome | None, Terms]:
        """The outcome with a price, and its terms; the price is negative where a lower value is better."""
        if self.margin:
            amount = next(outcome for outcome in outcomes if outcome.column == roles.amount)
            return amount, Terms(margin=self.margin, currency=self.currency or "")
        if not self.price:
            return None, Terms()
        price = -self.price if outcomes[0].column in roles.lower_outcomes else self.price
        return outcomes[-1 if roles.has_contracts else 0], Terms(price=price, currency=self.currency or "")

    def reasons(self, roles: Roles, outcomes: Sequence[Outcome]) -> dict[str, str]:
        """Sentences on how value is computed and on what is not stated."""
        outcome, terms = self.priced_outcome(roles, outcomes)
        earnings = terms.unit_value
        time_unit = outcomes[0].time_unit
        if outcome is None:
            earned = "Nothing was said of what an outcome earns (margin of an amount, or price): there is no value."
        elif self.margin:
            earned = f"Of each “{outcome.column}” {100 * earnings:.3g} % is counted as earned (margin)."
        elif roles.has_contracts and time_unit is not None:
            per = f"{unit_name(time_unit)} as a customer"
            earned = f"Each {per} is counted as {self._amount_text(earnings)} earned (price)."
        else:
            one = "more" if earnings > 0 else "fewer"
            earned = f"One {one} of “{outcome.column}” is counted as {self._amount_text(abs(earnings))} earned (price)."
        return {"value": earned, "cost": self._cost_sentence}

    @property
    def _cost_sentence(self) -> str:
        if not self._has_cost:
            return "No cost was stated (cost): what the arms cost is counted as nothing."
        contact = ""
        if isinstance(self.cost, Mapping):
            each = ", ".join(f"{arm} {self._amount_text(float(cost))}" for arm, cost in self.cost.items())
            contact = f"A contact costs: {each}"
        elif self.cost:
            contact = f"A contact costs {self._amount_text(self.cost)}"
        if not self.redemption_cost:
            return f"{contact}."
        redemption = f"redemption costs {self._amount_text(self.redemption_cost)}"
        return f"{contact}; a {redemption}." if contact else f"A {redemption}."

    def _amount_text(self, amount: float) -> str:
        return f"{self.currency or ''} {three_digits(amount)}".strip()

    @property
    def _has_redemption_cost(self) -> bool:
        return bool(self.redemption_cost)

    @property
    def _has_cost(self) -> bool:
        return bool(self.cost) or self._has_redemption_cost
