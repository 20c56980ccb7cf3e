"""A fit and a table that measure time differently are refused at every door, and days that nobody can have observed."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import evaluation, forecast, value

RNG = np.random.default_rng(3)
START = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 700, 400), unit="D")
END = pd.Series(START + pd.to_timedelta(RNG.exponential(300, 400).astype(int) + 1, unit="D"))
CONTRACTS = pd.DataFrame({"customer_id": range(400), "start": START, "end": END.mask(END > "2023-01-01")})
TERMS = rm.Terms(price=9.9, annual_discount_rate=0.1, billing_period="M")
MONEY = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.1, margin=0.3)


@pytest.fixture(scope="module")
def log():
    return rm.datasets.load_cdnow()


@pytest.fixture(scope="module")
def tables(log):
    """Histories of the same customers in weeks, in months and in quarters, each with a holdout."""
    end = {"calibration_end": "1997-12-31"}
    return {
        "W": rm.summarize(log, time_unit="W", **end),
        "D": rm.summarize(log, time_unit="D", **end),
        "M": rm.logs.opportunities(log, period="M", **end),
        "Q": rm.logs.opportunities(log, period="Q", **end),
    }


@pytest.fixture(scope="module")
def purchase_fits(tables):
    return {"W": rm.fit(rm.BGNBD, tables["W"]), "M": rm.fit(rm.BGBB, tables["M"])}


@pytest.fixture(scope="module")
def spells():
    return rm.read_contracts(CONTRACTS, sampling="acquisition", observation_end="2023-01-01")


PURCHASES = {
    "predict": lambda fit, table: rm.predict(fit, table, 5),
    "predict_total": lambda fit, table: rm.predict_total(fit, table, 5),
    "status_by_group": lambda fit, table: forecast.status_by_group(fit, table, table["frequency"] > 0),
    "total_value": lambda fit, table: rm.total_value(fit, table, MONEY),
    "holdout_check": evaluation.holdout_check,
    "holdout_scores": evaluation.holdout_scores,
    "calibration": evaluation.calibration,
    "bootstrap": lambda fit, table: rm.bootstrap(fit, table, replicates=2, rng=1),
}


@pytest.mark.parametrize("door", PURCHASES)
@pytest.mark.parametrize(("fitted", "made"), [("W", "D"), ("W", "M"), ("M", "Q"), ("M", "W")])
def test_purchases_measured_otherwise_than_for_the_fit_are_refused(door, fitted, made, purchase_fits, tables):
    with pytest.raises(ValueError, match=r"time_unit|period|whole number of opportunities|not the ones"):
        PURCHASES[door](purchase_fits[fitted], tables[made])


CONTRACT_DOORS = {
    "forecast_retention": lambda fit, base, _: rm.forecast_retention(fit, base, renewals=3),
    "total_value": lambda fit, base, _: rm.total_value(fit, base, TERMS),
    "customer_value": lambda fit, base, _: rm.customer_value(fit, base, TERMS),
    "saved_value": lambda fit, base, _: value.saved_value(fit, base, TERMS),
    "predict_retention": lambda fit, _, table: forecast.predict_retention(fit, table),
    "retention_triangle": lambda fit, _, table: forecast.retention_triangle(fit, table, renewals=3),
}


@pytest.mark.parametrize("door", CONTRACT_DOORS)
def test_contracts_counted_in_other_periods_than_for_the_fit_are_refused(door, spells):
    fit = rm.fit(rm.ShiftedBetaGeometric, rm.retention_table(spells, period="M"))
    base, table = (count(spells, period="Y") for count in (rm.logs.active_customers, rm.retention_table))
    words = "the model was fitted with period 'M', the table was made with period 'Y'; make the table with period='M'"
    with pytest.raises(ValueError, match=re.escape(words)):
        CONTRACT_DOORS[door](fit, base, table)


FAR = {
    "summarize": lambda log, _: rm.summarize(log, observation_end="2250-01-01"),
    "window": lambda log, _: rm.read_transactions(log).window(observation_end="2098-06-30"),
    "opportunities": lambda log, _: rm.logs.opportunities(log, period="M", observation_end="2250-01-31"),
    "read_contracts": lambda _, contracts: rm.read_contracts(
        contracts, sampling="acquisition", observation_end="2200-01-01"
    ),
    "choose_settings": lambda _, contracts: rm.logs.choose_settings(
        contracts, start="start", end="end", sampling="acquisition", observation_end="2200-01-01"
    ),
}


@pytest.mark.parametrize("door", FAR)
def test_a_mistyped_end_of_observation_is_refused(door, log):
    with pytest.raises(ValueError, match=r"observation_end 2\d{3}-\d\d-\d\d lies \d+ years after the last"):
        FAR[door](log, CONTRACTS)


def test_a_business_that_ended_long_ago_may_be_observed_until_today(log):
    assert rm.summarize(log, observation_end="2015-01-01").attrs["observation_end"] == "2015-01-01"


@pytest.mark.parametrize(
    ("name", "stored", "words"),
    [
        ("retention_rate", 0.1, "retention_rate is 0.1, and that of its retention table"),
        ("retention_rate", "x", "retention_rate must be a number from 0 to 1"),
        ("retention_rate", None, "retention_rate must be a number from 0 to 1"),
        ("retention_rate", [], "retention_rate must be a number from 0 to 1"),
        ("period", 5.5, "period"),
        ("period", "zzz", "period"),
        ("time_unit", 5, "time_unit"),
        ("time_unit", "zzz", "time_unit"),
        ("time_unit", [], "time_unit"),
        ("granularity", "zzz", "granularity"),
        ("customers", "many", "customers must be a whole number"),
        ("spells_counted", -1, "spells_counted must be a whole number"),
    ],
)
def test_what_a_stored_fit_says_of_its_data_is_checked(name, stored, words, spells):
    record = json.loads(rm.fit(rm.ShiftedBetaGeometric, rm.retention_table(spells, period="M")).to_json())
    record["data"][name] = stored
    with pytest.raises(ValueError, match=rf"or it is damaged .*{words}"):
        rm.Fit.from_json(json.dumps(record))
