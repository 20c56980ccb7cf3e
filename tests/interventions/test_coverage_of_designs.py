"""With known truth: looks, blocks and factorial contrasts hold it as often as they say, and find nothing in nothing."""

import numpy as np
import pytest

from retention_models.interventions.arms.cells import cell_of_customers
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences, factorial_effects
from retention_models.interventions.planning.sequential import interim_look

REPLICATES = 1_000
NEAR = 3 * np.sqrt(0.05 * 0.95 / REPLICATES)  # three standard errors of a coverage
OUTCOME = Outcome(column="y")
CAMPAIGNS = {"none": (), "mail": ("mail",), "coupon": ("coupon",), "both": ("mail", "coupon")}


def experiment(cells):
    """An experiment from the numbers of each arm in each block."""
    made = [
        cell_of_customers(arm, block, len(y), y.mean(keepdims=True), np.array([[np.sum((y - y.mean()) ** 2)]]))
        for (arm, block), y in cells.items()
    ]
    return Experiment(Plan(assigned_by="random", control="none"), ("y",), tuple(made))


def uniform(p):
    """The Kolmogorov-Smirnov distance from the uniform distribution, times the root of n; above 1.95 at 0.1 %."""
    p = np.sort(p)
    return np.max(np.abs(p - (np.arange(len(p)) + 0.5) / len(p))) * np.sqrt(len(p))


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_intervals_of_looks_hold_the_truth_at_every_look(effect):
    """Three looks at a growing test; all three intervals together, and the stops where there is nothing."""
    rng, shares = np.random.default_rng(21), [1 / 3, 2 / 3, 1.0]
    held, stopped = [], []
    for _ in range(REPLICATES):
        control, treated = rng.exponential(1.0, 450), rng.exponential(1.0, 450) + effect
        looks = []
        for number, n in enumerate((150, 300, 450), start=1):
            test = experiment({("none", ""): control[:n], ("mail", ""): treated[:n]})
            looks.append(interim_look(differences(test, OUTCOME)[0], shares[:number]))
        held.append(all(look.effect.lower <= effect <= look.effect.upper for look in looks))
        stopped.append(any(look.stop for look in looks))
    assert np.mean(held) == pytest.approx(0.95, abs=NEAR)
    if effect == 0:
        assert np.mean(stopped) == pytest.approx(0.05, abs=NEAR)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_blocks_of_unequal_shares(effect):
    """Blocks with other means, spreads and shares of the treated, where the pooled means would mislead."""
    rng, found = np.random.default_rng(22), []
    blocks = {"a": (0.0, 1.0, 30, 120), "b": (3.0, 2.0, 80, 40), "c": (8.0, 1.0, 50, 50)}
    for _ in range(REPLICATES):
        cells = {}
        for block, (mean, spread, controls, treated) in blocks.items():
            cells["none", block] = rng.normal(mean, spread, controls)
            cells["mail", block] = rng.normal(mean + effect, spread, treated)
        found.append(differences(experiment(cells), OUTCOME)[0])
    assert np.mean([e.lower <= effect <= e.upper for e in found]) == pytest.approx(0.95, abs=NEAR)
    if effect == 0:
        assert uniform([e.p_value for e in found]) < 1.95


@pytest.mark.slow
@pytest.mark.parametrize("together", [0.0, 0.2])
def test_factorial_contrasts(together):
    """Two campaigns that overlap: each one's main effect, and what they do together beyond their sum."""
    rng, found = np.random.default_rng(23), []
    chance = {"none": 0.2, "mail": 0.25, "coupon": 0.3, "both": 0.35 + together}
    for _ in range(REPLICATES):
        test = experiment({(arm, ""): (rng.random(250) < p).astype(float) for arm, p in chance.items()})
        found.append(factorial_effects(test, OUTCOME, CAMPAIGNS))
    names = [effect.intervention for effect in found[0]]
    truth = dict(zip(names, [0.05 + together / 2, 0.1 + together / 2, together], strict=True))
    for place, name in enumerate(names):
        effects = [rows[place] for rows in found]
        held = np.mean([e.lower <= truth[name] <= e.upper for e in effects])
        assert held == pytest.approx(0.95, abs=NEAR), name
    if together == 0:
        assert uniform([rows[2].p_value for rows in found]) < 1.95
