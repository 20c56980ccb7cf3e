"""Which dates and units a summary accepts, and what it says of the others."""

import datetime as dt

import pandas as pd
import pytest

import retention_models as rm
from retention_models.logs.transactions.describe.cohorts import cohort_retention, daily_purchases, purchases_per_period
from retention_models.logs.transactions.describe.rfm import rfm_segments
from retention_models.logs.transactions.describe.rhythm import (
    purchase_gaps,
    season,
    suitable_period,
    time_to_second_purchase,
)
from retention_models.logs.transactions.summary import summarize
from retention_models.narrative.business import business_traits

LOG = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 3],
        "date": ["2024-01-01 10:00", "2024-01-22 18:45", "2024-01-08", "2024-02-05"],
        "amount": [10.0, 20.0, 5.0, 8.0],
    }
)


def ages(**keywords):
    return summarize(LOG, **keywords)["T"].tolist()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"observation_end": "2023-12-31"}, "observation_end 2023-12-31 lies before the first purchase, 2024-01-01"),
        ({"calibration_end": "2023-12-31"}, "calibration_end 2023-12-31 lies before the first purchase, 2024-01-01"),
        (
            {"calibration_end": "2024-02-06"},
            "calibration_end 2024-02-06 lies after the last purchase, 2024-02-05; pass",
        ),
        (
            {"calibration_end": "2024-01-31", "observation_end": "2024-01-30"},
            "observation_end 2024-01-30 lies before calibration_end, 2024-01-31",
        ),
        ({"acquired_after": "2024-02-06"}, "acquired_after 2024-02-06 lies after the last day observed, 2024-02-05"),
        (
            {"calibration_end": "2024-01-07", "acquired_after": "2024-01-02"},
            "no customer is left: 1 customer first seen before acquired_after, 2 customers first seen after cal",
        ),
        ({"calibration_end": "January"}, "calibration_end must be a day such as '1997-09-30', not 'January'"),
        ({"observation_end": "2024-01-31 12:00"}, "observation_end must be a day such as .* not '2024-01-31 12:00'"),
        ({"acquired_after": 20240101}, "acquired_after must be a day such as '1997-09-30', not 20240101"),
        ({"calibration_end": pd.NaT}, "calibration_end must be a day such as '1997-09-30', not NaT"),
        ({"granularity": "M"}, "granularity must be one of 'W', 'D', 'h', 'min', 's', not 'M'"),
        (
            {"granularity": "W", "calibration_end": "2024-01-31"},
            "calibration_end 2024-01-31 is within a week; with granularity 'W' it must be a Sunday",
        ),
        (
            {"granularity": "W", "acquired_after": "2024-01-02"},
            "acquired_after 2024-01-02 is within a week; with granularity 'W' it must be a Monday",
        ),
    ],
)
def test_impossible_dates_are_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        summarize(LOG, **keywords)


@pytest.mark.parametrize("time_unit", ["M", "Y", "1M", "month", "", "-1D", "0h", 7, None, pd.NaT])
def test_a_time_unit_needs_a_fixed_length(time_unit):
    with pytest.raises(
        ValueError, match="time_unit must be one of 'W', 'D', 'h', 'min', 's' or a fixed length such as"
    ):
        summarize(LOG, time_unit=time_unit)


@pytest.mark.parametrize(
    "end", ["2024-03-01", dt.date(2024, 3, 1), dt.datetime(2024, 3, 1), pd.Timestamp("2024-03-01")], ids=type
)
def test_a_day_can_be_text_or_a_date_and_lie_after_the_last_purchase(end):
    assert ages(observation_end=end, time_unit="D") == [60, 53, 25]


@pytest.mark.parametrize(
    ("time_unit", "expected"),
    [
        ("D", [35, 28, 0]),
        ("W", [5, 4, 0]),
        ("h", [840, 672, 0]),
        ("min", [50_400, 40_320, 0]),
        ("14D", [2.5, 2, 0]),
        (dt.timedelta(days=7), [5, 4, 0]),
    ],
)
def test_time_is_measured_in_any_fixed_unit(time_unit, expected):
    assert ages(time_unit=time_unit) == expected


