"""Ids keep every digit, hours are hours, and days lie within the calendar that is computed with."""

import decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.report.parameters import set_parameters
from retention_models.survival import aalen_johansen, kaplan_meier

N = 300
SMALL, LONG, HUGE = 7, 2**62, 2**65
END = "2024-03-01"


def rows(ids):
    days = np.repeat(pd.to_datetime(["2024-01-01", "2024-01-20"]), len(ids))
    return {"customer_id": [*ids, *ids], "date": days, "amount": 5.0}


def of_duckdb(first, kind):
    ids = [str(first + i) for i in range(N)]
    table = pd.DataFrame(rows(ids))
    return duckdb.connect().from_df(table).project(f"customer_id::{kind} AS customer_id, date, amount")


def of_polars(first, kind):
    return pl.DataFrame(rows([first + i for i in range(N)]), schema_overrides={"customer_id": kind})


FRAMES = {
    "pandas int64": lambda first: pd.DataFrame(rows([first + i for i in range(N)])),
    "pandas Decimal": lambda first: pd.DataFrame(rows([decimal.Decimal(first + i) for i in range(N)])),
    "Polars Int128": lambda first: of_polars(first, pl.Int128),
    "Polars Decimal": lambda first: of_polars(first, pl.Decimal(38, 0)),
    "DuckDB HUGEINT": lambda first: of_duckdb(first, "HUGEINT"),
    "DuckDB UHUGEINT": lambda first: of_duckdb(first, "UHUGEINT"),
    "DuckDB DECIMAL": lambda first: of_duckdb(first, "DECIMAL(38, 0)"),
}


@pytest.mark.parametrize("first", [SMALL, LONG, HUGE])
@pytest.mark.parametrize("frame", FRAMES)
def test_long_ids_keep_every_digit(frame, first):
    log = FRAMES[frame](first)
    customers = rm.summarize(log, observation_end=END)
    assert {str(label) for label in customers.index} == {str(first + i) for i in range(N)}
    assert rm.logs.histories(log, observation_end=END)["weight"].sum() == N
    if first < 2**63 and "Decimal" not in frame.replace("Polars Decimal", ""):
        assert customers.index.dtype == np.int64


@pytest.mark.parametrize(
    "make", [lambda ids: pd.Series(ids, dtype="uint64"), lambda ids: pl.Series(ids, dtype=pl.UInt64)]
)
def test_ids_of_unsigned_64_bits_keep_every_digit(make):
    ids = make([2**63 + i for i in range(N)])
    kind = pd.DataFrame if isinstance(ids, pd.Series) else pl.DataFrame
    log = kind({"customer_id": ids, "date": [pd.Timestamp("2024-01-01")] * N, "amount": [5.0] * N})
    assert list(rm.summarize(log, observation_end=END).index) == [2**63 + i for i in range(N)]


