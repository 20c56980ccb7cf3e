"""The tasks of the benchmark with retention_models, and the hand-written SQL it is compared with."""

import time

import duckdb
import numpy as np
import pandas as pd
from timing import run

import retention_models as rm

END = "2024-12-31"


def summarize(path):
    log = pd.read_parquet(path)
    return lambda: rm.summarize(log, observation_end=END, time_unit="D")["frequency"].sum()


def summarize_parquet(path):
    return lambda: rm.summarize(path, observation_end=END, time_unit="D")["frequency"].sum()


def summarize_sql(path):
    query = f"""
        WITH days AS (
            SELECT customer_id, CAST(date AS DATE) AS day, SUM(amount) AS amount FROM '{path}'
            WHERE CAST(date AS DATE) <= DATE '{END}' GROUP BY 1, 2
        ), gaps AS (
            SELECT *, day - LAG(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM days
        )
        SELECT customer_id, COUNT(*) - 1 AS frequency, MAX(day) - MIN(day) AS recency, DATE '{END}' - MIN(day) AS T,
               (SUM(amount) - ARG_MIN(amount, day)) / NULLIF(COUNT(*) - 1, 0) AS monetary_value,
               COALESCE(SUM(LN(gap)), 0) AS log_gaps
        FROM gaps GROUP BY 1 ORDER BY 1
    """
    return lambda: duckdb.execute(query).df()["frequency"].sum()


def fit_bgnbd(path):
    customers = pd.read_parquet(path)
    return lambda: rm.fit(rm.BGNBD, customers).model.r


def fit_bgnbd_grouped(path):
    histories = rm.logs.compress(pd.read_parquet(path))
    return lambda: rm.fit(rm.BGNBD, histories).model.r


def fit_paretonbd(path):
    customers = pd.read_parquet(path)
    return lambda: rm.fit(rm.ParetoNBD, customers).model.r


def predict(path):
    customers = pd.read_parquet(path)
    fit = rm.fit(rm.BGNBD, customers)
    return lambda: rm.predict(fit, customers, horizon=90, level=None)["expected_purchases"].sum()


def value(path):
    customers = pd.read_parquet(path)
    purchases, spend = rm.fit(rm.BGNBD, customers), rm.fit(rm.GammaGamma, customers)
    terms = rm.Terms(horizon=360, time_unit="D", annual_discount_rate=0.127, margin=1.0)

    def task():
        rm.predict(purchases, customers, horizon=360)
        return rm.customer_value(purchases, customers, terms, spend=spend)["value"].sum()

    return task


def curve(path):
    customers = pd.read_parquet(path)

    def task():
        lines = [f"{'customers':>12} {'daily: distinct':>16} {'seconds':>9} {'weekly: distinct':>17} {'seconds':>9}"]
        for n in (10_000, 100_000, 1_000_000):
            line = f"{n:12,}"
            for width, days in ((16, 1), (17, 7)):
                some = customers.head(n)[["frequency", "recency", "T"]].copy()
                some["recency"], some["T"] = np.ceil(some["recency"] / days), np.ceil(some["T"] / days)
                histories = rm.logs.compress(some)
                begin = time.perf_counter()
                rm.fit(rm.BGNBD, histories)
                line += f" {len(histories):{width},} {time.perf_counter() - begin:8.2f}s"
            lines.append(line)
        return "\n".join(lines)

    return task


if __name__ == "__main__":
    run(
        {
            "summarize": (summarize, 2),
            "summarize_parquet": (summarize_parquet, 3),
            "summarize_sql": (summarize_sql, 3),
            "fit_bgnbd": (fit_bgnbd, 2),
            "fit_bgnbd_grouped": (fit_bgnbd_grouped, 2),
            "fit_paretonbd": (fit_paretonbd, 2),
            "predict": (predict, 2),
            "value": (value, 1),
            "curve": (curve, 1),
        }
    )
