"""What customers would do: new ones, and the same with a covariate changed."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.fitting.result import step_scale, stepped
from retention_models.forecast.marginal_effects import marginal_effect, predict_new
from retention_models.value.marginal import marginal_value

MONEY = {"time_unit": "W", "annual_discount_rate": 0.1, "margin": 0.3}


def shop(model, n, seed):
    """Customers of whom those from the web buy more often, leave sooner and spend more."""
    rng = np.random.default_rng(seed)
    who = pd.DataFrame({"channel": rng.choice(["mail", "web"], n), "age": rng.normal(40, 10, n).round()})
    web = (who["channel"] == "web").to_numpy()
    if model is MBGNBD:
        mean = 1 / (1 + np.exp(1.5 - 0.6 * web))
        truth = MBGNBD(0.8, 12 * np.exp(-0.5 * web), 3.5 * mean, 3.5 * (1 - mean))
    else:
        truth = rm.ParetoNBD(0.8, 12 * np.exp(-0.5 * web), 0.9, 30 * np.exp(-0.6 * web))
    customers = truth.simulate(rng.integers(20, 60, n), rng)
    spent = rm.GammaGamma(6.0, 4.0, 15 * np.exp(0.3 * web)).simulate(customers["frequency"].to_numpy(), rng)
    return customers.assign(monetary_value=spent["monetary_value"]).join(who)


FORMULAS = {"purchase_covariates": "channel + age", "dropout_covariates": "channel"}


@pytest.fixture(scope="module")
def customers():
    return shop(rm.ParetoNBD, 1200, 1)


@pytest.fixture(scope="module")
def fitted(customers):
    return rm.fit(rm.ParetoNBD, customers, **FORMULAS)


def test_new_customers_are_those_of_the_model_with_their_parameters(fitted):
    kinds = pd.DataFrame({"channel": ["mail", "web"], "age": [30, 50]}, index=["a", "b"])
    found = predict_new(fitted, kinds, 26)
    g, model = fitted.covariate_terms.coefficients, fitted.model
    assert list(found.index) == ["a", "b"]
    for label, web, age in (("a", 0, 30), ("b", 1, 50)):
        rate = np.exp(g["purchase[channel[T.web]]"] * web + g["purchase[age]"] * age)
        leaves = np.exp(g["dropout[channel[T.web]]"] * web)
        own = rm.ParetoNBD(model.r, model.alpha / rate, model.s, model.beta / leaves)
        assert found["expected_purchases"][label] == pytest.approx(float(own.expected_purchases_new(26)))
        assert found["probability_alive"][label] == pytest.approx(float(own.probability_staying_new(26)))
    for name in ("expected_purchases", "probability_alive"):
        assert np.all((found[f"{name}_lower"] < found[name]) & (found[name] < found[f"{name}_upper"]))
    assert list(predict_new(fitted, kinds, 26, level=None)) == ["expected_purchases", "probability_alive"]


def test_without_covariates_all_new_customers_are_alike(customers):
    plain = rm.fit(rm.ParetoNBD, customers)
    found = predict_new(plain, customers.head(3), 26)
    np.testing.assert_allclose(found["expected_purchases"], float(plain.model.expected_purchases_new(26)))


def test_a_rate_that_grows_multiplies_what_is_expected(customers, fitted):
    """With drop-out as it was, each customer's purchases grow by the factor of the rate."""
    found = rm.fit(rm.ParetoNBD, customers, purchase_covariates="channel")
    mail = customers[customers["channel"] == "mail"]
    effect = marginal_effect(found, mail, {"channel": "web"}, 26)
    before = rm.predict(found, mail, 26, level=None)["expected_purchases"].mean()
    factor = np.exp(found.params["purchase[channel[T.web]]"])
    assert effect["before"]["purchases"] == pytest.approx(before)
    assert effect["after"]["purchases"] == pytest.approx(before * factor)
    assert effect["effect"]["alive"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("model", [rm.ParetoNBD, MBGNBD])
def test_of_new_customers_it_is_the_difference_of_their_forecasts(model):
    customers = shop(model, 800, 2)
    found = rm.fit(model, customers, **FORMULAS)
    effect = marginal_effect(found, customers, {"channel": "web"}, 26, new=True)
    now, then = (predict_new(found, table, 26, level=None) for table in (customers, customers.assign(channel="web")))
    for outcome, name in (("purchases", "expected_purchases"), ("alive", "probability_alive")):
        row = effect.loc[outcome]
        assert row["before"] == pytest.approx(now[name].mean())
        assert row["after"] == pytest.approx(then[name].mean())


def test_nothing_changes_where_customers_already_are_so(customers, fitted):
    web = customers[customers["channel"] == "web"]
    effect = marginal_effect(fitted, web, {"channel": "web"}, 26)
    np.testing.assert_allclose(effect[["effect", "std_error", "lower", "upper"]], 0, atol=1e-12)


def test_a_function_changes_a_number_and_weights_count_customers(customers, fitted):
    older = marginal_effect(fitted, customers, {"age": lambda age: age + 1}, 26).loc["purchases"]
    assert older["after"] == pytest.approx(older["before"] * np.exp(fitted.params["purchase[age]"]))
    weight = np.arange(len(customers)) % 3
    once = marginal_effect(fitted, customers.assign(weight=weight), {"channel": "web"}, 26)
    repeated = marginal_effect(fitted, customers.loc[customers.index.repeat(weight)], {"channel": "web"}, 26)
    pd.testing.assert_frame_equal(once, repeated, rtol=1e-9)


@pytest.mark.slow
def test_the_interval_is_that_of_draws(customers, fitted):
    few = customers.head(60)
    effect = marginal_effect(fitted, few, {"channel": "mail"}, 26)
    rng, covariance = np.random.default_rng(1), fitted.covariance / np.outer(step_scale(fitted), step_scale(fitted))
    draws = [
        marginal_effect(stepped(fitted, step), few, {"channel": "mail"}, 26)["effect"]
        for step in rng.multivariate_normal(np.zeros(7), covariance, 300)
    ]
    np.testing.assert_allclose(np.std(draws, axis=0), effect["std_error"], rtol=0.2)


def test_value_is_that_of_customer_value_and_moves_with_purchases_and_amounts(customers, fitted):
    spend = rm.fit(rm.GammaGamma, customers, spend_covariates="channel")
    total = rm.total_value(fitted, customers, rm.Terms(horizon=26, **MONEY), spend=spend)
    effect = marginal_value(fitted, customers, {"channel": "web"}, rm.Terms(horizon=26, **MONEY), spend=spend).loc[
        "value"
    ]
    assert effect["before"] == pytest.approx(total["value_per_customer"].iloc[0])
    plain = rm.fit(NBD, customers)
    mail = customers[customers["channel"] == "mail"]
    amounts = marginal_value(plain, mail, {"channel": "web"}, rm.Terms(horizon=26, **MONEY), spend=spend).loc["value"]
    factor = np.exp(spend.params["spend[channel[T.web]]"])
    assert amounts["after"] == pytest.approx(amounts["before"] * factor)
    error = spend.table().loc["spend[channel[T.web]]", "std_error"]
    assert amounts["std_error"] > 0.5 * error * amounts["after"]
    endless = marginal_value(fitted, mail, {"channel": "web"}, rm.Terms(horizon=np.inf, **MONEY), new=True).loc["value"]
    assert np.isfinite(endless).all()


def test_what_cannot_change_is_named(customers, fitted):
    with pytest.raises(ValueError, match=r"change must name covariates of the fit \(channel, age\) and state their"):
        marginal_effect(fitted, customers, {"height": 1}, 26)
    with pytest.raises(ValueError, match="change must name covariates"):
        marginal_effect(fitted, customers, {}, 26)
    with pytest.raises(ValueError, match=r'as in \{"channel": "web"\}; got'):
        marginal_effect(fitted, customers, "age", 26)
    with pytest.raises(ValueError, match="change needs one value of age for all, or a function"):
        marginal_effect(fitted, customers, {"age": [1, 2]}, 26)
    with pytest.raises(ValueError, match="the table has no rows"):
        predict_new(fitted, customers.head(0), 26)
    with pytest.raises(ValueError, match=r"channel not in the table \(columns: frequency, .*age\)"):
        predict_new(fitted, customers.drop(columns="channel"), 26)
    with pytest.raises(ValueError, match="it has none"):
        marginal_effect(rm.fit(NBD, customers), customers, {"channel": "web"}, 26)
    with pytest.raises(ValueError, match="channel has a level that the fit has not seen"):
        marginal_effect(fitted, customers, {"channel": "fax"}, 26)
    with pytest.raises(ValueError, match="horizon must be"):
        marginal_effect(fitted, customers, {"channel": "web"}, 0)
    money = {**MONEY, "annual_discount_rate": 0}
    found = rm.fit(NBD, customers, purchase_covariates="channel")
    with pytest.raises(ValueError, match="the value of a customer who may never leave is infinite"):
        marginal_value(found, customers, {"channel": "web"}, rm.Terms(horizon=np.inf, **money))
