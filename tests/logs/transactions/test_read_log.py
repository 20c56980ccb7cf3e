"""What read_transactions sets aside, converts and refuses."""

import csv
import datetime as dt
from functools import partial

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.logs.transactions import read_log as module
from retention_models.logs.transactions import summary
from retention_models.logs.transactions.purchases import purchases
from retention_models.tables import files
from retention_models.tables.frames import collect

# Of logs with three rows a third is set aside where one of them is at fault.
read_transactions = partial(module.read_transactions, max_set_aside=1)
summarize = partial(summary.summarize, max_set_aside=1)


def log(**columns):
    """Three good rows, with columns replaced."""
    good = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-08", "2024-01-09"], "amount": [10.0, 20.0, 5.0]}
    return pd.DataFrame(good | columns)


def bought(transactions, granularity="D"):
    table = collect(purchases(transactions, granularity).sort("customer_id", "period"))
    return table.assign(period=table["period"].astype(str)).to_dict("list")


def test_nothing_is_set_aside_from_a_clean_log():
    transactions = read_transactions(log())
    assert transactions.set_aside == {}
    assert transactions.rows == 3
    assert (transactions.first_date, transactions.last_date) == (dt.date(2024, 1, 1), dt.date(2024, 1, 9))


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("customer_id", [1, None, 2], "rows without a customer_id"),
        ("customer_id", ["a", None, "b"], "rows without a customer_id"),
        ("date", ["2024-01-01", None, "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "2024-02-30", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "8.1.", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "Q1 2024", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "infinity", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "290000-01-01", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "2024-01-08 10:00 foo", "2024-01-09"], "rows without a readable date"),
        ("date", ["2024-01-01", "2024-01-08 10:00 or so", "2024-01-09"], "rows without a readable date"),
        ("date", pd.to_datetime(["2024-01-01", None, "2024-01-09"]), "rows without a readable date"),
        ("amount", [10.0, None, 5.0], "rows without a finite amount"),
        ("amount", [10.0, np.inf, 5.0], "rows without a finite amount"),
        ("amount", ["10", "ten", "5"], "rows without a finite amount"),
        ("amount", pd.array([10.0, None, 5.0], dtype="Float64"), "rows without a finite amount"),
        ("amount", [10.0, 1e308, 5.0], "rows with an amount of 1e15 or more"),
        ("amount", [10.0, -1e15, 5.0], "rows with an amount of 1e15 or more"),
    ],
)
def test_a_faulty_row_is_set_aside_and_counted_under_its_reason(column, values, reason):
    transactions = read_transactions(log(**{column: values}))
    assert transactions.set_aside == {reason: 1}
    assert transactions.rows == len(transactions.frame) == 2


def test_a_row_with_several_faults_is_counted_once():
    transactions = read_transactions(
        log(customer_id=[1, None, 2], date=["2024-01-01", "?", "?"], amount=[10.0, np.nan, -5.0])
    )
    assert transactions.set_aside == {"rows without a customer_id": 1, "rows without a readable date": 1}
    assert transactions.rows == 1


def test_a_zero_amount_is_a_purchase_unless_set_aside():
    gift = log(amount=[10.0, 0.0, 5.0])
    assert read_transactions(gift).set_aside == {}
    assert read_transactions(gift, zeros="set_aside").set_aside == {"rows with an amount of zero": 1}


def test_without_money_amounts_are_not_looked_at():
    transactions = read_transactions(log(amount=[None, "?", -1]), amount=None)
    assert (transactions.rows, transactions.has_amount) == (3, False)


def test_further_columns_are_not_read():
    transactions = read_transactions(log(channel=["web", "shop", "web"], amount=[10.0, -1.0, 5.0]))
    assert transactions.frame.columns.tolist() == transactions.columns == ["customer_id", "date", "amount"]


def test_columns_are_called_by_their_role():
    frame = log().rename(columns={"customer_id": "who", "date": "when", "amount": "how much"})
    transactions = read_transactions(frame, customer_id="who", date="when", amount="how much")
    pd.testing.assert_frame_equal(transactions.frame, read_transactions(log()).frame)


