"""Rules that histories of customers and numbers of contracts keep: the same for tables and for methods of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from retention_models.core.arrays import Array

Rule = tuple[tuple[str, ...], Callable[..., NDArray[np.bool_]], str, str]


RULES: tuple[Rule, ...] = (
    (("weight",), lambda weight: weight < 0, "is negative", "a weight counts the customers who share a history"),
    (("frequency",), lambda x: x < 0, "is negative", "it counts repeat purchases, 0 for a single purchase"),
    (("frequency",), lambda x: x != np.floor(x), "is not a whole number", "it counts repeat purchases"),
    (
        ("monetary_value",),
        lambda m: m < 0,
        "is negative",
        "it is the mean amount of the repeat purchases; see refunds in summarize",
    ),
    (("recency",), lambda t: t < 0, "is negative", "it is the age at the last purchase, 0 for a single purchase"),
    (("T",), lambda T: T < 0, "is negative", "was observation_end before the first purchase?"),
    (("recency", "T"), lambda t, T: t > T, "exceeds T", "was observation_end before the last purchase?"),
    (
        ("recency", "frequency"),
        lambda t, x: (t > 0) & (x == 0),
        "is above 0 without a repeat purchase",
        "recency is the age at the last purchase, not the time since then",
    ),
    (
        ("recency", "frequency"),
        lambda t, x: (t == 0) & (x > 0),
        "is 0 in spite of repeat purchases",
        "purchases at the same time count as one; see granularity in summarize",
    ),
    (
        ("log_gaps", "frequency"),
        lambda gaps, x: (gaps != 0) & (x == 0),
        "is not 0 without a repeat purchase",
        "it is the sum of the logarithms of the gaps between purchases",
    ),
    (
        ("log_gaps", "frequency", "recency"),
        lambda gaps, x, t: (
            gaps > x * np.log(t / np.maximum(x, 1), where=x * t > 0, out=np.zeros_like(t)) + 1e-6 * (x + 1)
        ),
        "is more than gaps that add up to recency can have",
        "it must be in the time unit of recency; summarize makes both",
    ),
    (("tenure",), lambda t: t < 0, "is negative", "it is the time since the start of the contract"),
    (("tenure", "at_risk"), lambda t, n: t < 1, "is below 1", "it numbers the renewals, 1 for the first"),
    (("tenure", "at_risk"), lambda t, n: t != np.floor(t), "is not a whole number", "it numbers the renewals"),
    (("churned",), lambda c: (c != 0) & (c != 1), "is neither True nor False", "it says whether the customer left"),
    (("entry",), lambda e: e < 0, "is negative", "it is 0 for customers observed from the start"),
    (
        ("tenure", "entry"),
        lambda t, e: (t <= e) & (e > 0),
        "does not exceed entry",
        "such customers were never observed: leave them out",
    ),
    (("at_risk",), lambda n: n < 0, "is negative", "it counts the customers who came to the renewal"),
    (("lost",), lambda d: d < 0, "is negative", "it counts the customers who did not renew"),
    (("lost", "at_risk"), lambda d, n: d > n, "exceeds at_risk", "those lost are counted among those at risk"),
)

OPPORTUNITY_RULES: tuple[Rule, ...] = (
    (("recency",), lambda t: t != np.floor(t), "is not a whole number of opportunities", ""),
    (("T",), lambda T: np.floor(T) != T, "is not a whole number of opportunities", ""),
    (("frequency", "recency"), lambda x, t: x > t, "exceeds recency, the number of the last one taken,", ""),
)
COLUMNS = {name for names, *_ in RULES for name in names}


def breaks_a_rule(columns: Mapping[str, Array], *, opportunities: bool = False) -> NDArray[np.bool_]:
    """Which rows have a number that is missing or infinite, or break a rule; in the broadcast shape of the columns."""
    broken = np.zeros(np.broadcast_shapes(*(np.shape(column) for column in columns.values())), dtype=bool)
    with np.errstate(invalid="ignore"):
        for column in columns.values():
            broken |= ~np.isfinite(column)
        for names, breaks, *_ in RULES + OPPORTUNITY_RULES * opportunities:
            if all(name in columns for name in names):
                broken |= breaks(*(columns[name] for name in names))
    return broken
