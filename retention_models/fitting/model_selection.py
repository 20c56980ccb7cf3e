"""The models of contracts that a retention table can tell apart, and which of them to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit
from retention_models.fitting.model_tests import LikelihoodRatio, likelihood_ratio
from retention_models.fitting.result import Fit
from retention_models.survival.bdw import BetaDiscreteWeibull
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric

LADDER: tuple[Any, ...] = (Geometric, ShiftedBetaGeometric, BetaDiscreteWeibull)


@dataclass(frozen=True, eq=False, repr=False)
class ContractModels(Presentation):
    """The geometric, shifted-beta-geometric and beta-discrete-Weibull model of one table, as far as it goes.

    ``fits`` are those that could be fitted, by name; ``tests`` hold each against the next simpler one; ``name`` is the
    one to use, and ``reason`` says why, and what could not be fitted.
    """

    fits: Mapping[str, Fit]
    tests: tuple[LikelihoodRatio, ...]
    name: str
    reason: str

    @property
    def chosen(self) -> Fit:
        """The fit to use."""
        return self.fits[self.name]

    def table(self, tenures: Any = (1, 2, 5, 10)) -> pd.DataFrame:
        """One row a model: ``log_likelihood, aic`` and the share still there after some renewals."""
        when = np.asarray(tenures)
        rows = {
            name: {"log_likelihood": found.log_likelihood, "aic": found.aic}
            | dict(zip((f"S({t})" for t in when), found.model.survival_function(when), strict=True))
            for name, found in self.fits.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")

    def _parts(self) -> Sequence[Part]:
        return [self.reason]


def select_contract_model(retention_table: Any) -> ContractModels:
    """The three models of contracts fitted to a table, and the simplest that the next richer one does not refute.

    Customers are taken to differ (shifted-beta-geometric) unless the table is too short to tell: a single retention
    rate is what values are most often wrong with, and where customers are alike, the richer model says so itself. A
    chance to leave that changes with tenure (beta-discrete-Weibull) has to be shown by the likelihood-ratio test.

    Raises
    ------
    ValueError
        When not even a single retention rate can be estimated, since nobody left, or nobody stayed.

    Examples
    --------
    >>> import retention_models as rm
    >>> table = rm.datasets.load_published_retention().query("customers == 'high end' and tenure <= 7")
    >>> models = rm.fitting.select_contract_model(table)
    >>> print(models)
    BetaDiscreteWeibull is used: ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 5.84 in log-likelihood
    (chi-squared 11.7 with 1 degree of freedom, p < 0.001).
    >>> models.table([7, 12]).round(3)
                          log_likelihood       aic   S(7)  S(12)
    model
    Geometric                  -1637.093  3276.186  0.466  0.270
    ShiftedBetaGeometric       -1611.158  3226.316  0.489  0.378
    BetaDiscreteWeibull        -1605.314  3216.628  0.491  0.404
    """
    simplest, *richer = LADDER
    fits: dict[str, Fit] = {simplest.__name__: fit(simplest, retention_table)}
    problem = ""
    for model in richer:
        try:
            fits[model.__name__] = fit(model, retention_table)
        except (ValueError, ConvergenceError) as error:
            problem = f" {model.__name__} cannot be fitted: {str(error).rstrip('.')}."
            break
    tests = tuple(likelihood_ratio(fits[a], fits[b]) for a, b in pairwise(fits))
    name, why = _chosen(fits, tests)
    return ContractModels(fits, tests, name, f"{name} is used{why}{problem}")


def _chosen(fits: Mapping[str, Fit], tests: tuple[LikelihoodRatio, ...]) -> tuple[str, str]:
    """The model to use, and the rest of the sentence that says so."""
    names = list(fits)
    if len(names) < 3:
        return names[-1], "."
    return names[2] if tests[-1].p_value < 0.05 else names[1], f": {tests[-1].detail}"
