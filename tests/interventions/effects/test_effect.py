"""An effect refuses contradictions; p-value and intervals are those of its law, also after storage."""

import json
import math
from typing import get_args

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri, stdtr, stdtrit

from retention_models.core.check import Check
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.effects.derived_laws import IndependentSum, Law, Linear, RepeatedLooks, linear
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import Newcombe, Permutation, StudentT
from retention_models.interventions.effects.ratio_laws import AndersonRubin, Fieller


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "percent"}, "scale must be one of difference, ratio, hazard ratio; got 'percent'"),
        ({"design": "hoped for"}, "design must be one of randomised"),
        ({"estimate": 0.07}, "estimate must lie inside its interval"),
        ({"estimate": math.nan}, "estimate must be a finite number"),
        ({"std_error": -1.0}, "std_error must be a number, 0 or more"),
        ({"level": 95}, "level must lie between 0 and 1"),
        ({"scale": "ratio", "estimate": -0.1, "lower": -1}, "a ratio must be above 0"),
        ({"n": 0}, "n must be a whole number, 1 or more"),
        ({"value": 1.0}, "go together"),
        ({"value": 1.0, "value_lower": 2.0, "value_upper": 3.0}, "the value must lie inside"),
    ],
)
def test_contradictions_are_refused(effect, changes, message):
    with pytest.raises(ValueError, match=message):
        effect(**changes)


ENDLESS = AndersonRubin(0.004, 0.1, 1e-4, 0.01, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std_error": None, "lower": None, "upper": None}, "state lower and upper, or their law"),
        ({"lower": None}, "state lower and upper, or their law"),
        ({"lower": -math.inf, "upper": math.inf}, "an infinite limit is not possible with a normal law"),
        ({"lower": 0.03, "upper": 0.09}, "the estimate is not in the middle of lower and upper"),
        ({"value": 1.0, "value_lower": 0.9, "value_upper": 3.0}, "not in the middle of value_lower and value_upper"),
        ({"value_law": StudentT(1.0, 0.2)}, "a value_law needs the value"),
        ({"std_error": 0.01, "lower": 0.01, "upper": 0.07}, r"contradict their law, .* at 95 % is 0\.0204 to 0\.0596"),
        ({"law": StudentT(0.04, 0.01, 4), "lower": 0.0204, "upper": 0.0596}, r"at 95 % is 0\.0122 to 0\.0678"),
        ({"law": StudentT(0.04, 0.02), "std_error": 0.01}, "std_error contradicts the law, .* is 0\\.0200"),
        ({"law": ENDLESS, "lower": 0.0, "upper": 0.08}, "lower and upper contradict their law, .* -inf to inf"),
        ({"law": StudentT(0.4, 0.01)}, "estimate must lie inside its interval"),
        ({"std_error": 0.01, "scale": "ratio", "estimate": 1.2, "lower": 1.1, "upper": 1.3}, r"is 1\.18 to 1\.22"),
    ],
)
def test_numbers_that_no_law_gives_are_refused(effect, changes, message):
    with pytest.raises(ValueError, match=f"effect of mail on visit: .*{message}"):
        effect(**changes)


def test_a_law_is_one_that_the_package_knows(effect):
    with pytest.raises(TypeError, match="law must be a law such as StudentT"):
        effect(law=scipy.stats.norm(0.04, 0.01))


def test_a_standard_error_alone_gives_the_normal_interval(effect):
    row = effect(std_error=0.01)
    assert row.law == StudentT(0.04, 0.01)
    assert (row.lower, row.upper) == pytest.approx(scipy.stats.norm.interval(0.95, 0.04, 0.01))
    assert row.p_value == pytest.approx(6.334248366623996e-05, rel=1e-9)


def test_a_published_interval_stays_as_it_is_and_gives_the_rest(effect):
    """A hazard ratio of 0.80 (0.70 to 0.91): log(0.91 / 0.70) / (2 x 1.96) = 0.0669."""
    row = effect(scale="hazard ratio", estimate=0.8, lower=0.70, upper=0.91)
    assert (row.lower, row.estimate, row.upper) == pytest.approx((0.70, 0.8, 0.91), rel=1e-12)
    assert row.std_error == pytest.approx(math.log(0.91 / 0.70) / (2 * ndtri(0.975)))
    assert row.p_value < 0.05
    lower, upper = row.interval(1 - row.p_value)
    assert lower < 1 == pytest.approx(upper)


