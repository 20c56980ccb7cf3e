"""Value without money, by horizon and segment; terms, offers, and the sentences that carry them."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.core.formatting import three_digits, with_intervals
from retention_models.forecast.planning_range import ForecastErrors
from retention_models.narrative.formats import display_columns
from retention_models.narrative.purchases import (
    forecast_sentence,
    typical_cost,
)
from retention_models.value.break_even import paying_customers
from retention_models.value.by_segment import value_by_horizon, value_by_segment
from retention_models.value.spending import fit_spend

MONEY = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


@pytest.fixture(scope="module")
def purchases(customers):
    return rm.fit(rm.BGNBD, customers)


@pytest.fixture(scope="module")
def spend(customers):
    return fit_spend(customers)


@pytest.fixture(scope="module")
def segment(customers):
    return pd.Series(np.where(customers["frequency"] > 0, "again", "once"), index=customers.index, name="segment")


def test_without_money_each_purchase_counts_one(customers, purchases):
    counted = customers.drop(columns=["monetary_value", "holdout_amount"])
    assert fit_spend(counted) is None
    money = {"time_unit": "W", "annual_discount_rate": 0, "margin": 1}
    value = rm.customer_value(purchases, counted, rm.Terms(horizon=39, **money))
    expected = rm.predict(purchases, counted, 39)
    assert list(value) == ["discounted_purchases", "value", "value_lower", "value_upper"]
    np.testing.assert_allclose(value["value"], expected["expected_purchases"], rtol=1e-7)
    np.testing.assert_allclose(value["value_upper"], expected["expected_purchases_upper"], rtol=1e-5)
    total = rm.total_value(purchases, counted, rm.Terms(horizon=39, **money)).iloc[0]
    forecast = rm.predict_total(purchases, counted, 39).iloc[0]
    np.testing.assert_allclose(
        total[["value", "value_lower", "value_upper"]].astype(float),
        forecast[["expected", "expected_lower", "expected_upper"]].astype(float),
        rtol=1e-5,
    )


def test_value_grows_with_the_horizon_to_that_without_end(customers, purchases, spend):
    table = value_by_horizon(purchases, customers, rm.Terms(**MONEY), spend=spend, horizons=(39, 78))
    assert table.index.tolist() == ["39 weeks", "78 weeks", "without end"]
    assert table["value"].is_monotonic_increasing
    whole = rm.total_value(purchases, customers, rm.Terms(horizon=np.inf, **MONEY), spend=spend).iloc[0]
    assert np.isclose(table.loc["without end", "value"], whole["value"])


def test_horizons_must_be_named(customers, purchases, spend):
    with pytest.raises(ValueError, match="horizons must have at least one horizon"):
        value_by_horizon(purchases, customers, rm.Terms(**MONEY), spend=spend, horizons=())


def test_without_discount_there_is_no_value_without_end(customers, purchases, spend):
    table = value_by_horizon(
        purchases, customers, rm.Terms(**MONEY | {"annual_discount_rate": 0}), spend=spend, horizons=(39,)
    )
    assert table.index.tolist() == ["39 weeks"]


def test_segments_share_customers_and_value_among_them(customers, purchases, spend, segment):
    table = value_by_segment(purchases, customers, rm.Terms(horizon=39, **MONEY), segment, spend=spend)
    assert table["value"].is_monotonic_decreasing
    assert np.isclose(table["share_of_customers"].sum(), 1)
    assert np.isclose(table["share_of_value"].sum(), 1)
    assert (table["value_lower"] < table["value"]).all()
    alive = rm.predict(purchases, customers, 39)["probability_alive"].groupby(segment).mean()
    np.testing.assert_allclose(table["probability_alive"], alive.loc[table.index])


def test_a_table_to_be_shown_fits_a_page(customers, purchases, spend, segment):
    table = display_columns(value_by_segment(purchases, customers, rm.Terms(horizon=39, **MONEY), segment, spend=spend))
    intervals = [f"{name}{end}" for name in ("per_customer", "value") for end in ("", "_lower", "_upper")]
    assert list(table) == ["customers", "alive", *intervals]
    lines = with_intervals(table).to_string(float_format=three_digits).splitlines()
    assert max(map(len, lines)) <= 90


def test_an_offer_pays_for_more_customers_the_more_it_changes(customers, purchases, spend):
    value = rm.customer_value(purchases, customers, rm.Terms(horizon=39, **MONEY), spend=spend)
    paying = paying_customers(rm.value.break_even_uplift(value, cost=2.0))
    assert paying["customers"].is_monotonic_increasing
    assert (paying["share_lower"] <= paying["share"]).all()
    assert (paying["share"] <= paying["share_upper"]).all()
    assert paying.loc["100 %", "customers"] == (value["value"] >= 2.0).sum()


def test_the_typical_cost_is_a_tenth_of_a_repeat_purchase(customers):
    spent = (customers["frequency"] * customers["monetary_value"]).sum()
    assert np.isclose(typical_cost(customers), 0.1 * spent / customers["frequency"].sum())
    assert typical_cost(customers[["frequency"]]) == 0.1
    once = customers[customers["frequency"] == 0]
    with pytest.raises(ValueError, match=rf"none of the {len(once):,} customers made a repeat purchase"):
        typical_cost(once)


def test_the_answer_on_value_carries_its_errors():
    row = {"customers": 100, "value": 5000.0, "share_of_medians": 0.0}
    row |= {"planning": 5300.0, "planning_lower_80": 4321.0, "planning_upper_80": 6543.0}
    total = pd.DataFrame([row | {"planning_lower_95": 3999.0, "planning_upper_95": 7111.0}])
    paying = pd.DataFrame(
        {"customers": [5], "share": [0.05], "share_lower": [0.031], "share_upper": [0.07]}, index=["10 %"]
    )
    terms = rm.Terms(horizon=26, time_unit="W", margin=0.3, annual_discount_rate=0.1, currency="EUR")
    words = {"terms": terms, "cost": 2.5}
    before = date(2024, 1, 1)
    one = ForecastErrors(
        days_ahead=182, origins=(before,), log_ratios=(0.154,), seasons=(0.0,), variances=(0.001,), days_learnt=(300,)
    )
    known = {"horizon": 26, "time_unit": "W", "as_of": date(2024, 7, 1), "days_learnt": 482}
    errors = rm.forecast.PastErrors(**known, counts=ForecastErrors(days_ahead=182), value=one)
    told = rm.narrative.value_answer(total, errors, paying, **words)
    assert told.headline == (
        "Plan with EUR 4,320 to 6,540 of margin from the 100 known customers over the next 26 weeks."
    )
    assert told.sureness == (
        "The range should hold four times in five; EUR 4,000 to 7,110 should hold in 19 of 20.",
        "One earlier forecast of value over 26 weeks was 14 % too low. The range rests mostly on a stated error of 10 "
        "%; it narrows as forecasts come true.",
    )
    assert told.actions[0] == (
        "Make an offer that costs EUR 2.50 to at most 5 customers (5.0 %): it must raise their purchases by 10 %."
    )
    partly = rm.narrative.value_answer(total.assign(share_of_medians=0.34), errors, paying, **words)
    assert partly.sureness[-1] == "34 % of the value uses median amounts, because no mean exists."
    counted = rm.narrative.value_answer(total, replace(errors, value=None, days_learnt=200), paying, **words)
    assert (
        "No earlier forecast of purchases over 26 weeks can be checked: the range rests on a stated error of 10 %."
        in (counted.sureness[1])
    )


def test_errors_of_one_sign_and_a_season_are_told():
    days = tuple(date(2022, month, 1) for month in (1, 5, 9))
    steady = ForecastErrors(
        days_ahead=91,
        origins=days,
        log_ratios=(0.3, 0.35, 0.4),
        seasons=(0.1, 0.1, 0.1),
        variances=(0.001,) * 3,
        days_learnt=(400, 520, 640),
        coming_season=0.2,
    )
    errors = rm.forecast.PastErrors(horizon=13, time_unit="W", as_of=date(2023, 1, 1), days_learnt=760, counts=steady)
    customers = pd.DataFrame(index=range(40))
    customers.attrs = {"time_unit": "W", "calibration_end": "2023-01-01"}
    ends = {
        "planning_lower_80": 9591.4,
        "planning_upper_80": 14588.0,
        "planning_lower_95": 7.2,
        "planning_upper_95": 0.4,
    }
    text = forecast_sentence(pd.DataFrame([ends]), errors, customers, 13)
    assert text.startswith(
        "Plan with 9,590 to 14,600 (four times in five; 7 to 0.400 in 19 of 20) purchases within 13 weeks from the 40 "
        "customers known on 2023-01-01; new customers come on top. Of 3 earlier forecasts of purchases over 13 weeks, "
    )
    assert "from 18 % too low to 26 % too low. The season of last year moves the forecast by +22 %." in text
    assert text.endswith("The latest three forecasts all were too low.")


def test_the_base_sentence_tells_status_onboarding_and_the_best_segment():
    status = pd.DataFrame(
        {
            "customers": [200],
            "still_customers": [90.0],
            "probability_alive": [0.45],
            "probability_alive_lower": [0.4],
            "probability_alive_upper": [0.5],
        }
    )
    watched = {"at_risk": [100, 90, 80, 70, 1], "share": [0.1, 0.2, 0.3, 0.4, 1.0]}
    second = pd.DataFrame(watched, index=pd.RangeIndex(1, 6, name="days"))
    segments = pd.DataFrame({"share_of_customers": [0.2], "share_of_value": [0.7]}, index=["champion"])
    segments = segments.assign(value=100.0, share_of_medians=0.0)
    terms = rm.Terms(horizon=1, time_unit="W")
    told = {"day": "2024-06-30", "terms": terms}
    answer = rm.narrative.customer_base_answer(status, second, segments, **told)
    assert answer.sureness == ("90 of 200 customers (45 %) are expected to still be customers on 2024-06-30.",)
    assert [(figure.value, figure.range) for figure in answer.figures] == [
        ("40 %", "within 4 days"), ("70 %", "20 % of customers, next 1 week")
    ]  # fmt: skip
    ratios = pd.DataFrame(
        {
            "actual": [30.0, 500.0, 100.0],
            "expected": [2.0, 400.0, 99.0],
            "ratio": [15.0, 1.25, 1.01],
            "ratio_lower": [5.123, 1.1, 0.9],
            "ratio_upper": [60.0, 1.4, 1.1],
            "is_biased": [True, True, False],
        },
        index=["at risk", "loyal", "champion"],
    )
    misjudged = rm.narrative.customer_base_answer(status, second, segments, ratios=ratios, **told)
    assert misjudged.sureness[-1] == (
        "The model misjudged segments in the holdout. “loyal” bought 25 % more than expected (10 to 40 %). “at risk” "
        "bought 15 times as much as expected (5.12 to 60.0 times). Do not rank segments by value alone."
    )
    assert misjudged.actions[-1] == "Look after segment “champion” first: it holds the largest share of the value."
    less = ratios.assign(ratio=0.35, ratio_lower=0.22, ratio_upper=0.55)
    assert (
        "bought 65 % less than expected (45 to 78 %)."
        in rm.narrative.customer_base_answer(status, second, segments, ratios=less, **told).sureness[-1]
    )
    worse = ratios.assign(ratio=0.8, ratio_lower=0.7, ratio_upper=0.9, is_biased=True)
    assert "“champion” before you spend on it: it bought less than expected." in rm.narrative.customer_base_answer(
        status, second, segments, ratios=worse, **told
    ).actions[-1]  # fmt: skip
    untested = rm.narrative.customer_base_answer(status, second, segments, untested="The log is short.", **told)
    assert untested.headline.startswith("Do not decide by this log yet: no forecast of it can be tested. So far ")
    assert untested.sureness[0] == "The log is short."
    long = second.reindex(range(1, 301)).ffill().assign(at_risk=100)
    waited = rm.narrative.customer_base_answer(
        status, long.assign(share=long["share"].clip(upper=0.4)), segments, **told
    )
    assert waited.headline == "Try for the second order until day 4; segment “champion” holds 70 % of the value."
    at_an_edge = status.assign(probability_alive=1.0, probability_alive_lower=0.0, probability_alive_upper=1.0)
    assert rm.narrative.customer_base_answer(at_an_edge, second, segments, **told).sureness[0] == (
        "This log of 200 customers contains no sign of customers leaving, so it cannot say who has left by 2024-06-30."
    )
