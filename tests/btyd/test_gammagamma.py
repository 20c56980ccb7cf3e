"""Gamma-Gamma: published estimates and amounts, the score, its edge, and what it leaves out."""

import mpmath
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.value.spending import spend_by_frequency, spend_independence_check

# Fader & Hardie (2013) on the 946 repeat buyers of the CDNOW sample, recomputed to all digits shown
PUBLISHED = rm.GammaGamma(p=6.249347354, q=3.744256161, v=15.444263254)
STD_ERRORS = [1.18997, 0.290136, 4.15953]
LOG_LIKELIHOOD = -4055.91769483
FIRST_TEN = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


def test_published_estimates(customers):
    found = rm.fit(rm.GammaGamma, customers)
    assert found.n_customers == 946
    assert found.data["left_out"] == {"without a repeat purchase": 1411}
    assert found.log_likelihood == pytest.approx(LOG_LIKELIHOOD, abs=1e-6)
    np.testing.assert_allclose(found.params, [6.249347354, 3.744256161, 15.444263254], rtol=1e-4)
    np.testing.assert_allclose(found.table()["std_error"], STD_ERRORS, rtol=1e-3)


def test_published_amounts_of_the_first_ten_customers(customers):
    first = customers.head(10)
    amounts = PUBLISHED.expected_spend(first["frequency"], first["monetary_value"])
    np.testing.assert_array_equal(np.round(amounts, 2), FIRST_TEN)


@pytest.mark.parametrize("parameters", [("6.25", "3.74", "15.4"), ("1.25", "1e8", "2e9"), ("1.25", "1e13", "2e14")])
def test_likelihood_is_that_of_the_paper_at_40_digits(parameters):
    mpmath.mp.dps = 40
    p, q, v = map(mpmath.mpf, parameters)
    for x, m in ((1, "0.01"), (3, "25.5"), (400, "1e5")):
        total = x * mpmath.mpf(m)
        exact = (
            mpmath.loggamma(p * x + q) - mpmath.loggamma(p * x) - mpmath.loggamma(q) + q * mpmath.log(v)
            + (p * x - 1) * mpmath.log(m) + p * x * mpmath.log(x) - (p * x + q) * mpmath.log(v + total)
        )  # fmt: skip
        ours = rm.GammaGamma(*map(float, parameters)).log_likelihood(np.array([x]), np.array([float(m)]))[0]
        assert ours == pytest.approx(float(exact), rel=1e-12)


def test_amounts_that_do_not_differ_between_customers_end_at_the_limit():
    """Rounding of the likelihood at q of 1e13 once hid that no parameter does better than the limit."""
    rng = np.random.default_rng(1)
    shop = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)
    log = shop.simulate_transactions(np.full(400, 52.0), rng, start="2024-12-30", time_unit="W")
    log["amount"] = rng.lognormal(3, 1, len(log)).clip(0.5).round(2)
    for day in ("2025-07-23", "2025-08-26", "2025-09-29", "2025-11-02"):
        fit = rm.fit(rm.GammaGamma, rm.summarize(log, calibration_end=day))
        assert np.isfinite(fit.log_likelihood)


def test_score_is_the_gradient():
    x, m = np.array([1.0, 2, 30]), np.array([0.5, 80.0, 33.0])
    at, h = np.array([6.25, 3.74, 15.4]), 1e-5
    slopes = [
        (rm.GammaGamma(*(at + d)).log_likelihood(x, m) - rm.GammaGamma(*(at - d)).log_likelihood(x, m)) / (2 * h)
        for d in h * np.eye(3)
    ]
    np.testing.assert_allclose(rm.GammaGamma(*at).score(x, m), np.stack(slopes, axis=-1), rtol=1e-6, atol=1e-8)


def test_density_integrates_to_one():
    model = rm.GammaGamma(p=2.0, q=3.0, v=10.0)
    for x in (1.0, 5.0):
        m = np.exp(np.linspace(-12, 14, 20_001))
        density = np.exp(model.log_likelihood(np.full_like(m, x), m)) * m
        assert np.trapezoid(density, np.log(m)) == pytest.approx(1, abs=1e-6)


def test_expected_amount_lies_between_the_own_mean_and_that_of_all():
    own = PUBLISHED.expected_spend(np.arange(1, 200), np.full(199, 80.0))
    assert np.all(np.diff(own) > 0)
    assert PUBLISHED.expected_spend(0, 0) < own[0] < own[-1] < 80


def test_where_no_mean_exists_the_median_is_given_and_positive():
    model = rm.GammaGamma(p=0.4, q=0.5, v=10.0)
    x, m = np.array([0, 1, 2]), np.array([0.0, 20.0, 20.0])
    np.testing.assert_array_equal(model.has_mean(x), [False, False, True])
    amount = model.expected_spend(x, m)
    assert np.all(amount > 0)
    draws = 0.4 / np.random.default_rng(0).gamma(0.4 + 0.5, 1 / (10.0 + 20.0), 400_000)
    assert amount[1] == pytest.approx(np.median(draws), rel=0.01)


