"""With known truth: intervals hold it 95 times in 100, and where there is nothing, p-values are uniform."""

import numpy as np
import polars as pl
import pytest

from retention_models.interventions.arms.cells import cell_of_clusters, cell_of_customers
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.encouragement import complier_effect

REPLICATES = 1_000
NEAR = 3 * np.sqrt(0.05 * 0.95 / REPLICATES)  # three standard errors of a coverage
PLAN = Plan(assigned_by="random", control="none")


def experiment(columns, *arms, make=None, covariates=()):
    """An experiment straight from the arms' numbers, shape (customers, columns) each."""
    cells = [(make or customers)(arm, values) for arm, values in zip(("none", "mail"), arms, strict=True)]
    return Experiment(PLAN, tuple(columns), tuple(cells), covariates=covariates)


def customers(arm, values):
    deviations = values - values.mean(axis=0)
    return cell_of_customers(arm, "", len(values), values.mean(axis=0), deviations.T @ deviations)


def clusters(arm, values):
    """Rows are (size, sum)."""
    return cell_of_clusters(arm, "", values[:, 0], values[:, 1:])


def uniform(p):
    """The Kolmogorov-Smirnov distance from the uniform distribution, times the root of n; above 1.63 at 1 %."""
    p = np.sort(p)
    return np.max(np.abs(p - (np.arange(len(p)) + 0.5) / len(p))) * np.sqrt(len(p))


def shares(rng, effect):
    return rng.random((300, 1)) < 0.3, rng.random((200, 1)) < 0.3 + effect


def spend(rng, effect):
    """Skewed, unequal variances, unequal arms."""
    return rng.gamma(1.0, 20.0, (150, 1)), rng.gamma(2.0, 10.0 + effect / 2, (300, 1))


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.1])
@pytest.mark.parametrize("draw", [shares, spend])
def test_differences(draw, effect):
    rng = np.random.default_rng(1)
    effects = [
        differences(experiment(["y"], *(a.astype(float) for a in draw(rng, effect))), Outcome(column="y"))[0]
        for _ in range(REPLICATES)
    ]
    assert np.mean([e.lower <= effect <= e.upper for e in effects]) == pytest.approx(0.95, abs=NEAR)
    if effect == 0:
        assert uniform([e.p_value for e in effects]) < 1.95


@pytest.mark.slow
def test_lifts():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(REPLICATES):
        control, treated = rng.gamma(2.0, 10.0, (200, 1)), rng.gamma(2.0, 12.0, (200, 1))
        effect = differences(experiment(["y"], control, treated), Outcome(column="y"), scale="ratio")[0]
        covered.append(effect.lower <= 1.2 <= effect.upper)
    assert np.mean(covered) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.slow
def test_ratios_and_cuped():
    """Spend per order, orders differing by arm: the ratio is 20 in the control and 22 among the treated."""
    rng = np.random.default_rng(3)
    covered, widths = [], []
    outcomes = Outcome(column="spend", per="orders"), Outcome(column="spend", per="orders", adjust_for=("before",))

    def arm(price, orders):
        before = rng.normal(0, 1, 400)
        n = 1 + rng.poisson(orders, 400)
        return np.column_stack([n * price + n * rng.normal(0, 5, 400) + 8 * before, n, before])

    for _ in range(REPLICATES):
        test = experiment(["spend", "orders", "before"], arm(20, 1.0), arm(22, 2.0), covariates=("before",))
        effects = [differences(test, outcome)[0] for outcome in outcomes]
        covered.append([e.lower <= 2 <= e.upper for e in effects])
        widths.append([e.upper - e.lower for e in effects])
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.95, atol=NEAR)
    plain, adjusted = np.mean(widths, axis=0)
    assert adjusted < 0.9 * plain


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_few_unequal_clusters(effect):
    """Eight and twelve stores of 5 to 60 customers, who resemble each other within a store."""
    rng = np.random.default_rng(4)

    def stores(count, shift):
        sizes = rng.integers(5, 60, count)
        sums = sizes * (rng.normal(shift, 0.5, count) + rng.normal(0, 1, count) / np.sqrt(sizes))
        return np.column_stack([sizes, sums])

    effects = [
        differences(experiment(["y"], stores(8, 0.0), stores(12, effect), make=clusters), Outcome(column="y"))[0]
        for _ in range(REPLICATES)
    ]
    assert np.mean([e.lower <= effect <= e.upper for e in effects]) == pytest.approx(0.95, abs=NEAR + 0.01)
    ignoring = np.mean([abs(e.estimate - effect) < 1.96 * np.sqrt(1.25 / 280 + 1.25 / 380) for e in effects])
    assert ignoring < 0.7


@pytest.mark.slow
def test_lins_regression():
    """An effect that grows with the covariate, unequal arms; the truth is the effect at the sample's own mean."""
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(REPLICATES):
        x = rng.exponential(1.0, 300)
        treated = rng.permutation([1] * 90 + [0] * 210)
        rows = pl.DataFrame(
            {
                "arm": np.where(treated, "mail", "none"),
                "x": x,
                "y": x + treated * (0.5 + x) + rng.normal(0, 1 + x, 300),
            }
        )
        test = Experiment.from_rows(rows, PLAN, arm="arm", outcomes=["y"], covariates=["x"])
        effect = differences(test, Outcome(column="y", adjust_for=("x",)), adjustment="Lin")[0]
        covered.append(effect.lower <= 0.5 + x.mean() <= effect.upper)
    assert np.mean(covered) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.slow
@pytest.mark.parametrize("moved", [0.03, 0.5])
def test_encouragement_weak_or_strong(moved):
    rng = np.random.default_rng(6)
    covered, p = [], []
    for _ in range(REPLICATES):
        arms = []
        for assigned in (0, 1):
            opener = rng.random(300) < moved
            got = assigned * opener
            arms.append(np.column_stack([rng.normal(size=300) + opener + 0.5 * got, got]))
        if arms[1][:, 1].sum() == 0:
            continue
        effect = complier_effect(experiment(["y", "got"], *arms), Outcome(column="y"), received="got")
        covered.append(effect.lower <= 0.5 <= effect.upper)
        p.append(effect.law.p_value(0.5))
    assert len(covered) >= 0.99 * REPLICATES
    assert np.mean(covered) >= 0.95 - NEAR
    assert uniform(p) < 1.95  # of the true effect, also where nobody can tell its size
    if moved == 0.5:
        assert np.mean(covered) == pytest.approx(0.95, abs=NEAR)


def test_adjusted_lifts():
    """The covariate explains nearly all of the outcome, and the lift is large: the overall mean's error counts."""
    rng = np.random.default_rng(12)
    covered = []
    for _ in range(600):
        before = rng.normal(10, 3, size=(2, 150))
        spend = 2 * before + rng.normal(0, 0.5, size=(2, 150))
        arms = (np.column_stack([factor * y, x]) for factor, y, x in zip((1.0, 2.5), spend, before, strict=True))
        test = experiment(["spend", "before"], *arms, covariates=("before",))
        effect = differences(test, Outcome(column="spend", adjust_for=("before",)), scale="ratio")[0]
        covered.append(effect.lower <= 2.5 <= effect.upper)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.027)  # three standard errors of 600
