"""BG/NBD against closed forms in mpmath, through the places where those are singular, and at its limits."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_models.btyd.bgnbd import BGNBD

CUSTOMERS = [(0, 0.0, 38.86), (2, 30.43, 38.86), (26, 30.86, 31.0), (1, 1.71, 38.86), (120, 20.0, 21.0)]
MODELS = [BGNBD(0.243, 4.414, 0.793, 2.426), BGNBD(2.0, 30.0, 1.7, 0.4), BGNBD(0.6, 0.05, 0.2, 0.3)]


def log_range(low, high):
    return st.floats(np.log10(low), np.log10(high)).map(lambda power: 10.0**power)


def exact_terms(r, alpha, a, b, x, t_x, T):
    """The two terms of eq. (6): still alive, and gone since t_x."""
    r, alpha, a, b, x, t_x, T = (mp.mpf(float(value)) for value in (r, alpha, a, b, x, t_x, T))
    bought = mp.rf(r, x) * (alpha / (alpha + T)) ** r / (alpha + T) ** x
    alive = bought * mp.rf(b, x) / mp.rf(a + b, x)
    gone = alive * a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x > 0 else mp.mpf(0)
    return alive, gone


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    r=log_range(1e-9, 1e7),
    alpha=log_range(1e-3, 1e9),
    a=log_range(1e-9, 1e7),
    b=log_range(1e-9, 1e7),
    x=st.just(0) | st.integers(1, 3000) | log_range(1, 3000).map(int),
    T=log_range(1, 2000),
    share=log_range(1e-6, 1) | st.floats(0.01, 1),
)
def test_log_likelihood_and_probability_alive_are_exact(r, alpha, a, b, x, T, share):
    model, history = BGNBD(r, alpha, a, b), (x, share * T if x else 0.0, T)
    with mp.workdps(40):
        alive, gone = exact_terms(r, alpha, a, b, *history)
        log_likelihood, probability = float(mp.log(alive + gone)), float(alive / (alive + gone))
    assert abs(model.log_likelihood(*history) - log_likelihood) <= 1e-9 * max(1, abs(log_likelihood))
    assert model.probability_alive(*history) == pytest.approx(probability, rel=1e-9, abs=1e-300)


@mp.workdps(40)
def exact_expectation(model, horizon, x, t_x, T):
    """Eq. (10) in its hypergeometric form, where a is not 1."""
    r, alpha, a, b = (mp.mpf(value) for value in (model.r, model.alpha, model.a, model.b))
    alive, gone = exact_terms(r, alpha, a, b, x, t_x, T)
    scale = (a + b + x - 1) / (a - 1)
    stays = mp.hyp2f1(r + x, a - 1, a + b + x - 1, -mp.mpf(horizon) / (alpha + mp.mpf(T)))
    return float(scale * (1 - stays) * alive / (alive + gone))


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_expectation_agrees_with_its_hypergeometric_form(model, customer):
    for horizon in (0.1, 39.0, 1000.0):
        expected = exact_expectation(model, horizon, *customer)
        assert model.expected_purchases(horizon, *customer) == pytest.approx(expected, rel=1e-10)


def test_expectation_has_no_singularity_where_the_hypergeometric_form_is_undefined():
    for a, b in ((1.0, 2.4), (0.5, 0.5), (1.0, 1e-9), (2.0, 1e-9)):
        around = [BGNBD(0.3, 4.0, a * f, b).expected_purchases_new(39) for f in (1 - 1e-7, 1, 1 + 1e-7)]
        assert np.ptp(around) < 1e-6
        assert around[1] == pytest.approx((around[0] + around[2]) / 2, rel=1e-10)
    assert BGNBD(0.3, 4.0, 1.0, 2.4).expected_purchases_new(np.inf) == np.inf
    assert BGNBD(0.3, 4.0, 3.0, 2.4).expected_purchases_new(np.inf) == pytest.approx(4.4 / 2)


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_present_value_agrees_with_mpmath(model, customer):
    for rate in (0.0027, 0.5):
        computed = model.discounted_expected_purchases(rate, *customer)
        assert computed == pytest.approx(exact_present_value(model, rate, *customer), rel=1e-9)


@mp.workdps(25)
def exact_present_value(model, rate, x, t_x, T):
    """Given the purchase rate, the mean over p of rate/(discount + rate p); then the mean over purchase rates."""
    alive, gone = exact_terms(model.r, model.alpha, model.a, model.b, x, t_x, T)
    r, alpha, a, b = (mp.mpf(value) for value in (model.r + x, model.alpha + T, model.a, model.b + x))

    def integrand(log_scaled):
        scaled = mp.exp(log_scaled)
        odds = scaled / alpha / rate
        return mp.exp(r * log_scaled - scaled - mp.loggamma(r)) * odds * mp.hyp2f1(1, a, a + b, -odds)

    top = float(r) + 1
    low, high = np.log(top) - 45 / top - 9 / np.sqrt(top), np.log(top + 60 + 12 * np.sqrt(top))
    mean = mp.quad(integrand, [mp.mpf(t) for t in np.linspace(low, high, 6)], method="gauss-legendre")
    return float(mean * alive / (alive + gone))


@pytest.mark.parametrize("window", [0.5, 39.0, 900.0])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_count_probabilities_agree_with_mpmath(model, window):
    for n in (0, 1, 7, 300):
        computed = model.purchase_probability_new(n, window)
        assert computed == pytest.approx(exact_count_probability(model, n, window), rel=1e-9, abs=1e-300)


@mp.workdps(30)
def exact_count_probability(model, n, window):
    """Eq. (8), its sum of the n smallest counts written as the largest ones' incomplete beta function."""
    r, alpha, a, b = (mp.mpf(value) for value in (model.r, model.alpha, model.a, model.b))
    z = window / (alpha + window)
    exactly = mp.rf(r, n) / mp.factorial(n) * (1 - z) ** r * z**n
    alive = mp.beta(a, b + n) / mp.beta(a, b) * exactly
    if n == 0:
        return float(alive)
    at_least = mp.betainc(n, r, 0, z, regularized=True)
    return float(alive + mp.beta(a + 1, b + n - 1) / mp.beta(a, b) * at_least)


