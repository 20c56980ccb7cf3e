"""What is declared valid works: extreme horizons, ages, counts and levels give finite right numbers within seconds."""

import time

import mpmath
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import evaluation, forecast, value
from retention_models.btyd import BGBB, BGNBD, MBGCNBD, NBD, ParetoNBD
from retention_models.survival import DiscreteWeibull, Geometric, TwoSegments

KEPT = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
YEARLY = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
MODELS = [NBD, BGNBD, MBGCNBD, ParetoNBD]
SECONDS = 20.0  # of a processor: an ordinary one takes a second, and minutes if counts are added one by one


@pytest.fixture(scope="module")
def some(customers):
    """The most and the least frequent buyers, and some between."""
    return customers.sort_values("frequency").iloc[[0, 1, 500, 1500, 2000, 2300, 2350, 2356]]


@pytest.fixture(scope="module")
def fitted(customers):
    return {model: rm.fit(model, customers) for model in MODELS}


@pytest.mark.parametrize("horizon", [1e-9, 1e-3, 260.0, 1e4, 1e9])
@pytest.mark.parametrize("model", MODELS)
def test_every_horizon_is_forecast_within_seconds(fitted, some, model, horizon):
    begun = time.process_time()
    each, total = rm.predict(fitted[model], some, horizon), rm.predict_total(fitted[model], some, horizon).iloc[0]
    assert time.process_time() - begun < SECONDS
    assert np.isfinite(each.drop(columns="time_to_next_purchase_p90").to_numpy()).all()
    assert (each["purchases_lower"] <= each["purchases_upper"]).all()
    assert total["purchases_lower"] <= max(total["expected_lower"], 0)
    assert total["purchases_upper"] >= total["expected_upper"]
    assert total["expected"] == pytest.approx(each["expected_purchases"].sum(), rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_long_intervals_of_counts_leave_out_what_their_level_says(fitted, some, model):
    """The probability of each count up to either end, added one by one."""
    horizon, fit = 3_000.0, fitted[model]
    table = rm.predict(fit, some.tail(1), horizon, level=0.8)
    end = int(table["purchases_upper"].iloc[0])
    assert end > 300
    history = (some[name].to_numpy()[-1:] for name in fit.model.columns)
    sure = rm.Fit(**{**{k: getattr(fit, k) for k in fit.__dataclass_fields__}, "covariance": fit.covariance * 1e-12})
    alone = rm.predict(sure, some.tail(1), horizon, level=0.8)
    counts = np.arange(20_000.0)[:, None]
    cumulative = np.cumsum(fit.model.purchase_probability(counts, horizon, *history))
    low, high = (0.1, 0.9) if cumulative[0] < 0.1 else (0.0, 0.8)
    assert alone["purchases_upper"].iloc[0] == np.sum(cumulative < high)
    assert alone["purchases_lower"].iloc[0] == np.sum(cumulative < low)


def test_expected_purchases_grow_towards_their_limit():
    """BG/NBD with a above 1, whose customers make 1 + b / (a - 1) purchases each in the end; and mpmath at 1e9."""
    model = BGNBD(0.24, 4.4, 1.8, 2.4)
    within = model.expected_purchases_new([1e4, 1e9, 1e15])
    assert np.all(np.diff(within) > 0)
    assert model.expected_purchases_new(np.inf) == pytest.approx(1 + 2.4 / 0.8)
    assert within[-1] < 4.0
    r, alpha, a, b, h = map(mpmath.mpf, ("0.24", "4.4", "1.8", "2.4", "1e9"))
    with mpmath.workdps(40):
        z = h / (alpha + h)
        exact = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + h)) ** r * mpmath.hyp2f1(r, b, a + b - 1, z))
    assert within[1] == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(
    ("history", "horizon"),
    [((1e6, 1e5, 1e5), 39.0), ((1e6, 1e-3, 1e9), 39.0), ((1, 1e8, 1e9), 1e9), ((0, 0, 1e9), 1e9), ((1, 1e-9, 1e-9), 1)],
)
@pytest.mark.parametrize("model", MODELS)
def test_huge_and_tiny_histories_are_forecast(fitted, model, history, horizon):
    begun = time.process_time()
    table = pd.DataFrame([history], columns=["frequency", "recency", "T"])
    found = rm.predict(fitted[model], table, horizon)
    assert time.process_time() - begun < SECONDS
    assert np.isfinite(found.drop(columns="time_to_next_purchase_p90").to_numpy()).all()


