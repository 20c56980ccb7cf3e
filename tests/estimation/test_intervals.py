"""Intervals keep to the range of what they are about."""

from dataclasses import dataclass

import numpy as np
import pytest

from retention_models.estimation.intervals import (
    draw_normal,
    log_slopes,
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


@dataclass(frozen=True)
class Pair:
    a: object
    b: object


def test_slopes_are_those_in_the_logarithms():
    def quantity(model):
        return np.array([1.0, 2.0]) * model.a**2 * np.log(model.b)

    for model in (Pair(2.0, 5.0), Pair(np.full(2, 2.0), np.full(2, 5.0))):
        slopes = log_slopes(quantity, model, ["a", "b"])
        np.testing.assert_allclose(slopes, [[8 * np.log(5), 4], [16 * np.log(5), 8]], rtol=1e-8)


def test_standard_error_is_the_delta_method_by_hand():
    covariance = np.array([[4.0, 1.0], [1.0, 9.0]])
    gradient = np.array([[1.0, 0.0], [1.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(standard_error(gradient, covariance), np.sqrt([4, 11, 0]))


def test_draws_have_the_covariance():
    covariance = np.array([[0.04, 0.03], [0.03, 0.0625]])
    draws = draw_normal(covariance, 200_000, np.random.default_rng(3))
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.002)
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.02)
