"""Summaries of real and of made-up logs: published numbers, the rules for dates, and that nothing is lost."""

import datetime as dt
import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.datasets import load_cdnow, load_donations
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.logs.transactions.summary import compress, histories, summarize

DAYS = ["2024-01-01", "2024-01-01", "2024-01-15", "2024-02-05", "2024-01-08", "2024-01-29"]
LOG = pd.DataFrame(
    {
        "customer_id": ["a", "a", "a", "a", "b", "c"],
        "date": pd.to_datetime(DAYS),
        "amount": [5.0, 5.0, 20.0, 40.0, 7.0, 9.0],
    }
)


@pytest.fixture(scope="module")
def cdnow():
    """From the raw log: the summary in the lifetimes package is rounded to two decimals."""
    return summarize(load_cdnow(), calibration_end="1997-09-30")


def test_cdnow_has_the_published_sums(cdnow):
    """Fader, Hardie and Lee (2005); 6,696 purchases in 6,919 rows, 39 weeks held out."""
    assert len(cdnow) == 2_357
    assert cdnow["frequency"].sum() == 2_457
    assert (cdnow["frequency"] == 0).sum() == 1_411
    assert cdnow["recency"].sum() == pytest.approx(16135.5714286, abs=5e-8)
    assert cdnow["T"].sum() == pytest.approx(77111.2857143, abs=5e-8)
    assert cdnow["holdout_frequency"].sum() == 1_882
    assert (cdnow["holdout_duration"] == 39.0).all()
    assert cdnow.attrs["transactions"] + cdnow["holdout_frequency"].sum() == 6_696


def test_cdnow_has_the_published_spend(cdnow):
    log = load_cdnow()
    assert log.loc[log["date"] <= "1997-09-30", "amount"].sum() == pytest.approx(173_115.55)
    assert cdnow["holdout_amount"].sum() == pytest.approx(70_976.39)


def test_the_first_customer_of_cdnow_is_exact(cdnow):
    assert cdnow.loc[1, ["frequency", "recency", "T"]].tolist() == [2, 213 / 7, 272 / 7]
    assert cdnow.loc[1, "monetary_value"] == pytest.approx((29.73 + 14.96) / 2)


def test_the_distinct_histories_of_cdnow_are_counted(cdnow):
    assert len(compress(cdnow)) == 1_016
    assert len(histories(load_cdnow(full=True), calibration_end="1997-09-30")) == 8_685


def test_the_attributes_of_a_summary_are_plain_and_complete(cdnow):
    assert json.loads(json.dumps(cdnow.attrs)) == cdnow.attrs
    assert {name: value for name, value in cdnow.attrs.items() if name != "checks"} == {
        "time_unit": "W",
        "granularity": "D",
        "first_date": "1997-01-01",
        "last_date": "1998-06-30",
        "calibration_end": "1997-09-30",
        "observation_end": "1998-06-30",
        "end_is_stated": True,
        "customers": 2_357,
        "transactions": 4_814,
        "set_aside": {},
    }


def test_a_summary_has_these_columns_in_these_types():
    summary = summarize(LOG, calibration_end="2024-01-29")
    assert summary.index.name == "customer_id"
    assert summary.dtypes.astype(str).to_dict() == {
        "frequency": "int64",
        "recency": "float64",
        "T": "float64",
        "log_gaps": "float64",
        "monetary_value": "float64",
        "first_purchase": "datetime64[us]",
        "holdout_frequency": "int64",
        "holdout_amount": "float64",
        "holdout_duration": "float64",
    }


def test_columns_about_money_or_a_holdout_need_money_or_a_holdout():
    assert list(summarize(LOG, amount=None)) == ["frequency", "recency", "T", "log_gaps", "first_purchase"]
    assert list(summarize(LOG, amount=None, calibration_end="2024-01-29")) == [
        *["frequency", "recency", "T", "log_gaps", "first_purchase"],
        *["holdout_frequency", "holdout_duration"],
    ]
    assert "holdout_frequency" not in summarize(LOG, calibration_end="2024-02-05")