def test_the_log_passed_in_is_not_changed():
    frame = log(amount=["1", "?", "3"])
    before = frame.copy()
    read_transactions(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_ids_that_are_floats_only_because_some_are_missing_become_whole_again():
    frame = read_transactions(log(customer_id=[1, None, 2])).frame
    assert frame["customer_id"].tolist() == [1, 2]
    assert pd.api.types.is_integer_dtype(frame["customer_id"])


BLANK_IDS = {
    "customer_id": ["Ann", "", "Zoë", " ", "~", "\u00a0\t "],
    "date": [dt.datetime(2024, 1, 1)] * 6,
    "amount": [1.0] * 6,
}


def to_csv(frame, folder):
    frame.to_csv(folder / "log.csv", index=False, quoting=csv.QUOTE_ALL)
    return folder / "log.csv"


def categorised(frame):
    return frame.astype({"customer_id": "category"})


@pytest.mark.parametrize(
    "engine",
    [
        *(lambda frame, _, kind=kind: frame.astype({"customer_id": kind}) for kind in (object, str, "string")),
        lambda frame, _: categorised(frame),
        lambda frame, _: pl.DataFrame(frame.to_dict("list")),
        lambda frame, _: pl.DataFrame(frame.to_dict("list")).lazy(),
        lambda frame, _: pl.DataFrame(frame.to_dict("list")).with_columns(pl.col("customer_id").cast(pl.Categorical)),
        lambda frame, _: duckdb.from_df(frame),
        lambda frame, _: duckdb.from_df(categorised(frame)),
        to_csv,
    ],
)
def test_blank_text_is_no_id_on_any_engine(engine, tmp_path):
    log = engine(pd.DataFrame(BLANK_IDS), tmp_path)
    assert read_transactions(log).set_aside == {"rows without a customer_id": 3}
    assert summarize(log).index.tolist() == ["Ann", "Zoë", "~"]


def test_blanks_do_not_make_whole_ids_text(tmp_path):
    frame = log(customer_id=pd.Series([1, " ", 2], dtype=object))
    for source in (frame, to_csv(frame, tmp_path)):
        assert read_transactions(source).set_aside == {"rows without a customer_id": 1}
        assert summarize(source).index.tolist() == [1, 2]


@pytest.mark.parametrize("engine", [pd.DataFrame, lambda frame: pl.DataFrame(dict(frame)), duckdb.from_df])
def test_amounts_that_have_no_sum_are_set_aside_before_they_are_added(engine):
    frame = log(date=pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-08"]), amount=[999e12, 1e308, -1e308])
    summary = summarize(engine(frame), refunds="net")
    assert summary.attrs["set_aside"] == {"rows with an amount of 1e15 or more": 2}
    assert summary.index.tolist() == [1]


# What one purchase is.


def test_rows_of_a_customer_in_one_period_are_one_purchase():
    same_day = log(date=["2024-01-01 09:00", "2024-01-01 17:30", "2024-01-09 00:00"])
    transactions = read_transactions(same_day)
    days = {"customer_id": [1, 2], "period": ["2024-01-01", "2024-01-09"], "amount": [30.0, 5.0]}
    assert bought(transactions) == days
    assert len(bought(transactions, "h")["period"]) == 3


def test_weeks_begin_on_monday():
    transactions = read_transactions(log(date=["2024-01-07", "2024-01-08", "2024-01-14"]))
    assert bought(transactions, "W")["period"] == ["2024-01-01", "2024-01-08", "2024-01-08"]


@pytest.mark.parametrize("engine", [pd.DataFrame, pl.DataFrame])
def test_returns_are_taken_off_the_purchases_before_them(engine):
    frame = {
        "customer_id": [1, 1, 1, 1, 2, 2],
        "date": [dt.datetime(2024, 1, day) for day in (1, 1, 8, 8, 3, 4)],
        "amount": [0.1 + 0.2, -0.3, 20.0, -5.0, 7.0, -7.0],
    }
    transactions = read_transactions(engine(frame))
    assert transactions.set_aside == {}
    left = {"customer_id": [1], "period": ["2024-01-08"], "amount": [15.0]}
    assert bought(transactions) == left


def test_a_day_of_gifts_stays_a_purchase_when_refunds_are_netted():
    transactions = read_transactions(log(amount=[0.0, 20.0, 5.0]), refunds="net")
    assert len(bought(transactions)["period"]) == 3


def test_refunds_can_be_forbidden():
    with pytest.raises(ValueError, match="'amount' is negative in 1 of 3 rows, which refunds='error' forbids"):
        read_transactions(log(amount=[10.0, -20.0, 5.0]), refunds="error")


# Time zones.

INSTANTS = pd.to_datetime(["2024-01-01 23:30", "2024-01-08 12:00", "2024-07-01 22:30"]).tz_localize("UTC")


@pytest.mark.parametrize("engine", [pd.DataFrame, pl.DataFrame, lambda frame: pl.DataFrame(frame).lazy()])
def test_days_are_those_of_the_wall_clock_in_the_zone_that_the_dates_have(engine):
    here = read_transactions(engine(dict(log(date=INSTANTS))))
    there = read_transactions(engine(dict(log(date=INSTANTS))), time_zone="Europe/Berlin")
    assert bought(here)["period"] == ["2024-01-01", "2024-01-08", "2024-07-01"]
    assert bought(there)["period"] == ["2024-01-02", "2024-01-08", "2024-07-02"]


def test_dates_of_several_zones_need_a_time_zone():
    zones = ["UTC", "Asia/Tokyo", "UTC"]
    mixed = log(
        date=pd.Series([stamp.tz_convert(zone) for stamp, zone in zip(INSTANTS, zones, strict=True)], dtype=object)
    )
    with pytest.raises(ValueError, match=r"'date' mixes time zones \(\+00:00 and \+09:00 among them\); pass time_zone"):
        read_transactions(mixed)
    assert bought(read_transactions(mixed, time_zone="Europe/Berlin"))["period"][0] == "2024-01-02"


def test_text_with_one_offset_is_read_by_the_clock_it_was_written_by():
    text = ["2024-01-01 23:30+02:00", "2024-01-08T12:00:00.5+02:00", "2024-07-01 00:30:00 +02:00"]
    assert bought(read_transactions(log(date=text)))["period"] == ["2024-01-01", "2024-01-08", "2024-07-01"]


@pytest.mark.parametrize(
    ("zones", "spelt"),
    [
        (("Z", "+00:00", "z"), "2024-01-01 10:20"),
        (("+0000", " UTC", "-00:00"), "2024-01-01 10:20:30"),
        ((" GMT", "+00", " utc"), "2024-01-01T10:20:30.5"),
        (("+0200", "+02", " +02:00"), "2024-01-01 10:20"),
        (("-0330", "-03:30", "-03:30 "), "2024-01-01 10:20:03"),
        ((" CET", " CET", "CET"), "2024-01-01 10:20"),
        ((" Europe/Berlin",) * 3, "2024-01-01 10:20"),
    ],
)
def test_a_zone_is_the_same_however_it_is_spelt(zones, spelt):
    transactions = read_transactions(log(date=[spelt + zone for zone in zones]))
    assert transactions.set_aside == {}
    assert transactions.frame["date"].unique().tolist() == [pd.Timestamp(spelt)]
    in_berlin = read_transactions(log(date=[spelt + zone for zone in zones]), time_zone="Europe/Berlin").frame["date"]
    assert len(set(in_berlin)) == 1


BLANKS = [" {}", "{} ", "\t{}  ", "          {}", "\u00a0{}\u00a0"]
CLOCKS = ["2024-01-08", "2024-01-08 10:20", "2024-01-08T10:20:30", "2024-01-08 10:20:30.5", "2024-01-08 10:20:30Z"]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("engine", [pd.DataFrame, duckdb.from_df])
def test_blanks_around_dates_and_amounts_do_not_matter(blank, engine):
    for date, amounts in zip(CLOCKS, [("20", "20,50", "1e3"), *[("20",)] * 4], strict=True):
        for amount in amounts:
            frame = log(date=[blank.format(date), date, date], amount=[blank.format(amount), amount, amount])
            read = read_transactions(engine(frame), refunds="net")
            assert read.set_aside == {}
            frame = read.frame if engine is pd.DataFrame else read.frame.df()
            assert frame["date"].unique().tolist() == [pd.Timestamp(date).tz_localize(None)]
            assert len(set(frame["amount"])) == 1
    zoned = log(date=[blank.format("2024-01-08 10:20+02:00")] * 3)
    assert read_transactions(zoned, time_zone="UTC").frame["date"].unique().tolist() == [
        pd.Timestamp("2024-01-08 08:20")
    ]


@pytest.mark.parametrize("bare", ["2024-01-08 12:00", "2024-01-08"])
def test_text_with_and_without_a_zone_cannot_be_compared(bare):
    text = ["2024-01-01T23:30:00Z", bare, "2024-07-01T00:30:00Z"]
    for zone in (None, "Asia/Tokyo"):
        with pytest.raises(ValueError, match=r"mixes times with a zone \(\+00:00 among them\) and times without one: "):
            read_transactions(log(date=text), time_zone=zone)


def test_dates_without_a_zone_cannot_be_converted():
    with pytest.raises(ValueError, match="no time zone to convert from; leave out time_zone='Asia/Tokyo'"):
        read_transactions(log(date=INSTANTS.tz_localize(None)), time_zone="Asia/Tokyo")


# What is refused.


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"refunds": "ignore"}, "refunds must be one of 'net', 'set_aside', 'error', not 'ignore'"),
        ({"zeros": "drop"}, "zeros must be one of 'keep', 'set_aside', not 'drop'"),
        ({"time_zone": "Berlin"}, "time_zone 'Berlin' is not known; write it like 'Europe/Berlin' or 'UTC'"),
        ({"customer_id": "who"}, r"no column 'who'; it has customer_id, date, amount\. Say which is which"),
        ({"amount": "price"}, r"no column 'price'.*amount=None where there is no money"),
    ],
)
def test_keywords_that_cannot_be_are_named(keywords, message):
    with pytest.raises(ValueError, match=message):
        read_transactions(log(), **keywords)


