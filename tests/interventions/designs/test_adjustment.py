"""Weights, outcome regression and their errors, against other software and by identities."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix

from retention_models.interventions.designs.adjustment import Compared, Nuisance, adjust, cross_fitted, nuisance_of
from retention_models.interventions.designs.propensity import Design, fit_propensity

HERE = Path(__file__).parents[2] / "reference"
REFERENCE = json.loads((HERE / "causal.json").read_text())


def design_of(formula, rows):
    found = model_matrix(formula, rows)
    columns = found.rhs.to_numpy(float)[:, 1:]
    return found.lhs.to_numpy(float)[:, 0] == 1, Design.of(columns, list(found.rhs.columns[1:]), np.ones(len(rows)))


def compared(study, rows, outcome):
    treated, design = design_of(study["propensity"], rows)
    return Compared(treated, rows[[outcome]].to_numpy(float), design, np.ones(len(rows)), np.arange(len(rows)))


def error(found):
    return float(np.sqrt((found.influence[:, 0] ** 2).sum()))


@pytest.fixture(scope="module")
def births():
    study, rows = REFERENCE["cattaneo"], pd.read_csv(HERE / "cattaneo.csv.gz").astype(float)
    return study, rows, compared(study, rows, "bweight")


@pytest.fixture(scope="module")
def made():
    """Customers whose treatment depends on two covariates, as does the outcome; the true effect is 2."""
    rng, n = np.random.default_rng(8), 4_000
    x = rng.normal(size=(n, 2))
    treated = rng.random(n) < 1 / (1 + np.exp(1 - x @ [0.7, -0.4]))
    y = np.column_stack([2 * treated + x @ [1.0, 1.0] + rng.normal(size=n), rng.normal(size=n)])
    design = Design.of(x, ["a", "b"], np.ones(n))
    return Compared(treated, y, design, np.ones(n), np.arange(n))


def test_weights_for_all_give_the_published_birth_weights(births):
    study, _, rows = births
    for target, name in (("all", "ipw"), ("treated", "ipw_att")):
        found = adjust(rows, target, nuisance_of(rows, target, regress=False), regress=False)
        expected = study["found"]["logit"][name]
        assert found.estimates[0] == pytest.approx(expected["estimate"], abs=1e-6)
        assert error(found) == pytest.approx(expected["std_error"], rel=2e-4)


def test_augmented_weights_give_the_published_birth_weights_from_a_probit(births):
    """Estimates of Stata's manual, with the chances of a probit and its own outcome regression."""
    study, rows, logit = births
    treated = logit.treated
    chance = probit_chances(logit)
    outcome = model_matrix(study["outcome"], rows).rhs.to_numpy(float)
    y = logit.outcomes

    def expected(group):
        return outcome @ np.linalg.lstsq(outcome[group], y[group], rcond=None)[0]

    nuisance = Nuisance(chance, expected(~treated), expected(treated), None)
    published = study["published_probit"]
    assert adjust(logit, "all", nuisance).estimates[0] == pytest.approx(published["aipw"]["estimate"], abs=1e-4)
    plain = adjust(logit, "all", nuisance, regress=False)
    assert plain.estimates[0] == pytest.approx(published["ipw"]["estimate"], abs=1e-4)


def probit_chances(rows):
    """The chances of a probit on the design, by Fisher's scoring."""
    from scipy.stats import norm

    matrix, y = rows.design.matrix, rows.treated.astype(float)
    beta = np.zeros(matrix.shape[1])
    for _ in range(60):
        eta = matrix @ beta
        p, density = norm.cdf(eta), norm.pdf(eta)
        weight = density**2 / (p * (1 - p))
        beta += np.linalg.solve((matrix * weight[:, None]).T @ matrix, matrix.T @ (density * (y - p) / (p * (1 - p))))
    return norm.cdf(matrix @ beta)


