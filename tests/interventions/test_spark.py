"""Tests on Spark: the same numbers as in pandas, from the log to the looks."""

import shutil

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.campaign import interim, views
from retention_models.interventions.campaign.read import read_campaign
from retention_models.interventions.designs.contract_arms import contract_experiment
from retention_models.interventions.designs.contracts import retention_difference


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning"),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java found, which Spark needs"),
]
PLAN = rm.Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1, "gift": 1})
WINDOW = {"horizon_days": 28, "offer_days": 7, "lookback_days": 60, "observation_end": "2024-08-31"}


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed; see make test-spark")
    session = sql.SparkSession.builder.master("local[1]").config("spark.sql.shuffle.partitions", "1").getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def rows():
    rng, n = np.random.default_rng(8), 900
    arm = np.array(["none", "mail", "gift"])[np.arange(n) % 3]
    return pd.DataFrame(
        {
            "customer_id": np.arange(n),
            "arm": arm,
            "region": np.array(["north", "south"])[rng.integers(0, 2, n)],
            "household": [f"{name} {i // 9}" for i, name in enumerate(arm)],
            "bought": (rng.random(n) < 0.3 + 0.1 * (arm == "gift")).astype(int),
            "spend": rng.gamma(0.3, 60, n).round(2),
            "before": rng.gamma(2, 10, n).round(2),
            "got": ((arm != "none") & (rng.random(n) < 0.8)).astype(int),
            "week": np.arange(n) // 180,
        }
    )


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert (one.intervention, one.outcome, one.n) == (other.intervention, other.outcome, other.n)
        np.testing.assert_allclose([one.estimate, one.std_error], [other.estimate, other.std_error], rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{}, {"block": "region"}, {"cluster": "household"}, {"winsorise": {"spend": 0.99}}],
    ids=["plain", "blocks", "clusters", "ceiling"],
)
def test_rows_on_spark_give_what_pandas_gives(spark, rows, options):
    tests = [
        rm.Experiment.from_rows(source, PLAN, arm="arm", outcomes=["bought", "spend"], covariates=["before"], **options)
        for source in (spark.createDataFrame(rows), rows)
    ]
    adjusted = rm.Outcome(column="spend", adjust_for=("before",))
    for adjustment in ("CUPED", *([] if "cluster" in options else ["Lin"])):
        same(*(rm.differences(test, adjusted, adjustment=adjustment) for test in tests))


def test_a_campaign_on_spark_is_read_as_in_pandas(spark, rows):
    roles = {
        "outcome": "bought",
        "amount": "spend",
        "covariate": "before",
        "received": "got",
        "assigned": "week",
        "looks": (0.4, 0.8),
    }
    there, here = (
        read_campaign(source, **roles, **stated(margin=0.3, cost=0.1), planned_shares=PLAN.shares, assigned_by="random")
        for source in (spark.createDataFrame(rows), rows)
    )
    assert there.reasons == here.reasons
    same(there.effects, here.effects)
    same(views.effects_by_delivery(there), views.effects_by_delivery(here))
    pd.testing.assert_frame_equal(interim.interim_looks(there), interim.interim_looks(here))


def test_a_log_on_spark_gives_the_outcomes_of_a_shop(spark):
    rng = np.random.default_rng(9)
    day = pd.Timestamp("2024-04-01") + pd.to_timedelta(rng.integers(0, 150, 2_000), unit="D")
    log = pd.DataFrame({"customer_id": rng.integers(0, 400, 2_000), "date": day, "amount": 10.0})
    mailing = pd.DataFrame(
        {"customer_id": range(400), "assigned": pd.Timestamp("2024-06-03"), "arm": ["none", "mail"] * 200}
    )
    there = rm.purchase_outcomes(spark.createDataFrame(log), spark.createDataFrame(mailing), **WINDOW)
    here = rm.purchase_outcomes(log, mailing, **WINDOW)
    names = ["bought", "purchases", "days_to_next", "amount", "purchases_before"]
    tests = [
        rm.Experiment.from_rows(r, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=names)
        for r in (there, here)
    ]
    pd.testing.assert_frame_equal(tests[0].table(), tests[1].table())


def test_contracts_on_spark_are_compared_as_in_pandas(spark):
    rng, n = np.random.default_rng(10), 300
    rows = pd.DataFrame(
        {"arm": ["none", "mail"] * (n // 2), "tenure": rng.integers(1, 13, n), "churned": rng.integers(0, 2, n)}
    )
    plan = rm.Plan(assigned_by="random", control="none")
    tests = [contract_experiment(r, plan, arm="arm", time_unit="M") for r in (spark.createDataFrame(rows), rows)]
    same(*(retention_difference(test, horizon=6) for test in tests))


def test_panels_features_and_trials_on_spark_are_those_of_pandas(spark):
    shop = rm.scenario.club(2, customers=300, weeks=60, horizon_weeks=4)
    log = shop.transactions[["customer_id", "date", "amount", "category"]]
    joins = shop.joins
    there, joined_there = spark.createDataFrame(log), spark.createDataFrame(joins)
    counted = {"panel_unit": "category", "period": "M", "outcomes": ["orders", "buyers", "retained_share"]}
    panels = [rm.interventions.event_panel(source, **counted) for source in (there, log)]
    pd.testing.assert_frame_equal(*panels, check_dtype=False)
    known = [rm.logs.customer_features(source, as_of="2024-10-01") for source in (there, log)]
    pd.testing.assert_frame_equal(*known, check_dtype=False)
    terms = rm.Terms(horizon=4, time_unit="W")
    sources = ((there, joined_there), (log, joins))
    found = [rm.target_trials(*source, kind="membership", terms=terms).overall() for source in sources]
    pd.testing.assert_frame_equal(*found)
