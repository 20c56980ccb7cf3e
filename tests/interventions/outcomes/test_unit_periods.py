"""The panel of a roll-out: the same on every engine, complete periods only, customers in their own unit."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm

ALL = ["orders", "buyers", "amount", "new_customers", "retained_share", "churn", "discounts", "discounted_orders"]


@pytest.fixture(scope="module")
def log():
    rng, n = np.random.default_rng(0), 3_000
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 100, n), "D")
    frame = pd.DataFrame({"customer_id": rng.integers(0, 400, n), "date": days, "store": rng.choice(list("abc"), n)})
    frame = frame.assign(amount=rng.gamma(2, 10, n).round(2))
    return frame.assign(discount=np.where(rng.random(n) < 0.3, (frame["amount"] / 9).round(2), 0.0))


@pytest.mark.parametrize("period", ["D", "W", "M"])
@pytest.mark.parametrize("launch", [None, "2025-02-10"])
def test_every_engine_counts_the_same(log, tmp_path, period, launch):
    log.to_parquet(tmp_path / "log.parquet")
    log.to_csv(tmp_path / "log.csv", index=False)
    sources = [
        log,
        pl.from_pandas(log),
        pl.from_pandas(log).lazy(),
        duckdb.from_df(log),
        tmp_path / "log.parquet",
        tmp_path / "log.csv",
    ]
    stated = {"panel_unit": "store", "period": period, "outcomes": ALL, "first_launch": launch}
    stated |= {"amount": "amount", "discount": "discount"}
    first, *others = (rm.interventions.event_panel(source, **stated) for source in sources)
    for other in others:
        pd.testing.assert_frame_equal(first, other)
        assert first.attrs == other.attrs


@pytest.mark.parametrize("within", [1, 3])
@pytest.mark.parametrize("launch", [None, "2025-02-10"])
def test_shares_are_those_of_a_loop_over_the_customers(log, within, launch):
    stated = {"panel_unit": "store", "first_launch": launch}
    found = rm.interventions.event_panel(log, outcomes=["retained_share", "churn"], active_within=within, **stated)
    home = None
    if launch is not None:
        early = log.assign(early=log["date"] < launch).groupby(["customer_id", "store"])
        counts = early.agg(early=("early", "sum"), first=("date", "min")).reset_index()
        counts = counts.sort_values(["customer_id", "early", "first", "store"], ascending=[True, False, True, True])
        home = counts.drop_duplicates("customer_id").set_index("customer_id")["store"]
    own = log if home is None else log.assign(store=log["customer_id"].map(home))
    own = own.assign(week=(own["date"] - pd.Timestamp("2025-01-06")).dt.days // 7)
    assert found["period"].min() == pd.Timestamp("2025-01-06") + pd.Timedelta(weeks=within)
    for row in found.itertuples():
        week, here = (row.period - pd.Timestamp("2025-01-06")).days // 7, own[own["store"] == row.store]
        before = set(here.loc[here["week"].between(week - within, week - 1), "customer_id"])
        now = set(here.loc[here["week"] == week, "customer_id"])
        assert (row.at_risk, row.retained, row.lost) == (len(before), len(before & now), len(before - now))
        assert row.retained_share == pytest.approx(len(before & now) / len(before))
        assert row.churn == pytest.approx(1 - row.retained_share)


def test_a_share_is_missing_where_nobody_is_at_risk_and_needs_a_period_before():
    days = pd.to_datetime(["2025-01-06", "2025-01-27", "2025-02-02"])
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": days, "store": "a"})
    found = rm.interventions.event_panel(log, panel_unit="store", outcomes=["retained_share"])
    assert found["at_risk"].tolist() == [1, 0, 0]
    assert found["retained_share"].isna().tolist() == [False, True, True]
    assert (found.attrs["left_out"], found.attrs["active_within"]) == (1, 1)
    with pytest.raises(ValueError, match="the log has 4 complete periods and active_within is 4: no period is left"):
        rm.interventions.event_panel(log, panel_unit="store", outcomes=["churn"], active_within=4)


def test_weeks_are_those_of_a_plain_group_by(log):
    found = rm.interventions.event_panel(log, panel_unit="store", outcomes=["orders", "buyers"])
    week = log["date"].dt.to_period("W-SUN").dt.start_time
    counted = log.groupby(["store", week]).agg(orders=("date", "size"), buyers=("customer_id", "nunique"))
    assert found["period"].min() == pd.Timestamp("2025-01-06")  # the log begins on a Wednesday
    for row in found.itertuples():
        assert tuple(counted.loc[(row.store, row.period)]) == (row.orders, row.buyers)
    assert found["orders"].sum() + found.attrs["left_out"] == len(log)


def test_discounts_are_sums_and_counts_of_the_orders(log):
    names = ["discounts", "discounted_orders"]
    found = rm.interventions.event_panel(log, panel_unit="store", period="D", outcomes=names, discount="discount")
    assert found["discounts"].sum() == pytest.approx(log["discount"].sum())
    assert found["discounted_orders"].sum() == (log["discount"] > 0).sum()


def test_new_customers_add_up_to_all_customers(log):
    found = rm.interventions.event_panel(log, panel_unit="store", period="D", outcomes=["new_customers"])
    assert found["new_customers"].sum() == log["customer_id"].nunique()


def test_customers_belong_to_the_unit_of_most_orders_before_the_launch():
    rows = [(1, "a", 1), (1, "a", 2), (1, "b", 3), (1, "b", 20), (1, "b", 21), (2, "b", 22), (2, "a", 23)]
    log = pd.DataFrame(rows, columns=["customer_id", "store", "day"])
    log["date"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(log["day"], unit="D")
    found = rm.interventions.event_panel(log, panel_unit="store", period="D", first_launch="2025-01-15")
    assert found.groupby("store")["orders"].sum().to_dict() == {"a": 5, "b": 2}
    assert found.attrs["switched"] == pytest.approx(4 / 7)


def test_rows_without_a_unit_are_counted(log):
    found = rm.interventions.event_panel(log.assign(store=log["store"].where(log.index > 9)), panel_unit="store")
    assert found.attrs["without_unit"] == 10
    assert set(found["store"]) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"panel_unit": "shop"}, "shop"),
        ({"outcomes": ["clicks"]}, "outcomes must be one of"),
        ({"outcomes": ["amount"]}, "needs the column of the amount"),
        ({"outcomes": ["discounts"]}, "the outcome 'discounts' needs the column of the discount: discount="),
        ({"period": "Y"}, "period must be one of"),
        ({"first_launch": "soon"}, "first_launch must be a day"),
        ({"active_within": 0}, "active_within must be"),
    ],
)
def test_bad_arguments_are_named(log, keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.interventions.event_panel(log, **{"panel_unit": "store"} | keywords)


def test_a_log_shorter_than_a_period_is_refused(log):
    with pytest.raises(ValueError, match="no whole period lies between"):
        rm.interventions.event_panel(log[log["date"] < "2025-01-04"], panel_unit="store", period="M")
