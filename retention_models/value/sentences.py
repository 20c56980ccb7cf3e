"""Decisions in words: who the customers are, and what they are worth, each number with what is known of its error."""

from __future__ import annotations

import pandas as pd

from retention_models.logs.rhythm import days_until
from retention_models.value.terms import Terms

WINDOW = 0.8  # of those who come back a second time, so many do within the window that is named


def worth_sentence(
    total: pd.DataFrame,
    backtest: pd.DataFrame,
    paying: pd.DataFrame,
    *,
    terms: Terms,
    horizon: str,
    cost: float,
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
    horizon
        The window in words, such as "26 weeks".
    cost
        Cost of the offer for one customer.
    level
        Level of the interval in ``total``.
    """
    worth, off = total.iloc[0], backtest["amount_error" if "amount_error" in backtest else "error"]
    value, lower, upper = (terms.written(worth[name]) for name in ("value", "value_lower", "value_upper"))
    uplift, few = paying.index[len(paying) // 2], paying.iloc[len(paying) // 2]
    least, most = 100 * off.min(), 100 * off.max()
    return (
        f"The {worth['customers']:,.0f} customers are worth {value} over the next {horizon} ({100 * level:g} % "
        f"interval {lower} to {upper}; at {len(backtest)} earlier dates what came true differed from such a forecast "
        f"by {least:+.0f} % to {most:+.0f} %); an offer that costs {terms.written(cost)} a customer "
        f"and raises purchases by {100 * uplift:g} % pays for {few['customers']:,.0f} of them "
        f"({100 * few['share']:.0f} %)."
    )


def base_sentence(
    status: pd.DataFrame,
    second: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    day: str,
    horizon: str,
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
    horizon
        The window of the value in words, such as "26 weeks".
    level
        Level of the interval in ``status``.
    """
    row, best, share = status.iloc[0], segments.iloc[0], second["share"]
    lower, upper = 100 * row["probability_alive_lower"], 100 * row["probability_alive_upper"]
    window = days_until(share, WINDOW * share.iloc[-1])
    return (
        f"Of {row['customers']:,.0f} customers {row['still_customers']:,.0f} ({100 * row['probability_alive']:.0f} %, "
        f"{100 * level:g} % interval {lower:.0f} to {upper:.0f} %) are expected to be customers still on {day}; of new "
        f"ones {100 * share.iloc[-1]:.0f} % buy a second time, four fifths of these within {window:,} days, which is "
        f"the time to win them; the segment “{segments.index[0]}” is {100 * best['share_of_customers']:.0f} % of the "
        f"customers and {100 * best['share_of_value']:.0f} % of the value expected within {horizon}."
    )