def test_ends_stated_beside_a_standard_error_may_be_rounded(effect):
    row = effect(std_error=0.01, lower=0.0204, upper=0.0596)
    assert (row.lower, row.upper) == row.interval(0.95) == StudentT(0.04, 0.01).interval(0.95)


@pytest.mark.parametrize("df", [1.5, 4, 30, 1e5])
def test_p_value_and_interval_are_those_of_the_law(effect, df):
    row = effect(law=StudentT(0.04, 0.01, df))
    assert row.std_error == 0.01
    assert row.upper - 0.04 == pytest.approx(stdtrit(df, 0.975) * 0.01)
    assert row.p_value == pytest.approx(2 * stdtr(df, -4.0), rel=1e-9)
    assert row.interval(0.99)[1] - 0.04 == pytest.approx(stdtrit(df, 0.995) * 0.01)


def test_the_law_of_a_ratio_is_that_of_its_logarithm(effect):
    row = effect(scale="ratio", estimate=2.0, std_error=0.2)
    assert row.no_effect == 1
    assert row.p_value == pytest.approx(2 * 0.5 * math.erfc(math.log(2) / 0.2 / math.sqrt(2)))
    assert row.interval(0.9) == pytest.approx(tuple(2 * np.exp(0.2 * ndtri(p)) for p in (0.05, 0.95)))


@given(
    st.floats(-5, 5),
    st.floats(0.01, 3),
    st.floats(0.01, 10),
    st.floats(0.5, 0.999),
    st.sampled_from([1.0, 7.0, math.inf]),
)
def test_p_value_is_below_the_error_exactly_where_the_interval_leaves_out_no_effect(middle, se, half, level, df):
    about = {
        "intervention": "a", "outcome": "b", "unit": "c", "estimand": "d", "population": "f", "n": 1, "level": level,
        "assigned_by": "random",
    }  # fmt: skip
    for row in (
        Effect(**about, scale="difference", estimate=middle, law=StudentT(middle, se, df)),
        Effect(**about, scale="difference", estimate=middle, lower=middle - half, upper=middle + half),
        Effect(**about, scale="ratio", estimate=math.exp(middle), std_error=se),
    ):
        if min(abs(row.lower - row.no_effect), abs(row.upper - row.no_effect)) > 1e-6:
            assert (row.p_value < 1 - level) == (not row.lower <= row.no_effect <= row.upper)
        assert 0 <= row.p_value <= 1
        assert (row.lower, row.upper) == row.interval(level)


def test_the_value_has_an_interval_at_any_level(effect):
    row = effect(cost=0.0, value=1.0, value_law=StudentT(1.0, 0.2, df=9))
    assert row.priced == pytest.approx((1.0, *StudentT(1.0, 0.2, 9).interval(0.95)))
    assert row.value_interval(0.5) == StudentT(1.0, 0.2, 9).interval(0.5)
    assert effect().value_interval(0.5) is None


LAWS = [
    StudentT(0.4, 0.1, df=4.5),
    StudentT(0.4, 0.1),
    AndersonRubin(0.08, 0.2, 1e-4, 0.04, 0.0),
    Newcombe((0.4, 30), (0.0, 40)),
    Permutation(0.4, 0.1, (-math.inf, 0.1), (0.7, math.inf)),
    Linear(Newcombe((0.4, 30), (0.0, 40)), 2.0, -0.4),
    IndependentSum(StudentT(0.1, 0.1, 5.0), Newcombe((0.3, 30), (0.0, 40))),
    RepeatedLooks(StudentT(0.4, 0.1), (0.3, 0.6), "pocock"),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_an_effect_comes_back_from_json_as_it_was(effect, law, tmp_path):
    checks = (Check("a", True, detail="x"), Check("b", None, detail="“y”"))
    row = effect(estimate=0.4, law=law, checks=checks, cost=0.1, value=1.5, value_law=linear(law, 4.0, -0.1))
    back = Effect.from_json(row.to_json(tmp_path / "effect.json"))
    assert back == row
    assert back == Effect.from_json(tmp_path / "effect.json") == Effect.from_json(str(tmp_path / "effect.json"))
    assert (back.p_value, back.interval(0.99), back.value_interval(0.8)) == (
        row.p_value, row.interval(0.99), row.value_interval(0.8)
    )  # fmt: skip
    assert "Infinity" not in row.to_json()


def test_every_law_is_stored():
    assert {type(law) for law in LAWS} | {Fieller} == set(get_args(Law))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"format": 4}, r"this effect has format 4 \(written by version .*upgrade retention_models"),
        (lambda d: {"a": 1}, "this is no effect written by to_json: the format is not stated"),
        (
            lambda d: d | {"effect": d["effect"] | {"law": {"kind": "Cauchy"}}},
            "Cauchy is not one of its laws, StudentT, ",
        ),
        (lambda d: d | {"effect": d["effect"] | {"law": {"kind": "StudentT"}}}, "or it is damaged .*estimate"),
        (lambda d: d | {"effect": {k: v for k, v in d["effect"].items() if k != "n"}}, "or it is damaged .*'n'"),
        (lambda d: d | {"effect": d["effect"] | {"lower": 0.039}}, "lower and upper contradict their law"),
        (lambda d: {k: v for k, v in d.items() if k != "effect"}, "it lacks 'effect'"),
    ],
)
def test_text_that_is_no_effect_is_refused(effect, change, message):
    with pytest.raises(ValueError, match=message):
        Effect.from_json(json.dumps(change(json.loads(effect().to_json()))))


