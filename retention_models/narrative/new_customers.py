"""Sentences on customers to be acquired: what they are worth, and what winning or keeping one may cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from retention_models.forecast.planning_range import PastErrors
from retention_models.narrative.formats import range_of_amounts
from retention_models.narrative.planning import past_error_text, range_text
from retention_models.narrative.purchases import Sentence, horizon_text, rounded_amount
from retention_models.value.terms import Terms


def new_customer_sentence(
    new: pd.DataFrame,
    past_errors: PastErrors,
    *,
    terms: Terms,
    acquisition_cost: float | None = None,
    retention_cost: float | None = None,
) -> Sentence:
    """What a new customer is worth, what acquisition may cost, and whether keeping a customer is cheaper.

    Parameters
    ----------
    new
        The frame of ``new_customer_value`` with ``past_errors``. The text gives its first row.
    past_errors
        The errors of earlier forecasts of new customers, from ``new_customer_errors``.
    terms
        The terms of the value.
    acquisition_cost
        Cost of winning a customer, in money. By default None: not known.
    retention_cost
        Cost of keeping a customer who would have left, in money, such as that of ``cost_per_retained``. By default
        None: not known.

    Returns
    -------
    Sentence
        Some sentences.

    Raises
    ------
    ValueError
        When the terms lack a horizon or a time unit.
    """
    row, span = new.iloc[0], horizon_text(terms)
    of_first = f", {terms.written(row['first_order'])} of it from the first order" if "first_order" in new else ""
    least = float(row["planning_lower_80"])
    ends = range_text(row, lambda low, high: range_of_amounts(terms, rounded_amount(low), rounded_amount(high)))
    facts = [
        f"A new customer is worth {terms.written(row['value'])} within {span} after the first order{of_first}.",
        f"Plan with a mean of {ends} per customer, for {row['customers']:,.0f} new customers.",
        past_error_text(past_errors, past_errors.value or past_errors.counts, what="forecast of new customers"),
        f"Acquisition may cost at most {terms.written(least)}." if terms.is_money else "",
        f"Later purchases add {terms.written(row['beyond'])} by the model; no forecast tests them."
        if "beyond" in new and np.isfinite(row["beyond"])
        else "",
        _acquisition_text(terms, acquisition_cost, least, float(row["planning_upper_80"])),
        _keeping_text(terms, acquisition_cost, retention_cost),
    ]
    return Sentence(" ".join(fact for fact in facts if fact))


def _acquisition_text(terms: Terms, cost: float | None, least: float, most: float) -> str:
    """Whether acquisition pays within the horizon at its cost, by the planning range at 80 %."""
    if cost is None:
        return ""
    pays = "pays" if cost <= least else "does not pay" if cost >= most else "may or may not pay"
    return f"At {terms.written(cost)} for each new customer it {pays} within this time."


def _keeping_text(terms: Terms, acquisition_cost: float | None, retention_cost: float | None) -> str:
    """Whether keeping a customer costs less than winning one; empty where one of the costs is not known."""
    if acquisition_cost is None or retention_cost is None:
        return ""
    cheaper = "cheaper" if retention_cost < acquisition_cost else "not cheaper"
    return (
        f"Keeping a customer costs {terms.written(retention_cost)}, winning one {terms.written(acquisition_cost)}: "
        f"keeping is {cheaper} here."
    )
