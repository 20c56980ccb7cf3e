"""The error of forecast totals at earlier dates, in words: whether they held, and what that makes of a forecast."""

from __future__ import annotations

from html import escape
from itertools import pairwise

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.logs.transactions.calendar import span_name
from retention_models.logs.transactions.settings import ENOUGH


def backtest_check(backtest: pd.DataFrame) -> Check:
    """Whether forecast totals at earlier dates held what came true, and how far off they were.

    Not testable where less than a hundred repeat purchases were known at one of the dates, or the history was shorter
    than both the horizon and a quarter of the log.

    Parameters
    ----------
    backtest
        The frame of ``rolling_origins``.
    """
    name, reason = "forecast totals at earlier dates", untold(backtest)
    if reason:
        return Check(name, None, reason)
    n, held, error = len(backtest), int(backtest["inside"].sum()), backtest["error"]
    same_side = {n: ", each time above it", -n: ", each time below it"}.get(int(np.sign(error).sum()), "")
    shared = _overlap(backtest)
    overlap = f" The {n} windows overlap by {100 * shared:.0f} %, so they are fewer than {n} trials." if shared else ""
    detail = (
        f"At {held} of {n} earlier dates what came true lay inside the interval; it differed from the forecast by "
        f"{100 * error.abs().mean():.0f} % on average, from {100 * error.min():+.0f} % to {100 * error.max():+.0f} %"
        f"{same_side if n > 1 else ''}.{overlap} The interval knows how uncertain the parameters are and what chance "
        "does, not whether the model is right."
    )
    return Check(name, held == n, detail)


def untold(backtest: pd.DataFrame) -> str:
    """Why a backtest says nothing of the error, empty where it does: too little to learn from at one of the dates."""
    little = {
        origin: about
        for origin, about in _known(backtest).items()
        if about["repeat_purchases"] < ENOUGH or about["days"] < about["days_needed"]
    }
    if not little:
        return ""
    origin, about = next(iter(little.items()))
    return (
        f"At {len(little)} of {len(backtest)} earlier dates there was too little to learn from for a forecast over "
        f"{about['days_ahead']:,} days: up to {origin} {about['repeat_purchases']:,} repeat purchases in "
        f"{about['days']:,} days, and it takes {ENOUGH} in {about['days_needed']:,}. A shorter horizon leaves more."
    )


def errors_told(backtest: pd.DataFrame, error: str = "error") -> str:
    """What earlier dates say of the error of such a forecast, as part of a sentence.

    Parameters
    ----------
    backtest
        The frame of ``rolling_origins``.
    error
        Its column to tell: ``error``, or ``amount_error``.
    """
    if untold(backtest):
        return "no earlier date leaves enough to learn from to tell how far off such a forecast is"
    off, overlap = 100 * backtest[error], ", whose windows overlap," if _overlap(backtest) else ""
    dates = f"{len(backtest)} earlier date{'s' * (len(backtest) > 1)}"
    return (
        f"at {dates}{overlap} what came true differed from such a forecast by {off.min():+.0f} % to {off.max():+.0f} %"
    )


def _overlap(backtest: pd.DataFrame) -> float:
    """Which share of a window lies in the next one, on average; 0 where that is not known."""
    windows = sorted((pd.Timestamp(origin), about["days_ahead"]) for origin, about in _known(backtest).items())
    shared = [max(1 - (later - day).days / ahead, 0.0) for (day, ahead), (later, _) in pairwise(windows)]
    return float(np.mean(shared)) if shared else 0.0


def _known(backtest: pd.DataFrame) -> dict[str, dict[str, int]]:
    """What ``rolling_origins`` knew at each origin that is in the frame; nothing where the frame is another's."""
    return {origin: about for origin, about in backtest.attrs.get("known", {}).items() if origin in backtest.index}


class Sentence(str):
    """A sentence that a notebook shows as a paragraph."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self)}</p>"


def forecast_sentence(
    total: pd.DataFrame, backtest: pd.DataFrame, customers: pd.DataFrame, horizon: float, *, level: float = 0.95
) -> Sentence:
    """A forecast total with its interval and its error at earlier dates, in words.

    Parameters
    ----------
    total
        The frame of ``predict_total(fit, customers, horizon, level)``.
    backtest
        The frame of ``rolling_origins`` for the same model and horizon.
    customers
        The summary that the total is for; its ``attrs`` name the day and the time unit.
    horizon
        Length of the future window, in that unit.
    level
        Level of the interval in ``total``.

    Notes
    -----
    The last range told is the interval with the errors on top: its lower end with the lowest of them, its upper end
    with the highest.
    """
    row, about = total.iloc[0], customers.attrs
    error = backtest["error"]
    least, most = row["purchases_lower"] * (1 + error.min()), row["purchases_upper"] * (1 + error.max())
    made = "" if untold(backtest) else f", which would make it {least:,.0f} to {most:,.0f}"
    return Sentence(
        f"Expect {row['expected']:,.0f} purchases within {span_name(horizon, about['time_unit'])} from the "
        f"{len(customers):,} customers known on {about['calibration_end']} ({100 * level:g} % interval "
        f"{row['purchases_lower']:,.0f} to {row['purchases_upper']:,.0f}); {errors_told(backtest)}{made}."
    )
