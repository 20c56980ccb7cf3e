"""The same log gives the same numbers on every engine."""

import shutil

import duckdb
import pandas as pd
import polars as pl
import pytest

from retention_models.logs.transactions.describe.cohorts import cohort_retention
from retention_models.logs.transactions.opportunities import opportunities
from retention_models.logs.transactions.summary import histories, summarize

OPTIONS = {
    "whole log": {"refunds": "set_aside"},
    "holdout": {"calibration_end": "2023-08-31", "refunds": "set_aside"},
    "all dates": {
        "calibration_end": "2023-08-31",
        "observation_end": "2023-09-30",
        "acquired_after": "2023-01-08",
        "time_unit": "D",
        "zeros": "set_aside",
        "refunds": "set_aside",
    },
    "net": {"calibration_end": "2023-08-31"},
    "hours": {"granularity": "h", "calibration_end": "2023-08-31", "time_unit": "h", "refunds": "set_aside"},
    "weeks": {"granularity": "W", "calibration_end": "2023-09-03", "refunds": "set_aside"},
    "no money": {"amount": None},
}


def to_polars(frame):
    """The frame in Polars, with None for all that is missing, and whole numbers for ids."""
    missing = frame.astype(object).where(frame.notna(), None)
    columns = {name: missing[name].tolist() for name in missing}
    ids = [int(value) if isinstance(value, float) else value for value in columns["customer_id"]]
    return pl.DataFrame(columns | {"customer_id": ids})


def to_file(frame, folder, ending):
    path = folder / f"log.{ending}"
    write = {"csv": pl.DataFrame.write_csv, "parquet": pl.DataFrame.write_parquet}[ending]
    write(to_polars(frame), path)
    return path


ENGINES = {
    "polars": lambda frame, folder: to_polars(frame),
    "polars lazy": lambda frame, folder: to_polars(frame).lazy(),
    "duckdb": lambda frame, folder: duckdb.from_df(frame.convert_dtypes()),
    "csv": lambda frame, folder: to_file(frame, folder, "csv"),
    "parquet": lambda frame, folder: to_file(frame, folder, "parquet"),
}


def assert_same(log, frame, options):
    for function in (summarize, histories):
        expected, found = function(frame, **options), function(log, **options)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        assert found.attrs == expected.attrs


CROSSED = [  # every option on a frame and a file, and the others in turn
    (engine, option)
    for i, option in enumerate(OPTIONS)
    for engine in ("polars", "csv", ("polars lazy", "duckdb", "parquet")[i % 3])
]


@pytest.mark.parametrize(("engine", "option"), CROSSED)
def test_every_engine_gives_what_pandas_gives(untidy, engine, option, tmp_path):
    assert_same(ENGINES[engine](untidy, tmp_path), untidy, OPTIONS[option])


def assert_same_weeks(log, frame):
    pd.testing.assert_frame_equal(cohort_retention(log, period="W"), cohort_retention(frame, period="W"))
    weeks = {"period": "W", "calibration_end": "2023-10-22", "observation_end": "2023-10-22"}
    pd.testing.assert_frame_equal(opportunities(log, **weeks), opportunities(frame, **weeks))


@pytest.mark.parametrize("engine", ["polars", "csv"])
def test_weeks_of_the_calendar_are_the_same_on_every_engine(untidy, engine, tmp_path):
    assert_same_weeks(ENGINES[engine](untidy, tmp_path), untidy)


@pytest.mark.parametrize("engine", ["polars", "csv"])
def test_ids_that_are_names_stay_names(untidy, engine, tmp_path):
    names = untidy["customer_id"].map("{:03.0f}".format, na_action="ignore")
    named = untidy.assign(customer_id=names)
    log = ENGINES[engine](named, tmp_path)
    assert_same(log, named, {})
    assert summarize(log).index[0] == "001"


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning")
def test_spark_gives_what_pandas_gives(untidy):
    if shutil.which("java") is None:
        pytest.skip("no Java found, which Spark needs")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed; see make test-spark")
    spark = sql.SparkSession.builder.master("local[1]").config("spark.sql.shuffle.partitions", "1").getOrCreate()
    rows = to_polars(untidy).rows()
    local = spark.createDataFrame(rows, "customer_id long, date timestamp_ntz, amount double, channel string")
    for options in OPTIONS.values():
        assert_same(local, untidy, options)
    assert_same_weeks(local, untidy)
    instants = spark.createDataFrame(rows, "customer_id long, date timestamp, amount double, channel string")
    assert_same(instants, untidy, OPTIONS["all dates"])
    spark.stop()
