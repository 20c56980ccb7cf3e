import duckdb
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.logs.transactions.describe.rhythm import (
    days_until,
    purchase_gaps,
    second_purchase_window,
    suitable_period,
    time_to_second_purchase,
    well_watched,
)

LOG = pd.DataFrame(
    {
        "customer_id": [1, 1, 1, 2, 2, 3, 4],
        "date": pd.to_datetime(
            ["2024-01-01", "2024-01-04", "2024-01-04", "2024-01-02", "2024-01-09", "2024-01-03", "2024-01-08"]
        ),
        "amount": 1.0,
    }
)


def test_gaps_lie_between_purchases_on_different_days():
    gaps = purchase_gaps(LOG)
    assert gaps["gaps"].to_dict() == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: 1}
    assert gaps["share"].iloc[[2, 6]].tolist() == [0.5, 1.0]


def test_a_log_without_repeat_purchases_has_no_gaps():
    gaps = purchase_gaps(rm.read_transactions(LOG).window(observation_end="2024-01-03"))
    assert gaps.empty
    assert gaps.index.name == "days"
    assert list(gaps) == list(purchase_gaps(LOG)) == ["gaps", "share", "at_risk", "over", "over_lower", "over_upper"]


def test_silence_is_judged_by_gaps_with_open_ones():
    """Customer 1 buys on days 0, 3, 7 and is watched until day 20; customer 2 on days 0 and 5; customer 3 once."""
    days = {1: (0, 3, 7), 2: (0, 5), 3: (20,)}
    start = pd.Timestamp("2024-01-01")
    rows = [(who, start + pd.Timedelta(day, "D")) for who, when in days.items() for day in when]
    gaps = purchase_gaps(pd.DataFrame(rows, columns=["customer_id", "date"]).assign(amount=1.0))
    assert gaps["gaps"].loc[[3, 4, 5]].tolist() == [1, 1, 1]  # after any purchase, completed
    # after a repeat purchase: 4 days (ended), 13 and 15 days (open)
    assert gaps["at_risk"].tolist() == [3, 3, 3, 3, 2]
    assert gaps["over"].tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3])


def test_on_cdnow_completed_gaps_say_that_silence_ends_sooner_than_it_does():
    gaps = purchase_gaps(rm.datasets.load_cdnow(full=True))
    assert gaps.loc[200, "share"] == pytest.approx(0.90, abs=0.005)
    assert gaps.loc[200, "over"] == pytest.approx(0.75, abs=0.005)


def test_gaps_without_a_second_repeat_purchase_say_nothing_of_silence():
    rows = pd.DataFrame({"customer_id": [1, 1], "date": ["2024-01-01", "2024-01-04"], "amount": 1.0})
    gaps = purchase_gaps(rows)
    assert gaps.index.tolist() == [1, 2, 3]
    assert gaps.notna().all(axis=None)
    assert (gaps[["over", "over_lower", "over_upper"]] == [0.0, 0.0, 1.0]).all(axis=None)


@pytest.mark.parametrize("end", ["1998-06-30", "1998-03-31", "1997-12-31"])
def test_the_window_for_a_second_purchase_does_not_move_with_the_length_of_the_log(end):
    log = rm.read_transactions(rm.datasets.load_cdnow(full=True)).window(observation_end=end)
    assert second_purchase_window(time_to_second_purchase(log)) == 128


def test_the_window_begins_where_few_still_come():
    second = time_to_second_purchase(rm.datasets.load_cdnow())
    day = second_purchase_window(second)
    still = 1 - second["share"]

    def coming(d):
        return 1 - still[d + 91] / still[d]

    assert coming(day) < 0.1 <= coming(day - 1)
    assert all(coming(d) < 0.1 for d in range(day, 440))
    assert second_purchase_window(second, share=0.001) is None
    assert second_purchase_window(second, share=0.05) > day
    assert second_purchase_window(second, ahead_days=28) < day
    assert second_purchase_window(second, at_risk=10_000) is None
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        second_purchase_window(second, share=10)


