"""predict and predict_total: published expectations, intervals that hold what they should, messages."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm

MODELS = [rm.BGNBD, rm.ParetoNBD]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)

# CDNOW sample, 39 weeks after 1997-09-30, at the published parameters: sum of expected purchases, mean P(alive), and
# customer 1's (x = 2, t_x = 30.428571, T = 38.857143) expected purchases and P(alive). The source's own
# Pareto/NBD predictions come from a fit that agrees with its printed parameters to about 1e-5.
PARAMETERS = {
    "BGNBD": (0.2425951930, 4.4136397946, 0.7929848092, 2.4261555027),
    "ParetoNBD": (0.5533439041, 10.5785129589, 0.6059382226, 11.6579662003),
}
PUBLISHED = {
    "BGNBD": (1653.391, 0.813440, 1.2259859977, 0.7266190809),
    "ParetoNBD": (1665.657, 0.446267, 1.455348419, 0.8691641890),
}


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


@pytest.fixture(scope="module")
def fits(customers):
    return {model.__name__: rm.fit(model, customers) for model in MODELS}


@pytest.fixture(scope="module")
def forecasts(customers, fits):
    return {name: rm.predict(found, customers, horizon=39) for name, found in fits.items()}


@each_model
def test_published_expectations(customers, fits, forecasts, model):
    total, mean_alive, expected, alive = PUBLISHED[model.__name__]
    printed = replace(fits[model.__name__], model=model(*PARAMETERS[model.__name__]))
    forecast = rm.predict(printed, customers, horizon=39)
    assert forecast["expected_purchases"].sum() == pytest.approx(total, rel=1e-5)
    assert forecast["probability_alive"].mean() == pytest.approx(mean_alive, rel=2e-5)
    assert forecast.loc[1, "expected_purchases"] == pytest.approx(expected, rel=1e-5)
    assert forecast.loc[1, "probability_alive"] == pytest.approx(alive, rel=1e-5)
    np.testing.assert_allclose(forecasts[model.__name__]["expected_purchases"].sum(), total, rtol=2e-4)


@each_model
def test_intervals_hold_their_estimates(forecasts, model):
    forecast = forecasts[model.__name__]
    for name in ("probability_alive", "expected_purchases", "probability_no_purchase"):
        assert (forecast[f"{name}_lower"] <= forecast[name]).all()
        assert (forecast[name] <= forecast[f"{name}_upper"]).all()
    assert forecast["probability_alive_upper"].max() <= 1
    assert (forecast["purchases_lower"] <= forecast["purchases_upper"]).all()


@each_model
def test_count_interval_leaves_out_both_tails_or_the_upper_one_where_it_begins_at_0(customers, fits, model):
    heavy = customers.loc[[1, 2, 157, 813, 994, 1203, 1981, 2034]]
    sure = replace(fits[model.__name__], covariance=fits[model.__name__].covariance * 1e-12)
    columns = [heavy[name].to_numpy(dtype=float) for name in model.columns]
    cumulative = np.cumsum(sure.model.purchase_probability(np.arange(400)[:, None], 39.0, *columns), axis=0)
    np.testing.assert_allclose(cumulative[-1], 1, atol=1e-9)
    lower, upper, from_0 = (np.argmax(cumulative >= share, axis=0) for share in (0.1, 0.9, 0.8))
    forecast = rm.predict(sure, heavy, 39, level=0.8)
    assert 0 < np.count_nonzero(lower) < len(heavy)
    np.testing.assert_array_equal(forecast["purchases_lower"], lower)
    np.testing.assert_array_equal(forecast["purchases_upper"], np.where(lower > 0, upper, from_0))


def test_count_interval_of_few_customers_knows_that_the_parameters_are_unsure(customers):
    heavy, horizon = customers.loc[[1482, 994, 2034, 1770, 1981, 157]], 156
    found = rm.fit(rm.BGNBD, customers.iloc[::40])
    columns = [heavy[name].to_numpy(dtype=float) for name in found.model.columns]
    draws = found.draw(500, np.random.default_rng(1))
    chance = [draws.purchase_probability(np.full((1, 1), n), horizon, *columns).mean(axis=0) for n in range(200)]
    cumulative = np.cumsum(chance, axis=0)
    lower, upper, from_0 = (np.argmax(cumulative >= share, axis=0) for share in (0.025, 0.975, 0.95))
    forecast = rm.predict(found, heavy, horizon)
    sure = rm.predict(replace(found, covariance=found.covariance * 1e-12), heavy, horizon)
    np.testing.assert_allclose(forecast["purchases_lower"], lower, atol=2)
    np.testing.assert_allclose(forecast["purchases_upper"], np.where(lower > 0, upper, from_0), atol=2, rtol=0.02)
    assert forecast["purchases_lower"].sum() < sure["purchases_lower"].sum() - 3


@each_model
def test_the_interval_of_the_count_holds_most_of_what_came_true(customers, forecasts, model):
    forecast = forecasts[model.__name__]
    inside = customers["holdout_frequency"].between(forecast["purchases_lower"], forecast["purchases_upper"])
    assert 0.93 < inside.mean() <= 1


@each_model
def test_delta_method_agrees_with_parameter_draws(customers, fits, model):
    few = customers.iloc[::200]
    found = fits[model.__name__]
    columns = [few[name].to_numpy(dtype=float) for name in model.columns]
    draws = found.draw(4000, np.random.default_rng(2))
    forecast = rm.predict(found, few, horizon=39)
    for name, values in (
        ("expected_purchases", draws.expected_purchases(39.0, *columns)),
        ("probability_no_purchase", draws.purchase_probability(0, 39.0, *columns)),
    ):
        for end, share in (("lower", 0.025), ("upper", 0.975)):
            quantile = np.quantile(values, share, axis=0)
            np.testing.assert_allclose(forecast[f"{name}_{end}"], quantile, rtol=0.05, atol=0.01)


@each_model
def test_a_total_is_the_sum_of_its_customers_and_its_interval_carries_their_covariance(
    customers, fits, forecasts, model
):
    total = rm.predict_total(fits[model.__name__], customers, horizon=39).iloc[0]
    each = forecasts[model.__name__]
    assert total["expected"] == pytest.approx(each["expected_purchases"].sum(), rel=1e-12)
    reach = (each["expected_purchases_upper"] - each["expected_purchases_lower"]).to_numpy()
    width = total["expected_upper"] - total["expected_lower"]
    assert np.sqrt(np.sum(reach**2)) < width < reach.sum()
    assert total["purchases_lower"] < total["expected_lower"] < total["expected_upper"] < total["purchases_upper"]


@each_model
def test_compressed_customers_have_the_same_total(customers, fits, model):
    found = fits[model.__name__]
    pd.testing.assert_frame_equal(
        rm.predict_total(found, rm.logs.compress(customers), horizon=39), rm.predict_total(found, customers, horizon=39)
    )


@each_model
def test_time_unit_does_not_change_a_forecast(customers, forecasts, model):
    days = customers.assign(recency=customers["recency"] * 7, T=customers["T"] * 7)
    other = rm.predict(rm.fit(model, days), days, horizon=39 * 7)
    other["time_to_next_purchase_p90"] /= 7
    np.testing.assert_allclose(other, forecasts[model.__name__], rtol=1e-5)


def test_polars_in_pandas_out_and_the_index_is_the_customer(customers, fits, forecasts):
    frame = pl.DataFrame(customers[["frequency", "recency", "T"]].reset_index().to_dict("list"))
    other = rm.predict(fits["ParetoNBD"], frame, horizon=39)
    pd.testing.assert_frame_equal(other, forecasts["ParetoNBD"], check_index_type=False)
    assert other.index.name == "customer_id"


def test_without_a_level_there_are_no_intervals(customers, fits, forecasts):
    forecast = rm.predict(fits["BGNBD"], customers, horizon=39, level=None)
    assert list(forecast.columns) == [
        "probability_alive",
        "expected_purchases",
        "probability_no_purchase",
        "time_to_next_purchase_p90",
    ]
    pd.testing.assert_frame_equal(forecast, forecasts["BGNBD"][forecast.columns])


@pytest.mark.parametrize("horizon", [0, -1, 1e-300, 1e300, np.inf, np.nan, None, "39", [26, 52], True])
def test_a_horizon_that_is_no_finite_time_ahead_is_an_error(customers, fits, horizon):
    for function in (rm.predict, rm.predict_total):
        with pytest.raises(ValueError, match="horizon must be a number above 0, from 1e-09 to 1e\\+09"):
            function(fits["BGNBD"], customers, horizon)


@pytest.mark.parametrize("measure", ["time_unit", "granularity"])
def test_a_table_measured_otherwise_than_the_fit_is_refused(customers, fits, measure):
    other = rm.summarize(
        rm.datasets.load_cdnow(),
        calibration_end="1997-09-28",
        **{measure: {"time_unit": "D", "granularity": "W"}[measure]},
    )
    for function in (rm.predict, rm.predict_total):
        with pytest.raises(ValueError, match=f"the model was fitted with {measure}"):
            function(fits["BGNBD"], other, 39)


def test_a_model_of_contracts_is_sent_to_what_forecasts_contracts():
    kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 631, 468], "lost": [369, 163, 86]})
    found = rm.fit(rm.ShiftedBetaGeometric, kept)
    marginal_effect = partial(rm.forecast.marginal_effect, change={"plan": 1})
    value_by_horizon = partial(rm.value.value_by_horizon, terms=rm.Terms(annual_discount_rate=0.1), horizons=[3])
    for forecast in (
        *(partial(some, horizon=3) for some in (rm.predict_total, rm.forecast.predict_new, marginal_effect)),
        value_by_horizon,
    ):
        with pytest.raises(ValueError, match=r"ShiftedBetaGeometric is a model of contracts.*forecast_retention"):
            forecast(found, kept)
