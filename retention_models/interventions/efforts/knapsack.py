"""Which efforts a budget pays for: the multiple-choice knapsack problem, solved exactly."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from retention_models.core.arrays import Array

EXACT: Any = {"mip_rel_gap": 0.0}


@dataclass(frozen=True, eq=False)
class Knapsack:
    """Efforts under a budget; each array has one value a row, shape (m,).

    ``cost`` and ``fixed_cost`` are those of a row at full reach. Of rows with the same ``effort``, at most one is taken
    in all. A row that is not ``whole`` may be taken in part, at the full fixed cost. Further limits are
    ``coefficients @ shares <= bounds``.
    """

    cost: Array
    fixed_cost: Array
    effort: NDArray[np.int64]
    whole: NDArray[np.bool_]
    budget: float
    coefficients: Array
    bounds: Array

    def solve(self, gain: Array, allowed: NDArray[np.bool_]) -> Array:
        """The shares of allowed rows, from 0 to 1, that gain most, by the gain at full reach before fixed costs.

        Variables are the shares, and for rows taken in part with a fixed cost whether they are taken at all.
        """
        constraints, whole = self._solver
        net = gain - np.where(self._opened, 0.0, self.fixed_cost)
        objective = np.concatenate([-net, self.fixed_cost[self._opened]])
        most = np.concatenate([allowed, np.ones(len(objective) - len(gain))]).astype(float)
        bounds = Bounds(0, most)
        with _without_output():
            found = milp(objective, integrality=whole, bounds=bounds, constraints=constraints, options=EXACT)
        if found.x is None:
            raise ValueError(
                "no allocation meets all limits, not even one that spends nothing; raise the bounds below 0"
            )
        shares = np.asarray(found.x[: len(self.cost)], dtype=float)
        return np.where(self.whole, np.round(shares), np.clip(shares, 0, 1))

    @cached_property
    def _opened(self) -> NDArray[np.bool_]:
        """Rows that may be taken in part and have a fixed cost."""
        return ~self.whole & (self.fixed_cost > 0)

    @cached_property
    def _solver(self) -> tuple[list[LinearConstraint], NDArray[np.int64]]:
        """The constraints, and which variables are whole."""
        rows, opened = len(self.cost), np.flatnonzero(self._opened)
        size = rows + len(opened)
        spent = np.concatenate([self.cost + np.where(self._opened, 0.0, self.fixed_cost), self.fixed_cost[opened]])
        groups = np.unique(self.effort, return_inverse=True)[1]
        one_each = csr_array((np.ones(rows), (groups, np.arange(rows))), (groups.max() + 1, size))
        limits = np.hstack([self.coefficients, np.zeros((len(self.bounds), len(opened)))])
        found = [LinearConstraint(spent[None, :], ub=self.budget), LinearConstraint(one_each, ub=1)]
        if len(limits):
            found.append(LinearConstraint(limits, ub=self.bounds))
        if len(opened):
            place = np.arange(len(opened))
            only_if = np.zeros((len(opened), size))
            only_if[place, opened], only_if[place, rows + place] = 1, -1
            found.append(LinearConstraint(only_if, ub=0))
        return found, np.concatenate([self.whole.astype(np.int64), np.ones(len(opened), dtype=np.int64)])


@contextlib.contextmanager
def _without_output() -> Iterator[None]:
    """Drop the debugging line that HiGHS prints past all options; notebooks would show it to their readers."""
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)


def limit_rows(
    names: Sequence[str], exclusive: Sequence[Sequence[str]], limits: dict[str, tuple[dict[str, float], float]]
) -> tuple[Array, Array]:
    """The coefficients and bounds of efforts that exclude each other, and of further limits, by the names of rows."""
    rows = [(dict.fromkeys(group, 1.0), 1.0) for group in exclusive] + list(limits.values())
    coefficients = np.zeros((len(rows), len(names)))
    for place, (weights, _) in enumerate(rows):
        coefficients[place] = [weights.get(name, 0.0) for name in names]
    return coefficients, np.array([bound for _, bound in rows], dtype=float)
