import numpy as np
import pandas as pd

from retention_models.rounding import significant


def test_three_digits_remain_and_whole_parts_are_kept():
    shown = significant(pd.DataFrame({"a": [0.00123456, -12.3456, 98765.4, 0.0]}))
    assert shown["a"].tolist() == [0.00123, -12.3, 98765.0, 0.0]


def test_a_column_without_fractions_is_whole_and_others_are_left_alone():
    frame = pd.DataFrame({"a": [1.0001, 2.0], "n": [1, 2], "when": pd.to_datetime(["2024-01-01"] * 2), "t": ["x", "y"]})
    shown = significant(frame)
    assert shown["a"].tolist() == [1, 2]
    assert shown["a"].dtype == int
    pd.testing.assert_frame_equal(shown[["n", "when", "t"]], frame[["n", "when", "t"]])


def test_missing_and_infinite_values_are_shown_as_they_are():
    shown = significant(pd.DataFrame({"a": [np.nan, np.inf, 1.23456]}))["a"]
    assert np.isnan(shown[0])
    assert shown[1:].tolist() == [np.inf, 1.23]


def test_rounding_again_changes_nothing():
    frame = pd.DataFrame({"a": np.random.default_rng(1).lognormal(0, 5, 500)})
    once = significant(frame)
    pd.testing.assert_frame_equal(significant(once), once)
