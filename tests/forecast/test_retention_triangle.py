"""The retention triangle: what was seen of each cohort, and what is expected."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.fitting.estimate import fit
from retention_models.forecast.retention import retention_triangle
from retention_models.survival.sbg import ShiftedBetaGeometric

TABLE = pd.DataFrame(
    [("2021", 1, 1000, 369), ("2021", 2, 631, 163), ("2022", 1, 900, 340)],
    columns=["cohort", "tenure", "at_risk", "lost"],
)


@pytest.fixture(scope="module")
def fitted():
    return fit(ShiftedBetaGeometric, TABLE)


def of(rows):
    return pd.DataFrame(rows, columns=["cohort", "tenure", "at_risk", "lost"])


def test_any_engine_and_rows_that_share_a_cell_give_the_same_triangle(fitted):
    expected = retention_triangle(fitted, TABLE, renewals=2)
    pd.testing.assert_frame_equal(retention_triangle(fitted, pl.from_pandas(TABLE), renewals=2), expected)
    halves = pd.concat([TABLE.assign(at_risk=TABLE["at_risk"] - 10), TABLE.assign(at_risk=10, lost=0)])
    pd.testing.assert_frame_equal(retention_triangle(fitted, halves, renewals=2), expected)
    assert retention_triangle(fitted, TABLE.assign(weight=2), renewals=1)["customers"].max() == 2000


def test_a_cohort_that_is_all_gone_stays_gone(fitted):
    gone = retention_triangle(fitted, of([("a", 1, 10, 4), ("a", 2, 6, 6), ("a", 3, 0, 0)]), renewals=2)
    assert gone["share"].tolist() == [0.6, 0.0, 0.0, 0.0]
    assert gone["forecast"].tolist() == [False, False, True, True]


def test_a_renewal_at_which_nobody_was_observed_is_the_models(fitted):
    gap = retention_triangle(fitted, of([("a", 1, 10, 2), ("a", 3, 5, 1)]), renewals=1)
    assert gap["tenure"].tolist() == [1, 2, 3, 4]
    assert gap["forecast"].tolist() == [False, True, False, True]
    np.testing.assert_allclose(gap["share"].iloc[2], 0.8 * fitted.model.retention_rate(2) * 0.8)


def test_what_cannot_be_drawn_is_named(fitted):
    with pytest.raises(ValueError, match="'cohort' is not a column of the table"):
        retention_triangle(fitted, TABLE.drop(columns="cohort"), renewals=2)
    with pytest.raises(ValueError, match="renewals must be a whole number, 0 or more"):
        retention_triangle(fitted, TABLE, renewals=1.5)
    with pytest.raises(ValueError, match="at_risk is 0 in all rows of a cohort"):
        retention_triangle(fitted, pd.concat([TABLE, of([("a", 1, 0, 0)])]), renewals=1)
    with pytest.raises(TypeError, match=r"a fit of a model of contracts is needed.*got ShiftedBetaGeometric"):
        retention_triangle(ShiftedBetaGeometric, TABLE, renewals=1)
