"""The band around several estimates: one interval if they are equal, and Sidak's if they are independent."""

import numpy as np
import pytest

from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.simultaneous_band import band_ends, shared_error


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("correlation", "quantile"), [(np.eye(1), 1.960), (np.ones((9, 9)), 1.960), (np.eye(5), 2.569), (np.eye(50), 3.284)]
)
def test_equal_estimates_need_one_interval_and_independent_ones_sidaks(correlation, quantile):
    error = shared_error(correlation, 0.95, rng())
    assert StudentT(0.0, 1.0).quantile(error) == pytest.approx(quantile, rel=0.01)


def test_the_shared_error_is_never_above_that_of_one_interval():
    assert max(shared_error(np.ones((2, 2)), 0.95, np.random.default_rng(seed)) for seed in range(20)) <= 0.05 + 1e-12


def test_each_estimate_has_the_ends_of_its_own_law():
    laws = [StudentT(1.0, 0.5, df=3), StudentT(2.0, 0.1), StudentT(3.0, 0.0)]
    error = shared_error(np.eye(2), 0.95, rng())
    assert band_ends(laws, np.diag([0.25, 0.01, 0.0]), 0.95, rng()) == [law.ends(error) for law in laws]
    assert band_ends(laws[2:], np.zeros((1, 1)), 0.95, rng()) == [(3.0, 3.0)]


@pytest.mark.slow
@pytest.mark.parametrize("n", [4, 8, 20])
def test_the_band_around_paths_of_a_few_customers_holds_95_of_100(n):
    """Differences of two means of n random walks, each day with its own variance and Welch's degrees of freedom."""
    draw, worlds, held = rng(), 1_500, 0
    for _ in range(worlds):
        first, second = (draw.standard_normal((n, 20)).cumsum(axis=1) for _ in range(2))
        parts = [np.cov(path.T) / n for path in (first, second)]
        squares = sum(np.diag(part) ** 2 for part in parts) / (n - 1)
        covariance = parts[0] + parts[1]
        variance = np.diag(covariance)
        gaps = first.mean(axis=0) - second.mean(axis=0)
        laws = [StudentT(*law) for law in zip(gaps, variance**0.5, variance**2 / squares, strict=True)]
        held += all(lower <= 0 <= upper for lower, upper in band_ends(laws, covariance, 0.95, draw))
    assert 0.93 < held / worlds < 0.97
