"""Rows that count, by conditions on other columns."""

import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.cli import main

ROWS = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 2, 3, 3, None, 4],
        "date": ["2024-01-05", "2024-02-14", "2024-01-20", "2024-03-01"] * 2,
        "amount": [10.0, 20.0, 5.0, 8.0, 3.0, 7.0, 4.0, 9.0],
        "status": ["Completed", "Cancelled", "Completed", None, "Completed", "Completed", "Cancelled", "Completed"],
        "channel": ["web", "web", "shop", "shop", "web", "test", "web", "shop"],
    }
)


@pytest.fixture(params=["pandas", "Polars", "lazy", "CSV"])
def source(request, tmp_path):
    path = tmp_path / "log.csv"
    ROWS.to_csv(path, index=False)
    frame = pl.from_pandas(ROWS)
    return {"pandas": ROWS, "Polars": frame, "lazy": frame.lazy(), "CSV": path}[request.param]


@pytest.mark.parametrize(
    ("where", "rows", "left_out"),
    [
        ("status=Completed", 5, 3),
        (["status = Completed"], 5, 3),
        ("status!=Cancelled", 6, 2),
        (["status=Completed", "channel!=test"], 4, 4),
        ((), 7, 0),
    ],
)
def test_rows_that_meet_all_conditions_count(source, where, rows, left_out):
    log = rm.read_transactions(source, where=where)
    assert log.rows == rows
    assert log.set_aside.get("rows outside the conditions", 0) == left_out
    assert log.columns == ["customer_id", "date", "amount"]
    assert rm.summarize(source, where=where).attrs["set_aside"] == log.set_aside


def test_what_a_condition_leaves_out_is_no_fault_of_the_log():
    assert all(check.passed for check in rm.read_transactions(ROWS, where="status!=Cancelled").checks)
    assert rm.read_transactions(ROWS).checks[0].passed is False  # the row without a customer


@pytest.mark.parametrize("where", ["status", "=Completed", "status=", "!=x", 5, ["status>3"], [None]])
def test_what_is_no_condition_is_refused(where):
    with pytest.raises((ValueError, TypeError), match="where must be conditions such as 'status=Completed'"):
        rm.read_transactions(ROWS, where=where)


def test_a_condition_on_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no column 'Status'; it has .*Did you mean 'status'"):
        rm.read_transactions(ROWS, where="Status=Completed")


def test_where_nothing_meets_the_conditions_this_is_said():
    held = "no row of the log satisfies where. Column 'status' holds Completed \\(5 rows\\), Cancelled \\(2 rows\\)"
    with pytest.raises(ValueError, match=held):
        rm.read_transactions(ROWS, where="status=Open")


def test_several_values_of_one_column_are_alternatives():
    both = rm.read_transactions(ROWS, where=["status=Completed", "status=Cancelled"])
    assert both.rows == 6  # one of those cancelled has no customer
    assert both.set_aside == {"rows outside the conditions": 1, "rows without a customer_id": 1}
    assert rm.read_transactions(ROWS, where=["status!=Completed", "status!=Cancelled"]).rows == 1


def test_the_command_line_takes_several_conditions(tmp_path, capsys):
    log = rm.datasets.load_cdnow().assign(status="ok", channel="web")
    log.loc[::7, "status"] = "cancelled"
    log.loc[::5, "channel"] = "test"
    log.to_csv(tmp_path / "log.csv", index=False)
    asked = ["--where", "status=ok", "--where", "channel!=test", "--time-unit", "W", "--model", "NBD"]
    asked += ["--transactions", str(tmp_path / "log.csv"), "--output", str(tmp_path / "fit.json")]
    assert main(["fit", *asked]) == 0
    expected = rm.fit(rm.NBD, rm.summarize(log.query("status == 'ok' and channel != 'test'")))
    assert rm.Fit.from_json(tmp_path / "fit.json").model == expected.model
    assert "rows outside the conditions" in capsys.readouterr().err
