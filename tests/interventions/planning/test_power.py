"""Sample size, power and detectable effect: against tea-tasting, textbook formulas, simulation, and each other."""

import math

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from retention_models.interventions.planning.planned_outcomes import Clustered, Mean, Proportion, Ratio, Survival
from retention_models.interventions.planning.power import minimum_detectable_effect, power, sample_size

Z = ndtri(0.975) + ndtri(0.8)
SPEND_PER_ORDER = Ratio(mean=60.0, std_dev=80.0, per_mean=1.5, per_std_dev=1.6, correlation=0.8)
OUTCOMES = [
    Proportion(0.1),
    Mean(40.0),
    SPEND_PER_ORDER,
    Survival(0.3),
    Clustered(Mean(40.0), size=20, icc=0.05, size_cv=0.6),
]


def test_means_agree_with_tea_tasting(peers):
    mean, third = Mean(40.0), 1 / 3
    assert power(mean, 2.0, 10_000, share=third) == pytest.approx(peers["power"]["power"], abs=1e-9)
    assert sample_size(mean, 2.0) == peers["power"]["n"]
    assert minimum_detectable_effect(mean, 10_000, share=third) == pytest.approx(peers["power"]["effect"], rel=1e-7)
    assert power(mean, 40.0, 24, share=third) == pytest.approx(peers["power"]["small_power"], abs=1e-9)


def test_proportions_follow_the_textbook():
    """n in each arm = z^2 (p1 q1 + p2 q2) / d^2; .10 against .12 needs 3,839 each."""
    n = sample_size(Proportion(0.10), 0.02)
    assert n == math.ceil(2 * Z**2 * (0.1 * 0.9 + 0.12 * 0.88) / 0.02**2)
    assert math.ceil(n / 2) == 3839


def test_survival_needs_schoenfelds_events():
    """Events = z^2 / (share (1 - share) log(HR)^2): 631 for .8 at 80 %, and with the variance under the effect 632."""
    ratio, churned = 0.8, 0.3
    n = sample_size(Survival(churned), ratio)
    events = n * (0.5 * churned + 0.5 * (1 - (1 - churned) ** ratio))
    schoenfeld = Z**2 / (0.25 * math.log(ratio) ** 2)
    assert round(schoenfeld) == 631
    assert events == pytest.approx(schoenfeld, abs=2)


def test_clusters_grow_the_sample_by_the_design_effect():
    plain = sample_size(Proportion(0.1), 0.02)
    grown = sample_size(Clustered(Proportion(0.1), size=21, icc=0.05), 0.02)
    assert grown / plain == pytest.approx(2.0, abs=0.01)
    unequal = Clustered(Mean(1.0), size=20, icc=0.1, size_cv=0.5)
    assert unequal.variances(0.0, 0.5)[0] == pytest.approx(1 + (1.25 * 20 - 1) * 0.1)


def test_few_clusters_cost_more_than_the_design_effect():
    assert power(Clustered(Mean(1.0), size=50, icc=0.0), 0.2, 300) < power(Mean(1.0), 0.2, 300) - 0.1


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_size_power_and_effect_are_inverse_to_each_other(outcome, share):
    effect = minimum_detectable_effect(outcome, 6_000, share=share, power=0.9)
    assert power(outcome, effect, 6_000, share=share) == pytest.approx(0.9, abs=1e-6)
    assert sample_size(outcome, effect, share=share, power=0.9) in (6_000, 6_001)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_more_customers_more_power(outcome):
    effect = minimum_detectable_effect(outcome, 5_000)
    powers = [power(outcome, effect, n) for n in (1_000, 3_000, 5_000, 20_000, 10**7)]
    assert np.all(np.diff(powers) > 0)
    assert powers[-1] == pytest.approx(1.0)


