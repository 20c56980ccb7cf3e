"""Pareto/NBD against mpmath, on histories as extreme as data can be, and at its limits."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_models.btyd.paretonbd import ParetoNBD

CUSTOMERS = [(0, 0.0, 38.86), (2, 30.43, 38.86), (26, 30.86, 31.0), (1, 1.71, 38.86), (120, 20.0, 200.0)]
MODELS = [ParetoNBD(0.553, 10.58, 0.606, 11.66), ParetoNBD(3.0, 40.0, 1.0, 9.0), ParetoNBD(0.2, 0.05, 2.5, 300.0)]


def log_range(low, high):
    return st.floats(np.log10(low), np.log10(high)).map(lambda power: 10.0**power)


def exact_log_likelihood(r, alpha, s, beta, x, t_x, T):
    """To 40 digits, the integral relative to its integrand at t_x."""
    with mp.workdps(40):
        r, alpha, s, beta, x, t_x, T = (mp.mpf(float(value)) for value in (r, alpha, s, beta, x, t_x, T))
        A, B = alpha + t_x, beta + t_x
        scale = min(A, B)

        def integrand(w):
            u = scale * mp.expm1(w)
            return mp.exp(-(r + x) * mp.log1p(u / A) - (s + 1) * mp.log1p(u / B)) * (scale + u)

        width = mp.log1p((T - t_x) / scale)
        while width > 1e-30 and integrand(width) < scale * mp.mpf(10) ** -35:
            width *= mp.mpf("0.9")
        panels = mp.linspace(0, min(width / mp.mpf("0.9"), mp.log1p((T - t_x) / scale)), 9)
        gone = s / B * mp.quad(integrand, panels, method="gauss-legendre")
        alive = (A / (alpha + T)) ** (r + x) * (B / (beta + T)) ** s
        bought = mp.rf(r, x) * mp.exp(-x * mp.log(A) - r * mp.log1p(t_x / alpha) - s * mp.log1p(t_x / beta))
        return float(mp.log(bought) + mp.log(alive + gone))


def assert_log_likelihood_is_exact(r, alpha, s, beta, x, t_x, T):
    expected = exact_log_likelihood(r, alpha, s, beta, x, t_x, T)
    computed = ParetoNBD(r, alpha, s, beta).log_likelihood(x, t_x, T)
    assert abs(computed - expected) <= 1e-9 * max(1, abs(expected))


EXTREMES = {
    "r": log_range(0.03, 100),
    "alpha": log_range(0.01, 1e4),
    "s": log_range(0.03, 100),
    "beta": log_range(0.01, 1e4),
    "x": st.just(0) | st.integers(1, 3000) | log_range(1, 3000).map(int),
    "T": log_range(1, 2000),
    "share": log_range(1e-6, 1) | st.floats(0.01, 1) | log_range(1e-9, 1).map(lambda gap: 1 - gap),
}


@settings(max_examples=60, derandomize=True, deadline=None)
@given(**EXTREMES)
def test_log_likelihood_is_exact_on_extreme_histories(r, alpha, s, beta, x, T, share):
    assert_log_likelihood_is_exact(r, alpha, s, beta, x, max(share, 1e-12) * T if x else 0.0, T)


@pytest.mark.slow
@settings(max_examples=1500, derandomize=True, deadline=None)
@given(**EXTREMES)
def test_log_likelihood_is_exact_on_very_many_extreme_histories(r, alpha, s, beta, x, T, share):
    assert_log_likelihood_is_exact(r, alpha, s, beta, x, max(share, 1e-12) * T if x else 0.0, T)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
@pytest.mark.parametrize(("r", "alpha"), [(0.5, 10.0), (1e7, 2e8), (1e-9, 10.0)])
@pytest.mark.parametrize(("s", "beta"), [(0.6, 12.0), (1e7, 3e8), (1e-9, 12.0), (0.6, 1e-8), (0.6, 1e9)])
def test_log_likelihood_is_exact_where_estimates_run_off(r, alpha, s, beta, scale):
    for x, t_x, T in CUSTOMERS:
        assert_log_likelihood_is_exact(r, alpha * scale, s, beta * scale, x, t_x * scale, T * scale)


def given_history(model, x, t_x, T):
    """mpmath's parameters of a customer alive at T, and the chance to be that."""
    r, alpha, s, beta = (mp.mpf(value) for value in (model.r, model.alpha, model.s, model.beta))
    log_alive = mp.log(mp.rf(r, x)) + r * mp.log(alpha) + s * mp.log(beta)
    log_alive -= (r + x) * mp.log(alpha + T) + s * mp.log(beta + T)
    alive = mp.exp(log_alive - exact_log_likelihood(r, alpha, s, beta, x, t_x, T))
    return alive, r + x, alpha + T, s, beta + T


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_probability_alive_and_expectations_agree_with_mpmath(model, customer):
    alive, r, alpha, s, beta = given_history(model, *customer)
    assert model.probability_alive(*customer) == pytest.approx(float(alive), rel=1e-11)
    for horizon in (0.1, 39.0, 5000.0):
        time = mp.quad(lambda y: (beta / (beta + y)) ** s, [0, horizon / 100, horizon])
        assert model.expected_purchases(horizon, *customer) == pytest.approx(float(alive * r / alpha * time), rel=1e-11)


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_present_value_agrees_with_the_confluent_hypergeometric_function(model, customer):
    alive, r, alpha, s, beta = given_history(model, *customer)
    for rate in (1e-5, 0.0027, 0.5, 40.0):
        time = beta * mp.hyperu(1, 2 - s, rate * beta)
        computed = model.discounted_expected_purchases(rate, *customer)
        assert computed == pytest.approx(float(alive * r / alpha * time), rel=1e-10)


