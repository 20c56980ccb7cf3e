"""The surface with covariates: the score by the chain rule, and the top whatever the covariates' coordinates."""

import numpy as np
import pytest

from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.gammagamma import GammaGamma
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.estimation.links import apply_links
from retention_models.estimation.newton import Objective
from retention_models.estimation.standardise import Covariates
from retention_models.estimation.with_covariates import CovariateObjective, maximise_with_covariates

TRUTH = {
    "NBD": NBD(0.8, 12.0),
    "ParetoNBD": ParetoNBD(0.8, 12.0, 0.7, 25.0),
    "BGNBD": BGNBD(0.8, 12.0, 0.6, 3.0),
    "MBGNBD": MBGNBD(0.8, 12.0, 0.6, 3.0),
    "BGCNBD": BGCNBD(0.8, 6.0, 0.6, 3.0, 2),
    "MBGCNBD": MBGCNBD(0.8, 6.0, 0.6, 3.0, 2),
    "BGBB": BGBB(0.9, 1.5, 0.5, 2.5),
    "GammaGamma": GammaGamma(6.0, 4.0, 15.0),
}
EFFECTS = {"purchase": [0.4, -0.5], "dropout": [-0.7, 0.4], "spend": [0.3, -0.2]}
each_model = pytest.mark.parametrize("name", TRUTH)


def shop(name, n, seed):
    """A start, columns, and covariates of simulated customers."""
    truth, rng = TRUTH[name], np.random.default_rng(seed)
    z = np.column_stack([rng.random(n) < 0.4, rng.normal(0, 1, n)]).astype(float)
    moved = apply_links(truth, {link: z @ np.array(EFFECTS[about]) for about, link in truth.links.items()})
    if name == "GammaGamma":
        customers = moved.simulate(rng.integers(1, 6, n), rng)
    else:
        customers = moved.simulate(np.full(n, 10.0) if name == "BGBB" else rng.uniform(20, 60, n), rng)
    names = (*truth.columns, *getattr(truth, "averaged", ()))
    columns = tuple(customers[column].to_numpy(dtype=float) for column in names)
    covariates = tuple(Covariates(link, (f"{about}[z0]", f"{about}[z1]"), z) for about, link in truth.links.items())
    fixed = {field: getattr(truth, field) for field in truth.fixed}
    return type(truth).start(*columns, weight=np.ones(n), **fixed), columns, np.ones(n), covariates


def surface_of(start, columns, weight, covariates):
    return CovariateObjective.from_covariates(start, columns, weight, covariates)


