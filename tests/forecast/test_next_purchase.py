"""No purchase within the horizon, and the time to the next one: exact integrals, simulated customers, identities."""

from dataclasses import replace

import mpmath
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd import BGBB, BGCNBD, BGNBD, MBGCNBD, MBGNBD, NBD, ParetoNBD

MODELS = [
    ParetoNBD(1.5, 3.0, 0.3, 100.0),
    BGNBD(1.5, 3.0, 0.3, 8.0),
    MBGNBD(1.5, 3.0, 0.3, 8.0),
    NBD(1.5, 3.0),
    BGCNBD(3.0, 1.5, 0.3, 8.0, k=2),
    MBGCNBD(3.0, 1.5, 0.3, 8.0, k=3),
    BGBB(1.5, 1.5, 0.5, 10.0),
]
TIMED = MODELS[:-1]
NOW, HORIZON = 20.0, 30.0
TIME = "time_to_next_purchase_p90"

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
each_timed_model = pytest.mark.parametrize("model", TIMED, ids=lambda model: type(model).__name__)


def known(model):
    """A fit at exactly these parameters."""
    return replace(rm.fit(type(model), model.simulate(np.full(300, NOW), 1)), model=model)


def histories(model, n=400, seed=2):
    return model.simulate(np.random.default_rng(seed).integers(1, 40, n).astype(float), seed)


def columns_of(model, customers):
    return [customers[name].to_numpy(dtype=float) for name in model.columns]


def followed(model, n, seed):
    """Customers at age NOW, and how long each then waits for the next purchase; infinity if it never comes."""
    log = model.simulate_transactions(np.full(n, NOW + HORIZON), seed, start="2024-01-01", time_unit="W")
    log["age"] = ((log["date"] - log["date"].min()) / pd.Timedelta("7D")).round(6)
    past = log[log["age"] <= NOW].groupby("customer_id")["age"].agg(["size", "max"])
    coming = log[log["age"] > NOW].groupby("customer_id")["age"].min()
    customers = pd.DataFrame({"frequency": past["size"] - 1, "recency": past["max"], "T": NOW})
    return customers, coming.reindex(customers.index).fillna(np.inf).to_numpy() - NOW


# ---- simulated customers


@each_model
def test_as_many_simulated_customers_make_no_purchase_as_their_histories_say(model):
    customers, wait = followed(model, 20_000, 3)
    chance = rm.predict(known(model), customers, HORIZON, level=None)["probability_no_purchase"].to_numpy()
    for group in np.array_split(np.argsort(chance, kind="stable"), 4):
        error = np.sqrt(np.mean(chance[group] * (1 - chance[group])) / len(group))
        assert abs(np.mean(wait[group] > HORIZON) - np.mean(chance[group])) < 3 * error


@each_model
def test_nine_in_ten_simulated_customers_are_back_by_their_time(model):
    customers, wait = followed(model, 20_000, 4)
    time = rm.predict(known(model), customers, HORIZON, level=None)[TIME].to_numpy()
    some = ~np.isnan(time)
    waiting = model.purchase_probability(0, time[some], *columns_of(model, customers[some]))
    assert some.sum() > 2_000
    error = np.sqrt(0.09 / some.sum())
    assert abs(np.mean(wait[some] > time[some]) - np.mean(waiting)) < 3 * error
    if not model.counts_opportunities:
        np.testing.assert_allclose(waiting, 0.1, rtol=1e-6)


@pytest.mark.slow
def test_simulated_customers_with_one_history_of_opportunities():
    model, history = MODELS[-1], {"frequency": 12, "recency": 19.0, "T": NOW}
    customers, wait = followed(model, 200_000, 5)
    wait = wait[(customers[list(history)] == history).all(axis=1)]
    forecast = rm.predict(known(model), pd.DataFrame([history]), HORIZON, level=None).iloc[0]
    for waiting, chance in (
        (wait > HORIZON, forecast["probability_no_purchase"]),
        (wait > forecast[TIME], model.purchase_probability(0, forecast[TIME], *history.values())),
        (wait > forecast[TIME] - 1, model.purchase_probability(0, forecast[TIME] - 1, *history.values())),
    ):
        assert abs(np.mean(waiting) - chance) < 3 * np.sqrt(chance * (1 - chance) / len(wait))


# ---- exact integrals

EXACT = [(0, 0.0, 39.0), (2, 30.43, 38.86), (1, 0.1, 39.0), (26, 38.0, 38.9), (300, 20.0, 39.0)]


