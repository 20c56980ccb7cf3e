"""The rim of the parameters that the data leave open."""

import numpy as np
import pytest

from retention_models.fitting import fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull
from retention_models.survival.region import EDGE, rim
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.segments import TwoSegments

DEPTH = 1.92


def columns(table):
    return tuple(table[name].to_numpy(dtype=float) for name in ("tenure", "at_risk", "lost"))


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull, DiscreteWeibull, TwoSegments])
@pytest.mark.parametrize("cohort", ["regular", "high end"])
def test_places_lie_on_the_rim_or_at_an_edge(model, cohort, retention):
    table = retention(cohort, 4)
    found = fit(model, table)
    places = rim(model, columns(table), np.log(found.parameters.to_numpy()), DEPTH)
    away = [found.log_likelihood - model(*np.exp(place)).log_likelihood(*columns(table)).sum() for place in places]
    assert np.max(away) < DEPTH + 0.01
    at_edge = np.abs(places).max(axis=1) > EDGE - 0.05
    assert np.median(np.array(away)[~at_edge]) > DEPTH - 0.05
    np.testing.assert_array_equal(places, rim(model, columns(table), np.log(found.parameters.to_numpy()), DEPTH))
