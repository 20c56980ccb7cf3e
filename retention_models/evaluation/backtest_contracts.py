"""Backtest of contracts: forecasts of survivors at earlier dates, with the data of then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.forecast.churn_errors import churn_variance
from retention_models.forecast.retention import forecast_retention
from retention_models.logs.contracts.log import Spells, truncate_spells
from retention_models.logs.contracts.retention import active_customers, renewals_since, retention_table
from retention_models.tables.days import Period, period_offset

COLUMNS = (
    "renewals", "until", "customers", "actual", "expected", "survivors_lower", "survivors_upper", "churn_variance",
)  # fmt: skip


def backtest_retention(
    model_class: Any,
    spells: Spells,
    *,
    period: Period,
    origins: Sequence[str | dt.date],
    renewals: int,
    level: float = 0.95,
) -> pd.DataFrame:
    """A backtest of contracts: expected and actual survivors among the customers of earlier days.

    Parameters
    ----------
    model_class
        A class of contract models. It is fitted again at each origin, to the retention table of then.
    spells
        The result of ``read_contracts``.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days.
    origins
        Earlier days; ``renewals`` periods must have passed since each.
    renewals
        Number of renewals that the forecast covers.
    level
        Level of the interval, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``origin`` (text): ``renewals`` ahead and the day ``until`` which they run, number of ``customers``
        at the origin, ``actual`` and ``expected`` survivors after the renewals, the interval ``survivors_lower,
        survivors_upper``, ``error`` (actual over expected, less one), ``inside`` (whether the interval holds the actual
        number), and ``churn_variance`` (relative variance of the expected churn, by parameters and chance). Without
        rows if there are no origins. ``backtest_check`` puts it into a sentence. ``forecast_retention``,
        ``total_value`` and ``value_by_evidence`` take it as ``past_errors``, for a planning range.

    Raises
    ------
    ValueError
        When ``origins`` is not a list, a horizon ends after the last day of observation, or a model cannot be fitted
        at an origin.

    Examples
    --------
    >>> import retention_models as rm
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> life = rng.geometric(rng.beta(1, 4, 2000))
    >>> start = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 2000), "D")
    >>> log = pd.DataFrame({"customer_id": range(2000), "start": start, "end": start + pd.to_timedelta(30 * life, "D")})
    >>> spells = rm.read_contracts(log, sampling="acquisition", observation_end="2022-12-31")
    >>> ahead = {"period": 30, "renewals": 6, "origins": ["2021-12-31", "2022-06-30"]}
    >>> backtest = rm.evaluation.backtest_retention(rm.ShiftedBetaGeometric, spells, **ahead)
    >>> backtest[["customers", "actual", "expected", "inside"]].round(1)
                customers  actual  expected  inside
    origin
    2021-12-31        555     337     344.1    True
    2022-06-30        575     379     371.0    True
    """
    if isinstance(origins, str) or not np.iterable(origins):
        raise ValueError(f"origins must be a list of days such as ['2023-12-31']; got {origins!r}")
    rows = {}
    for origin in origins:
        then = truncate_spells(spells, origin)
        found = _fit_at_origin(model_class, then, period)
        base = active_customers(then, period=period)
        forecast = forecast_retention(found, base, renewals=renewals, level=level)
        since = renewals_since(spells, origin, period=period, renewals=renewals)
        rows[then.observation_end.isoformat()] = {
            "renewals": renewals,
            "until": (pd.Timestamp(then.observation_end) + renewals * period_offset(period)).date().isoformat(),
            "customers": int(base["weight"].sum()),
            "actual": int(since.loc[since["made"] == renewals, "weight"].sum()),
            **forecast.iloc[-1][["expected", "survivors_lower", "survivors_upper"]],
            "churn_variance": float(churn_variance(forecast, level)[-1]),
        }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=None if rows else COLUMNS).rename_axis("origin")
    table["error"] = table["actual"] / table["expected"] - 1
    table["inside"] = table["actual"].between(table["survivors_lower"], table["survivors_upper"])
    counts = ["renewals", "customers", "actual", "survivors_lower", "survivors_upper"]
    return table.astype(dict.fromkeys(counts, np.int64))[[*COLUMNS[:-1], "error", "inside", COLUMNS[-1]]]


def _fit_at_origin(model_class: Any, then: Spells, period: Period) -> Fit:
    """The model fitted to what was known at a day, which an error names."""
    try:
        return fit(model_class, retention_table(then, period=period))
    except (ValueError, ConvergenceError) as error:
        raise type(error)(f"at the origin {then.observation_end}: {error}; choose a later one") from None