def pareto_nbd_silent(x, t_x, until):
    """Likelihood of a silence from t_x until a time, over that of none: an integral over the moment of leaving."""
    r, alpha, s, beta = (mpmath.mpf(str(each)) for each in (0.553, 10.58, 0.606, 11.66))
    stays = ((alpha + until) / (alpha + t_x)) ** -(r + x) * (beta / (beta + until)) ** s

    def leaves(moment):
        return ((alpha + moment) / (alpha + t_x)) ** -(r + x) * s * beta**s * (beta + moment) ** -(s + 1)

    return stays + mpmath.quad(leaves, [t_x, *(t_x + (until - t_x) / 2**k for k in range(16, -1, -1))])


def bg_nbd_silent(x, t_x, until):
    """The same, over the chance p to leave after each purchase, by q = p^a."""
    r, alpha, a, b = (mpmath.mpf(str(each)) for each in (0.243, 4.414, 0.793, 2.426))

    def given(q):
        p = q ** (1 / a)
        left = p * (1 - p) ** (x - 1) if x else 0
        return (1 - p) ** (b - 1) * ((1 - p) ** x * ((alpha + until) / (alpha + t_x)) ** -(r + x) + left)

    return mpmath.quad(given, [0, *(mpmath.mpf(2) ** -k for k in range(10, -1, -1))])


@pytest.mark.parametrize("horizon", [0.5, 39.0, 1000.0])
@pytest.mark.parametrize("history", EXACT)
@pytest.mark.parametrize(
    ("model", "silent"),
    [
        (ParetoNBD(0.553, 10.58, 0.606, 11.66), pareto_nbd_silent),
        (BGNBD(0.243, 4.414, 0.793, 2.426), bg_nbd_silent),
    ],
    ids=["ParetoNBD", "BGNBD"],
)
def test_no_purchase_is_the_ratio_of_two_integrals(model, silent, history, horizon):
    with mpmath.workdps(30):
        x, t_x, T = history[0], mpmath.mpf(history[1]), mpmath.mpf(history[2])
        exact = float(silent(x, t_x, T + horizon) / silent(x, t_x, T))
    assert model.purchase_probability(0, horizon, *history) == pytest.approx(exact, rel=1e-10)


# ---- identities


@each_model
def test_no_purchase_is_a_longer_silence(model):
    """P(no purchase within h | history) is the likelihood of the history observed for h longer, over its own."""
    customers = histories(model)
    frequency, recency, T = columns_of(model, customers)
    longer = model.log_likelihood(frequency, recency, T + HORIZON) - model.log_likelihood(frequency, recency, T)
    forecast = rm.predict(known(model), customers, HORIZON, level=None)
    np.testing.assert_allclose(forecast["probability_no_purchase"], np.exp(longer), rtol=1e-9)


@each_model
def test_the_time_is_missing_exactly_where_the_horizon_is_too_short(model):
    forecast = rm.predict(known(model), histories(model), HORIZON, level=None)
    assert 0 < forecast[TIME].isna().mean() < 1
    assert (forecast[TIME].isna() == (forecast["probability_no_purchase"] > 0.1)).all()
    assert forecast[TIME].dropna().between(0, HORIZON, inclusive="right").all()


@each_model
def test_customers_who_have_left_make_no_purchase_and_a_longer_horizon_brings_more_back(model):
    customers, fitted = histories(model), known(model)
    short, long = (rm.predict(fitted, customers, horizon, level=None) for horizon in (HORIZON, 2 * HORIZON))
    assert (long["probability_no_purchase"] >= 1 - long["probability_alive"] - 1e-12).all()
    fewer = short["probability_no_purchase"] - long["probability_no_purchase"]
    assert fewer.min() > -1e-15
    assert fewer.mean() > 0
    both = short[TIME].notna()
    assert long.loc[both, TIME].notna().all()
    np.testing.assert_allclose(long.loc[both, TIME], short.loc[both, TIME], rtol=1e-8)


@each_timed_model
def test_days_and_weeks_give_the_same_time(model):
    weeks = histories(model)
    days = weeks.assign(recency=7 * weeks["recency"], T=7 * weeks["T"])
    by_day = replace(model, **{name: 7 * getattr(model, name) for name in model.time_parameters})
    one = rm.predict(known(model), weeks, HORIZON, level=None)
    other = rm.predict(known(by_day), days, 7 * HORIZON, level=None)
    np.testing.assert_allclose(other[TIME] / 7, one[TIME], rtol=1e-9)
    np.testing.assert_allclose(other["probability_no_purchase"], one["probability_no_purchase"], rtol=1e-12)


