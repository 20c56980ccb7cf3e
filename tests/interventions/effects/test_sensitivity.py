"""E-values as published, what would overturn an effect, and no worse than a margin."""

import pytest

from retention_models.interventions.effects.sensitivity import e_value, non_inferiority, sensitivity_sentence


def test_e_values_are_as_published():
    """VanderWeele & Ding (2017): 3.9 (1.8 to 8.7) for formula feeding; E-values 7.26 and 3.0."""
    assert e_value(3.9) == pytest.approx(7.263034, abs=5e-7)
    assert e_value(1.8) == pytest.approx(3.0)


def test_an_e_value_is_the_same_for_a_ratio_and_its_inverse():
    assert e_value(0.5) == pytest.approx(e_value(2.0))
    assert e_value(1.0) == 1.0
    assert e_value(0.5, "hazard ratio") == pytest.approx(e_value(2.0, "hazard ratio"))


def test_a_hazard_ratio_counts_as_a_smaller_risk_ratio():
    """By hand for 2: (1 - 0.5^1.41421) / (1 - 0.5^0.70711) = 0.62479 / 0.38745 = 1.61259."""
    assert e_value(2.0, "hazard ratio") == pytest.approx(1.61259 + (1.61259 * 0.61259) ** 0.5, abs=2e-4)


def test_an_e_value_needs_a_ratio():
    with pytest.raises(ValueError, match="needs a ratio above 0"):
        e_value(-1.0)
    with pytest.raises(ValueError, match="needs a ratio above 0"):
        e_value(2.0, "difference")


def test_only_what_was_not_randomised_can_be_overturned(effect):
    assert sensitivity_sentence(effect()) == ""
    observed = effect(assigned_by="rule")
    assert "0.0204 share of customers (51 % of the estimate)" in sensitivity_sentence(observed)
    ratio = effect(assigned_by="unknown", scale="ratio", estimate=3.9, lower=1.8, upper=8.7)
    assert "3.00-fold each (7.26-fold for the estimate itself)" in sensitivity_sentence(ratio)
    nothing = effect(design="quasi-experimental", assigned_by="rule", std_error=0.03)
    assert "already" in sensitivity_sentence(nothing)


@pytest.mark.parametrize(
    ("changes", "margin", "higher_is_better", "passed"),
    [
        ({"estimate": -0.001, "lower": -0.009, "upper": 0.007}, 0.01, True, True),
        ({"estimate": -0.001, "lower": -0.011, "upper": 0.009}, 0.01, True, False),
        ({"estimate": -0.001, "lower": -0.011, "upper": 0.009}, 0.01, False, True),
        ({"estimate": 0.001, "lower": -0.011, "upper": 0.011}, 0.01, False, False),
        ({"scale": "ratio", "estimate": 0.99, "lower": 0.96, "upper": 1.02}, 0.05, True, True),
        ({"scale": "ratio", "estimate": 0.99, "lower": 0.94, "upper": 1.04}, 0.05, True, False),
        ({"scale": "hazard ratio", "estimate": 1.0, "lower": 0.95, "upper": 1.05}, 0.05, False, True),
    ],
)
def test_no_worse_than_is_decided_by_the_interval(effect, changes, margin, higher_is_better, passed):
    assert non_inferiority(effect(**changes), margin, higher_is_better=higher_is_better).passed is passed


def test_a_margin_is_a_loss(effect):
    for margin in (0, -0.1):
        with pytest.raises(ValueError, match="margin is the largest accepted loss"):
            non_inferiority(effect(), margin)
    with pytest.raises(ValueError, match="below 1 for a ratio"):
        non_inferiority(effect(scale="ratio", estimate=1, lower=0.9, upper=1.1), 1.0)
