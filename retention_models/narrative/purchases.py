"""Sentences on the customer base and its forecast, with intervals and errors of the backtest."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.dates import span_name
from retention_models.core.formatting import three_digits
from retention_models.forecast.planning_range import PastErrors
from retention_models.narrative.planning import count_text, past_error_text, range_text
from retention_models.value.break_even import TYPICAL_SHARE
from retention_models.value.terms import Terms

LARGE_RATIO = 3.0  # from here on a ratio is written as a multiple
NAMED = 3  # segments in a sentence
CERTAIN = 1e-3  # percent: a share so near to all is an edge of the likelihood


def bias_sentence(ratios: pd.DataFrame | None) -> str:
    """The segments that bought more or less than a model expected, at most three; empty where there is none."""
    if ratios is None or not ratios["is_biased"].any():
        return ""
    biased = ratios[ratios["is_biased"]]
    worst = biased.reindex((biased["actual"] - biased["expected"]).abs().sort_values(ascending=False).index)[:NAMED]
    named = [f"“{name}” bought {_ratio_text(row)}." for name, row in worst.iterrows()]
    return f" The model misjudged segments in the holdout. {' '.join(named)} Do not rank segments by value alone."


def _ratio_text(row: pd.Series[Any]) -> str:
    """Actual over expected purchases: large ones as a multiple, and others in percent."""
    ratio, lower, upper = (float(row[name]) for name in ("ratio", "ratio_lower", "ratio_upper"))
    if ratio >= LARGE_RATIO:
        return f"{count_text(ratio)} times as much as expected ({three_digits(lower)} to {three_digits(upper)} times)"
    ends, word = ((lower - 1, upper - 1), "more") if ratio > 1 else ((1 - upper, 1 - lower), "less")
    low, high = (f"{100 * end:.0f}" for end in ends)
    return f"{100 * abs(ratio - 1):.0f} % {word} than expected ({low} to {high} %)"


def _is_at_edge(row: pd.Series[Any]) -> bool:
    """Whether the model found no sign of customers leaving."""
    share, lower, upper = (100 * float(row[f"probability_alive{end}"]) for end in ("", "_lower", "_upper"))
    return share > 100 - CERTAIN and upper - lower == 100


def status_text(status: pd.DataFrame, day: str, alive: Check | None) -> str:
    """How many customers are expected to be customers still, or that the log cannot say.

    ``status`` has a row for each model that fits about equally well, the best one first.
    """
    row = status.iloc[0]
    if alive is not None and alive.passed is False and not _is_at_edge(row):
        return f"The log does not show who of {row['customers']:,.0f} customers has left by {day}."
    if _is_at_edge(row):
        return (
            f"This log of {row['customers']:,.0f} customers contains no sign of customers leaving, so it cannot say "
            f"who has left by {day}."
        )
    still, share = status["still_customers"], 100 * status["probability_alive"]
    few, many, low, high = (f"{end:,.0f}" for end in (still.min(), still.max(), share.min(), share.max()))
    number, percent = (ends[0] if len(set(ends)) == 1 else " to ".join(ends) for ends in ((few, many), (low, high)))
    models = f" {' and '.join(map(str, status.index))} fit about equally well." if few != many else ""
    untested = " This log cannot test that number." if alive is not None and alive.passed is None else ""
    return (
        f"{number} of {row['customers']:,.0f} customers ({percent} %) are expected to still be customers on {day}."
        f"{models}{untested}"
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


def rounded_amount(amount: float) -> float:
    """An amount to three significant digits.

    Parameters
    ----------
    amount
        The amount.

    Returns
    -------
    float
        The rounded amount.

    Examples
    --------
    >>> rounded_amount(362_922.4)
    363000.0
    """
    return float(f"{amount:.3g}")


def written_amount(currency: str, amount: float) -> str:
    """An amount to three digits, with its currency; an end that the data do not limit is said so."""
    if abs(amount) == float("inf"):
        return "without limit"
    return f"{currency} {three_digits(rounded_amount(float(amount)))}".strip()


def written_range(currency: str, lower: float, upper: float) -> str:
    """The two ends of a range of amounts, with the currency once: "EUR 147,000 to 558,000"."""
    if lower == -float("inf"):
        return f"{written_amount('', lower)} to {written_amount(currency, upper)}"
    return f"{written_amount(currency, lower)} to {written_amount('', upper)}"


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
        f"Plan with {range_text(row, _count_range)} purchases within {span_name(horizon, about['time_unit'])} from the "
        f"{len(customers):,} customers known on {about['calibration_end']}; new customers come on top. "
        f"{past_error_text(past_errors, past_errors.counts, what='forecast of purchases')}"
    )


def _count_range(lower: float, upper: float) -> str:
    return f"{count_text(lower)} to {count_text(upper)}"


def alternatives_sentence(totals: Mapping[str, pd.DataFrame]) -> Sentence:
    """What the models expect of all customers, if the data hardly distinguish these models.

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
    found = f"{low} to {high}" if low != high else f"about {low}"
    return Sentence(f"Models that fit the data about equally well ({', '.join(expected)}) expect {found} purchases.")


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
