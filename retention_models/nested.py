"""Whether a richer model is worth its parameters: the likelihood-ratio test, at an edge of the richer one too."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import chdtrc

from retention_models.fitted import Fit

# Simpler model, richer model -> whether the simpler one lies at the edge of the richer one's parameters.
NESTED = {
    ("ShiftedBetaGeometric", "BetaDiscreteWeibull"): False,
    ("Geometric", "DiscreteWeibull"): False,
    ("Geometric", "ShiftedBetaGeometric"): True,
    ("DiscreteWeibull", "BetaDiscreteWeibull"): True,
}


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """The test that a simpler model is enough.

    ``statistic`` is twice the gain in log-likelihood, chi-squared with ``degrees`` of freedom if it is; where the
    simpler model lies at an edge of the richer one, half the time it is 0.
    """

    statistic: float
    degrees: int
    p_value: float
    detail: str

    def __str__(self) -> str:
        return self.detail


def likelihood_ratio(simpler: Fit, richer: Fit) -> LikelihoodRatio:
    """The likelihood-ratio test of a model against a richer one that contains it, both fitted to the same data.

    Parameters
    ----------
    simpler, richer
        For example the fits of ``ShiftedBetaGeometric`` and ``BetaDiscreteWeibull``: the test of c = 1.

    Raises
    ------
    ValueError
        When the one model does not lie within the other, or the data differ.

    Notes
    -----
    At an edge (equal customers, within ones that differ) the law is an even mixture of chi-squared with 0 and 1
    degrees of freedom: Self & Liang (1987), Journal of the American Statistical Association 82, 605-610.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.fitting import fit
    >>> from retention_models.nested import likelihood_ratio
    >>> from retention_models.survival.bdw import BetaDiscreteWeibull
    >>> from retention_models.survival.sbg import ShiftedBetaGeometric
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 869, 743, 653], "lost": [131, 126, 90, 60]})
    >>> test = likelihood_ratio(fit(ShiftedBetaGeometric, kept), fit(BetaDiscreteWeibull, kept))
    >>> print(test)
    ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 2.39 in log-likelihood (chi-squared 4.77 with 1
    degree of freedom, p = 0.029).
    """
    names = type(simpler.model).__name__, type(richer.model).__name__
    if names not in NESTED:
        raise ValueError(f"{names[0]} is no special case of {names[1]}; compare them by AIC and by their forecasts")
    if simpler.data.get("sha256") != richer.data.get("sha256"):
        raise ValueError("both models must be fitted to the same data for their likelihoods to be compared")
    statistic = max(2 * (richer.log_likelihood - simpler.log_likelihood), 0.0)
    p_value = float(chdtrc(1, statistic)) * (0.5 if NESTED[names] else 1.0)
    verdict = "is not enough" if p_value < 0.05 else "is not refuted"
    detail = (
        f"{names[0]} {verdict}: {names[1]} gains {statistic / 2:.2f} in log-likelihood (chi-squared {statistic:.2f} "
        f"with 1 degree of freedom{', at an edge' if NESTED[names] else ''}, p = {p_value:.2g})."
    )
    return LikelihoodRatio(statistic, 1, p_value, detail)
