"""A test is drawn evenly, reproducibly, and with a universal control group that is the same in every test."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chisquare

import retention_models as rm
from retention_models.interventions.arms.plan import UNIVERSAL_CONTROL
from retention_models.interventions.planning.planned_outcomes import Clustered, Mean
from retention_models.interventions.planning.power import power
from retention_models.interventions.planning.random_assignment import _draw as draw_arms

SHARES = {"none": 1, "mail": 1, "call": 2}
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": [f"C{n:04d}" for n in range(2000)],
        "frequency": np.random.default_rng(1).poisson(2, 2000),
        "country": np.random.default_rng(2).choice(["DE", "FR", "NL"], 2000, p=[0.6, 0.3, 0.1]),
        "store": [f"S{n % 50:02d}" for n in range(2000)],
    }
)
KEPT_OUT = {"universal_control": 0.1, "salt": "our secret"}


def arms_of(drawn):
    return drawn.table.set_index("customer_id")["arm"]


def test_arms_are_as_large_as_planned_to_within_one_in_every_stratum():
    drawn = rm.assign(CUSTOMERS, SHARES, strata=["country", "frequency"], rng=7)
    counts = drawn.balance().drop(index="all")
    exact = counts.sum(axis=1).to_numpy()[:, None] * np.array([0.25, 0.25, 0.5])
    assert (np.abs(counts.to_numpy() - exact) < 1).all()
    assert rm.assign(CUSTOMERS, SHARES, rng=7).balance().loc["all"].tolist() == [500, 500, 1000]


def test_the_draw_depends_on_ids_and_seed_alone(tmp_path):
    drawn = rm.assign(CUSTOMERS, SHARES, strata="country", **KEPT_OUT, rng=7)
    CUSTOMERS.to_csv(tmp_path / "c.csv", index=False)
    for source in (
        CUSTOMERS.sample(frac=1, random_state=3),
        CUSTOMERS.set_index("customer_id"),
        pl.from_pandas(CUSTOMERS),
        pl.from_pandas(CUSTOMERS).lazy(),
        tmp_path / "c.csv",
    ):
        again = rm.assign(source, SHARES, strata="country", **KEPT_OUT, rng=np.random.default_rng(7))
        pd.testing.assert_series_equal(arms_of(again), arms_of(drawn), check_dtype=False, check_index_type=False)
    assert not arms_of(rm.assign(CUSTOMERS, SHARES, strata="country", **KEPT_OUT, rng=8)).equals(arms_of(drawn))


def test_another_process_draws_the_same():
    code = (
        "import pandas as pd, retention_models as rm\n"
        "ids = pd.DataFrame({'customer_id': range(40)})\n"
        "print(''.join(rm.assign(ids, {'a': 1, 'b': 1}, universal_control=.2, salt='s', rng=1).table['arm'].str[0]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ids = pd.DataFrame({"customer_id": range(40)})
    here = rm.assign(ids, {"a": 1, "b": 1}, universal_control=0.2, salt="s", rng=1).table["arm"]
    assert result.stdout.strip() == "".join(here.str[0])


def test_the_universal_control_group_is_the_same_in_every_test():
    groups = [
        set(arms_of(drawn).index[arms_of(drawn) == UNIVERSAL_CONTROL])
        for drawn in (
            rm.assign(CUSTOMERS, SHARES, **KEPT_OUT, rng=1),
            rm.assign(CUSTOMERS, {"none": 1, "gift": 1}, strata="frequency", **KEPT_OUT, rng=2),
            rm.assign(CUSTOMERS.sample(frac=1, random_state=1), SHARES, **KEPT_OUT, name="spring"),
        )
    ]
    assert groups[0] == groups[1] == groups[2]
    half = arms_of(rm.assign(CUSTOMERS.head(1000), SHARES, **KEPT_OUT, rng=1))
    assert set(half.index[half == UNIVERSAL_CONTROL]) == groups[0] & set(half.index)
    larger = rm.assign(CUSTOMERS, SHARES, universal_control=0.2, salt="our secret", rng=1)
    assert groups[0] < set(arms_of(larger).index[arms_of(larger) == UNIVERSAL_CONTROL])
    other = rm.assign(CUSTOMERS, SHARES, universal_control=0.1, salt="another", rng=1)
    assert len(groups[0] & set(arms_of(other).index[arms_of(other) == UNIVERSAL_CONTROL])) < 0.3 * len(groups[0])


def test_an_id_is_in_the_universal_control_group_as_number_and_as_text():
    numbers = pd.DataFrame({"customer_id": range(500)})
    drawn = [
        rm.assign(frame, SHARES, **KEPT_OUT, rng=1).table.astype({"customer_id": str}).set_index("customer_id")["arm"]
        for frame in (numbers, numbers.astype(str), numbers.astype("Int64"))
    ]
    for other in drawn[1:]:
        assert (drawn[0] == UNIVERSAL_CONTROL).equals(other == UNIVERSAL_CONTROL)


def test_the_hash_spreads_evenly():
    ids = pd.DataFrame({"customer_id": range(40_000)})
    drawn = [arms_of(rm.assign(ids, SHARES, universal_control=u, salt="x", rng=1)) for u in (0.05, 0.3)]
    shares = [(arms == UNIVERSAL_CONTROL).mean() for arms in drawn]
    assert shares == pytest.approx([0.05, 0.3], abs=0.007)


@pytest.mark.parametrize("groups", [[0] * 7, [0, 0, 0, 1, 2, 2, 2], [0] * 4 + [1] * 3, list(range(7))])
def test_every_unit_gets_each_arm_as_often_as_planned_also_in_strata_of_few(groups):
    rng, arms = np.random.default_rng(4), list(SHARES)
    drawn = np.array([draw_arms(np.array(groups), SHARES, rng) for _ in range(4000)])
    for unit in drawn.T:
        sizes = [int((unit == arm).sum()) for arm in arms]
        assert chisquare(sizes, np.array([0.25, 0.25, 0.5]) * 4000).pvalue > 1e-4


def test_clusters_are_assigned_as_a_whole():
    drawn = rm.assign(CUSTOMERS, {"none": 1, "new": 1}, cluster="store", rng=1)
    assert len(drawn.table.drop_duplicates(["store", "arm"])) == 50
    assert drawn.table.drop_duplicates("store")["arm"].value_counts().tolist() == [25, 25]
    assert (drawn.plan.cluster, drawn.plan.unit) == ("store", "store")


def test_the_analysis_uses_the_plan_unasked(tmp_path):
    drawn = rm.assign(CUSTOMERS, {"none": 1, "mail": 1}, strata="country", **KEPT_OUT, rng=1)
    assert rm.Plan.from_json(drawn.plan.to_json(tmp_path / "plan.json")) == drawn.plan
    plan = rm.Plan.from_json(tmp_path / "plan.json")
    rows = drawn.table.assign(spend=np.random.default_rng(1).gamma(2, 10, 2000))
    test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["spend"])
    assert set(test.arms) == {"none", "mail"}
    assert {cell.block for cell in test.cells} == {"country: DE", "country: FR", "country: NL"}
    assert test.n(*test.arms) == (rows["arm"] != UNIVERSAL_CONTROL).sum()
    by_hand = rm.Experiment.from_rows(
        rows[rows["arm"] != UNIVERSAL_CONTROL],
        rm.Plan(control="none", shares={"none": 1, "mail": 1}, assigned_by="random"),
        arm="arm",
        outcomes=["spend"],
        block="stratum",
    )
    spend = rm.Outcome(column="spend")
    (effect,), (expected,) = rm.differences(test, spend), rm.differences(by_hand, spend)
    assert (effect.estimate, effect.std_error) == (expected.estimate, expected.std_error)
    assert effect.design == "randomised"
    stores = rm.assign(CUSTOMERS, {"none": 1, "new": 1}, cluster="store", rng=1)
    rows = stores.table.assign(spend=np.random.default_rng(1).gamma(2, 10, 2000))
    test = rm.Experiment.from_rows(rows, stores.plan, arm="arm", outcomes=["spend"])
    assert test.table()["units"].tolist() == [25, 25]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"shares": {"none": 1, "mail": -1}}, "the planned share of mail in shares must be a number above 0"),
        ({}, {"shares": {}}, "shares must give each arm its planned share"),
        ({}, {"control": "nil"}, "control 'nil' is not one of the arms none, mail, call"),
        ({}, {"universal_control": 1.5, "salt": "x"}, "universal_control must be"),
        ({}, {"universal_control": 0.1}, "salt must be a text"),
        ({}, {"strata": "age"}, "has no column 'age'"),
        ({"country": None}, {"strata": "country"}, "country is missing for 2,000 of 2,000 customers"),
        ({"customer_id": "C1"}, {}, r"customer_id repeats: 1 customers appear more than once \(first: C1\)"),
        ({}, {"cluster": "store", "strata": "country"}, "store lies in several strata for 50 of 50 clusters"),
        ({}, {"parts": 1}, "parts must be"),
        ({}, {"looks": (0.5, 1.5)}, r"looks must be fractions of the planned customers, such as .*; got \(0.5, 1.5\)"),
        ({}, {"looks": (0.8, 0.5)}, "looks must increase; got 0.8, 0.5"),
        ({}, {"looks": 0.5}, "looks must be fractions"),
        ({}, {"reach": -5}, "reach must be a whole number"),
        ({}, {"repeats": 0}, "repeats must be a number above 0"),
        ({}, {"outcome": Clustered(Mean(1.0), 40, 0.1)}, "a Clustered outcome needs cluster="),
        ({}, {"outcome": Mean(1.0), "cluster": "store"}, "a Clustered outcome needs cluster="),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, options, message):
    asked = {"shares": SHARES} | options
    with pytest.raises(ValueError, match=message):
        rm.assign(CUSTOMERS.assign(**change), **asked)


def test_the_plan_says_what_the_test_detects_and_when_it_may_be_looked_at(tmp_path):
    asked = {"looks": [0.5, 0.75], "reach": 90_000, "repeats": 4, "owner": "CRM", "smallest_gain": 0.2}
    drawn = rm.assign(CUSTOMERS, SHARES, outcome=Mean(1.0), **asked, **KEPT_OUT, rng=1)
    plan, sizes = drawn.plan, drawn.table["arm"].value_counts()
    assert plan.customers == sizes[list(SHARES)].sum() < 2000
    weakest = min(SHARES, key=lambda arm: sizes[arm] if arm != "none" else np.inf)
    both = sizes[weakest] + sizes["none"]
    found = power(Mean(1.0), plan.detectable_effect, both, share=sizes[weakest] / both, level=0.975)
    assert found == pytest.approx(0.8, abs=0.005)
    assert plan.detectable_outcome == "Mean: std_dev = 1"
    assert (plan.looks, plan.reach, plan.repeats) == ((0.5, 0.75), 90_000, 4)
    assert rm.Plan.from_json(plan.to_json()) == plan
    assert "Looks at 50 %, 75 %." in str(plan)
    stores = rm.assign(CUSTOMERS, {"none": 1, "new": 1}, cluster="store", outcome=Clustered(Mean(1.0), 40, 0.1), rng=1)
    assert power(Clustered(Mean(1.0), 40, 0.1), stores.plan.detectable_effect, 2000) == pytest.approx(0.8)


def test_an_arm_that_would_get_nobody_is_told():
    with pytest.raises(ValueError, match="no customers are left for this arm among 2 units"):
        rm.assign(CUSTOMERS.head(2), SHARES, rng=1)


@pytest.mark.slow
def test_intervals_of_a_stratified_test_hold_the_truth():
    """Of tests without effect whose strata differ much, as many as stated are found significant."""
    rng = np.random.default_rng(5)
    base = CUSTOMERS["frequency"].to_numpy() * 3.0
    held = []
    for _ in range(300):
        drawn = rm.assign(CUSTOMERS, {"none": 1, "mail": 1}, strata="frequency", rng=rng)
        rows = drawn.table.assign(y=base + rng.normal(size=2000))
        test = rm.Experiment.from_rows(rows, drawn.plan, arm="arm", outcomes=["y"])
        (effect,) = rm.differences(test, rm.Outcome(column="y"))
        held.append(effect.lower <= 0 <= effect.upper)
    assert 0.91 <= np.mean(held) <= 0.985


def test_a_campaign_reads_the_plan_also_from_its_file(tmp_path):
    drawn = rm.assign(CUSTOMERS, {"none": 1, "mail": 1}, strata="country", **KEPT_OUT, rng=1)
    stated = replace(drawn.plan, name="autumn", population="customers of the south", measured_from="2024-09-01")
    stated.to_json(tmp_path / "plan.json")
    rows = drawn.table.assign(spend=np.random.default_rng(1).gamma(2, 10, 2000))
    for plan in (stated, tmp_path / "plan.json"):
        campaign = rm.interventions.read_campaign(rows, rm.Terms(margin=0.3), amount="spend", plan=plan)
        assert campaign.experiment.plan.is_random
        assert campaign.experiment.plan.shares == {"none": 1, "mail": 1}
        assert campaign.roles.block == "stratum"
        assert set(campaign.experiment.arms) == {"none", "mail"}
        assert campaign.priced is not None
        assert campaign.experiment.plan.measured_from == date(2024, 9, 1)
        assert {effect.population for effect in campaign.effects} == {"customers of the south"}
        assert {effect.intervention for effect in campaign.effects} == {"mail"}


@pytest.mark.parametrize("vip", [0.04, 0.5, 0.96])
def test_yes_and_no_are_strata_on_every_engine_however_few_say_one_of_them(vip, tmp_path):
    customers = CUSTOMERS.assign(vip=np.random.default_rng(3).random(2000) < vip)
    customers.to_csv(tmp_path / "c.csv", index=False)
    drawn = rm.assign(customers, SHARES, strata="vip", rng=7)
    assert drawn.balance().sum(axis=1).tolist() == [*customers["vip"].value_counts().sort_index(), 2000]
    for source in (pl.from_pandas(customers), tmp_path / "c.csv", customers.assign(vip=customers["vip"].astype(int))):
        again = rm.assign(source, SHARES, strata="vip", rng=7)
        assert arms_of(again).tolist() == arms_of(drawn).tolist()
        assert again.balance().index.tolist() == drawn.balance().index.tolist()


@pytest.mark.parametrize("arms", [(0, 1), (False, True)])
def test_arms_may_be_numbers_or_truth_values(arms):
    drawn = rm.assign(CUSTOMERS, dict.fromkeys(arms, 1), control=arms[0], rng=1)
    assert drawn.plan.control == str(arms[0])
    assert drawn.balance().loc["all"].to_dict() == {str(arm): 1000 for arm in arms}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shares": None}, "shares must give each arm its planned share"),
        ({"shares": {"none": 1}}, "shares name only one arm, none"),
        ({"shares": {"none": 1, UNIVERSAL_CONTROL: 1}}, "'universal control' is no arm of a test"),
        ({"cluster": "arm"}, "cluster 'arm' has the name of a column that the assignment adds: rename it"),
        ({"cluster": "stratum"}, "cluster 'stratum' has the name of a column that the assignment adds: rename it"),
        ({"cluster": "customer_id"}, "cluster 'customer_id' is the id of single customers: leave it out"),
    ],
)
def test_arms_and_clusters_that_would_hide_others_are_refused(changes, message):
    customers = CUSTOMERS.assign(arm=CUSTOMERS["store"], stratum=CUSTOMERS["store"])
    with pytest.raises(ValueError, match=message):
        rm.assign(customers, **{"shares": SHARES} | changes, rng=1)
