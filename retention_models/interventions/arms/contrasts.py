"""Measures of the arms and their contrasts, with standard errors by the delta method.

A *measure* turns an arm's means into one number and gives its gradient in them. Examples are a mean, a ratio of sums, a
mean adjusted for covariates, or money. Degrees of freedom follow Satterthwaite's formula over the cells, which for two
arms of single customers is Welch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retention_models.core.arrays import Array
from retention_models.interventions.arms.cells import ArmMeans
from retention_models.interventions.effects.laws import StudentT

MeasureOf = Callable[[Array], tuple[float, Array]]  # an arm's means to a number and its gradient in them


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One number an arm: a mean, or with ``per`` a ratio of sums, less slopes x (covariate means - centre).

    CUPED (Deng, Xu, Kohavi & Walker 2013) with fixed slopes.

    Attributes
    ----------
    y, per
        Positions of the measured column, and of the column in the denominator.
    covariates
        Positions of the covariates.
    slopes
        Slopes of the covariates.
    centre
        Means of the covariates over all arms.
    """

    y: int
    per: int | None = None
    covariates: tuple[int, ...] = ()
    slopes: Array | None = None
    centre: Array | None = None

    def __call__(self, mean: Array) -> tuple[float, Array]:
        """The measure at an arm's means, shape (k,), and its gradient in them."""
        gradient = np.zeros(len(mean))
        if self.per is None:
            value = float(mean[self.y])
            gradient[self.y] = 1.0
        else:
            value = float(mean[self.y] / mean[self.per])
            gradient[[self.y, self.per]] = 1 / mean[self.per], -value / mean[self.per]
        if self.covariates and self.slopes is not None and self.centre is not None:
            x = list(self.covariates)
            value -= float(self.slopes @ (mean[x] - self.centre))
            gradient[x] -= self.slopes
        return value, gradient

    def centre_gradient(self, mean: Array) -> Array:
        """Gradient of the measure in the overall means of the columns, shape (k,), from the covariates' slopes."""
        moves = np.zeros(len(mean))
        if self.slopes is not None:
            moves[list(self.covariates)] = self.slopes
        return moves


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A measure of one arm.

    Attributes
    ----------
    value
        The value of the measure.
    variances, df
        Variance and degrees of freedom of each cell, shape (cells,).
    """

    value: float
    variances: Array
    df: Array


def read_measure(arm: ArmMeans, measure: MeasureOf) -> Reading:
    """A measure of one arm, from its means."""
    value, gradient = measure(arm.mean)
    return Reading(value, *arm.variances(gradient))


def combination(*terms: tuple[float, MeasureOf]) -> MeasureOf:
    """The weighted sum of measures, as a measure."""

    def measure(mean: Array) -> tuple[float, Array]:
        measured = [(factor, *part(mean)) for factor, part in terms]
        value = sum(factor * value for factor, value, _ in measured)
        return value, np.asarray(sum(factor * gradient for factor, _, gradient in measured))

    return measure


def contrast(readings: Mapping[str, Reading], weights: Mapping[str, float]) -> StudentT:
    """Weighted sum of the measures of independent arms: ``{"mail": 1, "control": -1}`` is a difference.

    df = V^2 / sum of (v_cell^2 / df_cell), V the sum of the cells' v.
    """
    estimate = sum(weight * readings[arm].value for arm, weight in weights.items())
    pieces = np.concatenate([weight**2 * readings[arm].variances for arm, weight in weights.items()])
    df = np.concatenate([readings[arm].df for arm in weights])
    return _satterthwaite_estimate(float(estimate), pieces, df)


def log_contrast(arms: Mapping[str, ArmMeans], measure: Measure, weights: Mapping[str, float]) -> StudentT:
    """The contrast of the logarithms of a measure; ``arms`` contains all arms, also those without a weight.

    An adjusted measure depends on the overall mean of the covariates by its slopes. In a difference this cancels. In
    logarithms the sum of weight / value remains, so every cell counts with its share of all customers.
    """
    measured = {arm: measure(means.mean) for arm, means in arms.items()}
    total = sum(cell.n for means in arms.values() for cell in means.cells)
    left = sum(weight / measured[arm][0] for arm, weight in weights.items())
    pieces, df = [], []
    for arm, means in arms.items():
        value, gradient = measured[arm]
        for share, cell in zip(means.shares, means.cells, strict=True):
            moves = weights.get(arm, 0.0) * share / value * gradient + left * cell.n / total * measure.centre_gradient(
                cell.mean
            )
            pieces.append(float(moves @ cell.covariance @ moves))
            df.append(cell.df)
    estimate = sum(weight * math.log(measured[arm][0]) for arm, weight in weights.items())
    return _satterthwaite_estimate(float(estimate), np.maximum(pieces, 0.0), np.array(df))


def _satterthwaite_estimate(estimate: float, pieces: Array, df: Array) -> StudentT:
    """The law of an estimate from the variances of the cells, with Satterthwaite's degrees of freedom."""
    variance = float(pieces.sum())
    freedom = variance**2 / float(np.sum(pieces**2 / df)) if variance > 0 else float(df.sum())
    return StudentT(estimate, float(np.sqrt(variance)), freedom)


def measure_contrast(arms: Mapping[str, ArmMeans], measure: MeasureOf, weights: Mapping[str, float]) -> StudentT:
    """The contrast of one measure over the arms."""
    return contrast({arm: read_measure(arms[arm], measure) for arm in weights}, weights)


def difference(arm: str, baseline: str) -> dict[str, float]:
    """The weights of the difference between an arm and a baseline."""
    return {arm: 1.0, baseline: -1.0}


def factorial_contrasts(campaigns: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """The weights of main effects and two-way interactions in a full factorial design.

    Parameters
    ----------
    campaigns
        Arm to the campaigns of its customers: ``{"none": [], "mail": ["mail"], "coupon": ["coupon"], "both": ["mail",
        "coupon"]}``.

    Returns
    -------
    dict
        Name of the contrast to its weights. ``mail`` is the effect of the mail, averaged over the other campaigns with
        equal weights. ``mail x coupon`` is the additional effect of the mail on customers who also have the coupon.

    Raises
    ------
    ValueError
        When a combination is missing or occurs twice.

    Examples
    --------
    >>> arms = {"none": [], "mail": ["mail"], "coupon": ["coupon"], "both": ["mail", "coupon"]}
    >>> factorial_contrasts(arms)["mail x coupon"]
    {'none': 1.0, 'mail': -1.0, 'coupon': -1.0, 'both': 1.0}
    """
    names = list(dict.fromkeys(name for contained in campaigns.values() for name in contained))
    combinations = {frozenset(contained) for contained in campaigns.values()}
    if len(combinations) < len(campaigns) or len(combinations) != 2 ** len(names):
        raise ValueError(
            f"{len(names)} campaigns need {2 ** len(names)} arms, one for each combination, the empty one included; "
            f"got {len(combinations)} different ones in {len(campaigns)} arms; compare the arms one by one instead"
        )
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {" x ".join(chosen): _signs(campaigns, chosen) for chosen in [*((name,) for name in names), *pairs]}


def _signs(campaigns: Mapping[str, Sequence[str]], chosen: Sequence[str]) -> dict[str, float]:
    """Product over the chosen campaigns of +1 with, -1 without, divided by the number of other combinations."""
    others = len(campaigns) / 2 ** len(chosen)
    return {
        arm: float(np.prod([1 if name in contained else -1 for name in chosen])) / others
        for arm, contained in campaigns.items()
    }
