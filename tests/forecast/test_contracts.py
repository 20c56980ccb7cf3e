"""Who is about to leave: the chance of each customer with a contract, and the payments to come."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm

REGULAR = pd.DataFrame(
    {"tenure": range(1, 8), "at_risk": [1000, 631, 468, 382, 326, 289, 262], "lost": [369, 163, 86, 56, 37, 27, 21]}
)
TODAY = pd.DataFrame({"customer_id": ["Zoe", "Ann", "Bob", "Cem"], "tenure": [0, 4, 0, 9]})


@pytest.fixture(scope="module")
def regular():
    return rm.fit(rm.ShiftedBetaGeometric, REGULAR)


def test_each_customer_leaves_by_the_own_tenure_in_the_order_given(regular):
    """By hand: a customer after t renewals makes the next with probability (beta + t) / (alpha + beta + t)."""
    forecast = rm.predict(regular, TODAY, 2)
    a, b, made = regular.model.alpha, regular.model.beta, TODAY["tenure"].to_numpy()
    first = (b + made) / (a + b + made)
    both = first * (b + made + 1) / (a + b + made + 1)
    assert forecast.index.tolist() == ["Zoe", "Ann", "Bob", "Cem"]
    np.testing.assert_allclose(forecast["probability_leaving"], 1 - both, rtol=1e-12)
    np.testing.assert_allclose(forecast["expected_payments"], first + both, rtol=1e-12)
    polars = rm.predict(regular, pl.DataFrame(TODAY.to_dict("list")), 2)
    pd.testing.assert_frame_equal(polars, forecast)


def test_intervals_agree_with_the_forecast_of_survivors(regular):
    """One customer of a tenure: survivors are what is left of the chance to leave, and so are their ends."""
    one = TODAY[["tenure"]].iloc[[1]].assign(weight=1)
    forecast, survivors = (
        rm.predict(regular, one, 5, 0.9).iloc[0],
        rm.forecast_retention(regular, one, renewals=5, level=0.9),
    )
    last = survivors.iloc[-1]
    assert forecast["probability_leaving"] == pytest.approx(1 - last["expected"], rel=1e-12)
    assert forecast["probability_leaving_lower"] == pytest.approx(1 - last["expected_upper"], rel=1e-9)
    assert forecast["probability_leaving_upper"] == pytest.approx(1 - last["expected_lower"], rel=1e-9)
    assert forecast["expected_payments"] == pytest.approx(survivors["expected"].sum(), rel=1e-12)
    assert survivors["expected_lower"].sum() < forecast["expected_payments_lower"] < forecast["expected_payments"]
    assert rm.predict(regular, one, 5, level=None).columns.tolist() == ["probability_leaving", "expected_payments"]


def test_covariates_cohorts_and_hardly_determined_fits_agree_with_the_forecast_of_survivors(regular):
    plans = pd.concat([REGULAR.assign(plan="basic"), REGULAR.assign(plan="old", lost=REGULAR["lost"] // 2)])
    years = pd.concat([REGULAR.assign(cohort=str(year)).iloc[: 2025 - year] for year in (2019, 2020, 2021, 2022)])
    with_plan = rm.fit(rm.ShiftedBetaGeometric, plans, churn_covariates="plan")
    pooled = rm.fitting.fit_pooled(rm.ShiftedBetaGeometric, years.assign(at_risk=years["at_risk"] + 50))
    vague = rm.fit(rm.ShiftedBetaGeometric, REGULAR.iloc[:2].assign(at_risk=[100, 63], lost=[37, 16]))
    everyone = TODAY.assign(plan=["old", "basic", "basic", "old"], cohort=["2019", "2020", "2022", "2030"])
    for found in (with_plan, pooled, vague):
        forecast = rm.predict(found, everyone, 3)
        parts = [rm.forecast_retention(found, everyone.iloc[[i]], renewals=3).iloc[-1] for i in range(len(TODAY))]
        for ours, theirs in {"": "", "_lower": "_upper", "_upper": "_lower"}.items():
            expected = [1 - part[f"expected{theirs}"] for part in parts]
            np.testing.assert_allclose(forecast[f"probability_leaving{ours}"], expected, rtol=1e-6)


def test_what_no_forecast_of_contracts_can_be_is_refused(regular):
    with pytest.raises(ValueError, match=r"horizon must be a whole number.*2\.5"):
        rm.predict(regular, TODAY, 2.5)
    with pytest.raises(ValueError, match=r"pause is 0\.1, but pause is for customers without a contract"):
        rm.predict(regular, TODAY, 2, pause=0.1)
    with pytest.raises(ValueError, match="at_risk and lost are columns of a retention table"):
        rm.predict(regular, REGULAR, 2)
    with pytest.raises(ValueError, match="tenure is not a whole number for 1 of 4 customers"):
        rm.predict(regular, TODAY.assign(tenure=[0, 1, 2.5, 3]), 2)
