"""Logs of contracts: reading, reducing, tenures, choices; each on every engine."""

from functools import cache

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import each
from ledger_entries.inputs import READING, business, contract_logs, engines, kept, snapshot, spells
from retention_models.logs.contracts.calendar_events import with_calendar
from retention_models.logs.contracts.log import truncate_spells
from retention_models.logs.contracts.retention import durations, renewals_since
from retention_models.logs.contracts.snapshot import read_snapshot
from retention_models.narrative.overviews import contract_overview

WINDOW = {"sampling": "window", "observation_start": "2022-01-01"}


def read(source, **asked):
    return rm.read_contracts(source, **READING | {"observation_end": business().observation_end} | asked)


def on_each(name, function):
    entry(f"logs.contracts.{name}")(lambda: each(function, contract_logs()))


def on_spells(name, function):
    """An entry that starts from the contracts as every engine has read them."""
    entry(f"logs.contracts.{name}")(lambda: each(function, spells_of_each()))


@cache
def spells_of_each():
    return each(read, contract_logs())


on_each("read", read)
on_each("read_active_on", lambda log: read(log, sampling="active_on", observation_start="2022-06-30"))
on_each("read_window", lambda log: read(log, **WINDOW))
on_each("read_nearby", lambda log: read(log, join_within=40))
on_spells("table.month", lambda log: rm.retention_table(log, period="M"))
on_spells("table.year", lambda log: rm.retention_table(log, period="Y", by="plan"))
on_each("table.days", lambda log: rm.retention_table(read(log, **WINDOW), period=30))
on_spells("active", lambda log: rm.logs.active_customers(log, period="M", by="plan"))
on_spells("durations", lambda log: durations(log, by="plan"))
on_spells("as_of", lambda log: rm.retention_table(truncate_spells(log, "2023-06-30"), period="M"))
on_spells("renewals_since", lambda log: renewals_since(log, "2023-06-30", period="M", renewals=6))
on_each("settings", lambda log: rm.logs.choose_settings(log, start="start", cause="cause", covariates=["plan"]))
on_each(
    "settings_asked",
    lambda log: rm.logs.choose_settings(log, start="start", period="Y", renewals=2, observation_end="2024-06-30"),
)
on_spells("overview", lambda log: contract_overview(log, name="contracts"))

entry("logs.contracts.calendar")(lambda: with_calendar(kept()))
entry("logs.contracts.checks")(lambda: spells().checks)


def on_snapshot(name, function):
    entry(f"logs.tenures.{name}")(lambda: each(function, engines(snapshot(), "snapshot")))


on_snapshot("acquisition", lambda log: rm.logs.retention_table_from_tenures(log, sampling="acquisition"))
on_snapshot("window", lambda log: rm.logs.retention_table_from_tenures(log, sampling="window", by="plan"))
on_snapshot(
    "read", lambda log: read_snapshot(log, sampling="window", observation_end="2024-06-30", covariates=["plan"])
)
on_snapshot(
    "settings",
    lambda log: rm.logs.choose_settings(
        log, tenure="tenure", churned="churned", sampling="window", observation_end="2024-06-30", covariates=["plan"]
    ),
)
