"""The laws of effects: p-values and intervals agree, and each law is that of its own definition."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retention_models.interventions.designs.stepped_wedge import permutation_law
from retention_models.interventions.effects.derived_laws import IndependentSum, Linear, RepeatedLooks, linear
from retention_models.interventions.effects.laws import Newcombe, Permutation, StudentT
from retention_models.interventions.effects.ratio_laws import AndersonRubin, Fieller

RATIO = Fieller(3.0, 10.0, 0.5, 1.0, 0.2, df=40.0)
ORDERS = Permutation(
    0.4,
    0.3,
    lowest=tuple(sorted([-math.inf, -0.5, -0.1, 0.0, 0.1, 0.2, 0.3, 0.35, 0.39, 0.4])),
    highest=tuple(sorted([math.inf, 1.5, 1.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4])),
)
SHARES = Newcombe((1.0, 30), (0.0, 40))
LAWS = {
    "normal": StudentT(0.3, 0.2),
    "Student": StudentT(0.3, 0.2, df=4.5),
    "exact": StudentT(0.3, 0.0),
    "Fieller": RATIO,
    "Anderson and Rubin": AndersonRubin(3.0, 10.0, 0.5, 1.0, 0.2),
    "Newcombe": SHARES,
    "nobody": Newcombe((0.0, 30), (0.0, 40)),
    "permutation": ORDERS,
    "linear": Linear(SHARES, -12.0, 0.5),
    "permutation in money": Linear(ORDERS, 10.0, -0.5),
    "sum": IndependentSum(StudentT(-0.2, 0.1, df=9.0), SHARES),
    "looks": RepeatedLooks(StudentT(0.3, 0.2, df=20.0), (0.4, 0.7)),
    "looks at orders": RepeatedLooks(ORDERS, (0.5, 1.0), "pocock"),
}


@pytest.mark.parametrize("name", LAWS)
def test_the_p_value_is_below_the_error_exactly_where_the_interval_leaves_out_the_value(name):
    law, rng = LAWS[name], np.random.default_rng(1)
    trials = 6 if name.startswith("looks") else 60
    seen = set()
    for level in rng.uniform(0.3, 0.999, trials):
        lower, upper = law.interval(level)
        assert lower <= law.estimate <= upper
        for null in rng.normal(law.estimate, 2 * max(law.std_error, 0.1), 3):
            if min(abs(null - lower), abs(null - upper)) > 1e-7:
                excluded = not lower <= null <= upper
                assert (law.p_value(null) < 1 - level) == excluded, (level, null)
                seen.add(excluded)
    assert True in seen or name in ("permutation", "looks at orders")


@pytest.mark.parametrize("name", LAWS)
def test_intervals_grow_with_the_level_and_no_value_is_likelier_than_the_estimate(name):
    law = LAWS[name]
    ends = [law.interval(level) for level in (0.5, 0.8, 0.95, 0.99)]
    for (narrow_lower, narrow_upper), (lower, upper) in pairwise(ends):
        assert lower <= narrow_lower <= law.estimate <= narrow_upper <= upper
    assert law.p_value(law.estimate) == pytest.approx(1.0)
    assert all(0 <= law.p_value(null) <= 1 for null in (-5.0, 0.0, 0.1, 5.0))


@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(0.5, 200), st.floats(0.5, 0.999))
def test_students_law_is_that_of_scipy(estimate, std_error, df, level):
    law, t = StudentT(estimate, std_error, df), stats.t(df)
    assert law.p_value(0.7) == pytest.approx(2 * t.sf(abs(estimate - 0.7) / std_error), rel=1e-8)
    assert law.interval(level) == pytest.approx(stats.t.interval(level, df, estimate, std_error), rel=1e-8, abs=1e-9)


def test_without_degrees_of_freedom_it_is_the_normal_law():
    assert StudentT(0.04, 0.01).p_value() == pytest.approx(6.334248366623996e-05, rel=1e-12)
    assert StudentT(0.04, 0.01).interval(0.9) == pytest.approx(stats.norm.interval(0.9, 0.04, 0.01))


def test_an_exact_estimate_has_no_doubt():
    assert (StudentT(0.3, 0.0).p_value(), StudentT(0.0, 0.0).p_value()) == (0.0, 1.0)
    assert StudentT(0.3, 0.0).interval(0.99) == (0.3, 0.3)


@given(
    st.floats(-3, 3), st.floats(0.2, 3), st.floats(0.1, 2), st.floats(0.1, 2), st.floats(-0.9, 0.9),
    st.floats(3, 100), st.floats(-4, 4),
)  # fmt: skip
@settings(max_examples=200)
def test_fiellers_p_value_is_that_of_no_difference(a, b, s, u, r, df, null):
    """By definition: that of a - null b = 0, whose variance follows from the two."""
    law = Fieller(a, b, s * s, u * u, r * s * u, df)
    gap, variance = a - null * b, s * s - 2 * null * r * s * u + null**2 * u * u
    expected = 2 * stats.t.sf(abs(gap) / math.sqrt(variance), df)
    assert law.p_value(null) == pytest.approx(expected, rel=1e-8, abs=1e-300)


@given(
    st.floats(-3, 3), st.floats(-2, 2), st.floats(0.1, 2), st.floats(0.1, 2), st.floats(-0.9, 0.9),
    st.floats(0.5, 0.99), st.floats(-4, 4),
)  # fmt: skip
@settings(max_examples=300)
def test_the_set_of_a_ratio_holds_what_its_p_value_does_not_reject(a, b, s, u, r, level, null):
    """Also where the set is two rays, or everything: then the interval has no end, and holds the set."""
    law = AndersonRubin(a, b, s * s, u * u, r * s * u)
    found = law.confidence_set(level)
    lower, upper = law.interval(level)
    if min(abs(null - found.lower), abs(null - found.upper)) > 1e-6 * (1 + abs(found.lower)):
        inside = found.lower <= null <= found.upper if not found.outside else null >= found.lower or null <= found.upper
        assert (law.p_value(null) >= 1 - level) == inside
        assert lower <= null <= upper or not inside
    assert found.is_bounded == (math.isfinite(lower) and math.isfinite(upper))


def test_a_weak_denominator_leaves_the_p_value_of_the_numerator():
    """Nobody knows the ratio, and it is not 0: the numerator alone says so."""
    law = AndersonRubin(0.7, 0.05, 0.01, 0.01, 0.0)
    assert law.interval(0.95) == (-math.inf, math.inf)
    assert law.p_value() == pytest.approx(2 * stats.norm.sf(7.0), rel=1e-9)


def test_anderson_and_rubins_p_value_is_uniform_under_the_truth_however_weak():
    """A denominator that is hardly moved, correlated with the numerator: the true ratio is 2."""
    rng = np.random.default_rng(4)
    draws = rng.multivariate_normal([0.2, 0.1], [[0.09, 0.04], [0.04, 0.04]], 4_000)
    p = np.sort([AndersonRubin(a, b, 0.09, 0.04, 0.04).p_value(2.0) for a, b in draws])
    assert np.max(np.abs(p - (np.arange(len(p)) + 0.5) / len(p))) * np.sqrt(len(p)) < 1.95  # 0.1 % of the time


def test_newcombes_p_value_by_hand():
    """All against none of 10: Newcombe's lower end 1 - sqrt(2) z^2 / (10 + z^2) is 0 for z^2 = 10 / (sqrt(2) - 1)."""
    law = Newcombe((1.0, 10), (0.0, 10))
    assert law.p_value() == pytest.approx(2 * stats.norm.sf(math.sqrt(10 / (math.sqrt(2) - 1))), rel=1e-9)
    assert Newcombe((1.0, 1_000), (0.0, 1_000)).p_value() < 1e-300
    assert Newcombe((0.0, 10), (0.0, 99)).p_value() == 1.0
    assert law.p_value(-0.6) == 0.0  # no level reaches this far


