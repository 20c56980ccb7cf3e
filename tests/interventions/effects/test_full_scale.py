"""Money of a roll-out, the expected loss of deciding now, and the size of the next test."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import retention_models as rm
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.full_scale import loss_of_deciding
from retention_models.interventions.effects.laws import StudentT

MONEY = {"cost": 0.1, "value": 0.4, "value_law": StudentT(0.4, 0.25)}


def test_a_year_at_full_scale_is_reach_times_repeats_times_the_value(effect):
    row = effect(**MONEY, reach=50_000, repeats=4)
    assert row.uses == 200_000
    assert row.annual_value == pytest.approx([200_000 * x for x in (0.4, *StudentT(0.4, 0.25).interval(0.95))])
    assert effect(**MONEY).annual_value is None
    assert effect(reach=50_000).annual_value is None
    assert effect(reach=50_000).expected_loss is None


@pytest.mark.parametrize("value", [-3.0, -0.4, 0.0, 0.1, 0.4, 2.5])
def test_the_expected_loss_is_what_a_wrong_sign_costs_on_average(value, effect):
    """Under a flat prior the truth is normal around the estimate; a wrong sign loses what the other choice is worth."""
    std_error = 0.25
    wrong = (-np.inf, 0) if value > 0 else (0, np.inf)
    by_hand, _ = quad(lambda truth: abs(truth) * norm.pdf(truth, value, std_error), *wrong)
    assert loss_of_deciding(value, std_error) == pytest.approx(by_hand, rel=1e-6, abs=1e-12)
    row = effect(cost=0.1, value=value, value_law=StudentT(value, std_error), reach=1_000, repeats=2)
    assert row.expected_loss == pytest.approx(2_000 * by_hand, rel=1e-6, abs=1e-9)


def test_without_an_error_nothing_is_lost_and_without_an_end_nobody_knows():
    assert loss_of_deciding(0.3, 0.0) == 0.0
    assert loss_of_deciding(0.3, math.inf) == math.inf


def test_the_next_test_depends_on_the_smallest_gain_and_never_on_the_effect(effect):
    half = norm.ppf(0.975) * 0.25
    for value in (-1.0, 0.0, 0.7):
        row = effect(cost=0.1, value=value, value_law=StudentT(value, 0.25), smallest_gain=0.1)
        assert row.customers_of_next_test == math.ceil(1000 * (half / 0.1) ** 2)
    assert effect(smallest_gain=0.01).customers_of_next_test == math.ceil(1000 * (norm.ppf(0.975)) ** 2)
    assert effect(**MONEY).customers_of_next_test is None


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_next_test_of_that_size_is_as_exact_as_asked(share):
    rng = np.random.default_rng(2)
    plan = rm.Plan(control="none", assigned_by="random", smallest_gain=0.15)

    def measured(customers):
        treated = round(customers * share)
        arms = np.repeat(["none", "mail"], [customers - treated, treated])
        rows = pd.DataFrame({"arm": arms, "spend": rng.gamma(2.0, 5.0, customers)})
        test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["spend"])
        return rm.differences(test, rm.Outcome(column="spend"))[0]

    following = measured(measured(40_000).customers_of_next_test)
    assert (following.upper - following.lower) / 2 == pytest.approx(0.15, rel=0.06)


def test_the_smallest_gain_is_the_cost_of_a_contact_unless_the_plan_says_otherwise():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "spend": rng.gamma(2.0, 5.0, 400), "before": rng.random(400)})
    spend = rm.Outcome(column="spend", adjust_for=("before",))
    money = {"terms": rm.Terms(margin=0.3), "costs": {"mail": rm.Costs(contact=0.15)}}
    for stated, expected in ((None, 0.15), (0.4, 0.4)):
        plan = rm.Plan(control="none", assigned_by="random", smallest_gain=stated)
        test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["spend"], covariates=["before"])
        for adjustment in ("CUPED", "Lin"):
            (row,) = rm.differences(test, spend, **money, adjustment=adjustment)
            assert row.smallest_gain == expected
        (plain,) = rm.differences(test, spend)
        assert plain.smallest_gain == stated


@pytest.mark.parametrize(
    ("horizon", "time_unit", "most"),
    [(56, "D", 6), (1, "M", 12), (6, "W", 8), (1, "Y", 1), (52, "W", 1), (24, "M", 0.5), (3, "30D", 4), (48, "h", 183)],
)
def test_repeats_fit_in_a_year_without_overlap(horizon, time_unit, most, effect):
    row = effect(**MONEY, horizon=horizon, time_unit=time_unit, reach=100, repeats=most)
    assert row.uses == 100 * most
    with pytest.raises(ValueError, match="do not fit in a year without overlap; state at most"):
        effect(**MONEY, horizon=horizon, time_unit=time_unit, reach=100, repeats=math.floor(most) + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reach": 0}, "reach must be a whole number, 1 or more"),
        ({"reach": 0.5}, "reach must be a whole number, 1 or more"),
        ({"repeats": 0}, "repeats must be a number above 0"),
        ({"smallest_gain": -1.0}, "smallest_gain must be a number above 0"),
        ({"owner": 3}, "owner must be a text"),
        ({"measured_on": "soon"}, "measured_on must be a day such as"),
        ({"reach": 10, "repeats": 2, "horizon": None, "time_unit": None}, "2 repeats a year need the horizon"),
    ],
)
def test_a_roll_out_that_makes_no_sense_is_refused(change, message, effect):
    with pytest.raises(ValueError, match=message):
        effect(**change)


def test_the_roll_out_comes_back_from_json_and_rows_stored_before_it_are_read(effect):
    row = effect(**MONEY, reach=50_000, repeats=2, owner="CRM", measured_on="2024-05-01", smallest_gain=0.1)
    assert Effect.from_json(row.to_json()) == row
    old = json.loads(row.to_json()) | {"format": 1}
    for name in ("reach", "repeats", "owner", "measured_on", "smallest_gain"):
        del old["effect"][name]
    back = Effect.from_json(json.dumps(old))
    assert (back.reach, back.repeats, back.owner, back.measured_on) == (None, 1.0, "", None)
    assert back.value == row.value


def test_the_plan_gives_its_roll_out_to_every_effect():
    roll_out = {"reach": 9_000, "repeats": 2.0, "owner": "CRM", "measured_on": "2024-05-01"}
    plan = rm.Plan(control="none", assigned_by="random", **roll_out)
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [400, 400], "bought": [40, 60]})
    test = rm.Experiment.from_counts(counts, plan, outcome="bought")
    week = rm.Outcome(column="bought", unit="share of customers", horizon=8, time_unit="W")
    (row,) = rm.differences(test, week, rm.Terms(price=12.0))
    assert row.annual_value == pytest.approx([18_000 * amount for amount in row.priced])
    table = rm.evidence_table([row]).table
    assert table["annual_value"].tolist() == pytest.approx([row.annual_value[0]])
    assert table[["owner", "measured_on"]].to_numpy().tolist() == [["CRM", "2024-05-01"]]
    too_often = rm.Plan(control="none", assigned_by="random", reach=9, repeats=7)
    with pytest.raises(ValueError, match="7 repeats of 8 weeks take 392 days and do not fit in a year"):
        rm.differences(rm.Experiment.from_counts(counts, too_often, outcome="bought"), week)


@pytest.mark.slow
def test_the_interval_at_full_scale_holds_the_truth_as_often_as_it_says():
    """1,000 tests of 800 customers whose margin rises by 0.6, which cost 0.5 each: 0.1 x 60,000 a year."""
    rng, held = np.random.default_rng(4), []
    plan = rm.Plan(control="none", assigned_by="random", reach=30_000, repeats=2)
    outcome = rm.Outcome(column="spend", horizon=8, time_unit="W")
    money = {"terms": rm.Terms(margin=0.3), "costs": {"mail": rm.Costs(contact=0.5)}}
    for _ in range(1_000):
        spend = rng.gamma(2.0, 5.0, 800) + np.repeat([0.0, 2.0], 400)
        rows = pd.DataFrame({"arm": np.repeat(["none", "mail"], 400), "spend": spend})
        test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["spend"])
        _, lower, upper = rm.differences(test, outcome, **money)[0].annual_value
        held.append(lower <= 60_000 * 0.1 <= upper)
    assert 0.93 <= np.mean(held) <= 0.97


def test_a_gain_that_no_test_could_show_has_no_size(effect):
    for gain in (1e-300, 1e-9):
        row = effect(**MONEY, smallest_gain=gain)
        assert row.customers_of_next_test is None
        assert rm.evidence_table([row]).table["customers_of_next_test"].isna().all()
    assert effect(**MONEY, smallest_gain=1e9).customers_of_next_test == 2


@pytest.mark.parametrize("assigned_by", ["rule", "choice", "unknown"])
def test_an_observational_difference_has_no_money_at_full_scale(assigned_by, effect):
    row = effect(**MONEY, reach=1_000, assigned_by=assigned_by)
    assert (row.design, row.annual_value, row.expected_loss) == ("observational", None, None)
    assert rm.evidence_table([row]).table[["annual_value", "expected_loss"]].isna().all(axis=None)
