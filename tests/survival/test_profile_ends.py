"""The least and the greatest value of a quantity over the parameters that the data leave open."""

import numpy as np
import pytest
from scipy.optimize import minimize

from retention_models.estimation.profile import models_at, profile_likelihood_region
from retention_models.estimation.profile_ends import profile_ends
from retention_models.fitting.estimate import fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import DiscreteWeibull
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

DEPTH = 1.9207
MODELS = (ShiftedBetaGeometric, BetaDiscreteWeibull, DiscreteWeibull, TwoSegments, FlooredBetaGeometric)


def region_of(model, table):
    columns = tuple(table[name].to_numpy(dtype=float) for name in model.columns)
    return profile_likelihood_region(model, columns, np.log(fit(model, table).params.to_numpy()), DEPTH)


def recorded(model, quantity, seen):
    """The quantity of log-parameters, which notes all places with their values."""

    def at(places):
        values = np.stack([quantity(one) for one in models_at(model, places)])
        seen.extend(zip(places, values, strict=True))
        return values

    return at


def direct_search(region, quantity, side):
    """The end by sequential quadratic programming, from some boundary points and without any of our derivatives."""
    best = -np.inf
    for start in np.random.default_rng(1).permutation(region.boundary)[:8]:
        found = minimize(
            lambda u: -side * quantity(region.model_class(*np.exp(u)))[0],
            start,
            method="SLSQP",
            bounds=[(-edge, edge) for edge in region.edge],
            constraints={"type": "ineq", "fun": lambda u: region.height(u[None])[0] - region.lowest},
            options={"ftol": 1e-11, "maxiter": 300},
        )
        if region.height(found.x[None])[0] > region.lowest - 1e-6:
            best = max(best, -found.fun)
    return side * best


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of lines that scipy tries outside the region
@pytest.mark.parametrize("renewals", [3, 5, 7])
@pytest.mark.parametrize("cohort", ["regular", "high end"])
@pytest.mark.parametrize("model", MODELS)
def test_no_direct_search_goes_beyond_the_ends(model, cohort, renewals, retention):
    region = region_of(model, retention(cohort, renewals))
    for quantity in (
        lambda one: one.survival_function([renewals + 12], given=renewals),
        lambda one: 100 * np.array([np.sum(one.survival_function(np.arange(60)) / 1.1 ** np.arange(60))]),
    ):
        lower, upper = profile_ends(region, recorded(model, quantity, []))
        assert lower[0] <= direct_search(region, quantity, -1.0) * (1 + 2e-5)
        assert upper[0] >= direct_search(region, quantity, 1.0) * (1 - 2e-5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cohort", ["regular", "high end"])
def test_ends_of_a_monotone_quantity_lie_on_the_boundary_of_the_region(model, cohort, retention):
    region, seen = region_of(model, retention(cohort, 4)), []
    ends = profile_ends(region, recorded(model, lambda one: one.survival_function([5, 16], given=4), seen))
    places, values = (np.array(column) for column in zip(*seen, strict=True))
    inside = region.height(places) >= region.lowest - 1e-4
    for end in np.stack(ends):
        for i in range(2):
            reached = places[inside & (values[:, i] == end[i])][:1]
            assert len(reached) == 1
            at_edge = np.any(np.abs(reached) > region.edge - 0.01)
            assert at_edge or region.height(reached)[0] == pytest.approx(region.lowest, abs=1e-4)


def test_a_greatest_value_inside_the_region_is_found(retention):
    """A quantity with its maximum at a place well inside, where no walk and no boundary point is."""
    region = region_of(BetaDiscreteWeibull, retention("high end", 4))
    top = np.log(list(fit(BetaDiscreteWeibull, retention("high end", 4)).params))

    def hill(places):
        return 1 / (1 + np.sum((places - top) ** 2, axis=1, keepdims=True))

    lower, upper = profile_ends(region, hill)
    assert upper[0] == pytest.approx(1.0, abs=1e-6)
    assert 0 < lower[0] <= hill(region.boundary).min()


def test_values_without_number_or_end_stay_as_they_are(retention):
    region = region_of(ShiftedBetaGeometric, retention("high end", 4))

    def quantity(places):
        wide = np.exp(places[:, 0])
        return np.stack([np.where(wide > 1, np.inf, wide), np.full(len(places), 3.0), np.full(len(places), np.nan)], 1)

    lower, upper = profile_ends(region, quantity)
    assert (lower[1], upper[0], upper[1]) == (3.0, np.inf, 3.0)
    assert np.isfinite(lower[0])
    assert np.isnan([lower[2], upper[2]]).all()
