"""The same log, in every form of days and amounts and from every kind of source, is the same log."""

import runpy
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import retention_models as rm
from retention_models.cli import main

FORMS = runpy.run_path(str(Path(__file__).with_name("forms.py")))
LOG, SOURCES, DAYS, AMOUNTS = (FORMS[name] for name in ("LOG", "SOURCES", "DAYS", "AMOUNTS"))
table, write_csv, rows_of = FORMS["table"], FORMS["write_csv"], FORMS["rows_of"]
assert_same_rows, assert_stated = FORMS["assert_same_rows"], FORMS["assert_stated"]

# Days that are text in every source: numbers are written out, as in a file.
TEXT_DAYS = {
    name: FORMS["Form"](lambda day, form=form: str(form.write(day)), form.stated, form.option, form.unit)
    for name, form in DAYS.items()
}


def text_table(days="%Y-%m-%d", amounts="1234.50"):
    return table(amounts=amounts) | {"date": [TEXT_DAYS[days].write(value) for value in LOG["date"]]}


KINDS = ["CSV", "workbook", "pandas", "Polars", "DuckDB"]  # of all sources, one an engine


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("name", DAYS)
def test_days_in_text_are_the_same_days_in_every_form_and_source(name, source, tmp_path):
    log = rm.read_transactions(SOURCES[source](text_table(name), tmp_path))
    assert_same_rows(log, unit=DAYS[name].unit)
    assert_stated(log, date=DAYS[name], amount=AMOUNTS["1234.50"])


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("name", AMOUNTS)
def test_amounts_in_text_are_the_same_amounts_in_every_form_and_source(name, source, tmp_path):
    log = rm.read_transactions(SOURCES[source](text_table(amounts=name), tmp_path))
    assert_same_rows(log, unit="D")
    assert_stated(log, date=DAYS["%Y-%m-%d"], amount=AMOUNTS[name])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("pair", [("%d/%m/%Y", "1.234,50 €"), ("%m/%d/%Y %I:%M %p", "$1,234.50")])
def test_every_source_is_read_in_the_same_forms(pair, source, tmp_path):
    days, amounts = pair
    log = rm.read_transactions(SOURCES[source](text_table(*pair), tmp_path))
    assert_same_rows(log, unit=DAYS[days].unit)
    assert_stated(log, date=DAYS[days], amount=AMOUNTS[amounts])


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("name", FORMS["NUMBERED_DAYS"])
def test_days_in_columns_of_numbers_are_the_same_days(name, source, tmp_path):
    log = rm.read_transactions(SOURCES[source](table(name), tmp_path))
    assert_same_rows(log, unit=DAYS[name].unit)


