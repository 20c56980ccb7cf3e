"""The cells of a test of customers with contracts: a survival curve each, and the influence of customers on it.

A quantity of a Kaplan-Meier curve, S(t) or a restricted mean, is a mean of pseudo-values: theta + n psi_i, where psi_i
is the influence of customer i. So it joins the means of the measured columns, and everything that holds for means of
arms (clusters, blocks, costs) holds for it, too. With d_u lost of n_u at risk at tenure u, and h_u = d_u / n_u,

    psi_i = - sum over u at which i is at risk of A(u) (dN_i(u) - h_u) / (n_u - d_u),

where dN_i(u) is 1 if i leaves at u, and A(u) is the sensitivity of the quantity, its derivative in log(1 - h_u). The
psi_i add up to 0, and their squares to Greenwood's variance, the sum of A(u)^2 d_u / (n_u (n_u - d_u)). Where all leave
(n_u = d_u), S and so A are 0 from there.

Reid (1981), Annals of Statistics 9, 78-92, for the influence; Andersen, Klein & Rosthoj (2003), Biometrika 90, 15-27,
for pseudo-values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.interventions.arms.cells import Cell, cell_of_clusters
from retention_models.survival.curves import Curve, kaplan_meier

RETAINED, TIME = "still a customer", "time as a customer"  # the outcomes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CurveEstimate(Presentation):
    """A quantity of a survival curve.

    Attributes
    ----------
    estimate
        Its value.
    sensitivity
        Its derivative in log(1 - h_u) at each tenure of the curve, shape (m,); 0 after the horizon.
    """

    estimate: float
    sensitivity: Array


def survival_at(curve: Curve, horizon: float) -> CurveEstimate:
    """The share of customers retained at a horizon: A(u) = S(horizon) for every u up to the horizon."""
    share = float(curve.survival_function(horizon))
    return CurveEstimate(share, np.where(curve.tenure <= horizon, share, 0.0))


def restricted_mean(curve: Curve, horizon: float, rate: float) -> CurveEstimate:
    """The (discounted) mean time up to a horizon: A(u) is the area under the curve from u to the horizon."""
    edges = np.append(np.minimum(curve.tenure, horizon), horizon)
    discounted = edges if rate == 0 else -np.expm1(-rate * edges) / rate
    area = curve.survival * np.diff(discounted)
    return CurveEstimate(curve.restricted_mean(horizon, rate=rate).estimate, np.cumsum(area[::-1])[::-1])


def observed_at(curve: Curve, horizon: float) -> tuple[float, float]:
    """Numbers of customers who left up to a horizon, and who were seen to be there after it."""
    lost = float(curve.lost[curve.tenure <= horizon].sum())
    return lost, float(curve.number_at_risk(horizon)) - float(curve.lost[curve.tenure == horizon].sum())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContractCell(Presentation):
    """The customers of one arm in one block, grouped by tenure, churn and cluster.

    Attributes
    ----------
    arm, block
        Names of the arm and the block; the block is empty without blocks.
    curve
        The Kaplan-Meier curve since the assignment.
    tenure, churned, n
        Tenure, churn (1 or 0) and number of customers of each group, shape (groups,).
    sums
        Sums of the k further columns in each group, shape (groups, k).
    products
        Sums of products of the further columns over all customers, shape (k, k). Not used with clusters.
    cluster
        Number of the cluster of each group, 0 to G - 1, shape (groups,); None if customers were assigned.
    """

    arm: str
    block: str
    curve: Curve
    tenure: Array
    churned: Array
    n: Array
    sums: Array
    products: Array
    cluster: NDArray[np.intp] | None

    @property
    def is_clustered(self) -> bool:
        """Whether clusters were assigned."""
        return self.cluster is not None

    @property
    def units(self) -> int:
        """Number of units that were assigned independently: customers or clusters."""
        return int(self.n.sum()) if self.cluster is None else int(self.cluster.max()) + 1

    def influence(self, quantity: CurveEstimate) -> Array:
        """The influence psi of one customer of each group on a quantity of the curve, shape (groups,)."""
        kept = self.curve.at_risk - self.curve.lost
        loss = np.divide(quantity.sensitivity, kept, out=np.zeros_like(kept), where=kept > 0)
        expected = np.cumsum(loss * self.curve.lost / self.curve.at_risk)
        place = np.searchsorted(self.curve.tenure, self.tenure)
        return np.asarray(expected[place] - self.churned * loss[place])

    def means(self, *quantities: CurveEstimate) -> Cell:
        """Quantities of the curve and the means of the further columns, with their joint covariance.

        Clusters have the covariance and degrees of freedom of ``cell_of_clusters``. Without clusters the variance of
        a quantity is Greenwood's, and of a mean s^2 / n with divisor n.
        """
        estimates = np.array([quantity.estimate for quantity in quantities])
        influence = np.column_stack([self.influence(quantity) * self.n.sum() for quantity in quantities])
        if self.cluster is None:
            return self._of_customers(estimates, influence)
        values = self.n[:, None] * (estimates + influence)
        columns = [self.n, *values.T, *self.sums.T]
        sizes, *totals = (np.bincount(self.cluster, weights=column).astype(float) for column in columns)
        return cell_of_clusters(self.arm, self.block, sizes, np.column_stack(totals))

    def _of_customers(self, estimates: Array, influence: Array) -> Cell:
        n, q = float(self.n.sum()), len(estimates)
        mean = self.sums.sum(axis=0) / n
        scatter = np.zeros((q + len(mean), q + len(mean)))
        scatter[:q, :q] = influence.T @ (self.n[:, None] * influence)
        scatter[:q, q:] = influence.T @ (self.sums - self.n[:, None] * mean)
        scatter[q:, :q] = scatter[:q, q:].T
        scatter[q:, q:] = _scatter(self.products, mean, n)
        return Cell(
            self.arm, self.block, int(n), self.units, np.append(estimates, mean), scatter / n**2, max(n - 1, 1.0)
        )


def _scatter(products: Array, mean: Array, n: float) -> Array:
    """Sums of products about the mean; exactly 0 where only rounding error remains, as for a constant column."""
    scatter = products - n * np.outer(mean, mean)
    return np.where(np.abs(scatter) > max(n, 16.0) * np.finfo(float).eps * products, scatter, 0.0)


def cells_of_groups(table: pd.DataFrame, k: int) -> tuple[ContractCell, ...]:
    """One cell for each arm in each block, in alphabetical order.

    ``table`` has one row a group with ``arm, block, tenure, churned, n``, sums ``v0..`` of the k further columns, and
    sums of products ``p0_0, p0_1..``. If clusters were assigned, it has ``cluster``, and groups lie within one.
    """
    return tuple(
        _cell(str(arm), str(block), part.sort_values(["tenure", "churned"]), k)
        for (arm, block), part in table.groupby(["arm", "block"])
    )


def _cell(arm: str, block: str, part: pd.DataFrame, k: int) -> ContractCell:
    tenure, churned, n = (part[name].to_numpy(dtype=float) for name in ("tenure", "churned", "n"))
    sums = part[[f"v{i}" for i in range(k)]].to_numpy(dtype=float)
    cluster = pd.factorize(part["cluster"])[0] if "cluster" in part else None
    products = np.zeros((k, k))
    if cluster is None:
        pairs = [[f"p{min(i, j)}_{max(i, j)}" for j in range(k)] for i in range(k)]
        products = np.array([[part[name].sum() for name in row] for row in pairs], dtype=float).reshape(k, k)
    return ContractCell(
        arm, block, kaplan_meier(tenure, churned, weight=n), tenure, churned, n, sums, products, cluster
    )
