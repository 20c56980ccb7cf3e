"""The effect on those whom the assignment moved: by hand, in simulation, and with a weak instrument."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.encouragement import as_treated_difference, complier_effect

Y = Outcome(column="y")


def simulated(rng, n, moved, effect=0.0):
    """Openers spend more whatever they get: delivered against not delivered is biased, the assignment is not."""
    assigned, opener = rng.integers(0, 2, n), rng.random(n) < moved
    got = (assigned == 1) & opener
    y = rng.normal(size=n) + 1.0 * opener + effect * got
    return pd.DataFrame({"arm": np.where(assigned, "mail", "none"), "got": got, "y": y})


def experiment(rows):
    return Experiment.from_rows(rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y", "got"])


def test_the_wald_ratio_by_hand():
    rows = pd.DataFrame(
        {"arm": ["none"] * 4 + ["mail"] * 4, "y": [1.0, 2, 3, 2, 2, 3, 4, 5], "got": [0] * 4 + [1, 1, 1, 0]}
    )
    effect = complier_effect(experiment(rows), Y, received="got")
    assert effect.estimate == pytest.approx(1.5 / 0.75)
    assert effect.population == "those whom it moved, 75 % of all assigned customers"


def test_full_compliance_is_the_plain_difference():
    rows = simulated(np.random.default_rng(1), 500, 1.0, 0.3)
    test = experiment(rows)
    effect, plain = complier_effect(test, Y, received="got"), differences(test, Y)[0]
    np.testing.assert_allclose(
        [effect.estimate, effect.std_error, effect.lower, effect.upper],
        [plain.estimate, plain.std_error, plain.lower, plain.upper],
    )


def test_it_finds_what_the_naive_comparison_misses():
    rows = simulated(np.random.default_rng(2), 60_000, 0.4, 0.5)
    effect = complier_effect(experiment(rows), Y, received="got")
    naive = rows.loc[rows["got"], "y"].mean() - rows.loc[~rows["got"], "y"].mean()
    assert effect.lower < 0.5 < effect.upper
    assert abs(naive - 0.5) > 10 * effect.std_error


def test_the_interval_leaves_out_nothing_exactly_when_the_difference_does():
    for seed in range(30):
        test = experiment(simulated(np.random.default_rng(seed), 400, 0.6, 0.35))
        effect, plain = complier_effect(test, Y, received="got"), differences(test, Y)[0]
        if np.isfinite(effect.upper):
            assert (effect.lower > 0 or effect.upper < 0) == (plain.lower > 0 or plain.upper < 0)


def test_a_weak_encouragement_has_no_end_and_says_so():
    effect = complier_effect(experiment(simulated(np.random.default_rng(3), 300, 0.005)), Y, received="got")
    assert (effect.lower, effect.upper) == (-np.inf, np.inf)
    check = effect.checks[-1]
    assert (check.name, check.passed) == ("Strength of the encouragement", False)
    assert effect.p_value == pytest.approx(
        differences(experiment(simulated(np.random.default_rng(3), 300, 0.005)), Y)[0].p_value
    )


def test_an_assignment_that_moved_no_one_is_refused():
    rows = pd.DataFrame({"arm": ["none", "mail"] * 4, "y": range(8), "got": [0] * 8})
    with pytest.raises(ValueError, match="the assignment changed nothing"):
        complier_effect(experiment(rows), Y, received="got")


def test_the_arm_is_named_where_there_are_several():
    rows = pd.DataFrame({"arm": ["none", "mail", "call"] * 4, "y": range(12), "got": [0, 1, 1] * 4})
    with pytest.raises(ValueError, match="state the arm: arm= one of call, mail"):
        complier_effect(experiment(rows), Y, received="got")
    with pytest.raises(ValueError, match="the arm 'fax' is not one of call, mail"):
        complier_effect(experiment(rows), Y, received="got", arm="fax")


def test_whether_a_customer_received_must_be_known():
    rows = pd.DataFrame({"got": [1.0, 0.0, np.nan] * 50, "y": [1, 0, 0, 0, 1, 0] * 25})
    with pytest.raises(ValueError, match="got is missing, not finite or no number for 50 of 150 customers"):
        as_treated_difference(rows, Y, received="got")
    assert as_treated_difference(rows.dropna(), Y, received="got").n == 100
    with pytest.raises(ValueError, match="has no column 'sent'; it has "):
        as_treated_difference(rows, Y, received="sent")


def test_the_value_of_receiving_bears_the_cost_of_all_that_were_assigned():
    test = experiment(simulated(np.random.default_rng(2), 20_000, 0.4, 0.5))
    money = {"terms": rm.Terms(price=10.0), "costs": {"mail": Costs(contact=0.2)}}
    effect, assigned = complier_effect(test, Y, **money, received="got"), differences(test, Y, **money)[0]
    moved = test.table().loc["mail", "got"] - test.table().loc["none", "got"]
    assert effect.cost == pytest.approx(0.2 / moved)
    assert effect.value == pytest.approx(assigned.value / moved)
    assert (effect.value_lower > 0) == (assigned.value_lower > 0)
    weak = complier_effect(experiment(simulated(np.random.default_rng(3), 300, 0.005)), Y, **money, received="got")
    assert (weak.value_lower, weak.value_upper) == (-np.inf, np.inf)
