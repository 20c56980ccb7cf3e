"""The payments to come under a survival curve: what they are worth on average, and how much chance is in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.fitting.result import Fit
from retention_models.value.external_models import check_seen
from retention_models.value.terms import ContractTerms

Moment = Literal["before_renewal", "after_payment"]


@dataclass(frozen=True, eq=False)
class PaymentStream:
    """The payments to come of customers who share a survival curve (one row), or have one each.

    ``survival`` is S at the start and at each renewal, shape (rows, renewals + 1).
    """

    survival: Array
    terms: ContractTerms
    moment: Moment

    def __post_init__(self) -> None:
        if self.moment not in get_args(Moment):
            raise ValueError(f"moment must be 'before_renewal' or 'after_payment', not {self.moment!r}")

    @cached_property
    def paid(self) -> Array:
        """The margin at the start and at each renewal, discounted to the start."""
        return self.terms.paid(self.survival.shape[1] - 1)

    def mean(self, tenure: NDArray[np.int64]) -> Array:
        """Expected discounted payments after ``tenure`` renewals."""
        return self._to_come(self.survival * self.paid, tenure) / self._now(tenure)

    def variance(self, tenure: NDArray[np.int64]) -> Array:
        """Variance of the discounted payments, from the chance of who leaves when."""
        before = np.cumsum(self.paid) - self.paid
        squares = self._to_come(self.survival * self.paid * (2 * before + self.paid), tenure)
        squares = squares - 2 * before[tenure + 1] * self._to_come(self.survival * self.paid, tenure)
        return np.maximum(squares / (self._now(tenure) * self._discounted(tenure)) - self.mean(tenure) ** 2, 0.0)

    def _to_come(self, worth: Array, tenure: NDArray[np.int64]) -> Array:
        """The sum of ``worth`` over the renewals after ``tenure``, as many as count."""
        rest = np.cumsum(worth[:, ::-1], axis=1)[:, ::-1]
        rest = np.pad(rest, ((0, 0), (0, 1)))
        row = np.arange(len(tenure)) if len(rest) > 1 else 0
        return rest[row, tenure + 1] - rest[row, np.minimum(tenure + 1 + self.terms.renewals, rest.shape[1] - 1)]

    def _now(self, tenure: NDArray[np.int64]) -> Array:
        """What stands for one payment now by one customer still there: S and the discount, as seen from the start."""
        row = np.arange(len(tenure)) if len(self.survival) > 1 else 0
        still = self.survival[row, tenure]
        return np.where(still > 0, still, 1.0) * self._discounted(tenure)

    def _discounted(self, tenure: NDArray[np.int64]) -> Array:
        """What one payment at the moment the customer is met is worth at the start."""
        return self.terms.discount ** np.asarray(
            tenure + (1 if self.moment == "before_renewal" else 0), dtype=np.float64
        )


def finite_horizon(terms: ContractTerms) -> int:
    """How many renewals ahead are counted, for a curve that does not go on for ever."""
    if np.isinf(terms.horizon):
        raise ValueError("a curve without a model ends where its data end: give the terms a horizon")
    return terms.renewals


def survival_of(model: Any, last: int, terms: ContractTerms) -> Array:
    """S at the start and at each renewal that counts for a customer who has made up to ``last``; one row."""
    curve = model.model if isinstance(model, Fit) else model
    if isinstance(curve, type) or not hasattr(curve, "survival_function"):
        name = curve.__name__ if isinstance(curve, type) else type(curve).__name__
        raise TypeError(
            "a fit, a model of contracts with its parameters, or an object with survival_function(tenure) is needed; "
            f"got {name}{'; contract_value takes it' if hasattr(curve, 'predict_survival_function') else ''}"
        )
    end = last + (finite_horizon(terms) if hasattr(curve, "at_risk") else terms.renewals)
    if hasattr(curve, "at_risk") and curve.survival[-1] > 0:
        check_seen(float(curve.tenure[-1]), end)
    return np.asarray(curve.survival_function(np.arange(end + 1)), dtype=float)[None, :]
