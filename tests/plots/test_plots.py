import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from retention_models import plots
from retention_models.plots.style import COLOURS, apply_style

NAMED = (
    *(plots.plot_segments, plots.plot_segment_shares, plots.plot_parameters),
    *(
        plots.plot_evidence,
        plots.plot_values,
        plots.plot_efforts,
        plots.plot_effort_costs,
        plots.plot_effort_calendar,
        plots.plot_allocation,
        plots.plot_money,
        plots.plot_balance,
    ),
)


def words(ax):
    return [text.get_text() for text in ax.findobj(Text)]


def shown(ax):
    ax.figure.savefig(io.BytesIO(), format="png")
    return words(ax)


def test_every_plot_is_in_the_list(every_plot):
    assert set(every_plot) == set(plots.__all__) - {"alt_text", "panels", "plot_panels"}


def test_a_plot_uses_the_axes_given_and_returns_them(drawing):
    draw, frame = drawing
    _, ax = plt.subplots()
    assert draw(frame, ax=ax) is ax
    assert ax.has_data()


def test_a_plot_makes_its_own_axes_when_none_are_given(drawing):
    draw, frame = drawing
    before = plt.get_fignums()
    assert draw(frame).figure.number not in before


def test_a_plot_leaves_global_settings_and_its_frame_alone(drawing):
    draw, frame = drawing
    mpl.get_backend()  # the first picture of a process settles it
    settings, copy = mpl.rcParams.copy(), frame.copy()
    draw(frame)
    assert mpl.rcParams == settings
    pd.testing.assert_frame_equal(frame, copy)


def test_a_plot_says_what_its_numbers_are(drawing):
    draw, frame = drawing
    ax = draw(frame)
    assert ax.get_xlabel() or draw is plots.plot_alive_history  # which has dates there
    assert ax.get_ylabel() or draw in NAMED  # which have names there


def test_a_backend_that_switches_interaction_on_while_loading_keeps_it_on():
    @apply_style
    def first_figure():
        mpl.interactive(True)
        return plt.subplots()[1]

    try:
        first_figure()
        assert mpl.is_interactive()
    finally:
        mpl.interactive(False)


def test_a_plot_is_the_same_picture_every_time(drawing):
    draw, frame = drawing
    pictures = []
    for _ in range(2):
        with mpl.rc_context({"svg.hashsalt": "same"}):
            file = io.BytesIO()
            draw(frame).figure.savefig(file, format="svg", metadata={"Date": None})
        pictures.append(file.getvalue())
    assert pictures[0] == pictures[1]


def test_nothing_is_cut_off(drawing):
    draw, frame = drawing
    figure = draw(frame).figure
    figure.canvas.draw()
    inked, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert inked.x0 >= 0
    assert inked.y0 >= 0
    assert inked.x1 <= width
    assert inked.y1 <= height


def test_segments_are_titled_by_both_shares_of_the_most_valuable(segments):
    ax = plots.plot_segments(segments.assign(customers=[10, 40]))
    assert ax.get_title(loc="left") == "$loyal$ <i>: 20 % of the customers, 60 % of the value"
    assert plots.plot_segments(segments).get_title(loc="left") == "Highest value: $loyal$ <i>, 120"


def test_segment_shares_are_two_bars_a_segment(counted_segments):
    ax = plots.plot_segment_shares(counted_segments)
    customers, value = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert customers == [0.2, 0.8]
    assert value == [0.6, 0.4]
    assert ax.get_title(loc="left") == "$loyal$ <i>: 20 % of the customers, 60 % of the value"
    assert {"20 %", "80 %", "60 %", "40 %"} <= set(words(ax))


@pytest.mark.parametrize("total", [0, -5])
def test_segments_without_any_value_have_no_share_of_it(counted_segments, total):
    ax = plots.plot_segment_shares(counted_segments.assign(value=[total, 0]))
    assert len(ax.containers) == 1
    assert ax.get_title(loc="left") == "at risk: 80 % of the customers; no value to share"


def test_dollar_signs_in_names_are_shown_as_they_are(segments, alive, retention, tracked):
    assert "$loyal$ <i>" in shown(plots.plot_segments(segments))
    assert "customer $17$ & <b>: 40 % likely to be a customer still" in shown(plots.plot_alive_history(alive))
    ax = plots.plot_tracking(tracked.rename(columns=lambda name: name.replace("BG/NBD", "$b$")))
    labels = [text for text in ax.findobj(Text) if text.get_text() == "$b$"]
    assert labels
    assert not any(text.get_parse_math() for text in labels)


def test_a_name_with_one_dollar_sign_or_a_broken_formula_is_drawn(segments):
    ax = plots.plot_segments(segments.set_axis(["5 $", r"$\frac{1}{$"]))
    assert r"$\frac{1}{$" in shown(ax)


def test_tracking_labels_each_line_and_the_holdout(tracked):
    ax = plots.plot_tracking(tracked)
    assert {"actual", "Pareto/NBD", "BG/NBD", "holdout →"} <= set(words(ax))
    assert ax.get_ylabel() == "repeat purchases a week"


def test_tracking_per_period_leaves_incomplete_periods_away(tracked):
    assert len(plots.plot_tracking(tracked).lines[0].get_ydata()) == 5
    assert len(plots.plot_tracking(tracked, cumulative=True).lines[0].get_ydata()) == 6


