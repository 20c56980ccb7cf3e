"""What can be read in two ways, or in none, is refused with a value, its rows, and the option that settles it."""

import re
import runpy
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.cli import main

FORMS = runpy.run_path(str(Path(__file__).with_name("forms.py")))
rows_of, to_workbook, write_csv = FORMS["rows_of"], FORMS["to_workbook"], FORMS["write_csv"]

TEMPLATE = re.compile(r"\{[A-Za-z_][\w.\[\]]*(![rsa])?(:[^}]*)?\}")
PLAIN_DAYS = ["2024-03-14", "2024-03-15", "2024-04-02", "2024-04-03"]
PLAIN_AMOUNTS = ["10.5", "20.25", "30", "40.75"]


def message(error, *words):
    """The message of an error, which has the words and is no template that nobody has filled in."""
    text = str(error.value)
    assert not TEMPLATE.search(text), text
    for word in words:
        assert re.search(word, text), f"no {word!r} in: {text}"
    return text


def columns(days=PLAIN_DAYS, amounts=PLAIN_AMOUNTS):
    n = max(len(days), len(amounts))
    return {
        "Customer": [f"C{i % 3}" for i in range(n)],
        "Order Date": (days * n)[:n],
        "Total": (amounts * n)[:n],
    }


NAMES = {"customer_id": "Customer", "date": "Order Date", "amount": "Total"}


def spread(first, *patterns):
    """Days of each pattern, of which many come after the 12th."""
    dates = pd.date_range(first, periods=40, freq="8D")
    return [day.strftime(patterns[i % len(patterns)]) for i, day in enumerate(dates)]


DMY, MDY = "%d/%m/%Y", "%m/%d/%Y"
AMBIGUOUS_DAYS = {  # values; what they mean under each date_format
    "all days up to the 12th": (
        ["3/4/2024", "5/6/2024", "7/8/2024", "9/10/2024"],
        {
            DMY: ["2024-04-03", "2024-06-05", "2024-08-07", "2024-10-09"],
            MDY: ["2024-03-04", "2024-05-06", "2024-07-08", "2024-09-10"],
        },
    ),
    "the first of every month": (
        ["01/01/2024", "01/02/2024", "01/03/2024", "01/12/2024"],
        {
            DMY: ["2024-01-01", "2024-02-01", "2024-03-01", "2024-12-01"],
            MDY: ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-12"],
        },
    ),
    "one day alone": (
        ["03/04/2024"] * 12,
        {DMY: ["2024-04-03"] * 12, MDY: ["2024-03-04"] * 12},
    ),
    "with a time": (
        ["03/04/2024 10:15", "05/06/2024 18:02"],
        {
            "%d/%m/%Y %H:%M": ["2024-04-03 10:15", "2024-06-05 18:02"],
            "%m/%d/%Y %H:%M": ["2024-03-04 10:15", "2024-05-06 18:02"],
        },
    ),
    "with AM and PM": (
        ["03/04/2024 10:15 AM", "05/06/2024 06:02 PM"],
        {
            "%d/%m/%Y %I:%M %p": ["2024-04-03 10:15", "2024-06-05 18:02"],
            "%m/%d/%Y %I:%M %p": ["2024-03-04 10:15", "2024-05-06 18:02"],
        },
    ),
    "two digits of the year": (
        ["03/04/24", "05/06/24"],
        {"%d/%m/%y": ["2024-04-03", "2024-06-05"], "%m/%d/%y": ["2024-03-04", "2024-05-06"]},
    ),
    "no zeros and two digits": (
        ["3/4/24", "5/6/24"],
        {"%d/%m/%y": ["2024-04-03", "2024-06-05"], "%m/%d/%y": ["2024-03-04", "2024-05-06"]},
    ),
}

UNREADABLE_DAYS = {  # values; a value that the message shows; the format that reads them, and what they mean
    "both orders in one column": (spread("2024-01-03", DMY, MDY), r"\d\d/\d\d/2024", None),
    "an ISO day, then an American one": (spread("2024-01-13", "%Y-%m-%d", MDY), r"\d\d/\d\d/2024|2024-\d\d-\d\d", None),
    "points, then slashes": (spread("2024-01-03", "%d.%m.%Y", DMY), r"\d\d[./]\d\d[./]2024", None),
    "quarters": (["Q1 2024", "Q2 2024", "Q3 2024"], "Q[123] 2024", None),
    "weeks": (["2024-W03", "2024-W04"], "2024-W0[34]", None),
    "an order with the zone in letters": (["Mar 14, 2024 10:15:22 AM PDT"] * 3, "Mar 14, 2024 10:15:22 AM PDT", None),
    "underscores between": (
        ["2024_03_14", "2024_04_02"],
        "2024_03_14|2024_04_02",
        ("%Y_%m_%d", ["2024-03-14", "2024-04-02"]),
    ),
    "hours and no days": (["10:15", "18:02"], "10:15|18:02", None),
    "words": (["yesterday", "last week"], "yesterday|last week", None),
    "months without a day": (["03/2024", "04/2024"], "03/2024|04/2024", None),
    "a thirteenth month on both sides": (["13/14/2024", "15/16/2024"], "13/14/2024|15/16/2024", None),
    "the 30th of February throughout": (["30/02/2024", "31/02/2024"], "3[01]/02/2024", None),
    "one in ten is of another form": (spread("2024-01-03", *[DMY] * 9, "%d %B"), r"\d\d \w+", None),
}

