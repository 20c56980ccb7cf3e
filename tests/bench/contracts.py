"""The tasks of the benchmark on contracts with retention_models, and the making of their data."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from timing import run

import retention_models as rm

START, UNTIL = pd.Timestamp("2015-01-01"), "2024-12-31"


def make(folder):
    """Spells with continuous and with tied times, a thousand cohorts, and a log of ten million contracts."""
    rng = np.random.default_rng(3)
    spells(rng.exponential(400.0, 100_000), rng).to_parquet(folder / "continuous.parquet", index=False)
    spells(rng.geometric(0.05, 100_000), rng).to_parquet(folder / "tied.parquet", index=False)
    cohorts(1_000, rng).to_parquet(folder / "cohorts.parquet", index=False)
    contracts(10_000_000, rng).to_parquet(folder / "contracts_10m.parquet", index=False)


def spells(life, rng):
    """Customers followed for a while of their own."""
    followed = rng.integers(1, int(np.quantile(life, 0.9)), len(life))
    return pd.DataFrame({"tenure": np.minimum(life, followed), "churned": life <= followed})


def cohorts(n, rng):
    """A retention table of n cohorts of a thousand customers, twelve renewals each."""
    chance = rng.beta(1.0, 4.0, (n, 1_000))
    life = rng.geometric(chance)
    rows = [(f"{c:04d}", t, np.sum(life[c] >= t), np.sum(life[c] == t)) for c in range(n) for t in range(1, 13)]
    return pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])


def contracts(n, rng):
    """A log of n monthly contracts, begun on any day of ten years."""
    start = START + pd.to_timedelta(rng.integers(0, 3_650, n), "D")
    end = start + pd.to_timedelta((30.44 * rng.geometric(rng.beta(1.0, 12.0, n))).clip(max=5_000).astype(int), "D")
    return pd.DataFrame({"customer_id": np.arange(n), "start": start, "end": end.where(end <= UNTIL)})


def kaplan_meier(path):
    frame = pd.read_parquet(path)
    return lambda: float(rm.kaplan_meier(frame["tenure"], frame["churned"]).survival_function(20))


def fit_cohorts(path):
    table = pd.read_parquet(path)
    return lambda: rm.fit(rm.ShiftedBetaGeometric, table, by="cohort").groups["0007"].model.alpha


def retention_table(path):
    return lambda: rm.retention_table(
        rm.read_contracts(path, sampling="acquisition", observation_end=UNTIL), period="M"
    )["lost"].sum()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        run(
            {
                "kaplan_meier": (kaplan_meier, 5),
                "fit_cohorts": (fit_cohorts, 3),
                "retention_table": (retention_table, 1),
            }
        )
