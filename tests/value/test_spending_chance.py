"""The chance of amounts: moments against simulated customers, and their part in the planning range."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.value.purchases import totals_with_variance
from retention_models.value.spending_chance import spend_moments


@pytest.fixture(scope="module")
def spend(customers):
    return rm.fit(rm.GammaGamma, customers)


def test_moments_are_those_of_simulated_customers(spend):
    model = rm.GammaGamma(p=5.0, q=6.0, v=20.0)
    stated = replace(spend, model=model)
    table = pd.DataFrame({"frequency": [0, 4], "monetary_value": [0.0, 30.0]})
    mean, variance = np.array([0.8, 3.0]), np.array([1.2, 3.0])
    got = spend_moments(mean, variance, stated, table)
    rng, n = np.random.default_rng(5), 400_000
    for i, (x, m) in enumerate(table.to_numpy()):
        s = mean[i] ** 2 / (variance[i] - mean[i]) if variance[i] > mean[i] else np.inf
        rate = np.full(n, mean[i]) if np.isinf(s) else rng.gamma(s, mean[i] / s, n)
        count = rng.poisson(rate)
        nu = rng.gamma(5.0 * x + 6.0, 1 / (20.0 + x * m), n)
        spent = np.where(count > 0, rng.gamma(np.maximum(5.0 * count, 1.0)), 0.0) / nu
        assert got[0][i] == pytest.approx(spent.mean(), rel=0.01)
        assert got[1][i] == pytest.approx(spent.var(), rel=0.03)


def test_a_customer_who_may_never_pay_spends_less_and_less_surely(spend):
    table = pd.DataFrame({"frequency": [0], "monetary_value": [0.0]})
    data = {**spend.data, "left_out": {"with a mean amount of 0": spend.n_customers}}
    both = [spend_moments(np.ones(1), np.ones(1), one, table) for one in (spend, replace(spend, data=data))]
    (mean, variance), (half, of_half) = both
    assert half[0] == pytest.approx(mean[0] / 2)
    assert of_half[0] == pytest.approx(variance[0] / 2 + mean[0] ** 2 / 4)


def test_amounts_without_a_variance_are_given_a_wide_one(spend):
    table = pd.DataFrame({"frequency": [0], "monetary_value": [0.0]})
    heavy = replace(spend, model=rm.GammaGamma(p=5.0, q=1.5, v=20.0))
    mean, variance = spend_moments(np.ones(1), np.ones(1), heavy, table)
    assert variance[0] / mean[0] ** 2 == pytest.approx(3 * (1 / 5 + 2) - 1)


def test_amounts_add_chance_to_the_value(fits, customers, spend):
    purchases, of_purchases, amount, of_amount = totals_with_variance(fits["BG/NBD"], customers, 39, spend).iloc[0]
    total = rm.predict_total(fits["BG/NBD"], customers, 39).iloc[0]
    assert purchases == pytest.approx(total["expected"])
    terms = rm.Terms(horizon=39, time_unit="W", annual_discount_rate=0, margin=1.0)
    worth = rm.total_value(fits["BG/NBD"], customers, terms, spend=spend).iloc[0]
    assert amount == pytest.approx(worth["value"])
    by_parameters = (np.log(worth["value_upper"] / worth["value_lower"]) / (2 * 1.959964)) ** 2
    source = uncertainty_of(fits["BG/NBD"])
    table = source.read(customers)
    chance = table.weight @ source.values(lambda model, *h: model.purchases_variance(39, *h), table.rows)
    assert of_purchases > chance / purchases**2
    assert of_amount > by_parameters + chance / purchases**2
