"""How numbers are written on pages."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.core.formatting import amount_text
from retention_models.narrative.formats import range_of_amounts


def test_shares_become_percent_with_their_intervals_in_place():
    frame = pd.DataFrame(
        {"n": [3, 4], "share": [0.25, np.nan], "share_lower": [0.1, np.nan], "share_upper": [0.4, 0.9], "last": [1, 2]}
    )
    shown = rm.narrative.shares_as_percent(frame, "share", "absent", level=0.9)
    assert shown.columns.tolist() == ["n", "share", "90 %", "last"]
    assert shown["share"].tolist() == ["25.0 %", "-"]
    assert shown["90 %"].tolist() == ["10.0 … 40.0 %", "-"]
    assert frame["share"].iloc[0] == 0.25


def test_whole_numbers_have_separators_as_in_the_text():
    frame = pd.DataFrame({"customers": [1161], "lost_lower": [1000], "lost_upper": [2000]})
    assert rm.narrative.shares_as_percent(frame).iloc[0].tolist() == ["1,161", "1,000 … 2,000"]


def test_shares_next_to_nothing_are_not_written_with_exponents():
    shown = rm.narrative.shares_as_percent(pd.DataFrame({"share": [7e-10, -7e-10, 0.0, 1.0]}), "share")
    assert shown["share"].tolist() == ["< 0.01 %", "> -0.01 %", "0 %", "100 %"]


@pytest.mark.parametrize(
    ("value", "text"), [(13.4, "13.40"), (-13.44, "-13.40"), (0.5, "0.50"), (99.96, "100"), (0.015, "0.0150"), (0, "0")]
)
def test_money_below_a_hundred_has_cents(value, text):
    assert amount_text(value) == text


def test_a_range_has_its_unit_once():
    money = rm.Terms(price=1.0, billing_period="M", currency="EUR")
    assert range_of_amounts(money, 464_000, 611_000) == "EUR 464,000 to 611,000"
    counted = rm.Terms(horizon=26, time_unit="W")
    assert range_of_amounts(counted, 664, 939) == "664 to 939 purchases"
