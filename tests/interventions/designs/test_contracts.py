"""Tests among customers with contracts: RMST as published, values by hand, errors that say what is wrong."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.contract_arms import contract_experiment
from retention_models.interventions.designs.contracts import incremental_value, retention_difference, rmst_difference

PLAN = Plan(assigned_by="random", control="none", shares={"none": 1, "offer": 1})


@pytest.fixture(scope="module")
def spells():
    """Ten customers an arm; the offer's leave later; two of each are still there after month 6."""
    return pd.DataFrame(
        {
            "arm": ["none"] * 10 + ["offer"] * 10,
            "tenure": [1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 2, 3, 3, 4, 5, 5, 5, 6, 6, 6],
            "churned": [1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0],
        }
    )


def made(rows, **options):
    return contract_experiment(rows, PLAN, arm="arm", time_unit="M", **options)


def test_restricted_mean_difference_on_lung_is_as_published(reference):
    """Women minus men, 965 days: 131.8557 (39.7587), 53.930 to 209.781."""
    lung = pd.read_csv(reference / "life_tables.csv", keep_default_na=False).query("data == 'lung'")
    rows = lung.assign(churned=lung["cause"] != "")
    test = contract_experiment(
        rows, Plan(assigned_by="random", control="men"), arm="group", time_unit="D", weight="weight"
    )
    effect = rmst_difference(test, horizon=965)[0]
    assert effect.estimate == pytest.approx(131.8557, abs=5e-5)
    assert effect.std_error == pytest.approx(39.7587, abs=5e-5)
    assert (round(effect.lower, 3), round(effect.upper, 3)) == (53.930, 209.781)
    assert (effect.unit, effect.horizon_text, effect.n) == ("days per customer", "965 days", 228)


def test_without_censoring_it_is_the_plain_comparison(spells):
    rows = spells.assign(churned=1)
    test = made(rows)
    for effect, y in (
        (retention_difference(test, horizon=3)[0], (rows["tenure"] > 3).astype(float)),
        (rmst_difference(test, horizon=4)[0], rows["tenure"].clip(upper=4)),
    ):
        treated, control = y[rows["arm"] == "offer"], y[rows["arm"] == "none"]
        assert effect.estimate == pytest.approx(treated.mean() - control.mean())
        assert effect.std_error == pytest.approx(math.sqrt(treated.var(ddof=0) / 10 + control.var(ddof=0) / 10))


def test_rows_counts_and_engines_give_the_same_numbers(spells):
    counted = spells.groupby(["arm", "tenure", "churned"], as_index=False).size()
    numbers = []
    for test in (made(spells), made(counted, weight="size"), made(pl.DataFrame(spells.to_dict("list")).lazy())):
        effect = rmst_difference(test, horizon=5, rate=0.01)[0]
        numbers.append((effect.estimate, effect.std_error, effect.n))
    assert numbers[0] == pytest.approx(numbers[1])
    assert numbers[0] == pytest.approx(numbers[2])


def test_discounted_time_by_hand():
    """All of one arm leave at 1, three of four of the other at 2: the gain is the area beyond 1, discounted."""
    rows = pd.DataFrame({"arm": ["none"] * 4 + ["offer"] * 4, "tenure": [1] * 4 + [2] * 3 + [3], "churned": 1})
    effect = rmst_difference(made(rows), horizon=2.5, rate=0.1)[0]
    until, beyond = math.exp(-0.1) - math.exp(-0.2), math.exp(-0.2) - math.exp(-0.25)
    assert effect.estimate == pytest.approx((until + beyond / 4) / 0.1)
    assert "discounted at 0.1 per time unit" in effect.estimand


def test_value_is_margin_times_time_less_cost(spells):
    money = {"terms": rm.Terms(price=30.0), "costs": {"offer": Costs(contact=12.0)}}
    effect = rmst_difference(made(spells), horizon=5, rate=0.01, **money)[0]
    assert effect.cost == 12.0
    assert effect.value == pytest.approx(30 * effect.estimate - 12)
    assert effect.value_upper == pytest.approx(30 * effect.upper - 12)


def test_the_tail_is_told_apart(spells):
    test, money = made(spells), {"terms": rm.Terms(price=30.0), "costs": {"offer": Costs(contact=12.0)}}
    plain = incremental_value(test, **money, horizon=5, rate=0.01)
    told = incremental_value(test, **money, horizon=5, rate=0.01, residual_lifetime=8.0)
    assert list(plain.columns) == ["observed", "observed_lower", "observed_upper"]
    assert told.loc["offer", "observed"] == plain.loc["offer", "observed"]
    kept = retention_difference(test, horizon=5)[0]
    assert told.loc["offer", "tail"] == pytest.approx(30 * 8 * math.exp(-0.05) * kept.estimate)
    assert told.loc["offer", "tail_lower"] == pytest.approx(30 * 8 * math.exp(-0.05) * kept.lower)