def test_tracking_without_a_holdout_has_no_line_for_it(tracked):
    assert "holdout →" not in words(plots.plot_tracking(tracked.assign(holdout=False)))


def test_a_model_has_the_same_colour_in_every_figure(tracked, by_frequency):
    tracking, bars = plots.plot_tracking(tracked), plots.plot_by_frequency(by_frequency)
    assert [to_hex(line.get_color()).upper() for line in tracking.lines[1:3]] == list(COLOURS[:2])
    assert [to_hex(line.get_color()).upper() for line in bars.lines] == list(COLOURS[:2])


def test_end_labels_do_not_overlap(tracked):
    frame = tracked.assign(**{"Pareto/NBD": 3.0, "BG/NBD": 3.0, "actual": 3.0})
    ax = plots.plot_tracking(frame)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text() in ("actual", "Pareto/NBD", "BG/NBD")]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_end_labels_of_lines_that_end_at_the_bottom_stay_above_the_axis(tracked):
    frame = tracked.assign(**{"Pareto/NBD": 0.0, "BG/NBD": 0.0, "actual": [3.0] + [0.0] * (len(tracked) - 1)})
    ax = plots.plot_tracking(frame)
    ends = [text for text in ax.texts if text.get_text() in ("actual", "Pareto/NBD", "BG/NBD")]
    assert min(text.get_position()[1] for text in ends) >= 0


def test_heat_maps_are_rasterised(matrix, retention):
    for ax in (plots.plot_history_matrix(matrix), plots.plot_retention(retention)):
        assert ax.collections[0].get_rasterized()


def test_expected_purchases_have_a_heat_map_too(matrix):
    assert plots.plot_history_matrix(matrix, "expected_purchases").get_title(loc="left") == (
        "Expected purchases in 39 weeks: 0.5 to 4.91"
    )


def test_a_flat_heat_map_is_drawn(matrix):
    ax = plots.plot_history_matrix(matrix.assign(probability_alive=1.0))
    shown(ax)


def test_retention_writes_shares_into_few_cells_and_not_into_many(retention):
    assert "80" in words(plots.plot_retention(retention))
    many = pd.concat([retention.assign(cohort=f"{year}") for year in range(2000, 2030)])
    assert "80" not in words(plots.plot_retention(many.drop_duplicates(["cohort", "age"])))


def test_groups_of_parameters_get_a_legend(parameters):
    ax = plots.plot_parameters(pd.concat({"spring": parameters, "$x$": parameters}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["spring", "$x$"]


def test_retention_without_a_later_period_is_an_error(retention):
    with pytest.raises(ValueError, match="no cohort was seen in a later period"):
        plots.plot_retention(retention[retention["age"] == 0])


def test_more_models_than_colours_are_all_drawn(tracked, by_frequency):
    many = {f"model {i}": 1.0 for i in range(8)}
    names = {f"{name}_cumulative": 1.0 for name in many}
    assert set(many) <= set(words(plots.plot_tracking(tracked.assign(**many, **names))))
    assert set(many) <= {
        text.get_text() for text in plots.plot_by_frequency(by_frequency.assign(**many)).get_legend().get_texts()
    }


def test_panels_are_axes_of_one_figure_in_the_package_style():
    upper, lower = plots.panels(2, height=2.5)
    assert upper.figure is lower.figure
    assert upper.figure.get_size_inches()[1] == 5
    assert not upper.spines["right"].get_visible()
    assert plt.rcParams["axes.spines.right"]


def test_a_figure_is_as_high_as_its_rows_need(segments, lorenz):
    few, many = (plots.plot_segments(frame).figure.get_figheight() for frame in (segments, pd.concat([segments] * 9)))
    assert few < many == plots.plot_concentration(lorenz).figure.get_figheight()


def test_periods_stack_new_customers_on_repeat_purchases_and_hatch_incomplete_ones(periods):
    ax = plots.plot_periods(periods)
    repeat, new = ax.containers
    assert [bar.get_height() for bar in repeat] == periods["repeat_purchases"].tolist()
    assert [bar.get_y() + bar.get_height() for bar in new] == periods["purchases"].tolist()
    assert [bool(bar.get_hatch()) for bar in repeat] == [False, False, False, True]


def test_waiting_begins_with_nobody_and_names_its_curves(waiting):
    ax = plots.plot_waiting(waiting)
    assert all(line.get_ydata()[0] == 0 for line in ax.lines)
    assert {"second purchase", "$next$"} <= set(words(ax))


def test_season_shows_deviations_from_the_usual_in_percent(season):
    assert {"+20", "-10"} <= set(words(plots.plot_season(season)))
    left = season.assign(model=[0.0, 0.13, -0.2])
    assert {"+0", "+13", "-20"} <= set(words(plots.plot_season(left, "model")))
    nearly = season.assign(model=[-0.0003, 0.04, -0.02])
    assert {"+0.0", "+4.0", "-2.0"} <= set(words(plots.plot_season(nearly, "model")))


def test_the_unit_of_a_value_is_on_its_axis(segments):
    segments.attrs["unit"] = "EUR"
    assert plots.plot_segments(segments).get_xlabel() == "value in EUR"
