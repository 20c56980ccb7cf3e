"""BG/BB against published values, brute force over all futures, and panels so long that chances underflow."""

from itertools import product

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.estimation.model import SMALL
from retention_models.fitting.result import Fit

DONATIONS = BGBB(1.2035192375, 0.7497177624, 0.6567743623, 2.7837799342)
MODELS = [DONATIONS, BGBB(0.3, 2.0, 1.0, 1.0), BGBB(5.0, 1.5, 0.2, 0.1)]
each_model = pytest.mark.parametrize("model", MODELS, ids=str)


def test_published_estimates_on_the_donations():
    """Fader, Hardie & Shang (2010); digits by an independent recomputation, which stopped a little below the top."""
    found = rm.fit(BGBB, rm.datasets.load_donations())
    assert 0 <= found.log_likelihood + 33225.5812752 + 1e-7 < 1e-5
    np.testing.assert_allclose(found.params, [1.2035192375, 0.7497177624, 0.6567743623, 2.7837799342], rtol=2e-4)
    np.testing.assert_allclose(found.table()["std_error"], [0.069391, 0.029448, 0.051010, 0.320819], rtol=1e-3)
    assert found.n_customers == 11_104
    assert found.notes == ()
    assert Fit.from_json(found.to_json()).model == found.model


def test_published_quantities_of_the_donations():
    """To the digits that parameters printed to ten digits leave."""
    assert DONATIONS.expected_purchases_new(10) == pytest.approx(3.17982115533, abs=1e-10)
    expected = DONATIONS.expected_purchases(10, np.array([0, 4]), np.array([0, 5]), 6)
    np.testing.assert_allclose(expected, [0.130217845267, 3.62787326768], atol=1e-10)
    assert DONATIONS.probability_alive(3, 4, 6) == pytest.approx(0.439583647333, abs=1e-10)
    assert DONATIONS.discounted_expected_purchases(np.log(1.1), 3, 4, 6) == pytest.approx(1.62928089712, abs=3e-10)


def test_long_panels_are_exact():
    found = DONATIONS.log_likelihood(np.array([30, 50]), np.array([60, 100]), np.array([120, 200]))
    np.testing.assert_allclose(found, [-49.503, -78.287], atol=6e-4)
    assert np.isfinite(DONATIONS.log_likelihood(1000, 1000, 5000))
    assert DONATIONS.probability_alive(1000, 1000, 5000) < 1e-9


@each_model
def test_likelihoods_of_all_histories_sum_to_one(model):
    T, total = 9, 0.0
    for taken in product([0, 1], repeat=T):
        x = sum(taken)
        total += np.exp(model.log_likelihood(x, max((i + 1 for i in range(T) if taken[i]), default=0), T))
    assert total == pytest.approx(1, abs=1e-12)


@each_model
def test_predictions_agree_with_the_chances_of_all_futures(model):
    """The chance of a future is the likelihood of past and future together over that of the past."""
    x, t_x, T, h = 3, 4, 6, 7
    weight, count = [], []
    for taken in product([0, 1], repeat=h):
        last = max((T + i + 1 for i in range(h) if taken[i]), default=t_x)
        weight.append(np.exp(model.log_likelihood(x + sum(taken), last, T + h) - model.log_likelihood(x, t_x, T)))
        count.append(taken)
    weight, taken = np.array(weight), np.array(count)
    total = taken.sum(axis=1)
    assert weight @ total == pytest.approx(model.expected_purchases(h, x, t_x, T), rel=1e-10)
    variance = weight @ total**2 - (weight @ total) ** 2
    assert variance == pytest.approx(model.purchases_variance(h, x, t_x, T), rel=1e-9)
    by_count = np.bincount(total, weight)
    np.testing.assert_allclose(model.purchase_probability(np.arange(h + 1), h, x, t_x, T), by_count, rtol=1e-9)
    later = np.bincount(taken[:, 2:].sum(axis=1), weight)
    np.testing.assert_allclose(model.purchase_probability(np.arange(h - 1), h, x, t_x, T, start=2), later, rtol=1e-9)
    discounted = weight @ (taken @ np.exp(-0.1 * np.arange(1, h + 1)))
    assert discounted == pytest.approx(model.discounted_expected_purchases(0.1, x, t_x, T, horizon=h), rel=1e-10)


