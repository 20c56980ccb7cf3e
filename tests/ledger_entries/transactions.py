"""Logs of purchases: reading, reducing, describing; each on every engine."""

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each
from ledger_entries.inputs import CUT, END, customers, engines, logs, untidy
from retention_models.logs.transactions.checks import accounts, regularity
from retention_models.logs.transactions.describe import cohorts, rfm, rhythm
from retention_models.narrative import business, overviews


def within(log):
    return rm.read_transactions(log).window(**DAYS)


DAYS = {"acquired_after": "1997-01-10", "observation_end": "1998-05-31"}
COLUMNS = {"customer_id": "user", "date": "ts", "amount": "total"}


def on_each(name, function):
    """An entry that reads the CDNOW log on every engine."""
    entry(f"logs.{name}")(lambda: each(function, logs()))


def on_untidy(name, function):
    entry(f"logs.untidy.{name}")(lambda: each(function, engines(untidy(), "untidy")))


on_each("read", rm.read_transactions)
on_each("summarize", lambda log: rm.summarize(log, calibration_end=CUT))
on_each("summarize_days", lambda log: rm.summarize(log, time_unit="D", amount=None, **DAYS))
on_each("summarize_long", lambda log: rm.summarize(log, time_unit="30D", granularity="W"))
on_each("histories", lambda log: rm.logs.histories(log, calibration_end=CUT))
on_each("histories_plain", lambda log: rm.logs.histories(log, amount=None, time_unit="D", **DAYS))
on_each("log_start", lambda log: rm.logs.check_log_start(rm.read_transactions(log)))
on_each("log_start_within", lambda log: rm.logs.check_log_start(rm.read_transactions(log), calibration_end=CUT, **DAYS))
on_each("settings", lambda log: rm.logs.choose_settings(rm.read_transactions(log)))
on_each(
    "settings_asked", lambda log: rm.logs.choose_settings(rm.read_transactions(log), time_unit="D", horizon=90, **DAYS)
)
on_each("overview", lambda log: overviews.overview(within(log), name="a log"))
on_each("accounts", lambda log: accounts.large_accounts(rm.read_transactions(log), share=0.002))
on_each("accounts_check", lambda log: accounts.check_accounts(within(log)))
on_each("business", lambda log: business.business_traits(within(log)))
on_each("regularity", lambda log: regularity.check_regularity(rm.read_transactions(log).window(observation_end=END)))
on_each("regularity_spread", lambda log: regularity.middle_purchase_spread(rm.read_transactions(log)))
on_each("segments", lambda log: rfm.rfm_segments(within(log)))
on_each("daily", lambda log: cohorts.daily_purchases(within(log), granularity="W"))
on_each("suitable_period", lambda log: rhythm.suitable_period(rm.read_transactions(log)))
on_each("gaps", lambda log: rhythm.purchase_gaps(rm.read_transactions(log)))
on_each("second_purchase", lambda log: rhythm.time_to_second_purchase(within(log)))

for unit, period in {"week": "W", "month": "M", "quarter": "Q"}.items():
    on_each(f"periods.{unit}", lambda log, period=period: cohorts.purchases_per_period(within(log), period=period))
    on_each(f"cohorts.{unit}", lambda log, period=period: cohorts.cohort_retention(within(log), period=period))
for unit in ("month", "weekday"):
    on_each(f"season.{unit}", lambda log, unit=unit: rhythm.season(within(log), by=unit))
for unit in ("W", "M", "Q"):
    end = {"W": "1998-05-31", "M": END, "Q": END}[unit]
    on_each(
        f"opportunities.{unit}",
        lambda log, unit=unit, end=end: rm.logs.opportunities(log, period=unit, observation_end=end),
    )
CUT_IN_MONTHS = {"period": "M", "calibration_end": CUT, "observation_end": END}
on_each("opportunities.holdout", lambda log: rm.logs.opportunities(log, **CUT_IN_MONTHS))

on_untidy("read", lambda log: rm.read_transactions(log, **COLUMNS))
on_untidy("read_net", lambda log: rm.read_transactions(log, **COLUMNS, refunds="net"))
on_untidy("summarize", lambda log: rm.summarize(log, **COLUMNS, calibration_end="2023-07-31"))
on_untidy("summarize_net", lambda log: rm.summarize(log, **COLUMNS, refunds="net", time_unit="D"))
on_untidy("summarize_zeros", lambda log: rm.summarize(log, **COLUMNS, zeros="set_aside"))
on_untidy("histories", lambda log: rm.logs.histories(log, **COLUMNS))
on_untidy("regularity", lambda log: regularity.check_regularity(rm.read_transactions(log, **COLUMNS)))


@entry("logs.retention_by_age")
def retention_by_age():
    return cohorts.retention_by_age(cohorts.cohort_retention(rm.read_transactions(logs()["pandas"])))


@entry("logs.second_purchase_watched")
def well_watched():
    second = rhythm.time_to_second_purchase(rm.read_transactions(logs()["pandas"]))
    return Parts(rows=rhythm.well_watched(second), half=rhythm.days_until(second["share"], 0.3))


@entry("logs.cohort_labels")
def cohort_labels():
    return each(lambda period: cohorts.cohort_labels(customers(), period), Parts(week="W", month="M"))


@entry("logs.compress")
def compress():
    sources = engines(customers()[["frequency", "recency", "T"]].reset_index(), "customers")
    return each(rm.logs.compress, Parts({name: sources[name] for name in ("pandas", "polars", "duckdb")}))
