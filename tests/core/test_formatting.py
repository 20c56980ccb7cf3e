import numpy as np
import pandas as pd
import pytest

from retention_models.core.formatting import format_together, three_digits, with_intervals


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00123456, "0.00123"),
        (-12.3456, "-12.3"),
        (98765.4, "98,765"),
        (99.96, "100"),
        (999.6, "1,000"),
        (0.99951, "1.00"),
        (0.0, "0"),
        (-1.934e-9, "-1.93e-09"),
        (-0.0, "0"),
        (np.inf, "inf"),
        (np.nan, "nan"),
    ],
)
def test_three_digits_remain_and_whole_parts_are_kept(value, shown):
    assert three_digits(value) == shown


def test_tables_show_each_number_with_its_own_digits():
    frame = pd.DataFrame({"share": [0.0587, 1.0], "n": [1, 23570]})
    with pd.option_context("display.float_format", three_digits):
        assert frame.to_string().split() == ["share", "n", "0", "0.0587", "1", "1", "1.00", "23570"]


def test_no_number_is_off_by_more_than_half_a_percent():
    for value in np.random.default_rng(1).lognormal(0, 5, 500):
        assert float(three_digits(value).replace(",", "")) == pytest.approx(value, rel=0.005)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.99961, 0.3), ("1.00", "0.30")),
        ((-0.0001, 4.2), ("0.00", "4.20")),
        ((1e-9, 2e-9), ("1e-09", "2e-09")),
        ((0.0, 0.0), ("0", "0")),
        ((1665.5, 15.0, np.inf), ("1,666", "15", "inf")),
    ],
)
def test_numbers_side_by_side_have_as_many_decimals_and_nothing_has_no_sign(values, shown):
    assert format_together(*values) == shown


def test_an_interval_is_one_column_named_by_what_it_is_of():
    frame = pd.DataFrame({"actual": [5], "count_lower": [1], "count_upper": [1900], "value": [2.0]})
    frame = frame.assign(value_lower=1.0, value_upper=3.0, x_lower=0.5)
    shown = with_intervals(frame, level=0.9)
    assert shown.columns.tolist() == ["actual", "count, 90 %", "value", "90 %", "x_lower"]
    assert shown.iloc[0].tolist() == [5, "1 … 1,900", 2.0, "1.00 … 3.00", 0.5]


def test_a_frame_without_intervals_is_shown_as_it_is():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.Index(["p", "q"], name="k"))
    pd.testing.assert_frame_equal(with_intervals(frame), frame)


def test_ranges_with_levels_of_their_own_keep_these():
    frame = pd.DataFrame({"value": [5.0], "planning_lower_80": [4.0], "planning_upper_80": [6.0]})
    shown = with_intervals(frame.assign(planning_lower_95=[3.0], planning_upper_95=[7.0]), level=0.9)
    assert shown.columns.tolist() == ["value", "planning, 80 %", "planning, 95 %"]
    assert shown["planning, 95 %"].tolist() == ["3.00 … 7.00"]


def test_large_whole_numbers_of_a_table_are_written_as_in_the_text():
    shown = with_intervals(pd.DataFrame({"customers": [4118, 6], "years": [2, 1], "arm": ["none", "mail"]}))
    assert shown["customers"].tolist() == ["4,118", "6"]
    assert shown["years"].tolist() == [2, 1]
    missing = with_intervals(pd.DataFrame({"customers": pd.array([4118, None], dtype="Int64")}))
    assert missing["customers"].tolist() == ["4,118", "-"]
