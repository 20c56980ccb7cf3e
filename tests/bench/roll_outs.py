"""The tasks of the benchmark on roll-outs with retention_models and in SQL by hand, and the making of their data."""

import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from timing import run

import retention_models as rm

UNITS, PERIODS, STORES = 10_000, 104, 400
STARTS = (40, 50, 60, 70, 80, 90)  # of six waves of 1,100 units each


def make(folder):
    """A panel of 10,000 units in 104 periods, and a log of ten million orders in 400 stores."""
    rng = np.random.default_rng(0)
    first = np.concatenate([np.repeat(STARTS, 1_100), np.zeros(UNITS - 6_600, dtype=int)])
    period, unit = np.tile(np.arange(PERIODS), UNITS), np.repeat(np.arange(UNITS), PERIODS)
    treated = (first[unit] > 0) & (period >= first[unit])
    y = rng.normal(100, 10, UNITS)[unit] + 0.1 * period + 2 * treated + rng.normal(0, 3, len(unit))
    panel = pd.DataFrame({"unit": unit, "period": period, "first": first[unit], "y": y})
    panel.to_parquet(folder / "roll_out.parquet", index=False)
    n, customers = 10_000_000, 500_000
    who = rng.integers(0, customers, n)
    date = pd.Timestamp("2022-01-03") + pd.to_timedelta(rng.integers(0, 7 * PERIODS, n), unit="D")
    log = pd.DataFrame({"customer_id": who, "date": date, "store": (who % STORES).astype(str)})
    log.to_parquet(folder / "orders_10m.parquet", index=False)


def bands(path):
    panel = pd.read_parquet(path)
    first = panel.drop_duplicates("unit").set_index("unit")["first"]
    launches = first[first > 0].to_dict()

    def task():
        found = rm.difference_in_differences(
            panel, launches, panel_unit="unit", outcome="y", per=None, assigned_by="rule"
        )
        assert len(found.event_study())
        return found.overall()["std_error"].iloc[0]

    return task


def panel(path):
    return lambda: rm.interventions.event_panel(path, panel_unit="store")["buyers"].sum()


def panel_sql(path):
    query = f"""
        SELECT store, date_trunc('week', date) AS period, COUNT(*) AS orders, COUNT(DISTINCT customer_id) AS buyers
        FROM '{path}' GROUP BY 1, 2 ORDER BY 1, 2
    """
    return lambda: duckdb.execute(query).df()["buyers"].sum()


def panel_sql_twice(path):
    query = f"""
        SELECT store, period, SUM(orders) AS orders, COUNT(*) AS buyers FROM (
            SELECT store, date_trunc('week', date) AS period, customer_id, COUNT(*) AS orders
            FROM '{path}' GROUP BY 1, 2, 3
        ) GROUP BY 1, 2 ORDER BY 1, 2
    """
    return lambda: duckdb.execute(query).df()["buyers"].sum()


def churn(path):
    return lambda: rm.interventions.event_panel(path, panel_unit="store", outcomes=["churn"])["lost"].sum()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        run(
            {
                "bands": (bands, 5),
                "panel": (panel, 3),
                "panel_sql": (panel_sql, 3),
                "panel_sql_twice": (panel_sql_twice, 3),
                "churn": (churn, 2),
            }
        )
