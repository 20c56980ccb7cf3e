"""Corrections and shrinkage against published examples, and what must hold of any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_models.interventions.effects.multiplicity import benjamini_hochberg, holm, shrink

EIGHT_SCHOOLS = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]


def test_benjamini_and_hochbergs_own_example():
    """Fifteen p-values of their 1995 paper: at 5 % Bonferroni calls three, their procedure four."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert int((holm(p) <= 0.05).sum()) == 3
    assert int((benjamini_hochberg(p) <= 0.05).sum()) == 4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_corrections_keep_the_order_and_never_help(p):
    p = np.array(p)
    strict, lenient = holm(p), benjamini_hochberg(p)
    order = np.argsort(p, kind="stable")
    for corrected in (strict, lenient):
        assert np.all(corrected >= p - 1e-15)
        assert np.all(corrected <= 1)
        assert np.all(np.diff(corrected[order]) >= -1e-15)
    assert np.all(strict >= lenient - 1e-15)


def test_eight_schools():
    """Rubin (1981), in Gelman et al., Bayesian Data Analysis, section 5.5; here by brute force over 400,000 spreads."""
    found = shrink(*EIGHT_SCHOOLS)
    y, s = (np.array(column, dtype=float) for column in EIGHT_SCHOOLS)
    spread = np.linspace(1e-4, 2000, 400_000)
    precision = 1 / (spread**2 + s[:, None] ** 2)
    variance = 1 / precision.sum(axis=0)
    centre = variance * (precision * y[:, None]).sum(axis=0)
    log = 0.5 * np.log(variance) + 0.5 * np.log(precision).sum(axis=0)
    log -= 0.5 * (precision * (y[:, None] - centre) ** 2).sum(axis=0)
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    own = spread**2 * precision
    expected = (own * y[:, None] + (1 - own) * centre) @ chance
    np.testing.assert_allclose(found.estimate, expected, atol=2e-3)
    assert found.mean == pytest.approx(centre @ chance, abs=2e-3)
    assert found.spread == pytest.approx(spread @ chance, abs=2e-2)
    assert (found.mean, found.spread) == (pytest.approx(7.9, abs=0.1), pytest.approx(6.6, abs=0.1))


def test_shrinkage_follows_the_scale_of_the_data():
    y, s = EIGHT_SCHOOLS
    small, large = shrink(np.multiply(y, 1e-4), np.multiply(s, 1e-4)), shrink(np.multiply(y, 1e4), np.multiply(s, 1e4))
    np.testing.assert_allclose(large.estimate, 1e8 * small.estimate, rtol=1e-9)
    np.testing.assert_allclose(large.upper, 1e8 * small.upper, rtol=1e-9)


def test_the_noisier_an_effect_the_closer_it_is_drawn():
    found = shrink([10.0, 10.0, 0.0, 1.0, -1.0], [0.1, 30.0, 1.0, 1.0, 1.0])
    assert abs(found.estimate[0] - 10) < 0.1
    assert abs(found.estimate[1] - found.mean) < abs(found.estimate[0] - found.mean)
    assert np.all((found.lower < found.estimate) & (found.estimate < found.upper))


def test_shrinkage_says_what_it_needs():
    with pytest.raises(ValueError, match="3 effects are too few to estimate how much effects differ; at least 4"):
        shrink([1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="not above 0"):
        shrink([1, 2, 3, 4], [1, 0, 1, 1])


def test_shrunken_intervals_cover_effects_drawn_from_a_normal():
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(150):
        truth = rng.normal(1.0, 0.5, 10)
        s = rng.uniform(0.2, 1.5, 10)
        found = shrink(rng.normal(truth, s), s)
        covered.append(np.mean((found.lower <= truth) & (truth <= found.upper)))
    assert 0.93 < np.mean(covered) < 0.985
