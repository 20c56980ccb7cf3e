"""What the removal of a cause of leaving is worth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

TERMS = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", horizon=12)
BASE = pd.DataFrame({"tenure": [0, 3, 20], "weight": [500, 300, 100]})


def exact_table(other, rate, renewals=24, n=1e6):
    """Counts without chance, of a model of the other causes and a rate of failed payments that adds to it."""
    tenure = np.arange(1, renewals + 1)
    kept = other.retention_rate(tenure) * np.exp(-rate)
    at_risk = n * np.append(1.0, np.cumprod(kept)[:-1])
    lost = at_risk * (1 - kept)
    payment = lost * rate / -np.log(kept)
    causes = {"lost_moved": lost - payment, "lost_payment": payment}
    return pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost, **causes})


def months(survival, terms=TERMS):
    return 6.0 * survival @ 1.1 ** (-np.arange(terms.horizon) / 12)


def test_the_gain_is_what_a_known_business_earns_without_the_cause():
    """All alike: 4 % a month leave, and payments fail at a rate of 0.01. Values are sums by hand, with and without.

    Half of the other losses count as at risk, which is right up to squares of the churn of a month.
    """
    table = exact_table(rm.survival.Geometric(-np.log(0.96)), 0.01)
    found = rm.fit(rm.survival.Geometric, table)
    row = rm.value.value_of_removing_cause(found, BASE, TERMS, table, cause="payment").loc["payment"]
    first, ahead = table.iloc[0] / table.loc[0, "at_risk"], np.arange(1, 13)
    kept, from_cause = 1 - first["lost"], 1 - first["lost_payment"] / (1 - first["lost_moved"] / 2)
    assert from_cause == pytest.approx(np.exp(-0.01), abs=3e-6)
    assert row["customers"] == 900
    assert row["value"] == pytest.approx(900 * months((0.96 * np.exp(-0.01)) ** ahead), rel=1e-6)
    assert row["gain"] == pytest.approx(900 * months((kept / from_cause) ** ahead - kept**ahead), rel=1e-6)
    assert row["gain"] == pytest.approx(900 * months(0.96**ahead * (1 - np.exp(-0.01 * ahead))), rel=5e-4)
    assert row["value_without"] == pytest.approx(row["value"] + row["gain"], rel=1e-12)
    assert row["single_cause_gain"] == pytest.approx(900 * months(1 - from_cause**ahead), rel=1e-6)
    part = np.log(from_cause) / np.log(kept)
    assert row["largest_gain"] == pytest.approx(900 * months((1 - kept**ahead) * part), rel=1e-6)


def test_where_customers_differ_the_gain_is_still_that_of_independent_causes():
    other = rm.ShiftedBetaGeometric(0.9, 12.0)
    table = exact_table(other, 0.006)
    found = rm.fit(rm.BetaDiscreteWeibull, table)
    gain = rm.value.value_of_removing_cause(found, BASE, TERMS, table, cause="payment").loc["payment", "gain"]
    ahead = np.arange(1, 13)
    stay = other.survival_function(BASE["tenure"].to_numpy()[:, None] + ahead, given=BASE[["tenure"]].to_numpy())
    truth = BASE["weight"].to_numpy() @ (stay * (1 - np.exp(-0.006 * ahead))) @ (6.0 * 1.1 ** (-np.arange(12) / 12))
    assert gain == pytest.approx(truth, rel=5e-3)


@pytest.mark.parametrize("cause", ["moved", "payment"])
@pytest.mark.parametrize("horizon", [1, 12, None])
def test_bounds_are_in_order_and_the_value_is_that_of_all_customers(cause, horizon):
    table = exact_table(rm.ShiftedBetaGeometric(0.9, 12.0), 0.01, n=3000.0)
    found, terms = rm.fit(rm.ShiftedBetaGeometric, table), replace(TERMS, horizon=horizon)
    row = rm.value.value_of_removing_cause(found, BASE, terms, table, cause=cause).loc[cause]
    assert row["value"] == pytest.approx(rm.total_value(found, BASE, terms)["value"].iloc[0], rel=1e-12)
    assert 0 < row["gain_lower"] < row["gain"] < row["gain_upper"]
    assert row["gain"] <= row["largest_gain"] * (1 + 1e-9)
    assert row["largest_gain"] <= row["single_cause_gain"] * (1 + 1e-9)


def test_the_only_cause_removed_leaves_nobody_who_leaves():
    table = exact_table(rm.ShiftedBetaGeometric(0.9, 12.0), 0.01)
    only = table.assign(lost_any=table["lost"])
    found = rm.fit(rm.ShiftedBetaGeometric, only)
    row = rm.value.value_of_removing_cause(found, BASE, TERMS, only, cause="any").loc["any"]
    assert row["value_without"] == pytest.approx(900 * months(np.ones(12)), rel=1e-9)


@pytest.mark.slow
def test_the_interval_combines_both_models():
    """Its width by refitted tables: losses drawn by cause, with the standard deviation of the log gain."""
    table = exact_table(rm.ShiftedBetaGeometric(0.9, 12.0), 0.01, n=2000.0).round().astype({"tenure": int})
    table["lost"] = table["lost_moved"] + table["lost_payment"]

    def gain(some):
        found = rm.fit(rm.ShiftedBetaGeometric, some)
        return rm.value.value_of_removing_cause(found, BASE, TERMS, some, cause="payment").iloc[0]

    rng, gains = np.random.default_rng(1), []
    for _ in range(60):
        moved, payment = (
            rng.binomial(table["at_risk"].astype(int), table[f"lost_{name}"] / table["at_risk"])
            for name in ("moved", "payment")
        )
        gains.append(gain(table.assign(lost=moved + payment, lost_moved=moved, lost_payment=payment))["gain"])
    row = gain(table)
    reach = np.log(row["gain_upper"] / row["gain_lower"]) / (2 * 1.96)
    assert reach == pytest.approx(np.std(np.log(gains)), rel=0.25)


def test_a_cause_that_is_not_there_or_breaks_a_rule_is_named():
    table = exact_table(rm.ShiftedBetaGeometric(0.9, 12.0), 0.01)
    found = rm.fit(rm.ShiftedBetaGeometric, table)
    with pytest.raises(ValueError, match="no column 'lost_price'; it has the causes moved, payment"):
        rm.value.value_of_removing_cause(found, BASE, TERMS, table, cause="price")
    with pytest.raises(ValueError, match="lost_payment is 0 in all rows: nobody left for this cause"):
        rm.value.value_of_removing_cause(found, BASE, TERMS, table.assign(lost_payment=0), cause="payment")
    with pytest.raises(ValueError, match="lost_payment is not from 0 to lost for 24 of 24 rows"):
        rm.value.value_of_removing_cause(found, BASE, TERMS, table.assign(lost_payment=1e6), cause="payment")


@pytest.mark.slow
def test_the_estimate_holds_the_truth_of_simulated_businesses_and_a_single_cause_says_more():
    """Customers differ, prices rise, complaints come: what the rules without failed payments earn in a year."""
    ratios, covered = [], 0
    for seed in range(1, 26):
        business = rm.scenario.subscriptions(seed, customers=4_000)
        log = {"sampling": "acquisition", "observation_end": business.observation_end, "cause": "cause"}
        spells = rm.read_contracts(business.contracts, **log)
        kept, today = rm.retention_table(spells, period="M"), rm.logs.active_customers(spells, period="M")
        found = rm.fit(rm.ShiftedBetaGeometric, kept)
        row = rm.value.value_of_removing_cause(found, today, TERMS, kept, cause="payment").loc["payment"]
        without = replace(business, rules=replace(business.rules, payment=0.0))
        truth = months((without.expected_survival(12) - business.expected_survival(12)).sum().to_numpy())
        ratios.append(row[["gain", "largest_gain", "single_cause_gain"]] / truth)
        covered += row["gain_lower"] <= truth <= row["gain_upper"]
    ratio, error = pd.DataFrame(ratios).mean(), pd.DataFrame(ratios).std() / 5
    assert ratio["gain"] == pytest.approx(1.0, abs=3 * error["gain"])
    assert ratio["single_cause_gain"] > 1.15
    assert ratio["gain"] < ratio["largest_gain"] < ratio["single_cause_gain"]
    assert covered >= 20
