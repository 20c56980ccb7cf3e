"""MBG/NBD: as BG/NBD, but customers may drop out right after their first purchase, too.

Batislam, Denizel & Filiztekin (2007), "Empirical Validation and Comparison of Models for Customer Base Analysis",
International Journal of Research in Marketing 24(3), 201-209. Who stays then is a BG/NBD customer from there on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.betageometric import LEAVING_AT_ONCE, BetaGeometric
from retention_models.btyd.bgnbd import BGNBD
from retention_models.estimation.model import Limit


@dataclass(frozen=True, slots=True, repr=False)
class MBGNBD(BetaGeometric):
    """Purchase rates are Gamma(r, alpha) over customers, drop-out chances after each purchase Beta(a, b).

    Examples
    --------
    >>> model = MBGNBD(r=0.525, alpha=6.18, a=0.891, b=1.61)
    >>> print(model.probability_alive(frequency=0, recency=0.0, T=38.86).round(3))  # one purchase, and never again
    0.389
    """

    limits: ClassVar[tuple[Limit, ...]] = LEAVING_AT_ONCE
    dropout_after_first: ClassVar[int] = 1

    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> BGNBD:
        """What a customer with this history does from now on, if still alive."""
        x, T = np.asarray(frequency), np.asarray(T)
        return BGNBD(self.r + x, self.alpha + T, self.a, self.b + x + 1)
