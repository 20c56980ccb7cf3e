"""From customers to counts: at each tenure, how many were at risk of leaving and how many left, by cause.

The one place where rows, entry times and weights are turned into what every curve needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_models.core.arrays import Array


@dataclass(frozen=True, slots=True)
class Counts:
    """Every tenure at which someone entered or was last seen: ``at_risk`` just before it, ``lost`` at it.

    ``tenure`` and ``at_risk`` have shape (m,), ``lost`` (m, causes); ``start`` is the earliest entry.
    """

    tenure: Array
    at_risk: Array
    lost: Array
    start: float


def count_losses(
    tenure: ArrayLike, cause: ArrayLike, *, causes: int, entry: ArrayLike | None, weight: ArrayLike | None
) -> Counts:
    """Customers counted by tenure; ``cause`` is 0 for those still there when last seen, else 1 to ``causes``.

    A customer is at risk after ``entry`` up to and including ``tenure``; one observed from the start (entry 0) also
    at tenure 0. Counted from the end, so that the last numbers, on which the tail of a curve stands, are no
    differences of large ones.

    Raises
    ------
    ValueError
        When shapes differ, a number is missing or negative, or ``tenure`` does not exceed ``entry``.
    """
    end, code, start, share = _check_columns(tenure, cause, entry, weight)
    late = start > 0
    when, place = np.unique(np.concatenate([end, start[late]]), return_inverse=True)
    gone, came = place[: len(end)], place[len(end) :]
    size = len(when) * (causes + 1)
    ended = np.bincount(gone * (causes + 1) + code, weights=share, minlength=size).reshape(len(when), causes + 1)
    entered = np.bincount(came, weights=share[late], minlength=len(when))
    left = ended[:, 1:].astype(float)
    at_risk = np.cumsum((ended.sum(axis=1) - entered)[::-1])[::-1]
    return Counts(when, np.maximum(at_risk, left.sum(axis=1)), left, float(start.min()))


def _check_columns(
    tenure: ArrayLike, cause: ArrayLike, entry: ArrayLike | None, weight: ArrayLike | None
) -> tuple[Array, NDArray[np.int64], Array, Array]:
    """The four columns as arrays, each rule kept."""
    end, code = as_numbers("tenure", tenure), np.atleast_1d(np.asarray(cause, dtype=np.int64))
    start = np.zeros(len(end)) if entry is None else as_numbers("entry", entry)
    share = np.ones(len(end)) if weight is None else as_numbers("weight", weight)
    if end.size == 0 or not np.any(share):
        raise ValueError("there are no customers")
    for name, column in (("tenure", end), ("entry", start), ("weight", share)):
        require_length(name, column.size, end.size)
        require(np.isfinite(column) & (column >= 0), f"{name} is missing, infinite or negative")
    require((end > start) | (start == 0), "tenure does not exceed entry, so that the customer was never observed,")
    return end, code, start, share


def as_numbers(name: str, column: ArrayLike) -> Array:
    """A column as numbers, shape (n,); an error where it holds something else, such as "Yes" or a time span."""
    values = np.atleast_1d(np.asarray(column))
    if values.dtype.kind in "mM":
        raise ValueError(f"{name} holds dates or time spans; count days, months or renewals in numbers")
    try:
        return values.astype(float, copy=False)
    except (TypeError, ValueError):
        wanted = "True or False" if name == "churned" else "numbers"
        other = next(value for value in values.flat if not _is_number(value))
        raise ValueError(f"{name} must hold {wanted}, not such values as '{other}'") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def require_increasing(at: ArrayLike) -> Array:
    """The tenures as numbers, shape (m,), each above the last."""
    when = as_numbers("at", at)
    if not (np.all(np.isfinite(when)) and np.all(np.diff(when) > 0)):
        raise ValueError("the tenures asked for must be finite and strictly increasing")
    return when


def require_length(name: str, size: int, customers: int) -> None:
    """An error unless a column has a value for each customer."""
    if size != customers:
        raise ValueError(f"{name} has {size:,} values and tenure {customers:,}; each customer needs one value")


def require(good: NDArray[np.bool_], rule: str) -> None:
    """An error that counts the customers who break a rule."""
    bad = np.flatnonzero(~good)
    if len(bad):
        raise ValueError(f"{rule} for {len(bad):,} of {len(good):,} customers (first: row {bad[0]})")
