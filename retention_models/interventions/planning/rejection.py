"""The probability that a test finds an effect: of counts, of a log-rank statistic, and of a t statistic."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtr, gammaln, nctdtr, ndtr, ndtri, stdtrit, xlog1py, xlogy

from retention_models.interventions.effects.laws import Newcombe

NODES = 60  # of the integrals over the time of a test
LARGEST_RATIO = 1e4  # of hazards, beyond which all treated customers leave at once
FARTHEST = 50.0  # standard deviations, beyond which a chance is 0 or 1
WIDE = 8.0  # standard deviations of a count that are looked at


def power_of_counts(
    rates: tuple[float, float], sizes: tuple[int, int], level: float, margin: float | None = None
) -> float:
    """The probability that the interval of a difference of shares excludes 0, or a loss of the margin, over all counts.

    The interval is Welch's, or Newcombe's where an arm's share does not vary in either arm, as in ``differences``.
    """
    counts, chances, means, variances = [], [], [], []
    for rate, n in zip(rates, sizes, strict=True):
        reach = WIDE * math.sqrt(n * rate * (1 - rate)) + WIDE
        count = np.arange(max(0, math.floor(n * rate - reach)), min(n, math.ceil(n * rate + reach)) + 1)
        counts.append(count)
        ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
        chances.append(np.exp(ways + xlogy(count, rate) + xlog1py(n - count, -rate)))
        means.append(count / n)
        variances.append(count / n * (1 - count / n) / (n - 1))
    parts = variances[0][:, None], variances[1][None, :]
    total = parts[0] + parts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (parts[0] ** 2 / (sizes[0] - 1) + parts[1] ** 2 / (sizes[1] - 1))
        half = stdtrit(df, (1 + level) / 2) * np.sqrt(total)
    difference = means[1][None, :] - means[0][:, None]
    found = np.abs(difference) > half if margin is None else difference - half > -margin
    for i, j in np.argwhere(total == 0):
        lower, upper = Newcombe((means[1][j], sizes[1]), (means[0][i], sizes[0])).interval(level)
        found[i, j] = not lower <= 0 <= upper if margin is None else lower > -margin
    return float(chances[0] @ found @ chances[1])


def log_rank_moments(churned: float, effect: float, share: float) -> tuple[float, float]:
    """Mean of the log-rank z for one customer (it grows with the root of n), and its standard deviation.

    With x the cumulative hazard in the control, S = exp(-x) and S^h the arms' survival curves, p the treated share
    of those at risk, and dN the events: mean = E[events treated - p dN] / sqrt(V), V the integral of p (1 - p) dN.
    The variance is the integral of w (1 - w) dN divided by V, w the treated share of the events.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    end = -math.log1p(-churned)
    place, ratio = (nodes + 1) / 2, min(effect, LARGEST_RATIO)
    x, step = end * place**4, 2 * end * place**3 * weights  # dense where a large hazard ends
    control, treated = (1 - share) * np.exp(-x), share * np.exp(-ratio * x)
    events = control + ratio * treated
    at_risk, lost = treated / (control + treated), ratio * treated / events
    missing, null, actual = (
        float(step @ (events * each)) for each in (at_risk - lost, at_risk * (1 - at_risk), lost * (1 - lost))
    )
    return missing / math.sqrt(null), math.sqrt(actual / null)


def power_of_log_rank(mean: float, spread: float, df: float, level: float) -> float:
    """The probability that a log-rank z with this mean and standard deviation exceeds one of the bounds."""
    bound = float(ndtri((1 + level) / 2) if math.isinf(df) else stdtrit(df, (1 + level) / 2))
    beyond = (min(max((side - bound) / spread, -FARTHEST), FARTHEST) for side in (mean, -mean))
    return sum(exceedance(bound + distance, df, level, both=False) for distance in beyond)


def exceedance(noncentrality: float, df: float, level: float, *, both: bool = True) -> float:
    """The probability that a t (or normal) statistic with this noncentrality exceeds the bounds, or the upper one."""
    if math.isinf(df):
        bound = float(ndtri((1 + level) / 2))
        return float(ndtr(noncentrality - bound) + both * ndtr(-noncentrality - bound))
    bound = float(stdtrit(df, (1 + level) / 2))
    found = float(1 - nctdtr(df, noncentrality, bound) + both * nctdtr(df, noncentrality, -bound))
    if math.isnan(found):  # so large a noncentrality hardly varies; only the standard deviation does
        ratio = noncentrality / bound
        return float(chdtr(df, df * ratio * ratio))
    return found
