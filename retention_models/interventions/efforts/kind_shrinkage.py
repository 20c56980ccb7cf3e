"""Effects of efforts of one kind, shrunk towards their mean: the best of several looks better than it is.

Effects are compared per treated customer, in units of the cost of a contact, so that a cheap effort and a dear one can
share a mean; money at full scale would mix the effect with the reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from retention_models.core.arrays import Array
from retention_models.interventions.effects.multiplicity import FEWEST, Prior, shrink, shrunken_draws

PRIOR: Prior = "half-Cauchy"  # efforts are few, and a flat prior would shrink them too little
FEWEST_OF_KIND = 5  # rows of a kind that are shrunk by themselves
ALL_KINDS, NONE = "all kinds", "not shrunk"


def shrink_by_kind(estimates: Array, std_errors: Array, kinds: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """The shrunken effects: ``shrunk, shrunk_lower, shrunk_upper`` and ``pool``, the rows whose mean they are near.

    A kind with at least 5 rows is a pool of its own; the rows of other kinds are shrunk towards the mean of all. Fewer
    than 4 rows in all cannot tell how much effects differ: they stay as they are, and ``pool`` says so. So does a row
    whose standard error is 0 or infinite.
    """
    z = -float(ndtri((1 - level) / 2))
    table = pd.DataFrame(
        {
            "pool": NONE,
            "shrunk": estimates,
            "shrunk_lower": estimates - z * std_errors,
            "shrunk_upper": estimates + z * std_errors,
        }
    )
    for pool, members, rows in _pools(kinds, std_errors):
        found = shrink(estimates[rows], std_errors[rows], level, prior=PRIOR)
        for name, values in (("shrunk", found.estimate), ("shrunk_lower", found.lower), ("shrunk_upper", found.upper)):
            table.loc[members, name] = values[np.isin(rows, members)]
        table.loc[members, "pool"] = pool
    return table


def draw_by_kind(
    estimates: Array, std_errors: Array, kinds: Sequence[str], draws: int, rng: np.random.Generator
) -> tuple[Array, dict[str, Array]]:
    """Draws of the true effects as ``shrink_by_kind`` sees them, shape (draws, m), and of one more effect by its pool.

    Pools are kinds with enough rows, and all kinds together; there is none with too few rows.
    """
    found = estimates + std_errors * rng.standard_normal((draws, len(estimates)))
    unmeasured = {}
    for pool, members, rows in _pools(kinds, std_errors):
        drawn = shrunken_draws(estimates[rows], std_errors[rows], draws, rng, prior=PRIOR)
        found[:, members] = drawn[:, :-1][:, np.isin(rows, members)]
        unmeasured[pool] = drawn[:, -1]
    return found, unmeasured


def _pools(kinds: Sequence[str], std_errors: Array) -> Iterator[tuple[str, NDArray[np.intp], NDArray[np.intp]]]:
    """Each pool: its name, the rows that are shrunk in it, and all rows that it learns from."""
    usable = np.flatnonzero((std_errors > 0) & np.isfinite(std_errors))
    if len(usable) < FEWEST:
        return
    kind = np.asarray(kinds, dtype=str)[usable]
    names, count = np.unique(kind, return_counts=True)
    large = names[count >= FEWEST_OF_KIND]
    for name in large:
        own = usable[kind == name]
        yield str(name), own, own
    yield ALL_KINDS, usable[~np.isin(kind, large)], usable
