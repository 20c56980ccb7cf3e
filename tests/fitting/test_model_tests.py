"""Likelihood-ratio tests of nested models: of contracts, and of purchases where no law is known."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.cnbd import MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.fitting import model_tests
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_tests import likelihood_ratio
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric

HIGH_END = pd.DataFrame(
    {"tenure": range(1, 8), "at_risk": [1000, 869, 743, 653, 593, 551, 517], "lost": [131, 126, 90, 60, 42, 34, 26]}
)


def test_ageing_of_the_published_high_end_is_seen():
    test = likelihood_ratio(fit(ShiftedBetaGeometric, HIGH_END), fit(BetaDiscreteWeibull, HIGH_END))
    assert test.statistic == pytest.approx(2 * (1611.158147 - 1605.314213), abs=4e-6)
    assert test.p_value == pytest.approx(0.000629, abs=5e-6)
    assert str(test).startswith("ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 5.84 in log-likelihood")


def test_an_edge_halves_the_p_value():
    inside = likelihood_ratio(fit(Geometric, HIGH_END), fit(DiscreteWeibull, HIGH_END))
    edge = likelihood_ratio(fit(Geometric, HIGH_END), fit(ShiftedBetaGeometric, HIGH_END))
    assert "at an edge" in edge.detail
    assert "at an edge" not in inside.detail


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match="BetaDiscreteWeibull is not a special case of Geometric"):
        likelihood_ratio(fit(BetaDiscreteWeibull, HIGH_END), fit(Geometric, HIGH_END))
    with pytest.raises(ValueError, match="fitted to the same data"):
        likelihood_ratio(fit(ShiftedBetaGeometric, HIGH_END), fit(BetaDiscreteWeibull, HIGH_END.head(5)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simpler", "richer", "truth"),
    [
        (ShiftedBetaGeometric, BetaDiscreteWeibull, ShiftedBetaGeometric(1.0, 3.0)),
        (Geometric, ShiftedBetaGeometric, Geometric(0.25)),
    ],
    ids=["inside", "edge"],
)
def test_five_percent_of_true_models_are_refuted(simpler, richer, truth):
    rng, refuted = np.random.default_rng(1), []
    tenure = np.arange(1, 11)
    for _ in range(1000):
        life = truth.simulate(np.full(3000, 10), rng)
        at_risk = np.array([(life["tenure"] >= t).sum() for t in tenure])
        lost = np.array([((life["tenure"] == t) & life["churned"]).sum() for t in tenure])
        table = pd.DataFrame({"tenure": tenure, "at_risk": at_risk, "lost": lost})
        refuted.append(likelihood_ratio(fit(simpler, table), fit(richer, table)).p_value < 0.05)
    assert np.mean(refuted) == pytest.approx(0.05, abs=0.02)


@pytest.fixture(scope="module")
def cdnow():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


def test_drop_out_in_a_music_shop_is_seen_on_halves_of_its_customers(cdnow):
    test = likelihood_ratio(fit(NBD, cdnow), fit(rm.BGNBD, cdnow), cdnow)
    assert test.statistic == pytest.approx(2 * (9763.65761467 - 9582.42920674), abs=1e-6)
    assert (test.degrees, test.reference_distribution) == (2, "bound by halves")
    assert 0 < test.p_value < 1e-40
    assert str(test).startswith("NBD is not enough: BGNBD gains 181 in log-likelihood (on halves of the customers")


def test_regular_timing_that_is_none_needs_no_test(cdnow):
    test = likelihood_ratio(fit(MBGNBD, cdnow), fit(MBGCNBD, cdnow))
    assert (test.p_value, test.reference_distribution) == (1.0, "none needed")


@pytest.mark.slow
def test_what_halves_do_not_decide_is_simulated(monkeypatch):
    customers = MBGCNBD(0.9, 2.0, 0.5, 2.0, k=2).simulate(np.full(20, 30.0), np.random.default_rng(3))
    simpler, richer = fit(MBGNBD, customers), fit(MBGCNBD, customers)
    assert richer.model.k > 1
    halves = likelihood_ratio(simpler, richer, customers, replicates=0)
    simulated = likelihood_ratio(simpler, richer, customers, replicates=4, rng=np.random.default_rng(2))
    assert halves.reference_distribution == "bound by halves"
    assert halves.p_value > 0.001
    monkeypatch.setattr(model_tests, "_bound_by_halves", lambda *_: 1.0)
    assert "which bounds no p)" in str(likelihood_ratio(simpler, richer, customers, replicates=0))
    assert (simulated.reference_distribution, simulated.p_value) == ("parametric bootstrap of 4", 0.2)
    assert "(parametric bootstrap of 4, p = 0.2)" in str(simulated)


@pytest.mark.slow
def test_simulating_ends_when_there_is_nothing_to_be_seen():
    customers = rm.BGNBD(0.8, 8.0, 0.05, 3.0).simulate(np.full(60, 20.0), np.random.default_rng(8))
    simpler, richer = fit(NBD, customers), fit(rm.BGNBD, customers)
    test = likelihood_ratio(simpler, richer, customers, rng=np.random.default_rng(1))
    assert test.p_value > 0.05
    assert "NBD is not refuted" in str(test)


def test_where_no_law_is_known_the_customers_are_needed(cdnow):
    simpler, richer = fit(NBD, cdnow), fit(rm.ParetoNBD, cdnow)
    with pytest.raises(
        ValueError, match="the gain of ParetoNBD over NBD has no known reference distribution; pass the customers"
    ):
        likelihood_ratio(simpler, richer)
    with pytest.raises(ValueError, match="are not the ones that ParetoNBD was fitted to"):
        likelihood_ratio(simpler, richer, cdnow.iloc[1:])


def test_bg_and_mbg_do_not_lie_within_each_other(cdnow):
    with pytest.raises(ValueError, match="BGNBD is not a special case of MBGNBD"):
        likelihood_ratio(fit(rm.BGNBD, cdnow), fit(MBGNBD, cdnow), cdnow)