POINT, COMMA = ".", ","
AMBIGUOUS_AMOUNTS = {  # values; what they mean under each decimal
    "points before three digits": (
        ["1.234", "5.678", "12.345"],
        {POINT: [1.234, 5.678, 12.345], COMMA: [1234, 5678, 12345]},
    ),
    "commas before three digits": (
        ["1,234", "5,678", "12,345"],
        {POINT: [1234, 5678, 12345], COMMA: [1.234, 5.678, 12.345]},
    ),
    "points before three digits, with a sign": (
        ["€1.234", "€5.678"],
        {POINT: [1.234, 5.678], COMMA: [1234, 5678]},
    ),
    "commas before three digits, with a code": (
        ["JPY 1,234", "JPY 5,678"],
        {POINT: [1234, 5678], COMMA: [1.234, 5.678]},
    ),
    "one value alone": (["1,234"] * 8, {POINT: [1234] * 8, COMMA: [1.234] * 8}),
}

UNREADABLE_AMOUNTS = {  # values; a value that the message shows
    "words": (["cheap", "dear"], "cheap|dear"),
    "both orders of the marks": (["1,234.50", "1.234,50", "2,345.50", "2.345,50"], r"\d[.,]\d{3}[.,]50"),
    "decimal points, then commas": (["12.50", "12,50", "7.25", "7,25"], r"(12|7)[.,]\d\d"),
    "ranges": (["10-20", "20-30"], "10-20|20-30"),
    "a formula": (["=A1*2", "=A2*2"], r"=A[12]\*2"),
    "dates in the place of amounts": (["14.03.2024", "15.03.2024"], r"1[45]\.03\.2024"),
}

KINDS = {
    "CSV": write_csv,
    "workbook": to_workbook,
    "pandas": lambda table, _: pd.DataFrame(table),
    "Polars": lambda table, _: pl.DataFrame(table),
    "DuckDB": lambda table, _: duckdb.from_df(pd.DataFrame(table)),
}


def any_of(values):
    return "|".join(re.escape(value) for value in set(values))


def in_order_of(name, log):
    return sorted(rows_of(log)[name].tolist())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AMBIGUOUS_DAYS)
def test_days_of_two_readings_are_refused_with_a_value_the_rows_and_the_option(name, kind, tmp_path):
    values, _ = AMBIGUOUS_DAYS[name]
    with pytest.raises(ValueError) as error:
        rm.read_transactions(KINDS[kind](columns(days=values), tmp_path), **NAMES)
    message(error, "Order Date", any_of(values), rf"\b{len(columns(days=values)['Customer'])}\b", "date_format")


@pytest.mark.parametrize("name", AMBIGUOUS_DAYS)
def test_date_format_settles_days_of_two_readings(name, tmp_path):
    values, means = AMBIGUOUS_DAYS[name]
    n = len(values)
    table = columns(values, ["5.25"] * n)
    for date_format, expected in means.items():
        for source in (write_csv(table, tmp_path), pd.DataFrame(table)):
            log = rm.read_transactions(source, **NAMES, date_format=date_format)
            assert in_order_of("date", log) == sorted(pd.to_datetime(expected, format="ISO8601"))
            assert log.rows == n


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UNREADABLE_DAYS)
def test_days_of_no_one_form_are_refused_with_a_value_and_the_option(name, kind, tmp_path):
    values, shown, _ = UNREADABLE_DAYS[name]
    with pytest.raises(ValueError) as error:
        rm.read_transactions(KINDS[kind](columns(days=values), tmp_path), **NAMES)
    message(error, "Order Date", shown, r"\d+ (of|rows)", "date_format")