def test_power_is_what_a_simulation_finds():
    rng = np.random.default_rng(8)
    n, rate, lift = 1_500, 0.2, 0.07
    control, treated = rng.binomial(n // 2, [[rate], [rate + lift]], size=(2, 4_000)) / (n // 2)
    error = np.sqrt((control * (1 - control) + treated * (1 - treated)) / (n // 2))
    found = np.mean(np.abs(treated - control) > ndtri(0.975) * error)
    assert power(Proportion(rate), lift, n) == pytest.approx(found, abs=0.02)


def test_no_effect_is_found_as_often_as_chance_says():
    assert power(Mean(1.0), 0.0, 50) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Proportion(1.2), "rate must lie between 0 and 1"),
        (lambda: Mean(0.0), "std_dev must be above 0"),
        (lambda: Survival(0.0), "churned must lie between 0 and 1"),
        (lambda: Clustered(Mean(1.0), size=0.5, icc=0.1), "size must be a number, 1 or more"),
        (lambda: Ratio(60.0, 80.0, 0.0, 1.0, 0.5), "per_mean must be a number above 0"),
        (lambda: Ratio(60.0, 80.0, 1.5, 2.0, 1.0), "so that the ratio does not vary"),
        (lambda: power(Proportion(0.9), 0.2, 100), "is not a share of customers"),
        (lambda: power(Mean(1.0), 0.0, 100, margin=0.0), "margin must be a number above 0"),
        (lambda: power(Survival(0.3), 1.0, 100, margin=1.0), "margin is a share of the hazard, below 1"),
        (lambda: sample_size(Mean(1.0), -0.3, margin=0.2), "a loss as large as the margin of 0.2"),
        (lambda: power(Survival(0.3), -0.5, 100), "a hazard ratio is above 0"),
        (lambda: power(Mean(1.0), 0.5, 3), "too few"),
        (lambda: power(Mean(1.0), 0.5, 300, share=0.0), "share must lie between"),
        (lambda: sample_size(Mean(1.0), 0.0), "no number of customers can detect an effect of 0"),
        (lambda: sample_size(Survival(0.2), 1.0), "no number of customers"),
        (lambda: sample_size(Mean(1.0), 0.5, power=0.05), "the power by chance alone"),
        (lambda: minimum_detectable_effect(Proportion(0.5), 8), "cannot be reached"),
    ],
)
def test_the_impossible_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("options", [{"share": 1.5}, {"share": 0.0}, {"level": 95}])
def test_plans_that_make_no_sense_are_refused_before_anything_is_searched(options):
    for ask in (
        lambda **o: sample_size(Mean(1.0), 0.1, **o),
        lambda **o: minimum_detectable_effect(Mean(1.0), 100, **o),
    ):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            ask(**options)


RARE = [
    (0.01, 0.004, 0.9),
    (0.01, 0.004, 0.1),
    (0.01, 0.004, 0.5),
    (0.001, 0.002, 0.5),
    (0.05, 0.05, 0.3),
    (0.002, -0.001, 0.7),
]


def test_ratios_follow_the_delta_method():
    """Var(y - R x) / mean(x)^2 is 1024 in the control, and 1028.55 where R is 42."""
    assert SPEND_PER_ORDER.variances(2.0, 0.5) == pytest.approx((1024.0, 2314.24 / 2.25))
    assert sample_size(SPEND_PER_ORDER, 2.0) == pytest.approx(2 * Z**2 * (1024 + 2314.24 / 2.25) / 4, abs=5)
    assert sample_size(Ratio(60.0, 80.0, 1.0, 0.0, 0.0), 2.0) == sample_size(Mean(80.0), 2.0)


def test_non_inferiority_follows_the_textbook():
    """n in each arm = z^2 2 p q / margin^2 where nothing changes; half of the error lies on the side of the loss."""
    assert sample_size(Proportion(0.1), 0.0, margin=0.01) == math.ceil(2 * Z**2 * 2 * 0.09 / 0.01**2)
    events = Z**2 / (0.25 * math.log(0.8) ** 2)
    assert 0.3 * sample_size(Survival(0.3), 1.0, margin=0.2) == pytest.approx(events, abs=0.5)
    assert power(Mean(1.0), -0.2, 400, margin=0.2) == pytest.approx(0.025, abs=1e-9)
    assert power(Proportion(0.01), -0.005, 4_000, margin=0.005) == pytest.approx(0.025, abs=0.01)
    better = sample_size(Mean(1.0), 0.05, margin=0.2)
    assert better < sample_size(Mean(1.0), 0.0, margin=0.2) < sample_size(Mean(1.0), -0.05, margin=0.2)


