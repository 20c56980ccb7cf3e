"""What customers did after their assignment, counted by hand, on every engine, and nobody lost."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.outcomes.purchases import purchase_outcomes
from retention_models.logs.transactions.read_log import read_transactions

COLUMNS = [
    *("bought", "purchases", "purchases_same_day", "days_to_next", "days_to_last", "amount"),
    *("purchases_before", "amount_before"),
]


@pytest.fixture(scope="module")
def log():
    days = [
        ("ann", "2024-04-20", 10.0),  # before
        ("ann", "2024-05-01", 20.0),  # on the day of the assignment: an answer to it
        ("ann", "2024-05-02", 30.0),
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
    rows = purchase_outcomes(log, mailing, **options)
    frame = rows.df() if hasattr(rows, "df") else pd.DataFrame(rows.collect().to_dict(as_series=False))
    return frame.set_index("customer_id").sort_index()


def test_the_window_by_hand(log, mailing):
    found = outcomes(log, mailing)[COLUMNS]
    expected = pd.DataFrame(
        {"ann": [1, 3, 1, 0, 28, 92, 1, 10], "bob": [0, 0, 0, 28, 0, 0, 0, 0], "cat": [0, 0, 0, 28, 0, 0, 0, 0]},
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


def test_purchases_on_the_day_of_the_assignment_can_be_set_aside(log, mailing):
    found = outcomes(log, mailing, same_day="set_aside").loc["ann", COLUMNS]
    assert found.tolist() == [1, 2, 1, 1, 28, 72, 1, 10]
    with pytest.raises(ValueError, match="same_day must be one of 'keep', 'set_aside', not 'drop'"):
        outcomes(log, mailing, same_day="drop")


def test_where_the_time_of_day_is_known_the_window_begins_with_the_moment(log, mailing):
    times = pd.DataFrame(
        {"customer_id": ["ann", "bob"], "date": ["2024-05-01 07:00", "2024-05-15 09:00"], "amount": 1.0}
    )
    log = pd.concat([log, times.assign(date=lambda d: pd.to_datetime(d["date"]))])
    mailing = mailing.assign(assigned=mailing["assigned"] + pd.Timedelta(hours=8))
    for frames in ((log, mailing), (pl.DataFrame(log.to_dict("list")), pl.DataFrame(mailing.to_dict("list")))):
        found = outcomes(*frames)
        assert found.loc["ann", COLUMNS].tolist() == [1, 2, 0, 1, 28, 72, 2, 31]
        assert found.loc["bob", COLUMNS].tolist() == [1, 1, 1, 0, 0, 1, 0, 0]


def test_answers_on_the_day_of_an_e_mail_are_its_effect_and_no_covariate():
    rng, n = np.random.default_rng(2), 2_000
    arm = np.where(np.arange(n) % 2, "mail", "none")
    before = pd.DataFrame({"customer_id": np.arange(n), "date": "2024-04-10"})[rng.random(n) < 0.4]
    answers = pd.DataFrame({"customer_id": np.arange(n), "date": "2024-05-01"})[(arm == "mail") & (rng.random(n) < 0.1)]
    log = pd.concat([before, answers]).assign(amount=10.0)
    mailing = pd.DataFrame({"customer_id": np.arange(n), "assigned": "2024-05-01", "arm": arm})
    rows = purchase_outcomes(
        log, mailing, horizon_days=28, offer_days=7, lookback_days=90, observation_end="2024-05-31"
    )
    test = Experiment.from_rows(
        rows,
        Plan(assigned_by="random", control="none"),
        arm="arm",
        outcomes=["purchases"],
        covariates=["purchases_before"],
    )
    assert [check.passed for check in test.checks if check.name == "Balance before assignment"] == [True]
    effect = differences(test, Outcome(column="purchases", adjust_for=("purchases_before",)))[0]
    assert effect.lower < 0.1 < effect.upper
    assert effect.lower > 0.05


def test_ids_as_text_and_as_numbers_are_compared_as_text():
    log = pd.DataFrame({"customer_id": ["1", "A1"], "date": "2024-05-03", "amount": [20.0, 5.0]})
    mailing = pd.DataFrame({"customer_id": [1, 2], "assigned": "2024-05-01", "arm": ["mail", "none"]})
    assert outcomes(log, mailing, observation_end="2024-06-30")["amount"].tolist() == [20.0, 0.0]
    padded = pd.concat([log, log.head(1).assign(customer_id="001")])
    with pytest.raises(
        ValueError, match=r"1 ids of the log are numbers .* written otherwise \(001 for 1\), 1 are written"
    ):
        outcomes(padded, mailing, observation_end="2024-06-30")
    with pytest.raises(ValueError, match="none of the 2 assigned customers is in the log; write them alike"):
        outcomes(log.assign(customer_id=["A1", "B2"]), mailing, observation_end="2024-06-30")


def test_columns_of_the_reading_stay_out_of_the_rows(log, mailing):
    text = mailing.assign(assigned=mailing["assigned"].astype(str))
    assert set(outcomes(log, text).columns) == {"assigned", "arm", *COLUMNS}


def test_a_log_without_amounts_has_none(log, mailing):
    found = outcomes(read_transactions(log.drop(columns="amount"), amount=None), mailing, lookback_days=None)
    assert set(found.columns) == {
        "assigned",
        "arm",
        "bought",
        "purchases",
        "purchases_same_day",
        "days_to_next",
        "days_to_last",
    }


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
    plan, outcome = (
        Plan(assigned_by="random", control="none", shares={"mail": 1, "none": 1}),
        Outcome(column="purchases"),
    )
    short, long = (
        differences(
            Experiment.from_rows(
                purchase_outcomes(log, mailing, horizon_days=days, offer_days=13),
                plan,
                arm="arm",
                outcomes=["purchases"],
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
        ({"offer_days": -1}, "offer_days must be a whole number, 0 or more; got -1"),
        ({"lookback_days": 0}, "lookback_days must be a whole number, 1 or more; got 0"),
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
