"""Generate the data of the benchmark: logs of a BG/NBD shop, customers observed by day over two years, a test."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.cnbd import BGCNBD

SHOP = rm.BGNBD(r=0.25, alpha=4.4 * 7, a=0.8, b=2.4)  # in days


def log(rows, folder, name):
    """A log of about so many rows, in order of customers, dates by the day, with amounts."""
    rng = np.random.default_rng(1)
    customers = int(rows / 2.9)
    frame = SHOP.simulate_transactions(
        rng.integers(1, 731, customers).astype(float), rng, start="2023-01-01", time_unit="D"
    )
    frame["date"] = frame["date"].dt.floor("D")
    frame["amount"] = np.round(rng.gamma(6.0, 6.0, len(frame)), 2)
    frame.to_parquet(folder / f"{name}.parquet", index=False)


def customers(n, folder, name):
    """Summaries of n customers first seen on any day of two years, with mean amounts."""
    rng = np.random.default_rng(2)
    frame = SHOP.simulate(rng.integers(1, 731, n).astype(float), rng)[["frequency", "recency", "T"]]
    frame["recency"] = np.minimum(np.ceil(frame["recency"]), frame["T"])
    frame["monetary_value"] = np.where(frame["frequency"] > 0, np.round(rng.gamma(6.0, 6.0, n), 2), 0.0)
    frame.to_parquet(folder / f"{name}.parquet", index=False)


def histories_of_models(folder):
    """Customers for the fits of every model: those of CDNOW and 100,000 like them; donors and 100,000 like them."""
    rng = np.random.default_rng(3)
    rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30").to_parquet(folder / "models_cdnow.parquet")
    ages = rng.integers(1, 731, 100_000).astype(float)
    frame = BGCNBD(0.25, 4.4 * 7, 0.8, 2.4, k=1).simulate(ages, rng)
    frame["recency"] = np.minimum(np.ceil(frame["recency"]), ages)
    frame.drop(columns="alive").to_parquet(folder / "models_100k.parquet")
    rm.datasets.load_donations().to_parquet(folder / "donors.parquet")
    donors = BGBB(1.2, 0.75, 0.66, 2.78).simulate(rng.integers(1, 13, 100_000), rng)
    donors.drop(columns="alive").to_parquet(folder / "donors_100k.parquet")


def experiment(n, folder, name):
    """A test of n customers in three arms: whether they bought, how often, for how much, and how much before."""
    rng = np.random.default_rng(3)
    arm = rng.integers(0, 3, n)
    taste = rng.gamma(0.5, 2.0, n)
    purchases = rng.poisson(taste * (1 + 0.02 * arm))
    frame = pd.DataFrame(
        {
            "customer_id": np.arange(n),
            "arm": np.array(["none", "mail", "coupon"])[arm],
            "bought": (purchases > 0).astype(int),
            "purchases": purchases,
            "amount": (purchases * rng.gamma(4.0, 10.0, n)).round(2),
            "amount_before": (rng.poisson(taste) * rng.gamma(4.0, 10.0, n)).round(2),
        }
    )
    frame.to_parquet(folder / f"{name}.parquet", index=False)


if __name__ == "__main__":
    there = Path(sys.argv[1])
    log(1_000_000, there, "log_1m")
    log(10_000_000, there, "log_10m")
    customers(1_000_000, there, "customers_1m")
    customers(100_000, there, "customers_100k")
    histories_of_models(there)
    experiment(1_000_000, there, "experiment_1m")
