"""The planning range of value: its own errors, its segments, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

TERMS = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.1, margin=0.3)
PLANNING = ["planning", "planning_lower_80", "planning_upper_80", "planning_lower_95", "planning_upper_95"]


@pytest.fixture(scope="module")
def cut(log):
    return log.window(observation_end="1997-12-31")


@pytest.fixture(scope="module")
def base(cut):
    return rm.summarize(cut)


@pytest.fixture(scope="module")
def purchases(base):
    return rm.fit(rm.MBGNBD, base)


@pytest.fixture(scope="module")
def spend(base):
    return rm.fit(rm.GammaGamma, base)


@pytest.fixture(scope="module")
def past(cut):
    return rm.evaluation.past_errors(cut, rm.MBGNBD, horizon=26)


def test_the_range_is_made_of_the_errors_of_amounts(purchases, base, spend, past):
    planned = rm.total_value(purchases, base, TERMS, spend=spend, past_errors=past)
    plain = rm.total_value(purchases, base, TERMS, spend=spend)
    assert planned[list(plain)].equals(plain)
    assert list(planned)[len(plain.columns) :] == PLANNING
    swapped = rm.total_value(purchases, base, TERMS, spend=spend, past_errors=replace(past, value=past.counts))
    assert not np.isclose(planned["planning_upper_80"], swapped["planning_upper_80"]).any()
    assert (planned["planning_upper_80"] > plain["value_upper"]).all()


def test_segments_add_up_to_the_total(purchases, base, spend, past):
    total = rm.total_value(purchases, base, TERMS, spend=spend, past_errors=past).iloc[0]
    often = base["frequency"].clip(upper=3)
    parts = rm.total_value(purchases, base, TERMS, spend=spend, by=often, past_errors=past)
    assert parts["planning"].sum() == pytest.approx(total["planning"])
    width = np.log(parts["planning_upper_80"] / parts["planning_lower_80"])
    assert (width > 0.999 * np.log(total["planning_upper_80"] / total["planning_lower_80"])).sum() >= 3


def test_a_stated_price_takes_the_errors_of_counts(purchases, base, past):
    priced = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.0, price=10.0)
    value = rm.total_value(purchases, base, priced, past_errors=past)
    counts = rm.predict_total(purchases, base, 26, past_errors=past)
    np.testing.assert_allclose(value[PLANNING], 10 * counts[PLANNING], rtol=1e-6)


def test_it_scales_with_the_currency(cut, purchases, base, past):
    frame = cut.frame.assign(amount=100 * cut.frame["amount"])
    stated = rm.read_transactions(frame).window(observation_end="1997-12-31")
    cents = rm.evaluation.past_errors(stated, rm.MBGNBD, horizon=26)
    np.testing.assert_allclose(cents.value.log_ratios, past.value.log_ratios, rtol=1e-5)
    np.testing.assert_allclose(cents.value.variances, past.value.variances, rtol=1e-4)


def test_value_without_errors_of_amounts_is_refused(purchases, base, spend, past):
    with pytest.raises(ValueError, match="past_errors contain no amounts"):
        rm.total_value(purchases, base, TERMS, spend=spend, past_errors=replace(past, value=None))


def test_past_errors_of_another_kind_or_horizon_are_refused(purchases, base, spend, past):
    contracts = pd.DataFrame({"tenure": [0, 3], "weight": [10, 5]})
    yearly = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    with pytest.raises(TypeError, match=r"past_errors of contracts must be the frame of evaluation.backtest_retention"):
        rm.total_value(rm.ShiftedBetaGeometric(1.7, 2.9), contracts, yearly, past_errors=past)
    with pytest.raises(TypeError, match=r"past_errors must be the result of evaluation.past_errors"):
        rm.total_value(purchases, base, TERMS, past_errors=contracts)
    endless = replace(TERMS, horizon=np.inf)
    with pytest.raises(ValueError, match="past_errors are those of forecasts over 26 weeks"):
        rm.total_value(purchases, base, endless, spend=spend, past_errors=past)