@each_timed_model
@pytest.mark.parametrize("horizon", [1.0, 1e4, 1e9])
def test_the_time_is_exact_whatever_the_horizon(model, horizon):
    customers = histories(model)
    time = rm.predict(known(model), customers, horizon, level=None)[TIME].to_numpy()
    some = ~np.isnan(time)
    waiting = model.purchase_probability(0, time[some], *columns_of(model, customers[some]))
    np.testing.assert_allclose(waiting, 0.1, rtol=1e-6)


def test_opportunities_are_whole_and_the_one_before_is_too_early():
    model = MODELS[-1]
    customers = histories(model)
    time = rm.predict(known(model), customers, HORIZON, level=None)[TIME].to_numpy()
    some = ~np.isnan(time)
    columns = columns_of(model, customers[some])
    np.testing.assert_array_equal(time[some], np.floor(time[some]))
    assert np.all(model.purchase_probability(0, time[some], *columns) <= 0.1)
    assert np.all(model.purchase_probability(0, time[some] - 1, *columns) > 0.1)


def test_many_opportunities_are_predicted_without_intervals_and_too_many_are_refused():
    fitted = known(MODELS[-1])
    customers = histories(fitted.model, 5)
    assert rm.predict(fitted, customers, 50_000, level=None)["probability_no_purchase"].between(0, 1).all()
    with pytest.raises(ValueError, match=r"horizon must be a number from 0 to 100000; got 1000000"):
        rm.predict(fitted, customers, 1_000_000, level=None)


def test_customers_with_covariates_have_a_model_of_their_own():
    web = np.repeat([0.0, 1.0], 300)
    shop = ParetoNBD(1.5, 3 * np.exp(-0.5 * web), 0.3, 100.0)
    customers = shop.simulate(np.full(600, NOW), 6).assign(web=web)
    found = rm.fit(ParetoNBD, customers, purchase_covariates="web")
    forecast = rm.predict(found, customers, HORIZON, level=None)
    plain = rm.fit(ParetoNBD, customers)
    for value in (0, 1):
        own = replace(found.model, alpha=found.model.alpha * np.exp(-found.params["purchase[web]"] * value))
        expected = rm.predict(replace(plain, model=own), customers[web == value], HORIZON, level=None)
        assert expected[TIME].notna().any()
        pd.testing.assert_frame_equal(forecast[web == value], expected, rtol=1e-8)


@pytest.mark.parametrize("unit", ["D", "W", "30D"])
def test_the_day_is_that_of_the_time_after_the_last_day_observed(unit):
    customers = rm.summarize(rm.datasets.load_cdnow(), observation_end="1998-06-30", time_unit=unit)
    horizon = pd.Timedelta(364, "D") / pd.Timedelta(1 if unit == "D" else 7 if unit == "W" else 30, "D")
    forecast = rm.predict(rm.fit(rm.ParetoNBD, customers), customers, horizon, level=None)
    days = rm.forecast.next_purchase_day(forecast)
    assert days.isna().equals(forecast[TIME].isna())
    length = (pd.to_datetime(days.dropna()) - pd.Timestamp("1998-06-30")).dt.days
    exact = forecast[TIME].dropna() * {"D": 1, "W": 7, "30D": 30}[unit]
    assert ((length - exact).between(0, 1)).all()
    assert len(exact) > 10


def test_the_day_of_opportunities_is_the_last_of_the_period():
    log = rm.datasets.load_cdnow()
    months = rm.logs.opportunities(log, period="M", observation_end="1998-06-30")
    model = BGBB(alpha=8.0, beta=2.0, gamma=1.0, delta=200.0)
    fit = replace(rm.fit(BGBB, months), model=model)
    forecast = rm.predict(fit, months, 12, level=None)
    days = rm.forecast.next_purchase_day(forecast)
    found = pd.DataFrame({"time": forecast[TIME], "day": days}).dropna().drop_duplicates()
    expected = [str((pd.Period("1998-06", "M") + int(time)).end_time.date()) for time in found["time"]]
    assert found["day"].tolist() == expected
    assert len(found)


def test_a_forecast_without_a_day_has_no_day_to_count_from():
    customers = pd.DataFrame({"frequency": [5, 0], "recency": [30.0, 0.0], "T": [31.0, 31.0]})
    model = ParetoNBD(1.5, 3.0, 0.3, 100.0)
    with pytest.raises(ValueError, match="the forecast does not say on which day it begins: predict for a table of"):
        rm.forecast.next_purchase_day(rm.predict(known(model), customers, HORIZON, level=None))