@pytest.mark.parametrize("kind", ["HUGEINT", "DECIMAL(38, 0)"])
def test_contracts_and_experiments_keep_long_ids(kind):
    table = pd.DataFrame({"customer_id": [str(HUGE + i) for i in range(N)], "start": "2024-01-01"})
    table["end"] = ["2024-02-10" if i % 2 else None for i in range(N)]
    table["arm"], table["spend"] = ["none", "mail", "none"] * (N // 3), [0.0, 5.0, 2.0] * (N // 3)
    frame = duckdb.connect().from_df(table)
    frame = frame.project(f'customer_id::{kind} AS customer_id, "start", "end", arm, spend')
    spells = rm.read_contracts(frame, sampling="acquisition", observation_end=END)
    assert spells.rows == N
    test = rm.Experiment.from_rows(frame, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"])
    assert sum(cell.n for cell in test.cells) == N
    with pytest.raises(ValueError, match=f"customer_id repeats: {2 * N} rows for {N} customers"):
        rm.Experiment.from_rows(
            frame.union(frame), rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"]
        )


def test_a_total_below_the_rows_is_no_customer(tmp_path):
    lines = [f"{i},2024-01-0{1 + i % 9},5" for i in range(50)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["customer_id,date,amount", *lines, "Total,,250"]))
    with pytest.raises(ValueError, match=r"with 50 % of the amount: 1 row without a readable date"):
        rm.read_transactions(path)
    log = rm.read_transactions(path, max_set_aside=0.5)
    assert rm.summarize(log, observation_end=END).index.dtype == np.int64
    assert sum(log.set_aside.values()) == 1
    path.write_text("\n".join(["customer_id,date,amount", *lines, "Total,2024-01-09,250"]))
    with pytest.raises(ValueError, match="whole numbers, except in 1 of 51 rows, such as 'Total': leave such rows out"):
        rm.read_transactions(path)


@pytest.mark.parametrize(
    "causes",
    [
        ["price", 0, "price", "moved"],
        ["price", False, "price", "moved"],
        ["price", None, "price", "moved"],
        ["price", np.nan, "price", "moved"],
        ["price", "", "price", "moved"],
        ["price", "  ", "price", "moved"],
        ["price", "0", "price", "moved"],
    ],
)
def test_0_false_and_nothing_are_no_causes(causes):
    curves = aalen_johansen([1, 2, 3, 4], causes)
    assert curves.causes == ("moved", "price")
    whole = kaplan_meier([1, 2, 3, 4], [True, False, True, True])
    np.testing.assert_allclose(curves.overall.survival, whole.survival)


def test_codes_of_causes_count_from_1():
    assert aalen_johansen([1, 2, 3, 4], [1, 0, 1, 2]).causes == ("1", "2")
    with pytest.raises(ValueError, match="no customer left for any cause"):
        aalen_johansen([1, 2], [0, 0])


@pytest.mark.parametrize("wrong", [None, np.nan, 2, "yes"])
def test_a_missing_or_other_value_of_churned_is_refused(wrong):
    with pytest.raises(ValueError, match="churned"):
        kaplan_meier([1, 2, 3], np.array([True, False, wrong], dtype=object))


def clocks(zone):
    times = pd.to_datetime(["2024-03-30 23:30", "2024-03-31 02:30"]).tz_localize("UTC").tz_convert(zone)
    return pd.DataFrame({"customer_id": [1, 1, 2, 2], "date": [*times, *times], "amount": 1.0})


@pytest.mark.parametrize("frame", [lambda table: table, pl.from_pandas])
def test_hours_are_elapsed_hours_or_refused_where_the_clock_is_changed(frame):
    hours = {"time_unit": "h", "granularity": "h", "observation_end": "2024-04-01"}
    log = frame(clocks("Europe/Berlin"))
    with pytest.raises(ValueError, match=r"the clock of Europe/Berlin changes .*time_zone='UTC'\) counts"):
        rm.summarize(log, **hours)
    elapsed = rm.summarize(rm.read_transactions(log, time_zone="UTC"), **hours)
    assert (elapsed["recency"] == 3).all()
    assert (rm.summarize(frame(clocks("Asia/Tokyo")), **hours)["recency"] == 3).all()
    assert (rm.summarize(log, observation_end="2024-04-01")["frequency"] == 0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda log: rm.summarize(log, observation_end="9999-12-31"),
        lambda log: rm.logs.choose_settings(log, observation_end="9999-12-31"),
        lambda log: rm.logs.opportunities(log, period="M", observation_end="9999-12-31"),
        lambda log: rm.evaluation.backtest(log, rm.BGNBD, rm.Terms(horizon=10, time_unit="W"), origins=["9999-12-31"]),
        lambda log: rm.read_contracts(
            pd.DataFrame({"customer_id": [1], "start": ["2024-01-01"], "end": [None]}),
            sampling="acquisition",
            observation_end="9999-12-31",
        ),
    ],
)
def test_days_beyond_the_calendar_are_refused(call, log):
    with pytest.raises(ValueError, match="must be a day up to 2261-12-31; got"):
        call(log)


def test_infinity_is_written_into_a_notebook_as_python_reads_it():
    nbformat = pytest.importorskip("nbformat")
    cell = nbformat.v4.new_code_cell("horizon = 52\nrate = 0.1", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    set_parameters(notebook, {"horizon": float("1e999")})
    names: dict[str, float] = {}
    exec(notebook.cells[0].source, names)
    assert names["horizon"] == float("inf")
