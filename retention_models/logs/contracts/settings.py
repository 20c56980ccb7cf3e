"""Settings for the analysis of a contract log, chosen from the log, each with its reason.

The log shows the last day of observation, the length of a contract, and how far a forecast can look. It does not show
how contracts came into it. Only if starts and ends fit a log that follows each contract from its start, this is
assumed, and the reason says so. Otherwise the caller must answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Unpack

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import require_renewals
from retention_models.core.formatting import Part, Presentation, number_of
from retention_models.logs.contracts.last_day import choose_observation_end, contract_period
from retention_models.logs.contracts.log import Sampling, Spells, read_contracts
from retention_models.logs.contracts.retention import durations
from retention_models.logs.contracts.rows import open_contracts, select_usable
from retention_models.logs.contracts.snapshot import Snapshot
from retention_models.logs.contracts.spells import Rows
from retention_models.logs.contracts.tenure_settings import (
    choose_snapshot_renewals,
    read_tenure_log,
    snapshot_reasons,
)
from retention_models.logs.contracts.tenures import TenureUnit
from retention_models.tables.days import NEVER, Period, check_period, period_offset
from retention_models.tables.files import naming
from retention_models.tables.frames import collect
from retention_models.tables.text_files import Layout, with_layout
from retention_models.tables.text_forms import Stated

LONGEST: Mapping[Period, int] = {"M": 12, "Y": 5}  # renewals ahead
ENOUGH = 30  # contracts ended by an earlier day, for a forecast to be made then
ORIGINS = 4
GROUPS = 12


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContractSettings(Presentation):
    """A contract log as read, and settings for its analysis, with the reason for each choice.

    ``choose_settings`` creates it.

    Attributes
    ----------
    spells
        The contracts, as ``read_contracts`` returns them; or the ``Snapshot``, if the log is a table of tenures.
    period
        Length of a contract: ``"M"``, ``"Y"`` or a number of days.
    renewals
        Number of renewals that the forecast covers.
    origins
        Earlier days for a backtest; empty if the log is too short, and for a snapshot.
    reasons
        One sentence or more for each setting, by its name.
    """

    spells: Spells | Snapshot = field(repr=False)
    period: Period
    renewals: int
    origins: tuple[dt.date, ...]
    reasons: Mapping[str, str]

    def _parts(self) -> Sequence[Part]:
        return [list(self.reasons.values())]


def contract_settings(
    source: Any,
    *,
    sampling: Sampling | None = None,
    observation_start: str | dt.date | None = None,
    observation_end: str | dt.date | None = None,
    period: Period | None = None,
    renewals: int | None = None,
    customer_id: str = "customer_id",
    start: str = "start",
    end: str = "end",
    cause: str | None = None,
    covariates: str | Sequence[str] = (),
    price: str | None = None,
    time_zone: str | None = None,
    tenure: str | None = None,
    churned: str | None = None,
    tenure_unit: TenureUnit | None = None,
    window: int | None = None,
    max_set_aside: float = 0.2,
    date_format: str | None = None,
    decimal: str | None = None,
    **layout: Unpack[Layout],
) -> ContractSettings:
    """A contract log as read, and settings for it: given options stay, all others are chosen from the log.

    Parameters
    ----------
    source
        A contract log, as for ``read_contracts``.
    sampling, customer_id, start, end, cause, covariates, price, time_zone, max_set_aside, date_format, decimal
        As in ``read_contracts``. By default the sampling is ``"acquisition"``, if the log fits it.
    observation_start, observation_end
        First and last day of observation, as in ``read_contracts``. By default the last day is chosen from the log.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days.
    renewals
        Number of renewals that the forecast covers.
    tenure, churned
        Columns of a table of tenures without dates, as in ``retention_table_from_tenures``. It needs ``sampling``
        (``"acquisition"`` or ``"window"``, as in ``read_snapshot``) and ``observation_end``, the day of the table.
    tenure_unit
        Unit of ``tenure``: ``"D"`` (days), ``"W"`` (weeks), ``"M"`` (months) or ``"Y"`` (years). By default tenures are
        in periods. The period is then a month, or a year if tenures are in years.
    window
        For a table of tenures with sampling ``"window"``: number of periods before ``observation_end`` in which the
        churned customers left. By default 1.
    **layout
        Layout of a file of text: ``separator``, ``no_header``, ``encoding``, as in ``read_transactions``.

    Returns
    -------
    ContractSettings
        The spells, the settings, and the reason for each.

    Raises
    ------
    ValueError
        As ``read_contracts`` raises it. When no customer left. When the log does not show how contracts came into it,
        or whether its ends are facts or plans.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> from retention_models.logs.contracts.settings import contract_settings
    >>> business = rm.scenario.subscriptions(np.random.default_rng(1), customers=3_000)
    >>> print(contract_settings(business.contracts))
    Observation ends on 2024-12-28, the last day on which a contract started or ended.
    The log is taken to hold each contract from its start, whatever became of it (sampling 'acquisition'). Nobody said
    otherwise, and the log looks like that: starts are from 2021-01-01 to 2024-12-28, and ends from 2021-02-14 on.
    Time is counted in months.
    The forecast looks 12 renewals ahead; at 3 earlier days the same forecast can be held against what came.
    """
    source = with_layout(source, **layout)
    if renewals is not None:
        require_renewals("renewals", renewals, 1)
    if period is not None:
        check_period(period)
    if tenure is not None or churned is not None:
        dated = {"start": start, "end": end, "customer_id": customer_id, "time_zone": time_zone}
        usual = signature(contract_settings).parameters
        if ignored := [name for name, column in dated.items() if column != usual[name].default]:
            raise ValueError(
                f"{', '.join(ignored)} belongs to a log with dates, and tenure and churned to a table of tenures; "
                "state only one of them"
            )
        return _settings_from_tenures(
            source,
            renewals,
            tenure or "tenure",
            churned=churned or "churned",
            sampling=sampling,
            observation_start=observation_start,
            observation_end=observation_end,
            period=period,
            tenure_unit=tenure_unit,
            window=1 if window is None else window,
            cause=cause,
            covariates=covariates,
            price=price,
            max_set_aside=max_set_aside,
            decimal=decimal,
        )
    if tenure_unit is not None or window is not None:
        raise ValueError(
            "tenure_unit and window belong to a table of tenures: name its column, tenure; a log with dates has "
            "observation_start instead of window"
        )
    roles = {"customer_id": customer_id, "start": start, "end": end} | ({"cause": cause} if cause else {})
    with naming(source):
        log, _, unread = open_contracts(source, roles, (), time_zone, Stated(date_format, decimal))
        contracts, unused, _ = select_usable(log, roles, dt.date.max, time_zone, max_set_aside, unread)
        starts, ends, running = _count_by_day(contracts, "first_day"), _count_by_day(contracts, "last_day"), 0
    if NEVER in ends.index:
        running, ends = int(ends[NEVER]), ends.drop(NEVER)
    until, until_reason = choose_observation_end(observation_end, starts, ends, running)
    seen = ends[ends.index <= until.toordinal()]
    if seen.empty:
        beside = "".join(f", beside {number_of(count, reason)}" for reason, count in unused.items())
        raise ValueError(
            f"none of {int(starts.sum()):,} contracts has ended by {until}{beside}: there is nothing to learn from yet "
            f"about when customers leave; is {end!r} the column of the ends, with days such as 2024-01-31?"
        )
    spells = read_contracts(
        source,
        sampling=sampling or "acquisition",
        observation_start=observation_start,
        observation_end=until,
        customer_id=customer_id,
        start=start,
        end=end,
        cause=cause,
        covariates=covariates,
        price=price,
        time_zone=time_zone,
        max_set_aside=max_set_aside,
        date_format=date_format,
        decimal=decimal,
    )
    if durations(spells)["churned"].all():
        raise ValueError(
            f"all of {spells.rows:,} contracts had ended by {until}: no customer is left to value. For contracts "
            f"that still run, {end!r} must be empty"
        )
    _check_groups(spells)
    sampling_reason = _describe_sampling(spells) if sampling else _assume_acquisition(spells, starts, seen, until)
    began = max(dt.date.fromordinal(int(starts.index[0])), spells.observation_start or dt.date.min)
    length, period_reason = contract_period(period, spells, (until - began).days)
    ahead, origins, forecast_reason = _choose_renewals(renewals, length, began, until, seen)
    reasons = {
        "observation_end": until_reason,
        "sampling": sampling_reason,
        "period": period_reason,
        "renewals": forecast_reason,
    }
    return ContractSettings(spells, length, ahead, origins, reasons)


def _settings_from_tenures(source: Any, renewals: int | None, tenure: str, **asked: Any) -> ContractSettings:
    """The settings for a table of tenures without dates."""
    snapshot = read_tenure_log(source, tenure=tenure, **asked)
    _check_groups(snapshot)
    ahead = renewals or choose_snapshot_renewals(snapshot, LONGEST.get(snapshot.period, 12))
    reasons = snapshot_reasons(snapshot, ahead, tenure, is_asked=renewals is not None)
    return ContractSettings(snapshot, snapshot.period, ahead, (), reasons)


def _check_groups(spells: Spells | Snapshot) -> None:
    """An error where a covariate has too many values for separate curves, or missing values."""
    for name in spells.covariates:
        values = durations(spells, by=name)[name]
        if values.isna().any() or values.nunique() > GROUPS:
            missing = " and is missing for some" if values.isna().any() else ""
            raise ValueError(
                f"column {name!r} has {values.nunique():,} values{missing}; grouping allows up to {GROUPS}, "
                "and by one for every contract"
            )


def _count_by_day(contracts: Rows, column: str) -> pd.Series:
    """How many contracts share each day, by its number, in order."""
    counts = collect(contracts.group_by(column).agg(contracts=nw.len()))
    return counts.set_index(column)["contracts"].sort_index()


def _describe_sampling(spells: Spells) -> str:
    words = {
        "acquisition": "Each contract is in the log from its start, whatever became of it (sampling 'acquisition')",
        "active_on": f"The log holds the contracts that ran on {spells.observation_start}, and those begun later "
        "(sampling 'active_on'); the time before that day is not held against them",
        "window": f"The log holds the contracts that ran on {spells.observation_end}, and those that ended since "
        f"{spells.observation_start} (sampling 'window'); only these days count, at whatever age they found a contract",
    }
    return f"{words[spells.sampling]}, as said."


def _assume_acquisition(spells: Spells, starts: pd.Series, ends: pd.Series, until: dt.date) -> str:
    """That contracts were followed from their starts, where the log bears it out; else the question."""
    first, last, first_end = (
        dt.date.fromordinal(int(day)) for day in (starts.index[0], starts[: until.toordinal()].index[-1], ends.index[0])
    )
    check = spells.checks[1]
    if check.passed is not True or 2 * (first_end - first) > until - first:
        raise ValueError(
            f"how did contracts come into this log? They start from {first} on, but the first end seen is on "
            f"{first_end}. If the log holds those that ran on a day, and those begun later: sampling 'active_on', with "
            "observation_start that day. If it holds today's and those that ended lately: sampling 'window', with "
            "observation_start the first day of 'lately'. If really none ended before: sampling 'acquisition'"
        )
    return (
        "The log is taken to hold each contract from its start, whatever became of it (sampling 'acquisition'). Nobody "
        f"said otherwise, and the log looks like that: starts are from {first} to {last}, and ends from {first_end} on."
    )


def _choose_renewals(
    asked: int | None, period: Period, began: dt.date, until: dt.date, ends: pd.Series
) -> tuple[int, tuple[dt.date, ...], str]:
    """How many renewals a forecast looks ahead, and the earlier days at which it can be made; and why."""
    offset, observed = period_offset(period), pd.Timestamp(until) - pd.Timestamp(began)
    length = (pd.Timestamp(until) - (pd.Timestamp(until) - offset)) / observed if observed else np.inf
    ahead = asked or int(np.clip(1 / (4 * length), 1, LONGEST.get(period, 12)))
    days = [(pd.Timestamp(until) - ahead * (k + 1) * offset).date() for k in range(ORIGINS)]
    enough = int(ends.index[int(np.searchsorted(ends.cumsum(), ENOUGH))]) if ends.sum() >= ENOUGH else NEVER
    earliest = pd.Timestamp(began) + 3 * offset
    origins = tuple(day for day in reversed(days) if day.toordinal() >= enough and pd.Timestamp(day) >= earliest)
    looks = f"The forecast looks {ahead} renewal{'s' * (ahead > 1)} ahead{', as asked' if asked else ''}"
    if not origins:
        return ahead, origins, f"{looks}; the log is too short to hold such a forecast against what came."
    times = f"{len(origins)} earlier day{'s' * (len(origins) > 1)}"
    return ahead, origins, f"{looks}; at {times} the same forecast can be held against what came."