def test_a_simulated_log_holds_the_simulated_customers():
    customers = DONATIONS.simulate(np.full(50, 8), np.random.default_rng(2))
    log = DONATIONS.simulate_transactions(np.full(50, 8), np.random.default_rng(2), start="2024-01-01", time_unit="W")
    found = rm.summarize(log, amount=None, observation_end="2024-02-26")
    np.testing.assert_array_equal(found["frequency"], customers["frequency"])
    np.testing.assert_array_equal(found["recency"], customers["recency"])


def test_without_dropout_it_is_the_beta_binomial():
    model = BGBB(1.2, 0.7, SMALL, 2.0)
    assert model.probability_alive(1, 1, 6) == pytest.approx(1, abs=1e-6)
    assert model.expected_purchases_new(10) == pytest.approx(10 * 1.2 / 1.9, rel=1e-7)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "parameters",
    [
        (0.4, 2.0, 0.05, 1e-9),
        *(pytest.param(each, marks=SLOW) for each in ((1.2, 0.7, 0.6, 2.8), (30.0, 1e-6, 1e5, 3e6))),
    ],
)
def test_a_long_silence_is_the_sum_over_all_times_to_have_left(parameters):
    """The likelihood, and its slopes by differences in 50 digits, by mpmath."""
    x, t_x, T = 3, 40, 900

    def log_likelihood(*values):
        alpha, beta, gamma, delta = map(mp.mpf, values)

        def bought(age):
            return mp.beta(alpha + x, beta + age - x) / mp.beta(alpha, beta)

        gone = mp.fsum(bought(age) * mp.beta(gamma + 1, delta + age) / mp.beta(gamma, delta) for age in range(t_x, T))
        return mp.log(bought(T) * mp.beta(gamma, delta + T) / mp.beta(gamma, delta) + gone)

    with mp.workdps(50):
        exact = float(log_likelihood(*parameters))
        slopes = []
        for i, value in enumerate(map(mp.mpf, parameters)):
            ends = [[*parameters[:i], value * (1 + step), *parameters[i + 1 :]] for step in (mp.mpf("1e-20"), 0)]
            slopes.append(float((log_likelihood(*ends[0]) - log_likelihood(*ends[1])) / mp.mpf("1e-20")))
    model = BGBB(*parameters)
    assert model.log_likelihood(x, t_x, T) == pytest.approx(exact, rel=1e-11)
    np.testing.assert_allclose(model.score(x, t_x, T) * parameters, slopes, rtol=1e-9, atol=1e-11)


def test_a_table_that_counts_no_opportunities_is_an_error_that_says_which_would():
    weeks = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    wanted = r"BGBB takes the table of logs.opportunities\(transactions, period=\.\.\.\)"
    with pytest.raises(
        ValueError,
        match=rf"recency is not a whole number of opportunities for \d+ of 2,357 .*customer_id 1\); {wanted}",
    ):
        rm.fit(BGBB, weeks)
    found = rm.fit(BGBB, rm.datasets.load_donations())
    with pytest.raises(ValueError, match=rf"frequency exceeds recency, .* for 1 of 1 rows \(first: row 0\); {wanted}"):
        rm.predict(found, pd.DataFrame({"frequency": [3], "recency": [2], "T": [6]}), horizon=2)


def test_a_part_of_an_opportunity_is_no_horizon():
    donors = rm.datasets.load_donations()
    found = rm.fit(BGBB, donors)
    with pytest.raises(ValueError, match=r"horizon counts opportunities and must be a whole number; got 2\.5$"):
        rm.customer_value(found, donors, rm.Terms(horizon=2.5, time_unit="Y", annual_discount_rate=0.1, margin=1.0))