@pytest.mark.parametrize(("rate", "effect", "share"), [*RARE, (0.5, 0.3, 0.5), (0.1, 0.02, 0.5), (0.3, 0.03, 0.8)])
def test_the_true_power_at_the_sample_size_is_the_planned_one(rate, effect, share):
    """20,000 tests; by the normal formula .01 + .004 with 90 % treated had a power of 78.0 %."""
    outcome = Proportion(rate)
    n = sample_size(outcome, effect, share=share)
    assert simulated_power(rate, effect, n, share) >= 0.785
    fewer = n - math.ceil(1 / min(share, 1 - share))  # one unit fewer in the smaller group
    assert simulated_power(rate, effect, fewer, share) <= 0.81


@pytest.mark.parametrize(
    ("rate", "effect", "share", "margin"),
    [(0.01, 0.0, 0.5, 0.005), (0.99, 0.0, 0.8, 0.004), (0.3, 0.01, 0.5, 0.03), (0.1, -0.01, 0.3, 0.04)],
)
def test_the_true_power_of_a_non_inferiority_test_is_the_planned_one(rate, effect, share, margin):
    n = sample_size(Proportion(rate), effect, share=share, margin=margin)
    assert simulated_power(rate, effect, n, share, margin) >= 0.785
    fewer = n - math.ceil(1 / min(share, 1 - share))
    assert simulated_power(rate, effect, fewer, share, margin) <= 0.81


def simulated_power(rate, effect, n, share, margin=None):
    rng, treated = np.random.default_rng(1), round(n * share)
    sizes = np.array([n - treated, treated])
    shares = rng.binomial(sizes, [rate, rate + effect], (20_000, 2)) / sizes
    return detected(shares, shares * (1 - shares) / (sizes - 1), sizes - 1, margin)


def detected(means, variances, freedom, margin=None):
    """Share of tests whose Welch interval excludes 0, or a loss of the margin; columns are control and treated."""
    df = variances.sum(1) ** 2 / (variances**2 / freedom).sum(1)
    difference, half = means[:, 1] - means[:, 0], stdtrit(df, 0.975) * np.sqrt(variances.sum(1))
    return np.mean(np.abs(difference) > half if margin is None else difference - half > -margin)


TESTS = 20_000


