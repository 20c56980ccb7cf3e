"""Group-sequential bounds as published, what must hold of them, and no more false alarms than promised."""

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from retention_models.interventions.arms.cells import cell_of_clusters
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.effects.error_spending import error_spent, sequential_bounds
from retention_models.interventions.effects.laws import Permutation
from retention_models.interventions.effects.ratio_laws import AndersonRubin
from retention_models.interventions.planning.sequential import interim_look


def test_five_equal_looks_are_as_published():
    bounds = sequential_bounds([0.2, 0.4, 0.6, 0.8, 1.0])["bound"]
    assert bounds.round(4).tolist() == [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]


def test_one_look_is_the_usual_test():
    for spending in ("obrien-fleming", "pocock"):
        assert sequential_bounds([1.0], spending=spending)["bound"].iloc[0] == pytest.approx(ndtri(0.975), abs=1e-9)


def test_all_error_is_spent_at_the_end():
    for spending in ("obrien-fleming", "pocock"):
        assert error_spent(1.0, 0.9, spending) == pytest.approx(0.1)
        assert sequential_bounds([0.3, 0.31, 1.0], 0.9, spending)["spent"].iloc[-1] == pytest.approx(0.1)


def test_bounds_depend_on_no_later_look():
    early = sequential_bounds([0.25, 0.5])["bound"]
    late = sequential_bounds([0.25, 0.5, 0.6, 1.0])["bound"]
    np.testing.assert_allclose(early, late.iloc[:2], rtol=1e-12)


def test_pocock_spends_evenly_and_obrien_fleming_late():
    even = sequential_bounds(np.arange(1, 6) / 5, spending="pocock")["bound"]
    assert even.max() - even.min() < 0.1
    assert sequential_bounds([0.1])["p_value"].iloc[0] < 1e-8


def test_paths_of_no_effect_cross_as_often_as_the_error_says():
    rng = np.random.default_rng(3)
    times = np.array([0.3, 0.5, 0.8, 1.0])
    steps = rng.normal(size=(200_000, 4)) * np.sqrt(np.diff([0, *times]))
    z = np.cumsum(steps, axis=1) / np.sqrt(times)
    table = sequential_bounds(times, spending="pocock")
    for look in range(1, 5):
        crossed = np.mean(np.any(np.abs(z[:, :look]) >= table["bound"].to_numpy()[:look], axis=1))
        assert crossed == pytest.approx(table["spent"].iloc[look - 1], abs=0.0016)  # three standard errors of .05


def test_a_look_widens_the_interval_and_says_so(effect):
    reach = 0.01 * ndtri(0.975)
    row = effect(lower=0.04 - reach, upper=0.04 + reach, cost=0.0, value=1.0, value_lower=0.5, value_upper=1.5)
    look = interim_look(row, [0.2, 0.4])
    assert look.bound == pytest.approx(3.3570, abs=5e-5)
    assert look.stop
    assert look.effect.upper - look.effect.estimate == pytest.approx(look.bound * 0.01)
    assert look.effect.value_upper - 1 == pytest.approx(0.5 * look.bound / ndtri(0.975))
    assert (look.effect.checks[-1].name, look.effect.checks[-1].passed) == ("Interim looks", True)
    assert not interim_look(row, [0.2]).stop
    assert "go on" in str(interim_look(row, [0.2]))


def test_a_look_at_a_ratio_is_taken_on_the_log_scale(effect):
    reach = np.exp(0.1 * ndtri(0.975))
    row = effect(scale="ratio", estimate=1.5, std_error=0.1, lower=1.5 / reach, upper=1.5 * reach)
    look = interim_look(row, [0.5, 1.0])
    assert look.z == pytest.approx(np.log(1.5) / 0.1)
    assert look.effect.upper == pytest.approx(1.5 * np.exp(0.1 * look.bound))


@pytest.mark.parametrize("fractions", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 1.1], [0.6, 0.4]])
def test_fractions_must_rise_to_one(fractions):
    with pytest.raises(ValueError, match="fractions of the planned data must increase"):
        sequential_bounds(fractions)


def test_unknown_spending_is_named():
    with pytest.raises(ValueError, match="'obrien-fleming' or 'pocock'; got 'greedy'"):
        sequential_bounds([1.0], spending="greedy")


