"""Contacts: one door for every engine and file, with counts of what is set aside, and features without the future."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm


@pytest.fixture
def rows():
    rng, n = np.random.default_rng(1), 400
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 120, n), "D")
    frame = pd.DataFrame({"customer_id": rng.integers(0, 60, n), "date": days.strftime("%d.%m.%Y")})
    return frame.assign(kind=rng.choice(["mail", "visit", "complaint"], n), value=rng.normal(0, 1, n).round(3))


def test_every_engine_and_file_gives_the_same_contacts(rows, tmp_path):
    rows.to_csv(tmp_path / "contacts.csv", index=False, sep=";")
    rows.to_parquet(tmp_path / "contacts.parquet")
    sources = [rows, pl.from_pandas(rows), pl.from_pandas(rows).lazy(), duckdb.from_df(rows)]
    first, *others = (
        rm.read_contacts(source, value="value")
        for source in (*sources, tmp_path / "contacts.csv", tmp_path / "contacts.parquet")
    )
    for other in others:
        assert (other.rows, other.kinds, other.first_date, other.last_date) == (
            first.rows, first.kinds, first.first_date, first.last_date,
        )  # fmt: skip
        assert other.formats == first.formats == {"date": "%d.%m.%Y"}
    assert sum(first.kinds.values()) == first.rows == 400


def test_what_cannot_count_is_set_aside_by_reason(rows):
    rows["until"] = "2026-12-31"
    rows.loc[:1, "customer_id"], rows.loc[2:4, "date"], rows.loc[5, "kind"] = None, "soon", None
    rows.loc[6, "until"] = "2020-01-01"
    found = rm.read_contacts(rows.assign(customer_id=rows["customer_id"].astype("Int64")), until="until")
    assert found.set_aside == {
        "rows without a customer_id": 2, "rows without a readable date": 3, "rows without a kind": 1,
        "rows that end before they begin": 1,
    }  # fmt: skip
    assert found.rows == 393
    assert found.checks[0].passed is False  # more than 1 % of the rows


def test_launches_need_no_customer_but_a_unit():
    rows = pd.DataFrame({"store": ["a", "b", None], "launched": "2026-03-01"})
    found = rm.read_contacts(rows, customer_id=None, date="launched", kind=None, panel_unit="store", max_set_aside=0.5)
    assert found.kinds == {"contact": 2}
    assert found.set_aside == {"rows without a panel_unit": 1}
    with pytest.raises(ValueError, match="need panel_unit="):
        rm.read_contacts(rows, customer_id=None, date="launched", kind=None)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"kind": "what"}, "what"),
        ({"date": "kind"}, "no row of the contacts can be used"),
        ({"assignment": "kind"}, "kind must be one of random, rule, choice, unknown, which fails for 400 rows"),
        ({"max_set_aside": 2}, "max_set_aside"),
    ],
)
def test_bad_contacts_are_refused(rows, keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.read_contacts(rows, **keywords)


def orders(rng, n=600):
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 500, n), "D")
    return pd.DataFrame({"customer_id": rng.integers(0, 60, n), "date": days, "amount": rng.gamma(2, 10, n).round(2)})


def test_features_are_those_of_a_loop_over_the_rows(rows):
    log, day = orders(np.random.default_rng(2)), pd.Timestamp("2026-03-15")
    found = rm.logs.customer_features(log, rm.read_contacts(rows), as_of="2026-03-15")
    touched = rows.assign(date=pd.to_datetime(rows["date"], format="%d.%m.%Y"))
    for customer, row in found.iterrows():
        own = log[(log["customer_id"] == customer) & (log["date"] < day)]
        assert row["orders"] == own["date"].nunique()
        assert row["tenure"] == (day - own["date"].min()).days / 7
        assert row["recency"] == (day - own["date"].max()).days / 7
        for weeks in (13, 26, 52):
            inside = own[own["date"] >= day - pd.Timedelta(weeks=weeks)]
            assert row[f"orders_{weeks}"] == inside["date"].nunique()
            assert row[f"amount_{weeks}"] == pytest.approx(inside["amount"].sum())
        late = touched[(touched["customer_id"] == customer) & (touched["date"] < day)]
        late = late[late["date"] >= day - pd.Timedelta(weeks=13)]
        for kind in ("mail", "visit", "complaint"):
            assert row[f"contacts_{kind}"] == (late["kind"] == kind).sum()


def test_a_return_counts_from_the_day_on_which_it_was_known():
    days = ["2026-01-05", "2026-02-02", "2026-02-20", "2026-03-20"]
    log = pd.DataFrame({"customer_id": 1, "date": days, "amount": [30.0, 20.0, -20.0, -30.0]})
    read = rm.read_transactions(log, refunds="net")
    found = [rm.logs.customer_features(read, as_of=day).loc[1] for day in ("2026-02-15", "2026-03-01")]
    assert [row["orders"] for row in found] == [2, 1]
    assert [row["amount_26"] for row in found] == [50.0, 30.0]


@pytest.mark.parametrize("engine", [lambda f: f, pl.from_pandas, duckdb.from_df])
def test_what_lasts_runs_until_its_last_day(engine):
    rows = [
        (1, "2025-06-01", "club", None), (1, "2025-08-01", "mail", None), (2, "2025-06-01", "club", "2026-03-14"),
        (3, "2025-06-01", "club", "2026-03-15"), (3, "2026-03-15", "club", None),
    ]  # fmt: skip
    contacts = pd.DataFrame(rows, columns=["customer_id", "date", "kind", "until"])
    contacts[["date", "until"]] = contacts[["date", "until"]].apply(pd.to_datetime)
    log = pd.DataFrame({"customer_id": [1, 2, 3, 4], "date": pd.Timestamp("2025-05-05"), "amount": 5.0})
    read = rm.read_contacts(engine(contacts), until="until")
    found = rm.logs.customer_features(log, read, as_of="2026-03-15")
    assert found["running_club"].tolist() == [1, 0, 1, 0]
    assert found["contacts_club"].tolist() == [0, 0, 0, 0]  # they began more than 13 weeks before
    assert "running_mail" not in found
    later = rm.logs.customer_features(log, read, as_of="2026-03-17")
    assert later["running_club"].tolist() == [1, 0, 1, 0]


def test_the_future_can_be_anything(rows):
    rng = np.random.default_rng(3)
    log, day = orders(rng), pd.Timestamp("2026-03-15")
    contacts = rows.assign(date=pd.to_datetime(rows["date"], format="%d.%m.%Y"))
    first = rm.logs.customer_features(log, contacts, as_of=day)

    def permuted(frame):
        later = frame["date"] >= day
        shuffled = frame.copy()
        for name in frame.columns.drop("date"):
            shuffled.loc[later, name] = rng.permutation(frame.loc[later, name].to_numpy())
        return shuffled

    pd.testing.assert_frame_equal(first, rm.logs.customer_features(permuted(log), permuted(contacts), as_of=day))
    pd.testing.assert_frame_equal(
        first, rm.logs.customer_features(log[log["date"] < day], contacts[contacts["date"] < day], as_of=day),
        check_like=True,
    )  # fmt: skip


def test_engines_give_the_same_features(tmp_path):
    log = orders(np.random.default_rng(4))
    log.to_parquet(tmp_path / "log.parquet")
    first, *others = (
        rm.logs.customer_features(source, as_of="2026-01-15")
        for source in (log, pl.from_pandas(log), duckdb.from_df(log), tmp_path / "log.parquet")
    )
    for other in others:
        pd.testing.assert_frame_equal(first, other, check_dtype=False)


def test_a_day_before_the_log_is_refused():
    with pytest.raises(ValueError, match="no order lies before as_of 2024-01-01"):
        rm.logs.customer_features(orders(np.random.default_rng(5)), as_of="2024-01-01")
