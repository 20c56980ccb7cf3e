"""How much each unit moves the averages of group-time effects, and their covariance from sums over cohorts.

An average l is sum over cells (j, t) of omega_ljt effect_jt. With h_jt the weights of the controls' regression and
beta_jt its coefficients, a unit i of weight w and covariates z moves the effect of a cell by
w (change - z' beta_jt - effect_jt) / W_j if it belongs to cohort j, and by -w z' h_jt (change - z' beta_jt) if it is a
control (Callaway & Sant'Anna 2021, eq. 4.4). In an average, the weight of its cohort moves as well. All of it is linear
in z y and z z', so that of each cohort only the sums of products are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retention_models.core.arrays import Array
from retention_models.interventions.designs.group_time import GroupTime


def covariance(group_time: GroupTime, *, by_leaving_out: bool) -> Array:
    """The covariance of all averages, shape (L, L): by leaving out each unit, or by the influence of each.

    An average that is not known without some unit has no variance: NaN.
    """
    n = len(group_time.first)
    if by_leaving_out:
        replicates = group_time.left_out()
        apart = replicates - replicates.mean(axis=0)
        return np.asarray((n - 1) / n * apart.T @ apart)
    found = n / (n - 1) * Influence.of(group_time).products(group_time)
    unknown = np.isnan(group_time.estimates.stacked())
    found[unknown] = np.nan
    found[:, unknown] = np.nan
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Influence:
    """Coefficients of the influence of a unit on L averages: on its w z y', and on its w z z'.

    Attributes
    ----------
    on_outcomes, on_design
        Of each cohort, shapes (K, T, q, L) and (K, q, q, L).
    """

    on_outcomes: Array
    on_design: Array

    @classmethod
    def of(cls, group_time: GroupTime) -> Influence:
        """The coefficients at the estimates."""
        effects = group_time.effects(*group_time.sums)
        omega, by_weight = _weights_of_cells(group_time, effects)
        known = np.isfinite(effects)
        effects = np.where(known, effects, 0.0)
        h, beta = _regressions(group_time)
        h, beta = (np.where(known[..., None], each, 0.0) for each in (h, beta))
        averages, cohorts, periods = len(omega), len(group_time.starts), group_time.periods
        q = h.shape[-1]
        outcomes, design = np.zeros((cohorts, periods, q, averages)), np.zeros((cohorts, q, q, averages))
        size = group_time.cohort_weights
        for j, (k, base) in enumerate(zip(group_time.treated, group_time.bases, strict=True)):
            own = omega[:, j]  # (L, T)
            outcomes[k, :, 0] += own.T / size[j]
            outcomes[k, base, 0] -= own.sum(axis=1) / size[j]
            design[k, 0] -= (own @ beta[j]).T / size[j]
            design[k, 0, 0] += by_weight[:, j] - own @ effects[j] / size[j]
            for c in np.flatnonzero(group_time.controls[j].any(axis=1)):
                serving = np.flatnonzero(group_time.controls[j, c])
                weight = own[:, serving, None] * h[j, serving]  # (L, S, q)
                outcomes[c, serving] -= weight.transpose(1, 2, 0)
                outcomes[c, base] += weight.sum(axis=1).T
                design[c] += np.tensordot(h[j, serving, :, None] * beta[j, serving, None, :], own[:, serving], (0, 1))
        return cls(outcomes, design)

    def of_units(self, group_time: GroupTime) -> Array:
        """The influence of each unit, shape (N, L)."""
        found = np.empty((len(group_time.first), self.on_outcomes.shape[-1]))
        for k in range(len(group_time.starts)):
            units = group_time.cohort == k
            features, coefficients = self._of_cohort(group_time, k)
            found[units] = features @ coefficients
        return found

    def products(self, group_time: GroupTime) -> Array:
        """The sum over units of the products of their influences, shape (L, L)."""
        found = np.zeros(2 * (self.on_outcomes.shape[-1],))
        for k in range(len(group_time.starts)):
            features, coefficients = self._of_cohort(group_time, k)
            if len(features) > features.shape[1]:
                found += coefficients.T @ (features.T @ features) @ coefficients
            else:
                own = features @ coefficients
                found += own.T @ own
        return found

    def _of_cohort(self, group_time: GroupTime, k: int) -> tuple[Array, Array]:
        """W z (y - mean)' and w z z' of the units of a cohort, shape (n, T q + q q), and their coefficients."""
        units = group_time.cohort == k
        z, weight = group_time.design[units], group_time.weights[units]
        values = group_time.values[units]
        mean = weight @ values / weight.sum() if len(values) else np.zeros(values.shape[1])
        outer = z[:, :, None] * z[:, None, :]
        apart = (values - mean)[:, :, None] * z[:, None, :]
        features = np.hstack([apart.reshape(len(z), -1), outer.reshape(len(z), -1)]) * weight[:, None]
        design = self.on_design[k].copy()
        design[0] += np.tensordot(mean, self.on_outcomes[k], (0, 0))
        averages = design.shape[-1]
        return features, np.vstack([self.on_outcomes[k].reshape(-1, averages), design.reshape(-1, averages)])


def _weights_of_cells(group_time: GroupTime, effects: Array) -> tuple[Array, Array]:
    """Omega, the weight of each cell in each average, (L, J, T), and how the weight of a cohort moves it, (L, J)."""
    cohorts, periods = effects.shape
    starts, size = group_time.starts[group_time.treated], group_time.cohort_weights
    known = np.isfinite(effects)
    post = known & (np.arange(periods) >= starts[:, None])
    row, column = np.nonzero(known)
    since = np.zeros((2 * periods - 1, cohorts, periods))
    since[column - starts[row] + periods - 1, row, column] = 1.0
    calendar = np.zeros((periods, cohorts, periods))
    calendar[np.arange(periods), :, np.arange(periods)] = post.T
    group = np.zeros((cohorts, cohorts, periods))
    group[np.arange(cohorts), np.arange(cohorts)] = post
    member = np.concatenate([post[None], group, since, calendar]).astype(np.float64)
    total = (member * size[:, None]).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        omega = np.nan_to_num(member * size[:, None] / total[:, None, None], posinf=0.0)
        filled = np.where(known, effects, 0.0)
        mean = (omega * filled).sum(axis=(1, 2))
        by_weight = (member * filled).sum(axis=2) - mean[:, None] * member.sum(axis=2)
        by_weight = np.nan_to_num(by_weight / total[:, None], posinf=0.0, neginf=0.0)
    return omega, by_weight


def _regressions(group_time: GroupTime) -> tuple[Array, Array]:
    """Weights h and coefficients beta of the controls' regression in each cell, each of shape (J, T, q)."""
    total, gram = group_time.sums
    shape = (len(group_time.treated), group_time.periods, gram.shape[-1])
    h, beta = np.zeros(shape), np.zeros(shape)
    for j, (k, base) in enumerate(zip(group_time.treated, group_time.bases, strict=True)):
        for members, periods in group_time.patterns(j):
            h[j, periods] = group_time.regression(gram, members, gram[k, 0] / gram[k, 0, 0])
            change = (total[:, periods] - total[:, base, None])[members].sum(axis=0)  # (S, q)
            own = gram[members].sum(axis=0)
            beta[j, periods] = change @ np.linalg.pinv(own, hermitian=True)
    return h, beta