@pytest.mark.parametrize("level", [1e-6, 0.999999])
def test_levels_near_their_ends_work(fitted, some, level):
    wide, usual = (rm.predict(fitted[ParetoNBD], some, 39, level=each) for each in (level, 0.95))
    compare = np.greater_equal if level > 0.95 else np.less_equal
    assert compare(wide["purchases_upper"], usual["purchases_upper"]).all()


def test_numbers_of_taken_opportunities_are_refused_where_they_would_take_minutes():
    model = BGBB(1.204, 0.75, 0.657, 2.783)
    assert np.isfinite(model.expected_purchases(1e9, 3, 5, 6))
    with pytest.raises(ValueError, match=r"up to 1,000 opportunities, not 10,000; .*level=None"):
        model.purchase_probability(1, 10_000, 3, 5, 6)


@pytest.mark.parametrize(
    "model",
    [
        Geometric(0.2),
        DiscreteWeibull(0.2, 0.7),
        DiscreteWeibull(0.2, 1.6),
        TwoSegments(rate=0.1, extra=0.5, odds=1.0),
        rm.ShiftedBetaGeometric(2.5, 4.0),
        rm.BetaDiscreteWeibull(1.5, 8.0, 1.8),
    ],
    ids=str,
)
def test_remaining_lifetimes_are_finite_at_any_tenure(model):
    found = model.expected_residual_lifetime([0.0, 1e3, 1e5, 1e7])
    assert np.isfinite(found).all()
    ahead = np.arange(1.0, 300_000.0)
    for tenure, lifetime in zip((0.0, 1e3), found, strict=False):
        terms = np.exp(model._log_survival(tenure + ahead) - model._log_survival(np.asarray(tenure)))
        assert terms.sum() <= lifetime * (1 + 1e-9)
        if terms[-1] < 1e-15:
            assert terms.sum() == pytest.approx(lifetime, rel=1e-9)


def test_long_forecasts_of_contracts_work_or_say_their_limit():
    fit, base = rm.fit(rm.ShiftedBetaGeometric, KEPT), pd.DataFrame({"tenure": [0, 4], "weight": [500, 326]})
    ahead = rm.forecast_retention(fit, base, renewals=2_000)
    assert np.isfinite(ahead.drop(columns="group").to_numpy()).all()
    assert (ahead["survivors_lower"] >= 0).all()
    for refused in (
        lambda: rm.forecast_retention(fit, base, renewals=1_000_000),
        lambda: forecast.retention_triangle(fit, KEPT.assign(cohort="a"), renewals=1_000_000),
    ):
        with pytest.raises(ValueError, match=r"renewals must be a number from (0|1) to 10000"):
            refused()
    with pytest.raises(ValueError, match=r"horizon must be a number from 1 to 1e\+06; got 1000000000"):
        rm.total_value(fit, base, rm.Terms(annual_discount_rate=0.1, billing_period="Y", horizon=1e9))


@pytest.mark.parametrize("tenure", [20_000, 1e9])
def test_customers_who_stayed_for_longer_than_can_be_valued_are_refused(tenure):
    fit = rm.fit(rm.ShiftedBetaGeometric, KEPT)
    for door in (rm.customer_value, rm.total_value):
        with pytest.raises(ValueError, match=r"(tenure is up to 20,000|the largest tenure must be)"):
            door(fit, pd.DataFrame({"tenure": [tenure]}), YEARLY)


def test_one_customer_and_no_customers(fitted, some):
    fit, one, none = fitted[ParetoNBD], some.head(1), some.head(0)
    assert len(rm.predict(fit, one, 39)) == 1
    assert np.isfinite(rm.predict_total(fit, one, 39).to_numpy()).all()
    weekly = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.15)
    assert np.isfinite(rm.total_value(fit, one, weekly)["value"]).all()
    for door in (
        lambda: rm.fit(rm.ParetoNBD, none),
        lambda: rm.predict(fit, none, 39),
        lambda: rm.predict_total(fit, none, 39),
        lambda: rm.customer_value(fit, none, weekly),
        lambda: rm.total_value(fit, none, weekly),
        lambda: value.value_by_segment(fit, none, weekly, []),
        lambda: evaluation.holdout_scores(fit, none),
    ):
        with pytest.raises(ValueError, match="the table has no rows"):
            door()
