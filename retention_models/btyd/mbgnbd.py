"""MBG/NBD: a BG/NBD in which customers can also leave after the first purchase.

Batislam, Denizel & Filiztekin (2007), "Empirical Validation and Comparison of Models for Customer Base Analysis",
International Journal of Research in Marketing 24(3), 201-209. A customer who stays then is a BG/NBD customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.betageometric import LIMITS_DROPOUT_AFTER_FIRST, BetaGeometric
from retention_models.btyd.bgnbd import BGNBD
from retention_models.estimation.elementwise import possible_only
from retention_models.estimation.model import Limit


@dataclass(frozen=True, slots=True, repr=False)
class MBGNBD(BetaGeometric):
    """MBG/NBD: purchases at a constant rate; customers can leave after each purchase, the first one included.

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / alpha.
    a, b
        Parameters of the beta distribution of drop-out probabilities; the mean is a / (a + b).

    Notes
    -----
    Source: Batislam, Denizel & Filiztekin (2007), "Empirical Validation and Comparison of Models for Customer Base
    Analysis", International Journal of Research in Marketing 24(3), 201-209.

    Examples
    --------
    >>> model = MBGNBD(r=0.525, alpha=6.18, a=0.891, b=1.61)
    >>> print(model.probability_alive(frequency=0, recency=0.0, T=38.86).round(3))  # one purchase, and never again
    0.389
    """

    limits: ClassVar[tuple[Limit, ...]] = LIMITS_DROPOUT_AFTER_FIRST
    dropout_after_first: ClassVar[int] = 1

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> BGNBD:
        """The model of the future purchases of a customer who is alive now; parameters of shape (n,)."""
        x, T = np.asarray(frequency), np.asarray(T)
        return BGNBD(self.r + x, self.alpha + T, self.a, self.b + x + 1)
