"""Lin's adjustment with HC2 errors: as published, and on every engine."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences

X = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75")


def lin(rows, covariates=X, **options):
    test = Experiment.from_rows(
        rows,
        Plan(assigned_by="random", control="control"),
        arm="arm",
        outcomes=["re78"],
        covariates=covariates,
        **options,
    )
    return differences(test, Outcome(column="re78", adjust_for=tuple(covariates)), adjustment="Lin")[0]


def test_nsw_is_as_published(nsw, peers):
    effect = lin(nsw)
    assert effect.estimate == pytest.approx(peers["nsw"]["lin"]["estimate"], rel=1e-9)
    assert effect.std_error == pytest.approx(peers["nsw"]["lin"]["std_error"], rel=1e-9)
    assert (round(effect.estimate, 3), round(effect.std_error, 3)) == (1621.583, 694.722)
    assert "Lin's regression, HC2" in effect.estimand


def test_other_engines_agree(nsw):
    here, there = lin(nsw), lin(pl.DataFrame(nsw.to_dict("list")).lazy())
    np.testing.assert_allclose([here.estimate, here.std_error], [there.estimate, there.std_error], rtol=1e-9)


def test_in_blocks_it_is_a_regression_in_each(nsw):
    whole = lin(nsw.assign(block=nsw["nodegree"]), ("age", "re75"), block="block")
    parts = dict(list(nsw.groupby("nodegree")))
    shares = {value: len(part) / len(nsw) for value, part in parts.items()}
    centre = nsw[["age", "re75"]].mean()
    total = 0.0
    for value, part in parts.items():
        for arm, sign in (("treated", 1), ("control", -1)):
            rows = part[part["arm"] == arm]
            design = np.column_stack([np.ones(len(rows)), rows[["age", "re75"]] - centre])
            total += sign * shares[value] * np.linalg.lstsq(design, rows["re78"].to_numpy(), rcond=None)[0][0]
    assert whole.estimate == pytest.approx(total)


def test_it_needs_rows_and_covariates(nsw):
    plan, outcome = Plan(assigned_by="random", control="control"), Outcome(column="re78", adjust_for=("age",))
    sums = Experiment.from_means(
        nsw.groupby("arm")["re78"].agg(n="size", mean="mean", std_dev="std").reset_index(), plan, outcome="re78"
    )
    with pytest.raises(ValueError, match="needs the rows of single customers"):
        differences(sums, outcome, adjustment="Lin")
    rows = Experiment.from_rows(nsw, plan, arm="arm", outcomes=["re78"], covariates=["age"])
    with pytest.raises(ValueError, match="name covariates in adjust_for"):
        differences(rows, Outcome(column="re78"), adjustment="Lin")
    few = Experiment.from_rows(nsw.groupby("arm").head(3), plan, arm="arm", outcomes=["re78"], covariates=list(X))
    with pytest.raises(ValueError, match="3 customers, too few to regress on 8 covariates"):
        differences(few, Outcome(column="re78", adjust_for=X), adjustment="Lin")


def test_it_agrees_with_cuped_on_large_samples():
    rng = np.random.default_rng(3)
    n = 40_000
    x = rng.normal(size=n)
    arm = rng.permutation(["control", "treated"] * (n // 2))
    rows = pl.DataFrame({"arm": arm, "x": x, "y": 3 * x + rng.normal(size=n) + 0.1 * (arm == "treated")})
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["y"], covariates=["x"]
    )
    outcome = Outcome(column="y", adjust_for=("x",))
    one, other = differences(test, outcome, adjustment="Lin")[0], differences(test, outcome)[0]
    assert one.estimate == pytest.approx(other.estimate, abs=1e-4)
    assert one.std_error == pytest.approx(other.std_error, rel=1e-3)


@pytest.fixture(params=["pandas", "polars", "duckdb"])
def on_engine(request):
    return {
        "pandas": lambda rows: rows,
        "polars": lambda rows: pl.DataFrame(rows.to_dict("list")),
        "duckdb": lambda rows: duckdb.connect().from_df(rows),
    }[request.param]


def test_a_covariate_without_spread_in_one_arm_has_no_slope_there(on_engine):
    rng = np.random.default_rng(0)
    n = 4_000
    rows = pd.DataFrame({"arm": ["control", "treated"] * (n // 2)})
    rows["x"] = ((rows["arm"] == "treated") & (rng.random(n) < 0.01)).astype(float)
    rows["re78"] = rng.normal(100, 10, size=n) + 30 * rows["x"]
    treated, control = (rows[rows["arm"] == arm] for arm in ("treated", "control"))
    slope, intercept = np.polyfit(treated["x"], treated["re78"], 1)
    expected = intercept + slope * rows["x"].mean() - control["re78"].mean()
    effect = lin(on_engine(rows), ("x",))
    assert effect.estimate == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(effect.std_error)
    assert "Leverage" not in [check.name for check in effect.checks]


def test_a_slope_that_one_customer_decides_fails_a_check(on_engine):
    rows = pd.DataFrame({"arm": ["control", "treated"] * 20, "x": 0.0})
    rows["re78"] = np.random.default_rng(0).normal(size=40)
    rows.loc[1, "x"] = 1.0
    effect = lin(on_engine(rows), ("x",))
    assert [check.name for check in effect.failed if check.name == "Leverage"] == ["Leverage"]
    others = rows[(rows["arm"] == "treated") & (rows["x"] == 0)]["re78"]
    assert effect.std_error > np.std(others, ddof=1) / np.sqrt(20)


def test_rows_against_another_arm_say_so():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"arm": ["none", "mail", "gift"] * 50, "x": rng.normal(size=150), "y": rng.normal(size=150)})
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"], covariates=["x"]
    )
    outcome = Outcome(column="y", adjust_for=("x",))
    names = [effect.intervention for effect in differences(test, outcome, baseline="mail", adjustment="Lin")]
    assert names == [effect.intervention for effect in differences(test, outcome, baseline="mail")]
    with pytest.raises(ValueError, match="the baseline 'typo' is not one of the arms none, gift, mail"):
        differences(test, outcome, baseline="typo", adjustment="Lin")


def test_the_value_is_that_of_the_net_amount_in_the_same_regression(nsw):
    money = {"terms": rm.Terms(price=2.0), "costs": {"treated": Costs(contact=3.0, contacts="re75", redemption=0.0)}}
    rows = nsw.assign(net=2 * nsw["re78"] - 3 * nsw["re75"] * (nsw["arm"] == "treated"))
    measured = {"arm": "arm", "outcomes": ["re78", "net", "re75"], "covariates": ["age", "educ"]}
    test = Experiment.from_rows(rows, Plan(assigned_by="random", control="control"), **measured)
    priced, net = (
        differences(test, Outcome(column=column, adjust_for=("age", "educ")), **given, adjustment="Lin")[0]
        for column, given in (("re78", money), ("net", {}))
    )
    assert priced.priced == pytest.approx((net.estimate, net.lower, net.upper))
    assert priced.cost == pytest.approx(2 * priced.estimate - net.estimate)
    fixed = {"terms": rm.Terms(price=2.0), "costs": {"treated": Costs(contact=3.0)}}
    flat = differences(test, Outcome(column="re78", adjust_for=("age",)), **fixed, adjustment="Lin")[0]
    assert (flat.cost, flat.value) == pytest.approx((3.0, 2 * flat.estimate - 3))
