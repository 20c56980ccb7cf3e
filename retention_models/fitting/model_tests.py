"""Tests between nested models: the likelihood-ratio test, also at a limit of the richer model, and Wald's test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import RNGLike
from retention_models.core.formatting import Part, Presentation, chi_squared_statement, p_statement, three_digits
from retention_models.estimation.model import SMALL, averaged_columns
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit, fitted_table
from retention_models.fitting.result import Fit, require_fit

ReferenceDistribution = Literal["inside", "edge", "unknown"]

# Simpler model, richer model -> where the simpler one lies among the parameters of the richer one: inside; at an edge;
# or where a parameter loses its meaning, or takes whole numbers only, and the reference distribution is unknown.
NESTED: dict[tuple[str, str], ReferenceDistribution] = {
    ("ShiftedBetaGeometric", "BetaDiscreteWeibull"): "inside",
    ("Geometric", "DiscreteWeibull"): "inside",
    ("Geometric", "ShiftedBetaGeometric"): "edge",
    ("ShiftedBetaGeometric", "FlooredBetaGeometric"): "edge",
    ("Geometric", "FlooredBetaGeometric"): "unknown",
    ("DiscreteWeibull", "BetaDiscreteWeibull"): "edge",
    ("BGNBD", "BGCNBD"): "unknown",
    ("MBGNBD", "MBGCNBD"): "unknown",
    **{("NBD", richer): "unknown" for richer in ("ParetoNBD", "BGNBD", "MBGNBD", "BGCNBD", "MBGCNBD")},
}
SAME = 1e-6  # a gain of no more than this is none
CLEAR = 1e-3  # the bound by halves decides where it is below this
ENOUGH = 5  # replicates that gain as much end the bootstrap: there is nothing to be seen


@dataclass(frozen=True, slots=True, repr=False)
class LikelihoodRatio(Presentation):
    """The result of a test of a simpler model against a richer one.

    Attributes
    ----------
    statistic
        Twice the gain in log-likelihood of the richer model.
    degrees
        Number of additional parameters.
    p_value
        P-value of the simpler model; a small one speaks for the richer model.
    detail
        The result as a sentence.
    reference_distribution
        The distribution that gives the p-value: chi-squared, a bound, or a parametric bootstrap.
    """

    statistic: float
    degrees: int
    p_value: float
    detail: str
    reference_distribution: str = "chi-squared"

    def _parts(self) -> Sequence[Part]:
        return [self.detail]


def lies_within(simpler: Fit, richer: Fit) -> bool:
    """Whether the simpler model is a special case of the richer one, so that ``likelihood_ratio`` can test it."""
    if simpler.covariate_terms.n or richer.covariate_terms.n:
        return type(simpler.model) is type(richer.model) and bool(_added(simpler, richer))
    return (type(simpler.model).__name__, type(richer.model).__name__) in NESTED


def likelihood_ratio(
    simpler: Fit,
    richer: Fit,
    customers: Any = None,
    *,
    replicates: int = 99,
    rng: RNGLike = 1,
    names: tuple[str, str] | None = None,
) -> LikelihoodRatio:
    """The likelihood-ratio test of a model against a richer model that contains it; both fitted to the same data.

    Parameters
    ----------
    simpler
        The fit of the simpler model, for example ``ShiftedBetaGeometric``.
    richer
        The fit of the richer model, for example ``BetaDiscreteWeibull`` (the test is then of c = 1). Or a fit of the
        same model with all covariates of the simpler fit, and more.
    customers
        The table that both were fitted to, by default none. Needed if the reference distribution is unknown: for
        ``NBD`` against models with drop-out, and for random timing against regular timing (k = 1).
    replicates
        Largest number of simulated tables in that case; with 0 only the bound is used (see Notes).
    rng
        Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes; by default 1, so that
        the same call gives the same p-value.
    names
        What to call the two fits in the sentence; by default the names of their models.

    Returns
    -------
    LikelihoodRatio
        Statistic, degrees of freedom, p-value, and the result as a sentence.

    Raises
    ------
    ValueError
        When the simpler model is not a special case of the richer one, the data differ, or ``customers`` is needed.

    Notes
    -----
    If the simpler model lies at a limit of the richer one (customers who are all alike), the reference distribution is
    an even mixture of chi-squared with 0 and 1 degrees of freedom. See Self & Liang (1987), Journal of the American
    Statistical Association 82, 605-610.

    If the reference distribution is unknown, a bound is tried first. Each model is fitted to one half of the customers.
    The gain of the richer model on the other half bounds the p-value by e^-gain (Wasserman, Ramdas & Balakrishnan 2020,
    "Universal Inference", PNAS 117, 16880-16890). If the bound does not decide, customers of the same ages are
    simulated from the simpler model, and both models are fitted to them (parametric bootstrap). The simulation ends
    when five such tables have gained as much (Besag & Clifford 1991, Biometrika 78, 301-304). This takes seconds, or
    minutes if the likelihood is nearly flat. Simulated purchases can happen at any moment. If real gaps are as short as
    the granularity of the log, rounding alone makes them look regular.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 869, 743, 653], "lost": [131, 126, 90, 60]})
    >>> test = rm.fitting.likelihood_ratio(rm.fit(rm.ShiftedBetaGeometric, kept), rm.fit(rm.BetaDiscreteWeibull, kept))
    >>> print(test)
    ShiftedBetaGeometric is not enough: BetaDiscreteWeibull gains 2.39 in log-likelihood (chi-squared 4.77 with 1
    degree of freedom, p = 0.029).
    """
    require_fit(simpler)
    require_fit(richer)
    require_whole("replicates", replicates, 0)
    classes = type(simpler.model).__name__, type(richer.model).__name__
    names = names or classes
    if richer.covariate_terms.n or simpler.covariate_terms.n:
        return _of_covariates(simpler, richer, names[1])
    if not lies_within(simpler, richer):
        raise ValueError(
            f"{names[0]} is not a special case of {names[1]}; compare the models by AIC and by their forecasts"
        )
    if simpler.data.get("sha256") != richer.data.get("sha256"):
        raise ValueError("both models must be fitted to the same data for their likelihoods to be compared")
    statistic = max(2 * (richer.log_likelihood - simpler.log_likelihood), 0.0)
    if NESTED[classes] == "unknown":
        return _by_simulation(simpler, richer, names, statistic, customers, replicates, np.random.default_rng(rng))
    at_edge = NESTED[classes] == "edge"
    p_value = float(chdtrc(1, statistic)) * (0.5 if at_edge else 1.0)
    where = ", at an edge" if at_edge else ""
    how = f"{chi_squared_statement(statistic, 1)}{where}, {p_statement(p_value)}"
    return LikelihoodRatio(statistic, 1, p_value, _detail(*names, statistic, p_value, how))


def _detail(simpler: str, richer: str, statistic: float, p_value: float, how: str) -> str:
    verdict = "is not enough" if p_value < 0.05 else "is not refuted"
    return f"{simpler} {verdict}: {richer} gains {three_digits(statistic / 2, decimals=2)} in log-likelihood ({how})."


def _by_simulation(
    simpler: Fit,
    richer: Fit,
    names: tuple[str, str],
    statistic: float,
    customers: Any,
    replicates: int,
    rng: np.random.Generator,
) -> LikelihoodRatio:
    """The test by halves of the customers, or else by simulated ones."""
    degrees = len(richer.params) + len(richer.model.fixed) - len(simpler.params)

    def result(p_value: float, how: str, reference_distribution: str) -> LikelihoodRatio:
        return LikelihoodRatio(
            statistic, degrees, p_value, _detail(*names, statistic, p_value, how), reference_distribution
        )

    if statistic < 2 * SAME:
        return result(1.0, "it is the simpler one here", "none needed")
    if customers is None:
        raise ValueError(
            f"the gain of {names[1]} over {names[0]} has no known reference distribution; "
            "pass the customers that both were fitted to"
        )
    lines = _lines(richer, customers)
    bound = _bound_by_halves(simpler, richer, lines, rng)
    if bound < CLEAR or not replicates:
        limit = f"p < {max(bound, CLEAR):.1g}" if bound < 1 else "which bounds no p"
        return result(bound, f"on halves of the customers not seen, {limit}", "bound by halves")
    more, tried = _simulated(simpler, richer, statistic, lines["T"].to_numpy(), replicates, rng)
    p_value = more / tried if more == ENOUGH else (more + 1) / (tried + 1)
    bootstrap = f"parametric bootstrap of {tried}"
    return result(p_value, f"{bootstrap}, {p_statement(p_value)}", bootstrap)


def _lines(richer: Fit, customers: Any) -> pd.DataFrame:
    """One line a customer, of the columns that the richer model takes."""
    table = fitted_table(richer, customers)
    columns, weight = table.columns, table.weight
    names = [*richer.model.columns, *averaged_columns(type(richer.model))]
    rows = pd.DataFrame(dict(zip(names, columns, strict=True)))
    return rows.loc[rows.index.repeat(np.rint(weight).astype(int))]


def _bound_by_halves(simpler: Fit, richer: Fit, lines: pd.DataFrame, rng: np.random.Generator) -> float:
    """A bound on the p-value: the mean over both halves of the likelihood ratio of the other half, inverted."""
    first = rng.permutation(len(lines)) < len(lines) // 2
    try:
        gains = [_gain(simpler, richer, lines[half], lines[~half]) for half in (first, ~first)]
    except (ValueError, ConvergenceError):
        return 1.0
    largest = max(gains)
    log_mean = largest + math.log(sum(math.exp(gain - largest) for gain in gains) / 2)
    return math.exp(-max(log_mean, 0.0))


def _gain(simpler: Fit, richer: Fit, training: pd.DataFrame, validation: pd.DataFrame) -> float:
    """What the richer model, fitted to some customers, gains on others over the simpler one, fitted to these."""
    there = fit(type(richer.model), training).model.log_likelihood(
        *(validation[name].to_numpy() for name in validation)
    )
    return float(np.sum(there)) - fit(type(simpler.model), validation).log_likelihood


def _simulated(
    simpler: Fit, richer: Fit, statistic: float, T: np.ndarray, replicates: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Of how many simulated tables the richer model gains as much, and how many were tried.

    Where a fit fails it counts as having gained as much, which errs towards the simpler model.
    """
    truth, more = _as_richer(simpler, richer) if averaged_columns(type(richer.model)) else simpler.model, 0
    for tried in range(1, replicates + 1):
        table = truth.simulate(T, rng)
        try:
            gains = 2 * (fit(type(richer.model), table).log_likelihood - fit(type(simpler.model), table).log_likelihood)
        except (ValueError, ConvergenceError):
            gains = math.inf
        more += gains >= statistic
        if more == ENOUGH:
            return more, tried
    return more, replicates


