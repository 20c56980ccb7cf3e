"""From the means of arms to a number with an interval: measures, the delta method, contrasts.

A *measure* turns an arm's means into one number and says how it moves with them: a mean, a ratio of sums, either of
them adjusted for covariates, or money. Variance follows by the delta method, degrees of freedom by Satterthwaite's
formula over the cells, which for two arms of single customers is Welch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.interventions.arms.cells import ArmMeans

MeasureOf = Callable[[Array], tuple[float, Array]]  # an arm's means to a number and its gradient in them


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One number an arm: a mean, or with ``per`` a ratio of sums, less slopes x (covariate means - centre).

    ``y``, ``per`` and ``covariates`` number the measured columns. CUPED (Deng, Xu, Kohavi & Walker 2013) with fixed
    slopes; centre is the covariates' mean over all arms.
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

    def by_centre(self, mean: Array) -> Array:
        """How the measure moves with the overall means of the columns, shape (k,): by the slopes of the covariates."""
        moves = np.zeros(len(mean))
        if self.slopes is not None:
            moves[list(self.covariates)] = self.slopes
        return moves


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A measure of one arm: its value, and each cell's variance and degrees of freedom, of shape (cells,)."""

    value: float
    variances: Array
    df: Array


@dataclass(frozen=True, slots=True, repr=False)
class Estimate(Presentation):
    """A number, its standard error and degrees of freedom."""

    estimate: float
    std_error: float
    df: float

    def quantile(self, level: float) -> float:
        """How many standard errors the interval of this level reaches to each side."""
        upper = (1 + level) / 2
        return float(stdtrit(self.df, upper)) if np.isfinite(self.df) else float(ndtri(upper))

    def interval(self, level: float) -> tuple[float, float]:
        """The ends of the interval of this level."""
        reach = self.quantile(level) * self.std_error
        return self.estimate - reach, self.estimate + reach


def read(arm: ArmMeans, measure: MeasureOf) -> Reading:
    """A measure read off an arm's means."""
    value, gradient = measure(arm.mean)
    return Reading(value, *arm.variances(gradient))


def combination(*terms: tuple[float, MeasureOf]) -> MeasureOf:
    """The sum of measures times factors, a measure again."""

    def measure(mean: Array) -> tuple[float, Array]:
        found = [(factor, *part(mean)) for factor, part in terms]
        value = sum(factor * value for factor, value, _ in found)
        return value, np.asarray(sum(factor * gradient for factor, _, gradient in found))

    return measure


def contrast(readings: Mapping[str, Reading], weights: Mapping[str, float]) -> Estimate:
    """Weighted sum of independent arms' readings: ``{"mail": 1, "control": -1}`` is a difference.

    df = V^2 / sum of (v_cell^2 / df_cell), V the sum of the cells' v.
    """
    estimate = sum(weight * readings[arm].value for arm, weight in weights.items())
    pieces = np.concatenate([weight**2 * readings[arm].variances for arm, weight in weights.items()])
    df = np.concatenate([readings[arm].df for arm in weights])
    return _estimate(float(estimate), pieces, df)


def log_contrast(arms: Mapping[str, ArmMeans], measure: Measure, weights: Mapping[str, float]) -> Estimate:
    """The contrast of a measure's logarithms, where ``arms`` holds all arms, those without a weight too.

    An adjusted measure moves with the covariates' overall mean by its slopes. In a difference that cancels; in
    logarithms sum of weight / value of it is left, so every cell counts with its share of all customers.
    """
    found = {arm: measure(means.mean) for arm, means in arms.items()}
    total = sum(cell.n for means in arms.values() for cell in means.cells)
    left = sum(weight / found[arm][0] for arm, weight in weights.items())
    pieces, df = [], []
    for arm, means in arms.items():
        value, gradient = found[arm]
        for share, cell in zip(means.shares, means.cells, strict=True):
            moves = weights.get(arm, 0.0) * share / value * gradient + left * cell.n / total * measure.by_centre(
                cell.mean
            )
            pieces.append(float(moves @ cell.covariance @ moves))
            df.append(cell.df)
    estimate = sum(weight * math.log(found[arm][0]) for arm, weight in weights.items())
    return _estimate(float(estimate), np.maximum(pieces, 0.0), np.array(df))


def _estimate(estimate: float, pieces: Array, df: Array) -> Estimate:
    """An estimate from the variance that each cell brings to it, and Satterthwaite's degrees of freedom."""
    variance = float(pieces.sum())
    freedom = variance**2 / float(np.sum(pieces**2 / df)) if variance > 0 else float(df.sum())
    return Estimate(estimate, float(np.sqrt(variance)), freedom)


def contrast_of(arms: Mapping[str, ArmMeans], measure: MeasureOf, weights: Mapping[str, float]) -> Estimate:
    """The contrast of one measure over the arms."""
    return contrast({arm: read(arms[arm], measure) for arm in weights}, weights)


def difference(arm: str, baseline: str) -> dict[str, float]:
    """The weights of one arm against another."""
    return {arm: 1.0, baseline: -1.0}


def factorial_contrasts(campaigns: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """The weights of main effects and of interactions of two, where every combination of campaigns was an arm.

    Parameters
    ----------
    campaigns
        For each arm the campaigns its customers were assigned to: ``{"none": [], "mail": ["mail"], "coupon":
        ["coupon"], "both": ["mail", "coupon"]}``.

    Returns
    -------
    dict
        Contrast name to weights: for ``mail`` the effect of the mail averaged over the other campaigns equally; for
        ``mail x coupon`` how much more the mail does to customers who have the coupon too.

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
