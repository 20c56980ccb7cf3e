"""The fixed inputs: logs, tables and fits that many entries start from, each made once."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl

import retention_models as rm
from ledger_entries.flatten import Parts
from retention_models import scenario

REFERENCE = Path(__file__).parents[1] / "reference"
CUT, END, UNIT = "1997-09-30", "1998-06-30", "W"
MONEY = {"time_unit": UNIT, "annual_discount_rate": 0.15, "margin": 0.3}


@cache
def folder() -> Path:
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def engines(frame: pd.DataFrame, name: str) -> Parts:
    """One frame as each engine holds it, and as files."""
    csv, parquet = folder() / f"{name}.csv", folder() / f"{name}.parquet"
    frame.to_csv(csv, index=False)
    frame.to_parquet(parquet)
    connection().register(name, frame)
    return Parts(
        pandas=frame,
        polars=pl.from_pandas(frame),
        duckdb=connection().table(name),
        csv=csv,
        parquet=parquet,
    )


@cache
def cdnow() -> pd.DataFrame:
    return rm.datasets.load_cdnow()


@cache
def logs() -> Parts:
    return engines(cdnow(), "cdnow")


@cache
def untidy() -> pd.DataFrame:
    """A log of 60 customers over 300 days with everything that the rules are for."""
    rng, n = np.random.default_rng(7), 1_500
    seconds = rng.integers(0, 300 * 86_400, n)
    frame = pd.DataFrame(
        {
            "user": rng.integers(1, 61, n).astype(float),
            "ts": (pd.Timestamp("2023-01-01") + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us]"),
            "total": rng.gamma(2.0, 15.0, n).round(2),
        }
    )
    frame.loc[::97, "user"] = np.nan
    frame.loc[::89, "ts"] = pd.NaT
    frame.loc[::83, "total"] = np.nan
    frame.loc[::13, "total"] *= -1
    frame.loc[::71, "total"] = 0.0
    return frame


@cache
def log() -> Any:
    return rm.read_transactions(cdnow())


@cache
def customers() -> pd.DataFrame:
    """CDNOW up to the cut, with what came later, and with covariates that follow from the number of the customer."""
    found = rm.summarize(cdnow(), calibration_end=CUT, time_unit=UNIT)
    number = found.index.to_numpy()
    channel = np.where(number % 3 == 0, "web", np.where(number % 3 == 1, "mail", "shop"))
    return found.assign(channel=channel, age=20.0 + number * 7 % 50)


@cache
def everyone() -> pd.DataFrame:
    return rm.summarize(cdnow(), time_unit=UNIT)


@cache
def fitted(model: str) -> Any:
    """A model fitted to CDNOW up to the cut."""
    return rm.fit(getattr(rm, model), customers())


@cache
def fits() -> dict[str, Any]:
    models = {"Pareto/NBD": "ParetoNBD", "MBG/NBD": "MBGNBD", "BG/NBD": "BGNBD", "NBD": "NBD"}
    return {name: fitted(model) for name, model in models.items()}


@cache
def with_covariates() -> Any:
    return rm.fit(rm.BGNBD, customers(), purchase_covariates="channel + age", dropout_covariates="channel")


@cache
def at_limit() -> Any:
    """A fit to customers of whom none seems ever to have left."""
    some = customers().iloc[::5]
    return rm.fit(rm.BGNBD, some.assign(recency=some["T"] * (some["frequency"] > 0)))


@cache
def months() -> pd.DataFrame:
    return rm.logs.opportunities(cdnow(), period="M", calibration_end=CUT, observation_end=END)


@cache
def business() -> Any:
    return scenario.subscriptions(np.random.default_rng(6), customers=2_000)


@cache
def contracts() -> pd.DataFrame:
    return business().contracts


@cache
def contract_logs() -> Parts:
    return engines(contracts(), "contracts")


READING = {"sampling": "acquisition", "cause": "cause", "covariates": ["plan"]}


@cache
def spells() -> Any:
    return rm.read_contracts(contracts(), observation_end=business().observation_end, **READING)


@cache
def kept() -> pd.DataFrame:
    return rm.retention_table(spells(), period="M")


@cache
def kept_by_plan() -> pd.DataFrame:
    return rm.retention_table(spells(), period="M", by="plan")


@cache
def active() -> pd.DataFrame:
    return rm.logs.active_customers(spells(), period="M")


@cache
def published() -> pd.DataFrame:
    table = rm.datasets.load_published_retention()
    return table[table["customers"] == "regular"].drop(columns="customers").reset_index(drop=True)


@cache
def contract_fit(model: str) -> Any:
    return rm.fit(getattr(rm.survival, model), published())


@cache
def monthly_fit(model: str) -> Any:
    return rm.fit(getattr(rm.survival, model), kept())


@cache
def snapshot() -> pd.DataFrame:
    """Whole months as a customer, and whether each left in the last of them."""
    rng, n = np.random.default_rng(3), 800
    tenure = rng.geometric(0.08, n).clip(max=30)
    return pd.DataFrame(
        {
            "tenure": tenure,
            "churned": rng.random(n) < 0.3 / np.sqrt(tenure),
            "plan": np.where(rng.random(n) < 0.4, "basic", "premium"),
        }
    )


@cache
def mailing() -> pd.DataFrame:
    """A test of three arms, one row a customer: outcomes, money, covariates, blocks, clusters, delivery, order."""
    rng, n = np.random.default_rng(5), 3_000
    arm = np.array(["none", "mail", "gift"])[np.arange(n) % 3]
    before = rng.poisson(1.0, n)
    bought = rng.random(n) < 0.15 + 0.1 * (before > 0) + 0.1 * (arm == "gift")
    got = (arm != "none") & (rng.random(n) < 0.5 + 0.4 * (before > 0))
    return pd.DataFrame(
        {
            "customer_id": rng.permutation(n),
            "arm": arm,
            "bought": bought.astype(int),
            "amount": (bought * rng.lognormal(3, 0.6, n)).round(2),
            "before": before,
            "got": got.astype(int),
            "used": (got & bought & (arm == "gift")).astype(int),
            "week": np.arange(n) // 750,
            "visits": rng.poisson(2.0 + 0.2 * (arm == "mail"), n) + 1,
            "region": np.array(["north", "south"])[np.arange(n) // 3 % 2],
            "store": [f"s{i}" for i in np.arange(n) % 120],
        }
    )


@cache
def mailing_sources() -> Parts:
    return engines(mailing(), "mailing")


@cache
def shop() -> Any:
    model = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    return scenario.retail(model, np.random.default_rng(6), customers=4_000, new_customers=1_500)
