"""One log, written in the forms in which shops, banks and spreadsheets write days and amounts.

LOG is the truth. A form writes its columns as text or as numbers, and says what a reader must state about them; a
source holds the written columns as a file or a frame.
"""

import csv
import datetime as dt
import io
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl

write_workbook = runpy.run_path(str(Path(__file__).parents[1] / "tables" / "conftest.py"))["write_workbook"]


def made_log(customers=40, rows=240, seed=3):
    """Purchases in 2023 and 2024, to the second; amounts from cents to thousands, with cents."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 300, customers)
    who = np.concatenate([np.arange(customers), rng.integers(0, customers, rows - customers)])
    days = start[who] + rng.integers(0, 365, rows) * (np.arange(rows) >= customers)
    seconds = days * 86_400 + rng.integers(7 * 3_600, 20 * 3_600, rows)
    cents = np.maximum(rng.lognormal(8.5, 1.8, rows).astype(int), 50)
    cents[:3] = 123_456, 5, 1_234_567  # two thousands with cents, and one with a leading zero
    return pd.DataFrame(
        {
            "customer_id": 14_001 + who,
            "date": (pd.Timestamp("2023-03-01") + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us]"),
            "amount": cents / 100,
        }
    ).sort_values(["customer_id", "date", "amount"], ignore_index=True)


LOG = made_log()


@dataclass(frozen=True)
class Form:
    """How a value is written, and what a reader must say about a column of such values."""

    write: Callable
    stated: str | None = None  # begins the words of .formats; "" where they are free, None where nothing is to be said
    option: str | None = None  # the value of date_format or decimal that says the same
    unit: str = "s"  # what a day keeps of its time


# Days


def by_strftime(pattern, *, unit="D", stated=None, unpadded=False, change=str):
    """A form of strftime; without zeros in front, or otherwise changed, if so said."""

    def write(day):
        text = day.strftime(pattern)
        return change("/".join(part.removeprefix("0") for part in text.split("/")) if unpadded else text)

    return Form(write, stated, pattern, unit)


def dated(date_part, **kinds):
    """The forms with one way to write the day, with and without times."""
    forms = {f"{date_part}{time}": (time, unit) for unit, times in kinds.items() for time in times}
    return {name: by_strftime(date_part + time, unit=unit, stated=date_part) for name, (time, unit) in forms.items()}


PLAIN_DAYS = {
    "%Y-%m-%d": by_strftime("%Y-%m-%d"),
    "%Y-%m-%d %H:%M": by_strftime("%Y-%m-%d %H:%M", unit="min"),
    "%Y-%m-%d %H:%M:%S": by_strftime("%Y-%m-%d %H:%M:%S", unit="s"),
    "%Y-%m-%dT%H:%M:%S": by_strftime("%Y-%m-%dT%H:%M:%S", unit="s"),
}
WRITTEN_DAYS = {
    **dated("%d/%m/%Y", D=[""], min=[" %H:%M"], s=[" %H:%M:%S"]),
    **dated("%m/%d/%Y", D=[""], min=[" %H:%M", " %I:%M %p"], s=[" %I:%M:%S %p"]),
    **dated("%d.%m.%Y", D=[""], min=[" %H:%M"], s=[" %H:%M:%S"]),
    **dated("%d-%m-%Y", D=[""], min=[" %H:%M"]),
    **dated("%d-%b-%Y", D=[""], s=[" %H:%M:%S"]),
    **dated("%d/%m/%y", D=[""]),
    **dated("%m/%d/%y", D=[""], min=[" %H:%M"]),
    **dated("%d.%m.%y", D=[""], min=[" %H:%M"]),
    **dated("%d-%b-%y", D=[""]),
    "%d/%m/%Y, no zeros": by_strftime("%d/%m/%Y", stated="%d/%m/%Y", unpadded=True),
    "%m/%d/%Y, no zeros": by_strftime("%m/%d/%Y", stated="%m/%d/%Y", unpadded=True),
    "%m/%d/%y %H:%M, no zeros": by_strftime("%m/%d/%y %H:%M", unit="min", stated="%m/%d/%y", unpadded=True),
    "%d-%b-%Y, capitals": by_strftime("%d-%b-%Y", stated="%d-%b-%Y", change=str.upper),
    "%m/%d/%Y %I:%M %p, small": by_strftime("%m/%d/%Y %I:%M %p", unit="min", stated="%m/%d/%Y", change=str.lower),
}

EPOCH = pd.Timestamp("1970-01-01")
SPREADSHEET = pd.Timestamp("1899-12-30")
ONE = {unit: pd.Timedelta(1, unit) for unit in ("ms", "s", "D")}

NUMBERED_DAYS = {
    "yyyymmdd": Form(lambda day: int(day.strftime("%Y%m%d")), "%Y%m%d", "%Y%m%d", "D"),
    "unix_s": Form(lambda day: (day - EPOCH) // ONE["s"], "unix_s", "unix_s"),
    "unix_ms": Form(lambda day: (day - EPOCH) // ONE["ms"], "unix_ms", "unix_ms"),
    "unix_days": Form(lambda day: (day - EPOCH) // ONE["D"], "unix_days", "unix_days", "D"),
    "excel": Form(lambda day: (day - SPREADSHEET) // ONE["D"], "excel", "excel", "D"),
    "excel with a time": Form(lambda day: (day - SPREADSHEET) / ONE["D"], "excel", "excel"),
}
DAYS = PLAIN_DAYS | WRITTEN_DAYS | NUMBERED_DAYS


# Amounts


def grouped(thousands, point, around="{}", **words):
    """Two decimals, with groups of three digits: 1,234.50 in the marks given, within a text such as "EUR {}"."""
    marks = str.maketrans({",": thousands, ".": point})
    return Form(lambda amount: around.format(f"{amount:,.2f}".translate(marks)), **words)


COMMA = {"stated": "decimal comma", "option": ","}
POINT = {"stated": "", "option": "."}
NO_BREAK, NARROW, THIN = "\u00a0", "\u202f", "\u2009"
PLAIN_AMOUNTS = {"1234.50": Form(lambda amount: f"{amount:.2f}", None, "."), "1234.5": Form(str, None, ".")}
WRITTEN_AMOUNTS = {
    "1234,50": grouped("", ",", **COMMA),
    "1234,5": Form(lambda amount: str(amount).replace(".", ","), **COMMA),
    "1,234.50": grouped(",", ".", **POINT),
    "1.234,50": grouped(".", ",", **COMMA),
    "1'234.50": grouped("'", ".", **POINT),
    "1'234.50 typographic": grouped("\u2019", ".", **POINT),
    "1 234,50": grouped(" ", ",", **COMMA),
    "1 234.50": grouped(" ", ".", **POINT),
    "1 234,50 no-break": grouped(NO_BREAK, ",", **COMMA),
    "1 234,50 narrow no-break": grouped(NARROW, ",", **COMMA),
    "1 234,50 thin": grouped(THIN, ",", **COMMA),
    "$1,234.50": grouped(",", ".", "${}", **POINT),
    "$1234.50": grouped("", ".", "${}", **POINT),
    "£1,234.50": grouped(",", ".", "£{}", **POINT),
    "€1.234,50": grouped(".", ",", "€{}", **COMMA),
    "1.234,50 €": grouped(".", ",", "{} €", **COMMA),
    "1 234,50 € no-break": grouped(NARROW, ",", "{}" + NO_BREAK + "€", **COMMA),
    "EUR 1234,50": grouped("", ",", "EUR {}", **COMMA),
    "1,234.50 USD": grouped(",", ".", "{} USD", **POINT),
    "CHF 1'234.50": grouped("'", ".", "CHF {}", **POINT),
}
AMOUNTS = PLAIN_AMOUNTS | WRITTEN_AMOUNTS


# Sources


def table(days="%Y-%m-%d", amounts="1234.50", log=LOG):
    """The columns of the log, each value written in the form of its column."""
    written = {"date": DAYS[days].write, "amount": AMOUNTS[amounts].write}
    columns = {"customer_id": log["customer_id"].tolist()}
    return columns | {name: [write(value) for value in log[name]] for name, write in written.items()}


def csv_text(columns, sep=","):
    """The columns as the text of a file, with quotes where a value holds the separator."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sep, lineterminator="\n")
    writer.writerows([columns, *zip(*columns.values(), strict=True)])
    return text.getvalue()