@pytest.mark.parametrize("name", [name for name, (_, _, cure) in UNREADABLE_DAYS.items() if cure])
def test_date_format_reads_what_is_no_candidate(name, tmp_path):
    values, _, (date_format, expected) = UNREADABLE_DAYS[name]
    table = columns(values, ["5.25"] * len(values))
    log = rm.read_transactions(write_csv(table, tmp_path), **NAMES, date_format=date_format)
    assert in_order_of("date", log) == sorted(pd.to_datetime(expected))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AMBIGUOUS_AMOUNTS)
def test_amounts_of_two_readings_are_refused_with_a_value_the_rows_and_the_option(name, kind, tmp_path):
    values, _ = AMBIGUOUS_AMOUNTS[name]
    with pytest.raises(ValueError) as error:
        rm.read_transactions(KINDS[kind](columns(amounts=values), tmp_path), **NAMES)
    message(error, "Total", any_of(values), rf"\b{len(columns(amounts=values)['Customer'])}\b", "decimal")


@pytest.mark.parametrize("name", AMBIGUOUS_AMOUNTS)
def test_decimal_settles_amounts_of_two_readings(name, tmp_path):
    values, means = AMBIGUOUS_AMOUNTS[name]
    table = columns(["2024-03-14"] * len(values), values)
    for decimal, expected in means.items():
        for source in (write_csv(table, tmp_path), pd.DataFrame(table)):
            log = rm.read_transactions(source, **NAMES, decimal=decimal)
            assert in_order_of("amount", log) == pytest.approx(sorted(expected), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UNREADABLE_AMOUNTS)
def test_amounts_of_no_one_form_are_refused_with_a_value(name, kind, tmp_path):
    values, shown = UNREADABLE_AMOUNTS[name]
    with pytest.raises(ValueError) as error:
        rm.read_transactions(KINDS[kind](columns(amounts=values), tmp_path), **NAMES)
    message(error, "Total", shown)


# Numbers that are no days


NUMBERS = {
    "years": [2021, 2022, 2023, 2024],
    "halves": [0.5, 1.5, 2.5],
    "small numbers": [1, 2, 3],
    "below zero": [-5, -6],
    "beyond the calendar": [10**17, 10**17 + 1],
    "a yyyymmdd without such a month": [20241301, 20241402],
}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda table: duckdb.from_df(pd.DataFrame(table))])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_no_days_are_shown_and_not_called_text(name, make):
    numbers = NUMBERS[name]
    with pytest.raises(ValueError) as error:
        rm.read_transactions(make(columns(days=numbers)), **NAMES)
    shown = "|".join(re.escape(form) for number in numbers for form in (str(number), f"{number:,}"))
    text = message(error, "Order Date", rf"(?<![\d.])({shown})", "date_format")
    assert "text" not in text


def test_years_in_a_file_are_no_serial_numbers(tmp_path):
    with pytest.raises(ValueError) as error:
        rm.read_transactions(write_csv(columns(days=["2021", "2022", "2023"]), tmp_path), **NAMES)
    assert "in text" not in message(error, "Order Date", "202[123]", "date_format")


# One in a hundred


def mostly(good, bad, share_of_200):
    return [bad if i < share_of_200 else good(i) for i in range(200)]


def british(i):
    return f"{13 + i % 15}/{1 + i % 12:02d}/2024"


def german(i):
    return f"{1000 + i:,}".replace(",", ".") + ",50"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", [1, 2])
def test_one_unreadable_value_in_a_hundred_is_set_aside_and_counted(broken, kind, tmp_path):
    table = columns(mostly(british, "unknown", broken), mostly(german, "9,50", 0))
    log = rm.read_transactions(KINDS[kind](table, tmp_path), **NAMES)
    assert (log.rows, log.set_aside) == (200 - broken, {"rows without a readable date": broken})
    assert log.formats["Order Date"] == "%d/%m/%Y"
    table = columns(mostly(british, "", 0), mostly(german, "unknown", broken))
    log = rm.read_transactions(KINDS[kind](table, tmp_path), **NAMES)
    assert (log.rows, log.set_aside) == (200 - broken, {"rows without a finite amount": broken})
    assert log.formats["Total"].startswith("decimal comma")


def test_more_than_one_unreadable_value_in_a_hundred_is_refused(tmp_path):
    for table in (
        columns(mostly(british, "unknown", 3), ["9,50"]),
        columns(mostly(british, "", 0), mostly(german, "unknown", 3)),
    ):
        with pytest.raises(ValueError) as error:
            rm.read_transactions(write_csv(table, tmp_path), **NAMES)
        message(error, "unknown", r"\b3\b", "date_format|decimal")