def test_customers_who_were_watched_briefly_count_as_long_as_they_were():
    back = time_to_second_purchase(LOG)
    # watched: 1 until day 3 (back), 2 until day 7 (back), 3 for 6 days, 4 for 1 day
    assert back["at_risk"].tolist() == [4, 3, 3, 2, 2, 2, 1]
    assert back["came_back"].tolist() == [0, 0, 1, 0, 0, 0, 1]
    assert np.allclose(back["share"], [0, 0, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1])


def test_a_longer_observation_watches_longer():
    share = time_to_second_purchase(rm.read_transactions(LOG).window(observation_end="2024-02-29"))["share"]
    assert share.index[-1] == 57
    assert share.iloc[-1] == 0.5


def test_rhythm_is_the_same_on_duckdb():
    for table in (purchase_gaps, time_to_second_purchase, rm.logs.season):
        pd.testing.assert_frame_equal(table(duckdb.connect().from_df(LOG)), table(LOG))


def test_the_share_back_in_the_end_is_that_of_repeat_buyers_where_nobody_leaves_early():
    log = rm.datasets.load_cdnow()
    customers = rm.summarize(log)
    back = time_to_second_purchase(log)
    assert back["came_back"].sum() == (customers["frequency"] > 0).sum()
    assert back.loc[:400, "share"].is_monotonic_increasing


def test_gaps_of_cdnow_are_as_many_as_its_repeat_purchases():
    log = rm.datasets.load_cdnow()
    assert purchase_gaps(log)["gaps"].sum() == rm.summarize(log)["frequency"].sum()


def test_season_counts_every_day_once_in_the_order_of_the_calendar():
    season = rm.logs.season(LOG, by="weekday")
    assert season.index.tolist()[:3] == ["Monday", "Tuesday", "Wednesday"]
    assert season["days"].tolist() == [2, 2, 1, 1, 1, 1, 1]
    assert season.loc[["Tuesday", "Thursday"], "repeat_purchases"].tolist() == [1, 1]
    assert np.isclose((season["relative"] * season["days"]).sum(), season["days"].sum())
    months = rm.logs.season(rm.datasets.load_cdnow())
    assert months.index[0] == "January"
    assert months["days"].sum() == 546


def test_season_knows_months_and_weekdays():
    with pytest.raises(ValueError, match="by must be one of 'month', 'weekday'"):
        rm.logs.season(LOG, by="moon")


def buyer(every, days):
    dates = pd.date_range("2020-01-01", periods=days // every + 1, freq=f"{every}D")
    return pd.DataFrame({"customer_id": 1, "date": dates, "amount": 1.0})


@pytest.mark.parametrize(
    ("every", "days", "period"),
    [
        (1, 20, "D"),  # nothing longer is covered a dozen times
        (1, 200, "W"),
        (30, 700, "M"),
        (30, 1500, "Q"),
        (365, 1500, "Y"),  # four of them, because in a shorter period customers are mostly silent
        (5, 30, "W"),
        (300, 600, "Q"),
    ],
)
def test_the_period_suits_the_length_of_the_log_and_its_rhythm(every, days, period):
    assert suitable_period(buyer(every, days)) == period


def test_a_share_is_reached_on_the_first_day_it_is():
    share = pd.Series([0.1, 0.5, 0.5, 0.9], index=pd.RangeIndex(1, 5))
    assert [days_until(share, reached) for reached in (0.05, 0.5, 0.6)] == [1, 2, 4]


def test_customers_seen_before_do_not_count_as_new():
    late = LOG[~LOG["customer_id"].isin([1, 2])]
    pd.testing.assert_frame_equal(
        time_to_second_purchase(
            rm.read_transactions(LOG).window(acquired_after="2024-01-03", observation_end="2024-01-09")
        ),
        time_to_second_purchase(rm.read_transactions(late).window(observation_end="2024-01-09")),
    )
    with pytest.raises(ValueError, match="no customer was first seen within these dates"):
        time_to_second_purchase(rm.read_transactions(LOG).window(acquired_after="2024-01-09"))


def test_the_share_back_is_told_while_enough_are_still_waited_for():
    second = pd.DataFrame({"at_risk": [1000, 400, 30, 29], "share": [0.1, 0.2, 0.3, 1.0]}, index=[1, 2, 3, 4])
    assert well_watched(second)["share"].iloc[-1] == 0.3
    assert well_watched(second.assign(at_risk=[100, 40, 5, 4])).index[-1] == 3
