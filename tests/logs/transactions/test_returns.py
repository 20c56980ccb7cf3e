"""Returns cancel purchases: against a loop over rows, on every engine, and with what is known at each day."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.logs.transactions.summary import histories, summarize

KEYS = ("order_id", "article")


def log(*rows, names=("customer_id", "date", "amount")):
    return pd.DataFrame(rows, columns=list(names))


def history(rows, **options):
    """Frequency, recency in days and mean repeat amount of each customer."""
    summary = summarize(rows, time_unit="D", **options)
    columns = [summary[name].tolist() for name in ("frequency", "recency", "monetary_value")]
    return dict(zip(summary.index.tolist(), zip(*columns, strict=True), strict=True))


def net_by_loop(rows, until):
    """Rows of purchases with what is left of each, by the rule: the latest of the same keys first, then any."""
    known = rows[rows["date"] <= until].copy()
    known["is_return"] = known["amount"] < 0
    keys = [name for name in KEYS if name in known]
    known = known.sort_values(["date", "is_return", "amount", *keys], kind="stable", ignore_index=True)
    left = known["amount"].to_numpy().copy()
    for same in [keys, *([[name] for name in keys] if len(keys) > 1 else []), *([[]] if keys else [])]:
        for j in np.flatnonzero(known["is_return"]):
            if any(not known.loc[j, name] for name in same):
                continue
            for i in range(j - 1, -1, -1):
                alike = all(known.loc[i, name] == known.loc[j, name] for name in ("customer_id", *same))
                if alike and left[i] > 0 and left[j] < 0:
                    taken = min(left[i], -left[j])
                    left[i], left[j] = round(left[i] - taken, 9), round(left[j] + taken, 9)
    known["left"] = left
    return known


def summary_by_loop(rows, cut):
    """Frequency, recency in days and repeat spend at a cut, of the rows that are left."""
    known = net_by_loop(rows, cut)
    bought = known[~known["is_return"]]
    days = bought.groupby(["customer_id", "date"]).agg(
        left=("left", "sum"),
        whole=("left", lambda left: bool(((left == 0) & (bought.loc[left.index, "amount"] > 0)).any())),
    )
    days = days[~(days["whole"] & (days["left"].round(6) <= 0))].reset_index()
    table = {}
    for customer, own in days.groupby("customer_id"):
        first, last = own["date"].min(), own["date"].max()
        table[customer] = (len(own) - 1, (last - first).days, round(own["left"].iloc[1:].sum(), 6))
    return table


def random_log(seed, keys):
    rng, n = np.random.default_rng(seed), 250
    rows = pd.DataFrame({
        "customer_id": rng.integers(1, 25, n),
        "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 60, n), "D"),
        "amount": rng.integers(0, 12, n) + rng.choice([0.0, 0.1, 0.35], n),
    })  # fmt: skip
    rows["amount"] *= rng.choice([1.0, -1.0], n, p=[0.75, 0.25])
    for name in keys:
        rows[name] = rng.choice(["", "1", "2", "3"], n)
    return rows


ENGINES = {
    "pandas": lambda frame, folder: frame,
    "polars": lambda frame, folder: pl.DataFrame(frame.to_dict("list")),
    "polars lazy": lambda frame, folder: pl.DataFrame(frame.to_dict("list")).lazy(),
    "duckdb": lambda frame, folder: duckdb.from_df(frame),
    "csv": lambda frame, folder: frame.to_csv(folder / "log.csv", index=False) or folder / "log.csv",
}


@pytest.mark.parametrize(
    ("engine", "keys"),
    [
        *(("pandas", keys) for keys in ((), ("order_id",), ("article",))),
        *((engine, KEYS) for engine in ("pandas", "polars lazy", "csv")),
    ],
    ids=str,
)
def test_what_is_left_is_what_a_loop_over_the_rows_leaves(engine, keys, tmp_path):
    rows = random_log(len(keys), keys)
    cut = pd.Timestamp("2024-02-10")
    expected = summary_by_loop(rows, cut)
    summary = summarize(
        ENGINES[engine](rows, tmp_path), calibration_end=cut, time_unit="D", zeros="keep", refunds="net"
    )
    assert summary["frequency"].to_dict() == {customer: of[0] for customer, of in expected.items()}
    assert summary["recency"].to_dict() == {customer: of[1] for customer, of in expected.items()}


@pytest.mark.slow
def test_amounts_left_are_those_of_the_loop_where_they_may_be_used():
    rows = random_log(1, KEYS)
    rows = pd.concat([rows, log((99, pd.Timestamp("2024-01-01"), 1e5))])  # what has no purchase is less than 2 %
    rows[list(KEYS)] = rows[list(KEYS)].fillna("")
    expected = summary_by_loop(rows, pd.Timestamp("2024-12-31"))
    summary = summarize(rows)
    spent = (summary["monetary_value"] * summary["frequency"]).round(6)
    assert spent.to_dict() == pytest.approx({customer: of[2] for customer, of in expected.items()}, abs=1e-6)
    returns, known = read_transactions(rows).returns, net_by_loop(rows, pd.Timestamp("2024-12-31"))
    bought = known[~known["is_return"]]
    assert returns.gross == pytest.approx(bought["amount"].sum())
    assert returns.net == pytest.approx(bought["left"].sum())
    assert returns.unmatched == pytest.approx(-known.loc[known["is_return"], "left"].sum())


@pytest.mark.slow
def test_a_summary_at_a_cut_knows_what_was_known_on_that_day():
    rows = pd.concat([random_log(5, KEYS), log((99, pd.Timestamp("2024-01-01"), 1e6))]).fillna("")
    before = rows[rows["date"] <= "2024-02-10"]
    known, at_cut = summarize(before), summarize(rows, calibration_end="2024-02-10")
    pd.testing.assert_frame_equal(at_cut[known.columns], known)
    pd.testing.assert_frame_equal(histories(rows, calibration_end="2024-02-10"), histories(before))


# The cases, one by one.


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-09", -7.0)], (0, 0, 0.0)),
        ([(1, "2024-01-09 10:00", 7.0), (1, "2024-01-01", 5.0), (1, "2024-01-09 09:00", -7.0)], (0, 0, 0.0)),
        ([(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-20", -3.0)], (1, 8, 4.0)),
        ([(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-20", -7.0)], (0, 0, 0.0)),
        ([(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-20", -8.0)], (0, 0, 0.0)),
        ([(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-03", -5.0)], (0, 0, 0.0)),
        (
            [(1, "2024-01-01", 0.1), (1, "2024-01-01", 0.2), (1, "2024-01-09", 7.0), (1, "2024-01-02", -0.3)],
            (0, 0, 0.0),
        ),
    ],
    ids=["same day", "same day, written first", "partial", "later", "spills over", "first returned", "0.1 + 0.2 - 0.3"],
)
def test_a_return_cancels_the_latest_purchases_up_to_its_size(rows, left):
    assert history(log(*rows)) == {1: left}


def test_a_gift_in_a_purchase_that_is_returned_does_not_keep_it():
    rows = [(1, "2024-01-01", 5.0), (1, "2024-01-09", 7.0), (1, "2024-01-09", 0.0), (1, "2024-01-20", -7.0)]
    assert history(log(*rows)) == {1: (0, 0, 0.0)}
    assert history(log(*rows[:1], (1, "2024-01-09", 0.0), (1, "2024-01-20", -1.0))) == {1: (1, 8, 0.0)}


NAMED = ("customer_id", "date", "amount", "order_id", "article")


@pytest.mark.parametrize(
    ("order_id", "article", "amount", "left"),
    [
        ("A", None, -5.0, (1, 6, 5.0)),
        (None, "cup", -7.0, (1, 14, 5.0)),
        ("Z", "cup", -7.0, (1, 14, 5.0)),
        ("A", "cup", -5.0, (1, 6, 5.0)),
        (None, None, -5.0, (1, 8, 7.0)),
        ("Z", "hat", -5.0, (1, 8, 7.0)),
    ],
    ids=["order", "article", "a number of its own", "the order decides", "neither", "both unknown: the latest"],
)
def test_a_return_finds_the_order_or_article_that_it_belongs_to(order_id, article, amount, left):
    bought = [("2024-01-01", 5.0, "A", "tea"), ("2024-01-09", 7.0, "B", "cup"), ("2024-01-15", 5.0, "C", "pot")]
    rows = log(*((1, *row) for row in bought), (1, "2024-01-20", amount, order_id, article), names=NAMED)
    renamed = rows.rename(columns={"order_id": "Invoice", "article": "SKU"})
    assert history(renamed, order_id="Invoice", article="SKU") == {1: left}


def test_an_exchange_keeps_the_new_article():
    names = ("customer_id", "date", "amount", "article")
    rows = log(
        (1, "2024-01-01", 50.0, "red"), (1, "2024-01-09", -50.0, "red"), (1, "2024-01-09", 50.0, "blue"), names=names
    )
    summary = summarize(rows)
    assert summary["frequency"].tolist() == [0]
    assert summary["first_purchase"].tolist() == [pd.Timestamp("2024-01-09")]
    without = summarize(rows.drop(columns="article"))  # the latest purchase is the one of that day
    assert without["first_purchase"].tolist() == [pd.Timestamp("2024-01-01")]


def test_a_huge_order_that_was_cancelled_counts_for_nothing():
    """As in a real file: 168,470 bought and cancelled after 12 minutes."""
    rows = log(
        (1, "2024-01-01 10:00", 2.9), (1, "2024-02-01 09:15", 168_469.6), (1, "2024-02-01 09:27", -168_469.6),
        (2, "2024-01-05", 100_000.0), (2, "2024-01-05", -100_000.0), (2, "2024-01-20", 40.0), (2, "2024-02-03", 60.0),
    )  # fmt: skip
    assert history(rows) == {1: (0, 0, 0.0), 2: (1, 14, 60.0)}
    returns = read_transactions(rows).returns
    assert returns.net == pytest.approx(102.9)
    assert (returns.rows, returns.orders_returned, returns.unmatched) == (2, 2, 0.0)


def test_returns_after_the_calibration_change_only_what_came_true():
    rows = log(
        (1, "2024-01-01", 5.0), (1, "2024-01-10", 7.0), (1, "2024-02-05", -7.0),
        (1, "2024-02-10", 9.0), (1, "2024-02-12", 4.0), (1, "2024-02-20", -4.0),
    )  # fmt: skip
    cut = summarize(rows, calibration_end="2024-01-31", time_unit="D")
    assert cut[["frequency", "monetary_value", "holdout_frequency", "holdout_amount"]].iloc[0].tolist() == [
        1,
        7.0,
        1,
        9.0,
    ]
    assert history(rows) == {1: (1, 40, 9.0)}
    assert daily_purchases(rows)["amount"].tolist() == [5.0, 9.0]
    window = read_transactions(rows).window(observation_end="2024-01-31")
    assert daily_purchases(window)["amount"].tolist() == [5.0, 7.0]


def test_a_customer_whose_first_order_is_returned_begins_with_the_next():
    rows = log((1, "2024-01-01", 5.0), (1, "2024-01-03", -5.0), (1, "2024-03-01", 8.0), (2, "2024-01-01", 5.0))
    assert summarize(rows)["first_purchase"].tolist() == [pd.Timestamp("2024-03-01"), pd.Timestamp("2024-01-01")]
    late = summarize(rows, calibration_end="2024-02-01")
    assert late.index.tolist() == [2]
    assert late.attrs["set_aside"]["customers first seen after calibration_end"] == 1


# What cannot be netted.


def test_a_refund_before_any_order_cancels_none_and_value_is_refused_above_two_percent():
    rows = log((1, "2024-01-01", -3.0), (1, "2024-01-09", 97.0), (1, "2024-02-01", 40.0), (2, "2024-01-02", 10.0))
    read = read_transactions(rows)
    assert (read.returns.unmatched, read.returns.returned) == (3.0, 0.0)
    assert not read.has_amount
    assert "2 % of the amount are returns without a purchase" in read.checks[1].detail
    summary = summarize(read)
    assert summary["frequency"].tolist() == [1, 0]
    assert "monetary_value" not in summary
    with pytest.raises(
        ValueError, match=r"monetary_value not in the table .*Read the log from an earlier day, .* refunds='set_aside'"
    ):
        rm.fit(rm.GammaGamma, summary)
    gross = summarize(rows, refunds="set_aside")
    assert gross["monetary_value"].tolist() == [40.0, 0.0]
    assert gross.attrs["set_aside"] == {"rows with a negative amount": 1}


def test_two_percent_that_stay_un_netted_are_told_and_allowed():
    rows = log((1, "2024-01-01", -2.0), (1, "2024-01-09", 60.0), (1, "2024-02-01", 40.0))
    read = read_transactions(rows)
    assert read.has_amount
    assert read.checks[1].passed
    assert read.checks[1].detail.startswith("2 % of the amount are returns without a purchase that they could cancel.")


def test_returns_that_are_still_due_are_told():
    start = pd.Timestamp("2024-01-01")
    days = [start + pd.Timedelta(7 * i, "D") for i in range(20)]
    bought = [(i, day, 10.0) for i, day in enumerate(days)]
    back = [(i, day + pd.Timedelta(14 if i < 8 else 21, "D"), -5.0) for i, day in enumerate(days[:10])]
    returns = read_transactions(log(*bought, *back)).returns
    assert (returns.days_to_half, returns.days_to_most) == (14, 21)
    last = days[-1].date()
    assert returns.due_from == last - dt.timedelta(days=21)
    assert returns.due == 40.0
    assert "returns are still due for purchases since 2024-04-22, 27 % of the net amount" in returns.sentence


def test_a_log_in_which_all_was_returned_has_no_customer():
    rows = log((1, "2024-01-01", 5.0), (1, "2024-01-02", -5.0))
    for source in (rows, pl.DataFrame(rows.to_dict("list")), duckdb.from_df(rows)):
        with pytest.raises(ValueError, match="no customer is left: every purchase was returned"):
            summarize(source)


def test_the_rows_of_purchases_returned_whole_are_counted():
    rows = log((1, "2024-01-01", 5.0), (1, "2024-01-08", 3.0), (1, "2024-01-08", 4.0), (1, "2024-01-09", -7.0))
    for source in (rows, duckdb.from_df(rows)):
        assert summarize(source).attrs["set_aside"] == {"rows of purchases returned whole": 2}


def test_columns_of_orders_that_are_not_there_are_named():
    rows = log((1, "2024-01-01", 5.0), (1, "2024-01-02", -5.0))
    with pytest.raises(ValueError, match=r"the log has no column 'Invoice'.*order_id and article name columns"):
        read_transactions(rows, order_id="Invoice")


def test_a_log_without_returns_is_as_before():
    read = read_transactions(rm.datasets.load_cdnow())
    assert read.returns is None
    assert not read.nets_refunds
    assert list(read.columns) == ["customer_id", "date", "amount"]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e9])
def test_currencies_of_any_size_are_netted_to_nothing(scale):
    rows = log(
        (1, "2024-01-01", 3 * scale),
        (1, "2024-01-09", 0.1 * scale),
        (1, "2024-01-12", 0.2 * scale),
        (1, "2024-01-20", -(0.1 + 0.2) * scale),
    )
    assert history(rows) == {1: (0, 0, 0.0)}
