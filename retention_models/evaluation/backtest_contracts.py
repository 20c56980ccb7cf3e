"""Backtest of contracts: forecasts of survivors at earlier dates, with the data of then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.calendar_months import SEASON
from retention_models.fitting.estimate import fit
from retention_models.fitting.formula_terms import CALENDAR
from retention_models.fitting.model_selection import choose_calendar
from retention_models.fitting.result import Fit
from retention_models.forecast.churn_errors import churn_variance
from retention_models.forecast.retention import forecast_retention
from retention_models.logs.contracts.calendar_events import with_events
from retention_models.logs.contracts.log import Spells, truncate_spells
from retention_models.logs.contracts.retention import active_customers, renewals_since, retention_table
from retention_models.tables.days import Period, period_offset
from retention_models.tables.groups import read_groups

Events: TypeAlias = Mapping[str, Sequence[str]]
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
    events: Events | None = None,
    by: str | None = None,
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
    events
        What made churn different in some months, as in ``logs.with_events``: the season and the events of the log then
        explain what they can. By default None: forecasts that knew of no events.
    by
        A covariate of the spells: each of its groups gets a model of its own, and the table is of their sum. By default
        None: one model for all.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``origin`` (text): ``renewals`` ahead and the day ``until`` which they run, number of ``customers``
        at the origin, ``actual`` and ``expected`` survivors after the renewals, the interval ``survivors_lower,
        survivors_upper``, ``error`` (actual over expected, less one), ``inside`` (whether the interval holds the actual
        number), and ``churn_variance`` (relative variance of the expected churn, by parameters and chance). Without
        rows if there are no origins. ``backtest_check`` puts it into a sentence. ``forecast_retention``,
        ``total_value`` and ``value_by_evidence`` take it as ``past_errors``, for a planning range.

    Notes
    -----
    With ``events``, each origin has the season and the events that its data show, and knows the months of future
    events. Events that are new after the origin have the effect that the whole log shows. The forecasts are therefore
    not those of the time: they show how much of the errors the calendar explains.

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
    whole = None if events is None else _fit_calendar(model_class, retention_table(spells, period=period), events)
    for origin in origins:
        then = truncate_spells(spells, origin)
        found = _fit_at_origin(model_class, then, period, events, by)
        base = active_customers(then, period=period, by=by or ())
        forecast = _sum_of_groups(found, base, renewals, by, level)
        if whole is not None and whole.covariate_terms.months is not None:
            came, without = (
                forecast_retention(each, base, renewals=renewals)["expected"]
                for each in (whole, _without_events(whole, then.observation_end))
            )
            numbers = forecast.columns[forecast.columns.str.match("expected|survivors")]
            forecast[numbers] = forecast[numbers].mul(came / without, axis=0)
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


def _sum_of_groups(found: Fit, base: pd.DataFrame, renewals: int, by: str | None, level: float) -> pd.DataFrame:
    """The forecast of all customers, as the sum of independent groups if there are any."""
    if by is None:
        return forecast_retention(found, base, renewals=renewals, level=level)
    forecasts = [
        forecast_retention(found.groups.get(label, found), base[lines], renewals=renewals, level=level)
        for label, lines in read_groups(base, by).items()
    ]
    total = pd.concat(forecasts).drop(columns="group").groupby(level=0).sum()
    for end in (f"{kind}_{side}" for kind in ("expected", "survivors") for side in ("lower", "upper")):
        reach = np.hypot.reduce([forecast[end] - forecast["expected"] for forecast in forecasts])
        total[end] = total["expected"] + (reach if end.endswith("upper") else -reach)
    return total.round({"survivors_lower": 0, "survivors_upper": 0})


def _fit_at_origin(model_class: Any, then: Spells, period: Period, events: Events | None, by: str | None) -> Fit:
    """The model fitted to what was known at a day, which an error names."""
    try:
        table = retention_table(then, period=period, by=by or ())
        return fit(model_class, table, by=by) if events is None else _fit_calendar(model_class, table, events, by)
    except (ValueError, ConvergenceError) as error:
        raise type(error)(f"at the origin {then.observation_end}: {error}; choose a later one") from None


def _fit_calendar(model_class: Any, table: pd.DataFrame, events: Events, by: str | None = None) -> Fit:
    """The model with the season, and with those events that the table has seen."""
    last = with_events(table)["calendar"].max()
    seen = {name: months for name, months in events.items() if min(months) <= last}
    dated = with_events(table, seen)
    return fit(model_class, dated, calendar_covariates=choose_calendar(model_class, dated), by=by)


def _without_events(found: Fit, day: dt.date) -> Fit:
    """The fit with a calendar in which no event came after a day; the season stays."""
    terms = found.covariate_terms
    assert terms.months is not None
    design, months = terms.designs[CALENDAR], terms.months
    is_event = ~np.isin(design.labels, design.terms.get(SEASON, ()))
    calendar = pd.period_range(months.first, periods=len(months.known), freq=months.period)
    is_later = np.asarray(calendar > pd.Period(day, freq=months.period))
    quiet = replace(months, known=np.where(is_later[:, None] & is_event, 0.0, months.known))
    return replace(found, covariate_terms=replace(terms, months=quiet))
