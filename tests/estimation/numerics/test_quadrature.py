"""Decay integrals against mpmath, over the ranges that purchase models reach."""

import mpmath as mp
import numpy as np
import pytest

from retention_models.estimation.numerics.quadrature import discounting_rule, log_decay_gradient, log_decay_integral

LIKELIHOOD, COUNTS, DISCOUNT, MOMENT = "likelihood", "counts", "discount", "moment"


def log_uniform(rng, low, high, n):
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def draw(kind, n=30):
    """Arguments (end, p, A, q, B, power, rate) as one use of the integral brings them."""
    rng = np.random.default_rng(11)
    end, A, B = log_uniform(rng, 1e-2, 2000, n), log_uniform(rng, 0.01, 1e4, n), log_uniform(rng, 0.01, 1e4, n)
    p, q = log_uniform(rng, 0.03, 3000, n), log_uniform(rng, 0.03, 100, n)
    none = np.zeros(n)
    if kind == LIKELIHOOD:
        return end, p, A, 1 + q, B, none, none
    if kind == COUNTS:
        power = np.floor(log_uniform(rng, 0.5, 1000, n))
        return end, p + power, A, 1 + q, B, power, none
    if kind == MOMENT:
        return end, none, B, q, B, none + 1, none
    return np.where(rng.random(n) < 0.5, np.inf, end), none, B, q, B, none, log_uniform(rng, 1e-6, 10, n)


def exact(end, p, A, q, B, power, rate):
    """The log integral to 30 digits, in w, over where a fine grid finds the integrand above e^-50 of its peak."""
    width = min(80.0, np.log1p(end / min(A, B)))
    grid = width * 10 ** -np.linspace(0, 12, 3000)[::-1]
    values = log_integrand(np, grid, p, A, q, B, power, rate)
    inside = np.flatnonzero(values > values.max() - 50)
    low = grid[inside[0] - 1] if inside[0] > 0 else 0.0
    panels = np.linspace(low, grid[inside[-1]], 7)
    panels[-1] = grid[min(inside[-1] + 1, len(grid) - 1)]
    parameters = [mp.mpf(float(value)) for value in (p, A, q, B, power, rate)]
    shift = mp.mpf(float(values.max()))
    ends = [mp.mpf(float(w)) for w in panels]
    if inside[-1] == len(grid) - 1 and np.isfinite(end):
        ends[-1] = mp.log1p(mp.mpf(float(end)) / min(parameters[1], parameters[3]))
    return float(
        shift
        + mp.log(mp.quad(lambda w: mp.exp(log_integrand(mp, w, *parameters) - shift), ends, method="gauss-legendre"))
    )


def log_integrand(library, w, p, A, q, B, power, rate):
    """Log integrand in w = log(1 + u/min(A, B)), by numpy or mpmath."""
    scale = min(A, B)
    u = scale * library.expm1(w)
    growth = power * library.log(u) if power > 0 else 0
    jacobian = w + library.log(scale)
    return growth - rate * u - p * library.log1p(u / A) - q * library.log1p(u / B) + jacobian


@pytest.mark.parametrize("kind", [LIKELIHOOD, COUNTS, DISCOUNT, MOMENT])
def test_log_integral_agrees_with_mpmath(kind):
    arguments = draw(kind)
    computed = log_decay_integral(*arguments[:5], power=arguments[5], rate=arguments[6])
    with mp.workdps(30):
        expected = [exact(*row) for row in zip(*arguments, strict=True)]
    np.testing.assert_allclose(computed, expected, rtol=1e-12, atol=1e-11)


def test_gradient_is_that_of_the_integral():
    end, p, A, q, B, _, _ = draw(LIKELIHOOD, n=200)
    log_integral, *derivatives = log_decay_gradient(end, p, A, q, B)
    np.testing.assert_array_equal(log_integral, log_decay_integral(end, p, A, q, B))
    for i, derivative in enumerate(derivatives):

        def along(factor, i=i):
            return log_decay_integral(end, *(v * (factor if j == i else 1) for j, v in enumerate((p, A, q, B))))

        step = 1e-4
        wide, narrow = along(1 + 2 * step) - along(1 - 2 * step), along(1 + step) - along(1 - step)
        numerical = (8 * narrow - wide) / (12 * step)
        np.testing.assert_allclose(derivative * (p, A, q, B)[i], numerical, rtol=1e-7, atol=1e-8)


def test_empty_range_has_no_integral():
    assert log_decay_integral(0.0, 2.0, 1.0, 1.5, 3.0) == -np.inf
    np.testing.assert_array_equal(log_decay_gradient(0.0, 2.0, 1.0, 1.5, 3.0), [-np.inf, 0, 0, 0, 0])
    some = log_decay_integral([0.0, 1.0], 0.0, 1.0, 0.0, 1.0, power=3)
    np.testing.assert_allclose(some, [-np.inf, -np.log(4)], rtol=1e-12)


def test_shapes_broadcast_and_rows_keep_their_place():
    end, A = np.geomspace(1e-3, 1e3, 9), np.geomspace(0.1, 10, 1001)[:, None]
    table = log_decay_integral(end, 40.0, A, 2.0, 1.0)
    assert table.shape == (1001, 9)
    for i, j in ((0, 0), (500, 8), (1000, 4)):
        assert table[i, j] == pytest.approx(log_decay_integral(end[j], 40.0, A[i, 0], 2.0, 1.0), rel=1e-12)
    assert log_decay_integral(np.array([]), 1.0, 1.0, 1.0, 1.0).shape == (0,)
    assert log_decay_gradient(np.array([]), 1.0, 1.0, 1.0, 1.0).shape == (5, 0)


@pytest.mark.parametrize("rate", [1e-6, 0.003, 2.0])
@pytest.mark.parametrize("end", [0.5, 40.0, np.inf])
def test_discounting_rule_integrates_a_smooth_decay(rate, end):
    scale = np.array([0.1, 8.0, 1e4])
    u, weight = discounting_rule(np.full(3, rate), np.full(3, end), scale)
    expected = np.exp(log_decay_integral(end, 0, scale, 1.7, scale, rate=rate))
    np.testing.assert_allclose(np.sum(weight * (1 + u / scale) ** -1.7, axis=0), expected, rtol=1e-11)
