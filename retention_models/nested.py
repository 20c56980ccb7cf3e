"""Whether a richer model is worth its parameters: the likelihood-ratio test, at an edge of the richer one too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
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
        For example the fits of ``ShiftedBetaGeometric`` and ``BetaDiscreteWeibull``: the test of c = 1. Or fits of one
        model of which the richer one has all the covariates of the simpler one, if any, and more.

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
    if richer.effects.n or simpler.effects.n:
        return _of_covariates(simpler, richer)
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


def _of_covariates(simpler: Fit, richer: Fit) -> LikelihoodRatio:
    """The test that the coefficients which only the richer fit has are all 0."""
    name, more = type(richer.model).__name__, list(richer.effects.coefficients.index)
    added = [label for label in more if label not in simpler.effects.coefficients.index]
    if type(simpler.model) is not type(richer.model) or len(added) != richer.effects.n - simpler.effects.n or not added:
        raise ValueError(
            "the one fit must have the model of the other and all its covariates, and more; "
            "compare such fits by AIC and by their forecasts"
        )
    if simpler.data.get("sha256") != richer.data.get("sha256"):
        raise ValueError("both models must be fitted to the same data for their likelihoods to be compared")
    if simpler.model.fixed and any(getattr(simpler.model, n) != getattr(richer.model, n) for n in simpler.model.fixed):
        raise ValueError(f"both fits must have the same {', '.join(simpler.model.fixed)} for the test")
    statistic = max(2 * (richer.log_likelihood - simpler.log_likelihood), 0.0)
    degrees = max(len(richer.covariance) - len(simpler.covariance), 1)
    p_value = float(chdtrc(degrees, statistic))
    is_one = len(added) == 1
    verdict = ("makes" if is_one else "make") if p_value < 0.05 else f"{'is' if is_one else 'are'} not seen to make"
    test = f"chi-squared {statistic:.2f} with {degrees} {'degree' if degrees == 1 else 'degrees'} of freedom"
    gain = f"{statistic / 2:.2f} gained in log-likelihood ({test}, p = {p_value:.2g})"
    return LikelihoodRatio(
        statistic, degrees, p_value, f"{name}: {', '.join(added)} {verdict} a difference, with {gain}."
    )


def wald(fit: Fit) -> pd.DataFrame:
    """The test of each term of the covariates that it makes no difference, all its coefficients being 0.

    Parameters
    ----------
    fit
        A fit with covariates; with ``robust=True`` the tests are robust, too.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``term``, such as ``purchase[channel]``: ``statistic``, chi-squared with ``degrees`` of freedom, one
        a coefficient, if the term makes no difference, and ``p_value``. Terms held at 0 at a limit are not in it.

    Notes
    -----
    Wald's test g' V^-1 g, V the covariance of the term's coefficients g. It does not fit the model again without the
    term, as ``likelihood_ratio`` does, which is the better one in small samples.

    Examples
    --------
    >>> import numpy as np, pandas as pd, retention_models as rm
    >>> from retention_models.nested import wald
    >>> rng = np.random.default_rng(1)
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), rng).assign(web=web, shoe_size=rng.integers(36, 47, 1000))
    >>> wald(rm.fit(rm.ParetoNBD, customers, purchase_covariates="web + shoe_size")).round(3)
                         statistic  degrees  p_value
    term
    purchase[web]           59.678        1    0.000
    purchase[shoe_size]      0.074        1    0.786
    """
    if not fit.effects.n:
        raise ValueError("the fit has no covariates; name them in fit(..., purchase_covariates=...)")
    rows = {}
    for term, labels in fit.effects.terms.items():
        if all(label in fit.covariance.index for label in labels):
            names = list(labels)
            found = fit.effects.coefficients[names].to_numpy()
            statistic = float(found @ np.linalg.solve(fit.covariance.loc[names, names].to_numpy(), found))
            rows[term] = (statistic, len(names), float(chdtrc(len(names), statistic)))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "degrees", "p_value"])
    return table.rename_axis("term")
