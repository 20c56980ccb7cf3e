"""The models by name, as stored fits and the command line know them."""

from __future__ import annotations

from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.cnbd import BGCNBD, MBGCNBD
from retention_models.btyd.gammagamma import GammaGamma
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.floored import FlooredBetaGeometric
from retention_models.survival.homogeneous import DiscreteWeibull, Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.survival.two_segments import TwoSegments

PURCHASES = (BGBB, BGCNBD, BGNBD, GammaGamma, MBGCNBD, MBGNBD, NBD, ParetoNBD)


CONTRACTS = (
    BetaDiscreteWeibull,
    DiscreteWeibull,
    FlooredBetaGeometric,
    Geometric,
    ShiftedBetaGeometric,
    TwoSegments,
)


MODELS: dict[str, type] = {model.__name__: model for model in (*PURCHASES, *CONTRACTS)}
