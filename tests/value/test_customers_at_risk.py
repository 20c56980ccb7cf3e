"""Each customer with a contract: the chance to leave, and what is lost by it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm

REGULAR = pd.DataFrame(
    {"tenure": range(1, 8), "at_risk": [1000, 631, 468, 382, 326, 289, 262], "lost": [369, 163, 86, 56, 37, 27, 21]}
)
TODAY = pd.DataFrame({"customer_id": ["Zoe", "Ann", "Bob", "Cem"], "tenure": [0, 4, 0, 9]})
TERMS = rm.Terms(price=100.0, margin=0.6, annual_discount_rate=0.1, billing_period="Y")


@pytest.fixture(scope="module")
def regular():
    return rm.fit(rm.ShiftedBetaGeometric, REGULAR)


def test_the_loss_of_two_payments_is_that_of_a_calculation_by_hand(regular):
    """With two renewals ahead: E[theta (1 + (1 - theta) d)] of theta ~ Beta(alpha, beta + tenure)."""
    risk = rm.value.contracts_at_risk(regular, TODAY, rm.Terms(horizon=2, annual_discount_rate=0.1, billing_period="Y"))
    a, b, d = regular.model.alpha, regular.model.beta + TODAY["tenure"].to_numpy(), 1 / 1.1
    leave, leave_later = a / (a + b), a * b / ((a + b) * (a + b + 1))
    stay, stay_twice = b / (a + b), b * (b + 1) / ((a + b) * (a + b + 1))
    np.testing.assert_allclose(risk["probability_leaving"], leave, rtol=1e-12)
    np.testing.assert_allclose(risk["value"], stay + stay_twice * d, rtol=1e-7)
    np.testing.assert_allclose(risk["value_at_risk"], leave + leave_later * d, rtol=1e-7)
    np.testing.assert_allclose(risk["value_if_saved"], (leave + leave_later * d) / leave, rtol=1e-7)


def test_value_and_value_at_risk_are_the_value_if_the_next_renewal_were_certain(regular):
    """Those who would have left are kept, and the others are worth what a customer is who renews unasked."""
    risk = rm.value.contracts_at_risk(regular, TODAY, TERMS)
    renewing = rm.saved_value(regular, TODAY, TERMS).loc[TODAY["tenure"], "renewing_value"].to_numpy()
    leave = risk["probability_leaving"].to_numpy()
    certain = leave * risk["value_if_saved"] + (1 - leave) * renewing
    np.testing.assert_allclose(risk["value"] + risk["value_at_risk"], certain, rtol=1e-9)


def test_sums_are_those_of_the_functions_for_all_customers(regular):
    risk = rm.value.contracts_at_risk(regular, TODAY, TERMS, horizon=3)
    saved = rm.saved_value(regular, TODAY, TERMS).loc["all"]
    assert risk["value"].sum() == pytest.approx(rm.total_value(regular, TODAY, TERMS)["value"].iloc[0], rel=1e-12)
    assert risk["value_at_risk"].sum() == pytest.approx(saved["leaving"] * saved["value"], rel=1e-9)
    forecast = rm.forecast_retention(regular, TODAY, renewals=3)["expected"]
    assert risk["probability_leaving"].sum() == pytest.approx(len(TODAY) - forecast.iloc[-1], rel=1e-12)
    assert risk["expected_payments"].sum() == pytest.approx(forecast.sum(), rel=1e-12)
    assert risk.index.tolist() == ["Zoe", "Ann", "Bob", "Cem"]
    pd.testing.assert_frame_equal(risk.filter(like="probability"), rm.predict(regular, TODAY, 3).filter(like="prob"))
    polars = rm.value.contracts_at_risk(regular, pl.DataFrame(TODAY.to_dict("list")), TERMS, horizon=3)
    pd.testing.assert_frame_equal(polars, risk)


def test_intervals_of_a_single_tenure_are_those_of_saved_value_and_agree_with_draws(regular):
    risk = rm.value.contracts_at_risk(regular, TODAY, TERMS).loc["Ann"]
    saved = rm.saved_value(regular, TODAY, TERMS).loc[4]
    ends = ["value", "value_lower", "value_upper"]
    ours = risk[["value_if_saved", "value_if_saved_lower", "value_if_saved_upper"]]
    np.testing.assert_allclose(ours.tolist(), saved[ends].tolist(), rtol=1e-6)
    draws, at_risk = regular.draw(300, np.random.default_rng(1)), []
    for alpha, beta in zip(draws.alpha.ravel(), draws.beta.ravel(), strict=True):
        leaver = rm.ShiftedBetaGeometric(alpha + 1, beta + 4)
        worth = rm.value.discounted_lifetime(leaver, TERMS)
        at_risk.append(alpha / (alpha + beta + 4) * worth)
    reach = np.log(risk["value_at_risk_upper"] / risk["value_at_risk_lower"]) / (2 * 1.96)
    assert reach == pytest.approx(np.std(np.log(at_risk)), rel=0.15)


def test_groups_with_covariates_have_the_risk_of_their_own_model(regular):
    """Two plans of the same table: the one that loses half as many has the smaller chance, the other keeps its own."""
    plans = pd.concat([REGULAR.assign(plan="basic"), REGULAR.assign(plan="old", lost=REGULAR["lost"] // 2)])
    found = rm.fit(rm.ShiftedBetaGeometric, plans, churn_covariates="plan")
    mixed = TODAY.assign(plan=["old", "basic", "basic", "old"])
    risk = rm.value.contracts_at_risk(found, mixed, TERMS)
    assert risk.loc["Zoe", "probability_leaving"] < risk.loc["Bob", "probability_leaving"]
    saved = rm.saved_value(found, mixed, TERMS).loc["all"]
    assert risk["value_at_risk"].sum() == pytest.approx(saved["leaving"] * saved["value"], rel=1e-9)
    assert risk["value"].sum() == pytest.approx(rm.total_value(found, mixed, TERMS)["value"].iloc[0], rel=1e-12)


def test_customers_with_several_contracts_keep_all_their_rows(regular):
    twice = TODAY.assign(customer_id=["Ann", "Ann", "Bob", "Bob"])
    risk = rm.value.contracts_at_risk(regular, twice, TERMS, level=None)
    once = rm.value.contracts_at_risk(regular, TODAY, TERMS, level=None)
    np.testing.assert_array_equal(risk.to_numpy(), once.to_numpy())
    names = ["probability_leaving", "expected_payments", "value", "value_at_risk", "value_if_saved"]
    assert risk.columns.tolist() == names


def test_a_fit_of_purchases_is_refused():
    histories = pd.DataFrame({"frequency": [0, 1, 2, 5], "recency": [0, 3, 9, 20], "T": [30, 28, 29, 30]})
    with pytest.raises(TypeError, match="a fit of a model of contracts is needed"):
        rm.value.contracts_at_risk(rm.fit(rm.NBD, histories), TODAY, TERMS)
