"""Survival curves: steps, groups named where they end, and numbers at risk under their ticks."""

import numpy as np
from matplotlib.text import Text

from retention_models.plots import plot_causes, plot_survival


def words(ax):
    return [text.get_text() for text in ax.findobj(Text)]


def test_curves_are_steps_and_named_in_their_colour(curves):
    ax = plot_survival(curves)
    assert [line.get_drawstyle() for line in ax.lines] == ["steps-post"] * 2
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [1.0, 0.9, 0.7])
    named = {text.get_text(): text.get_color() for text in ax.texts}
    assert named == {"$a$": ax.lines[0].get_color(), "<b>": ax.lines[1].get_color()}


def test_numbers_at_risk_stand_under_their_ticks(curves):
    numbers = curves[curves["tenure"] < 2]
    ax = plot_survival(curves, numbers)
    assert ax.get_xticks().tolist() == [0, 1]
    assert {"100", "1,200", "at risk"} <= set(words(ax))
    at = [(text.get_text(), text.xy[0]) for text in ax.texts if text.get_text() in ("100", "1,200")]
    assert at == [("100", 0.0), ("100", 1.0), ("1,200", 0.0), ("1,200", 1.0)]


def test_causes_share_one_row_of_numbers(causes):
    ax = plot_causes(causes, causes[causes["tenure"] > 0])
    assert [word for word in words(ax) if word in ("100", "80")] == ["100", "80"]
    assert {"$price$", "<i>"} <= set(words(ax))


def test_a_known_unit_of_the_tenure_is_in_title_and_label(curves):
    curves.attrs["unit"] = "months"
    for numbers in (None, curves):
        ax = plot_survival(curves, numbers)
        assert ax.get_xlabel() == "tenure in months"
    assert ax.get_title(loc="left").startswith("Still there after 2 months: ")


def test_a_single_curve_needs_no_name(curves):
    one = curves[curves["group"] == curves["group"].iloc[0]].assign(group="all")
    ax = plot_survival(one)
    assert "all" not in [text.get_text() for text in ax.texts]
    assert ": all" not in ax.get_title(loc="left")
