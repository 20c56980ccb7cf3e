"""Errors of earlier forecasts: where they are made, that nothing later is known, and the season term."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation.by_period import expected_until
from retention_models.evaluation.origins import origins_before
from retention_models.evaluation.season_term import season_term
from retention_models.narrative.planning import past_error_text
from retention_models.value.purchases import totals_with_variance

START = date(2024, 1, 1)


def weeks(origins):
    return [(day - START).days / 7 for day in origins]


def test_origins_lie_half_a_horizon_apart_and_each_has_learnt_enough():
    end = START + timedelta(104 * 7)
    assert weeks(origins_before(START, end, 26 * 7)) == [26, 39, 52, 65, 78]
    assert weeks(origins_before(START, end, 13 * 7)) == [42, 49, 56, 63, 70, 77, 84, 91]  # the latest 8
    assert weeks(origins_before(START, START + timedelta(51 * 7), 26 * 7)) == [25]  # 12.75 weeks are needed
    assert origins_before(START, START + timedelta(40 * 7), 39 * 7) == []
    assert [(day - START).days for day in origins_before(START, START + timedelta(20), 5)] == [6, 9, 12, 15]


@pytest.fixture(scope="module")
def past(log):
    return rm.evaluation.past_errors(log, rm.BGNBD, horizon=26)


def test_an_error_is_that_of_a_forecast_made_on_that_day(log, past):
    day = past.counts.origins[1]
    customers = rm.summarize(log.window(observation_end=day))
    fitted, spend = rm.fit(rm.BGNBD, customers), rm.fit(rm.GammaGamma, customers)
    then = rm.summarize(log, calibration_end=day, observation_end=day + timedelta(182))
    purchases, variance, amount, of_amount = totals_with_variance(fitted, customers, 26, spend).iloc[0]
    off = np.log((then["holdout_frequency"].sum() + 0.5) / (purchases + 0.5))
    half = 0.5 * amount / purchases
    assert past.counts.log_ratios[1] == pytest.approx(off, rel=1e-4)
    assert past.counts.variances[1] == pytest.approx(variance, rel=1e-3)
    assert past.value.log_ratios[1] == pytest.approx(np.log((then["holdout_amount"].sum() + half) / (amount + half)))
    assert past.value.variances[1] == pytest.approx(of_amount, rel=1e-3)


def test_the_record_says_what_it_knows(past):
    assert (past.as_of, past.days_learnt, past.horizon, past.time_unit) == (date(1998, 6, 30), 545, 26, "W")
    assert past.has_seen_season
    assert past.counts.n_effective == 2
    assert past.counts.shorter is None
    assert list(past.counts.table.columns) == ["days_learnt", "error", "season", "variance"]
    assert len(past.counts.inside(0.8)) == len(past.counts.origins) == 3


def test_days_and_weeks_give_the_same_record(log, past):
    days = rm.evaluation.past_errors(log, rm.BGNBD, horizon=182, time_unit="D")
    assert days.counts.origins == past.counts.origins
    for mine, others in ((days.counts, past.counts), (days.value, past.value)):
        np.testing.assert_allclose(mine.log_ratios, others.log_ratios, rtol=1e-4)
        np.testing.assert_allclose(mine.seasons, others.seasons, rtol=1e-4)
        assert mine.model_variance == pytest.approx(others.model_variance, rel=1e-4)
    by_day, by_week = rm.summarize(log, time_unit="D"), rm.summarize(log)
    of_days = rm.predict_total(rm.fit(rm.BGNBD, by_day), by_day, 182, past_errors=days)
    of_weeks = rm.predict_total(rm.fit(rm.BGNBD, by_week), by_week, 26, past_errors=past)
    np.testing.assert_allclose(of_days, of_weeks, rtol=2e-3)


def test_a_long_horizon_borrows_from_the_longest_with_two_forecasts(log):
    long = rm.evaluation.past_errors(log, rm.BGNBD, horizon=52)
    assert long.counts.n_effective < 2
    assert long.counts.shorter.days_ahead == long.value.shorter.days_ahead == 26 * 7


def test_a_log_without_amounts_has_no_errors_of_value(log):
    counts_only = rm.read_transactions(log.frame[["customer_id", "date"]], amount=None)
    assert rm.evaluation.past_errors(counts_only, rm.BGNBD, horizon=39).value is None


def test_a_horizon_as_long_as_the_log_rests_on_shorter_ones(log):
    beyond = rm.evaluation.past_errors(log, rm.BGNBD, horizon=104)
    assert beyond.counts.origins == ()
    assert beyond.counts.shorter.days_ahead == 26 * 7
    assert beyond.counts.stated_share < 1


def test_weeks_are_not_cut_where_purchases_count_by_week(log):
    by_week = rm.evaluation.past_errors(log, rm.BGNBD, horizon=26, granularity="W")
    assert {day.strftime("%A") for day in by_week.counts.origins} == {"Sunday"}
    assert by_week.as_of == date(1998, 6, 30)


def test_an_origin_with_hardly_a_repeat_buyer_is_left_out(log):
    few = rm.read_transactions(log.frame[log.frame["customer_id"] <= 20])
    all_of_them = rm.evaluation.past_errors(log, rm.BGNBD, horizon=13).counts
    assert len(rm.evaluation.past_errors(few, rm.BGNBD, horizon=13).counts.origins) < len(all_of_them.origins)


def test_opportunities_and_horizons_below_a_day_are_refused(log):
    with pytest.raises(ValueError, match="BGBB counts opportunities"):
        rm.evaluation.past_errors(log, rm.BGBB, horizon=4)
    with pytest.raises(ValueError, match="at least a day"):
        rm.evaluation.past_errors(log, rm.BGNBD, horizon=12, time_unit="h")


@pytest.fixture(scope="module")
def seasonal(fits):
    """Purchases per day of 20,000 customers of one day, as expected but for 8 weeks with half more."""
    fitted = fits["BG/NBD"]
    days = pd.date_range(START, periods=60 * 7, freq="D")
    new = pd.Series(0, days, name="new_customers")
    new.iloc[0] = 20_000
    expected = np.diff(expected_until(fitted, days.append(days[-1:] + pd.Timedelta("1D")), new, pd.Timedelta("7D")))
    extra = np.where((np.arange(len(days)) >= 8 * 7) & (np.arange(len(days)) < 16 * 7), 1.5, 1.0)
    return fitted, pd.DataFrame({"purchases": expected * extra + new, "new_customers": new})


def season_of(seasonal, days_ahead, day=START + timedelta(60 * 7 - 1)):
    fitted, bought = seasonal
    return season_term(fitted, bought, day, days_ahead, pd.Timedelta("7D"))


def test_the_season_of_last_year_is_damped(seasonal):
    ratio = np.log(1.5)
    variance = 2 * ratio**2 / 15  # two of 15 windows of 4 weeks, and chance next to nothing
    assert season_of(seasonal, 56) == pytest.approx(ratio * variance / (variance + 0.04), rel=0.02)
    assert season_of(seasonal, 28) == pytest.approx(season_of(seasonal, 56), rel=0.02)


def test_a_season_needs_a_year_and_purchases(seasonal):
    fitted, bought = seasonal
    assert season_of(seasonal, 56, START + timedelta(52 * 7 - 1)) == 0
    assert season_of(seasonal, 365) == 0
    few = bought.assign(new_customers=bought["new_customers"] / 1000, purchases=bought["purchases"] / 1000)
    assert season_of((fitted, few), 56) == 0
    many = bought.assign(purchases=np.where(np.arange(len(bought)) < 56, bought["purchases"], 50 * bought["purchases"]))
    assert season_of((fitted, many), 56) == 1  # at most


@pytest.mark.slow
def test_the_full_cdnow_log_at_week_51():
    log = rm.read_transactions(rm.datasets.load_cdnow(full=True))
    known = log.window(observation_end=log.first_date + timedelta(51 * 7))
    past, customers = rm.evaluation.past_errors(known, rm.MBGNBD, horizon=26), rm.summarize(known)
    total = rm.predict_total(rm.fit(rm.MBGNBD, customers), customers, 26, past_errors=past).iloc[0]
    assert total["planning"] == pytest.approx(11_828, abs=1)
    assert past.counts.log_ratios == (pytest.approx(0.154, abs=0.001),)
    assert past.counts.shorter.days_ahead == 13 * 7
    assert total["planning_lower_80"] == pytest.approx(9_591, rel=0.002)
    assert total["planning_upper_80"] == pytest.approx(14_588, rel=0.002)


# Segments with errors of their own.


def rfm(log):
    return rm.logs.rfm_segments(log)["segment"]


@pytest.fixture(scope="module")
def by_rfm(log):
    return rm.evaluation.past_errors(log, rm.BGNBD, horizon=26, by=rfm)


def test_errors_of_a_segment_are_those_of_its_customers_on_that_day(log, by_rfm):
    day = by_rfm.counts.origins[1]
    known = log.window(observation_end=day)
    customers = rm.summarize(known)
    labels = rfm(known).reindex(customers.index)
    fitted, spend = rm.fit(rm.BGNBD, customers), rm.fit(rm.GammaGamma, customers)
    then = rm.summarize(log, calibration_end=day, observation_end=day + timedelta(182))
    for label in ("champion", "hibernating"):
        own, place = by_rfm.segments[label], by_rfm.segments[label].counts.origins.index(day)
        inside = labels == label
        purchases = rm.predict_total(fitted, customers[inside], 26)["expected"].iloc[0]
        off = np.log((then.loc[inside, "holdout_frequency"].sum() + 0.5) / (purchases + 0.5))
        assert own.counts.log_ratios[place] == pytest.approx(off, rel=1e-4)
        terms = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0, margin=1.0)
        amount = rm.total_value(fitted, customers[inside], terms, spend=spend)["value"].iloc[0]
        half = 0.5 * amount / purchases
        off = np.log((then.loc[inside, "holdout_amount"].sum() + half) / (amount + half))
        assert own.value.log_ratios[place] == pytest.approx(off, rel=1e-4)


def test_the_total_is_the_same_with_segments_and_without(past, by_rfm):
    assert by_rfm.counts == past.counts
    assert by_rfm.value == past.value


def test_segments_add_up_and_each_has_at_least_the_model_error_of_the_total(log, by_rfm):
    customers = rm.summarize(log)
    fit, labels = rm.fit(rm.BGNBD, customers), rfm(log).reindex(customers.index)
    parts = rm.predict_total(fit, customers, 26, by=labels, past_errors=by_rfm)
    total = rm.predict_total(fit, customers, 26, past_errors=by_rfm)
    assert parts["planning"].sum() == pytest.approx(total["planning"].iloc[0])
    for own in by_rfm.segments.values():
        assert own.counts.model_variance >= by_rfm.counts.model_variance
        assert own.counts.season == by_rfm.counts.season
        assert own.value.model_variance >= by_rfm.value.model_variance
    assert max(own.counts.model_variance for own in by_rfm.segments.values()) > by_rfm.counts.model_variance
    width = np.log(parts["planning_upper_80"] / parts["planning_lower_80"])
    assert (width > np.log(total["planning_upper_80"] / total["planning_lower_80"]).iloc[0]).all()


def test_a_segment_without_errors_of_its_own_has_those_of_the_total(log, by_rfm):
    customers = rm.summarize(log)
    fit = rm.fit(rm.BGNBD, customers)
    unknown, plain = (
        rm.predict_total(fit, customers, 26, by=["all of them"] * len(customers), past_errors=by_rfm),
        rm.predict_total(fit, customers, 26, past_errors=by_rfm),
    )
    assert unknown.iloc[0].tolist() == pytest.approx(plain.iloc[0].tolist())


def test_what_does_not_change_can_be_given_as_a_series(log):
    customers = rm.summarize(log)
    labels = rm.logs.cohort_labels(customers)
    errors = rm.evaluation.backtest(log, rm.BGNBD, rm.Terms(horizon=26, time_unit="W"), by=labels).past_errors
    assert set(errors.segments) == set(labels)
    with pytest.raises(ValueError, match="by has no label for"):
        rm.evaluation.past_errors(log, rm.BGNBD, horizon=26, by=labels.head(5))


def test_longer_horizons_borrow_the_errors(by_rfm):
    longer = by_rfm.with_horizon(52)
    assert (longer.horizon, longer.counts.days_ahead, longer.segments) == (52, 364, {})
    assert longer.counts.borrowed == (2 * by_rfm.counts.excess, 2.0)
    assert by_rfm.with_horizon(26) is by_rfm


def test_values_of_segments_and_horizons_have_planning_ranges(log, by_rfm):
    customers = rm.summarize(log)
    fit, spend = rm.fit(rm.BGNBD, customers), rm.fit(rm.GammaGamma, customers)
    terms = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.1, margin=0.3)
    labels, known = rfm(log).reindex(customers.index), {"spend": spend, "past_errors": by_rfm}
    held = rm.value.value_by_segment(fit, customers, terms, labels, **known)
    total = rm.total_value(fit, customers, terms, **known).iloc[0]
    assert held["planning"].sum() == pytest.approx(total["planning"])
    ahead = rm.value.value_by_horizon(fit, customers, terms, horizons=(26, 52), **known)
    assert ahead.loc["26 weeks", "planning_lower_80"] == pytest.approx(total["planning_lower_80"])
    assert ahead["range_rests_on"].tolist() == ["earlier forecasts", "shorter ones", "nothing: no forecast tests it"]
    width = np.log(ahead["planning_upper_80"] / ahead["planning_lower_80"])
    assert width["52 weeks"] > width["26 weeks"]
    assert ahead.filter(like="planning").isna().any(axis=1).tolist() == [False, False, True]
    shown = rm.narrative.display_columns(ahead)
    assert shown["80 % range"].tolist()[2] == "no forecast tests it"
    assert shown["value"].notna().all()
    with pytest.raises(ValueError, match="past_errors are those of forecasts over 26 weeks, and this one is over 13"):
        rm.value.value_by_horizon(fit, customers, terms, horizons=(13, 26), **known)


def test_a_latest_forecast_outside_its_range_is_a_break():
    days = tuple(date(2022, month, 1) for month in (1, 5, 9))
    known = {"days_ahead": 91, "origins": days, "seasons": (0.0,) * 3, "variances": (0.001,) * 3}
    steady, broken = (
        rm.forecast.ForecastErrors(**known, days_learnt=(400, 520, 640), log_ratios=(0.02, -0.03, last))
        for last in (0.04, -0.9)
    )
    assert not steady.was_broken
    assert broken.was_broken
    about = {"horizon": 13, "time_unit": "W", "as_of": date(2023, 1, 1), "days_learnt": 760}
    text = past_error_text(rm.forecast.PastErrors(**about, counts=broken), broken)
    assert "The latest forecast, of 2022-09-01, was 146 % too high and lay outside its 95 % range" in text
    assert "lay outside" not in past_error_text(rm.forecast.PastErrors(**about, counts=steady), steady)
