"""Several causes of leaving: the Aalen-Johansen curves, one a cause.

Price, service and death compete for the same customers: a customer who left for one cause cannot leave for another.
1 - Kaplan-Meier of a single cause treats the other losses as censored, so it is too high. The share that leaves for
cause k by tenure t is the sum over t_i <= t of S(t_i-1) d_k(t_i)/n(t_i). These shares and survival add up to 1.

Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150; variance by the delta method for grouped
times as in Marubini & Valsecchi (1995), Analysing Survival Data from Clinical Trials, section 10.3. Ties are counted,
never broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retention_models.core.arrays import Array
from retention_models.core.formatting import Part, Presentation, with_intervals
from retention_models.survival.at_risk import count_losses, require_increasing, require_length
from retention_models.survival.curves import Curve, log_log_interval


@dataclass(frozen=True, eq=False, repr=False)
class CauseCurves(Presentation):
    """Cumulative incidence by cause: what ``aalen_johansen`` returns.

    Attributes
    ----------
    causes
        Names of the causes.
    tenure, at_risk
        As in ``Curve``; shape (m,).
    lost
        Customers who left at each tenure for each cause; shape (m, causes).
    start
        Tenure at which the curves start, the earliest entry.
    """

    causes: tuple[str, ...]
    tenure: Array
    at_risk: Array
    lost: Array
    start: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lost", np.asarray(self.lost, dtype=float))
        if self.lost.shape != (np.size(self.tenure), len(self.causes)) or np.any(self.lost < 0):
            raise ValueError("lost must hold a number of 0 or more for each tenure and cause")
        for name in ("tenure", "at_risk"):
            object.__setattr__(self, name, getattr(self.overall, name))

    def _parts(self) -> Sequence[Part]:
        headline = (
            f"Shares that left by cause: up to {float(self.at_risk.max()):,.0f} customers at risk, "
            f"{float(self.lost.sum()):,.0f} of them left."
        )
        return [headline, with_intervals(self.table(at=self.tenure[-1:]).drop(columns="std_error"))]

    @cached_property
    def overall(self) -> Curve:
        """The Kaplan-Meier curve of leaving for any cause."""
        return Curve(self.tenure, self.at_risk, self.lost.sum(axis=1), self.start)

    @cached_property
    def incidence(self) -> Array:
        """The share that left for each cause up to and including each tenure; shape (m, causes)."""
        return np.cumsum(self._still_there * self._hazard, axis=0)

    @cached_property
    def std_error(self) -> Array:
        """Standard errors of ``incidence``; shape (m, causes)."""
        curve, share = self.overall, self.incidence
        kept = curve.at_risk - curve.lost
        all_left = np.divide(curve.lost, curve.at_risk * kept, out=np.zeros_like(kept), where=kept > 0)[:, None]
        per_customer = self._still_there * self._per_at_risk(self._hazard)
        own = self._still_there * (1 - self._hazard) * per_customer

        def total(terms: Array) -> Array:
            return np.cumsum(terms, axis=0)

        variance = (
            share**2 * total(all_left)
            - 2 * share * total(share * all_left + per_customer)
            + total(share**2 * all_left + 2 * share * per_customer + own)
        )
        return np.sqrt(np.maximum(variance, 0.0))

    def cumulative_incidence(self, tenure: ArrayLike) -> Array:
        """Share of customers who left for each cause by each tenure.

        Parameters
        ----------
        tenure
            Tenures, any shape, in the unit of the curves.

        Returns
        -------
        numpy.ndarray
            Shape (..., causes); a step function, flat after the last observed tenure.
        """
        return self._read(self.incidence, tenure)

    def table(self, level: float = 0.95, at: ArrayLike | None = None) -> pd.DataFrame:
        """The curves as a frame.

        Parameters
        ----------
        level
            Confidence level of the intervals, between 0 and 1.
        at
            Tenures of the rows, finite and increasing; by default those of the curves, with their start first.

        Returns
        -------
        pandas.DataFrame
            One row a cause and tenure: ``cause, tenure, at_risk, incidence, std_error, incidence_lower,
            incidence_upper``. The intervals use the log-log scale.
        """
        lower, upper = log_log_interval(self.incidence, self.std_error, level)
        when = self.overall.steps if at is None else require_increasing(at)
        columns = {
            "incidence": self.incidence,
            "std_error": self.std_error,
            "incidence_lower": lower,
            "incidence_upper": upper,
        }
        return pd.DataFrame(
            {
                "cause": np.repeat(self.causes, len(when)),
                "tenure": np.tile(when, len(self.causes)),
                "at_risk": np.tile(self.overall.number_at_risk(when), len(self.causes)),
                **{name: self._read(steps, when).T.ravel() for name, steps in columns.items()},
            }
        )

    @property
    def _still_there(self) -> Array:
        """S just before each tenure, as a column."""
        return np.append(1.0, self.overall.survival[:-1])[:, None]

    @property
    def _hazard(self) -> Array:
        """d_k/n; shape (m, causes)."""
        return self._per_at_risk(self.lost)

    def _per_at_risk(self, numbers: Array) -> Array:
        at_risk = self.at_risk[:, None]
        return np.divide(numbers, at_risk, out=np.zeros_like(numbers), where=at_risk > 0)

    def _read(self, steps: Array, tenure: ArrayLike) -> Array:
        when = np.asarray(tenure, dtype=float)
        place = np.searchsorted(self.tenure, when, side="right")
        return np.where(np.isnan(when)[..., None], np.nan, np.vstack([np.zeros(len(self.causes)), steps])[place])


def aalen_johansen(
    tenure: ArrayLike, cause: ArrayLike, *, entry: ArrayLike | None = None, weight: ArrayLike | None = None
) -> CauseCurves:
    """Cumulative incidence curves by cause (competing risks), from customers, one row each.

    Parameters
    ----------
    tenure
        Time since the start of the contract at which the customer left or was last observed; shape (n,), in any unit.
    cause
        Why the customer left, shape (n,). For an active customer 0, False, None, a missing value or a blank text;
        ``kaplan_meier`` takes 0 and False alone, as a missing ``churned`` says nothing.
    entry
        Tenure at which observation of the customer began (left truncation), shape (n,). By default 0: observed from the
        start of the contract.
    weight
        Number of customers who share the row, shape (n,); by default 1.

    Returns
    -------
    CauseCurves
        One curve a cause, sorted by name. With survival, the curves add up to 1.

    Raises
    ------
    ValueError
        When shapes differ, a number is missing or negative, a customer was never at risk, or nobody has a cause.

    Notes
    -----
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150; variance by the delta method as in
    Marubini & Valsecchi (1995), Analysing Survival Data from Clinical Trials, section 10.3.

    Examples
    --------
    >>> import retention_models as rm
    >>> curves = rm.survival.aalen_johansen([1, 1, 2, 3, 4], ["price", "moved", "", "price", ""])
    >>> curves.table(at=[1, 3]).round(3)[["cause", "tenure", "at_risk", "incidence"]]
       cause  tenure  at_risk  incidence
    0  moved     1.0      5.0        0.2
    1  moved     3.0      2.0        0.2
    2  price     1.0      5.0        0.2
    3  price     3.0      2.0        0.5
    """
    reason = pd.Series(np.atleast_1d(np.asarray(cause, dtype=object)))
    require_length("cause", len(reason), np.size(tenure))
    reason = reason.mask(reason.isna() | reason.astype(str).str.strip().isin(["", "0", "0.0", "False"]))
    code, causes = pd.factorize(reason, sort=True)
    if len(causes) == 0:
        raise ValueError("no customer left for any cause, so there are no curves by cause")
    counts = count_losses(tenure, code + 1, causes=len(causes), entry=entry, weight=weight)
    names = tuple(str(name) for name in causes)
    return CauseCurves(names, counts.tenure, counts.at_risk, counts.lost, counts.start)