def test_a_time_unit_is_one_of_terms(spells):
    for wrong in ("months", ""):
        with pytest.raises(ValueError, match=r"time_unit must be one of 'W', 'D', .*'M', 'Q', 'Y' or a fixed length"):
            contract_experiment(spells, PLAN, arm="arm", time_unit=wrong)
    with pytest.raises(ValueError, match="state the unit of tenure, such as time_unit='M'"):
        contract_experiment(spells, PLAN, arm="arm")
    effect = rmst_difference(contract_experiment(spells, PLAN, arm="arm", time_unit="28D"), horizon=5)[0]
    assert (effect.unit, effect.horizon_text) == ("units of 28D per customer", "5 times 28D")


def test_before_anyone_left_nothing_differs(spells):
    assert retention_difference(made(spells), horizon=0.5)[0].estimate == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="churned"), "has no column 'churned'; it has arm, tenure"),
        (lambda d: d.assign(tenure=d["tenure"].where(d["tenure"] > 1)), "missing for 2 of 20 customers"),
        (lambda d: d.assign(tenure=d["tenure"] - 2), "tenure is negative or infinite, or churned .*, for 2 of 20"),
        (lambda d: d.assign(tenure=d["tenure"].where(d["tenure"] > 1, np.inf)), "negative or infinite, .* for 2 of 20"),
        (lambda d: d.head(0), "there are no rows with an arm"),
        (lambda d: d.assign(churned=d["churned"] * 2), "neither 0 nor 1, for 14 of 20"),
        (lambda d: d[d["arm"] == "none"], "there is only one arm"),
    ],
)
def test_spells_that_cannot_be_are_refused(spells, change, message):
    with pytest.raises(ValueError, match=message):
        made(change(spells))


def test_what_was_not_observed_is_not_told(spells):
    for call in (retention_difference, rmst_difference):
        with pytest.raises(ValueError, match="no customer in none was observed for longer than 6 months"):
            call(made(spells), horizon=7)


def test_redemptions_have_no_column_here(spells):
    with pytest.raises(ValueError, match="used was not measured"):
        rmst_difference(
            made(spells), horizon=5, terms=rm.Terms(price=1), costs={"offer": Costs(redemption=1, redemptions="used")}
        )


@pytest.mark.slow
def test_intervals_cover_the_true_differences():
    """Exponential lives of mean 10 and 14 months, censored evenly over months 6 to 18; horizon 6."""
    rng = np.random.default_rng(9)
    truth = {
        arm: (math.exp(-6 / mean), mean * (1 - math.exp(-6 / mean))) for arm, mean in (("none", 10), ("offer", 14))
    }
    covered = []
    for _ in range(1_000):
        arm = rng.permutation(["none", "offer"] * 300)
        life = rng.exponential(np.where(arm == "offer", 14, 10))
        seen = rng.uniform(6, 18, 600)
        rows = pd.DataFrame({"arm": arm, "tenure": np.minimum(life, seen), "churned": (life <= seen).astype(int)})
        test = made(rows)
        effects = retention_difference(test, horizon=6)[0], rmst_difference(test, horizon=6)[0]
        covered.append([e.lower <= truth["offer"][i] - truth["none"][i] <= e.upper for i, e in enumerate(effects)])
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.95, atol=0.021)  # three standard errors of 1,000


def test_nobody_left_by_the_horizon_is_no_certainty():
    rows = pd.DataFrame({"arm": ["none", "offer"] * 5, "tenure": 10.0, "churned": 0})
    effect = retention_difference(made(rows), horizon=5)[0]
    end = 1.959964**2 / (5 + 1.959964**2)
    assert (effect.estimate, effect.lower, effect.upper) == pytest.approx((0, -end, end))
    assert [check.name for check in effect.failed] == ["Number of events"]
    with pytest.raises(ValueError, match="time as a customer is the same for every customer of none and offer up to 5"):
        rmst_difference(made(rows), horizon=5, terms=rm.Terms(price=10.0))


def test_an_arm_that_all_left_fails_its_check(spells):
    rows = spells.assign(churned=1).query("arm == 'offer' or tenure < 6")
    effect = retention_difference(made(rows), horizon=5)[0]
    check = next(check for check in effect.checks if check.name == "Number of events")
    assert check.passed is False
    assert "(0 in the smallest group)" in check.detail
    assert next(c for c in rmst_difference(made(rows), horizon=5)[0].checks if c.name == "Number of events").passed


@pytest.mark.parametrize("engine", [pd.DataFrame, lambda d: pl.DataFrame(d.to_dict("list"))])
@pytest.mark.parametrize("wrong", [np.nan, -1.0])
def test_a_row_without_a_count_is_refused(spells, engine, wrong):
    weight = np.where(np.arange(20) == 4, wrong, 10.0)
    with pytest.raises(ValueError, match="w is missing, negative or not finite in 1 of 20 rows"):
        made(engine(spells.assign(w=weight)), weight="w")
