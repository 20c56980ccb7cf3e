"""The ends of shares: published and exact values, coverage of nothing forgotten."""

import numpy as np
import pytest
from scipy.stats import binomtest

from retention_models.core.proportions import waiting_interval, wilson_interval


@pytest.mark.parametrize(("count", "n"), [(0, 10), (2, 10), (10, 10), (345, 2357)])
def test_a_share_has_the_interval_of_wilson(count, n):
    expected = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert np.allclose(wilson_interval(count / n, n), [expected.low, expected.high], atol=1e-12)


def test_without_leaving_the_watch_the_ends_are_log_log_with_the_variance_of_a_binomial_share():
    lower, upper = waiting_interval([100, 90, 90], [10, 0, 30])
    away, z = np.array([0.9, 0.9, 0.6]), 1.959963984540054
    reach = z * np.sqrt((1 - away) / (100 * away)) / np.abs(np.log(away))
    assert np.allclose(lower, 1 - away ** np.exp(-reach))
    assert np.allclose(upper, 1 - away ** np.exp(reach))


def test_before_anybody_is_back_the_upper_end_is_exact_and_when_all_are_the_lower_is_kept():
    lower, upper = waiting_interval([20, 20, 10], [0, 10, 10])
    assert np.isclose(upper[0], binomtest(0, 20).proportion_ci(0.95).high)
    assert lower[0] == 0
    assert (lower[2], upper[2]) == (lower[1], 1)
