"""The means of each arm of an experiment, with their covariance.

A *cell* is one arm within one block. Differences, ratios, lifts, adjustments and values need only its means of the
measured columns, their covariance and its degrees of freedom. If clusters (households, stores, teams) were assigned,
the covariance comes from the cluster totals. It is the CR2 estimator of Bell & McCaffrey (2002), which has a closed
form for means of arms. If every customer is a cluster of one, it is the usual s^2/n with n - 1 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cell(Presentation):
    """The customers of one arm in one block.

    Attributes
    ----------
    arm, block
        Names of the arm and the block; the block is empty without blocks.
    n
        Number of customers.
    units
        Number of units that were assigned independently: customers or clusters.
    mean
        Means of the k measured columns, shape (k,).
    covariance
        Covariance matrix of the means, shape (k, k).
    df
        Degrees of freedom of each variance.
    """

    arm: str
    block: str
    n: int
    units: int
    mean: Array
    covariance: Array
    df: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ArmMeans(Presentation):
    """The means of one arm over all blocks: ``mean = sum of share x cell mean``; cells are independent.

    Attributes
    ----------
    shares
        Weight of each cell, shape (cells,).
    cells
        The cells of the arm.
    """

    shares: Array
    cells: tuple[Cell, ...]

    @property
    def mean(self) -> Array:
        """Mean of each measured column if all customers were in this arm; shape (k,)."""
        return np.asarray(sum(share * cell.mean for share, cell in zip(self.shares, self.cells, strict=True)))

    def variances(self, gradient: Array) -> tuple[Array, Array]:
        """Contribution of each cell to the variance of ``gradient @ mean``, and its degrees of freedom."""
        each = [gradient @ cell.covariance @ gradient for cell in self.cells]
        return self.shares**2 * np.maximum(each, 0.0), np.array([cell.df for cell in self.cells])


def cell_of_customers(arm: str, block: str, n: int, mean: Array, scatter: Array) -> Cell:
    """A cell of customers who were assigned one by one.

    ``scatter`` is the sum over customers of (y - mean)(y - mean)'. The variance of a mean is scatter / n(n - 1).
    """
    _require_two_units(n, "customer", arm, block)
    return Cell(arm, block, n, n, mean, scatter / (n * (n - 1.0)), n - 1.0)


def cell_of_clusters(arm: str, block: str, sizes: Array, sums: Array) -> Cell:
    """A cell of clusters that were assigned: ``sizes`` (G,) customers and ``sums`` (G, k) of the columns in each.

    With N customers in the cell and u_c = sum_c - size_c mean the residual total of a cluster, CR2 gives V = sum of u_c
    u_c' / (1 - size_c / N) / N^2. Degrees of freedom follow Bell & McCaffrey, for independent customers: N^2 / (sum of
    size_c^2 + ((sum w_c)^2 - sum w_c^2) / N^2), w_c = size_c^2 / (1 - size_c / N).
    """
    _require_two_units(len(sizes), "cluster", arm, block)
    total = float(sizes.sum())
    mean = sums.sum(axis=0) / total
    residual = sums - sizes[:, None] * mean
    residual[:, np.abs(residual).max(axis=0) <= _rounding_error(total) * np.abs(sums).max(axis=0)] = 0.0
    inflation = 1 / (1 - sizes / total)
    covariance = (residual * inflation[:, None]).T @ residual / total**2
    w = sizes**2 * inflation
    df = total**2 / (np.sum(sizes**2) + (w.sum() ** 2 - np.sum(w**2)) / total**2)
    return Cell(arm, block, int(total), len(sizes), mean, covariance, float(df))


def _require_two_units(units: int, unit: str, arm: str, block: str) -> None:
    if units < 2:
        where = f"arm {arm!r}" + (f" of block {block!r}" if block else "")
        raise ValueError(
            f"{where} holds {units} {unit}{'' if units == 1 else 's'}: with fewer than 2 the spread cannot be "
            f"estimated; " + ("merge blocks, or leave the arm out" if block else "leave the arm out")
        )


def cells_of_sums(table: pd.DataFrame, k: int, centre: Array) -> tuple[Cell, ...]:
    """Cells from sums of deviations from ``centre``, shape (k,).

    ``table`` has one row a cell with ``arm, block, n, v0..`` (sums) and ``p0_0, p0_1..`` (sums of products). With a
    column ``cluster`` it has one row a cluster and needs no products.
    """
    if "cluster" in table:
        _check_nested(table)
    cells = []
    for (arm, block), part in table.groupby(["arm", "block"], sort=False):
        sums = part[[f"v{i}" for i in range(k)]].to_numpy(dtype=float)
        if "cluster" in part:
            cell = cell_of_clusters(str(arm), str(block), part["n"].to_numpy(dtype=float), sums)
        else:
            n = int(part["n"].iloc[0])
            mean = sums[0] / n
            scatter = _scatter(part.iloc[0], n, mean)
            cell = cell_of_customers(str(arm), str(block), n, mean, scatter)
        cells.append(replace(cell, mean=_add_centre(cell.mean, centre)))
    return tuple(cells)


def _add_centre(mean: Array, centre: Array) -> Array:
    """Means of deviations from a centre as plain means; rounding error near 0 becomes 0."""
    means = mean + centre
    return np.where(np.abs(means) < 1e-11 * np.abs(centre), 0.0, means)  # sums of 10,000 rows were seen off by 1e-13


def _scatter(row: pd.Series, n: int, mean: Array) -> Array:
    """Sums of squares and products about the mean, from raw ones; exactly 0 for a column without spread."""
    k = len(mean)
    products = np.array([[float(row[f"p{min(i, j)}_{max(i, j)}"]) for j in range(k)] for i in range(k)])
    scatter = products - n * np.outer(mean, mean)
    squares = np.abs(np.diag(products))
    if np.any(np.diag(scatter) < -1e-9 * squares):
        raise ValueError(
            f"the sums of squares of arm {row['arm']!r} are smaller than its sums allow; the column must be the sum "
            "of the squares"
        )
    constant = np.diag(scatter) <= _rounding_error(n) * squares
    return np.where(constant | constant[:, None], 0.0, scatter)


def _rounding_error(n: float) -> float:
    """The share of a sum of n numbers that may be rounding error, in any order of addition."""
    return max(float(n), 16.0) * float(np.finfo(float).eps)


def _check_nested(table: pd.DataFrame) -> None:
    """Raise a ValueError unless every cluster lies in one arm and one block."""
    repeated = table["cluster"].duplicated(keep=False)
    if repeated.any():
        names = table.loc[repeated, "cluster"].unique()
        raise ValueError(
            f"{len(names):,} of {table['cluster'].nunique():,} clusters (first: {names[0]}) appear in more than one "
            f"arm "
            "or block; a cluster is assigned as a whole. If stores switch one after the other, see "
            "interventions.stepped_wedge"
        )


def arm_means(cells: Sequence[Cell], arm: str) -> ArmMeans:
    """The means of one arm, blocks weighted by their share of all customers (post-stratification)."""
    mine = tuple(cell for cell in cells if cell.arm == arm)
    total = sum(cell.n for cell in cells)
    in_block = [sum(cell.n for cell in cells if cell.block == own.block) for own in mine]
    return ArmMeans(np.array(in_block) / total, mine)


def overall_mean(cells: Sequence[Cell]) -> Array:
    """Means over the customers of all arms; shape (k,)."""
    return np.average([cell.mean for cell in cells], axis=0, weights=[cell.n for cell in cells])


def overall_scatter(cells: Sequence[Cell]) -> Array:
    """Sums of squares and products over the units of all arms about the block means; shape (k, k).

    For customers assigned one by one it equals the scatter of all customers together.
    """
    scatter = np.zeros_like(cells[0].covariance)
    for block in sorted({cell.block for cell in cells}):
        here = [cell for cell in cells if cell.block == block]
        centre = overall_mean(here)
        for cell in here:
            gap = cell.mean - centre
            scatter += cell.n**2 / cell.units * ((cell.units - 1) * cell.covariance + np.outer(gap, gap))
    return scatter


def slopes(scatter: Array, y: Array, covariates: Sequence[int]) -> Array:
    """Least-squares slopes of the combination ``y`` (k,) of columns on the covariates, from sums of products.

    A covariate without variance has the slope 0. Identical covariates share one slope.
    """
    x = list(covariates)
    correlation, scale = _correlation(scatter[np.ix_(x, x)])
    return np.linalg.lstsq(correlation, scatter[x] @ y / scale, rcond=1e-12)[0] / scale


def pseudo_inverse(scatter: Array) -> Array:
    """The inverse of sums of products, shape (k, k); 0 where a column has no spread, shared where columns repeat."""
    correlation, scale = _correlation(scatter)
    return np.asarray(np.linalg.pinv(correlation, rcond=1e-12, hermitian=True) / np.outer(scale, scale))


def _correlation(scatter: Array) -> tuple[Array, Array]:
    """Sums of products in units of each column's spread, and that spread; 1 where there is none."""
    scale = np.sqrt(np.diag(scatter))
    scale = np.where(scale > 0, scale, 1.0)
    return scatter / np.outer(scale, scale), scale
