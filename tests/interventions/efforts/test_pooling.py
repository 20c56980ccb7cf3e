"""Pooled measurements: by hand, by the equations of the sources, and their coverage."""

import numpy as np
import pytest

from retention_models.interventions.efforts.pooling import pool


def test_equal_errors_give_the_plain_mean_and_the_spread_by_hand():
    found = pool([1.0, 2.0, 6.0], [1.0, 1.0, 1.0])
    assert found.law.estimate == pytest.approx(3.0)
    assert found.spread**2 == pytest.approx(7.0 - 1.0)  # variance of the estimates less that of their errors
    assert found.law.std_error**2 == pytest.approx(7.0 / 3)
    assert found.inconsistency == pytest.approx(1 - 2 / 14)
    assert found.law.df == 2


def test_the_spread_solves_the_equation_of_paule_and_mandel():
    y, s = np.array([0.1, 0.9, 0.4, 2.0, -0.3]), np.array([0.1, 0.3, 0.2, 0.5, 0.15])
    found = pool(y, s)
    weight = 1 / (s**2 + found.spread**2)
    mean = weight @ y / weight.sum()
    assert weight @ (y - mean) ** 2 == pytest.approx(4, rel=1e-9)
    assert found.law.estimate == pytest.approx(mean, rel=1e-9)


def test_estimates_that_agree_have_no_spread_and_no_narrower_interval_than_chance_gives():
    found = pool([1.0, 1.001, 0.999], [0.5, 0.5, 0.5])
    assert (found.spread, found.inconsistency) == (0.0, 0.0)
    assert found.law.std_error == pytest.approx(0.5 / np.sqrt(3))


@pytest.mark.parametrize(
    ("estimates", "errors", "message"),
    [([1, 2], [1, 1], "2 measurements are not pooled"), ([1, 2, 3], [1, 0, 1], "each standard error must be above 0")],
)
def test_too_few_or_exact_measurements_are_refused(estimates, errors, message):
    with pytest.raises(ValueError, match=message):
        pool(estimates, errors)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("m", [3, 6])
def test_intervals_hold_the_mean_as_often_as_they_say(spread, m):
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2_000):
        s = rng.uniform(0.3, 1.0, m)
        lower, upper = pool(rng.normal(1.0, np.hypot(spread, s)), s).law.interval(0.95)
        held += lower <= 1.0 <= upper
    assert held / 2_000 > 0.93
