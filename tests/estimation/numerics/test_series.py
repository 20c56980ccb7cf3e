"""Sums over whole numbers by blocks, against mpmath and against adding up."""

import mpmath as mp
import numpy as np
import pytest

from retention_models.estimation.numerics.series import add_blocks


def any_length(m, *_):
    return m


@pytest.mark.parametrize("power", [1.05, 2.0, 7.5])
def test_a_slowly_falling_sum_is_the_zeta_function(power):
    def terms(m, shift):
        term = (m + shift) ** -power
        return term, term * (m + shift) / (power - 1)

    shift = np.array([0.5, 3.0, 100.0])
    found = add_blocks(terms, any_length, np.zeros(3), np.zeros(3), shift)
    with mp.workdps(30):
        exact = [float(mp.zeta(mp.mpf(power), s)) for s in shift]
    np.testing.assert_allclose(found, exact, rtol=1e-13)


def test_a_bell_far_out_is_summed_in_blocks_of_its_width():
    centre, width = np.array([1e4, 1e9]), np.array([30.0, 1e5])

    def terms(m, centre, width):
        term = np.exp(-0.5 * ((m - centre) / width) ** 2)
        return term, np.where(m < centre + 40 * width, 1.0, 0.0)

    def length(m, centre, width):
        return np.where(m < centre - 20 * width, centre - 20 * width - m, 3 * width)

    found = add_blocks(terms, length, np.zeros(2), np.ones(2), centre, width)
    np.testing.assert_allclose(found, width * np.sqrt(2 * np.pi), rtol=1e-12)


def test_sums_begin_where_they_are_told_and_add_to_what_is_there():
    def terms(m):
        return 0.5**m, 0.5**m

    assert add_blocks(terms, lambda m: m, np.array([3.0]), np.array([2.0]))[0] == pytest.approx(3.5, rel=1e-15)
    assert add_blocks(terms, lambda m: m, np.zeros(0), np.zeros(0)).shape == (0,)
