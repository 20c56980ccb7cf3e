"""An effect refuses contradictions, and its p-value agrees with its interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri, stdtr, stdtrit

from retention_models.core.check import Check
from retention_models.interventions.effects.effect import Effect


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "percent"}, "scale must be one of difference, ratio, hazard ratio; got 'percent'"),
        ({"design": "hoped for"}, "design must be one of randomised"),
        ({"estimate": 0.07}, "estimate must lie inside its interval"),
        ({"estimate": math.nan}, "must be finite"),
        ({"std_error": -1.0}, "must be finite"),
        ({"level": 95}, "level must lie between 0 and 1"),
        ({"scale": "ratio", "estimate": -0.1, "lower": -1}, "a ratio must be above 0"),
        ({"n": 0}, "n must be at least 1"),
        ({"value": 1.0}, "go together"),
        ({"value": 1.0, "value_lower": 2.0, "value_upper": 3.0}, "the value must lie inside"),
    ],
)
def test_contradictions_are_refused(effect, changes, message):
    with pytest.raises(ValueError, match=message):
        effect(**changes)


def test_infinite_ends_are_allowed_and_tell_nothing(effect):
    row = effect(lower=-math.inf, upper=math.inf)
    assert row.p_value == 1.0


@pytest.mark.parametrize("df", [1.5, 4, 30, 1e5])
def test_p_value_is_that_of_the_t_quantile_behind_the_interval(effect, df):
    reach = stdtrit(df, 0.975) * 0.01
    row = effect(lower=0.04 - reach, upper=0.04 + reach)
    assert row.p_value == pytest.approx(2 * stdtr(df, -4.0), rel=1e-6)


def test_p_value_of_a_normal_interval(effect):
    reach = ndtri(0.975) * 0.01
    assert effect(lower=0.04 - reach, upper=0.04 + reach).p_value == pytest.approx(6.334248366623996e-05, rel=1e-9)


def test_p_value_of_a_ratio_is_taken_on_the_log_scale(effect):
    z = ndtri(0.975)
    row = effect(scale="ratio", estimate=2.0, std_error=0.2, lower=2 * math.exp(-0.2 * z), upper=2 * math.exp(0.2 * z))
    assert row.no_effect == 1
    assert row.p_value == pytest.approx(2 * 0.5 * math.erfc(math.log(2) / 0.2 / math.sqrt(2)))


@given(
    st.floats(-5, 5),
    st.floats(0.01, 3),
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.floats(0.5, 0.999),
)
def test_p_value_is_below_the_error_exactly_where_the_interval_leaves_out_no_effect(middle, se, left, right, level):
    row = Effect(
        intervention="a", outcome="b", unit="c", estimand="d", scale="difference", horizon="e", population="f", n=1,
        design="randomised", estimate=middle, std_error=se, lower=middle - left, upper=middle + right, level=level,
    )  # fmt: skip
    near = row.lower if middle > 0 else -row.upper
    if abs(near) > 1e-6:
        assert (row.p_value < 1 - level) == (near > 0)
    assert 0 <= row.p_value <= 1


def test_an_exact_effect_has_no_doubt(effect):
    assert effect(std_error=0.0, lower=0.04, upper=0.04).p_value == 0.0
    assert effect(estimate=0.0, std_error=0.0, lower=0.0, upper=0.0).p_value == 1.0


def test_failed_names_only_what_did_not_hold(effect):
    checks = (Check("a", True, ""), Check("b", False, ""), Check("c", None, ""))
    assert [check.name for check in effect(checks=checks).failed] == ["b"]


def test_it_reads_as_a_sentence(effect):
    row = effect(cost=0.5, value=1.25, value_lower=0.5, value_upper=2.0)
    assert str(row) == (
        "mail changes visit by 0.0400 (0.0204 to 0.0596) (share of customers; 95 % interval; 14 days; randomised, "
        "n = 1,000). Worth 1.25 (0.50 to 2.00) per treated customer."
    )
    assert "multiplies" in str(effect(scale="hazard ratio", estimate=0.8, lower=0.5, upper=np.inf))
