"""Newton's method in log-parameters, on a model small enough to check by hand."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln, polygamma

from retention_models.estimation.likelihood import coarsen, maximise
from retention_models.estimation.model import LARGE, Limit, parameter_names
from retention_models.estimation.newton import ConvergenceError


@dataclass(frozen=True)
class Counts:
    """Purchases are Poisson with rates that are Gamma(r, alpha) over customers, watched for a time T."""

    r: float
    alpha: float

    columns: ClassVar = ("frequency", "T")
    fixed: ClassVar = ()
    time_parameters: ClassVar = ("alpha",)
    limits: ClassVar = (Limit("r", np.inf, "one purchase rate for all", follows=("alpha",)),)

    @classmethod
    def start(cls, frequency, T, *, weight):
        rate = (weight @ frequency) / (weight @ T)
        return cls(1.0, 1.0 / rate)

    def log_likelihood(self, frequency, T):
        x, r, alpha = frequency, self.r, self.alpha
        rising = sum(np.where(x > i, np.log(r + i), 0.0) for i in range(int(np.max(x))))
        return rising - gammaln(x + 1) - r * np.log1p(T / alpha) - x * np.log((alpha + T) / T)

    def score(self, frequency, T):
        x, r, alpha = frequency, self.r, self.alpha
        rising = sum(np.where(x > i, 1 / (r + i), 0.0) for i in range(int(np.max(x))))
        return np.stack([rising - np.log1p(T / alpha), r * T / (alpha * (alpha + T)) - x / (alpha + T)], axis=-1)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(7)
    T = rng.uniform(10, 60, 3000)
    return {"frequency": rng.poisson(rng.gamma(0.8, 1 / 9.0, 3000) * T).astype(float), "T": T}


def one(columns):
    return np.ones(len(next(iter(columns.values()))))


def test_maximum_is_that_of_an_independent_optimiser(counts):
    best = maximise(Counts, counts, one(counts))
    other = minimize(lambda u: -Counts(*np.exp(u)).log_likelihood(**counts).sum(), [0.0, 2.0], tol=1e-12)
    np.testing.assert_allclose([best.model.r, best.model.alpha], np.exp(other.x), rtol=1e-5)
    assert best.log_likelihood == pytest.approx(-other.fun, abs=1e-7)
    assert best.free == ("r", "alpha")
    assert best.limits == ()


def test_gradient_vanishes_at_the_maximum(counts):
    best = maximise(Counts, counts, one(counts))
    total = best.model.score(**counts).sum(axis=0) * [best.model.r, best.model.alpha]
    assert np.max(np.abs(total)) < 1e-3


def test_covariance_is_the_inverse_of_the_analytic_information(counts):
    best = maximise(Counts, counts, one(counts))
    x, T, r, alpha = counts["frequency"], counts["T"], best.model.r, best.model.alpha
    rr = np.sum(polygamma(1, r + x) - polygamma(1, r))
    ra = np.sum(1 / alpha - 1 / (alpha + T))
    aa = np.sum(-r / alpha**2 + (r + x) / (alpha + T) ** 2)
    np.testing.assert_allclose(best.covariance, -np.linalg.inv([[rr, ra], [ra, aa]]), rtol=1e-6)
    np.testing.assert_array_equal(best.covariance, best.covariance.T)


def test_time_unit_changes_only_the_parameter_that_carries_time(counts):
    weeks = maximise(Counts, counts, one(counts))
    days = maximise(Counts, {**counts, "T": counts["T"] * 7}, one(counts))
    assert days.model.r == pytest.approx(weeks.model.r, rel=1e-9)
    assert days.model.alpha == pytest.approx(7 * weeks.model.alpha, rel=1e-9)


def test_weights_are_repeated_rows(counts):
    few = {name: column[:200] for name, column in counts.items()}
    weight = np.arange(200) % 3
    repeated = {name: np.repeat(column, weight) for name, column in few.items()}
    weighted, plain = maximise(Counts, few, weight.astype(float)), maximise(Counts, repeated, one(repeated))
    assert weighted.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(weighted.covariance, plain.covariance, rtol=1e-6)


def test_robust_covariance_is_close_to_the_plain_one_where_the_model_is_true(counts):
    plain, robust = (maximise(Counts, counts, one(counts), robust=r).covariance for r in (False, True))
    np.testing.assert_allclose(robust, plain, rtol=0.15)
    assert not np.array_equal(robust, plain)


def test_equal_customers_end_at_the_limit_of_one_rate_for_all():
    T = np.full(40, 30.0)
    columns = {"frequency": np.resize([2.0, 3.0], 40), "T": T}
    best = maximise(Counts, columns, one(columns))
    assert [limit.model for limit in best.limits] == ["one purchase rate for all"]
    assert best.model.r == LARGE
    assert best.model.r / best.model.alpha == pytest.approx(2.5 / 30, rel=1e-6)
    assert best.free == ("alpha",)


def test_an_optimum_beyond_the_reach_of_the_limits_search_is_still_found():
    """Nearly equal customers whose r is large but finite: the limit is tried, found lower, and left."""
    rng = np.random.default_rng(1)
    T = np.full(400_000, 4e3)
    columns = {"frequency": rng.poisson(rng.gamma(2000.0, 1 / 2e5, 400_000) * T).astype(float), "T": T}
    frequency, weight = np.unique(columns["frequency"], return_counts=True)
    best = maximise(Counts, {"frequency": frequency, "T": np.full(len(frequency), 4e3)}, weight.astype(float))
    assert best.limits == ()
    assert 1000 < best.model.r < 5000


def test_a_start_far_away_leads_to_the_same_place(counts):
    near = maximise(Counts, counts, one(counts))
    far = maximise(Counts, counts, one(counts), Counts(20.0, 0.5))
    np.testing.assert_allclose([far.model.r, far.model.alpha], [near.model.r, near.model.alpha], rtol=1e-6)


def test_no_maximum_is_an_error_that_names_the_model():
    columns = {"frequency": np.array([1.0, 2.0]), "T": np.array([1.0, np.nan])}
    with pytest.raises(ConvergenceError, match="Counts: no maximum"):
        maximise(Counts, columns, np.ones(2), Counts(1.0, 1.0))


def test_coarsening_keeps_totals_and_whole_numbers(counts):
    columns = (counts["frequency"], counts["T"])
    (frequency, T), weight = coarsen(columns, one(counts))
    assert len(weight) < 800
    assert weight.sum() == 3000
    assert weight @ frequency == pytest.approx(counts["frequency"].sum(), rel=0.01)
    assert weight @ T == pytest.approx(counts["T"].sum())
    assert np.all(frequency == np.floor(frequency))


def test_fixed_fields_are_not_parameters():
    @dataclass(frozen=True)
    class Erlang(Counts):
        k: int = 2
        fixed: ClassVar = ("k",)

    assert parameter_names(Erlang) == ("r", "alpha")
