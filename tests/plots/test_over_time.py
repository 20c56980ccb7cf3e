"""The plot of differences over time draws what the table says, and marks the days of the offer."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from retention_models.plots.over_time import plot_over_time


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


def shaded(ax):
    return [(patch.get_x(), patch.get_width()) for patch in ax.patches if isinstance(patch, Rectangle)]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_each_arm_has_its_line_its_band_and_its_name(over_time):
    ax = plot_over_time(over_time)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 29]
    for line, band, arm in zip(lines, ax.collections, ["$mail$", "<call>"], strict=True):
        rows = over_time.loc[arm]
        np.testing.assert_allclose(line.get_ydata(), rows["difference"])
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(rows["difference_lower"].min())
        assert heights.max() == pytest.approx(rows["difference_upper"].max())
        assert arm in texts(ax)
    assert ax.get_ylabel().endswith("purchases per customer")


def test_the_days_of_the_offer_are_shaded_and_named(over_time):
    assert shaded(plot_over_time(over_time)) == [(0, 14)]
    assert shaded(plot_over_time(over_time, offer_days=7)) == [(0, 7)]
    assert shaded(plot_over_time(over_time, offer_days=90)) == [(0, 28)]
    assert "offer valid" in texts(plot_over_time(over_time))


def test_without_an_offer_nothing_is_shaded(over_time):
    ax = plot_over_time(over_time, offer_days=0)
    assert shaded(ax) == []
    assert "offer valid" not in texts(ax)


def test_one_arm_of_the_table_can_be_drawn_alone(over_time):
    ax = plot_over_time(over_time.loc[["<call>"]])
    assert len(ax.collections) == 1
    assert shaded(ax) == [(0, 14)]


def test_ticks_are_whole_weeks(over_time):
    ticks = plot_over_time(over_time).get_xticks()
    assert (np.diff(ticks) == 7).all()
