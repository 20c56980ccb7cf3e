"""The log-rank test: whether groups of customers have the same survival curve.

Mantel (1966), Cancer Chemotherapy Reports 50, 163-170; Peto & Peto (1972), Journal of the Royal Statistical Society
A 135, 185-207. Of the n at risk at a tenure, d leave. If all groups are alike, a group with n_g at risk loses d n_g/n,
with a hypergeometric variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, chi_squared_statement, p_statement
from retention_models.survival.curves import Curve


@dataclass(frozen=True, eq=False, repr=False)
class LogRank(Presentation):
    """The result of a log-rank test.

    Attributes
    ----------
    statistic
        Chi-squared with ``degrees`` degrees of freedom if the curves are equal.
    degrees
        Degrees of freedom, as a rule the number of groups less 1.
    p_value
        P-value of the test of equal curves.
    table
        Indexed by group: customers ``lost``, and the number ``expected`` if all groups leave alike.
    """

    statistic: float
    degrees: int
    p_value: float
    table: pd.DataFrame

    def _parts(self) -> Sequence[Part]:
        verdict = "do not leave alike" if self.p_value < 0.05 else "are not seen to leave differently"
        test = f"{chi_squared_statement(self.statistic, self.degrees)}, {p_statement(self.p_value)}"
        return [f"The groups {verdict} (log-rank test: {test})."]


def log_rank(curves: Mapping[str, Curve]) -> LogRank:
    """The log-rank test of equal survival curves.

    Parameters
    ----------
    curves
        Two or more Kaplan-Meier curves by group, from ``kaplan_meier`` or ``fitting.survival_curves``.

    Returns
    -------
    LogRank
        Statistic, degrees of freedom, p-value, and losses by group.

    Raises
    ------
    TypeError
        When a curve is not a survival curve, for example a curve by cause.
    ValueError
        When there are fewer than two groups, or no tenure at which someone left while two groups were at risk.

    Notes
    -----
    Mantel (1966), Cancer Chemotherapy Reports 50, 163-170.

    Examples
    --------
    >>> import retention_models as rm
    >>> monthly = rm.kaplan_meier([1, 1, 2, 2, 3, 5], [1, 1, 1, 1, 1, 0])
    >>> annual = rm.kaplan_meier([2, 4, 4, 5, 5, 5], [1, 1, 0, 0, 0, 0])
    >>> test = log_rank({"monthly": monthly, "annual": annual})
    >>> round(test.statistic, 3), round(test.p_value, 3)
    (4.06, 0.044)
    """
    for label, curve in curves.items():
        if not isinstance(curve, Curve):
            raise TypeError(
                f"the log-rank test compares curves of kaplan_meier or survival_curves; {label!r} is of type "
                f"{type(curve).__name__}"
            )
    if len(curves) < 2:
        raise ValueError(f"a comparison needs at least two groups; there is {len(curves)}")
    when = np.unique(np.concatenate([curve.tenure[curve.lost > 0] for curve in curves.values()]))
    at_risk = np.stack([curve.number_at_risk(when) for curve in curves.values()])
    lost = np.stack([_lost_at(curve, when) for curve in curves.values()])
    n, d = at_risk.sum(axis=0), lost.sum(axis=0)
    share = at_risk / n
    expected = share @ d
    chance = np.divide(d * (n - d), n - 1, out=np.zeros_like(n), where=n > 1)
    variance = np.diag(share @ chance) - (share * chance) @ share.T
    excess = lost.sum(axis=1) - expected
    degrees = int(np.linalg.matrix_rank(variance, tol=1e-10 * max(float(np.trace(variance)), 1e-300)))
    if degrees == 0:
        raise ValueError(
            "the groups were never at risk at the same tenure while someone left: the groups cannot be compared"
        )
    statistic = float(excess @ np.linalg.pinv(variance, rcond=1e-10, hermitian=True) @ excess)
    table = pd.DataFrame({"lost": lost.sum(axis=1), "expected": expected}, index=pd.Index(curves, name="group"))
    return LogRank(statistic, degrees, float(chdtrc(degrees, statistic)), table)


def _lost_at(curve: Curve, when: Array) -> Array:
    """Customers a curve lost at each of some tenures that include its own."""
    lost = np.zeros(len(when))
    left = curve.lost > 0
    lost[np.searchsorted(when, curve.tenure[left])] = curve.lost[left]
    return lost