@pytest.mark.parametrize("window", [0.5, 39.0, 900.0])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_count_probabilities_agree_with_mpmath(model, window):
    for n in (0, 1, 7, 300):
        computed = model.purchase_probability_new(n, window)
        assert computed == pytest.approx(exact_count_probability(model, n, window), rel=1e-9, abs=1e-300)


@mp.workdps(30)
def exact_count_probability(model, n, window):
    """Outlived the window, or gone within it."""
    r, alpha, s, beta, window = (mp.mpf(v) for v in (model.r, model.alpha, model.s, model.beta, window))

    def bought(y):
        return mp.rf(r, n) / mp.factorial(n) * (alpha / (alpha + y)) ** r * (y / (alpha + y)) ** n

    def gone(y):
        return s / beta * (beta / (beta + y)) ** (s + 1) * bought(y)

    points = [0, *(window / 2**k for k in range(12, -1, -1))]
    left = bought(window) * mp.quad(lambda y: gone(y) / bought(window), points, method="gauss-legendre")
    return float(left + bought(window) * (beta / (beta + window)) ** s)


def test_expectation_has_no_singularity_where_the_mean_lifetime_becomes_infinite():
    around = [ParetoNBD(0.5, 10, s, 12).expected_purchases_new(39) for s in (1 - 1e-7, 1, 1 + 1e-7)]
    assert around[1] == pytest.approx(0.05 * 12 * np.log(51 / 12), rel=1e-14)
    assert np.ptp(around) < 1e-6
    assert ParetoNBD(0.5, 10, 1, 12).expected_purchases_new(np.inf) == np.inf
    assert ParetoNBD(0.5, 10, 3, 12).expected_purchases_new(np.inf) == pytest.approx(0.05 * 6)


def test_without_dropout_it_is_the_negative_binomial():
    model = ParetoNBD(0.5, 10.0, 1e-9, 12.0)
    assert model.probability_alive(3, 1.0, 39.0) == pytest.approx(1, abs=1e-6)
    assert model.expected_purchases_new(39.0) == pytest.approx(0.5 * 3.9, rel=1e-7)
    assert model.purchase_probability_new(0, 39.0) == pytest.approx((10 / 49) ** 0.5, rel=1e-7)


def test_with_one_dropout_rate_for_all_lifetimes_are_exponential():
    rate, horizon = 0.03, 39.0
    model = ParetoNBD(0.5, 10.0, 1e7, 1e7 / rate)
    assert model.expected_purchases_new(horizon) == pytest.approx(0.05 * -np.expm1(-rate * horizon) / rate, rel=1e-6)
    assert model.probability_alive(0, 0.0, 20.0) == pytest.approx(exponential_alive(0.5, 10.0, rate, 20.0), rel=1e-6)


def exponential_alive(r, alpha, rate, T):
    """Chance of being alive of a customer who never came back, at one drop-out rate for all."""
    silent = mp.quad(lambda y: rate * mp.exp(-rate * y) * (alpha / (alpha + y)) ** r, [0, T])
    alive = mp.exp(-rate * T) * (alpha / (alpha + T)) ** r
    return float(alive / (alive + silent))


@pytest.mark.parametrize("horizon", [39.0, np.inf])
def test_present_value_stays_finite_as_lifetimes_grow(horizon):
    values = ParetoNBD(0.5, 10.0, 0.6, 10.0 ** np.arange(0, 15)).discounted_expected_purchases(
        0.01, 2, 30.0, 39.0, horizon=horizon
    )
    assert np.all(np.diff(values) > 0)
    forever = 2.5 / 49 / 0.01 * -np.expm1(-0.01 * horizon)
    assert values[-1] == pytest.approx(forever, rel=1e-9)
