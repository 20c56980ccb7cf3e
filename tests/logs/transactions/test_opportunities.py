"""Opportunities: which years, quarters, months or weeks a customer took."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.logs.transactions.opportunities import opportunities

GIFTS = pd.DataFrame({
    "customer_id": ["Ann", "Ann", "Ann", "Bob", "Cy", "Cy"],
    "date": pd.to_datetime(["2020-03-01", "2021-12-24", "2021-12-31", "2022-05-05", "2020-12-31", "2023-01-01"]),
})  # fmt: skip


@pytest.mark.parametrize(
    ("period", "frequency"), [("Y", [1, 0, 1]), ("Q", [1, 0, 1]), ("M", [1, 0, 1]), ("W", [2, 0, 1])]
)
def test_purchases_in_the_same_period_count_once(period, frequency):
    end = "2023-12-31"
    found = opportunities(GIFTS, amount=None, period=period, observation_end=end)
    assert found["frequency"].tolist() == frequency


def test_opportunities_are_numbered_from_the_first_purchase():
    found = opportunities(GIFTS, amount=None, observation_end="2023-12-31")
    assert found["recency"].tolist() == [1, 0, 3]
    assert found["T"].tolist() == [3, 1, 3]
    quarters = opportunities(GIFTS, amount=None, period="Q", observation_end="2023-12-31")
    assert quarters["recency"].tolist() == [7, 0, 9]
    assert quarters["T"].tolist() == [15, 6, 12]


def test_what_was_taken_later_is_holdout():
    found = opportunities(GIFTS, amount=None, calibration_end="2021-12-31", observation_end="2023-12-31")
    assert found.index.tolist() == ["Ann", "Cy"]
    assert found["frequency"].tolist() == [1, 0]
    assert found["holdout_frequency"].tolist() == [0, 1]
    assert found["holdout_duration"].tolist() == [2.0, 2.0]
    assert found.attrs["set_aside"] == {"customers first seen after calibration_end": 1}


@pytest.mark.parametrize("period", ["Y", "Q", "M", "W"])
def test_every_engine_gives_the_same_opportunities(period):
    log = rm.datasets.load_cdnow()
    expected = opportunities(log, period=period, observation_end="1998-05-31" if period in "MW" else "1997-12-31")
    for other in (pl.DataFrame(log.to_dict("list")), duckdb.connect().from_df(log)):
        end = "1998-05-31" if period in "MW" else "1997-12-31"
        pd.testing.assert_frame_equal(opportunities(other, period=period, observation_end=end), expected)
    model = BGBB(1.0, 1.0, 1.0, 3.0)
    assert np.all(np.isfinite(model.log_likelihood(*(expected[name] for name in model.columns))))


def test_a_period_that_is_not_over_is_an_error():
    with pytest.raises(ValueError, match=r"2023-01-01 lies within a year.*2022-12-31, or 2023-12-31 if the log"):
        opportunities(GIFTS, amount=None)


def test_no_customer_in_the_calibration_is_an_error():
    late = GIFTS.assign(date=GIFTS["date"].where(GIFTS["date"] > "2023", pd.Timestamp("2023-05-01")))
    with pytest.raises(ValueError, match="before the first purchase"):
        opportunities(late, amount=None, calibration_end="2021-12-31", observation_end="2023-12-31")


def test_an_unknown_period_is_an_error():
    with pytest.raises(ValueError, match="period must be one of"):
        opportunities(GIFTS, amount=None, period="D")
