"""Sentences on the customer base, its value and its forecast, with intervals and errors of the backtest."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.dates import span_name
from retention_models.evaluation.backtest_findings import missing_history, window_overlap
from retention_models.logs.transactions.describe.rhythm import days_until, well_watched
from retention_models.value.break_even import TYPICAL_SHARE
from retention_models.value.terms import Terms

CERTAIN = 1e-3  # percent: a share so near to all, with an interval so narrow, is an edge of the likelihood


def value_sentence(
    total: pd.DataFrame,
    backtest: pd.DataFrame,
    paying: pd.DataFrame,
    *,
    terms: Terms,
    cost: float,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """The value of all customers, past forecast errors, and the number of customers for whom an offer pays.

    Parameters
    ----------
    total
        The row of ``total_value`` for all customers.
    backtest
        The frame of ``backtest`` for the same model and horizon. The text gives the error of amounts if there is one.
    paying
        The table of ``paying_customers``. The text gives its middle row.
    terms
        The terms of the value.
    cost
        Cost of the offer for one customer, in money.
    checks
        Checks. The text names those that failed.
    level
        Level of the intervals in ``total`` and ``paying``, 0.95 by default.

    Returns
    -------
    str
        One sentence.

    Raises
    ------
    ValueError
        When the terms lack a horizon or a time unit.
    """
    worth = total.iloc[0]
    past_errors = past_error_sentences(backtest, "amount_error" if "amount_error" in backtest else "error")
    value, lower, upper = (terms.written(worth[name]) for name in ("value", "value_lower", "value_upper"))
    uplift, few = paying.index[len(paying) // 2], paying.iloc[len(paying) // 2]
    return (
        f"The {worth['customers']:,.0f} customers are worth {value} over the next {_horizon_text(terms)} "
        f"({100 * level:g} % interval {lower} to {upper}; {past_errors}); an offer that costs {terms.written(cost)} "
        f"a customer and raises purchases by {uplift} pays for {few['customers']:,.0f} of them "
        f"({100 * few['share']:.1f} %, {100 * level:g} % interval {100 * few['share_lower']:.1f} to "
        f"{100 * few['share_upper']:.1f} %){median_share_text(total)}{failed_checks(checks)}."
    )


def customer_base_sentence(
    status: pd.DataFrame,
    second: pd.DataFrame,
    segments: pd.DataFrame,
    *,
    day: str,
    terms: Terms,
    alive: Check | None = None,
    checks: Sequence[Check] = (),
    level: float = 0.95,
) -> str:
    """Number of active customers, time to the second purchase of new ones, and the most valuable segment.

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
    checks
        Other checks. The text names those that failed.
    level
        Level of the interval in ``status``, 0.95 by default.

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
    failed = [f"“{check.name}”" for check in checks if check.passed is False]
    warning = f" {len(failed)} check{'s' * (len(failed) > 1)} failed: {', '.join(failed)}." if failed else ""
    return (
        f"{_status_text(row, day, alive, level)} {share.iloc[-1]:.0f} % of new customers buy again within "
        f"{share.index[-1]:,} days; half of those do so within {days_until(share, share.iloc[-1] / 2):,} days. The "
        f"segment “{segments.index[0]}” is {100 * best['share_of_customers']:.0f} % of the customers and "
        f"{100 * best['share_of_value']:.0f} % of the value expected within {_horizon_text(terms)}"
        f"{median_share_text(segments)}.{warning}"
    )


def _status_text(row: pd.Series[Any], day: str, alive: Check | None, level: float) -> str:
    """How many customers are expected to be customers still, or why the log cannot say."""
    share, lower, upper = (100 * float(row[f"probability_alive{end}"]) for end in ("", "_lower", "_upper"))
    if alive is not None and alive.passed is False:
        return f"The log does not show who of {row['customers']:,.0f} customers has left by {day}. {alive.detail}"
    if share > 100 - CERTAIN and upper - lower < CERTAIN:
        return (
            f"This log of {row['customers']:,.0f} customers contains no sign of customers leaving, so it cannot say "
            f"who has left by {day}."
        )
    return (
        f"{row['still_customers']:,.0f} of {row['customers']:,.0f} customers ({share:.0f} %, {100 * level:g} % CI "
        f"{lower:.0f} to {upper:.0f} %) are expected to still be customers on {day}."
    )


def _horizon_text(terms: Terms) -> str:
    """The horizon of some terms in words."""
    terms.require("horizon", "time_unit")
    return span_name(float(terms.horizon or 0.0), str(terms.time_unit))


def median_share_text(worth: pd.DataFrame) -> str:
    """The share of a value that rests on median amounts, as the end of a sentence."""
    value, part = (worth[name].to_numpy(dtype=float) for name in ("value", "share_of_medians"))
    share = value @ part / value.sum()
    text = f"; {100 * share:.0f} % of the value is reckoned with median amounts, for those customers have no mean"
    return text if share > 0 else ""


def failed_checks(checks: Sequence[Check]) -> str:
    """The checks that failed, as the end of a sentence."""
    names = [f"“{check.name}”" for check in checks if check.passed is False]
    return f"; but {len(names)} check{'s' * (len(names) > 1)} failed, {', '.join(names)}" if names else ""


def past_error_sentences(backtest: pd.DataFrame, error: str = "error") -> str:
    """The forecast errors at earlier dates, as part of a sentence.

    Parameters
    ----------
    backtest
        The frame of ``backtest``.
    error
        The column of errors to report: ``"error"``, the default, or ``"amount_error"``.

    Returns
    -------
    str
        The range of the errors in percent, or that there is not enough history for a backtest.
    """
    if missing_history(backtest):
        return "no earlier date leaves enough to learn from to tell how far off such a forecast is"
    off, overlap = 100 * backtest[error], ", whose windows overlap," if window_overlap(backtest) else ""
    dates = f"{len(backtest)} earlier date{'s' * (len(backtest) > 1)}"
    return (
        f"at {dates}{overlap} what came true differed from such a forecast by {off.min():+.0f} % to {off.max():+.0f} %"
    )


class Sentence(str):
    """A sentence that a notebook shows as a paragraph."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self)}</p>"


def forecast_sentence(
    total: pd.DataFrame, backtest: pd.DataFrame, customers: pd.DataFrame, horizon: float, *, level: float = 0.95
) -> Sentence:
    """A forecast of total purchases with its interval and the forecast errors at earlier dates.

    Parameters
    ----------
    total
        The frame of ``predict_total(fit, customers, horizon, level)``.
    backtest
        The frame of ``backtest`` for the same model and horizon.
    customers
        The table of ``summarize`` for which the total is. Its ``attrs`` contain the date and the time unit.
    horizon
        Length of the forecast in that unit.
    level
        Level of the interval in ``total``, 0.95 by default.

    Returns
    -------
    Sentence
        One sentence.

    Notes
    -----
    The last range is the planning range: the lower end of the interval with the lowest error on top, the upper end with
    the highest.
    """
    row, about = total.iloc[0], customers.attrs
    error = backtest["error"]
    least, most = row["purchases_lower"] * (1 + error.min()), row["purchases_upper"] * (1 + error.max())
    planning_range = "" if missing_history(backtest) else f", which would make it {least:,.0f} to {most:,.0f}"
    return Sentence(
        f"Expect {row['expected']:,.0f} purchases within {span_name(horizon, about['time_unit'])} from the "
        f"{len(customers):,} customers known on {about['calibration_end']} ({100 * level:g} % interval "
        f"{row['purchases_lower']:,.0f} to {row['purchases_upper']:,.0f}); "
        f"{past_error_sentences(backtest)}{planning_range}."
    )


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