@each_model
def test_the_score_is_the_numerical_gradient(name):
    objective, h = surface_of(*shop(name, 150, 1)), 1e-5
    start = shop(name, 150, 1)[0]
    u = objective.log_parameters(start) + np.random.default_rng(2).normal(0, 0.3, len(objective.names))
    numerical = [(objective.value(u + step) - objective.value(u - step)) / (2 * h) for step in h * np.eye(len(u))]
    np.testing.assert_allclose(objective.gradient(u), numerical, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(objective.score(u).sum(axis=0), objective.gradient(u), rtol=1e-10, atol=1e-10)


@each_model
def test_the_second_derivatives_are_those_of_the_gradient(name):
    start, *data = shop(name, 150, 1)
    objective, h = surface_of(start, *data), 1e-5
    u = objective.log_parameters(start) + np.random.default_rng(2).normal(0, 0.3, len(objective.names))
    numerical = np.array(
        [(objective.gradient(u + step) - objective.gradient(u - step)) / (2 * h) for step in h * np.eye(len(u))]
    )
    size = np.abs(numerical).max()
    free = np.arange(len(u)) != 1
    np.testing.assert_allclose(
        objective.hessian(u, np.ones(len(u), dtype=bool)), numerical, rtol=1e-5, atol=1e-7 * size
    )
    np.testing.assert_allclose(objective.hessian(u, free), numerical[free][:, free], rtol=1e-5, atol=1e-7 * size)


@each_model
def test_without_effects_the_likelihood_is_that_of_the_plain_model(name):
    start, columns, weight, covariates = shop(name, 150, 1)
    objective, plain = surface_of(start, columns, weight, covariates), Objective.from_start(start, columns, weight)
    u = objective.log_parameters(start)
    assert objective.value(u) == pytest.approx(plain.value(plain.log_parameters(start)), rel=1e-13)
    np.testing.assert_allclose(
        objective.gradient(u)[: len(plain.names)], plain.gradient(plain.log_parameters(start)), rtol=1e-9, atol=1e-9
    )


@each_model
def test_coefficients_and_baseline_are_recovered(name):
    found = maximise_with_covariates(*shop(name, 700 if name == "BGBB" else 3000, 3))
    optimum, truth = found.optimum, TRUTH[name]
    error = dict(zip(optimum.free, np.sqrt(np.diag(optimum.covariance)), strict=True))
    for about in truth.links:
        for i, true in enumerate(EFFECTS[about]):
            label = f"{about}[z{i}]"
            assert abs(found.coefficients[label] - true) < 3 * error[label]
    for field in optimum.free[: len(optimum.free) - len(found.coefficients)]:
        estimate, true = getattr(optimum.model, field), getattr(truth, field)
        assert abs(np.log(estimate / true)) < 3 * error[field] / estimate
    assert optimum.limits == ()


@pytest.mark.parametrize("name", ["ParetoNBD", "MBGNBD", "GammaGamma"])
def test_the_top_does_not_depend_on_the_coordinates_of_covariates(name):
    start, columns, weight, covariates = shop(name, 600, 4)
    turn, shift = np.array([[2.0, 300.0], [-1.0, 500.0]]), np.array([3.0, 2000.0])
    one = maximise_with_covariates(start, columns, weight, covariates)
    other = maximise_with_covariates(
        start,
        columns,
        weight,
        tuple(Covariates(each.link, each.labels, each.matrix @ turn + shift) for each in covariates),
    )
    assert other.optimum.log_likelihood == pytest.approx(one.optimum.log_likelihood, abs=1e-7)
    for about in TRUTH[name].links:
        labels = [f"{about}[z0]", f"{about}[z1]"]
        turned = turn @ [other.coefficients[label] for label in labels]
        np.testing.assert_allclose(turned, [one.coefficients[label] for label in labels], rtol=1e-5, atol=1e-7)
        i, j = ([found.optimum.free.index(label) for label in labels] for found in (one, other))
        np.testing.assert_allclose(
            turn @ other.optimum.covariance[np.ix_(j, j)] @ turn.T, one.optimum.covariance[np.ix_(i, i)], rtol=1e-4
        )


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (lambda z: z[:, :1] * [1, 0], "purchase.z1. is the same for all 100 customers: it can explain nothing"),
        (lambda z: z[:, :1] * [1, 3] + 5, "purchase.z1. follows from purchase.z0. for all 100 customers"),
    ],
)
def test_covariates_that_explain_nothing_of_their_own_are_named(matrix, message):
    start, columns, weight, (first, *_) = shop("NBD", 100, 1)
    with pytest.raises(ValueError, match=message):
        maximise_with_covariates(start, columns, weight, (Covariates(first.link, first.labels, matrix(first.matrix)),))


def test_rows_that_count_nobody_say_nothing():
    start, columns, weight, (covariates,) = shop("NBD", 300, 1)
    none = np.where(np.arange(300) < 100, 0.0, weight)
    one = maximise_with_covariates(start, columns, none, (covariates,))
    fewer = Covariates(covariates.link, covariates.labels, covariates.matrix[100:])
    other = maximise_with_covariates(start, tuple(column[100:] for column in columns), weight[100:], (fewer,))
    assert one.coefficients == other.coefficients
