import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.logs.transactions.describe.cohorts import (
    cohort_labels,
    cohort_retention,
    daily_purchases,
    purchases_per_period,
    retention_by_age,
)

LOG = pd.DataFrame(
    {
        "customer_id": ["a", "a", "a", "b", "b", "c", "d"],
        "date": pd.to_datetime(
            ["2024-01-05", "2024-01-05", "2024-02-10", "2024-01-20", "2024-03-02", "2024-02-28", "2024-05-06"]
        ),
        "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    }
)
ENGINES = {
    "pandas": lambda: LOG,
    "polars": lambda: pl.DataFrame(LOG.to_dict("list")),
    "polars lazy": lambda: pl.DataFrame(LOG.to_dict("list")).lazy(),
    "duckdb": lambda: duckdb.connect().from_df(LOG),
    "read": lambda: rm.read_transactions(LOG),
}
TABLES = [
    daily_purchases,
    *(lambda log, p=p: purchases_per_period(log, period=p) for p in ("D", "W", "M", "Q", "Y")),
    *(lambda log, p=p: cohort_retention(log, period=p) for p in ("D", "W", "M", "Q")),
]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_tables(engine):
    for table in TABLES:
        pd.testing.assert_frame_equal(table(ENGINES[engine]()), table(LOG))


def test_purchases_of_a_customer_on_one_day_are_one():
    days = daily_purchases(LOG)
    assert days.loc["2024-01-05"].to_dict() == {"purchases": 1, "new_customers": 1, "amount": 3.0}
    assert days["purchases"].sum() == 6
    assert days["new_customers"].sum() == 4
    assert days["amount"].sum() == LOG["amount"].sum()


def test_customers_can_be_kept_by_the_day_they_were_first_seen():
    days = daily_purchases(rm.read_transactions(LOG).window(acquired_after="2024-01-20"), acquired_until="2024-02-28")
    assert days.index.strftime("%m-%d").tolist() == ["01-20", "02-28", "03-02"]


def test_a_log_without_amounts_is_counted():
    assert list(daily_purchases(rm.read_transactions(LOG, amount=None))) == ["purchases", "new_customers"]


def test_dates_without_a_purchase_are_an_error():
    with pytest.raises(
        ValueError, match="no purchase lies within these dates; the log runs from 2024-01-05 to 2024-05"
    ):
        daily_purchases(LOG, acquired_until="2024-01-04")


def test_quiet_periods_are_in_the_table_and_cut_ones_are_marked():
    months = purchases_per_period(LOG)
    assert months.index.tolist() == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    assert months["purchases"].tolist() == [2, 2, 1, 0, 1]
    assert months["repeat_purchases"].tolist() == [0, 1, 1, 0, 0]
    assert months["complete"].tolist() == [False, True, True, True, False]
    assert (months["purchases"] == months["new_customers"] + months["repeat_purchases"]).all()


def test_an_observation_that_runs_on_adds_quiet_periods():
    months = purchases_per_period(rm.read_transactions(LOG).window(observation_end="2024-07-31"))
    assert months.loc["2024-07", ["purchases", "complete"]].tolist() == [0, True]


def test_weeks_begin_on_monday():
    assert purchases_per_period(LOG, period="W").index[0] == "2024-01-01"
    assert cohort_retention(LOG, period="W")["cohort"].iloc[0] == "2024-01-01"


def test_retention_counts_each_customer_once_a_period():
    table = cohort_retention(LOG).set_index(["cohort", "age"])
    assert table.loc[("2024-01", 0), ["customers", "active", "share"]].tolist() == [2, 2, 1.0]
    assert table.loc["2024-01", "active"].tolist() == [2, 1, 1, 0]
    assert table.loc["2024-02", "active"].tolist() == [1, 0, 0]


def test_retention_leaves_away_a_period_that_the_log_cuts():
    assert cohort_retention(LOG)["cohort"].max() == "2024-02"
    assert "2024-05" in set(cohort_retention(rm.read_transactions(LOG).window(observation_end="2024-05-31"))["cohort"])


def test_retention_of_a_log_shorter_than_its_period_is_an_error():
    with pytest.raises(ValueError, match="the log ends before its first month does"):
        cohort_retention(rm.read_transactions(LOG).window(observation_end="2024-01-22"))


def test_an_unknown_period_is_an_error():
    with pytest.raises(ValueError, match="period must be one of 'D', 'W', 'M', 'Q', 'Y'"):
        cohort_retention(LOG, period="fortnight")


def test_retention_agrees_with_counting_by_hand_on_cdnow():
    log = rm.datasets.load_cdnow()
    table = cohort_retention(log, period="M").set_index(["cohort", "age"])["active"]
    month = log["date"].dt.to_period("M")
    first = month.groupby(log["customer_id"]).transform("min")
    counted = log.assign(cohort=first.astype(str), age=month.astype("int64") - first.astype("int64"))
    by_hand = counted.groupby(["cohort", "age"])["customer_id"].nunique()
    assert (table == by_hand.reindex(table.index, fill_value=0)).all()
    assert by_hand.sum() == table.sum()


def test_daily_purchases_of_cdnow_add_up_to_the_published_counts():
    days = daily_purchases(rm.datasets.load_cdnow())
    assert days.loc[:"1997-09-30", "purchases"].sum() == 4814
    assert days["new_customers"].sum() == 2357
    assert days.loc["1997-10-01":, "purchases"].sum() == 1882
    assert np.isclose(days.loc[:"1997-09-30", "amount"].sum(), 173115.55)
    assert np.isclose(days.loc["1997-10-01":, "amount"].sum(), 70976.39)


def test_customers_seen_before_are_left_out_of_every_table():
    known = LOG[LOG["customer_id"] != "a"]
    for table in (purchases_per_period, cohort_retention):
        pd.testing.assert_frame_equal(
            table(rm.read_transactions(LOG).window(acquired_after="2024-01-06")), table(known)
        )


def test_retention_by_age_adds_the_cohorts_that_reached_it():
    by_age = retention_by_age(cohort_retention(LOG))
    assert by_age["cohorts"].tolist() == [2, 2, 2, 1]
    assert by_age["customers"].tolist() == [3, 3, 3, 2]
    assert by_age["share"].tolist() == [1.0, 1 / 3, 1 / 3, 0.0]


def test_cohort_labels_are_those_of_the_retention_table():
    labels = cohort_labels(rm.summarize(LOG), "M")
    assert labels.to_dict() == {"a": "2024-01", "b": "2024-01", "c": "2024-02", "d": "2024-05"}
    fitted = rm.summarize(rm.datasets.load_cdnow())
    assert set(rm.fit(rm.BGNBD, fitted, by=cohort_labels(fitted, "Q")).groups) == {"1997Q1"}
