"""Sentences on the customer base, its value and its forecast, with intervals and errors of the backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.dates import span_name
from retention_models.core.formatting import three_digits
from retention_models.forecast.planning_range import PastErrors
from retention_models.logs.transactions.describe.rhythm import days_until, second_purchase_window, well_watched
from retention_models.narrative.planning import count_text, past_error_text, range_text
from retention_models.value.break_even import TYPICAL_SHARE
from retention_models.value.terms import Terms

NAMED = 3  # segments in a sentence
CERTAIN = 1e-3  # percent: a share so near to all is an edge of the likelihood


def value_sentence(
    total: pd.DataFrame,
    past_errors: PastErrors,
    paying: pd.DataFrame,
    *,
    terms: Terms,
    cost: float,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """The planning range of the value of all customers, past forecast errors, and for whom an offer pays.

    Parameters
    ----------
    total
        The row of ``total_value`` for all customers, with ``past_errors``.
    past_errors
        The errors of earlier forecasts over the same horizon, from ``past_errors`` or ``backtest``.
    paying
        The table of ``paying_customers``. The text gives its middle row.
    terms
        The terms of the value.
    cost
        Cost of the offer for one customer, in money.
    checks
        Checks. The text names those that failed.
    level
        Level of the intervals in ``paying``, 0.95 by default.

    Returns
    -------
    str
        Some sentences.

    Raises
    ------
    ValueError
        When the terms lack a horizon or a time unit.
    """
    worth, errors = total.iloc[0], past_errors.value or past_errors.counts
    uplift, few = paying.index[len(paying) // 2], paying.iloc[len(paying) // 2]
    ends = (f"{100 * few[name]:.1f}" for name in ("share", "share_lower", "share_upper"))
    return (
        f"Plan with a value of {range_text(worth, lambda amount: terms.written(rounded_amount(amount)))} from the "
        f"{worth['customers']:,.0f} known customers over the next {horizon_text(terms)}. "
        f"{past_error_text(past_errors, errors)} An offer that costs {terms.written(cost)} a customer and raises "
        f"purchases by {uplift} pays for {few['customers']:,.0f} of them ({next(ends)} %, {100 * level:g} % CI "
        f"{next(ends)} to {next(ends)} %).{median_share_sentence(total)}{failed_sentence(checks)}"
    )


def customer_base_sentence(
    status: pd.DataFrame,
    second: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    day: str,
    terms: Terms,
    alive: Check | None = None,
    ratios: pd.DataFrame | None = None,
    checks: Sequence[Check] = (),
) -> str:
    """Number of active customers, time to the second purchase, the most valuable segment, and segments misjudged.

    Where the model found no sign of customers leaving, or customers held for lost came back, the text says that the log
    cannot say who has left.

    Parameters
    ----------
    status
        The row of ``status_by_group`` for all customers.
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
        The frame of ``actual_over_expected`` for the segments at an earlier day. The text names those that the model
        undervalued or overvalued. By default None.
    checks
        Other checks. The text names those that failed.

    Returns
    -------
    str
        Some sentences.

    Raises
    ------
    ValueError
        When the terms lack a horizon or a time unit.
    """
    row, best, share = status.iloc[0], segments.iloc[0], 100 * well_watched(second)["share"]
    return (
        f"{_status_text(row, day, alive)} {share.iloc[-1]:.0f} % of new customers buy again within "
        f"{share.index[-1]:,} days; half of those do so within {days_until(share, share.iloc[-1] / 2):,} days."
        f"{_window_text(second)} The segment “{segments.index[0]}” is {100 * best['share_of_customers']:.0f} % of the "
        "customers and "
        f"{100 * best['share_of_value']:.0f} % of the value expected within {horizon_text(terms)}"
        f".{bias_sentence(ratios)}{median_share_sentence(segments)}{failed_sentence(checks)}"
    )


def _window_text(second: pd.DataFrame) -> str:
    """From which day on few of those still waiting make a second purchase soon; empty where the log is too short."""
    day = second_purchase_window(second)
    if day is None:
        return ""
    return f" After day {day:,}, fewer than 1 in 10 of those still waiting order within the next 13 weeks."


def bias_sentence(ratios: pd.DataFrame | None) -> str:
    """The segments that bought more or less than a model expected, at most three; empty where there is none."""
    if ratios is None or not ratios["is_biased"].any():
        return ""
    biased = ratios[ratios["is_biased"]]
    worst = biased.reindex((biased["actual"] - biased["expected"]).abs().sort_values(ascending=False).index)[:NAMED]
    named = [
        f"“{name}” {three_digits(row['ratio'])} times as much as expected ({three_digits(row['ratio_lower'])} to "
        f"{three_digits(row['ratio_upper'])})"
        for name, row in worst.iterrows()
    ]
    return f" At the cut-off, the model misjudged segments: {', '.join(named)}. Do not rank segments by value alone."


def _status_text(row: pd.Series[Any], day: str, alive: Check | None) -> str:
    """How many customers are expected to be customers still, or why the log cannot say."""
    is_unknown = alive is not None and alive.passed is False and not _is_at_edge(row)
    return f"{status_text(row, day, alive)} {alive.detail}" if alive and is_unknown else status_text(row, day, alive)


def _is_at_edge(row: pd.Series[Any]) -> bool:
    """Whether the model found no sign of customers leaving."""
    share, lower, upper = (100 * float(row[f"probability_alive{end}"]) for end in ("", "_lower", "_upper"))
    return share > 100 - CERTAIN and upper - lower == 100


def status_text(row: pd.Series[Any], day: str, alive: Check | None) -> str:
    """How many customers are expected to be customers still, or that the log cannot say."""
    if alive is not None and alive.passed is False and not _is_at_edge(row):
        return f"The log does not show who of {row['customers']:,.0f} customers has left by {day}."
    if _is_at_edge(row):
        return (
            f"This log of {row['customers']:,.0f} customers contains no sign of customers leaving, so it cannot say "
            f"who has left by {day}."
        )
    share = 100 * float(row["probability_alive"])
    return (
        f"{row['still_customers']:,.0f} of {row['customers']:,.0f} customers ({share:.0f} %) are expected to still be "
        f"customers on {day}."
    )


def horizon_text(terms: Terms) -> str:
    """The horizon of some terms in words."""
    terms.require("horizon", "time_unit")
    return span_name(float(terms.horizon or 0.0), str(terms.time_unit))


def median_share_sentence(worth: pd.DataFrame) -> str:
    """The share of a value that rests on median amounts; empty where there is none."""
    value, part = (worth[name].to_numpy(dtype=float) for name in ("value", "share_of_medians"))
    share = value @ part / value.sum()
    return f" {100 * share:.0f} % of the value uses median amounts, because no mean exists." if share > 0 else ""


def failed_sentence(checks: Sequence[Check]) -> str:
    """The checks that failed."""
    failed = [f"“{check.name}”" for check in checks if check.passed is False]
    return f" {len(failed)} check{'s' * (len(failed) > 1)} failed: {', '.join(failed)}." if failed else ""


def rounded_amount(amount: float) -> float:
    """An amount to three significant digits."""
    return float(f"{amount:.3g}")


class Sentence(str):
    """A sentence that a notebook shows as a paragraph."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self)}</p>"