TYPES = {
    "pandas, floats with gaps": lambda columns: pd.DataFrame(columns).astype({"date": float}),
    "pandas, nullable": lambda columns: pd.DataFrame(columns).astype({"date": "Int64"}),
    "pandas, 64 bits unsigned": lambda columns: pd.DataFrame(columns).astype({"date": "uint64"}),
    "pandas, objects": lambda columns: pd.DataFrame(columns).astype({"date": object}),
    "Polars, decimals": lambda columns: pl.DataFrame(columns).cast({"date": pl.Decimal(18, 0)}),
    "DuckDB, BIGINT": lambda columns: duckdb.from_df(pd.DataFrame(columns)).project(
        "customer_id, date::BIGINT AS date, amount"
    ),
    "DuckDB, DOUBLE": lambda columns: duckdb.from_df(pd.DataFrame(columns)).project(
        "customer_id, date::DOUBLE AS date, amount"
    ),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", [name for name in FORMS["NUMBERED_DAYS"] if name != "excel with a time"])
def test_the_type_of_a_column_of_numbers_does_not_matter(name, kind):
    assert_same_rows(rm.read_transactions(TYPES[kind](table(name))), unit=DAYS[name].unit)


@pytest.mark.parametrize(("encoding", "sep"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-8", "\t"), ("utf-8-sig", "|")])
@pytest.mark.parametrize("name", ["1234,50", "1,234.50", "1.234,50 €", "1 234,50 narrow no-break"])
def test_separators_and_encodings_of_a_file_do_not_matter(name, encoding, sep, tmp_path):
    path = write_csv(table("%d/%m/%Y", name), tmp_path, sep, encoding)
    log = rm.read_transactions(path)
    assert_same_rows(log, unit="D")
    assert_stated(log, date=DAYS["%d/%m/%Y"], amount=AMOUNTS[name])


@pytest.mark.parametrize("name", DAYS)
def test_date_format_says_what_would_be_found(name, tmp_path):
    log = rm.read_transactions(write_csv(table(name), tmp_path), date_format=DAYS[name].option)
    assert_same_rows(log, unit=DAYS[name].unit)


@pytest.mark.parametrize("name", AMOUNTS)
def test_decimal_says_what_would_be_found(name, tmp_path):
    log = rm.read_transactions(write_csv(table(amounts=name), tmp_path), decimal=AMOUNTS[name].option)
    assert_same_rows(log, unit="D")


def test_days_and_amounts_that_are_none_of_text_need_no_form():
    for frame in (LOG, pl.from_pandas(LOG), duckdb.from_df(LOG)):
        log = rm.read_transactions(frame)
        assert_same_rows(log)
        assert dict(log.formats) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_without_money_states_its_days_alone(kind, tmp_path):
    columns = table("%m/%d/%Y", "1.234,50")
    log = rm.read_transactions(SOURCES[kind](columns, tmp_path), amount=None)
    assert dict(log.formats) == {"date": "%m/%d/%Y"}
    assert log.rows == len(LOG)


def test_columns_that_are_not_read_may_hold_anything(tmp_path):
    columns = table("%m/%d/%Y") | {"shipped": ["3/4/2024"] * len(LOG), "tax": ["1,234"] * len(LOG)}
    log = rm.read_transactions(write_csv(columns, tmp_path))
    assert_same_rows(log, unit="D")
    assert dict(log.formats) == {"date": "%m/%d/%Y"}


def test_the_order_of_rows_does_not_matter(tmp_path):
    columns = pd.DataFrame(table("%d/%m/%Y", "1.234,50"))
    for order in (columns[::-1], columns.sort_values("amount"), columns.sample(frac=1, random_state=1)):
        log = rm.read_transactions(write_csv(order.to_dict("list"), tmp_path))
        assert_same_rows(log, unit="D")


def test_what_settles_a_form_may_come_last_in_a_long_file(tmp_path):
    n = 30_000
    days = [f"{1 + i % 12:02d}/{1 + i // 12 % 12:02d}/2024" for i in range(n)]
    columns = {"customer_id": list(range(n)), "date": [*days[:-1], "13/11/2024"], "amount": ["1,234"] * (n - 1)}
    columns["amount"].append("1,5")
    log = rm.read_transactions(write_csv(columns, tmp_path))
    assert (log.rows, log.formats["date"]) == (n, "%d/%m/%Y")
    assert rows_of(log)["amount"].sum() == pytest.approx(1.234 * (n - 1) + 1.5)


def test_files_of_one_pattern_have_one_form(tmp_path):
    columns = pd.DataFrame(table("%d/%m/%Y", "1.234,50"))
    early = columns["date"].str.slice(0, 2) <= "12"
    for number, part in enumerate((columns[early], columns[~early])):
        write_csv(part.to_dict("list"), tmp_path).rename(tmp_path / f"part{number}.csv")
    assert_same_rows(rm.read_transactions(tmp_path / "part*.csv"), unit="D")


# Summaries are those of the plain file

PAIRS = {
    "Germany": ("%d.%m.%Y", "1.234,50 €"),
    "United States": ("%m/%d/%Y %I:%M %p", "$1,234.50"),
    "United Kingdom": ("%d/%m/%Y", "£1,234.50"),
    "Switzerland": ("%d.%m.%Y %H:%M", "CHF 1'234.50"),
    "France": ("%d/%m/%Y", "1 234,50 narrow no-break"),
    "a database": ("%d-%b-%Y, capitals", "1234.50"),
    "a service": ("unix_ms", "1234.50"),
    "a spreadsheet": ("excel", "1234,5"),
    "SAP": ("yyyymmdd", "1.234,50"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The file with ISO days and decimal points."""
    return write_csv(table(), tmp_path_factory.mktemp("plain"))


CUT = {"calibration_end": "2024-01-31", "time_unit": "W"}


@pytest.fixture(scope="module")
def expected(plain):
    return rm.summarize(plain, **CUT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_summary_is_that_of_the_plain_file(pair, kind, expected, tmp_path):
    found = rm.summarize(SOURCES[kind](table(*PAIRS[pair]), tmp_path), **CUT)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-10, check_index_type=False)


def test_a_summary_takes_the_options(plain, tmp_path):
    columns = table("%d/%m/%Y", "1.234,50")
    found = rm.summarize(write_csv(columns, tmp_path), date_format="%d/%m/%Y", decimal=",")
    pd.testing.assert_frame_equal(found, rm.summarize(plain), rtol=1e-10)
    with pytest.raises(ValueError, match="date_format"):
        rm.summarize(write_csv(columns | {"date": ["3/4/2024"] * len(LOG)}, tmp_path))


# The command line


def fit_of(path, folder, *options):
    """The estimates of a fit by the command line."""
    command = ["fit", "--model", "NBD", "--transactions", str(path), "--time-unit", "W", *options]
    assert main([*command, "--output", str(folder / "fit.json")]) == 0
    return rm.Fit.from_json(folder / "fit.json").model


@pytest.mark.parametrize("pair", PAIRS)
def test_a_fit_by_the_command_line_is_that_of_the_plain_file(pair, plain, tmp_path, capsys):
    expected = fit_of(plain, tmp_path)
    capsys.readouterr()
    days, amounts = PAIRS[pair]
    found = fit_of(write_csv(table(days, amounts), tmp_path), tmp_path)
    said = "".join(capsys.readouterr())
    assert repr(found) == repr(expected)
    for form in (DAYS[days], AMOUNTS[amounts]):
        assert (form.stated or "") in said


@pytest.mark.parametrize(
    ("date_format", "decimal", "pair"),
    [
        ("%d/%m/%Y", ",", ("%d/%m/%Y", "1.234,50")),
        ("unix_s", ".", ("unix_s", "1,234.50")),
        ("excel", ",", PAIRS["a spreadsheet"]),
    ],
)
def test_the_command_line_takes_the_options(date_format, decimal, pair, plain, tmp_path):
    path = write_csv(table(*pair), tmp_path)
    found = fit_of(path, tmp_path, "--date-format", date_format, "--decimal", decimal)
    assert repr(found) == repr(fit_of(plain, tmp_path))


def test_the_options_of_the_command_line_settle_a_column_of_two_readings(tmp_path):
    days = [str(value) for value in LOG["date"].dt.day.clip(upper=12)]
    columns = table() | {"date": [f"{day}/{month}/2024" for day, month in zip(days, LOG["date"].dt.month, strict=True)]}
    iso = [f"2024-{month:02d}-{int(day):02d}" for day, month in zip(days, LOG["date"].dt.month, strict=True)]
    columns["amount"] = ["1.234"] * len(LOG)
    path = write_csv(columns, tmp_path)
    found = fit_of(path, tmp_path, "--date-format", "%d/%m/%Y", "--decimal", ",")
    plain = write_csv(columns | {"date": iso, "amount": [1234] * len(LOG)}, tmp_path)
    assert repr(found) == repr(fit_of(plain, tmp_path))


@pytest.mark.parametrize("command", ["fit", "predict", "purchases"])
def test_the_help_names_the_options(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert "--date-format" in said
    assert "--decimal" in said


# Any log


FIRST = pd.Timestamp("2015-01-01")
PURCHASES = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 10 * 365 * 86_400), st.integers(1, 5_000_000)), min_size=1, max_size=30
)
# Two rows that settle every form: a day after the 12th, in the morning; a thousand with cents, and cents alone.
SETTLING = [(1, 24 * 86_400 + 34_205, 123_456), (2, 45 * 86_400 + 60_305, 5)]


def drawn_log(purchases):
    who, seconds, amounts = (np.array(column) for column in zip(*purchases, *SETTLING, strict=True))
    dates = (FIRST + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us]")
    return pd.DataFrame({"customer_id": who, "date": dates, "amount": amounts / 100})


def frame_kinds(columns):
    """Frames with the columns as text of several types."""
    text = {name: columns[name] if name == "customer_id" else list(map(str, columns[name])) for name in columns}
    frame = pd.DataFrame(text)
    written = ["date", "amount"]
    return {
        "str": frame,
        "object": frame.astype(dict.fromkeys(written, object)),
        "Arrow": frame.astype(dict.fromkeys(written, pd.ArrowDtype(pa.string()))),
        "category": frame.astype(dict.fromkeys(written, "category")),
        "Polars": pl.DataFrame(text),
        "Polars, categories": pl.DataFrame(text).cast(dict.fromkeys(written, pl.Categorical)),
        "DuckDB": duckdb.from_df(frame),
    }


FAST = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@FAST
@given(
    purchases=PURCHASES,
    days=st.sampled_from(sorted(DAYS)),
    amounts=st.sampled_from(sorted(AMOUNTS)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    sep=st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_log_in_any_form_is_read_back_from_a_file(purchases, days, amounts, encoding, sep):
    log = drawn_log(purchases)
    with tempfile.TemporaryDirectory() as folder:
        read = rm.read_transactions(write_csv(table(days, amounts, log), Path(folder), sep, encoding))
        assert_same_rows(read, log, DAYS[days].unit)


@FAST
@given(
    purchases=PURCHASES,
    days=st.sampled_from(sorted(DAYS)),
    amounts=st.sampled_from(sorted(AMOUNTS)),
    kind=st.sampled_from(["str", "object", "Arrow", "category", "Polars", "Polars, categories", "DuckDB"]),
)
def test_any_log_in_any_form_is_read_back_from_a_frame(purchases, days, amounts, kind):
    log = drawn_log(purchases)
    read = rm.read_transactions(frame_kinds(table(days, amounts, log))[kind])
    assert_same_rows(read, log, DAYS[days].unit)


@pytest.mark.slow
@FAST
@given(purchases=PURCHASES, days=st.sampled_from(sorted(DAYS)), amounts=st.sampled_from(sorted(AMOUNTS)))
def test_any_log_has_the_same_forms_in_a_file_and_in_a_frame(purchases, days, amounts):
    columns = table(days, amounts, drawn_log(purchases))
    with tempfile.TemporaryDirectory() as folder:
        of_file = rm.read_transactions(write_csv(columns, Path(folder))).formats
    for frame in frame_kinds(columns).values():
        assert dict(rm.read_transactions(frame).formats) == dict(of_file)


@pytest.mark.slow
@FAST
@given(purchases=PURCHASES, days=st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]), refunds=st.integers(1, 5))
def test_any_refund_is_negative_however_it_is_written(purchases, days, refunds):
    log = drawn_log(purchases)
    log.loc[: min(refunds, len(purchases)) - 1, "amount"] *= -1
    plain = rm.read_transactions(log, refunds="net")
    for around in ("-{}", "({})", "{}-", "-${}", "(${})"):
        columns = table(days, "1,234.50", log.assign(amount=log["amount"].abs()))
        negative = (log["amount"] < 0).tolist()
        columns["amount"] = [
            around.format(text) if below else text for text, below in zip(columns["amount"], negative, strict=True)
        ]
        read = rm.read_transactions(pd.DataFrame(columns), refunds="net")
        assert rows_of(read)["amount"].sum() == pytest.approx(rows_of(plain)["amount"].sum())
        assert read.rows == plain.rows