@pytest.mark.parametrize(
    ("granularity", "hours"), [("D", 35 * 24), ("W", 35 * 24), ("h", 35 * 24 + 13), ("min", 35 * 24 + 13 + 59 / 60)]
)
def test_times_run_between_beginnings_of_periods_up_to_the_last_one_that_calibration_holds(granularity, hours):
    """The first customer bought at 10:00 on a Monday five weeks before the end, which is a Monday, too."""
    assert ages(granularity=granularity, time_unit="h")[0] == pytest.approx(hours, rel=1e-15)


def test_a_weekly_calibration_may_end_on_any_day_if_nothing_is_held_out():
    assert ages(granularity="W", observation_end="2024-02-07") == [5, 4, 0]


READERS = [
    business_traits,
    season,
    cohort_retention,
    daily_purchases,
    purchase_gaps,
    purchases_per_period,
    rfm_segments,
    suitable_period,
    summarize,
    time_to_second_purchase,
]


@pytest.mark.parametrize("read", READERS)
def test_every_reader_takes_the_window_of_the_log(read):
    """As if the rows outside had never been."""
    log = rm.datasets.load_cdnow()
    early = log[log["date"] <= "1998-01-31"]
    inside = early[early.groupby("customer_id")["date"].transform("min") >= "1997-02-01"]
    days = {"observation_end": "1998-01-31"}
    expected = read(rm.read_transactions(early).window(**days))
    found = read(rm.read_transactions(log).window(**days))
    assert_same(found, expected)
    if read not in (suitable_period, purchase_gaps, business_traits):  # which count gaps of all customers
        late = rm.read_transactions(log).window(acquired_after="1997-02-01", **days)
        assert_same(read(late), read(rm.read_transactions(inside).window(**days)))


def assert_same(found, expected):
    if isinstance(expected, str):
        assert found == expected
    else:
        pd.testing.assert_frame_equal(found, expected)


def test_keywords_of_a_summary_are_those_of_the_window():
    log = rm.read_transactions(rm.datasets.load_cdnow())
    days = {"calibration_end": "1997-09-30", "observation_end": "1998-03-31", "acquired_after": "1997-01-15"}
    pd.testing.assert_frame_equal(summarize(log.window(**days)), summarize(log, **days))
    whole = log.window(**days)
    assert "Window: acquired_after 1997-01-15, calibration_end 1997-09-30" in repr(whole)
    assert whole.window(observation_end="1998-05-31").calibration_end == dt.date(1997, 9, 30), "the others stay"
    pd.testing.assert_frame_equal(
        summarize(whole, calibration_end="1997-06-30"), summarize(log, **days | {"calibration_end": "1997-06-30"})
    )


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ({"observation_end": "05/06/2024"}, "observation_end must be a day such as '1997-09-30', not '05/06/2024'"),
        ({"observation_end": "foo"}, "observation_end must be a day such as '1997-09-30', not 'foo'"),
        ({"observation_end": "1990-01-01"}, "observation_end 1990-01-01 lies before the first purchase, 2024-01-01"),
        ({"calibration_end": "1990-01-01"}, "calibration_end 1990-01-01 lies before the first purchase, 2024-01-01"),
        (
            {"calibration_end": "2024-02-03", "observation_end": "2024-02-01"},
            "observation_end 2024-02-01 lies before calibration_end, 2024-02-03",
        ),
        (
            {"acquired_after": "2025-01-01"},
            "acquired_after 2025-01-01 lies after the last day observed, 2024-02-05: no customer would be left",
        ),
        ({"acquired_after": "1/2/2024"}, "acquired_after must be a day such as '1997-09-30', not '1/2/2024'"),
    ],
)
def test_days_that_contradict_each_other_or_the_log_are_no_window(days, message):
    with pytest.raises(ValueError, match=message):
        rm.read_transactions(LOG).window(**days)


def test_opportunities_refuse_a_window_that_they_would_not_keep():
    log = rm.read_transactions(rm.datasets.load_cdnow()).window(acquired_after="1997-02-01")
    with pytest.raises(ValueError, match="the log has acquired_after 1997-02-01: pass the log without it"):
        rm.logs.opportunities(log, period="M")


def test_a_log_of_one_day_has_watched_nobody():
    with pytest.raises(ValueError, match="all customers were first seen on the last day, 2024-01-01"):
        time_to_second_purchase(LOG.assign(date="2024-01-01"))
    with pytest.raises(ValueError, match=r"first seen on the last day|nobody bought a second time"):
        business_traits(LOG.assign(date="2024-01-01"))