def _as_richer(simpler: Fit, richer: Fit) -> Any:
    """The simpler model as one of regular timing, which simulates the gaps as well."""
    stays: dict[str, float] = {"a": SMALL} if type(simpler.model).__name__ == "NBD" else {}
    values = {str(name): value for name, value in simpler.params.items()}
    return replace(richer.model, **{**stays, **values, "k": 1})


def _added(simpler: Fit, richer: Fit) -> list[str]:
    """The coefficients that only the richer fit has; none where the simpler one has some that the richer one lacks."""
    own, more = simpler.covariate_terms.coefficients.index, richer.covariate_terms.coefficients.index
    return [] if own.difference(more).size else list(more.difference(own, sort=False))


def _of_covariates(simpler: Fit, richer: Fit, name: str) -> LikelihoodRatio:
    """The test that the coefficients which only the richer fit has are all 0."""
    added = _added(simpler, richer)
    if not lies_within(simpler, richer):
        raise ValueError(
            "one fit must have the same model and all covariates of the other, and more; compare other fits by AIC "
            "and by their forecasts"
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
    test = chi_squared_statement(statistic, degrees)
    gain = f"{three_digits(statistic / 2, decimals=2)} gained in log-likelihood ({test}, {p_statement(p_value)})"
    return LikelihoodRatio(
        statistic, degrees, p_value, f"{name}: {', '.join(added)} {verdict} a difference, with {gain}."
    )


def wald(fit: Fit) -> pd.DataFrame:
    """Wald's test of each term of the covariates: whether all its coefficients are 0.

    Parameters
    ----------
    fit
        A fit with covariates. With ``robust=True`` the tests are robust, too.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``term``, such as ``purchase[channel]``: ``statistic``, ``degrees`` of freedom, one a coefficient,
        and ``p_value``. Terms that are held at a limit are left out.

    Raises
    ------
    ValueError
        When the fit has no covariates.

    Notes
    -----
    The statistic g' V^-1 g, with V the covariance of the coefficients g, is chi-squared if the term makes no
    difference. The model is not fitted again without the term. ``likelihood_ratio`` does that and is better in small
    samples.

    Examples
    --------
    >>> import numpy as np, pandas as pd, retention_models as rm
    >>> rng = np.random.default_rng(1)
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), rng).assign(web=web, shoe_size=rng.integers(36, 47, 1000))
    >>> rm.fitting.wald(rm.fit(rm.ParetoNBD, customers, purchase_covariates="web + shoe_size")).round(3)
                         statistic  degrees  p_value
    term
    purchase[web]           59.678        1    0.000
    purchase[shoe_size]      0.074        1    0.786
    """
    require_fit(fit)
    if not fit.covariate_terms.n:
        raise ValueError("the fit has no covariates; name them in fit(..., purchase_covariates=...)")
    rows = {}
    for term, labels in fit.covariate_terms.terms.items():
        if all(label in fit.covariance.index for label in labels):
            names = list(labels)
            found = fit.covariate_terms.coefficients[names].to_numpy()
            statistic = float(found @ np.linalg.solve(fit.covariance.loc[names, names].to_numpy(), found))
            rows[term] = (statistic, len(names), float(chdtrc(len(names), statistic)))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "degrees", "p_value"])
    return table.rename_axis("term")
