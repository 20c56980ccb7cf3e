"""The result of a backtest in words, and what it means for a forecast."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.logs.transactions.settings import ENOUGH


def backtest_check(backtest: pd.DataFrame) -> Check:
    """Whether forecast totals of earlier days held the actual totals, and the size of the forecast error.

    Parameters
    ----------
    backtest
        The frame of ``backtest`` or ``backtest_retention``.

    Returns
    -------
    Check
        Passed if every interval held. Not testable without origins, or if an origin had fewer than 100 repeat
        purchases, or too short a history: shorter than the horizon and than a quarter of the log.
    """
    name, reason = "Forecasts at earlier dates", missing_history(backtest)
    if reason:
        return Check(name, None, detail=reason)
    if backtest.empty:
        return Check(
            name,
            None,
            detail="There is no earlier date at which such a forecast could be compared with the actual total.",
        )
    n, held, error = len(backtest), int(backtest["inside"].sum()), backtest["error"]
    same_side = {n: ", each time above it", -n: ", each time below it"}.get(int(np.sign(error).sum()), "")
    shared = window_overlap(backtest)
    overlap = f" The {n} windows overlap by {100 * shared:.0f} %, so they are fewer than {n} trials." if shared else ""
    detail = (
        f"At {held} of {n} earlier dates the actual total lay inside the interval. It differed from the forecast by "
        f"{100 * error.abs().mean():.0f} % on average, from {100 * error.min():+.0f} % to {100 * error.max():+.0f} %"
        f"{same_side if n > 1 else ''}.{overlap} The interval covers parameters and chance, but not an error of the "
        "model."
    )
    return Check(
        name,
        held == n,
        size=float(n - held),
        limit=0.0,
        unit="forecasts outside their interval",
        detail=detail,
        remedy="Plan with the planning range, which counts these errors.",
    )


def missing_history(backtest: pd.DataFrame) -> str:
    """Why a backtest says nothing of the error, empty where it does: too little to learn from at one of the dates."""
    little = {
        origin: about
        for origin, about in _known_at_origins(backtest).items()
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


def window_overlap(backtest: pd.DataFrame) -> float:
    """Which share of a window lies in the next one, on average; 0 where that is not known."""
    windows = sorted(
        (pd.Timestamp(origin), about["days_ahead"]) for origin, about in _known_at_origins(backtest).items()
    )
    shared = [max(1 - (later - day).days / ahead, 0.0) for (day, ahead), (later, _) in pairwise(windows)]
    return float(np.mean(shared)) if shared else 0.0


def _known_at_origins(backtest: pd.DataFrame) -> dict[str, dict[str, int]]:
    """What ``backtest`` knew at each origin that is in the frame; nothing where the frame is another's."""
    return {origin: about for origin, about in backtest.attrs.get("known", {}).items() if origin in backtest.index}