def write_csv(columns, folder, sep=",", encoding="utf-8"):
    path = folder / "log.csv"
    path.write_text(csv_text(columns, sep), encoding=encoding)
    return path


def to_workbook(columns, folder):
    write_workbook(folder / "log.xlsx", log=pd.DataFrame(columns))
    return folder / "log.xlsx"


def to_parquet(columns, folder):
    pl.DataFrame(columns).write_parquet(folder / "log.parquet")
    return folder / "log.parquet"


SOURCES = {
    "CSV": write_csv,
    "CSV, semicolons": lambda columns, folder: write_csv(columns, folder, ";"),
    "workbook": to_workbook,
    "Parquet": to_parquet,
    "pandas": lambda columns, _: pd.DataFrame(columns),
    "pandas, objects": lambda columns, _: pd.DataFrame(columns).astype(object),
    "pandas, Arrow": lambda columns, _: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "Polars": lambda columns, _: pl.DataFrame(columns),
    "Polars, lazy": lambda columns, _: pl.LazyFrame(columns),
    "DuckDB": lambda columns, _: duckdb.from_df(pd.DataFrame(columns)),
}


# What was read


def rows_of(read):
    """The rows of a log that was read, in an order that no engine chooses."""
    rows = nw.from_native(read.frame).lazy().collect(backend="pandas").to_native()
    names = [name for name in ("customer_id", "date", "amount") if name in rows]
    return rows[names].sort_values(names, ignore_index=True)


def assert_same_rows(read, log=LOG, unit="s"):
    """What was read is the log: every customer, day (to the unit) and amount."""
    expected = log.assign(date=log["date"].dt.floor(unit)).sort_values(list(log), ignore_index=True)
    rows = rows_of(read)
    assert read.rows == len(rows) == len(expected)
    assert rows["customer_id"].tolist() == expected["customer_id"].tolist()
    late = (pd.to_datetime(rows["date"]) - expected["date"]).abs().max()
    assert late <= pd.Timedelta(1, "ms"), f"{late} between what was written and what was read"
    if "amount" in log:
        np.testing.assert_allclose(rows["amount"], expected["amount"], rtol=1e-12)


def assert_stated(read, **forms):
    """The forms of the columns are stated, and nothing is said of a column that is plain."""
    for column, form in forms.items():
        if form.stated is None:
            assert column not in read.formats, f"plain, but said to be {read.formats[column]}"
        else:
            assert read.formats[column].startswith(form.stated)


def day(text):
    return dt.date.fromisoformat(text)
