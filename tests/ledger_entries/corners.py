"""What ordinary data do not reach: vague fits, counts without spread, other time zones, lumps, foreign models."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

import retention_models as rm
from ledger_entries import entry
from ledger_entries.contract_models import MODELS
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.inputs import (
    active,
    cdnow,
    contracts,
    customers,
    engines,
    fits,
    fitted,
    log,
    published,
    shop,
    spells,
)
from ledger_entries.value import MONTHLY, YEARLY
from retention_models import evaluation
from retention_models.core import formatting
from retention_models.fitting import spell_curves
from retention_models.logs.transactions.checks import accounts
from retention_models.value import contracts as contract_values


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


PAIR = ("none", "mail")


@entry("corners.vague_contracts")
def vague():
    """Intervals from the profile of the likelihood, where standard errors will not do."""
    table = published().head(3).assign(at_risk=[60, 38, 28], lost=[22, 10, 6])
    fit, people = rm.fit(rm.BetaDiscreteWeibull, table), pd.DataFrame({"tenure": [1, 2, 3], "weight": [10, 6, 4]})
    return Parts(
        table=fit.table(),
        notes=fit.notes,
        forecast=rm.forecast_retention(fit, people, renewals=4),
        total=rm.total_value(fit, people, YEARLY),
        mean_rate=contract_values.mean_rate_model(fit),
    )


@entry("corners.no_spread")
def no_spread():
    """Nobody in one arm did it, and everybody in the other."""
    counts = pd.DataFrame({"arm": PAIR, "n": [90, 110], "bought": [0, 110]})
    test = rm.Experiment.from_counts(counts, rm.Plan(assigned_by="random", control="none"), outcome="bought")
    rows = pd.DataFrame({"arm": ["none", "mail"] * 30, "tenure": 5, "churned": False})
    kept = rm.contract_experiment(rows, rm.Plan(assigned_by="random", control="none"), arm="arm", time_unit="M")
    return Parts(
        counts=rm.differences(test, rm.Outcome(column="bought", unit="share of customers")),
        lifts=tried(rm.differences, test, rm.Outcome(column="bought"), scale="ratio"),
        kept=tried(rm.interventions.retention_difference, kept, horizon=4),
        time=tried(rm.interventions.rmst_difference, kept, horizon=4),
    )


@entry("corners.time_zones")
def time_zones():
    instants = pd.date_range("2024-03-30 22:00", periods=300, freq="7h", tz="UTC")
    rows = pd.DataFrame({"customer_id": np.arange(300) % 40, "date": instants, "amount": 10.0})
    return each(
        lambda source: rm.summarize(source, time_zone="America/New_York", observation_end="2024-06-30"),
        engines(rows, "instants"),
    )


@entry("corners.large_account")
def large_account():
    many = cdnow().assign(customer_id=lambda d: np.where(d["customer_id"] % 20 == 0, 20, d["customer_id"]))
    return Parts(rows=accounts.large_accounts(many), check=accounts.check_accounts(rm.read_transactions(many)))


@entry("corners.simulated_law")
def simulated_law():
    """A statistic whose law is drawn, where halves of the customers do not settle it."""
    people, rng = customers().iloc[::40], np.random.default_rng(1)
    one, other = rm.fit(rm.NBD, people), rm.fit(rm.ParetoNBD, people)
    return Parts(
        drawn=tried(rm.fitting.likelihood_ratio, one, other, people, replicates=3, rng=rng),
        bounded=tried(rm.fitting.likelihood_ratio, one, other, people, replicates=0),
    )


@entry("corners.compare_without_holdout")
def without_holdout():
    table = customers()[["frequency", "recency", "T"]]
    return evaluation.compare(fits(), table, replicates=0)


@entry("corners.regular_buyers")
def regular_buyers():
    """Present values where so many stages are passed that single ones cannot be told."""
    model = rm.MBGCNBD(r=2.0, alpha=0.01, a=0.8, b=9.0, k=3)
    rate, horizon = np.array([1e-4, 1e-2]), np.array([50.0, 500.0])
    return Parts(
        within=model.discounted_expected_purchases_new(rate, horizon=horizon),
        ever=model.discounted_expected_purchases_new(rate),
        expected=model.expected_purchases_new(horizon),
    )


@entry("corners.opportunities_rolling")
def rolling_opportunities():
    def table():
        quarter = rm.Terms(horizon=3, time_unit="M")
        return evaluation.backtest(log(), rm.BGBB, quarter, origins=["1997-09-30", "1997-12-31"]).table

    return tried(table)


@entry("corners.contracts_ended")
def all_ended():
    """A log in which every contract has an end, or none began of late."""
    ended = contracts().dropna(subset="end")
    early = contracts()[pd.to_datetime(contracts()["start"]) < "2023-01-01"]
    return each(lambda log: rm.logs.choose_settings(log, start="start"), Parts(ended=ended, early=early))


@entry("corners.foreign_models")
def foreign():
    """Survival from an object that is none of ours."""
    people = active().head(20)

    def curves(customers, times=None):
        times = np.arange(400) if times is None else np.asarray(times)
        return pd.DataFrame(0.97 ** times[:, None] * np.ones(len(customers)), index=times)

    model = SimpleNamespace(predict_survival_function=curves, durations=pd.Series([1.0, 60.0]))
    terms = rm.Terms(annual_discount_rate=0.1, billing_period="M", horizon=12)
    return Parts(
        each=tried(rm.customer_value, model, people, terms),
        total=tried(rm.total_value, model, people, terms),
        endless=tried(rm.customer_value, model, people, MONTHLY),
    )


@entry("corners.customer_numbers")
def other_spelling():
    """The log spells customers as text, the assignments as numbers."""
    days = {"horizon_days": shop().horizon_days, "offer_days": shop().offer_days}
    orders = shop().transactions.assign(customer_id=lambda d: d["customer_id"].astype(str))
    return tried(rm.purchase_outcomes, orders, shop().mailing.rows, **days)


@entry("corners.truth_beside")
def beside():
    days = {"horizon_days": shop().horizon_days, "offer_days": shop().offer_days}
    rows = rm.purchase_outcomes(shop().transactions, shop().mailing.rows, **days)
    roles = {"outcome": ["bought", "purchases"], "customer_id": "customer_id"}
    campaign = rm.interventions.read_campaign(
        rows, **roles, **stated(), control="none", horizon=56, time_unit="D", assigned_by="random"
    )
    return shop().mailing.beside(rm.evidence_table(campaign.effects).table)


@entry("corners.written_numbers")
def written():
    values = [0.0, 1e-9, 0.00123456, 0.5, 1.0, 12.345, 999.95, 1234567.0, -0.0004, np.inf, np.nan]
    table = rm.predict_total(fitted("ParetoNBD"), customers(), 39.0)
    return Parts(
        digits=[formatting.three_digits(value) for value in values],
        alike=formatting.format_together(1.234, 12.34, 123.4),
        interval=formatting.with_interval(12.345, 10.1, 14.98),
        frame=formatting.with_intervals(pd.DataFrame(table)),
        tenures=spell_curves.round_tenures(rm.fitting.survival_curves(spells())),
    )


@entry("corners.shown")
def shown():
    """Results as text and as HTML."""
    results = Parts(
        fit=fitted("ParetoNBD"),
        groups=rm.fit(rm.BGNBD, customers(), by="cohort"),
        comparison=evaluation.compare(fits(), customers(), replicates=0),
        contracts=rm.fitting.select_contract_model(published()),
        settings=rm.logs.choose_settings(log()),
        check=rm.logs.check_log_start(log()),
        bootstrap=rm.bootstrap(fitted("NBD"), customers(), replicates=20, rng=np.random.default_rng(1)),
        evidence=rm.evidence_table(shown_effects()),
    )
    return Parts(
        {
            name: Parts(text=repr(result), html=tried(lambda result=result: result._repr_html_()))
            for name, result in results.items()
        }
    )


def shown_effects():
    counts = pd.DataFrame({"arm": PAIR, "n": [900, 1100], "bought": [90, 143]})
    test = rm.Experiment.from_counts(counts, rm.Plan(assigned_by="random", control="none"), outcome="bought")
    return rm.differences(test, rm.Outcome(column="bought", unit="share of customers"))


@entry("corners.same_models")
def of_models():
    """Values of contracts at parameters, of one customer at a time."""
    people = pd.DataFrame({"tenure": [0, 1, 24]})
    return each(lambda model: rm.customer_value(model, people, MONTHLY), Parts(MODELS))
