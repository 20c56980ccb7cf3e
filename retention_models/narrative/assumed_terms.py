"""What numbers take for granted because nobody stated it."""

from __future__ import annotations

from collections.abc import Collection

from retention_models.value.terms import Terms


def assumptions(assumed: Collection[str], terms: Terms, *, offer_cost: float | None = None) -> str:
    """The assumed terms behind a value, in a sentence; empty if all are stated.

    Parameters
    ----------
    assumed
        Names of parameters that nobody stated: ``"margin"``, ``"annual_discount_rate"``, ``"offer_cost"``,
        ``"tenure_unit"``.
    terms
        The terms of the value. What it lacks plays no part, and is not named.
    offer_cost
        Cost of an offer for one customer, in money. By default None: there is no offer.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.Terms(margin=0.3, annual_discount_rate=0.15, currency="EUR")
    >>> rm.narrative.assumptions(["margin", "annual_discount_rate"], terms)
    'Assumed, not stated: a margin of 30 %, a discount rate of 15 % a year.'
    """
    parts = {}
    if terms.margin is not None:
        parts["margin"] = f"a margin of {100 * terms.margin:.3g} %"
    if terms.annual_discount_rate is not None:
        parts["annual_discount_rate"] = f"a discount rate of {100 * terms.annual_discount_rate:.3g} % a year"
    if offer_cost is not None:
        parts["offer_cost"] = f"an offer cost of {terms.written(offer_cost)} a customer"
    if "tenure_unit" in assumed:
        parts["tenure_unit"] = "tenures in months"
    named = [text for name, text in parts.items() if name in assumed]
    return f"Assumed, not stated: {', '.join(named)}." if named else ""
