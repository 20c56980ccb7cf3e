"""Figures of the evidence draw what the table says, and refuse to mix what shares no axis."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from retention_models.datasets import load_published_experiments
from retention_models.interventions.designs.from_counts import effects_of_counts
from retention_models.interventions.effects.table import evidence_table
from retention_models.plots.evidence import plot_evidence, plot_panels, plot_values


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def counts():
    return load_published_experiments().dropna(subset="count")


def segments(ax):
    """The lines of the intervals, from the top."""
    return [segment for drawn in ax.collections for segment in drawn.get_segments()]


def test_every_row_is_drawn_from_the_top(counts):
    panel = evidence_table(effects_of_counts(counts[counts["experiment"] == "E-mail"])).panels[
        "Difference, share of customers"
    ]
    ax = plot_evidence(panel)
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == panel["intervention"].tolist()
    drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(drawn, 100 * panel["estimate"])
    assert ax.get_xlabel() == "change in share of customers, percentage points"


def test_rows_with_a_failed_check_are_marked(counts):
    panel = evidence_table(effects_of_counts(counts[counts["experiment"] == "Voter mail"])).panels[
        "Difference, share of voters"
    ]
    ax = plot_evidence(panel)
    assert all(label.get_text().endswith("(!)") for label in ax.get_yticklabels())
    assert all(line.get_markerfacecolor() == "white" for line in ax.lines if line.get_marker() == "o")
    (legend,) = ax.get_legend().get_texts()
    assert legend.get_text() == "randomised, a check failed (!)"


def test_ratios_get_a_log_axis(counts):
    ax = plot_evidence(evidence_table(effects_of_counts(counts, scale="ratio")).panels["Ratio"])
    assert ax.get_xscale() == "log"


def test_an_interval_without_end_runs_to_the_edge(counts):
    panel = evidence_table(effects_of_counts(counts[counts["outcome"] == "visit"])).panels[
        "Difference, share of customers"
    ]
    ax = plot_evidence(panel.assign(upper=np.inf))
    right = ax.get_xlim()[1]
    assert np.isfinite(ax.get_xlim()).all()
    assert [segment[1][0] for segment in segments(ax)] == [right] * len(panel)
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == ">"] == [right] * len(panel)


@pytest.mark.parametrize("scale", ["difference", "ratio"])
def test_an_interval_without_any_end_spans_the_axes(counts, scale):
    effects = effects_of_counts(counts[counts["outcome"] == "visit"], scale=scale)[:1]
    panel = next(iter(evidence_table(effects).panels.values()))
    lowest = -np.inf if scale == "difference" else 0.0
    ax = plot_evidence(panel.assign(lower=lowest, upper=np.inf))
    (segment,) = segments(ax)
    assert (segment[0][0], segment[1][0]) == ax.get_xlim()
    assert sorted(line.get_marker() for line in ax.lines if line.get_marker() in "<>") == ["<", ">"]
    assert ax.get_xlim()[0] < (100 if scale == "difference" else 1) * panel["estimate"].iloc[0] < ax.get_xlim()[1]


def test_finite_intervals_lie_within_the_axes(counts):
    panel = evidence_table(effects_of_counts(counts[counts["outcome"] == "visit"])).panels[
        "Difference, share of customers"
    ]
    ax = plot_evidence(panel)
    left, right = ax.get_xlim()
    assert left < 0 < 100 * panel["upper"].max() < right
    np.testing.assert_allclose([segment[:, 0] for segment in segments(ax)], 100 * panel[["lower", "upper"]])


def test_what_shares_no_axis_is_refused(counts):
    both = effects_of_counts(counts) + effects_of_counts(counts, scale="ratio")
    with pytest.raises(ValueError, match="these effects share no axis"):
        plot_evidence(evidence_table(both).table)
    with pytest.raises(ValueError, match="share of customers; difference in share of voters"):
        plot_evidence(evidence_table(effects_of_counts(counts)).table)


def test_each_part_has_axes_of_its_own_as_high_as_its_rows(counts):
    parts = evidence_table(effects_of_counts(counts)).panels
    axes = plot_panels(parts)
    assert len({ax.figure for ax in axes}) == 1
    assert [len(ax.get_yticklabels()) for ax in axes] == [len(part) for part in parts.values()]
    axes[0].figure.canvas.draw()
    heights = {len(ax.get_yticklabels()): ax.get_position().height for ax in axes}
    assert heights[4] > 1.5 * heights[1]


def test_values_are_drawn_for_rows_that_have_one(counts):
    table = evidence_table(effects_of_counts(counts[counts["outcome"] == "visit"])).table
    priced = table.assign(value=[1.0, None], value_lower=[0.5, None], value_upper=[1.5, None])
    ax = plot_values(priced.astype({"value": "Float64", "value_lower": "Float64", "value_upper": "Float64"}))
    assert len(ax.get_yticklabels()) == 1