def test_json_that_is_none_is_refused():
    with pytest.raises(ValueError, match="this is no effect written by to_json, or it is damaged"):
        Effect.from_json("{not json")


@pytest.mark.parametrize(
    ("horizon", "time_unit", "text"),
    [(14, "D", "14 days"), (1, "W", "1 week"), (9, "M", "9 months"), (2, "Q", "2 quarters"), (3, "30D", "3 times 30D")],
)
def test_a_horizon_is_a_number_with_its_unit(effect, horizon, time_unit, text):
    row = effect(horizon=horizon, time_unit=time_unit)
    assert (row.horizon, row.time_unit, row.horizon_text) == (horizon, time_unit, text)
    assert f"95 % interval; {text}; randomised" in str(row)


def test_a_horizon_that_is_not_known_is_not_told(effect):
    row = effect(horizon=None, time_unit=None)
    assert row.horizon_text == "not stated"
    assert "95 % interval; randomised" in str(row)


@pytest.mark.parametrize(
    ("horizon", "time_unit", "message"),
    [
        ("14 days", None, "horizon must be a number above 0, with its unit in time_unit; got '14 days'"),
        (14, None, "horizon and time_unit go together, such as horizon=14, time_unit='D'"),
        (None, "D", "horizon and time_unit go together"),
        (0, "D", "horizon must be a number above 0"),
        (math.inf, "D", "horizon must be a number above 0"),
        (14, "days and nights", "time_unit must be one of 'W', 'D', 'h', 'min', 's', 'M', 'Q', 'Y' or a fixed length"),
    ],
)
def test_a_horizon_without_a_number_or_unit_is_refused(effect, horizon, time_unit, message):
    for made in (effect, lambda **stated: Outcome(column="y", **stated)):
        with pytest.raises(ValueError, match=message):
            made(horizon=horizon, time_unit=time_unit)


def test_an_exact_effect_has_no_doubt(effect):
    assert effect(std_error=0.0).p_value == 0.0
    assert effect(estimate=0.0, std_error=0.0, lower=0.0, upper=0.0).p_value == 1.0
    assert effect(lower=0.04, upper=0.04).p_value == 0.0
    for ratio in np.linspace(0.3, 3, 50):  # exp(log(ratio)) may differ from it by rounding
        row = effect(scale="ratio", estimate=ratio, std_error=0.0)
        assert row.lower <= row.estimate <= row.upper == pytest.approx(ratio)


def test_failed_names_only_what_did_not_hold(effect):
    checks = (Check("a", True, detail=""), Check("b", False, detail=""), Check("c", None, detail=""))
    assert [check.name for check in effect(checks=checks).failed] == ["b"]


def test_it_reads_as_a_sentence(effect):
    row = effect(cost=0.5, value=1.25, value_lower=0.5, value_upper=2.0)
    assert str(row) == (
        "mail changes visit by 0.0400 (0.0204 to 0.0596) (share of customers; 95 % interval; 14 days; randomised, "
        "n = 1,000). Worth 1.25 (0.50 to 2.00) per treated customer."
    )
    assert "multiplies" in str(effect(scale="hazard ratio", estimate=0.8, std_error=0.2))
