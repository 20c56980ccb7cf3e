"""Experiments from rows on any engine, sums, counts and means: the same numbers, and errors that say what is wrong."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import ndtri

import retention_models as rm
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.effects.table import evidence_table

PLAN = Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1, "call": 1})


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(11)
    n = 1200
    arm = np.array(["none", "mail", "call"])[rng.integers(0, 3, n)]
    return pd.DataFrame(
        {
            "customer_id": np.arange(n),
            "arm": arm,
            "region": np.array(["north", "south"])[rng.integers(0, 2, n)],
            "household": rng.integers(0, 400, n),
            "visit": rng.random(n) < 0.2 + 0.1 * (arm == "mail"),
            "spend": rng.gamma(0.3, 60, n).round(2),
            "before": rng.gamma(2, 10, n).round(2),
        }
    )


@pytest.fixture(params=["pandas", "polars", "polars lazy", "duckdb", "csv", "parquet"])
def engine(request, rows, tmp_path):
    if request.param.startswith("polars"):
        frame = pl.DataFrame(rows.to_dict("list"))
        return frame.lazy() if request.param.endswith("lazy") else frame
    if request.param == "duckdb":
        return duckdb.connect().from_df(rows)
    if request.param == "csv":
        rows.to_csv(tmp_path / "rows.csv", index=False)
        return str(tmp_path / "rows.csv")
    if request.param == "parquet":
        pl.DataFrame(rows.to_dict("list")).write_parquet(tmp_path / "rows.parquet")
        return tmp_path / "rows.parquet"
    return rows


def experiment(rows, plan=PLAN, **options):
    return Experiment.from_rows(rows, plan, arm="arm", outcomes=["visit", "spend"], covariates=["before"], **options)


def numbers(test, **outcome):
    effects = differences(test, Outcome(**outcome))
    return [(e.intervention, e.estimate, e.std_error, e.lower, e.upper, e.n) for e in effects]


def test_every_engine_gives_the_same_numbers(engine, rows):
    for options in ({}, {"block": "region"}, {"winsorise": {"spend": 0.99}}):
        here, there = experiment(engine, **options), experiment(rows, **options)
        for outcome in ({"column": "visit"}, {"column": "spend", "adjust_for": ("before",)}):
            for one, other in zip(numbers(here, **outcome), numbers(there, **outcome), strict=True):
                assert one[0] == other[0]
                np.testing.assert_allclose(one[1:], other[1:], rtol=1e-9)


def test_sums_give_the_same_numbers_as_rows(rows):
    data = rows.astype({"visit": float})
    for first in ("visit", "spend", "before"):
        for second in ("visit", "spend", "before"):
            data[f"{first}*{second}"] = data[first] * data[second]
    products = [
        f"{a}*{b}" for i, a in enumerate(("visit", "spend", "before")) for b in ("visit", "spend", "before")[i:]
    ]
    sums = data.groupby("arm", as_index=False)[["visit", "spend", "before", *products]].sum()
    sums["n"] = data.groupby("arm").size().to_numpy()
    for table in (sums, pl.DataFrame(sums.to_dict("list"))):
        test = Experiment.from_sums(table, PLAN, columns=["visit", "spend"], covariates=["before"])
        for outcome in ({"column": "visit"}, {"column": "spend", "adjust_for": ("before",)}):
            for one, other in zip(numbers(test, **outcome), numbers(experiment(rows), **outcome), strict=True):
                np.testing.assert_allclose(one[1:], other[1:], rtol=1e-8)


def test_cluster_sums_need_no_products_and_give_the_same_numbers_as_rows(rows):
    data = rows.astype({"visit": float}).assign(cluster=rows["arm"] + rows["household"].astype(str))
    sums = data.groupby(["arm", "cluster"], as_index=False)[["visit", "spend"]].sum()
    sums["n"] = data.groupby(["arm", "cluster"]).size().to_numpy()
    plan = Plan(assigned_by="random", control="none", unit="household")
    from_sums = Experiment.from_sums(sums, plan, columns=["visit", "spend"])
    from_rows = Experiment.from_rows(data, plan, arm="arm", outcomes=["visit", "spend"], cluster="cluster")
    for one, other in zip(numbers(from_sums, column="spend"), numbers(from_rows, column="spend"), strict=True):
        np.testing.assert_allclose(one[1:], other[1:], rtol=1e-9)
    assert {check.name: check.passed for check in from_sums.checks} == {
        "Sample ratio": None,
        "Unit of assignment": True,
    }


def test_means_and_counts_give_the_same_numbers_as_rows(rows):
    grouped = rows.groupby("arm", as_index=False)
    means = grouped["spend"].agg(["size", "mean", "std"]).rename(columns={"size": "n", "std": "std_dev"})
    test = Experiment.from_means(means, PLAN, outcome="spend")
    for one, other in zip(numbers(test, column="spend"), numbers(experiment(rows), column="spend"), strict=True):
        np.testing.assert_allclose(one[1:], other[1:], rtol=1e-9)
    counts = grouped["visit"].agg(["size", "sum"]).rename(columns={"size": "n", "sum": "visit"})
    test = Experiment.from_counts(counts, PLAN, outcome="visit")
    for one, other in zip(numbers(test, column="visit"), numbers(experiment(rows), column="visit"), strict=True):
        np.testing.assert_allclose(one[1:], other[1:], rtol=1e-9)


def test_large_numbers_with_a_small_spread_lose_no_digits(rows):
    far = rows.assign(spend=rows["spend"] + 1e9)
    for one, other in zip(
        numbers(experiment(far), column="spend"), numbers(experiment(rows), column="spend"), strict=True
    ):
        np.testing.assert_allclose(one[2], other[2], rtol=1e-6)


def test_arms_may_be_numbers_and_outcomes_true_or_false(rows):
    test = experiment(rows.assign(arm=(rows["arm"] == "mail").astype(int)), Plan(assigned_by="random", control="0"))
    assert test.arms == ("0", "1")
    assert test.table().loc["1", "visit"] == rows.loc[rows["arm"] == "mail", "visit"].mean()


def test_a_quantile_is_one_of_all_arms_together_and_is_stated(rows):
    test = experiment(rows, winsorise={"spend": 0.99})
    ceiling = rows["spend"].quantile(0.99)
    cut = rows["spend"].clip(upper=ceiling)
    assert test.table().loc["mail", "spend"] == pytest.approx(cut[rows["arm"] == "mail"].mean())
    check = differences(test, Outcome(column="spend"))[0].checks[-1]
    share = 100 * (rows["spend"] - cut).sum() / rows["spend"].sum()
    assert check.name == "Ceiling"
    assert f"{(rows['spend'] > ceiling).sum()} of 1,200 customers, {share:.3g} % of the total" in check.detail
    assert "Without the ceiling, the difference is" in check.detail
    assert check.passed
    assert "! Ceiling: passed. spend above" in str(evidence_table(differences(test, Outcome(column="spend"))))
    visit = differences(test, Outcome(column="visit"))[0]
    assert "Ceiling" not in [check.name for check in visit.checks]


def test_a_ceiling_that_decides_fails_its_check():
    rows = pd.DataFrame({"arm": ["a"] * 200 + ["b"] * 200, "y": np.tile(np.arange(200.0), 2)})
    rows.loc[399, "y"] = 1e6
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"], caps={"y": 300.0}
    )
    check = differences(test, Outcome(column="y"))[0].checks[-1]
    assert check.passed is False
    assert "it depends on the largest spenders" in check.detail


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d.drop(columns="spend"), {}, "the test has no column 'spend'; it has customer_id, arm"),
        (
            lambda d: d.assign(spend="about " + d["spend"].astype(str)),
            {},
            "spend is missing, not finite or no number for 1,200 of 1,200",
        ),
        (
            lambda d: d.assign(spend=d["spend"].where(d["spend"] > 1)),
            {},
            r"spend is missing, not finite or no number for \d+ of 1,200 customers; fill in",
        ),
        (lambda d: d.assign(before=np.inf), {}, "before is missing, not finite or no number for 1,200"),
        (
            lambda d: d.assign(arm=d["arm"].where(d.index > 2)),
            {},
            "arm is missing for 3 of 1,200 customers; fill in",
        ),
        (lambda d: pd.concat([d, d.head(5)]), {}, "customer_id repeats: 1,205 rows for 1,200 customers"),
        (lambda d: d.head(0), {}, "there are no rows"),
        (lambda d: d[d["arm"] == "none"], {}, "there is only one arm, none"),
        (lambda d: d[d["arm"] != "none"], {}, "the control 'none' is not one of the arms call, mail"),
        (lambda d: d[d["arm"] != "call"], {}, "shares must give each of the arms"),
        (
            lambda d: d[(d["region"] == "north") | (d["arm"] != "mail")],
            {"block": "region"},
            "block 'south' has no customers in mail",
        ),
        (lambda d: d, {"cluster": "household"}, "clusters .first: .* appear in more than one arm"),
        (lambda d: d, {"caps": {"age": 3}}, "age: a ceiling needs one of the measured columns"),
        (lambda d: d, {"caps": {"spend": 3}, "winsorise": {"spend": 0.9}}, "and one rule"),
        (lambda d: d, {"winsorise": {"spend": 99}}, "winsorise must lie between 0.5 and 1"),
    ],
)
def test_rows_that_cannot_be_right_are_refused(rows, change, options, message):
    with pytest.raises(ValueError, match=message):
        experiment(change(rows), **options)


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"the test must be the path of a file, or a frame of .* not dict"):
        experiment({"arm": [1]})
    with pytest.raises(FileNotFoundError, match="no such file"):
        experiment(tmp_path / "absent.csv")


def test_orders_of_a_customer_count_as_a_cluster(rows):
    orders = pd.concat([rows, rows])
    test = Experiment.from_rows(
        orders, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"], cluster="customer_id"
    )
    once = Experiment.from_rows(rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["spend"])
    for one, other in zip(numbers(test, column="spend"), numbers(once, column="spend"), strict=True):
        np.testing.assert_allclose(one[1:5], other[1:5])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"arm": ["a", "b"], "n": [10, 10]}, "the table has no column 'y'; it has arm, n"),
        ({"arm": ["a", "b"], "n": [10, 10], "y": [1, None]}, "y is missing, not finite or no number in 1 of 2 rows"),
        ({"arm": ["a", "a"], "n": [10, 10], "y": [1, 2]}, "arm appear more than once"),
        (
            {"arm": ["a", "b"], "n": [10, 10], "y": [1, 12]},
            "not a count of customers for 1 of 2 arms .first: b, 12 of 10",
        ),
        ({"arm": ["a", "b"], "n": [10, 10], "y": [1.5, 2]}, "first: a, 1.5 of 10"),
        ({"arm": ["a", "b"], "n": ["ten", "10"], "y": [1, 2]}, "n is missing, not finite or no number in 1 of 2 rows"),
        ({"arm": ["a", "b"], "n": [10, 10], "y": [np.inf, 2]}, "y is missing, not finite or no number in 1 of 2 rows"),
        (
            {"arm": ["a", "b"], "n": [10, 10.5], "y": [1, 2]},
            "n is not a whole number of customers, .* in 1 of 2 rows: 10.5",
        ),
        (
            {"arm": ["a", "b"], "n": [10, 0], "y": [1, 0]},
            "n is not a whole number of customers, 1 or more, in 1 of 2 rows",
        ),
    ],
)
def test_counts_that_cannot_be_right_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        Experiment.from_counts(pd.DataFrame(table), Plan(assigned_by="random", control="a"), outcome="y")


def test_sums_name_the_products_they_lack():
    table = pd.DataFrame({"arm": ["a", "b"], "n": [9, 9], "y": [1.0, 2], "x": [1.0, 2], "y*y": [3.0, 4], "x*y": [3, 4]})
    with pytest.raises(ValueError, match=r"has no column 'x\*x'; it has"):
        Experiment.from_sums(table, Plan(assigned_by="random", control="a"), columns=["y", "x"])


def test_means_need_a_spread_of_0_or_more():
    table = pd.DataFrame({"arm": ["a", "b"], "n": [10, 12], "mean": [1.0, 2.0], "std_dev": [-1.0, 1.0]})
    with pytest.raises(ValueError, match="std_dev is below 0 in 1 of 2 rows"):
        Experiment.from_means(table, Plan(assigned_by="random", control="a"), outcome="y")


@pytest.mark.parametrize("engine", [pd.DataFrame, lambda d: pl.DataFrame(d.to_dict("list")), duckdb.from_df])
@pytest.mark.parametrize("kind", [bool, int])
def test_a_control_may_be_a_number_or_a_truth_value_on_every_engine(engine, kind):
    rows = pd.DataFrame({"treated": np.arange(100) % 2, "y": np.arange(100) % 3}).astype({"treated": kind})
    test = Experiment.from_rows(
        engine(rows), Plan(assigned_by="random", control=kind(0)), arm="treated", outcomes=["y"]
    )
    assert test.arms == (str(kind(0)), str(kind(1)))


@pytest.mark.parametrize("did", [False, True])
def test_an_outcome_that_nobody_had_or_everybody_has_an_interval(did):
    """Newcombe's of 0 of 300 and 0 of 400: z^2 / (n + z^2) to either side."""
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [300, 400], "bought": [0, 0]})
    counts["bought"] = counts["n"] * did
    test = Experiment.from_counts(counts, Plan(control="none", assigned_by="random"), outcome="bought")
    (effect,) = rm.differences(test, rm.Outcome(column="bought", unit="share of customers"))
    squared = ndtri(0.975) ** 2
    assert effect.estimate == 0
    ends = [squared / (n + squared) for n in (400, 300)]
    assert sorted([-effect.lower, effect.upper]) == pytest.approx(ends)
    assert [check.name for check in effect.failed] == ["Number of events"]
    with pytest.raises(ValueError, match=r"is the same for every customer: .*; if it is yes or no, say unit='share of"):
        rm.differences(test, rm.Outcome(column="bought"))


