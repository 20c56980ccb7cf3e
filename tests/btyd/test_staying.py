"""The chance not to have left by the end of a horizon, for every model."""

import numpy as np
import pytest

from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD

MODELS = [
    NBD(0.8, 8.0),
    ParetoNBD(0.8, 8.0, 0.7, 15.0),
    BGNBD(0.8, 8.0, 0.7, 2.5),
    MBGNBD(0.8, 8.0, 0.7, 2.5),
    BGCNBD(0.8, 4.0, 0.7, 2.5, 2),
    MBGCNBD(0.8, 3.0, 0.7, 2.5, 3),
    BGBB(0.9, 1.5, 0.5, 2.5),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@each_model
def test_it_is_the_share_of_simulated_customers_still_there(model):
    n = 40_000
    share = model.simulate(np.full(n, 26), np.random.default_rng(1))["alive"].mean()
    expected = float(model.probability_staying_new(26))
    assert share == pytest.approx(expected, abs=3.5 * np.sqrt(expected * (1 - expected) / n) + 1e-12)


@each_model
def test_it_begins_at_the_probability_of_being_alive_and_falls(model):
    history = (2, 8.0, 12.0)
    chances = [float(model.probability_staying(h, *history)) for h in (0, 1, 5, 50, 500)]
    assert chances[0] == pytest.approx(float(model.probability_alive(*history)))
    assert np.all(np.diff(chances) <= 1e-12)
    assert np.all(np.array(chances) >= 0)


@each_model
def test_what_is_known_now_is_the_mean_of_what_will_be_known(model):
    """Tower property: P(alive at 20) for new customers is the mean of P(alive | history at 20)."""
    customers = model.simulate(np.full(20_000, 20), np.random.default_rng(2))
    later = model.probability_alive(*(customers[name].to_numpy(float) for name in model.columns))
    assert np.mean(later) == pytest.approx(float(model.probability_staying_new(20)), abs=0.01)
