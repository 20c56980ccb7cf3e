"""Which dates and units a summary accepts, and what it says of the others."""

import datetime as dt

import pandas as pd
import pytest

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
        ({"acquired_after": "2024-02-06"}, "acquired_after 2024-02-06 lies after the calibration, 2024-02-05"),
        (
            {"calibration_end": "2024-01-07", "acquired_after": "2024-01-02"},
            "no customer is left: 1 customers first seen before acquired_after, 2 customers first seen after cal",
        ),
        ({"calibration_end": "January"}, "calibration_end must be a day such as '1997-09-30', not 'January'"),
        ({"observation_end": "2024-01-31 12:00"}, "observation_end must be a day such as .* not '2024-01-31 12:00'"),
        ({"acquired_after": 20240101}, "acquired_after must be a day such as '1997-09-30', not 20240101"),
        ({"calibration_end": pd.NaT}, "calibration_end must be a day such as '1997-09-30', not NaT"),
        ({"granularity": "M"}, "granularity must be one of 'W', 'D', 'h', 'min', 's', not 'M'"),
        (
            {"granularity": "W", "calibration_end": "2024-01-31"},
            "calibration_end 2024-01-31 cuts a week in two; with granularity 'W' it must be a Sunday",
        ),
        (
            {"granularity": "W", "acquired_after": "2024-01-02"},
            "acquired_after 2024-01-02 cuts a week in two; with granularity 'W' it must be a Monday",
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
@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("05/06/2024", "observation_end must be a day such as '1997-09-30', not '05/06/2024'"),
        ("foo", "observation_end must be a day such as '1997-09-30', not 'foo'"),
        ("1990-01-01", "observation_end 1990-01-01 lies before the first purchase, 2024-01-01"),
    ],
)
def test_all_that_is_read_from_a_log_takes_the_same_days(read, day, message):
    with pytest.raises(ValueError, match=message):
        read(LOG, observation_end=day)


@pytest.mark.parametrize("read", [cohort_retention, daily_purchases, rfm_segments, time_to_second_purchase])
def test_customers_acquired_after_all_purchases_are_none(read):
    with pytest.raises(ValueError, match="acquired_after 2025-01-01 lies after the last day observed, 2024-02-05"):
        read(LOG, acquired_after="2025-01-01")
    with pytest.raises(ValueError, match="acquired_after must be a day such as '1997-09-30', not '1/2/2024'"):
        read(LOG, acquired_after="1/2/2024")


def test_a_log_of_one_day_has_watched_nobody():
    with pytest.raises(ValueError, match="all customers were first seen on the last day, 2024-01-01"):
        time_to_second_purchase(LOG.assign(date="2024-01-01"))
    with pytest.raises(ValueError, match=r"first seen on the last day|nobody bought a second time"):
        business_traits(LOG.assign(date="2024-01-01"))
