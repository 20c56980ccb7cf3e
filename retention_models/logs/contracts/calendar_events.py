"""Renewals by the calendar: the month of each, and what happened then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from retention_models.core.arguments import require_texts
from retention_models.core.dates import MONTHS

SEASON = "month"  # of the year


def with_calendar(table: pd.DataFrame) -> pd.DataFrame:
    """A retention table with ``calendar``, the month or year of each renewal, as text.

    Prices or seasons can be joined to this column.

    Parameters
    ----------
    table
        The frame of ``retention_table`` with the period "M" or "Y".

    Returns
    -------
    pandas.DataFrame
        The table with the column ``calendar`` (text such as 2024-01).

    Raises
    ------
    ValueError
        When the period is not a month or a year, or the table has no cohorts.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contracts.calendar_events import with_calendar
    >>> table = pd.DataFrame({"cohort": ["2023-11", "2023-11"], "tenure": [1, 2], "at_risk": [9, 8], "lost": [1, 0]})
    >>> table.attrs["period"] = "M"
    >>> with_calendar(table)["calendar"].tolist()
    ['2023-12', '2024-01']
    """
    period = table.attrs.get("period")
    if period not in MONTHS:
        raise ValueError(f"calendar covariates need a period of a month or a year; period is {period!r}")
    if "cohort" not in table.columns:
        raise ValueError("the table has no column 'cohort': tables without dates have no calendar months")
    due = pd.PeriodIndex(table["cohort"], freq=period) + table["tenure"].to_numpy()
    return table.assign(calendar=due.astype(str))


def with_events(table: pd.DataFrame, events: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """A retention table with the calendar of its renewals: the month of the year, and what happened when.

    ``fit(..., calendar_covariates="month + price_rise")`` takes it.

    Parameters
    ----------
    table
        The frame of ``retention_table`` with the period "M" or "Y".
    events
        Name of each event to the months (or years) in which it made renewals different, as text:
        ``{"price_rise": ["2022-09", "2022-10"]}``. By default None: no events.

    Returns
    -------
    pandas.DataFrame
        The table with ``calendar`` (the month or year of the renewal), ``month`` (of the year, "01" to "12"; not with
        years), and a column of 0 and 1 for each event. Renewals before the observation of a cohort get rows with nobody
        at risk, so that each cohort's calendar is complete.

    Raises
    ------
    ValueError
        When an event has no month in the table, months cannot be read, or a name is taken; or as ``with_calendar``.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=5_000)
    >>> spells = rm.read_contracts(business.contracts, sampling="acquisition", observation_end="2024-12-28")
    >>> table = rm.logs.with_events(rm.retention_table(spells, period="M"), {"price_rise": ["2022-09", "2022-10"]})
    >>> table.loc[table["calendar"] == "2022-09", ["month", "price_rise"]].drop_duplicates().to_dict("records")
    [{'month': '09', 'price_rise': 1}]
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, table, calendar_covariates="price_rise")
    >>> fit.table().loc[["calendar[price_rise]"], ["estimate", "lower", "upper"]].round(2)
                          estimate  lower  upper
    parameter
    calendar[price_rise]      0.46   0.31   0.61
    """
    period = table.attrs.get("period")
    dated = with_calendar(_with_earlier_renewals(table))
    if period == "M":
        dated[SEASON] = dated["calendar"].str[5:7]
    for name, months in (events or {}).items():
        require_texts(f"events[{name!r}]", [months] if isinstance(months, str) else months, "['2022-09', '2022-10']")
        if name in dated.columns:
            raise ValueError(f"event {name!r} has the name of a column of the table; give the event another name")
        happened = _read_months(name, [months] if isinstance(months, str) else months, str(period))
        dated[name] = dated["calendar"].isin(happened).astype(int)
        if not dated[name].any():
            first, last = dated["calendar"].min(), dated["calendar"].max()
            raise ValueError(
                f"event {name!r} falls into {', '.join(happened)}, and the renewals of the table are from {first} to "
                f"{last}: its effect cannot be estimated; state other months, or leave it out"
            )
    dated.attrs["events"] = list(events or {})
    return dated


def _read_months(name: str, months: Sequence[str], period: str) -> list[str]:
    """The months (or years) of an event, as the column ``calendar`` writes them."""
    try:
        return [str(pd.Period(month, freq=period)) for month in months]
    except ValueError as error:
        raise ValueError(f"event {name!r}: {error}; write months such as '2022-09'") from None


def _with_earlier_renewals(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row without customers for each renewal before the first one of a cohort or group."""
    counts = [column for column in table.columns if column in ("at_risk", "lost") or column.startswith("lost_")]
    keys = [column for column in table.columns if column not in ("tenure", *counts)]
    if not keys:
        return table
    first = table.groupby(keys, sort=False, dropna=False)["tenure"].min().reset_index()
    missing = first.loc[first.index.repeat(first["tenure"].astype(int) - 1)]
    if missing.empty:
        return table
    missing = missing.assign(tenure=missing.groupby(level=0).cumcount() + 1, **dict.fromkeys(counts, 0))
    whole = pd.concat([missing, table])[list(table.columns)].sort_values([*keys, "tenure"], ignore_index=True)
    whole.attrs = table.attrs
    return whole.astype(table.dtypes.to_dict())