def test_truth_is_recovered_from_simulated_customers():
    truth = rm.GammaGamma(p=6.25, q=3.74, v=15.44)
    rng = np.random.default_rng(3)
    simulated = truth.simulate(rng.integers(0, 9, 20_000), rng)
    found = rm.fit(rm.GammaGamma, simulated)
    error = np.log(found.params.to_numpy() / [6.25, 3.74, 15.44])
    assert np.all(np.abs(error) < 3 * found.table()["std_error"] / found.table()["estimate"])
    expected = found.model.expected_spend(simulated["frequency"], simulated["monetary_value"])
    assert np.mean(simulated["mean_amount"]) == pytest.approx(np.mean(expected), rel=0.02)


def test_money_unit_changes_only_v(customers):
    dollars = rm.fit(rm.GammaGamma, customers)
    cents = rm.fit(rm.GammaGamma, customers.assign(monetary_value=customers["monetary_value"] * 100))
    np.testing.assert_allclose(cents.params, dollars.params * [1, 1, 100], rtol=1e-6)


def test_repeat_buyers_with_a_mean_of_zero_are_left_out_and_counted(customers):
    zero = customers.copy()
    zero.iloc[0, zero.columns.get_loc("monetary_value")] = 0.0
    found = rm.fit(rm.GammaGamma, zero)
    assert found.n_customers == 945
    assert found.data["left_out"] == {"without a repeat purchase": 1411, "with a mean amount of 0": 1}
    assert found.model.expected_spend(2, 0.0) > 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0.0), (0, 0.0)], "needs more customers; the table has 0"),
        ([(2, -5.0), (1, 4.0)], "monetary_value is negative for 1 of 2 rows"),
        ([(2, np.inf), (1, 4.0)], "monetary_value is missing, infinite or not a number for 1 of 2"),
    ],
)
def test_data_it_cannot_learn_from_is_an_error(rows, message):
    with pytest.raises(ValueError, match=message):
        rm.fit(rm.GammaGamma, pd.DataFrame(rows, columns=["frequency", "monetary_value"]))


def test_on_cdnow_the_correlation_is_told_and_the_bias_decides(customers):
    fit = rm.fit(rm.GammaGamma, customers)
    check = spend_independence_check(fit, customers)
    assert "0.11 (95 % interval 0.05 to 0.18)" in check.detail
    assert check.passed
    table = spend_by_frequency(fit, customers)
    assert table["customers"].sum() == 946
    assert table["repeat_purchases"].sum() == 2457
    assert (table["bias_lower"] <= table["bias"]).all()
    assert (table["bias"] <= table["bias_upper"]).all()


def test_independence_fails_where_frequent_buyers_spend_much_more():
    rng = np.random.default_rng(5)
    x = rng.integers(1, 12, 4000)
    made = rm.GammaGamma(p=4.0, q=4.0, v=20.0).simulate(x, rng)
    dependent = made.assign(monetary_value=made["monetary_value"] * (0.5 + 0.15 * x))
    assert spend_independence_check(rm.fit(rm.GammaGamma, made), made).passed
    check = spend_independence_check(rm.fit(rm.GammaGamma, dependent), dependent)
    assert check.passed is False


@pytest.mark.parametrize("seed", range(8))
def test_one_customer_alone_does_not_fail_independence(seed):
    made = rm.GammaGamma(2, 4, 40).simulate(np.repeat([1, 2, 3], [80, 30, 1]), np.random.default_rng(seed))
    fit = rm.fit(rm.GammaGamma, made)
    assert spend_by_frequency(fit, made)["customers"].to_dict() == {"1": 80, "2+": 31}
    assert spend_independence_check(fit, made).passed


def test_independence_cannot_be_told_where_all_buy_as_often():
    made = rm.GammaGamma(2, 4, 40).simulate(np.ones(80), np.random.default_rng(1))
    check = spend_independence_check(rm.fit(rm.GammaGamma, made), made)
    assert check.passed is None
    assert "80 customers who paid again make fewer than two groups of 20" in check.detail


def test_where_amounts_are_all_alike_no_correlation_is_told():
    made = pd.DataFrame({"frequency": np.repeat([1, 2], 30), "monetary_value": 5.0})
    fit = rm.fit(rm.GammaGamma, made.assign(monetary_value=np.linspace(4, 6, 60)))
    assert "No correlation of amount and frequency can be computed" in spend_independence_check(fit, made).detail


@pytest.mark.parametrize("edges", [(2, 3), (), (1, 3, 3), (1, 2.5), 1])
def test_edges_that_leave_a_customer_without_a_group_are_an_error(customers, edges):
    with pytest.raises(ValueError, match="edges must be increasing whole numbers that begin with 1"):
        spend_by_frequency(rm.fit(rm.GammaGamma, customers), customers, edges=edges)


def test_customers_who_always_spend_the_same_end_at_the_limit_and_predict():
    rng = np.random.default_rng(2)
    x = rng.integers(1, 6, 800)
    own = 40 / rng.gamma(3.7, size=800)
    found = rm.fit(rm.GammaGamma, pd.DataFrame({"frequency": x, "monetary_value": np.round(own, 2)}))
    assert found.notes[0] == "p ran to infinity and is held there: a customer always spends the same amount."
    np.testing.assert_allclose(found.model.expected_spend(x, own), own, rtol=1e-5)
    assert np.isfinite(found.table().drop(columns="note").to_numpy()).all()
