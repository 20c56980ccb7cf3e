"""The mean power of a Beta variable against forty digits."""

import mpmath
import numpy as np
import pytest

from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes, mean_if_saved

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


@pytest.mark.parametrize(
    ("a", "b", "before", "now", "later"),
    [(0.7, 1.2, 0, 1, 5), (1e8, 6e8, 3, 1, 10), (6.1, 608.5, 1, 1e-12, 2), (0.5, 0.9, 1e4, 300, 1e5)],
)
def test_the_mean_of_those_saved_agrees_with_sixty_digits(a, b, before, now, later):
    def mean(exposure):
        return mpmath.beta(a, b + exposure) / mpmath.beta(a, b)

    with mpmath.workdps(60):
        w, n, x = map(mpmath.mpf, (before, now, later))
        exact = (mean(w + x) - mean(w + x + n)) / (mean(w) - mean(w + n))
    assert mean_if_saved(a, b, before, now, later) == pytest.approx(float(exact), rel=1e-7)


def test_a_renewal_without_exposure_changes_nothing_about_those_saved():
    assert mean_if_saved(6.1, 608.5, 1.0, 1e-100, 1e-100) == 1.0
