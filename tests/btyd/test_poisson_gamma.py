"""Counts at Gamma-distributed rates: sums, tails, and the cheap chance of two."""

import mpmath as mp
import numpy as np
import pytest

from retention_models.btyd.poisson_gamma import (
    count_probability,
    log_density,
    log_density_score,
    probability_at_least,
    start_from_counts,
    two_over_square,
)

RATES = [(0.3, 0.1), (0.3, 40.0), (25.0, 2.0), (1e7, 3e-7)]


@pytest.mark.parametrize(("r", "odds"), RATES)
def test_counts_sum_to_one_and_their_tails_are_the_rest(r, odds):
    n = np.arange(20_000.0)
    probability = count_probability(n, r, odds)
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert probability @ n == pytest.approx(r * odds, rel=1e-9)
    rest = 1 - np.concatenate([[0], np.cumsum(probability)])[:50]
    np.testing.assert_allclose(probability_at_least(n[:50], r, odds), rest, atol=1e-12)


@pytest.mark.parametrize("r", [1e-9, 1e-3, 0.5, 30.0, 3000.0, 1e7])
def test_chance_of_two_keeps_its_digits_however_small(r):
    odds = np.geomspace(1e-15, 1e5, 41)
    with mp.workdps(60):
        exact = [float(1 - (1 + mp.mpf(o)) ** -mp.mpf(r) * (1 + r * mp.mpf(o) / (1 + mp.mpf(o)))) for o in odds]
    np.testing.assert_allclose(two_over_square(r, odds) * odds**2, exact, rtol=2e-12)
    assert two_over_square(r, 1e-300) == pytest.approx(r * (r + 1) / 2)


def test_nothing_is_bought_in_no_time():
    np.testing.assert_array_equal(count_probability(np.arange(3), 0.5, 0.0), [1, 0, 0])
    np.testing.assert_array_equal(probability_at_least(np.arange(3), 0.5, 0.0), [1, 0, 0])


def test_score_is_the_gradient_of_the_density():
    x, T, r, alpha, step = np.array([0.0, 3, 200]), np.array([10.0, 39, 50]), 0.7, 12.0, 1e-5
    in_r = (log_density(x, T, r + step, alpha) - log_density(x, T, r - step, alpha)) / (2 * step)
    in_alpha = (log_density(x, T, r, alpha + step) - log_density(x, T, r, alpha - step)) / (2 * step)
    np.testing.assert_allclose(log_density_score(x, T, r, alpha), [in_r, in_alpha], rtol=1e-6)


def test_start_has_the_mean_of_the_counts_and_follows_the_time_unit():
    rng = np.random.default_rng(3)
    T, weight = rng.uniform(10, 60, 5000), rng.integers(1, 4, 5000).astype(float)
    x = rng.poisson(rng.gamma(0.8, 1 / 9.0, 5000) * T).astype(float)
    r, alpha = start_from_counts(x, T, weight)
    assert r / alpha == pytest.approx((weight @ x) / (weight @ T))
    assert start_from_counts(x, 7 * T, weight) == pytest.approx((r, 7 * alpha))
    assert start_from_counts(np.ones(4), np.full(4, 9.0), np.ones(4)) == (10.0, 90.0)


@pytest.mark.parametrize(("r", "odds"), [*RATES, (0.3, 0.0), (2000.0, 50.0), (0.3, 1e9)])
@pytest.mark.parametrize("first", [0, 1, 500, 90_000])
def test_counts_in_a_run_have_the_chances_that_they_have_one_by_one(r, odds, first):
    run = np.arange(first, first + 40.0)[:, None]
    r, odds = np.full(3, r), np.array([1.0, 0.5, 2.0]) * odds
    for chance in (count_probability, probability_at_least):
        one_by_one = chance(np.repeat(run, 3, axis=1), r, odds)
        np.testing.assert_allclose(chance(run, r, odds), one_by_one, rtol=1e-9, atol=1e-300)
