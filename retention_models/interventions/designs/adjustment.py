"""Comparisons of those who chose an exposure with others alike: weights, outcome regression, and their errors.

Robins, Rotnitzky & Zhao (1994), "Estimation of regression coefficients when some regressors are not always observed",
JASA 89, 846-866; Li, Morgan & Zaslavsky (2018), "Balancing covariates via propensity score weighting", JASA 113,
390-400. An average is a sum of weighted means. Its error counts the estimated chances and regressions: the influence of
a row is its own part, and what it moves through their estimates, added up by customer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation
from retention_models.interventions.designs.propensity import NEARLY, Design, Propensity, fit_propensity
from retention_models.interventions.effects.laws import StudentT

Target = Literal["treated", "overlap", "all"]


@dataclass(frozen=True, eq=False, repr=False)
class Compared(Presentation):
    """Rows of customers who chose an exposure, and of others.

    Attributes
    ----------
    treated
        Shape (n,).
    outcomes
        Shape (n, k).
    design
        What was known before, n rows.
    weight
        Number of rows that each stands for, shape (n,).
    cluster
        The customer or cluster of each row, whole numbers from 0, shape (n,).
    slopes
        Derivatives of an outcome in the coefficients of the propensity, shape (n, coefficients), by its place. None
        where outcomes do not depend on them.
    """

    treated: NDArray[np.bool_]
    outcomes: Array
    design: Design
    weight: Array
    cluster: NDArray[np.int64]
    slopes: dict[int, Array] | None = None

    def _parts(self) -> Sequence[Part]:
        return [f"{int(self.treated.sum()):,} treated rows and {int((~self.treated).sum()):,} others."]


class Nuisance(NamedTuple):
    """The chance to be treated, shape (n,), and the expected outcomes without and with treatment, (n, k) each.

    ``propensity`` is the fit whose error counts; None where each row was predicted by a fit without it.
    """

    chance: Array
    without: Array
    treated: Array
    propensity: Propensity | None


class Mean(NamedTuple):
    """A weighted mean of ``values``, (n, k), with what it depends on.

    ``slope`` (n,) is the derivative of the weights in the linear predictor, ``by_without`` and ``by_treated`` those of
    the values in the expected outcomes. ``total`` is what the sum is divided by; None for the sum of the weights.
    """

    sign: int
    weights: Array
    slope: Array
    values: Array
    by_without: int
    by_treated: int
    total: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Adjusted(Presentation):
    """Adjusted differences of k outcomes.

    Attributes
    ----------
    estimates
        Shape (k,).
    influence
        What each cluster moves, shape (clusters, k).
    chance
        Of each row to be treated, shape (n,).
    weights
        Of each row within its group, shape (n,); they add up to 1 in each.
    joined
        Number of treated rows.
    coefficients
        Number of coefficients of the propensity.
    treated
        Which rows are treated, shape (n,).
    """

    estimates: Array
    influence: Array
    chance: Array
    weights: Array
    joined: int
    coefficients: int
    treated: NDArray[np.bool_]

    def _parts(self) -> Sequence[Part]:
        return [f"{self.joined:,} treated rows; effective number of others {self.effective_others:,.0f}."]

    def law(self, combination: Sequence[float] | Array) -> StudentT:
        """The law of a linear combination of the differences.

        With J treated rows and p coefficients, errors are widened by sqrt(J / (J - p)) and have J - p degrees of
        freedom; with fewer clusters C, C - 1, and are widened by sqrt(C / (C - 1)) as well.
        """
        a = np.asarray(combination, dtype=float)
        df, clusters = max(self.joined - self.coefficients, 1), len(self.influence)
        variance = float(((self.influence @ a) ** 2).sum()) * clusters / max(clusters - 1, 1)
        error = math.sqrt(variance * max(self.joined, df) / df)
        return StudentT(float(self.estimates @ a), error, min(df, max(clusters - 1, 1)))

    @property
    def effective_others(self) -> float:
        """Effective number of the rows that are compared with (Kish): (sum of weights)^2 / sum of their squares."""
        own = self.weights[self._others]
        return float(own.sum() ** 2 / (own**2).sum())

    @property
    def largest_weight(self) -> float:
        """The largest share of one row in the comparison group."""
        return float(self.weights[self._others].max())

    @property
    def _others(self) -> NDArray[np.bool_]:
        return ~self.treated


def adjust(rows: Compared, target: Target, nuisance: Nuisance, *, regress: bool = True) -> Adjusted:
    """The adjusted difference of each outcome.

    Parameters
    ----------
    rows
        The rows.
    target
        ``"treated"``: on those who were treated. ``"overlap"``: on those who could as well have been untreated.
        ``"all"``: on everybody.
    nuisance
        Chances and expected outcomes.
    regress
        Whether expected outcomes take part; if not, they count as 0.

    Returns
    -------
    Adjusted
        Estimates and influences.
    """
    means = _means(rows, target, nuisance, regress)
    totals = [each.weights.sum() if each.total is None else each.total for each in means]
    middles = [each.weights @ each.values / total for each, total in zip(means, totals, strict=True)]
    estimates = np.asarray(sum(each.sign * middle for each, middle in zip(means, middles, strict=True)))
    own, by_chance = np.zeros_like(rows.outcomes), np.zeros_like(rows.outcomes)
    by_outcome = [np.zeros(len(rows.treated)), np.zeros(len(rows.treated))]
    for each, total, middle in zip(means, totals, middles, strict=True):
        apart = each.values - (middle if each.total is None else 0.0)
        own += (each.sign / total) * each.weights[:, None] * apart
        by_chance += (each.sign / total) * each.slope[:, None] * apart
        by_outcome[0] += (each.sign * each.by_without / total) * each.weights
        by_outcome[1] += (each.sign * each.by_treated / total) * each.weights
        if each.total is not None:
            own -= rows.weight[:, None] / rows.weight.sum() * middle * each.sign
    if nuisance.propensity is not None:
        own += _through_chance(rows, nuisance.propensity, by_chance, means, totals)
        if regress:
            own += _through_outcomes(rows, nuisance, by_outcome)
    clusters = int(rows.cluster.max()) + 1
    influence = np.column_stack([np.bincount(rows.cluster, column, clusters) for column in own.T]).astype(float)
    balancing = np.zeros(len(rows.treated))
    for group, weights in zip((rows.treated, ~rows.treated), _balancing(rows, target, nuisance.chance), strict=True):
        balancing[group] = weights[group] / weights.sum()
    coefficients = rows.design.matrix.shape[1]
    joined = int(rows.treated.sum())
    return Adjusted(estimates, influence, nuisance.chance, balancing, joined, coefficients, rows.treated)


def _balancing(rows: Compared, target: Target, chance: Array) -> tuple[Array, Array]:
    """The weights of treated rows and of others, shape (n,) each, 0 outside the group."""
    s, a = rows.weight, rows.treated
    if target == "treated":
        return s * a, s * ~a * chance / (1 - chance)
    if target == "overlap":
        return s * a * (1 - chance), s * ~a * chance
    return s * a / chance, s * ~a / (1 - chance)


def _means(rows: Compared, target: Target, nuisance: Nuisance, regress: bool) -> list[Mean]:
    """The weighted means whose sum is the difference."""
    e, s, y = nuisance.chance, rows.weight, rows.outcomes
    without = nuisance.without if regress else np.zeros_like(y)
    treated = nuisance.treated if regress else np.zeros_like(y)
    w1, w0 = _balancing(rows, target, e)
    flat = np.zeros(len(e))
    if target == "treated":
        own = Mean(1, w1, flat, y - without, -1, 0)
        return [own, Mean(-1, w0, w0, y - without, -1, 0)]
    if target == "overlap":
        h = s * e * (1 - e)
        parts = [Mean(1, w1, -w1 * e, y - treated, 0, -1), Mean(-1, w0, w0 * (1 - e), y - without, -1, 0)]
        return [*parts, Mean(1, h, h * (1 - 2 * e), treated - without, -1, 1)] if regress else parts
    total = float(s.sum()) if regress else None
    parts = [Mean(1, w1, -w1 * (1 - e), y - treated, 0, -1, total), Mean(-1, w0, w0 * e, y - without, -1, 0, total)]
    return [*parts, Mean(1, s, flat, treated - without, -1, 1)] if regress else parts


def _through_chance(
    rows: Compared, propensity: Propensity, by_chance: Array, means: Sequence[Mean], totals: Sequence[float]
) -> Array:
    """What each row moves through the coefficients of the propensity, shape (n, k)."""
    gradient = rows.design.matrix.T @ by_chance
    for place, slopes in (rows.slopes or {}).items():
        for each, total in zip(means, totals, strict=True):
            gradient[:, place] += (each.sign / total) * (each.weights @ slopes)
    return np.asarray(propensity.score @ (propensity.covariance @ gradient))


def _through_outcomes(rows: Compared, nuisance: Nuisance, by_outcome: Sequence[Array]) -> Array:
    """What each row moves through the coefficients of the outcome regressions, shape (n, k)."""
    matrix, found = rows.design.matrix, np.zeros_like(rows.outcomes)
    sides = ((~rows.treated, nuisance.without), (rows.treated, nuisance.treated))
    for (group, expected), by_expected in zip(sides, by_outcome, strict=True):
        if by_expected.any():
            weighted = matrix * (rows.weight * group)[:, None]
            along = weighted @ np.linalg.solve(weighted.T @ matrix, matrix.T @ by_expected)
            found += along[:, None] * (rows.outcomes - expected)
    return found


def nuisance_of(rows: Compared, target: Target, *, regress: bool = True) -> Nuisance:
    """Chances by logistic regression, and expected outcomes by linear regression in each group."""
    propensity = fit_propensity(rows.treated, rows.design, rows.weight)
    both = target != "treated"
    expected = [
        _regression(rows, group) if regress and (both or place == 0) else np.zeros_like(rows.outcomes)
        for place, group in enumerate((~rows.treated, rows.treated))
    ]
    return Nuisance(propensity.chance, expected[0], expected[1], propensity)


def _regression(rows: Compared, group: NDArray[np.bool_]) -> Array:
    """The outcomes that are expected of all rows by the regression within a group, shape (n, k)."""
    matrix = rows.design.matrix
    own = matrix[group] * rows.weight[group, None]
    return np.asarray(matrix @ np.linalg.lstsq(own.T @ matrix[group], own.T @ rows.outcomes[group], rcond=None)[0])


def cross_fitted(
    rows: Compared, folds: int, rng: np.random.Generator, *, learner: Any = None, regressor: Any = None
) -> Nuisance:
    """Chances and expected outcomes of each row, from fits without its cluster (Chernozhukov et al. 2018).

    Parameters
    ----------
    rows
        The rows.
    folds
        Number of parts; each is predicted from the others.
    rng
        Source of the parts.
    learner, regressor
        What predicts chances, with ``fit`` and ``predict_proba``, and outcomes, with ``fit`` and ``predict``. By
        default logistic and linear regression.

    Returns
    -------
    Nuisance
        Predictions, whose errors need no count of their own.
    """
    clusters = int(rows.cluster.max()) + 1
    fold = rng.permutation(np.arange(clusters) % folds)[rows.cluster]
    chance, found = np.empty(len(fold)), [np.empty_like(rows.outcomes) for _ in range(2)]
    for part in range(folds):
        here, learnt = fold == part, fold != part
        chance[here] = _predicted_chance(rows, learnt, here, learner)
        for side, group in zip(found, (~rows.treated, rows.treated), strict=True):
            side[here] = _predicted_outcomes(rows, learnt & group, here, regressor)
    if learner is not None:
        chance = np.clip(chance, NEARLY, 1 - NEARLY)
    return Nuisance(chance, found[0], found[1], None)


def require_learner(learner: Any, method: str) -> None:
    """A TypeError unless a learner can be fitted with weights and predicts by a method."""
    if learner is None:
        return
    fit = getattr(learner, "fit", None)
    if isinstance(learner, type) or not callable(fit) or not callable(getattr(learner, method, None)):
        raise TypeError(f"a learner must have fit and {method}, as of scikit-learn; got {learner!r}")
    if "sample_weight" not in signature(fit).parameters:
        raise TypeError(f"a learner must take sample_weight in fit, which {type(learner).__name__} does not")


def _predicted_chance(rows: Compared, learnt: NDArray[np.bool_], here: NDArray[np.bool_], learner: Any) -> Array:
    matrix = rows.design.matrix
    if learner is None:
        part = Design(rows.design.labels, matrix[learnt], (), rows.design.mean, rows.design.deviation, rows.design.used)
        fit = fit_propensity(rows.treated[learnt], part, rows.weight[learnt])
        return np.asarray(1 / (1 + np.exp(-matrix[here] @ fit.coefficients)))
    own = deepcopy(learner)
    own.fit(matrix[learnt, 1:], rows.treated[learnt].astype(int), sample_weight=rows.weight[learnt])
    return np.asarray(own.predict_proba(matrix[here, 1:]), dtype=float)[:, 1]


def _predicted_outcomes(rows: Compared, learnt: NDArray[np.bool_], here: NDArray[np.bool_], regressor: Any) -> Array:
    matrix, y, s = rows.design.matrix, rows.outcomes, rows.weight
    if regressor is None:
        weighted = matrix[learnt] * s[learnt, None]
        coefficients = np.linalg.lstsq(weighted.T @ matrix[learnt], weighted.T @ y[learnt], rcond=None)[0]
        return np.asarray(matrix[here] @ coefficients)
    found = []
    for values in y.T:
        own = deepcopy(regressor).fit(matrix[learnt, 1:], values[learnt], sample_weight=s[learnt])
        found.append(np.asarray(own.predict(matrix[here, 1:]), dtype=float))
    return np.column_stack(found)
