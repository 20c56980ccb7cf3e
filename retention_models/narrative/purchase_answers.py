"""The answers of the pages on purchases: the state of the customer base, and what customers are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import number_of
from retention_models.forecast.planning_range import PastErrors, planning_names
from retention_models.logs.transactions.describe.rhythm import second_purchase_window, well_watched
from retention_models.logs.transactions.settings import AnalysisSettings
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.narrative.formats import range_of_amounts
from retention_models.narrative.planning import past_error_text
from retention_models.narrative.purchases import (
    bias_sentence,
    horizon_text,
    median_share_sentence,
    rounded_amount,
    status_text,
)
from retention_models.value.terms import Terms

FEW_FORECASTS = 2.0  # independent ones, of which one would nearly always hold if ranges were wide enough


def value_answer(
    total: pd.DataFrame,
    past_errors: PastErrors,
    paying: pd.DataFrame,
    *,
    terms: Terms,
    cost: float,
    new: pd.DataFrame | None = None,
    checks: Sequence[Check] = (),
    facts: Mapping[str, str] | None = None,
    assumed: str = "",
) -> Answer:
    """The value to plan with, what a new customer is worth, and for whom an offer pays.

    Parameters
    ----------
    total
        The row of ``total_value`` for all customers, with ``past_errors``.
    past_errors
        The errors of earlier forecasts over the same horizon.
    paying
        The table of ``paying_customers``. The answer gives its middle row.
    terms
        The terms of the value.
    cost
        Cost of the offer for one customer, in money.
    new
        The table of ``new_customer_value`` for all new customers. By default None.
    checks
        The checks of the page.
    facts
        What the head of the page says of the data.
    assumed
        What was assumed, as text.

    Returns
    -------
    Answer
        The planning range at 80 % as the headline.
    """

    def written(amount: Any) -> str:
        return terms.written(rounded_amount(float(amount)))

    worth = total.iloc[0]
    errors, what = (past_errors.value, "value") if past_errors.value else (past_errors.counts, "purchases")
    ranges = {
        level: range_of_amounts(terms, *(rounded_amount(float(worth[name])) for name in planning_names(level)))
        for level in (0.8, 0.95)
    }
    middle = len(paying) // 2
    uplift, few = paying.index[middle], paying.iloc[middle]
    share = f"{100 * few['share']:.1f} %"

    figures = [
        KeyFigure(f"Value, next {horizon_text(terms)}", written(worth["planning"]), ranges[0.8]),
    ]
    actions = [
        "Test an offer on customers chosen at random first: a high value does not mean that an offer changes it.",
    ]
    if new is not None:
        one = new.iloc[0]
        lower, upper = (rounded_amount(float(one[name])) for name in planning_names(0.8))
        figures.append(KeyFigure("A new customer", written(one["value"]), range_of_amounts(terms, lower, upper)))
        if terms.is_money:
            actions.insert(
                0, f"Pay at most {terms.written(lower)} to acquire a customer, to earn it within {horizon_text(terms)}."
            )
    if terms.is_money:
        customers = number_of(float(few["customers"]), "customers")
        figures.append(KeyFigure("An offer pays for", customers, f"{share} of all, if they buy {uplift} more"))
        actions.insert(
            -1,
            f"Make an offer that costs {terms.written(cost)} to at most {customers} ({share}): it must raise their "
            f"purchases by {uplift}.",
        )
    else:
        actions.insert(0, "Add a column of amounts, to learn what an offer or a new customer may cost.")
    whose = f"{' of margin' if terms.is_money else ''} from the {worth['customers']:,.0f} known customers"
    held = errors.n_effective < FEW_FORECASTS or errors.inside(0.8).any()
    return Answer(
        headline=(
            f"Plan with {ranges[0.8]}{whose} over the next {horizon_text(terms)}."
            if held
            else f"Do not plan by {ranges[0.8]}{whose} yet: none of {len(errors.origins)} earlier forecasts held."
        ),
        figures=tuple(figures),
        actions=tuple(actions),
        sureness=tuple(
            text
            for text in (
                f"The range should hold four times in five; {ranges[0.95]} should hold in 19 of 20.",
                past_error_text(past_errors, errors, what=f"forecast of {what}"),
                median_share_sentence(total).strip(),
            )
            if text
        ),
        checks=tuple(checks),
        facts=facts or {},
        assumed=assumed,
    )


def customer_base_answer(
    status: pd.DataFrame,
    second: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    day: str,
    terms: Terms,
    alive: Check | None = None,
    ratios: pd.DataFrame | None = None,
    checks: Sequence[Check] = (),
    facts: Mapping[str, str] | None = None,
    assumed: str = "",
    untested: str = "",
) -> Answer:
    """The day until which a second order can be won, the most valuable segment, and who is still a customer.

    Parameters
    ----------
    status
        The row of ``status_by_group`` for all customers; one for each model that fits about equally well, the best one
        first, indexed by its name.
    second
        The table of ``time_to_second_purchase``.
    segments
        The table of ``value_by_segment``.
    day
        The day to which the numbers refer, in words.
    terms
        The terms of the value.
    alive
        The check of P(alive) at an earlier day, from ``alive_check``. By default None: not tested.
    ratios
        The frame of ``actual_over_expected`` for the segments at an earlier day. By default None.
    checks
        The other checks of the page.
    facts
        What the head of the page says of the data.
    assumed
        What was assumed, as text.
    untested
        Why no forecast of this log was tested, as text. The answer then decides nothing. Empty by default.

    Returns
    -------
    Answer
        What to do about the second order, and the segment that holds the largest share of the value.
    """
    best, share = segments.iloc[0], 100 * well_watched(second)["share"]
    until, name = second_purchase_window(second), segments.index[0]
    held = f"segment “{name}” holds {100 * best['share_of_value']:.0f} % of the value"
    again = KeyFigure("New customers who buy again", f"{share.iloc[-1]:.0f} %", f"within {share.index[-1]:,} days")
    top = KeyFigure(
        f"Value in segment “{name}”",
        f"{100 * best['share_of_value']:.0f} %",
        f"{100 * best['share_of_customers']:.0f} % of customers, next {horizon_text(terms)}",
    )
    figures, actions = [again, top], [_segment_action(name, ratios)]
    if untested:
        headline = f"Do not decide by this log yet: no forecast of it can be tested. So far {held}."
        actions = ["Collect more orders, or read a longer log: each number below rests on few customers."]
    elif until is None:
        headline = f"The log is too short to say until when a second order can be won; {held}."
    else:
        headline = f"Try for the second order until day {until:,}; {held}."
        figures.append(KeyFigure("Second order: try until", f"day {until:,}"))
        actions.insert(
            0,
            f"Contact new customers before day {until:,}. Later, fewer than 1 in 10 order within the next 13 weeks.",
        )
    everyone = [*checks, *([alive] if alive is not None else [])]
    return Answer(
        headline=headline,
        figures=tuple(figures),
        actions=tuple(actions),
        sureness=tuple(
            text.strip()
            for text in (
                untested,
                status_text(status, day, alive),
                bias_sentence(ratios),
                median_share_sentence(segments),
            )
            if text
        ),
        checks=tuple(everyone),
        facts=facts or {},
        assumed=assumed,
    )


def _segment_action(name: Any, ratios: pd.DataFrame | None) -> str:
    """What to do about the segment with the largest value, which may have bought less than the model expected."""
    if ratios is not None and name in ratios.index and ratios.loc[name, "is_biased"] and ratios.loc[name, "ratio"] < 1:
        return f"Look at the past purchases of segment “{name}” before you spend on it: it bought less than expected."
    return f"Look after segment “{name}” first: it holds the largest share of the value."


def thin_log_answer(customers: int, settings: AnalysisSettings, *, facts: Mapping[str, str] | None = None) -> Answer:
    """That a log has too few repeat purchases for a forecast, and what would settle it.

    Parameters
    ----------
    customers
        Number of customers in the log.
    settings
        The settings of the log.
    facts
        What the head of the page says of the data.

    Returns
    -------
    Answer
        What is not known, and what would settle it.
    """
    repeat = KeyFigure("Repeat purchases", f"{settings.repeat_purchases:,}", f"of {customers:,} customers")
    return Answer(
        headline="This log has too few repeat purchases for a forecast; a longer log would settle who has left.",
        figures=(repeat,),
        sureness=(settings.reasons["horizon"],),
        facts=facts or {},
    )


def purchase_facts(name: str | Path, overview: pd.DataFrame) -> dict[str, str]:
    """Whose purchases, how many, and as of when: the head of a page, by name.

    Parameters
    ----------
    name
        Name of the log. Of a path, the last part is used.
    overview
        The table of ``overview``.

    Returns
    -------
    dict
        Names to text.
    """
    known = overview.iloc[:, 0]
    wanted = ("first day", "last day", "customers", "purchases")
    return {"data": Path(name).name} | {fact: str(known[fact]) for fact in wanted if fact in known}


def action_map_frame(forecast: pd.DataFrame, worth: pd.DataFrame, *, currency: str | None = None) -> pd.DataFrame:
    """Value and chance of each customer, as ``plots.plot_action_map`` takes them.

    Parameters
    ----------
    forecast
        The table of ``predict``. The chance is P(alive) if the table has it, and else that of a purchase within the
        horizon.
    worth
        The table of ``customer_value`` for the same customers.
    currency
        Currency of the value. By default None.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``forecast``: ``chance`` and ``value``.
    """
    knows_status = "probability_alive" in forecast
    chance = forecast["probability_alive"] if knows_status else 1 - forecast["probability_no_purchase"]
    frame = pd.DataFrame({"chance": chance, "value": worth["value"]})
    frame.attrs = {
        "label": "probability to be a customer" if knows_status else "chance of a purchase within the horizon",
        "unit": currency,
        "best_fifth": float(worth["value"].quantile(0.8)),
    }
    return frame
