"""Kaplan-Meier curves against published studies, by hand, and against what must hold of any curve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_models.survival.competing import aalen_johansen
from retention_models.survival.curves import Curve, Quantile, kaplan_meier


def curve_of(rows):
    return kaplan_meier(rows["tenure"], rows["cause"] != "", weight=rows["weight"])


def test_waltons_is_as_published(study):
    curve = curve_of(study("waltons"))
    assert curve.at_risk[0] == 163
    assert curve.lost.sum() == 156
    assert curve.quantile(0.5).estimate == 56
    np.testing.assert_allclose(curve.survival_function([25, 50]), [0.8889571, 0.6168168], atol=5e-8)


def test_restricted_mean_difference_on_lung_is_as_published(study):
    means = {group: curve_of(rows).restricted_mean(965) for group, rows in study("lung").groupby("group")}
    difference = means["women"].estimate - means["men"].estimate
    std_error = np.hypot(means["women"].std_error, means["men"].std_error)
    assert difference == pytest.approx(131.8557, abs=5e-5)
    assert std_error == pytest.approx(39.7587, abs=5e-5)
    interval = difference + np.array([-1, 1]) * 1.959964 * std_error
    np.testing.assert_allclose(interval, [53.930, 209.781], atol=5e-4)


def test_the_curve_and_its_errors_by_hand():
    curve = kaplan_meier([1, 2, 2, 3, 5], [1, 1, 0, 0, 1])
    np.testing.assert_allclose(curve.survival, [0.8, 0.6, 0.6, 0.0])
    np.testing.assert_allclose(curve.std_error[:2], [0.8 * np.sqrt(1 / 20), 0.6 * np.sqrt(1 / 20 + 1 / 12)])
    hazard = curve.cumulative_hazard()
    np.testing.assert_allclose(hazard["cumulative_hazard"], [0.2, 0.45, 0.45, 1.45])
    np.testing.assert_allclose(hazard["std_error"] ** 2, np.cumsum([0.2 * 0.8 / 5, 0.25 * 0.75 / 4, 0, 0]))


def test_without_censoring_greenwood_is_binomial():
    rng = np.random.default_rng(1)
    tenure = rng.integers(1, 12, 200)
    curve = kaplan_meier(tenure, np.ones(200))
    share = (tenure[:, None] > curve.tenure).mean(axis=0)
    np.testing.assert_allclose(curve.survival, share, atol=1e-14)
    np.testing.assert_allclose(curve.std_error, np.sqrt(share * (1 - share) / 200), atol=1e-14)


def test_without_censoring_the_restricted_mean_is_the_mean_of_times_cut_at_the_horizon():
    rng = np.random.default_rng(2)
    tenure, rate = rng.exponential(10, 300), 0.03
    curve = kaplan_meier(tenure, np.ones(300))
    plain = np.minimum(tenure, 15)
    discounted = (1 - np.exp(-rate * plain)) / rate
    for mean, each in ((curve.restricted_mean(15), plain), (curve.restricted_mean(15, rate=rate), discounted)):
        assert mean.estimate == pytest.approx(each.mean(), rel=1e-12)
        assert mean.std_error == pytest.approx(each.std() / np.sqrt(300), rel=1e-12)


def test_a_small_discount_rate_changes_little():
    curve = kaplan_meier([1, 2, 2, 3, 5], [1, 1, 0, 0, 1])
    assert curve.restricted_mean(4, rate=1e-9).estimate == pytest.approx(curve.restricted_mean(4).estimate, rel=1e-8)


def test_restricted_mean_is_not_known_beyond_the_last_customer_observed():
    with pytest.raises(ValueError, match=r"longer than 5, and the horizon is 6; choose a shorter one"):
        kaplan_meier([1, 5], [1, 0]).restricted_mean(6)
    assert kaplan_meier([1, 5], [1, 1]).restricted_mean(6).estimate == 3.0
    with pytest.raises(ValueError, match="above the start"):
        kaplan_meier([1, 5], [1, 1]).restricted_mean(0)


def test_entry_times_take_customers_out_of_the_risk_set_before_they_were_observed():
    curve = kaplan_meier(tenure=[2, 4, 4, 6], churned=[1, 1, 0, 1], entry=[0, 1, 2, 4])
    at = curve.table(at=[2, 4, 6])
    assert at["at_risk"].tolist() == [2, 2, 1]  # whoever enters at 2 is not at risk at 2
    np.testing.assert_allclose(at["survival"], [0.5, 0.25, 0])


def test_delayed_entry_starts_the_curve_at_the_earliest_entry():
    curve = kaplan_meier([5, 7, 9], [1, 0, 1], entry=[3, 4, 4])
    assert curve.start == 3
    assert curve.restricted_mean(5).estimate == 2.0


def test_shifting_entry_and_tenure_shifts_the_curve():
    rng = np.random.default_rng(3)
    entry = rng.uniform(1, 4, 100)
    tenure, churned = entry + rng.exponential(5, 100), rng.random(100) < 0.7
    curve, later = kaplan_meier(tenure, churned, entry=entry), kaplan_meier(tenure + 8, churned, entry=entry + 8)
    np.testing.assert_allclose(later.tenure, curve.tenure + 8)
    np.testing.assert_array_equal(later.survival, curve.survival)
    np.testing.assert_array_equal(later.at_risk, curve.at_risk)


def test_since_conditions_on_having_stayed_so_long():
    rng = np.random.default_rng(4)
    curve = kaplan_meier(rng.exponential(10, 400), rng.random(400) < 0.8)
    later = curve.since(5.0)
    at = np.array([6.0, 9.0, 20.0])
    np.testing.assert_allclose(later.survival_function(at), curve.survival_function(at) / curve.survival_function(5.0))
    assert later.start == 5.0
    with pytest.raises(ValueError, match="between the start of the curve, 0, and the last tenure"):
        curve.since(1e9)


def test_customers_who_leave_at_once_count_when_observed_from_the_start():
    curve = kaplan_meier([0, 0, 1, 2], [1, 0, 1, 0])
    np.testing.assert_allclose(curve.survival, [0.75, 0.375, 0.375])


rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.booleans(), st.integers(1, 4)), min_size=1, max_size=25
)


@given(rows, st.randoms())
@settings(max_examples=60, deadline=None)
def test_row_order_and_aggregation_do_not_matter(drawn, random):
    entry, length, churned, weight = (np.array(column) for column in zip(*drawn, strict=True))
    curve = kaplan_meier(entry + length, churned, entry=entry, weight=weight)
    order = random.sample(range(len(entry)), len(entry))
    repeated = np.repeat(order, weight[order])
    other = kaplan_meier((entry + length)[repeated], churned[repeated], entry=entry[repeated])
    for name in ("tenure", "at_risk", "lost", "survival", "std_error"):
        np.testing.assert_array_equal(getattr(other, name), getattr(curve, name))


@given(rows)
@settings(max_examples=60, deadline=None)
def test_numbers_at_risk_are_those_of_a_plain_count(drawn):
    entry, length, churned, weight = (np.array(column) for column in zip(*drawn, strict=True))
    tenure, grid = entry + length, np.arange(0, 14) / 2
    curve = kaplan_meier(tenure, churned, entry=entry, weight=weight)
    began = (entry < grid[:, None]) | (entry == 0)
    np.testing.assert_array_equal(curve.number_at_risk(grid), ((began & (tenure >= grid[:, None])) * weight).sum(1))


@given(rows)
@settings(max_examples=60, deadline=None)
def test_intervals_hold_their_curve_and_nothing_is_missing(drawn):
    entry, length, churned, weight = (np.array(column) for column in zip(*drawn, strict=True))
    curve = kaplan_meier(entry + length, churned, entry=entry, weight=weight)
    table = curve.table()
    assert not table.isna().any().any()
    assert (table["survival_lower"] <= table["survival"]).all()
    assert (table["survival"] <= table["survival_upper"]).all()
    assert (np.diff(table["survival_upper"]) <= 1e-15).all() or entry.any()
    assert not curve.cumulative_hazard().isna().any().any()


def test_fractional_weights_leave_no_rounding_at_the_end():
    weight = np.full(1000, 0.1)
    curve = kaplan_meier(np.arange(1000) // 10, np.ones(1000), weight=weight)
    assert curve.survival[-1] == 0.0
    assert np.all(curve.lost <= curve.at_risk)


def test_quantiles_of_lung_agree_with_lifelines(study):
    # lifelines 0.30.3: KaplanMeierFitter, median_survival_times of its log-log interval
    assert curve_of(study("lung")).quantile(0.5) == Quantile(310, 284, 361)


def test_a_quantile_never_reached_is_infinite():
    assert kaplan_meier([1, 2, 3], [1, 0, 0]).quantile(0.5).estimate == np.inf


def test_a_curve_can_be_made_from_a_table_that_someone_aggregated(study):
    curve = curve_of(study("lung"))
    again = Curve(curve.tenure, curve.at_risk, curve.lost)
    assert again.restricted_mean(365) == curve.restricted_mean(365)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tenure": [1, np.nan], "churned": [0, 1]}, "tenure is missing, infinite or negative for 1 of 2 customers"),
        (
            {"tenure": [1, 2], "churned": [0, 2]},
            r"churned is neither True nor False for 1 of 2 customers \(first: row 1\)",
        ),
        ({"tenure": [1, 2], "churned": [0, 1], "entry": [0, 2]}, "tenure does not exceed entry"),
        ({"tenure": [1, 2], "churned": [0]}, "churned has 1 values and tenure 2"),
        ({"tenure": [1, 2], "churned": [0, 1], "weight": [1, -1]}, "weight is missing, infinite or negative"),
        ({"tenure": [], "churned": []}, "no customers"),
        ({"tenure": [1, 2], "churned": [0, 1], "weight": [0, 0]}, "no customers"),
        ({"tenure": [1, 2], "churned": ["Yes", "No"]}, "churned must hold True or False, not such values as 'Yes'"),
        ({"tenure": [1, 2], "churned": ["1", "x"]}, "churned must hold True or False, not such values as 'x'"),
        ({"tenure": np.array([1, 2], "m8[D]"), "churned": [0, 1]}, "tenure holds dates or time spans; count days"),
    ],
)
def test_bad_columns_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        kaplan_meier(**columns)


@pytest.mark.parametrize("at", [[np.nan], [3, 1], ["x"]])
def test_tenures_to_read_a_curve_at_are_numbers_in_order(at):
    curve, causes = kaplan_meier([1, 2], [1, 0]), aalen_johansen([1, 2], ["price", ""])
    for table in (curve.table, causes.table):
        with pytest.raises(ValueError, match=r"must be finite and strictly increasing|at must hold numbers"):
            table(at=at)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([2, 1], [2, 1], [1, 0]), "strictly increasing"),
        (([1, 2], [2, 1], [3, 0]), "lost must lie between 0 and at_risk"),
        (([1, 2], [2, 1], [0]), "the same length"),
        (([], [], []), "at least one tenure"),
    ],
)
def test_an_impossible_curve_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Curve(*columns)


@pytest.mark.slow
def test_intervals_of_survival_median_and_restricted_mean_cover():
    """1,000 samples of 200 customers, exponential with censoring: 95 % intervals hold the truth about as often."""
    rng = np.random.default_rng(5)
    survival, median, mean = np.exp(-1.0), 10 * np.log(2), 10 * (1 - np.exp(-1.5))
    held = np.zeros((1000, 3))
    for i in range(1000):
        event, censored = rng.exponential(10, 200), rng.uniform(5, 40, 200)
        curve = kaplan_meier(np.minimum(event, censored), event <= censored)
        at = curve.table(at=[10]).iloc[0]
        middle, restricted = curve.quantile(0.5), curve.restricted_mean(15)
        held[i] = (
            at["survival_lower"] <= survival <= at["survival_upper"],
            middle.lower <= median <= middle.upper,
            abs(restricted.estimate - mean) <= 1.96 * restricted.std_error,
        )
    assert np.all((held.mean(axis=0) > 0.93) & (held.mean(axis=0) < 0.97))
