"""Means over a Beta-distributed chance, where closed forms and mpmath know them."""

import mpmath as mp
import numpy as np
import pytest

from retention_models.estimation.numerics.beta import beta_mean

SHAPES = [1e-9, 1e-3, 0.03, 0.8, 1.0, 2.5, 40.0, 3000.0, 1e7]


@pytest.mark.parametrize("a", SHAPES)
def test_mean_and_mean_square_of_the_chance_are_exact(a):
    b = np.array(SHAPES)
    np.testing.assert_allclose(beta_mean(lambda p: np.ones_like(p), a, b, 0), 1, rtol=1e-14)
    np.testing.assert_allclose(beta_mean(lambda p: p + 1, a, b, 1), 1 + a / (a + b), rtol=1e-11)
    np.testing.assert_allclose(beta_mean(lambda p: (2 - p) ** 2, a, b, 2), exact_square(a, b), rtol=1e-11)


def exact_square(a, b):
    mean = a / (a + b)
    return 4 - 4 * mean + mean * (a + 1) / (a + b + 1)


@pytest.mark.parametrize(
    ("a", "b", "r", "odds"),
    [
        (0.8, 2.4, 0.24, 12.0),
        (0.3, 3000.0, 3000.0, 1.0),
        (1.0, 0.2, 5.0, 100.0),
        (0.05, 0.05, 2.0, 1e3),
        (0.8, 0.5, 30.0, 1e4),
        (2.0, 40.0, 1e3, 0.1),
        (7.1, 5389.0, 6269.0, 2206.0),
        (42.5, 6.1, 2.0, 1e5),
        (1.34, 3938.0, 826.0, 3368.0),
    ],
)
def test_mean_of_a_steep_function_agrees_with_mpmath(a, b, r, odds):
    def function(p, r, odds):
        return -np.expm1(-r * np.log1p(p * odds)) / p

    with mp.workdps(30):
        expected = float(exact(a, b, r, odds))
    assert beta_mean(function, a, b, (r + 1) * odds, r, odds) == pytest.approx(expected, rel=1e-11)


def exact(a, b, r, odds):
    """The mean of (1 - (1 + p odds)^-r) / p, over logit p."""

    def integrand(logit):
        p = 1 / (1 + mp.exp(-logit))
        density = mp.exp(a * logit - (a + b) * mp.log1p(mp.exp(logit)))
        return density * -mp.expm1(-r * mp.log1p(p * odds)) / p

    tails = [-80 / a, -40 / a, *np.linspace(-40, 30, 36), 40 + 40 / b, 40 + 80 / b]
    return mp.quad(integrand, sorted(mp.mpf(float(t)) for t in tails), method="gauss-legendre") / mp.beta(a, b)


def test_shapes_broadcast_and_rows_keep_their_place():
    a, b, x = 0.7, 1.0 + np.arange(9.0), np.linspace(0, 3, 700)[:, None]
    table = beta_mean(lambda p, x: np.exp(-x * p), a, b, x, x)
    assert table.shape == (700, 9)
    assert table[123, 4] == pytest.approx(beta_mean(lambda p, x: np.exp(-x * p), a, b[4], 3, x[123, 0]), rel=1e-12)
    assert beta_mean(lambda p: p, np.array([]), 1.0, 1.0).shape == (0,)
