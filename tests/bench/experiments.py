"""A test of many customers with retention_models, from rows and from sums; the result is the last standard error."""

import duckdb
import pandas as pd
from timing import run

import retention_models as rm

COLUMNS = ("bought", "purchases", "amount")
PLAN = rm.Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1, "coupon": 1})
CUPED = rm.Outcome(column="amount", adjust_for=("amount_before",))


def effects(test):
    """The differences of all arms and outcomes, the amount adjusted for what was spent before."""
    outcomes = [rm.Outcome(column="bought"), rm.Outcome(column="purchases"), CUPED]
    return [effect for outcome in outcomes for effect in rm.differences(test, outcome)][-1].std_error


def read(rows, **options):
    return rm.Experiment.from_rows(rows, PLAN, arm="arm", outcomes=COLUMNS, covariates=["amount_before"], **options)


def from_pandas(path):
    rows = pd.read_parquet(path)
    return lambda: effects(read(rows))


def from_parquet(path):
    return lambda: effects(read(path))


def from_sums(path):
    names = [*COLUMNS, "amount_before"]
    products = [f'SUM({a} * {b}) AS "{a}*{b}"' for i, a in enumerate(names) for b in names[i:]]
    terms = ", ".join([*(f"SUM({name}) AS {name}" for name in names), *products])
    sums = duckdb.execute(f"SELECT arm, COUNT(*) AS n, {terms} FROM '{path}' GROUP BY arm").df()
    return lambda: effects(rm.Experiment.from_sums(sums, PLAN, columns=COLUMNS, covariates=["amount_before"]))


def lin_from_pandas(path):
    rows = pd.read_parquet(path)
    return lambda: rm.differences(read(rows), CUPED, adjustment="Lin")[-1].std_error


def clusters_from_pandas(path):
    rows = pd.read_parquet(path)
    rows = rows.assign(household=rows["arm"] + (rows["customer_id"] % 100_000).astype(str))
    return lambda: effects(read(rows, cluster="household"))


if __name__ == "__main__":
    run(
        {
            "from_pandas": (from_pandas, 3),
            "from_parquet": (from_parquet, 3),
            "from_sums": (from_sums, 3),
            "lin_from_pandas": (lin_from_pandas, 2),
            "clusters_from_pandas": (clusters_from_pandas, 2),
        }
    )