def test_a_permutation_has_no_smaller_p_value_than_one_order():
    assert ORDERS.p_value(100.0) == ORDERS.p_value(-100.0) == 1 / 10
    assert ORDERS.interval(0.95) == (-math.inf, math.inf)
    assert ORDERS.interval(0.85) == (-0.5, 1.5)
    assert [ORDERS.p_value(null) for null in (0.4, 0.0, -0.2, 0.85)] == [1.0, 0.4, 0.2, 0.4]


def test_a_linear_function_moves_the_interval_and_keeps_the_p_value():
    law = linear(ORDERS, -10.0, 2.0)
    assert law.interval(0.85) == (pytest.approx(-13.0), pytest.approx(7.0))
    assert law.p_value(2.0) == ORDERS.p_value(0.0)
    assert linear(StudentT(1.0, 0.5, 7.0), -2.0, 3.0) == StudentT(1.0, 1.0, 7.0)
    assert linear(ORDERS, 0.0, -0.5).interval(0.99) == (-0.5, -0.5)


def test_the_sum_of_normal_estimates_is_normal():
    law, exact = IndependentSum(StudentT(1.0, 0.3), StudentT(0.5, 0.4)), StudentT(1.5, 0.5)
    assert law.interval(0.9) == pytest.approx(exact.interval(0.9))
    for null in (0.0, 1.0, 1.4, 4.0):
        assert law.p_value(null) == pytest.approx(exact.p_value(null), rel=1e-6)


def test_one_look_at_the_end_changes_nothing():
    law = StudentT(0.5, 0.2, 12.0)
    look = RepeatedLooks(law, (1.0,))
    assert look.p_value() == pytest.approx(law.p_value(), rel=1e-6)
    assert look.interval(0.9) == pytest.approx(law.interval(0.9), rel=1e-6)


def test_early_looks_have_larger_p_values():
    law = StudentT(0.5, 0.2)
    assert law.p_value() < RepeatedLooks(law, (0.8,)).p_value() < RepeatedLooks(law, (0.4,)).p_value() < 1


def test_numbers_without_a_law_are_refused():
    for wrong in ({"std_error": -0.1}, {"estimate": math.nan}, {"std_error": math.inf}, {"df": 0.0}):
        with pytest.raises(ValueError, match="a law needs"):
            StudentT(**({"estimate": 0.1, "std_error": 0.1} | wrong))
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="level must lie between 0 and 1"):
            StudentT(0.1, 0.1).interval(level)


def test_a_permutation_with_a_constant_effect_by_trying_every_effect():
    """Six numbers in two groups of three, all 20 orders: the p-value of each effect by enumeration."""
    y, on = np.array([3.1, 0.2, 2.5, 1.0, 1.9, 0.4]), np.array([1, 0, 1, 0, 1, 0])
    orders = sorted(set(permutations(on)))
    gap = np.array([y[np.array(order) == 1].mean() - y[np.array(order) == 0].mean() for order in orders])
    moved = np.array([on[np.array(order) == 1].mean() - on[np.array(order) == 0].mean() for order in orders])
    actual = float(y[on == 1].mean() - y[on == 0].mean())
    law = permutation_law(actual, gap, moved)
    for null in np.linspace(-6, 8, 57) + 0.0137:  # off the ends, which may be equal to a number by rounding
        rest = [abs(g - null * m) for g, m in zip(gap, moved, strict=True)]
        expected = np.mean([gone >= abs(actual - null) - 1e-12 for gone in rest])
        assert law.p_value(float(null)) == pytest.approx(expected, abs=1e-12)