def test_calibration_and_holdout_share_out_the_purchases():
    summary = summarize(LOG, calibration_end="2024-01-29")
    assert summary.loc["a"].drop("first_purchase").to_dict() == {
        "frequency": 1,
        "recency": 2.0,
        "T": 4.0,
        "log_gaps": round(np.log(2), 9),
        "monetary_value": 20.0,
        "holdout_frequency": 1,
        "holdout_amount": 40.0,
        "holdout_duration": 1.0,
    }
    assert summary.loc["c", ["frequency", "T", "monetary_value", "holdout_frequency"]].tolist() == [0, 0.0, 0.0, 0]


def test_the_ends_are_inclusive_to_the_last_second():
    evening = LOG.assign(date=LOG["date"] + pd.Timedelta("23:59:59"))
    columns = ["frequency", "recency", "T", "holdout_frequency"]
    dates = {"calibration_end": "2024-01-29", "observation_end": "2024-02-05"}
    pd.testing.assert_frame_equal(summarize(evening, **dates)[columns], summarize(LOG, **dates)[columns])


def test_rows_after_observation_end_are_set_aside_and_counted():
    summary = summarize(LOG, observation_end="2024-01-28")
    assert summary.index.tolist() == ["a", "b"]
    assert summary.attrs["set_aside"] == {"rows after observation_end": 2}
    assert summary.attrs["last_date"] == "2024-02-05"


def test_customers_first_seen_after_calibration_end_are_left_out_and_counted():
    summary = summarize(LOG, calibration_end="2024-01-14")
    assert summary.index.tolist() == ["a", "b"]
    assert summary.attrs["set_aside"] == {"customers first seen after calibration_end": 1}


def test_customers_first_seen_before_acquired_after_are_left_out_and_counted():
    summary = summarize(LOG, acquired_after="2024-01-08")
    assert summary.index.tolist() == ["b", "c"]
    assert summary.attrs["set_aside"] == {"customers first seen before acquired_after": 1}
    assert summary.attrs["customers"] == summary.attrs["transactions"] == 2


def test_observation_can_run_on_after_calibration_without_purchases():
    summary = summarize(LOG, calibration_end="2024-02-05", observation_end="2024-02-19")
    assert summary["holdout_frequency"].tolist() == [0, 0, 0]
    assert summary["holdout_duration"].tolist() == [2.0, 2.0, 2.0]


def test_one_row_makes_one_customer():
    summary = summarize(LOG[:1])
    assert summary[["frequency", "recency", "T", "monetary_value"]].to_numpy().tolist() == [[0, 0.0, 0.0, 0.0]]
    assert histories(LOG[:1])["weight"].tolist() == [1]


def test_every_row_and_customer_is_accounted_for(untidy):
    options = {"calibration_end": "2023-08-31", "observation_end": "2023-09-30", "acquired_after": "2023-01-08"}
    read = read_transactions(untidy, refunds="set_aside")
    summary = summarize(read, granularity="s", **options)
    set_aside = summary.attrs["set_aside"]
    rows = sum(count for reason, count in set_aside.items() if reason.startswith("rows"))
    customers = sum(count for reason, count in set_aside.items() if reason.startswith("customers"))
    assert rows + summarize(read, granularity="s", observation_end="2023-09-30").attrs["transactions"] == len(untidy)
    assert len(summary) + customers == read.frame.loc[read.frame["date"] < "2023-10-01", "customer_id"].nunique()


def test_a_summary_has_no_missing_value(untidy):
    assert summarize(untidy, calibration_end="2023-08-31").notna().all(axis=None)


