"""Checks of how a test was run: lost customers, lost balance, the wrong unit."""

import re

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.arms.cells import cell_of_customers
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.experiment_checks import balance, sample_ratio
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.effects.table import evidence_table


def test_sample_ratio_by_hand():
    """(5,100 - 5,000)^2 / 5,000 x 2 = 4: p = .0455."""
    check = sample_ratio({"a": 5_100, "b": 4_900}, {"a": 1, "b": 1}, "customer")
    assert check.passed
    assert (
        "Customers assigned: a 5,100 (5,000 planned), b 4,900 (5,000 planned); p = 0.046, which chance "
        "alone gives in one of 22 tests; check whether customers were lost." in check.detail
    )


def test_sample_ratio_follows_the_planned_shares():
    assert sample_ratio({"a": 1_000, "b": 2_000}, {"a": 1, "b": 2}, "customer").passed is True
    assert sample_ratio({"a": 1_000, "b": 2_000}, {"a": 1, "b": 1}, "customer").passed is False
    assert sample_ratio({"a": 1_000, "b": 2_000}, None, "customer").passed is None


@pytest.mark.parametrize("shares", [{"a": 1}, {"a": 1, "b": 0}, {"a": 1, "c": 1}])
def test_shares_must_name_every_arm(shares):
    with pytest.raises(ValueError, match="shares must give each of the arms a, b a share above 0"):
        sample_ratio({"a": 10, "b": 10}, shares, "customer")


def test_a_mismatch_is_printed_with_every_effect_and_keeps_it_from_being_ranked():
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [10_000, 9_000], "visit": [1_000, 1_100]})
    test = Experiment.from_counts(
        counts, Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1}), outcome="visit"
    )
    table = evidence_table(differences(test, Outcome(column="visit"), rm.Terms(price=5.0)))
    assert table.table["rank"].isna().all()
    assert "Sample ratio: FAILED" in str(table)
    assert "nothing to rank" in table.decision


def test_households_known_only_by_their_members_fail_the_check():
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [10_000, 10_000], "voted": [3_000, 3_100]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none", unit="household"), outcome="voted")
    assert [(check.name, check.passed) for check in test.checks] == [
        ("Sample ratio", None),
        ("Unit of assignment", False),
    ]


def test_balance_sees_a_broken_assignment():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"arm": rng.permutation(["a", "b"] * 1_000), "y": rng.normal(size=2_000)})
    rows["fair"] = rng.normal(size=2_000)
    rows["unfair"] = rng.normal(size=2_000) + 0.3 * (rows["arm"] == "b")
    for covariates, passed in ((["fair"], True), (["fair", "unfair"], False)):
        test = Experiment.from_rows(
            rows, Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"], covariates=covariates
        )
        assert test.checks[-1].name == "Balance before assignment"
        assert test.checks[-1].passed is passed


def test_balance_p_values_are_uniform_under_a_fair_assignment():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(1_000):
        cells = []
        for arm in "abc":
            x = rng.normal(size=(100, 2))
            cells.append(cell_of_customers(arm, "", 100, x.mean(axis=0), np.cov(x.T) * 99))
        p.append(float(re.search(r"p [=<] ([\d.]+):", balance(cells, [0, 1]).detail)[1]))
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.03)
    assert np.mean(p) == pytest.approx(0.5, abs=0.05)


def test_balance_says_when_it_cannot_tell():
    rows = pd.DataFrame({"arm": ["a", "b"] * 4, "y": range(8), "x": range(8)})
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"], covariates=["x"]
    )
    assert test.checks[-1].passed is None


def test_few_events_are_told():
    counts = pd.DataFrame({"arm": ["a", "b"], "n": [1_000, 1_000], "churned": [4, 30]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="a"), outcome="churned")
    check = differences(test, Outcome(column="churned"))[0].checks[-1]
    assert (check.name, check.passed) == ("Number of events", False)
    assert "too few for the interval (4 in the smallest group)" in check.detail


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_balance_sees_a_covariate_that_only_one_arm_has(engine):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"arm": ["none", "mail"] * 1_000})
    rows["premium"] = ((rows["arm"] == "mail") & (rng.random(2_000) < 0.5)).astype(int)
    rows["y"] = (rng.random(2_000) < 0.2).astype(int)
    frame = {"pandas": rows, "polars": pl.DataFrame(rows.to_dict("list")), "duckdb": duckdb.connect().from_df(rows)}
    test = Experiment.from_rows(
        frame[engine], Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"], covariates=["premium"]
    )
    assert test.checks[-1].passed is False
    assert next(cell for cell in test.cells if cell.arm == "none").covariance[1, 1] == 0


@pytest.mark.parametrize(("mail", "passed"), [(1.0, False), (0.1, True)])
def test_arms_without_spread_are_balanced_only_where_they_agree(mail, passed):
    rows = pd.DataFrame({"arm": ["none", "mail"] * 100, "y": np.arange(200.0) % 7})
    rows["before"] = np.where(rows["arm"] == "mail", mail, 0.1)
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"], covariates=["before"]
    )
    assert test.checks[-1].passed is passed


def test_a_third_arm_with_spread_does_not_hide_two_that_differ_without():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"arm": ["a", "b", "c"] * 100, "y": rng.normal(size=300)})
    rows["x"] = np.where(rows["arm"] == "a", 0.0, np.where(rows["arm"] == "b", 1.0, rng.normal(0.5, 9, size=300)))
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="a"), arm="arm", outcomes=["y"], covariates=["x"]
    )
    assert test.checks[-1].passed is False