def test_smoking_and_weight_agree_with_the_published_weights():
    study, rows = REFERENCE["nhefs"], pd.read_csv(HERE / "nhefs.csv.gz").astype(float)
    own = compared(study, rows, "wt82_71")
    nuisance = nuisance_of(own, "all", regress=False)
    found = adjust(own, "all", nuisance, regress=False)
    assert found.estimates[0] == pytest.approx(3.44054, abs=5e-6)
    assert error(found) == pytest.approx(study["found"]["ipw"]["std_error"], rel=1e-6)
    known = adjust(own, "all", nuisance._replace(propensity=None), regress=False)
    assert error(known) == pytest.approx(0.52549, abs=5e-6)  # as if the chances were known
    att = adjust(own, "treated", nuisance, regress=False)
    assert att.estimates[0] == pytest.approx(study["found"]["ipw_att"]["estimate"], abs=1e-7)
    assert error(att) == pytest.approx(study["found"]["ipw_att"]["std_error"], rel=1e-6)


def test_trained_workers_against_the_population_survey():
    study = REFERENCE["cps"]
    trained = pd.read_csv(HERE / "nsw.csv").query("treat == 1")
    rows = pd.concat([trained, pd.read_csv(HERE / "cps.csv.gz").assign(treat=0)], ignore_index=True).astype(float)
    own = compared(study, rows, "re78")
    found = adjust(own, "treated", nuisance_of(own, "treated", regress=False), regress=False)
    assert found.estimates[0] == pytest.approx(study["found"]["ipw_att"]["estimate"], abs=0.01)
    assert found.effective_others == pytest.approx(study["found"]["ipw_att"]["ess_controls"], rel=1e-5)
    regressed = adjust(own, "treated", nuisance_of(own, "treated"))
    assert abs(regressed.estimates[0] - 1794.34) < error(regressed)  # the experiment of the same workers


@pytest.mark.parametrize("target", ["treated", "overlap", "all"])
def test_every_target_finds_the_truth_with_an_error_that_bootstrapping_confirms(made, target):
    found = adjust(made, target, nuisance_of(made, target))
    assert abs(found.estimates[0] - 2) < 3 * error(found)
    assert abs(found.estimates[1]) < 3 * found.law([0, 1]).std_error
    rng, draws = np.random.default_rng(1), []
    for _ in range(150):
        times = np.bincount(rng.integers(0, len(made.treated), len(made.treated)), minlength=len(made.treated))
        again = Compared(made.treated, made.outcomes, made.design, times.astype(float), made.cluster)
        draws.append(adjust(again, target, nuisance_of(again, target)).estimates[0])
    assert np.std(draws) == pytest.approx(error(found), rel=0.15)


def test_a_weight_is_so_many_rows(made):
    part = np.arange(600)
    times = np.where(part % 3 == 0, 2.0, 1.0)
    twice = np.repeat(part, times.astype(int))

    def rows(places, weight):
        design = Design.of(made.design.matrix[places, 1:], ["a", "b"], weight)
        return Compared(made.treated[places], made.outcomes[places], design, weight, places)

    weighted, repeated = rows(part, times), rows(twice, np.ones(len(twice)))
    for target in ("treated", "overlap", "all"):
        one, other = (adjust(each, target, nuisance_of(each, target)) for each in (weighted, repeated))
        np.testing.assert_allclose(one.estimates, other.estimates, rtol=1e-8)
        np.testing.assert_allclose(one.influence, other.influence, atol=1e-10)


