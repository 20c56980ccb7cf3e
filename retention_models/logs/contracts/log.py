"""A contract log, read and checked: spells of customers, and how contracts came into the log.

The same rows mean different things in different logs. A log that follows every contract from its start shows survival
itself. A log that begins with the active contracts of one day holds only contracts that lasted until then (left
truncation). So the caller must give the sampling; it is never guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Unpack, get_args

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import check_choice, require_number, require_text, require_texts, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import read_day, require_end_near, require_time_zone
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.logs.contracts.contract_prices import count_prices
from retention_models.logs.contracts.rows import PRICE, open_contracts, require_some, scalars, select_usable
from retention_models.logs.contracts.spells import (
    SAID_OPEN,
    UNCAUSED,
    Overlaps,
    Rows,
    join_contracts,
    observe_spells,
    single_spells,
)
from retention_models.logs.set_aside import tally
from retention_models.tables.currencies import CURRENCY, currency_column
from retention_models.tables.days import Day, day_number
from retention_models.tables.files import naming
from retention_models.tables.frames import collect, on_engine
from retention_models.tables.text_files import Layout, with_layout
from retention_models.tables.text_forms import Stated

Sampling = Literal["acquisition", "active_on", "window"]

FURTHER = ("spells of customers who came back", "further contracts of the same customer, each a spell")
UNLIKELY = 10  # ends that should have come before the first one seen, from which on the sampling is doubted


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Spells(Presentation):
    """Checked contracts: one row per unbroken time as a customer.

    ``read_contracts`` creates it. The rows stay on the engine where they came from.

    Attributes
    ----------
    frame
        A frame of the source's engine; for files a DuckDB relation. Columns: ``customer_id``, ``spell`` (1 for the
        first of the customer), ``start``, ``end`` (missing if active), ``entry`` and ``tenure`` (days from the start to
        the begin and to the end of observation), ``churned``, ``cause`` if there is one, the covariates, and ``price``
        if the log has prices. The price is what the customer pays at the end of observation; it is missing if the spell
        has ended.
    rows
        Number of spells in ``frame``.
    sampling
        How contracts came into the log, as in ``read_contracts``.
    observation_start, observation_end
        First and last day of observation; the first is None if each contract is observed from its start.
    has_cause
        Whether the log has causes of churn.
    covariates
        Names of the covariate columns.
    set_aside
        Number of contracts that do not count, by reason.
    settled
        Number of contracts to which a rule was applied, by rule.
    checks
        Whether survival is known from the start, and whether the log fits its sampling.
    formats
        The form of days in text that are not ISO 8601, and of prices, as in ``read_transactions``.
    price
        Name of the column of prices in the log; None without one.
    """

    frame: Any = field(repr=False)
    rows: int
    sampling: Sampling
    observation_start: dt.date | None
    observation_end: dt.date
    has_cause: bool
    covariates: tuple[str, ...]
    set_aside: Mapping[str, int]
    settled: Mapping[str, int]
    checks: tuple[Check, ...]
    formats: Mapping[str, str] = field(default_factory=dict)
    price: str | None = None

    def _parts(self) -> Sequence[Part]:
        since = f"from {self.observation_start} " if self.observation_start else ""
        headline = f"{self.rows:,} spells, sampling {self.sampling}, observed {since}to {self.observation_end}."
        counts = {"Set aside": self.set_aside, "Settled": self.settled}
        lines = [f"{what}: {counted(count)}." for what, count in counts.items() if count]
        return [headline, *lines, *(str(check) for check in self.checks if not check.passed)]


def read_contracts(
    source: Any,
    *,
    sampling: Sampling,
    observation_end: str | dt.date,
    observation_start: str | dt.date | None = None,
    customer_id: str = "customer_id",
    start: str = "start",
    end: str = "end",
    cause: str | None = None,
    covariates: str | Sequence[str] = (),
    price: str | None = None,
    overlaps: Overlaps = "join",
    join_within: int = 1,
    time_zone: str | None = None,
    max_set_aside: float = 0.2,
    date_format: str | None = None,
    decimal: str | None = None,
    **layout: Unpack[Layout],
) -> Spells:
    """A contract log, checked: one row per unbroken time as a customer (a spell).

    Parameters
    ----------
    source
        A frame or the path of files, as in ``read_transactions``; one row a contract. A missing ``end`` means that the
        contract is active, and so does what people write for none: NULL, n/a, -, 0000-00-00, 1900-01-01.
    sampling
        How contracts came into the log. ``"acquisition"``: all contracts, each from its start. ``"active_on"``: the
        contracts active on ``observation_start``, and all later ones. ``"window"``: the contracts active on
        ``observation_end``, and those that ended since ``observation_start``. With the last two, each contract counts
        from ``observation_start`` on (left truncation).
    observation_end
        Last day of observation, usually the day of the extract. A contract that ends later counts as active.
    observation_start
        First day of observation; required with ``"active_on"`` and ``"window"``, and not allowed with
        ``"acquisition"``. A contract that ended on this day or before is set aside.
    customer_id, start, end
        Column names of the customer and of the first and last day of the contract.
    cause
        Column name of the cause of churn. By default the log has no causes.
    covariates
        Columns to keep, with their values at the start of the spell. By default none.
    price
        Column name of the price of one payment of each contract, read as amounts are in ``read_transactions``. All
        prices are of one billing period: read monthly and yearly contracts apart, and fit each on its own. Contracts
        that run at the end of observation need a price of 0 or more. By default the log has no prices.
    overlaps
        ``"join"`` (the default): contracts of a customer that overlap or follow each other form one spell, which ends
        with the last of them. ``"keep"``: each contract is a spell. ``"error"``: overlaps raise an error; contracts
        that follow each other form one spell.
    join_within
        Longest gap between two contracts of one spell, in days. By default 1.
    time_zone
        The time zone of the calendar, such as ``"Europe/Berlin"``. Dates with a zone are converted to it. By default
        each date keeps its own zone.
    max_set_aside
        Largest share of the rows that may be set aside because it cannot be read. By default 0.2.
    date_format
        How days are written in text: a format such as ``"%d/%m/%Y"``, or ``"iso"``, ``"unix_s"``, ``"unix_ms"``,
        ``"unix_days"`` (seconds, milliseconds, days since 1970) or ``"excel"``. By default the column shows it.
    decimal
        The decimal mark of prices in text, ``"."`` or ``","``. By default the column shows it.
    **layout
        Layout of a file of text: ``separator``, ``no_header``, ``encoding``, as in ``read_transactions``.

    Returns
    -------
    Spells
        The spells (``frame``), the days of observation, the numbers of contracts set aside and settled by rules, and
        checks.

    Raises
    ------
    ValueError
        When columns are missing, the days contradict the sampling, contracts overlap that must not, no row is left, or
        more than ``max_set_aside`` cannot be read. When a running contract has no price of 0 or more, or prices have
        several currencies.

    Notes
    -----
    A customer who comes back starts a new spell, numbered in ``spell``. An end without a cause has the cause
    ``"unknown"``. Both are counted in ``settled``.

    The price of a spell is that of the contract that runs at the end of observation. Several contracts of one spell
    that run then are paid side by side: their prices are added, and ``settled`` counts them, as it does free contracts.

    If expensive contracts end sooner, one model for all customers values them too high. A column of price bands is then
    a covariate, for ``retention_table(by=...)`` and ``fit(by=...)``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Bob", "Bob", "Cem"],
    ...     "start": ["2023-01-15", "2023-02-01", "2023-08-01", "2023-03-10"],
    ...     "end": ["2023-06-14", "2023-04-30", None, "2023-01-01"],
    ... })
    >>> spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-12-31", max_set_aside=0.25)
    >>> spells.set_aside, spells.settled
    ({'contracts that end before they start': 1}, {'spells of customers who came back': 1})
    >>> spells.frame[["customer_id", "spell", "entry", "tenure", "churned"]]
      customer_id  spell  entry  tenure  churned
    0         Ann      1      0     150     True
    1         Bob      1      0      88     True
    2         Bob      2      0     152    False
    """
    source = with_layout(source, **layout)
    check_choice("sampling", sampling, get_args(Sampling))
    check_choice("overlaps", overlaps, get_args(Overlaps))
    require_whole("join_within", join_within, 0)
    require_number("max_set_aside", max_set_aside, 0, 1)
    require_time_zone(time_zone)
    kept = (covariates,) if isinstance(covariates, str) else tuple(dict.fromkeys(covariates))
    require_texts("covariates", kept, "['plan']")
    columns = {"customer_id": customer_id, "start": start, "end": end, "cause": cause, "price": price}
    for role, column in columns.items():
        if column is not None or role not in ("cause", "price"):
            require_text(role, column)
    begin, until = _observation_window(sampling, observation_start, observation_end)
    roles = {"customer_id": customer_id, "start": start, "end": end} | ({"cause": cause} if cause else {})
    with naming(source):
        log, formats, unread = open_contracts(source, roles, kept, time_zone, Stated(date_format, decimal), price)
        contracts, set_aside, nearly_all = select_usable(log, roles, until, time_zone, max_set_aside, unread)
        counts = {"rows": nw.len(), "customers": nw.col("customer_id").n_unique(), "open": tally(nw.col("said_open"))}
        size = scalars(contracts, **counts)
        currency = currency_column(source).get(CURRENCY) if price else None
        running, free = count_prices(contracts, until, price, unread, currency) if price else (0, 0)
        has_several = size["customers"] < size["rows"]
        whole = join_contracts(contracts, overlaps, join_within, until) if has_several else single_spells(contracts)
        spells = observe_spells(whole, begin, until)
        facts = _facts(spells)
    _check_overlaps(facts, overlaps)
    first = dt.date.fromordinal(facts["first_start"])
    last = dt.date.fromordinal(max(facts["last_start"], facts["last_end"]))
    require_end_near(until, first, last, "start or end of a contract")
    if facts["all"] > facts["spells"]:
        set_aside[f"spells that ended by {begin}, before observation began"] = facts["all"] - facts["spells"]
    require_some(facts["spells"], set_aside)
    settled = {
        SAID_OPEN: size["open"],
        f"spells that end after {until}, still running then": facts["later"],
        UNCAUSED: facts["uncaused"],
        "contracts joined to another of the same customer": size["rows"] - facts["all"],
        FURTHER[overlaps == "keep"]: facts["returns"],
        "running contracts with a price of 0": free,
        "running contracts beside another of the same customer, prices added": running and running - facts["active"],
    }
    return Spells(
        frame=_output_frame(spells, source, cause is not None, (*kept, *([PRICE] if price else []))),
        rows=facts["spells"],
        sampling=sampling,
        observation_start=begin,
        observation_end=until,
        has_cause=cause is not None,
        covariates=kept,
        set_aside=set_aside,
        settled={rule: count for rule, count in settled.items() if count},
        checks=(_check_origin(facts), _check_sampling(spells, facts, sampling, begin), nearly_all),
        formats=formats,
        price=price,
    )


def truncate_spells(spells: Spells, day: str | dt.date) -> Spells:
    """The same spells as known on an earlier day: later starts and ends are not yet known, and no prices of then."""
    if not isinstance(spells, Spells):
        raise TypeError(f"an earlier day needs contracts with dates, from read_contracts; got {type(spells).__name__}")
    until = read_day("day", day)
    if not (spells.observation_start or dt.date.min) < until <= spells.observation_end:
        raise ValueError(f"day must lie within the observation, which ends on {spells.observation_end}; got {until}")
    rows = on_engine(spells.frame)
    first = Day.in_column("start").number
    churned = nw.col("churned") & (first + nw.col("tenure") <= day_number(until))
    gone = nw.when(nw.col("_churned"))
    rows = rows.filter(first <= day_number(until)).with_columns(_churned=churned, _first=first)
    changed = {
        "tenure": gone.then(nw.col("tenure")).otherwise(day_number(until) - nw.col("_first")),
        "end": gone.then(nw.col("end")),
        "churned": nw.col("_churned"),
    } | ({"cause": gone.then(nw.col("cause"))} if spells.has_cause else {})
    rows = rows.with_columns(**changed).filter(nw.col("tenure") >= nw.col("entry"))
    rows = rows.drop("_churned", "_first", *([PRICE] if spells.price else []))
    count = scalars(rows, rows=nw.len())["rows"]
    require_some(count, {f"contracts that start after {until}": spells.rows})
    frame = collect(rows) if isinstance(spells.frame, pd.DataFrame) else rows.to_native()
    return replace(spells, frame=frame, rows=count, observation_end=until, price=None)


def _observation_window(
    sampling: Sampling, begin: str | dt.date | None, until: str | dt.date
) -> tuple[dt.date | None, dt.date]:
    """The first day observed, which the one sampling forbids and the others need, and the last."""
    if sampling == "acquisition" and begin is not None:
        raise ValueError(
            "sampling 'acquisition' follows contracts from their starts; observation_start is for the others"
        )
    if sampling != "acquisition" and begin is None:
        raise ValueError(f"sampling {sampling!r} needs observation_start, the first day from which the log is complete")
    last = read_day("observation_end", until)
    first = None if begin is None else read_day("observation_start", begin)
    if first is not None and first >= last:
        raise ValueError(f"observation_start {first} does not lie before observation_end {last}")
    return first, last


def _facts(spells: Rows) -> dict[str, int]:
    """What one pass over the spells tells, of those in view unless said otherwise."""
    seen, start = nw.col("in_view"), Day.in_column("start").number

    def count(rows: nw.Expr) -> nw.Expr:
        return tally(seen & rows)

    facts = {
        "all": nw.len(),
        "spells": tally(seen),
        "overlaps": tally(nw.col("overlaps")),
        "later": count(nw.col("later")),
        "returns": count(nw.col("spell") > 1),
        "ended": count(nw.col("churned")),
        "active": count(~nw.col("churned")),
        "from_start": count(nw.col("entry") == 0),
        "middle_end": nw.when(seen & nw.col("churned")).then(nw.col("tenure")).median(),
        "first_entry": nw.when(seen).then(nw.col("entry")).min(),
        "first_start": start.min(),
        "last_start": start.max(),
        "last_end": nw.when(seen & nw.col("churned")).then(nw.col("last_day")).max(),
        "first_end": nw.when(seen & nw.col("churned")).then(nw.col("last_day")).min(),
    }
    if "uncaused" in spells.collect_schema().names():
        facts["uncaused"] = count(nw.col("uncaused"))
    return {"uncaused": 0, **scalars(spells, **facts)}


def _check_overlaps(facts: Mapping[str, int], overlaps: Overlaps) -> None:
    if overlaps == "error" and facts["overlaps"]:
        raise ValueError(
            f"contracts of the same customer overlap in {facts['overlaps']:,} spells, which overlaps='error' forbids; "
            "choose 'join' or 'keep', or correct the log"
        )


def _output_frame(spells: Rows, source: Any, has_cause: bool, further: Sequence[str]) -> Any:
    """The spells in view with the columns that are promised, in pandas if the log was."""
    names = ["customer_id", "spell", "start", "end", "entry", "tenure", "churned"]
    kept = spells.filter(nw.col("in_view")).select(*names, *(["cause"] if has_cause else []), *further)
    if not isinstance(source, pd.DataFrame):
        return kept.to_native()
    return collect(kept).sort_values(["customer_id", "spell"], ignore_index=True)


def _check_origin(facts: Mapping[str, int]) -> Check:
    """Whether survival is known from the start of a contract, or only from some tenure on."""
    if facts["from_start"]:
        detail = f"{facts['from_start']:,} of {facts['spells']:,} spells were observed from their start."
    else:
        detail = (
            f"The youngest spell had lasted {facts['first_entry']:,} days when observation began. The log does not "
            "show how many customers leave before that. Survival is that of customers who stayed so long."
        )
    return Check("Start of observation", facts["from_start"] > 0, detail=detail)


def _check_sampling(spells: Rows, facts: Mapping[str, int], sampling: Sampling, begin: dt.date | None) -> Check:
    """Whether the log holds ends where the sampling says that it would.

    One followed from the start should, in the days before its first end, have seen as many spells older than half of
    those that end do come to an end as it did later.
    """
    name = "Sampling of the log"
    if begin is not None:
        ended = facts["all"] - facts["spells"]
        detail = f"{ended:,} spells ended by {begin}, which a log of sampling {sampling!r} would not hold"
        doubt = f"Correct observation_start, if observation began before {begin}, or state sampling 'acquisition'."
        unit = "ends before observation"
        return Check(name, ended == 0, float(ended), 0.0, unit, detail=f"{detail}.", remedy=doubt)
    if facts["ended"] == 0:
        return Check(name, None, detail="No contract has ended.")
    old = nw.col("tenure") - facts["middle_end"]
    old_before = nw.min_horizontal(facts["first_end"] - nw.col("first_day") - facts["middle_end"], old)
    days = scalars(spells, all=_positive_part(old).sum(), before=_positive_part(old_before).sum())
    expected = facts["ended"] / 2 * days["before"] / max(days["all"] - days["before"], 1)
    first = dt.date.fromordinal(facts["first_end"])
    detail = f"The first contract to end did so on {first}; at the later rate, {expected:,.0f} should have ended before"
    looks = " A log of the contracts that run on one day looks like that, and so does a snapshot of one period's ends."
    return Check(
        name,
        expected < UNLIKELY,
        size=float(expected),
        limit=float(UNLIKELY),
        unit="ends missing before the first one",
        detail=f"{detail}.{looks if expected >= UNLIKELY else ''}",
        remedy="State the sampling of the log, and the day on which observation began.",
    )


def _positive_part(number: nw.Expr) -> nw.Expr:
    return nw.when(number > 0).then(number).otherwise(0)