def period_of(moment, granularity):
    """Beginning of the period that a moment lies in, by the calendar of the standard library."""
    if granularity == "h":
        return moment.replace(minute=0, second=0)
    day = dt.datetime(moment.year, moment.month, moment.day)
    return day - dt.timedelta(days=day.weekday()) if granularity == "W" else day


def loop_over_customers(log, granularity, cut, end):
    """Summary of a log by its definitions, with a week as the unit of time; ``cut`` and ``end`` are the last days."""
    bought = {}
    for customer, moment, amount in log[["customer_id", "date", "amount"]].itertuples(index=False):
        periods = bought.setdefault(customer, {})
        period = period_of(moment.to_pydatetime(), granularity)
        periods[period] = periods.get(period, 0.0) + amount
    week = dt.timedelta(days=7)
    last_period = period_of(dt.datetime.combine(cut, dt.time(23)), granularity)
    rows = {}
    for customer, periods in bought.items():
        before = sorted(period for period in periods if period.date() <= cut)
        after = [period for period in periods if period.date() > cut]
        if before:
            rows[customer] = {
                "frequency": len(before) - 1,
                "recency": (before[-1] - before[0]) / week,
                "T": (last_period - before[0]) / week,
                "log_gaps": sum(math.log((later - earlier) / week) for earlier, later in pairwise(before)),
                "monetary_value": sum(periods[period] for period in before[1:]) / max(len(before) - 1, 1),
                "first_purchase": before[0],
                "holdout_frequency": len(after),
                "holdout_amount": sum(periods[period] for period in after),
                "holdout_duration": (end - cut) / week,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("customer_id").sort_index()


@pytest.mark.parametrize("granularity", ["D", "W", "h"])
@pytest.mark.parametrize("first_day", ["2023-01-01", "2023-01-04"], ids=["from a Sunday", "from a Wednesday"])
def test_a_summary_agrees_with_a_loop_over_customers(untidy, granularity, first_day):
    clean = read_transactions(untidy[~(untidy["date"] < first_day)], refunds="set_aside").frame
    cut, end = dt.date(2023, 9, 3), clean["date"].max().date()
    summary = summarize(clean, calibration_end=cut, granularity=granularity)
    expected = loop_over_customers(clean, granularity, cut, end)
    pd.testing.assert_frame_equal(summary, expected, check_dtype=False, check_index_type=False, rtol=1e-12)
    late = {"customers first seen after calibration_end": clean["customer_id"].nunique() - len(expected)}
    assert summary.attrs["set_aside"] == {reason: count for reason, count in late.items() if count}


def test_a_log_that_begins_within_a_week_keeps_the_customers_of_that_week():
    """CDNOW begins on a Wednesday; nobody asked for customers to be left out."""
    weekly = summarize(load_cdnow(), granularity="W")
    assert len(weekly) == 2_357
    assert weekly.attrs["set_aside"] == {}
    assert weekly["first_purchase"].min() == pd.Timestamp("1996-12-30")
    assert summarize(load_cdnow(), granularity="W", acquired_after="1997-01-06").attrs["set_aside"] == {
        "customers first seen before acquired_after": 100
    }


def test_a_log_that_was_read_is_used_as_read():
    log = read_transactions(LOG.assign(amount=LOG["amount"] - 6.0), refunds="set_aside")
    assert log.set_aside == {"rows with a negative amount": 2}
    pd.testing.assert_frame_equal(summarize(log), summarize(log.frame))
    with pytest.raises(
        ValueError, match="refunds, zeros: pass this to read_transactions, which has already read the log"
    ):
        summarize(log, refunds="error", zeros="set_aside")


@pytest.mark.parametrize(
    "ids", [[-5, 7, 9], [-(2**62), 2**62, 2**62 + 1], [2**40, 2**40 + 1, 2**40 + 2], [0.5, 1.5, 2.5]]
)
def test_ids_can_be_any_numbers(ids):
    names = dict(zip("abc", ids, strict=True))
    expected = summarize(LOG)
    found = summarize(LOG.assign(customer_id=LOG["customer_id"].map(names)))
    assert found.index.tolist() == ids
    pd.testing.assert_frame_equal(found.set_axis(expected.index), expected)


def test_histories_are_the_compressed_summary(untidy):
    options = {"calibration_end": "2023-08-31", "acquired_after": "2023-01-02"}
    expected = summarize(untidy, **options)
    found = histories(untidy, **options)
    pd.testing.assert_frame_equal(found, compress(expected))
    assert found.attrs == expected.attrs


@pytest.mark.parametrize("engine", [pd.DataFrame, pl.DataFrame])
def test_compress_adds_up_weights(engine):
    donations = load_donations()
    pd.testing.assert_frame_equal(compress(engine(donations.to_dict("list"))), donations)
    twice = pd.concat([donations, donations[::-1]])
    assert compress(engine(twice.to_dict("list")))["weight"].tolist() == (2 * donations["weight"]).tolist()


def test_compress_takes_any_columns():
    customers = pd.DataFrame({"frequency": [2, 2, 0], "monetary_value": [3.5, 3.5, 0.0], "T": [1.0, 2.0, 3.0]})
    assert compress(customers, ["frequency", "monetary_value"]).to_numpy().tolist() == [[0, 0.0, 1], [2, 3.5, 2]]


def test_compress_names_a_missing_column():
    with pytest.raises(ValueError, match="no column 'recency'; it has frequency, T"):
        compress(pd.DataFrame({"frequency": [0], "T": [1.0]}))


def test_unit_and_order_of_the_log_do_not_matter(untidy):
    weeks, days = summarize(untidy), summarize(untidy.sample(frac=1.0, random_state=1), time_unit="D")
    np.testing.assert_allclose(days[["recency", "T"]], 7 * weeks[["recency", "T"]], rtol=1e-15)
    np.testing.assert_allclose(days["log_gaps"], weeks["log_gaps"] + weeks["frequency"] * np.log(7), atol=2e-9)
    times = ["recency", "T", "log_gaps"]
    pd.testing.assert_frame_equal(days.drop(columns=times), weeks.drop(columns=times))


def test_log_gaps_are_those_of_the_purchases_before_the_calibration_ends():
    log = pd.DataFrame({
        "customer_id": [1, 1, 1, 1, 2],
        "date": pd.to_datetime(["2019-12-30", "2020-02-28", "2020-03-02", "2021-01-01", "2020-05-05"]),
    })  # fmt: skip
    found = summarize(log, amount=None, time_unit="D", calibration_end="2020-12-31")["log_gaps"]
    np.testing.assert_allclose(found, [np.log(60) + np.log(3), 0.0], atol=1e-9)
    hours = log.assign(date=log["date"] + pd.to_timedelta([0, 5, 1, 0, 0], unit="h"))
    found = summarize(hours, amount=None, time_unit="h", granularity="h", calibration_end="2020-12-31")["log_gaps"]
    np.testing.assert_allclose(found, [np.log(60 * 24 + 5) + np.log(3 * 24 - 4), 0.0], atol=1e-9)


def test_customers_who_share_a_history_share_their_mean_log_gaps():
    dates = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-11", "2024-01-01", "2024-01-06", "2024-01-11"])
    log = pd.DataFrame({"customer_id": [1, 1, 1, 2, 2, 2], "date": dates})
    shared = histories(log, amount=None, time_unit="D")
    assert shared["weight"].tolist() == [2]
    assert shared["log_gaps"][0] == pytest.approx((np.log(9) + np.log(25)) / 2, abs=1e-9)
    by_hand = compress(summarize(log, amount=None, time_unit="D"))
    assert by_hand["log_gaps"][0] == pytest.approx(shared["log_gaps"][0], abs=1e-9)
    assert compress(by_hand)["log_gaps"][0] == by_hand["log_gaps"][0]