def test_rows_of_a_cluster_count_as_one(made):
    pairs = Compared(made.treated, made.outcomes, made.design, made.weight, made.cluster // 2)
    single, paired = (adjust(each, "treated", nuisance_of(each, "treated")) for each in (made, pairs))
    np.testing.assert_allclose(paired.influence, single.influence.reshape(-1, 2, 2).sum(axis=1))
    np.testing.assert_allclose(paired.estimates, single.estimates)


def test_without_covariates_it_is_the_difference_of_means(made):
    n = len(made.treated)
    plain = Compared(
        made.treated, made.outcomes, Design.of(np.zeros((n, 0)), [], np.ones(n)), made.weight, made.cluster
    )
    a, b = made.outcomes[made.treated, 0], made.outcomes[~made.treated, 0]
    for target in ("treated", "overlap", "all"):
        found = adjust(plain, target, nuisance_of(plain, target))
        assert found.estimates[0] == pytest.approx(a.mean() - b.mean())
        assert error(found) == pytest.approx(np.sqrt(a.var() / len(a) + b.var() / len(b)))


def test_overlap_weights_balance_exactly_and_all_weights_add_up_to_one(made):
    found = adjust(made, "overlap", nuisance_of(made, "overlap"))
    matrix, treated, weights = made.design.matrix, made.treated, found.weights
    np.testing.assert_allclose(weights[treated] @ matrix[treated], weights[~treated] @ matrix[~treated], atol=1e-8)
    assert weights[treated].sum() == pytest.approx(1)
    assert weights[~treated].sum() == pytest.approx(1)
    assert 1 <= found.effective_others <= (~treated).sum()


def test_units_of_covariates_do_not_matter(made):
    x = made.design.matrix[:, 1:] * [1e6, 1e-3] + [5.0, -2.0]
    other = Compared(made.treated, made.outcomes, Design.of(x, ["a", "b"], made.weight), made.weight, made.cluster)
    one, two = (adjust(each, "treated", nuisance_of(each, "treated")) for each in (made, other))
    np.testing.assert_allclose(one.estimates, two.estimates, rtol=1e-9)
    np.testing.assert_allclose(one.influence, two.influence, atol=1e-12)


def test_columns_that_tell_nothing_new_are_left_out(made):
    a, b = made.design.matrix[:, 1:].T
    more = np.column_stack([a, b, a + b, np.full(len(a), 3.0)])
    design = Design.of(more, ["a", "b", "sum", "constant"], made.weight)
    assert design.labels == ("a", "b")
    assert design.left_out == ("sum", "constant")
    np.testing.assert_allclose(design.rows(more), design.matrix)


def test_doubly_robust_where_one_of_the_two_models_is_wrong(made):
    rng, n = np.random.default_rng(3), 20_000
    x = rng.normal(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(1 - x))
    y = (treated + x + rng.normal(size=n))[:, None]
    own = Compared(treated, y, Design.of(x[:, None], ["x"], np.ones(n)), np.ones(n), np.arange(n))
    right = nuisance_of(own, "all")
    wrong_chance = right._replace(chance=np.full(n, treated.mean()), propensity=None)
    wrong_outcome = right._replace(without=np.zeros((n, 1)), treated=np.zeros((n, 1)), propensity=None)
    naive = y[treated].mean() - y[~treated].mean()
    for target in ("treated", "all"):
        for nuisance in (wrong_chance, wrong_outcome):
            assert abs(adjust(own, target, nuisance).estimates[0] - 1) < 0.07 < naive - 1


def test_cross_fitting_predicts_no_customer_from_itself(made):
    pairs = Compared(made.treated, made.outcomes, made.design, made.weight, made.cluster // 2)
    nuisance = cross_fitted(pairs, 5, np.random.default_rng(1))
    found, plain = adjust(pairs, "treated", nuisance), adjust(pairs, "treated", nuisance_of(pairs, "treated"))
    assert abs(found.estimates[0] - plain.estimates[0]) < 0.2 * error(plain)
    other = pairs.outcomes.copy()
    other[:2, 0] += 1e6  # of one customer
    changed = cross_fitted(
        Compared(pairs.treated, other, pairs.design, pairs.weight, pairs.cluster), 5, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(changed.without[:2], nuisance.without[:2])
    assert not np.array_equal(changed.without, nuisance.without)


def test_a_fit_is_a_maximum_and_separation_is_told(made):
    fit = fit_propensity(made.treated, made.design, made.weight)
    np.testing.assert_allclose(fit.score.sum(axis=0), 0, atol=1e-6)
    told = Design.of(np.column_stack([made.treated * 1.0, made.design.matrix[:, 1]]), ["told", "a"], made.weight)
    with pytest.raises(ValueError, match=r"tell all [\d,]+ treated rows from [\d,]+ others \(most of all told\)"):
        fit_propensity(made.treated, told, made.weight)


def test_few_treated_widen_the_error(made):
    found = adjust(made, "treated", nuisance_of(made, "treated"))
    law = found.law([1, 0])
    joined = int(made.treated.sum())
    assert law.df == joined - 3
    n = len(made.treated)  # each a cluster
    assert law.std_error == pytest.approx(error(found) * np.sqrt(joined / (joined - 3) * n / (n - 1)))
    stores = Compared(made.treated, made.outcomes, made.design, made.weight, made.cluster % 6)
    assert adjust(stores, "treated", nuisance_of(stores, "treated")).law([1, 0]).df == 5
