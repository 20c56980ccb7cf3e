"""The part of the benchmark on what customers choose: trials of 200,000 customers, in logistic regressions."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from timing import run

import retention_models as rm
from retention_models.interventions.designs.propensity import Design, fit_propensity

HERE = Path(__file__).parent
HOPED = 30  # logistic regressions
ROWS, COLUMNS = 500_000, 12


def make(folder):
    """A year of 200,000 customers of a club, and when they joined."""
    shop = rm.scenario.club(1, customers=200_000, weeks=52)
    shop.transactions.to_parquet(folder / "club.parquet", index=False)
    shop.joins.to_parquet(folder / "joins.parquet", index=False)


def logistic(_):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, COLUMNS))
    treated = rng.random(ROWS) < 1 / (1 + np.exp(2 - rows @ np.linspace(-0.3, 0.3, COLUMNS)))
    weight, labels = np.ones(ROWS), [f"x{place}" for place in range(COLUMNS)]
    return lambda: fit_propensity(treated, Design.of(rows, labels, weight), weight).chance.mean()


def trials(path, *, checked=False):
    def task():
        found = rm.target_trials(path, path.replace("club", "joins"), kind="membership")
        estimate = found.overall().loc["as_joined", "estimate"]
        return estimate if not checked else estimate + 0 * len(found.checks)

    return task


def with_checks(path):
    return trials(path, checked=True)


def print_trials(measure, folder):
    """Print a line for each task; ``measure`` is that of run.py."""
    subprocess.run([sys.executable, str(HERE / "trials.py"), "make", str(folder)], check=True)
    base = measure(sys.executable, "trials.py", "logistic", folder, "club", one_thread=True)
    print(f"\n{'what customers choose, Parquet':60} {'seconds':>9} {'logistic fits':>14} {'hoped':>6} {'memory':>10}")
    for what, task in (("200,000 customers x 52 weeks", "trials"), ("the same with its checks", "with_checks")):
        ours = measure(sys.executable, "trials.py", task, folder, "club", one_thread=True)
        ratio = ours["seconds"] / base["seconds"]
        missed = "" if ratio <= HOPED else "  MISSED"
        print(
            f"{what:60} {ours['seconds']:8.2f}s {ratio:14.1f} {HOPED:6} {ours['megabytes']:7.0f} MB{missed}", flush=True
        )


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        run({"logistic": (logistic, 3), "trials": (trials, 2), "with_checks": (with_checks, 1)})
