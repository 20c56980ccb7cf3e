"""Intervals keep to the range of what they are about."""

import numpy as np
import pytest

from retention_models.estimation.intervals import (
    draw_parameters,
    jacobian,
    normal_quantile,
    positive_interval,
    probability_interval,
    standard_error,
)


def test_normal_quantile_is_the_familiar_one():
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054, abs=1e-15)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_outside_0_to_1_is_an_error(level):
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        normal_quantile(level)


def test_positive_interval_is_symmetric_in_ratio_and_above_zero():
    lower, upper = positive_interval(np.array([2.0, 1e-8, 0.0]), np.array([1.0, 1.0, 0.0]), 0.95)
    assert lower[0] * upper[0] == pytest.approx(4.0)
    assert upper[0] / 2 == pytest.approx(np.exp(1.959963984540054 / 2))
    assert np.all(lower >= 0)
    assert np.all(np.isfinite(upper))
    assert lower[2] == upper[2] == 0


def test_probability_interval_stays_within_0_and_1():
    lower, upper = probability_interval(np.array([0.5, 0.999, 0.0, 1.0]), np.array([0.1, 0.01, 0.0, 0.0]), 0.95)
    assert lower[0] == pytest.approx(1 - upper[0])
    assert np.all((lower >= 0) & (upper <= 1) & (lower <= upper))
    np.testing.assert_array_equal((lower[2:], upper[2:]), [[0, 1], [0, 1]])


def test_jacobian_is_the_derivative():
    def f(p):
        return np.array([p[0] ** 2 * p[1], np.log(p[1]), 3.0])

    np.testing.assert_allclose(jacobian(f, np.array([2.0, 5.0])), [[20, 4], [0, 0.2], [0, 0]], rtol=1e-8, atol=1e-12)


def test_standard_error_is_the_delta_method_by_hand():
    covariance = np.array([[4.0, 1.0], [1.0, 9.0]])
    gradient = np.array([[1.0, 0.0], [1.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(standard_error(gradient, covariance), np.sqrt([4, 11, 0]))


def test_draws_have_the_covariance_of_the_logarithms():
    parameters, covariance = np.array([0.5, 20.0]), np.array([[0.01, 0.3], [0.3, 25.0]])
    draws = np.log(draw_parameters(parameters, covariance, 200_000, np.random.default_rng(3)))
    np.testing.assert_allclose(draws.mean(axis=0), np.log(parameters), atol=0.002)
    np.testing.assert_allclose(np.cov(draws.T), covariance / np.outer(parameters, parameters), rtol=0.02)