def test_every_one_time_buyer_is_called_alive():
    assert np.all(MODELS[0].probability_alive(0, 0.0, np.array([0.0, 39.0, 1e6])) == 1)


def test_without_dropout_it_is_the_negative_binomial():
    model = BGNBD(0.5, 10.0, 1e-9, 2.0)
    assert model.probability_alive(3, 1.0, 39.0) == pytest.approx(1, abs=1e-6)
    assert model.expected_purchases_new(39.0) == pytest.approx(0.5 * 3.9, rel=1e-7)
    assert model.purchase_probability_new(0, 39.0) == pytest.approx((10 / 49) ** 0.5, rel=1e-7)


def test_with_one_dropout_chance_for_all_purchases_are_geometric_in_the_end():
    model = BGNBD(0.5, 10.0, 1e7, 3e7)
    assert model.expected_purchases_new(np.inf) == pytest.approx(4)
    assert model.expected_purchases_new(39.0) == pytest.approx(4 * (1 - (1 + 0.25 * 3.9) ** -0.5), rel=1e-6)


def test_some_leave_at_once_and_the_others_never_as_a_and_b_vanish_together():
    model = BGNBD(0.5, 10.0, 1e-9, 3e-9)
    at_once = 1 - (10 / 49) ** 0.5
    assert model.expected_purchases_new(39.0) == pytest.approx(0.25 * at_once + 0.75 * 0.5 * 3.9, rel=1e-6)


@pytest.mark.parametrize(("rate_of_purchases", "a", "b"), [(3.0, 0.8, 2.4), (0.1, 0.05, 8.0), (40.0, 3.0, 0.2)])
def test_present_value_is_exact_where_everybody_buys_at_the_same_rate(rate_of_purchases, a, b):
    """Someone who leaves with chance p after each purchase is worth rate / (discount + p rate)."""
    discount, r = 0.001, 1e8  # where an r that runs to infinity is held
    model = BGNBD(r, r / rate_of_purchases, a, b)
    ratio = rate_of_purchases / discount
    exact = ratio * float(mp.hyp2f1(1, a, a + b, -ratio))
    assert model.discounted_expected_purchases_new(discount) == pytest.approx(exact, rel=1e-7)
    far = model.discounted_expected_purchases_new(discount, horizon=40_000.0)
    assert far == pytest.approx(exact, rel=1e-7)


def test_present_value_is_exact_where_purchases_by_the_thousand_end_soon():
    """Its double integral, by mpmath over time and the Gauss series over chances."""
    r, alpha, a, b, rate, horizon = 5460.0, 9.81, 45.5, 0.0925, 0.00157, 22.5

    def alive(t):
        return mp.exp(-rate * t) * mp.hyp2f1(r + 1, a, a + b, -t / mp.mpf(alpha))

    exact = r / alpha * float(mp.quad(alive, [0, 1e-3, 1e-2, 0.1, 1, horizon], method="gauss-legendre"))
    found = BGNBD(r, alpha, a, b).discounted_expected_purchases_new(rate, horizon=horizon)
    assert found == pytest.approx(exact, rel=1e-9)
