import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation import season_left, tracking, tracking_error

CUT = "1997-09-30"


@pytest.fixture(scope="module")
def weekly(fits, log):
    return tracking(fits, log, calibration_end=CUT)


def test_weeks_20_to_25_are_the_published_ones(weekly, published):
    expected = published["tracking"]
    weeks = weekly.loc[expected["weeks"]]
    assert weeks["actual"].tolist() == expected["actual"]
    # the published figures were made with parameters a little short of the maximum, Pareto/NBD's more so
    assert np.allclose(weeks["Pareto/NBD"], expected["Pareto/NBD"], rtol=6e-5)
    assert np.allclose(weeks["BG/NBD"], expected["BG/NBD"], rtol=4e-6)


def test_the_log_of_cdnow_is_78_whole_weeks_half_of_them_holdout(weekly):
    assert weekly.index.tolist() == list(range(1, 79))
    assert weekly["complete"].all()
    assert weekly["holdout"].sum() == 39
    assert weekly["start"].iloc[0] == pd.Timestamp("1997-01-01")
    assert weekly["end"].iloc[-1] == pd.Timestamp("1998-07-01")
    assert weekly.attrs == {"period": "week"}


def test_actual_adds_up_to_all_repeat_purchases(weekly):
    assert weekly.loc[~weekly["holdout"], "actual"].sum() == 2457
    assert weekly.loc[weekly["holdout"], "actual"].sum() == 1882
    assert weekly["actual_cumulative"].iloc[-1] == 2457 + 1882
    assert np.allclose(weekly["Pareto/NBD"].cumsum(), weekly["Pareto/NBD_cumulative"])


def test_expected_is_the_sum_over_customers(weekly, pareto, customers):
    first = customers["first_purchase"]
    ages = [(weekly.loc[30, edge] - first).dt.days.to_numpy() / 7 for edge in ("start", "end")]
    before, after = (pareto.model.expected_purchases_new(age).sum() for age in ages)
    assert np.isclose(weekly.loc[30, "Pareto/NBD"], after - before)


def test_periods_begin_at_the_cut_off_and_cut_ones_are_kept_and_marked(pareto, log):
    frame = tracking(pareto, log, calibration_end="1997-09-15", observation_end="1998-06-20")
    assert pd.Timestamp("1997-09-16") in set(frame["start"])
    assert frame["complete"].tolist() == [False] + [True] * (len(frame) - 2) + [False]
    assert frame["actual"].sum() == tracking(pareto, log, calibration_end="1997-06-30",
                                             observation_end="1998-06-20")["actual"].sum()  # fmt: skip


def test_cumulative_totals_do_not_depend_on_the_period(pareto, log):
    totals = [
        tracking(pareto, log, calibration_end=CUT, period=period)[["actual_cumulative", "ParetoNBD_cumulative"]].iloc[
            -1
        ]
        for period in ("D", "W", "28D")
    ]
    assert np.allclose(totals[0], totals[1])
    assert np.allclose(totals[0], totals[2])


def test_days_and_weeks_as_unit_give_the_same(log, pareto):
    daily = rm.fit(rm.ParetoNBD, rm.summarize(log, calibration_end=CUT, time_unit="D"))
    frame = tracking(daily, log, calibration_end=CUT, period="W")
    assert np.allclose(frame["ParetoNBD"], tracking(pareto, log, calibration_end=CUT)["ParetoNBD"], rtol=1e-6)


def test_the_time_unit_is_that_of_the_fit_and_no_other(log, pareto):
    daily = rm.fit(rm.ParetoNBD, rm.summarize(log, calibration_end=CUT, time_unit="D"))
    with pytest.raises(ValueError, match="was fitted with time_unit 'D', the log is to be read with 'W'"):
        tracking(daily, log, calibration_end=CUT, time_unit="W")
    with pytest.raises(ValueError, match="weeks was fitted with time_unit 'W', days was fitted with 'D'"):
        tracking({"weeks": pareto, "days": daily}, log, calibration_end=CUT)
    with pytest.raises(ValueError, match="was fitted with granularity 'D', the log is to be read with 'W'"):
        tracking(pareto, log, calibration_end="1997-09-28", granularity="W")
    again = tracking(pareto, log, calibration_end=CUT, time_unit="7D")
    pd.testing.assert_frame_equal(again, tracking(pareto, log, calibration_end=CUT))


def test_a_model_of_spend_has_no_purchases_to_follow(log, customers):
    with pytest.raises(ValueError, match="GammaGamma does not predict purchases; fit ParetoNBD or BGNBD, for example"):
        tracking(rm.fit(rm.GammaGamma, customers), log, calibration_end=CUT)


def test_later_customers_are_left_out_as_in_the_summary(log, pareto):
    frame = tracking(pareto, log, calibration_end="1997-02-15", acquired_after="1997-01-10")
    customers = rm.summarize(log, calibration_end="1997-02-15", acquired_after="1997-01-10")
    assert frame["actual"].sum() == customers[["frequency", "holdout_frequency"]].to_numpy().sum()


def test_without_a_cut_off_nothing_is_holdout(pareto, log):
    frame = tracking(pareto, log)
    assert not frame["holdout"].any()
    assert tracking_error(frame).index.tolist() == [("ParetoNBD", "calibration")]


def test_tracking_error_compares_totals_and_periods(weekly):
    table = tracking_error(weekly)
    holdout = weekly[weekly["holdout"]]
    row = table.loc[("Pareto/NBD", "holdout")]
    assert row["actual"] == 1882
    assert np.isclose(row["error"], 1882 / holdout["Pareto/NBD"].sum() - 1)
    off = (holdout["actual"] - holdout["Pareto/NBD"]).abs().sum() / holdout["Pareto/NBD"].sum()
    assert np.isclose(row["period_error"], off)


def test_season_left_is_actual_over_expected_by_month(weekly):
    table = season_left(weekly)
    assert table.index.tolist()[:2] == ["January", "February"]
    assert table["periods"].sum() == 78
    assert table["actual"].sum() == weekly["actual"].sum()
    assert table.loc["July", "years"] == 1
    july = weekly[(weekly["start"] + pd.Timedelta(84, "h")).dt.month == 7]
    assert np.isclose(table.loc["July", "BG/NBD"], july["actual"].sum() / july["BG/NBD"].sum() - 1)
