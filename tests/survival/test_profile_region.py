"""The rim of the parameters that the data leave open."""

import numpy as np
import pandas as pd
import pytest

from retention_models.estimation.profile import EDGE, profile_likelihood_region
from retention_models.estimation.profile_ends import profile_ends
from retention_models.fitting.estimate import fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

DEPTH = 1.92


def columns(table):
    return tuple(table[name].to_numpy(dtype=float) for name in ("tenure", "at_risk", "lost"))


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull, DiscreteWeibull, TwoSegments])
@pytest.mark.parametrize("cohort", ["regular", "high end"])
def test_places_lie_on_the_rim_or_at_an_edge(model, cohort, retention):
    table = retention(cohort, 4)
    found = fit(model, table)
    places = profile_likelihood_region(model, columns(table), np.log(found.params.to_numpy()), DEPTH).boundary
    away = [found.log_likelihood - model(*np.exp(place)).log_likelihood(*columns(table)).sum() for place in places]
    assert np.max(away) < DEPTH + 1e-6
    at_edge = np.abs(places).max(axis=1) > EDGE - 0.05
    assert np.median(np.array(away)[~at_edge]) > DEPTH - 0.05
    np.testing.assert_array_equal(
        places, profile_likelihood_region(model, columns(table), np.log(found.params.to_numpy()), DEPTH).boundary
    )


def ends_of_stay(table, tenure, given):
    """The least and the greatest chance to stay over the region."""
    found = fit(BetaDiscreteWeibull, table)
    region = profile_likelihood_region(BetaDiscreteWeibull, columns(table), np.log(found.params.to_numpy()), DEPTH)

    def stay(places):
        return BetaDiscreteWeibull(*np.exp(places).T).survival_function(tenure, given=given)[:, None]

    lower, upper = profile_ends(region, stay)
    return lower[0], upper[0]


def test_the_tips_of_a_long_ridge_are_found():
    """The least chance to stay that a direct search over the region finds, 0.357, where plain walks stop at 0.45."""
    table = pd.DataFrame({"tenure": range(1, 6), "at_risk": [300, 220, 180, 155, 140], "lost": [80, 40, 25, 15, 12]})
    lower, upper = ends_of_stay(table, 15, 5)
    assert 0.355 < lower < 0.358
    assert 0.735 < upper < 0.740


def test_no_place_has_an_exposure_beyond_all_numbers():
    """Where t^c has no number, survival stands still and the interval would end at 1; by a fine grid it ends at .80."""
    table = pd.DataFrame({"tenure": range(1, 5), "at_risk": [40, 28, 22, 19], "lost": [12, 6, 3, 2]})
    _, upper = ends_of_stay(table, 14, 4)
    assert 0.795 < upper < 0.81