def test_nobody_bought_is_no_effect_and_no_error_on_the_page():
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "bought": 0})
    campaign = rm.interventions.read_campaign(rows, rm.Terms(price=10.0), cost=0.2, assigned_by="random")
    (effect,) = campaign.effects
    assert effect.lower < 0 < effect.upper
    assert effect.value_lower < -0.2 < effect.value_upper
    assert rm.evidence_table([effect]).table["rank"].isna().all()


def test_tables_leave_the_universal_control_out_as_rows_do():
    plan = Plan(control="none", assigned_by="random", universal_control=0.1)
    table = pd.DataFrame({"arm": ["none", "mail", "universal control"], "n": [300, 400, 80], "y": [30, 60, 20]})
    table = table.assign(**{"y*y": table["y"], "mean": 0.1, "std_dev": 0.3})
    for test in (
        Experiment.from_counts(table, plan, outcome="y"),
        Experiment.from_sums(table, plan, columns=["y"]),
        Experiment.from_means(table, plan, outcome="y"),
    ):
        assert test.arms == ("none", "mail")


@pytest.mark.parametrize("name", ["n", "arm", "block", "cluster"])
def test_an_outcome_with_the_name_of_a_column_of_sums_is_refused(name):
    table, plan = pd.DataFrame({"arm": ["a", "b"], "n": [9, 9]}), Plan(assigned_by="random", control="a")
    for read in (
        lambda: Experiment.from_counts(table, plan, outcome=name),
        lambda: Experiment.from_sums(table, plan, columns=[name]),
    ):
        with pytest.raises(
            ValueError, match=f"'{name}' is a column of every table of sums, so it cannot be an outcome"
        ):
            read()


def test_a_test_without_outcomes_is_refused(rows):
    with pytest.raises(ValueError, match="no outcome is named; name the columns that were measured after"):
        Experiment.from_rows(rows, PLAN, arm="arm", outcomes=[])