def test_granularity_must_be_a_period_that_engines_know():
    with pytest.raises(ValueError, match="granularity must be one of 'W', 'D', 'h', 'min', 's', not 'M'"):
        purchases(read_transactions(log()), "M")


@pytest.mark.parametrize("empty", [log()[:0], pd.DataFrame(columns=["customer_id", "date", "amount"])])
def test_an_empty_log_is_refused(empty):
    with pytest.raises(ValueError, match="the log has no rows"):
        read_transactions(empty)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, "", "NaT"])
def test_a_log_without_any_date_says_so(missing):
    with pytest.raises(ValueError, match="no row of the log can be used: 3 rows without a readable date"):
        read_transactions(log(date=[missing] * 3))


def test_columns_of_the_same_name_are_refused():
    doubled = log().assign(extra=1.0).set_axis(["customer_id", "date", "amount", "amount"], axis=1)
    with pytest.raises(ValueError, match="the log has more than one column called amount; rename or drop all but one"):
        read_transactions(doubled)


def test_a_column_that_has_the_name_of_a_part_is_not_taken_for_it():
    transactions = read_transactions(log(when=["2023-01-01"] * 3), date="when")
    assert transactions.last_date == dt.date(2023, 1, 1)


def test_ids_of_several_types_are_refused():
    with pytest.raises(ValueError, match=r"'customer_id' mixes types \(2 int, 1 str\); convert all"):
        read_transactions(log(customer_id=pd.Series([1, "1", 2], dtype=object)))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("date", [True, False, True], "'date' holds Boolean, not dates"),
        ("amount", [True, False, True], "'amount' holds Boolean, not numbers"),
        ("amount", pd.to_datetime(["2024-01-01"] * 3), "'amount' holds Datetime.*, not numbers"),
    ],
)
def test_columns_of_the_wrong_type_are_refused(column, values, message):
    with pytest.raises(ValueError, match=message):
        read_transactions(log(**{column: values}))


