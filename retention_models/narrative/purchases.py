"""Decisions in words: who the customers are, and what they are worth, each number with what is known of its error."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from retention_models.core.check import Check
from retention_models.evaluation.backtest_check import errors_told
from retention_models.logs.transactions.calendar import span_name
from retention_models.logs.transactions.describe.rhythm import days_until, well_watched
from retention_models.value.terms import Terms


def worth_sentence(
    total: pd.DataFrame,
    backtest: pd.DataFrame,
    paying: pd.DataFrame,
    *,
    terms: Terms,
    horizon: float,
    time_unit: str,
    cost: float,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """What all customers are worth, how far off such forecasts were, and for how many of them an offer pays.

    Parameters
    ----------
    total
        The one row of ``total_value`` for all customers.
    backtest
        The frame of ``rolling_origins`` for the same model and horizon; the error of amounts is told where it has one.
    paying
        From ``paying_customers``; the row in the middle is told.
    terms
        What value is counted in.
    horizon, time_unit
        The window of the value.
    cost
        Cost of the offer for one customer.
    checks
        What was checked; those that failed are named.
    level
        Level of the intervals in ``total`` and ``paying``.
    """
    worth, told = total.iloc[0], errors_told(backtest, "amount_error" if "amount_error" in backtest else "error")
    value, lower, upper = (terms.written(worth[name]) for name in ("value", "value_lower", "value_upper"))
    uplift, few = paying.index[len(paying) // 2], paying.iloc[len(paying) // 2]
    return (
        f"The {worth['customers']:,.0f} customers are worth {value} over the next {span_name(horizon, time_unit)} "
        f"({100 * level:g} % interval {lower} to {upper}; {told}); an offer that costs {terms.written(cost)} "
        f"a customer and raises purchases by {uplift} pays for {few['customers']:,.0f} of them "
        f"({100 * few['share']:.1f} %, {100 * level:g} % interval {100 * few['share_lower']:.1f} to "
        f"{100 * few['share_upper']:.1f} %){medians(total)}{failed_checks(checks)}."
    )


def base_sentence(
    status: pd.DataFrame,
    second: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    day: str,
    horizon: float,
    time_unit: str,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """How many are customers still, when to win new ones a second time, and which segment holds most of the value.

    Parameters
    ----------
    status
        The one row of ``status_by_group`` for all customers.
    second
        From ``time_to_second_purchase``.
    segments
        From ``value_by_segment``.
    day
        The day on which this holds, in words.
    horizon, time_unit
        The window of the value.
    checks
        What was checked; those that failed are named.
    level
        Level of the interval in ``status``.
    """
    row, best, share = status.iloc[0], segments.iloc[0], 100 * well_watched(second)["share"]
    alive, lower, upper = (100 * row[f"probability_alive{end}"] for end in ("", "_lower", "_upper"))
    return (
        f"Of {row['customers']:,.0f} customers {row['still_customers']:,.0f} ({alive:.0f} %, {100 * level:g} % "
        f"interval {lower:.0f} to {upper:.0f} %) are expected to be customers still on {day}; of new ones "
        f"{share.iloc[-1]:.0f} % buy a second time within {share.index[-1]:,} days, half of these in the first "
        f"{days_until(share, share.iloc[-1] / 2):,}, which is the time to win them; the segment “{segments.index[0]}” "
        f"is {100 * best['share_of_customers']:.0f} % of the customers and {100 * best['share_of_value']:.0f} % of the "
        f"value expected within {span_name(horizon, time_unit)}{medians(segments)}{failed_checks(checks)}."
    )


def medians(worth: pd.DataFrame) -> str:
    """How much of a value (from ``total_value`` or ``value_by_segment``) rests on medians, as the end of a sentence."""
    value, part = (worth[name].to_numpy(dtype=float) for name in ("value", "share_of_medians"))
    share = value @ part / value.sum()
    told = f"; {100 * share:.0f} % of the value is reckoned with median amounts, for those customers have no mean"
    return told if share > 0 else ""


def failed_checks(checks: Sequence[Check]) -> str:
    """The checks that failed, as the end of a sentence."""
    names = [f"“{check.name}”" for check in checks if check.passed is False]
    return f"; but {len(names)} check{'s' * (len(names) > 1)} failed, {', '.join(names)}" if names else ""
