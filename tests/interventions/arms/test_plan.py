"""A plan refuses what no test can have, and is read back as it was written, whatever kind of number it was given."""

from types import MappingProxyType

import numpy as np
import pytest

from retention_models.interventions.arms.plan import Plan


def plan(**changes):
    return Plan(**{"control": "none", "assigned_by": "random"} | changes)


@pytest.mark.parametrize(
    "arms", [(0, 1), (False, True), (np.int64(0), np.int64(1)), (np.False_, np.True_), ("größer", "né")]
)
def test_arms_of_any_kind_are_read_back_by_their_names(arms):
    written = plan(control=arms[0], shares=MappingProxyType({arms[0]: np.int64(1), arms[1]: np.float64(2.5)}))
    assert written.shares == {str(arms[0]): 1, str(arms[1]): 2.5}
    assert Plan.from_json(written.to_json()) == written


def test_numbers_of_numpy_are_stored():
    numbers = {
        "reach": np.int64(9_000),
        "customers": np.int32(400),
        "repeats": np.float64(2),
        "looks": [np.float32(0.5)],
    }
    written = plan(**numbers, smallest_gain=np.float32(0.5), universal_control=np.float64(0.1))
    assert Plan.from_json(written.to_json()) == written


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shares": {"mail": 1, "call": 1}},
            "shares must give each of the arms, including the control 'none', a share",
        ),
        ({"shares": {"none": 1}}, "shares name only one arm, none; a test needs a control and another arm"),
        ({"shares": {1: 1, "1": 1, "none": 1}}, "shares name an arm more than once, as numbers and as text: 1, '1'"),
        (
            {"shares": {"none": 1, "universal control": 1}, "universal_control": 0.1},
            "'universal control' is no arm of a test, .* leave it out",
        ),
        ({"detectable_effect": "x"}, "detectable_effect must be a finite number; got 'x'"),
        ({"block": 3}, "block must be a text; got 3"),
        ({"cluster": " "}, "cluster must be a text; got ' '"),
        ({"control": ""}, "control must be a text; got ''"),
    ],
)
def test_a_plan_that_no_test_can_have_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plan(**changes)


@pytest.mark.parametrize("source", [None, 3, {"control": "none"}])
def test_a_plan_is_read_from_text_or_a_path(source):
    with pytest.raises(TypeError, match=r"a stored plan is the JSON text of to_json, or the path .*, not"):
        Plan.from_json(source)
