"""CSV and Parquet files: what is understood, and what is said of files that cannot be read."""

import datetime as dt
import gzip

import polars as pl
import pytest

from retention_models.logs.transactions.read_log import read_transactions
from retention_models.logs.transactions.summary import summarize
from retention_models.tables.engines import column_names

CLEAN = "customer_id,date,amount\n1,2024-01-01,10.5\n2,2024-01-02 14:05,20\n"


def write(folder, content, name="log.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(content.encode(encoding))
    return path


def rows(source, **keywords):
    return read_transactions(source, **keywords).frame.fetchall()


EXPECTED = [(1, dt.datetime(2024, 1, 1), 10.5), (2, dt.datetime(2024, 1, 2, 14, 5), 20.0)]


@pytest.mark.parametrize(
    "content",
    [
        CLEAN,
        "\ufeff" + CLEAN,
        CLEAN.replace("\n", "\r\n"),
        CLEAN.replace(",", ";"),
        CLEAN.replace(",", "\t"),
        CLEAN.replace(",", "|"),
        CLEAN.replace(",", ";").replace("10.5", "10,5"),
        CLEAN.replace(",", ";").replace("10.5", "10,50"),
        CLEAN.replace("10.5", '"10.5"').replace("date", '"date"'),
        CLEAN + "\n",
    ],
)
def test_csv_files_are_read_however_they_are_written(tmp_path, content):
    assert rows(write(tmp_path, content)) == EXPECTED


def test_blanks_around_values_are_no_part_of_them(tmp_path):
    path = write(
        tmp_path, 'customer_id, date, amount, shop\n 1, 2024-01-01 , 10.5, Bonn \n2\t,\t2024-01-02 14:05,20 , "A b"\n'
    )
    assert rows(path) == EXPECTED
    named = write(tmp_path, 'customer_id; date; amount\n Zoë ;2024-01-01;"1,5"\nZoë; 2024-01-02;2,5\n')
    assert rows(named) == [("Zoë", dt.datetime(2024, 1, 1), 1.5), ("Zoë", dt.datetime(2024, 1, 2), 2.5)]


def test_a_thousand_with_a_comma_is_not_taken_for_a_decimal(tmp_path):
    path = write(tmp_path, CLEAN.replace(",", ";").replace("10.5", "1,500"))
    with pytest.raises(ValueError, match=r"'1,500' in 1 of 2 rows.* 1500.0 with decimal='\.', or 1.5 with decimal=','"):
        read_transactions(path)
    assert 1.5 in read_transactions(path, decimal=",").frame.df()["amount"].tolist()


def test_a_time_before_or_after_noon_is_not_taken_for_one_with_a_zone(tmp_path):
    path = write(tmp_path, CLEAN.replace("14:05", "02:05 PM"))
    log = read_transactions(path)
    assert not log.set_aside
    assert 14 in [moment.hour for moment in log.frame.df()["date"]]


def test_columns_without_a_name_are_called_by_their_position(tmp_path):
    lines = CLEAN.splitlines()
    numbered = [f"{number},{line}" for number, line in zip(["", 0, 1], lines, strict=True)]
    path = write(tmp_path, "\n".join(numbered))
    assert column_names(path) == ["column1", "customer_id", "date", "amount"]
    assert rows(path) == EXPECTED


def test_a_path_can_be_text_or_a_pattern(tmp_path):
    write(tmp_path, CLEAN, "one.csv")
    write(tmp_path, CLEAN, "two.csv")
    assert rows(str(tmp_path / "one.csv")) == EXPECTED
    assert sorted(rows(tmp_path / "*.csv")) == sorted(EXPECTED * 2)


def test_bad_rows_are_counted_not_thrown_even_at_the_end_of_a_long_file(tmp_path):
    lines = [f"{n % 50},2024-01-{n % 28 + 1:02},1.50" for n in range(60_000)]
    path = write(tmp_path, "\n".join(["customer_id,date,amount", *lines, "7,soon,1", "7,2024-01-05,much", ",,"]))
    transactions = read_transactions(path)
    assert transactions.rows == 60_000
    assert transactions.set_aside == {
        "rows without a customer_id": 1,
        "rows without a readable date": 1,
        "rows without a finite amount": 1,
    }


@pytest.mark.parametrize(
    ("ids", "expected"), [(("1", "20"), [1, 20]), (("01", "20"), ["01", "20"]), (("1", "A"), ["1", "A"])]
)
def test_ids_become_numbers_only_if_all_are_and_nothing_is_lost(tmp_path, ids, expected):
    path = write(tmp_path, "customer_id,date\n" + "".join(f"{value},2024-01-01\n" for value in ids))
    assert [row[0] for row in rows(path, amount=None)] == expected
    assert summarize(path, amount=None).index.tolist() == expected


def test_further_columns_are_not_read(tmp_path):
    path = write(tmp_path, "channel,customer_id,date,amount\nfilial,1,2024-01-01,2\n")
    frame = read_transactions(path).frame
    assert frame.columns == ["customer_id", "date", "amount"]
    assert frame.fetchall() == [(1, dt.datetime(2024, 1, 1), 2.0)]


def test_instants_of_a_parquet_file_are_days_of_utc_unless_told_otherwise(tmp_path):
    evening = dt.datetime(2024, 1, 1, 23, 30, tzinfo=dt.UTC)
    path = tmp_path / "log.parquet"
    pl.DataFrame({"customer_id": [1], "date": [evening], "amount": [1.0]}).write_parquet(path)
    assert rows(path)[0][1] == dt.datetime(2024, 1, 1, 23, 30)
    assert rows(path, time_zone="Europe/Berlin")[0][1] == dt.datetime(2024, 1, 2, 0, 30)


def test_text_with_zones_is_converted_to_one(tmp_path):
    text = "customer_id,date\n1,2024-01-01T23:30:00Z\n1,2024-07-01 23:30:00+02:00\n1,2024-07-02 08:00 Asia/Tokyo\n"
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match="'date' mixes time zones"):
        read_transactions(path, amount=None)
    dates = [row[1] for row in rows(path, amount=None, time_zone="Europe/Berlin")]
    assert dates == [dt.datetime(2024, 1, 2, 0, 30), dt.datetime(2024, 7, 1, 23, 30), dt.datetime(2024, 7, 2, 1, 0)]