def few_clusters(rng, stores):
    """A test of so many stores an arm, all alike in truth."""
    cells = [
        cell_of_clusters(arm, "", np.full(stores, 10.0), rng.normal(size=(stores, 1)) * 10) for arm in ("none", "new")
    ]
    return differences(
        Experiment(Plan(assigned_by="random", control="none"), ("y",), tuple(cells)), Outcome(column="y")
    )[0]


def test_one_look_leaves_an_interval_of_few_stores_as_it_is():
    effect = few_clusters(np.random.default_rng(0), 3)
    look = interim_look(effect, [1.0])
    np.testing.assert_allclose([look.effect.lower, look.effect.upper], [effect.lower, effect.upper])
    check = look.effect.checks[-1]
    assert check.passed is None
    assert "degrees of freedom that is approximate" in check.detail


def test_an_early_look_at_few_stores_is_wider_by_their_own_t_distribution():
    effect = few_clusters(np.random.default_rng(0), 4)
    look = interim_look(effect, [0.5])
    df = effect.law.df
    assert 3 < df < 7
    nominal = sequential_bounds([0.5])["p_value"].iloc[0]
    assert look.bound == pytest.approx(stdtrit(df, 1 - nominal / 2))
    assert look.effect.upper - effect.estimate == pytest.approx(look.bound * effect.std_error)


def test_few_stores_are_stopped_no_more_often_than_the_error_says():
    rng = np.random.default_rng(1)
    stopped = np.mean([interim_look(few_clusters(rng, 4), [1.0]).stop for _ in range(1_500)])
    assert stopped == pytest.approx(0.05, abs=0.017)  # three standard errors


def test_the_p_value_of_a_look_holds_at_every_look():
    """It is the error at which the bound of this look is just reached."""
    effect = few_clusters(np.random.default_rng(4), 8)
    look = interim_look(effect, [0.3, 0.6])
    level = 1 - look.effect.p_value
    bound = sequential_bounds([0.3, 0.6], level)["p_value"].iloc[-1]
    assert bound == pytest.approx(effect.p_value, rel=1e-6)
    assert look.stop == (look.effect.p_value < 0.05)
    assert interim_look(effect, [1.0]).effect.p_value == pytest.approx(effect.p_value, rel=1e-6)


def test_an_interval_without_end_has_none_at_a_look(effect):
    weak = AndersonRubin(0.04, 0.1, 1e-4, 0.01, 0.0)
    look = interim_look(effect(estimate=0.4, law=weak, std_error=None, lower=None, upper=None), [0.5])
    assert (look.effect.lower, look.effect.upper) == (-np.inf, np.inf)
    assert not look.stop
    assert look.effect.checks[-1].passed is None
    assert "it has no end, at this look or any" in look.effect.checks[-1].detail


def test_few_orders_have_an_end_at_the_last_look_only(effect):
    """Of 40 orders 1 in 40 is the least p-value, below 5 % and above what an early look may spend."""
    ends = np.linspace(0.01, 0.39, 39)
    few = Permutation(0.4, 0.1, (-np.inf, *ends), (*(0.8 - ends[::-1]), np.inf))
    row = effect(estimate=0.4, law=few, std_error=None, lower=None, upper=None)
    assert np.isfinite([row.lower, row.upper]).all()
    assert row.p_value == 1 / 40
    look = interim_look(row, [0.5])
    assert (look.effect.lower, look.effect.upper, look.stop) == (-np.inf, np.inf, False)
    assert "it has no end at this look" in look.effect.checks[-1].detail
    assert interim_look(row, [1.0]).stop


@pytest.mark.parametrize("fractions", [[0.3], [0.5, 0.6], [0.5, 0.75, 0.9]])
def test_looks_beyond_the_plan_are_refused(fractions, effect):
    plan = Plan(control="none", assigned_by="random", looks=(0.5, 0.75))
    with pytest.raises(ValueError, match=r"are not planned \(planned: 50 %, 75 %\); only planned looks may stop"):
        interim_look(effect(), fractions, plan=plan)
    with pytest.raises(ValueError, match=r"are not planned \(planned: none\)"):
        interim_look(effect(), [0.5], plan=Plan(control="none", assigned_by="random"))


@pytest.mark.parametrize("fractions", [[0.5], [0.501, 0.75], [0.55, 0.8, 1.0], [1.0]])
def test_planned_looks_may_come_a_little_later(fractions, effect):
    plan = Plan(control="none", assigned_by="random", looks=(0.5, 0.75))
    assert interim_look(effect(), fractions, plan=plan) == interim_look(effect(), fractions)
