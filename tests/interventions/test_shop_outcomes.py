"""What customers did after their assignment, counted by hand, on every engine, and nobody lost."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.interventions.comparisons import differences
from retention_models.interventions.experiment import Experiment, Plan
from retention_models.interventions.outcome import Outcome
from retention_models.interventions.shop_outcomes import shop_outcomes
from retention_models.logs.transactions import read_transactions

COLUMNS = ["bought", "purchases", "days_to_next", "days_to_last", "amount", "purchases_before", "amount_before"]


@pytest.fixture(scope="module")
def log():
    days = [
        ("ann", "2024-04-20", 10.0),  # before
        ("ann", "2024-05-01", 20.0),  # on the day of the assignment: before
        ("ann", "2024-05-02", 30.0),  # the first day that counts
        ("ann", "2024-05-29", 40.0),  # the last day that counts
        ("ann", "2024-05-29", 2.0),  # the same day: one purchase
        ("ann", "2024-05-30", 50.0),  # after the window
        ("bob", "2024-03-01", 60.0),  # too long before
        ("bob", "2024-06-20", 70.0),
        ("eve", "2024-05-10", 80.0),  # not assigned
    ]
    return pd.DataFrame(days, columns=["customer_id", "date", "amount"]).assign(
        date=lambda d: pd.to_datetime(d["date"])
    )


@pytest.fixture(scope="module")
def mailing():
    return pd.DataFrame(
        {
            "customer_id": ["ann", "bob", "cat"],
            "assigned": pd.to_datetime(["2024-05-01", "2024-05-15", "2024-05-01"]),
            "arm": ["mail", "none", "none"],
        }
    )


def outcomes(log, mailing, **options):
    options = {"horizon_days": 28, "offer_days": 14, "lookback_days": 30} | options
    rows = shop_outcomes(log, mailing, **options)
    frame = rows.df() if hasattr(rows, "df") else pd.DataFrame(rows.collect().to_dict(as_series=False))
    return frame.set_index("customer_id").sort_index()


def test_the_window_by_hand(log, mailing):
    found = outcomes(log, mailing)[COLUMNS]
    expected = pd.DataFrame(
        {"ann": [1, 2, 1, 28, 72, 2, 30], "bob": [0, 0, 28, 0, 0, 0, 0], "cat": [0, 0, 28, 0, 0, 0, 0]},
        index=COLUMNS,
        dtype=float,
    ).T.rename_axis("customer_id")
    pd.testing.assert_frame_equal(found, expected, check_index_type=False)


def test_every_engine_gives_the_same_numbers(log, mailing, tmp_path):
    expected = outcomes(log, mailing)[["arm", *COLUMNS]]
    polars = pl.DataFrame(log.to_dict("list")), pl.DataFrame(mailing.to_dict("list"))
    log.to_csv(tmp_path / "log.csv", index=False)
    mailing.to_csv(tmp_path / "mailing.csv", index=False)
    connection = duckdb.connect()
    pairs = {
        "polars": polars,
        "polars lazy": (polars[0].lazy(), polars[1].lazy()),
        "duckdb": (connection.from_df(log), connection.from_df(mailing)),
        "duckdb and pandas": (connection.from_df(log), mailing),
        "file and pandas": (tmp_path / "log.csv", mailing),
        "files": (tmp_path / "log.csv", tmp_path / "mailing.csv"),
        "read before": (read_transactions(log), mailing),
    }
    for name, (transactions, assignments) in pairs.items():
        found = outcomes(transactions, assignments)[["arm", *COLUMNS]]
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_index_type=False, obj=name)


def test_a_log_without_amounts_has_none(log, mailing):
    found = outcomes(read_transactions(log.drop(columns="amount"), amount=None), mailing, lookback_days=None)
    assert set(found.columns) == {"assigned", "arm", "bought", "purchases", "days_to_next", "days_to_last"}


def test_pulled_forward_purchases_cancel_within_the_window():
    """Everyone buys every 20 days, four times in five; the offer pulls one purchase ten days forward."""
    rng = np.random.default_rng(1)
    rows, mailing = [], []
    for customer in range(400):
        arm, phase = ("mail", "none")[customer % 2], int(rng.integers(1, 21))
        dates = np.arange(phase, 60, 20)
        if arm == "mail" and dates[0] > 14:
            dates[0] -= 10
        kept = dates[rng.random(len(dates)) < 0.8]
        rows += [(customer, pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day)), 10.0) for day in kept]
        mailing.append((customer, "2024-01-01", arm))
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    mailing = pd.DataFrame(mailing, columns=["customer_id", "assigned", "arm"])
    plan, outcome = Plan(control="none", shares={"mail": 1, "none": 1}), Outcome(column="purchases")
    short, long = (
        differences(
            Experiment.from_rows(
                shop_outcomes(log, mailing, horizon_days=days, offer_days=13), plan, arm="arm", outcomes=["purchases"]
            ),
            outcome,
        )[0]
        for days in (14, 40)
    )
    assert short.lower > 0.1
    assert long.lower < 0 < long.upper


def test_buyers_who_were_not_assigned_and_the_assigned_who_did_not_buy(log, mailing):
    found = outcomes(log, mailing)
    assert list(found.index) == ["ann", "bob", "cat"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon_days": 14}, r"horizon_days \(14\) must outlast the offer \(14 days\)"),
        ({"offer_days": -1}, "must outlast the offer"),
        ({"lookback_days": 0}, "lookback_days must be at least 1"),
        ({"horizon_days": 40}, r"1 of 3 assignments have windows that end after the log \(2024-06-20\)"),
        ({"observation_end": "2024-05-20"}, "3 of 3 assignments have windows"),
    ],
)
def test_windows_that_cannot_be_are_refused(log, mailing, options, message):
    with pytest.raises(ValueError, match=message):
        outcomes(log, mailing, **options)


def test_assignments_that_cannot_be_are_refused(log, mailing):
    with pytest.raises(ValueError, match="1 of 4 assignments repeat a customer"):
        outcomes(log, pd.concat([mailing, mailing.head(1)]))
    with pytest.raises(ValueError, match="1 of 3 assignments lack a customer or a readable day"):
        outcomes(log, mailing.assign(assigned=["2024-05-01", "soon", "2024-05-01"]))
    with pytest.raises(ValueError, match="columns called purchases, like outcomes"):
        outcomes(log, mailing.assign(purchases=1))
    with pytest.raises(ValueError, match="bring them to the engine of the log"):
        outcomes(log, pl.DataFrame(mailing.to_dict("list")))