def forecast_sentence(
    total: pd.DataFrame, past_errors: PastErrors, customers: pd.DataFrame, horizon: float
) -> Sentence:
    """The planning range of total purchases, and how earlier forecasts came true.

    Parameters
    ----------
    total
        The frame of ``predict_total(fit, customers, horizon, past_errors=past_errors)``.
    past_errors
        The errors of earlier forecasts over the same horizon, from ``past_errors`` or ``backtest``.
    customers
        The table of ``summarize`` for which the total is. Its ``attrs`` contain the date and the time unit.
    horizon
        Length of the forecast in that unit.

    Returns
    -------
    Sentence
        Some sentences.
    """
    row, about = total.iloc[0], customers.attrs
    return Sentence(
        f"Plan with {range_text(row, count_text)} purchases within {span_name(horizon, about['time_unit'])} from the "
        f"{len(customers):,} customers known on {about['calibration_end']}; new customers come on top. "
        f"{past_error_text(past_errors, past_errors.counts)}"
    )


def alternatives_sentence(totals: Mapping[str, pd.DataFrame]) -> Sentence:
    """What models that the data hardly tell apart expect of all customers.

    Parameters
    ----------
    totals
        The row of ``predict_total`` for each of these models, by name, such as those of ``Comparison.alternatives``.

    Returns
    -------
    Sentence
        One sentence; empty for fewer than two models.
    """
    if len(totals) < 2:
        return Sentence("")
    expected = {name: float(total["expected"].iloc[0]) for name, total in totals.items()}
    low, high = (count_text(pick(expected.values())) for pick in (min, max))
    return Sentence(f"Models that the data hardly tell apart ({', '.join(expected)}) expect {low} to {high} purchases.")


def typical_cost(customers: Any) -> float:
    """A tenth of the mean amount of a repeat purchase: a default for the cost of an offer.

    Parameters
    ----------
    customers
        The table that ``summarize`` returns.

    Returns
    -------
    float
        Money. Without amounts in the table a purchase counts 1, and the result is 0.1.

    Raises
    ------
    ValueError
        When nobody made a repeat purchase.
    """
    if "monetary_value" not in customers.columns:
        return TYPICAL_SHARE
    repeat, mean = customers["frequency"].to_numpy(dtype=float), customers["monetary_value"].to_numpy(dtype=float)
    bought = repeat > 0
    if not bought.any():
        raise ValueError(
            f"none of the {len(repeat):,} customers made a repeat purchase, so its mean amount is not known: state the "
            "cost of an offer instead"
        )
    return TYPICAL_SHARE * float(repeat[bought] @ mean[bought] / repeat.sum())
