"""Every plot says in words and numbers what it shows, and a notebook stores that with the picture."""

import pickle
import re

import matplotlib.pyplot as plt
import pandas as pd
from IPython.core.formatters import DisplayFormatter

from retention_models import plots
from retention_models.plots.descriptions import HOOK, course, describe, percent
from retention_models.plots.style import TITLE_WIDTH

DIGITS = re.compile(r"\d[\d,.]*\d|\d")


def description(ax):
    """What a plot says beside its title."""
    return vars(ax.figure)[HOOK].parts[ax]


def test_every_plot_has_a_title_that_says_a_number(drawing):
    draw, frame = drawing
    title = draw(frame).get_title(loc="left")
    assert re.search(r"\d|None", title)
    assert max(map(len, title.split("\n"))) <= TITLE_WIDTH


def test_every_plot_describes_itself_with_numbers(drawing):
    draw, frame = drawing
    text = description(draw(frame))
    assert len(DIGITS.findall(text)) >= 2
    assert text.endswith(".")
    assert not re.search(r"\bnan\b|-0 %|\binf\b", text)


def test_a_title_of_the_frame_stands_in_place_of_the_message_which_is_still_described(drawing):
    draw, frame = drawing
    message = " ".join(draw(frame).get_title(loc="left").split())
    titled = frame.copy()
    titled.attrs["title"] = "Our own words"
    ax = draw(titled)
    assert ax.get_title(loc="left") == "Our own words"
    assert plots.alt_text(ax.figure).startswith(f"Our own words. {message}.")


def test_numbers_of_a_description_have_three_digits_unless_they_are_whole(drawing):
    draw, frame = drawing
    for found in DIGITS.findall(description(draw(frame))):
        if "." in found:
            assert len(found.replace(".", "").replace(",", "").lstrip("0")) <= 3


def test_axes_of_a_figure_are_described_in_their_order(lorenz, segments):
    upper, lower = plots.panels(2)
    plots.plot_concentration(lorenz, ax=lower)
    plots.plot_segments(segments, ax=upper)
    text = plots.alt_text(upper.figure)
    assert text.index("Highest value") < text.index("20 % of the customers hold")
    assert "\n" not in text


def test_a_figure_that_nobody_described_has_no_text():
    assert plots.alt_text(plt.figure()) == ""


def test_a_description_follows_the_title_and_the_axes(lorenz, segments):
    upper, lower = plots.panels(2)
    plots.plot_concentration(lorenz, ax=upper)
    plots.plot_segments(segments, ax=lower)
    lower.remove()
    upper.set_title("Few hold much", loc="left")
    assert plots.alt_text(upper.figure).startswith("Few hold much. Share of the total held: ")
    assert "Highest value" not in plots.alt_text(upper.figure)


def test_a_notebook_stores_the_text_beside_the_picture(lorenz):
    figure = plots.plot_concentration(lorenz).figure
    data, metadata = DisplayFormatter().format(figure)
    assert metadata == {"alt": plots.alt_text(figure)}
    assert "text/plain" in data


def test_a_described_figure_can_be_pickled():
    ax = plt.subplots()[1]
    describe(ax, "One line.")
    assert plots.alt_text(pickle.loads(pickle.dumps(ax.figure))) == "One line."


def test_a_curve_is_told_by_its_ends_and_by_what_lies_between():
    assert course(pd.Series([2.0])) == "2 at 0"
    assert course(pd.Series([float("nan")])) == "no values"
    peaked = pd.Series([0.1, 0.5, 0.2, 0.1, 0.05], index=[1, 2, 3, 4, 5])
    assert course(peaked, "on day", percent) == "10 % on day 1, 20 % on day 3, 5 % on day 5; highest 50 % on day 2"


def test_a_name_from_the_data_is_cut_and_stays_on_one_line(segments):
    ax = plots.plot_segments(segments.set_axis(["x" * 500, "two\nlines"]))
    assert "x" * 41 not in description(ax)
    assert "two lines" in plots.alt_text(ax.figure)


def test_an_interval_without_an_end_is_said_so(effects):
    ax = plots.plot_evidence(effects.assign(lower=-float("inf"), upper=float("inf")))
    assert "(without limits)" in description(ax)
    assert "inf " not in description(ax)


def test_a_projection_of_a_named_log_says_the_name_and_the_message(projected):
    projected.attrs["name"] = "published"
    title = plots.plot_projections(projected).get_title(loc="left")
    assert re.fullmatch(r"published: [\d.]+ % after 2 renewals; closest: .+, [\d.]+ %", " ".join(title.split()))


def test_empty_sentences_are_left_out():
    ax = plt.subplots()[1]
    describe(ax, "", "One.", "")
    assert plots.alt_text(ax.figure) == "One."


def test_frames_with_little_in_them_are_drawn_and_described(segments, season, retention):
    for draw, frame in (
        (plots.plot_segments, segments.assign(value=float("nan"))),
        (plots.plot_season, season.assign(relative=[float("nan"), 0.9, float("nan")])),
        (plots.plot_retention, retention[retention["cohort"] == "2024-04"]),
    ):
        assert description(draw(frame)).endswith(".")


def test_one_of_a_thing_is_not_several(periods, trial_curves):
    assert "Seen only in part: 1 period." in description(plots.plot_periods(periods))
    assert "1 week: " in description(plots.plot_trials(trial_curves))


def test_an_effect_of_a_roll_out_is_drawn_in_percent_as_the_text_has_it(event_study):
    ax = plots.plot_event_study(event_study)
    assert event_study.attrs["unit"].startswith("of ")
    assert ax.get_title(loc="left").startswith("Beyond chance: ")
    assert ax.yaxis.get_major_formatter()(0.05, 0) == "5 %"
