"""The planning range: each constant by hand, what it rests on without earlier errors, and what it refuses."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

import retention_models as rm
from retention_models.forecast.planning_range import ForecastErrors, PastErrors, planning_columns

FIRST = date(2024, 1, 1)
PLANNING = ["planning", "planning_lower_80", "planning_upper_80", "planning_lower_95", "planning_upper_95"]


def record(log_ratios, *, step=91, days_ahead=182, variances=None, seasons=None, **more):
    n = len(log_ratios)
    return ForecastErrors(
        days_ahead=days_ahead,
        origins=tuple(FIRST + timedelta(step * i) for i in range(n)),
        log_ratios=tuple(log_ratios),
        seasons=tuple(seasons or [0.0] * n),
        variances=tuple(variances or [0.0] * n),
        days_learnt=tuple(200 + step * i for i in range(n)),
        **more,
    )


def test_the_range_by_hand():
    errors = record([0.2, -0.1, 0.3], variances=[0.01, 0.02, 0.01])
    assert errors.n_effective == 2  # 1 + 182 / 182
    assert errors.excess == pytest.approx((0.04 - 0.01 + 0.01 - 0.02 + 0.09 - 0.01) / 3)
    assert errors.model_variance == pytest.approx((3 * 0.10**2 + 2 * 0.1 / 3) / 5)
    lower, upper = errors.ends([1000.0], [0.005], 0.8)
    reach = 1.4758840 * np.sqrt(0.005 + 0.0193333333)  # Student's t with 5 degrees of freedom
    assert lower[0] == pytest.approx(1000 * np.exp(-reach), rel=1e-6)
    assert upper[0] == pytest.approx(1000 * np.exp(reach), rel=1e-6)


def test_the_excess_of_a_shorter_horizon_is_added_where_there_are_few_origins():
    shorter = record([0.1, 0.1, -0.1, 0.1], step=49, days_ahead=91, variances=[0.002] * 4)
    assert shorter.n_effective == pytest.approx(1 + 147 / 91)
    errors = record([0.15], variances=[0.0025], shorter=shorter)
    assert errors.borrowed == (pytest.approx(0.008 * 182 / 91), 2.0)
    assert errors.model_variance == pytest.approx((0.03 + 1 * 0.02 + 2 * 0.016) / 6)
    assert errors.degrees == 6
    enough = record([0.15, 0.15, 0.15], shorter=shorter)
    assert enough.borrowed == (0.0, 0.0)
    few = replace(errors, shorter=record([0.1, 0.1], step=49, days_ahead=91))
    assert few.borrowed[1] == pytest.approx(1 + 49 / 91)


def test_without_earlier_errors_it_rests_on_the_stated_10_percent():
    errors = ForecastErrors(days_ahead=182)
    assert errors.model_variance == pytest.approx(0.01)
    assert errors.stated_share == 1
    assert errors.has_few_origins
    lower, upper = errors.ends([100.0], [0.0], 0.95)
    assert upper[0] == pytest.approx(100 * np.exp(3.1824463 * 0.1), rel=1e-6)  # 3 degrees of freedom
    assert lower[0] * upper[0] == pytest.approx(100**2)


def test_errors_smaller_than_chance_add_nothing():
    assert record([0.05, -0.05, 0.05], variances=[0.01] * 3).excess == 0


def test_a_steady_bias_widens_the_range_and_is_reported():
    steady, mixed = record([0.2, 0.2, 0.2]), record([0.01, -0.01, 0.01])
    assert steady.model_variance > mixed.model_variance
    assert (steady.one_sided, record([-0.1, -0.2, -0.3]).one_sided, mixed.one_sided) == (1, -1, 0)
    assert record([0.2, 0.2]).one_sided == 0


def test_the_season_moves_the_middle_and_is_off_where_it_made_errors_larger():
    good = record([0.3, 0.2], seasons=[0.2, 0.1], coming_season=0.25)
    assert good.season == 0.25
    np.testing.assert_allclose(good.errors, [0.1, 0.1])
    columns = planning_columns(np.array([100.0]), np.array([0.001]), [good])
    assert list(columns) == PLANNING
    assert columns["planning"][0] == pytest.approx(100 * np.exp(0.25))
    bad = replace(good, seasons=(-0.2, -0.1))
    assert bad.season == 0
    np.testing.assert_allclose(bad.errors, [0.3, 0.2])


def test_each_earlier_forecast_is_judged_by_what_was_known_then():
    errors = record([0.5, 0.0, 0.5], step=182)
    # reach at 80 %: t_3 sqrt(.01) = .16; then t_4 sqrt(.28/4) = .41; then t_5 sqrt(.28/5) = .35
    assert errors.inside(0.8).tolist() == [False, True, False]
    alone = [1.6377444 * 0.1, 1.5332063 * np.sqrt(0.28 / 4), 1.4758840 * np.sqrt(0.28 / 5)]
    just = record([0.5, alone[1] - 1e-6, 0.5], step=182)
    assert just.inside(0.8).tolist()[1]
    assert not record([0.5, alone[1] + 1e-6, 0.5], step=182).inside(0.8).tolist()[1]
    overlapping = record([0.5, 0.2, 0.0], step=91)  # the first error is not yet known at the second origin
    assert overlapping.inside(0.8).tolist() == [False, False, True]
    assert record([]).inside(0.8).empty


def test_the_range_scales_with_what_is_expected():
    errors = record([0.1, 0.2])
    one, thousand = errors.ends([1.0], [0.01], 0.8), errors.ends([1000.0], [0.01], 0.8)
    np.testing.assert_allclose(np.array(thousand), 1000 * np.array(one))


def test_hardly_any_purchase_expected_still_has_an_upper_end():
    _, upper = ForecastErrors(days_ahead=7).ends(np.array([1e-6, 1.0, 1.0]), np.array([1e6, 1.0, 1 + 1e-9]), 0.95)
    assert upper[0] < 1
    assert upper[1] == pytest.approx(upper[2])


@pytest.mark.parametrize("level", [0, 1, 80])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match="level"):
        record([0.1]).inside(level)


def test_a_record_has_one_number_for_each_origin():
    with pytest.raises(ValueError, match="one number for each origin"):
        replace(record([0.1, 0.2]), seasons=(0.0,))
    with pytest.raises(ValueError, match="oldest first"):
        replace(record([0.1, 0.2]), origins=(FIRST, FIRST))


@pytest.fixture(scope="module")
def past(customers):
    counts = record([0.1, -0.2, 0.15], variances=[0.002] * 3, coming_season=0.1)
    return PastErrors(horizon=26, time_unit="W", as_of=date(1997, 9, 30), days_learnt=272, counts=counts)


def test_without_past_errors_the_columns_are_those_of_parameters_and_chance(fits, customers, past):
    plain = rm.predict_total(fits["BG/NBD"], customers, 26)
    assert list(plain) == ["expected", "expected_lower", "expected_upper", "purchases_lower", "purchases_upper"]
    planned = rm.predict_total(fits["BG/NBD"], customers, 26, past_errors=past)
    assert planned[list(plain)].equals(plain)
    assert list(planned)[len(plain.columns) :] == PLANNING
    assert (planned["planning_lower_80"] > planned["planning_lower_95"]).all()


def test_segments_add_up_and_none_is_surer_than_the_total(fits, customers, past):
    total = rm.predict_total(fits["BG/NBD"], customers, 26, past_errors=past).iloc[0]
    often = customers["frequency"].clip(upper=3)
    parts = rm.predict_total(fits["BG/NBD"], customers, 26, by=often, past_errors=past)
    assert parts["expected"].sum() == pytest.approx(total["expected"])
    assert parts["planning"].sum() == pytest.approx(total["planning"])
    assert total["planning"] == pytest.approx(total["expected"] * np.exp(0.1))
    least = 2 * 1.4758840 * np.sqrt(past.counts.model_variance)
    assert (np.log(parts["planning_upper_80"] / parts["planning_lower_80"]) > least).all()


def test_past_errors_of_another_forecast_are_refused(fits, customers, past):
    with pytest.raises(ValueError, match="over 26 weeks, and this one is over 13 weeks"):
        rm.predict_total(fits["BG/NBD"], customers, 13, past_errors=past)
    with pytest.raises(ValueError, match="until 1997-08-31, and the customers are observed until 1997-09-30"):
        rm.predict_total(fits["BG/NBD"], customers, 26, past_errors=replace(past, as_of=date(1997, 8, 31)))
    with pytest.raises(TypeError, match="past_errors must be the result of"):
        rm.predict_total(fits["BG/NBD"], customers, 26, past_errors=past.counts)


def test_a_season_is_seen_after_52_weeks(past):
    assert not past.has_seen_season
    assert replace(past, days_learnt=364).has_seen_season