# What cannot be read.


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.csv: there is no such file"):
        read_transactions(tmp_path / "missing.csv")


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"log\.json: expected a file that ends in \.csv, .*\.xlsx"):
        read_transactions(write(tmp_path, CLEAN, "log.json"))


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"log\.csv is empty: expected the names of columns in the first line"):
        read_transactions(write(tmp_path, ""))


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the log has no rows"):
        read_transactions(write(tmp_path, "customer_id,date,amount\n"))


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    path = write(tmp_path, CLEAN.replace("customer_id", "kunde").replace("amount", "betrag"))
    with pytest.raises(ValueError, match="no column 'customer_id', 'amount'; it has kunde, date, betrag"):
        read_transactions(path)
    with pytest.raises(ValueError, match=r"no column 'amount'; it has kunde, date, betrag\."):
        read_transactions(path, customer_id="kunde")


def test_doubled_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="more than one column called amount; rename or drop all but one"):
        read_transactions(write(tmp_path, "customer_id,date,amount,amount\n1,2024-01-01,1,2\n"))


@pytest.mark.parametrize(("header", "good_lines"), [("größe", 0), ("ort", 0), ("ort", 99_999)])
def test_latin_1_text_is_refused_with_its_line_and_the_cure(tmp_path, header, good_lines):
    lines = "1,2024-01-01,1,Bonn\n" * good_lines
    path = write(tmp_path, f"customer_id,date,amount,{header}\n{lines}1,2024-01-01,1,Köln\n", encoding="latin-1")
    line = 1 if header == "größe" else good_lines + 2
    with pytest.raises(ValueError, match=rf"log\.csv is not UTF-8 text \(line {line:,}\); state its encoding"):
        read_transactions(path)
    assert read_transactions(path, encoding="latin-1").rows == good_lines + 1


def test_a_line_of_another_length_is_named(tmp_path):
    rule = r"log\.csv cannot be read: each line must have as many values as the first\. "
    with pytest.raises(ValueError, match=rf"{rule}.*log\.csv has 2 instead of 3 in line 4$"):
        read_transactions(write(tmp_path, CLEAN + "1,2024-01-05\n"))
    with pytest.raises(ValueError, match=r"log\.csv has 4 instead of 3 in line 5$"):
        read_transactions(write(tmp_path, CLEAN + "\n1,2024-01-05,3,4\n"))
    split = 'customer_id,date,amount\n"1\n1",2024-01-01,1\n2,2024-01-02\n'
    with pytest.raises(ValueError, match=r"log\.csv has 2 instead of 3 in line 4$"):
        read_transactions(write(tmp_path, split))


def test_a_line_of_another_length_is_found_in_the_file_where_it_is(tmp_path):
    write(tmp_path, CLEAN, "a.csv")
    write(tmp_path, CLEAN + "1,2024-01-05\n", "b.csv")
    with pytest.raises(ValueError, match=r"\*\.csv cannot be read: .* .*b\.csv has 2 instead of 3 in line 4$"):
        read_transactions(tmp_path / "*.csv")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress((CLEAN + "1\n").encode()))
    with pytest.raises(ValueError, match=r"c\.csv\.gz has 1 instead of 3 in line 4$"):
        read_transactions(tmp_path / "c.csv.gz")


@pytest.mark.parametrize("value", ['"open', '"closed" early'])
def test_a_value_whose_quotes_are_damaged_is_named(tmp_path, value):
    with pytest.raises(ValueError, match=r"log\.csv has a damaged value in line 4: "):
        read_transactions(write(tmp_path, CLEAN + f"{value},2024-01-05,1\n"))


def test_a_damaged_parquet_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"log\.parquet cannot be read: the file is damaged"):
        read_transactions(write(tmp_path, CLEAN, "log.parquet"))


def test_files_of_a_pattern_need_the_same_columns(tmp_path):
    write(tmp_path, CLEAN, "one.csv")
    write(tmp_path, CLEAN.replace("amount", "price"), "two.csv")
    with pytest.raises(ValueError, match=r"two\.csv has other columns than .*one\.csv: customer_id, date, price"):
        read_transactions(tmp_path / "*.csv")