@pytest.mark.parametrize("source", [None, [1, 2], {"customer_id": [1]}, pd.Series([1]), b"log.csv"])
def test_what_is_no_log_is_refused(source):
    with pytest.raises(TypeError, match=f"must be the path of a file, or a frame of .* not {type(source).__name__}"):
        read_transactions(source)


@pytest.mark.parametrize("engine", [pl.DataFrame, pl.LazyFrame])
def test_text_in_a_polars_frame_is_parsed_and_the_rows_stay_there(engine):
    transactions = read_transactions(
        engine(log(amount=["1.50", "x", "2"], date=["2024-01-01", "2024-01-08", " 2024-01-09 "]).to_dict("list"))
    )
    assert type(transactions.frame) is engine
    assert transactions.set_aside == {"rows without a finite amount": 1}
    assert transactions.frame.lazy().collect()["amount"].to_list() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("values", "rule", "keywords"),
    [
        ({"date": ["soon"] * 3}, "column 'ts' has values such as 'soon', which date_format='iso' does not read", {}),
        ({"amount": ["five"] * 3}, "column 'total' has values such as 'five', which decimal='.' does not read", {}),
        ({"amount": [10.0, -20.0, 5.0]}, "column 'total' is negative in 1 of 3 rows", {"refunds": "error"}),
        ({}, "column 'ts' holds times without a zone", {"time_zone": "Europe/Berlin"}),
    ],
)
def test_errors_call_columns_by_the_names_they_have_in_the_log(values, rule, keywords):
    rows = log(**values).rename(columns={"customer_id": "user", "date": "ts", "amount": "total"})
    with pytest.raises(ValueError, match=rule):
        read_transactions(rows, customer_id="user", date="ts", amount="total", **keywords)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_log_from_a_small_file_stays_as_it_was_read(tmp_path, ending):
    path = tmp_path / f"orders{ending}"
    log().to_csv(path, index=False)
    read = module.read_transactions(path)
    log(amount=[0.0, 0.0, 0.0]).head(1).to_csv(path, index=False)
    assert bought(read) == bought(module.read_transactions(log()))


def test_the_rows_of_large_files_stay_in_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_KEPT", 1)
    path = tmp_path / "orders.csv"
    log().to_csv(path, index=False)
    read = module.read_transactions(path)
    assert bought(read) == bought(module.read_transactions(log()))
    path.unlink()
    with pytest.raises(files.UnreadableError):
        bought(read)
