"""Launches from a log of contacts: first days, units switched off, and who decided."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.designs.roll_out_launches import Launches

MONDAY = pd.Timestamp("2025-01-06")
NAMES = {"panel_unit": "store", "outcome": "orders"}
STATED = {"customer_id": None, "kind": None, "panel_unit": "store", "until": "until", "assignment": "who"}


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(1)
    panel = pd.DataFrame([(f"s{s}", t) for s in range(20) for t in range(16)], columns=["store", "week"])
    panel["orders"] = rng.poisson(100, len(panel))
    return panel.assign(period=MONDAY + pd.to_timedelta(7 * panel["week"], unit="D"))


@pytest.fixture
def rows():
    """Twelve stores launch in week 6 or 9, by rule."""
    week = np.repeat([6, 9], 6)
    launched = MONDAY + pd.to_timedelta(7 * week + 2, unit="D")
    return pd.DataFrame({"store": [f"s{s}" for s in range(12)], "date": launched, "until": pd.NaT, "who": "rule"})


def of(rows, **stated):
    return rm.read_contacts(rows, **STATED | stated)


@pytest.mark.parametrize("engine", [lambda f: f, pl.from_pandas])
def test_contacts_are_launches(panel, rows, engine):
    frame = rows.rename(columns={"date": "first_treated"})[["store", "first_treated"]]
    plain = rm.difference_in_differences(panel, frame, assigned_by="rule", **NAMES)
    found = rm.difference_in_differences(panel, of(engine(rows)), other_launches=of(engine(rows)), **NAMES)
    pd.testing.assert_frame_equal(plain.overall(), found.overall())
    assert found.assigned_by == "rule"
    check = next(check for check in found.checks if check.name == "Order of launches")
    assert (check.passed, check.detail) == (True, "Assigned by rule for 12 units.")
    assert found.checks[-1].passed is False  # the same launches coincide


def test_the_weakest_word_counts_and_is_shown(panel, rows):
    rows.loc[:1, "who"] = ["choice", "random"]
    found = rm.difference_in_differences(panel, of(rows), **NAMES)
    assert found.assigned_by == "choice"
    check = next(check for check in found.checks if check.name == "Order of launches")
    assert check.passed is False
    assert "choice for 1 unit, random for 1 unit, rule for 10 units. The weakest word" in check.detail
    assert not check.decides
    with pytest.raises(ValueError, match=r"assigned_by='random' is stated, but the weakest assignment .* is 'choice'"):
        rm.difference_in_differences(panel, of(rows), assigned_by="random", **NAMES)


def test_launches_at_random_make_the_design_randomised(panel, rows):
    found = rm.difference_in_differences(panel, of(rows.assign(who="random")), **NAMES)
    assert found.effect().design == "randomised"


def test_units_switched_off_are_left_out_and_counted(panel, rows):
    last = panel["period"].max()
    rows.loc[:2, "until"] = [last, last + pd.Timedelta(days=6), last + pd.Timedelta(days=99)]
    found = rm.difference_in_differences(panel, of(rows), **NAMES)
    assert dict(found.panel.left_out) == {"switched off before the panel ends": 1}
    assert "s0" not in found.panel.units
    everywhere = of(rows.assign(until=rows["date"] + pd.Timedelta(days=14)))
    message = "no unit of the panel was treated: .*; 12 units switched off before the panel ends"
    with pytest.raises(ValueError, match=message):
        rm.difference_in_differences(panel, everywhere, **NAMES)


def test_a_unit_that_goes_on_without_a_gap_is_not_switched_off(rows):
    begins = rows["date"].iloc[0]
    again = rows.head(2).assign(date=begins + pd.Timedelta(days=15))
    rows.loc[:1, "until"] = [begins + pd.Timedelta(days=14), begins + pd.Timedelta(days=7)]
    found = Launches.of(of(pd.concat([rows, again])), "store", "first_treated")
    assert len(found.first) == 12
    assert found.first["first_treated"].iloc[0] == begins
    assert found.until["s0"] == pd.Timestamp("2262-01-01")
    assert found.until["s1"] == begins.normalize() + pd.Timedelta(days=7)


def test_launches_that_say_too_little_are_refused(panel, rows):
    named = rows.assign(kind=["club", "training"] * 6, customer_id=range(12))
    with pytest.raises(ValueError, match=r"contacts of 2 kinds .*club.* keep the rows of one kind"):
        rm.difference_in_differences(panel, of(named, kind="kind"), assigned_by="rule", **NAMES)
    with pytest.raises(ValueError, match=r"the launches name no unit: read them with read_contacts\(..., panel_unit="):
        rm.difference_in_differences(panel, rm.read_contacts(named), assigned_by="rule", **NAMES)
    with pytest.raises(TypeError, match="state who decided"):
        rm.difference_in_differences(panel, of(rows, assignment=None), **NAMES)
    with pytest.raises(ValueError, match="1 launched units are not in the panel"):
        rm.difference_in_differences(panel, of(rows.assign(store=rows["store"].replace("s3", "x"))), **NAMES)