def test_with_the_option_more_may_be_unreadable_up_to_max_set_aside(tmp_path):
    path = write_csv(columns(mostly(british, "unknown", 10), ["9.50"]), tmp_path)
    log = rm.read_transactions(path, **NAMES, date_format="%d/%m/%Y")
    assert (log.rows, log.set_aside) == (190, {"rows without a readable date": 10})
    with pytest.raises(ValueError, match="max_set_aside"):
        rm.read_transactions(path, **NAMES, date_format="%d/%m/%Y", max_set_aside=0.01)


@pytest.mark.parametrize("blank", ["", "  ", "NULL", "n/a", "-"])
def test_blanks_are_no_part_of_the_one_in_a_hundred(blank, tmp_path):
    path = write_csv(columns(mostly(british, blank, 30), ["9,50"]), tmp_path)
    log = rm.read_transactions(path, **NAMES)
    assert (log.rows, log.set_aside) == (170, {"rows without a readable date": 30})
    assert log.formats["Order Date"] == "%d/%m/%Y"


def test_a_form_that_reads_every_value_is_taken_before_one_that_reads_nearly_all(tmp_path):
    few = ["13/04/2024" if i == 7 else f"{1 + i % 12:02d}/{1 + i // 12 % 12:02d}/2024" for i in range(200)]
    log = rm.read_transactions(write_csv(columns(few, ["9.50"]), tmp_path), **NAMES)
    assert (log.rows, dict(log.formats)) == (200, {"Order Date": "%d/%m/%Y"})


# The options themselves


@pytest.mark.parametrize(
    "wrong", ["", "days", "dd/mm/yyyy", "%d/%m", 3, "unix", "%d/%m/%Y %Q", "%d/%m/%Y %H:%M %z", "%d/%m/%Y %"]
)
def test_a_date_format_that_names_no_day_is_refused(wrong):
    with pytest.raises((ValueError, TypeError)) as error:
        rm.read_transactions(pd.DataFrame(columns()), **NAMES, date_format=wrong)
    message(error, "date_format", re.escape(str(wrong)))


@pytest.mark.parametrize("wrong", ["", ";", "comma", 3, ",."])
def test_a_decimal_that_is_no_mark_is_refused(wrong):
    with pytest.raises((ValueError, TypeError)) as error:
        rm.read_transactions(pd.DataFrame(columns()), **NAMES, decimal=wrong)
    message(error, "decimal", re.escape(str(wrong)))


def test_an_option_that_contradicts_the_column_is_refused_with_a_value(tmp_path):
    path = write_csv(columns(days=["14/03/2024", "15/03/2024"]), tmp_path)
    with pytest.raises(ValueError) as error:
        rm.read_transactions(path, **NAMES, date_format="%m/%d/%Y")
    message(error, r"1[45]/03/2024", re.escape("%m/%d/%Y"))
    path = write_csv(columns(amounts=["1.234,50", "1.234,75"]), tmp_path)
    with pytest.raises(ValueError) as error:
        rm.read_transactions(path, **NAMES, decimal=".")
    message(error, r"1\.234,(50|75)", "decimal")


def test_the_options_of_a_log_that_is_already_read_are_refused():
    log = rm.read_transactions(pd.DataFrame(columns()), **NAMES)
    for option in ({"date_format": "%d/%m/%Y"}, {"decimal": ","}):
        with pytest.raises(ValueError, match=next(iter(option))):
            rm.summarize(log, **option)


@pytest.mark.parametrize("name", AMBIGUOUS_DAYS)
def test_the_command_line_refuses_days_of_two_readings_and_names_its_option(name, tmp_path, capsys):
    path = write_csv(columns(days=AMBIGUOUS_DAYS[name][0]), tmp_path)
    options = ["--customer-id", "Customer", "--date", "Order Date", "--amount", "Total"]
    fit = ["fit", "--transactions", str(path), *options, "--output", str(tmp_path / "fit.json")]
    assert main(fit) == 1
    said = capsys.readouterr().err
    assert re.search("date[-_]format", said)
    assert re.search(any_of(AMBIGUOUS_DAYS[name][0]), said)
    assert not (tmp_path / "fit.json").exists()


@pytest.mark.parametrize("name", AMBIGUOUS_AMOUNTS)
def test_the_command_line_refuses_amounts_of_two_readings_and_names_its_option(name, tmp_path, capsys):
    path = write_csv(columns(amounts=AMBIGUOUS_AMOUNTS[name][0]), tmp_path)
    options = ["--customer-id", "Customer", "--date", "Order Date", "--amount", "Total"]
    assert main(["fit", "--transactions", str(path), *options, "--output", str(tmp_path / "fit.json")]) == 1
    said = capsys.readouterr().err
    assert "decimal" in said
    assert re.search(any_of(AMBIGUOUS_AMOUNTS[name][0]), said)
