"""The mean power of a Beta variable against forty digits."""

import mpmath
import numpy as np
import pytest

from retention_models.survival.beta import log_mean_power, log_mean_power_slopes

CASES = [
    (0.7, 1.2, 1.0),
    (0.7, 1.2, 137.3),
    (0.2, 1.4, 1e6),
    (3.0, 0.01, 0.3),
    (25.0, 40.0, 17.0),
    (1e4, 3e5, 12.0),
    (1e7, 3e7, 1.0),
    (1e7, 3e7, 144.5),
    (0.5, 2e5, 3.0),
    (1e-3, 4e-3, 2.0),
]


@pytest.mark.parametrize(("a", "b", "w"), CASES)
def test_value_and_slopes_agree_with_forty_digits(a, b, w):
    with mpmath.workdps(40):
        a_, b_, w_ = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(w)
        exact = mpmath.log(mpmath.beta(a_, b_ + w_)) - mpmath.log(mpmath.beta(a_, b_))
        psi = mpmath.digamma
        slopes = (
            psi(a_ + b_) - psi(a_ + b_ + w_),
            psi(b_ + w_) + psi(a_ + b_) - psi(b_) - psi(a_ + b_ + w_),
            psi(b_ + w_) - psi(a_ + b_ + w_),
        )
    assert log_mean_power(a, b, w) == pytest.approx(float(exact), rel=1e-11)
    np.testing.assert_allclose(log_mean_power_slopes(a, b, w), [float(s) for s in slopes], rtol=1e-8)