def simulate_means(rng, n, effect):
    draws = rng.normal([0.0, effect], 1.0, (TESTS, n // 2, 2))
    return detected(draws.mean(1), draws.var(1, ddof=1) / (n // 2), np.array([n // 2 - 1] * 2))


def simulate_ratios(rng, n, effect):
    """Orders and spend of a customer, correlated by .8, with means and deviations of 1.5, 1.6 and 60, 80."""
    shared, own = rng.normal(size=(2, TESTS, n // 2, 2))
    orders, spend = 1.5 + 1.6 * shared, 60 + 80 * (0.8 * shared + 0.6 * own)
    spend[..., 1] += effect * 1.5
    ratios = spend.mean(1) / orders.mean(1)
    linear = (spend - ratios[:, None, :] * orders) / orders.mean(1)[:, None, :]
    return detected(ratios, linear.var(1, ddof=1) / (n // 2), np.array([n // 2 - 1] * 2))


def simulate_clusters(rng, n, effect):
    """Clusters of 20 customers with an intracluster correlation of .05; the test is that of the clusters' means."""
    clusters = n // 40
    means = rng.normal([0.0, effect], math.sqrt(0.05 + 0.95 / 20), (TESTS, clusters, 2))
    return detected(means.mean(1), means.var(1, ddof=1) / clusters, np.array([clusters - 1] * 2))


def simulate_survival(rng, n, ratio):
    """Log-rank tests of exponential times, of which those beyond the end of the test are censored."""
    end, hazard = 1.0, -math.log(1 - 0.3)
    times = rng.exponential(1 / (hazard * np.array([1.0, ratio])), (TESTS, n // 2, 2)).reshape(TESTS, -1)
    order = np.argsort(times, axis=1)
    treated = np.take_along_axis(np.tile([0, 1], (TESTS, n // 2)), order, axis=1)
    lost = np.take_along_axis(times, order, axis=1) <= end
    at_risk = np.arange(times.shape[1], 0, -1)
    share = treated[:, ::-1].cumsum(1)[:, ::-1] / at_risk
    observed, variance = (lost * (treated - share)).sum(1), (lost * share * (1 - share)).sum(1)
    return np.mean(np.abs(observed) > ndtri(0.975) * np.sqrt(variance))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "effect", "unit", "simulate"),
    [
        (Mean(1.0), 0.3, 1, simulate_means),
        (SPEND_PER_ORDER, 8.0, 1, simulate_ratios),
        (Clustered(Mean(1.0), size=20, icc=0.05), 0.25, 20, simulate_clusters),
        (Survival(0.3), 0.6, 1, simulate_survival),
        (Survival(0.3), 1.6, 1, simulate_survival),
    ],
    ids=["mean", "ratio", "clusters", "survival", "survival worse"],
)
def test_the_true_power_of_every_outcome_is_the_planned_one(outcome, effect, unit, simulate):
    n = sample_size(outcome, effect)
    whole = 2 * unit * math.ceil(n / (2 * unit))  # whole units in two groups alike
    assert simulate(np.random.default_rng(3), whole, effect) >= 0.785
    assert simulate(np.random.default_rng(3), whole - 2 * unit, effect) <= 0.81


def test_the_power_of_rare_outcomes_goes_over_into_the_normal_formula():
    below, above = (power(Proportion(0.02), 0.006, n) for n in (10_203, 10_206))
    assert abs(above - below) < 0.004


@pytest.mark.parametrize(("churned", "ratio", "share"), [(0.3, 0.6, 0.2), (0.3, 0.6, 0.8), (0.3, 1.6, 0.8)])
def test_log_rank_tests_of_unequal_groups_have_the_planned_power(churned, ratio, share):
    """With Schoenfeld's size, the power is too low in a small treated arm, and too high in a large one."""
    rng, n = np.random.default_rng(4), sample_size(Survival(churned), ratio, share=share)
    treated = np.arange(n) < round(n * share)
    hazard = -math.log(1 - churned) * np.where(treated, ratio, 1.0)
    times = rng.exponential(1 / hazard, (2_000, n))
    order = np.argsort(times, axis=1)
    arm, lost = treated[order], np.take_along_axis(times, order, axis=1) <= 1
    at_risk = arm[:, ::-1].cumsum(1)[:, ::-1] / np.arange(n, 0, -1)
    score, variance = (lost * (arm - at_risk)).sum(1), (lost * at_risk * (1 - at_risk)).sum(1)
    assert np.mean(np.abs(score) > ndtri(0.975) * np.sqrt(variance)) == pytest.approx(0.8, abs=0.025)


def test_a_hazard_ratio_that_too_few_events_could_show_is_out_of_reach():
    with pytest.raises(ValueError, match=r"power 0\.8 cannot be reached; plan with more customers"):
        minimum_detectable_effect(Survival(0.01), 100)
    assert power(Survival(0.3), 1.0, 1_000) == pytest.approx(0.05)
    assert power(Clustered(Survival(0.3), size=20, icc=0.1), 1.0, 1_000) == pytest.approx(0.05)


@pytest.mark.parametrize("outcome", ["bought", Proportion, Clustered(Mean(1.0), 5, 0.1)])
def test_clusters_hold_an_outcome_of_customers(outcome):
    with pytest.raises(
        TypeError, match="the outcome of clusters must be a Proportion, Mean, Ratio or Survival, such as"
    ):
        Clustered(outcome, size=5, icc=0.1)


def test_an_effect_beyond_all_measure_needs_the_fewest_customers():
    assert sample_size(Mean(1.0), 1e200) == sample_size(Mean(1.0), 1e9)
