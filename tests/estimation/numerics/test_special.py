"""Rising factorials keep their digits at any size of base and count."""

import mpmath as mp
import numpy as np
import pytest

from retention_models.estimation.numerics.special import digamma_rising, log_rising

BASES = np.array([1e-9, 1e-3, 0.5, 1.0, 7.3, 19.999, 20.0, 137.0, 1e4, 1e7, 1e12])
COUNTS = np.array([0, 1, 2, 17, 300, 3000])


@pytest.mark.parametrize(
    ("function", "exact"), [(log_rising, mp.loggamma), (digamma_rising, mp.digamma)], ids=["log_rising", "digamma"]
)
def test_differences_agree_with_mpmath(function, exact):
    with mp.workdps(40):
        expected = [[float(exact(mp.mpf(b) + int(n)) - exact(mp.mpf(b))) for n in COUNTS] for b in BASES]
    np.testing.assert_allclose(function(BASES[:, None], COUNTS), expected, rtol=2e-13)


@pytest.mark.parametrize("function", [log_rising, digamma_rising])
@pytest.mark.parametrize("base", [0.7, np.array([0.7]), np.array([[0.3], [40.0]]), np.array([[0.7]])])
def test_table_of_distinct_counts_changes_nothing(function, base):
    counts = np.random.default_rng(0).poisson(3.0, 50)
    one_by_one = np.stack([function(base, np.array([float(n)])) for n in counts], axis=-1)
    expected = np.reshape(one_by_one, np.broadcast_shapes(np.shape(base), counts.shape))
    np.testing.assert_array_equal(function(base, counts), expected)


def test_counts_in_several_dimensions_and_none_at_all():
    counts = np.arange(12).reshape(3, 4) % 3
    np.testing.assert_allclose(log_rising(2.0, counts), np.log(np.array([1, 2, 6]))[counts])
    np.testing.assert_allclose(log_rising(np.array([[2.0]]), counts), np.log(np.array([1, 2, 6]))[counts])
    assert log_rising(2.0, np.array([])).shape == (0,)


def test_fractional_steps_are_taken_as_they_are():
    np.testing.assert_allclose(log_rising(3.0, np.full(9, 0.5)), np.full(9, float(mp.loggamma(3.5) - mp.log(2))))
