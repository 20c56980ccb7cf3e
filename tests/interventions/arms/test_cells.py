"""Cells by hand, and CR2 against the matrix algebra of its definition."""

import numpy as np
import pandas as pd
import pytest

from retention_models.interventions.arms.cells import (
    arm_means,
    cell_of_clusters,
    cell_of_customers,
    cells_of_sums,
    overall_scatter,
    slopes,
)


def cell_from(values, arm="a", block=""):
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    deviations = values - values.mean(axis=0)
    return cell_of_customers(arm, block, len(values), values.mean(axis=0), deviations.T @ deviations)


def test_a_cell_by_hand():
    cell = cell_from([1, 2, 6])
    assert (cell.n, cell.mean[0], cell.df) == (3, 3.0, 2.0)
    assert cell.covariance[0, 0] == pytest.approx((4 + 1 + 9) / 2 / 3)


def test_clusters_of_one_are_single_customers():
    values = np.random.default_rng(1).normal(size=(40, 2))
    single, clustered = cell_from(values), cell_of_clusters("a", "", np.ones(40), values)
    np.testing.assert_allclose(clustered.mean, single.mean)
    np.testing.assert_allclose(clustered.covariance, single.covariance)
    assert clustered.df == pytest.approx(single.df)


def test_clusters_of_one_size_are_their_means():
    """With equal sizes CR2 is the variance of the cluster means over their number, with clusters - 1 df."""
    sums = np.random.default_rng(2).normal(size=(12, 1)) * 7
    cell = cell_of_clusters("a", "", np.full(12, 7.0), sums)
    assert cell.covariance[0, 0] == pytest.approx(np.var(sums / 7, ddof=1) / 12)
    assert cell.df == pytest.approx(11)


def test_cr2_is_its_definition_in_matrices():
    """Bell & McCaffrey (2002): V = sum of M X_c' A_c e_c e_c' A_c X_c M, A_c = (I - H_cc)^(-1/2)."""
    rng = np.random.default_rng(3)
    sizes = np.array([1, 2, 5, 9, 3])
    cluster = np.repeat(np.arange(5), sizes)
    y = rng.normal(size=20) + rng.normal(size=5)[cluster]
    ones = np.ones((20, 1))
    hat = ones @ ones.T / 20
    residual = y - y.mean()
    variance, shaped = 0.0, []
    for c in range(5):
        mine = cluster == c
        values, vectors = np.linalg.eigh(np.eye(mine.sum()) - hat[np.ix_(mine, mine)])
        root = vectors / np.sqrt(values) @ vectors.T
        variance += (ones[mine].T @ root @ residual[mine])[0] ** 2 / 20**2
        shaped.append(((np.eye(20) - hat)[mine].T @ root @ ones[mine])[:, 0] / 20)
    gram = np.array(shaped) @ np.array(shaped).T
    cell = cell_of_clusters("a", "", sizes.astype(float), np.bincount(cluster, weights=y)[:, None])
    assert cell.covariance[0, 0] == pytest.approx(variance, rel=1e-12)
    assert cell.df == pytest.approx(np.trace(gram) ** 2 / np.sum(gram**2), rel=1e-12)


def test_blocks_weigh_by_their_customers():
    cells = [cell_from([1, 3], "a", "x"), cell_from([10, 12], "a", "y"), cell_from([0, 0, 1, 1], "b", "x"),
             cell_from([0, 2], "b", "y")]  # fmt: skip
    means = arm_means(cells, "a")
    assert means.mean[0] == pytest.approx(0.6 * 2 + 0.4 * 11)
    variances, df = means.variances(np.ones(1))
    np.testing.assert_allclose(variances, [0.36, 0.16])
    np.testing.assert_allclose(df, [1, 1])


def test_overall_scatter_is_that_of_all_customers_together():
    values = np.random.default_rng(4).normal(size=(30, 3)) + 5
    cells = [cell_from(values[:12], "a"), cell_from(values[12:], "b")]
    deviations = values - values.mean(axis=0)
    np.testing.assert_allclose(overall_scatter(cells), deviations.T @ deviations)


def test_slopes_are_least_squares_whatever_the_units():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(50, 2)) * [1e-6, 1e7]
    y = x @ [2e6, 3e-7] + rng.normal(size=50)
    data = np.column_stack([y, x])
    deviations = data - data.mean(axis=0)
    expected = np.linalg.lstsq(deviations[:, 1:] * [1e6, 1e-7], deviations[:, 0], rcond=None)[0] * [1e6, 1e-7]
    np.testing.assert_allclose(slopes(deviations.T @ deviations, np.eye(3)[0], [1, 2]), expected)


def test_covariates_that_say_nothing_new_do_no_harm():
    rng = np.random.default_rng(6)
    x = rng.normal(size=50)
    data = np.column_stack([2 * x, x, x, np.full(50, 3.0)])
    deviations = data - data.mean(axis=0)
    found = slopes(deviations.T @ deviations, np.eye(4)[0], [1, 2, 3])
    np.testing.assert_allclose(found, [1, 1, 0], atol=1e-9)


def test_an_arm_of_one_is_refused():
    with pytest.raises(ValueError, match="arm 'a' of block 'x' holds 1 customer: with fewer than 2"):
        cell_from([1], "a", "x")
    with pytest.raises(ValueError, match="arm 'a' holds 1 cluster"):
        cell_of_clusters("a", "", np.array([5.0]), np.array([[1.0]]))


def test_impossible_squares_are_refused():
    table = pd.DataFrame({"arm": ["a"], "block": [""], "n": [10], "v0": [50.0], "p0_0": [50.0]})
    with pytest.raises(ValueError, match="sums of squares of arm 'a' are smaller"):
        cells_of_sums(table, 1, np.zeros(1))


def test_a_cluster_in_two_arms_is_refused():
    table = pd.DataFrame({"arm": list("aabb"), "block": "", "cluster": list("xyxz"), "n": 2, "v0": 1.0})
    with pytest.raises(ValueError, match=r"1 of 3 clusters \(first: x\) appear in more than one arm or block"):
        cells_of_sums(table, 1, np.zeros(1))
