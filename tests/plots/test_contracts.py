"""Figures of contracts ahead."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from retention_models import plots
from retention_models.datasets import load_published_retention
from retention_models.evaluation.extrapolation import projections
from retention_models.fitting.estimate import fit
from retention_models.forecast.retention import forecast_retention, retention_triangle
from retention_models.survival.sbg import ShiftedBetaGeometric

ROWS = [("2021", 1, 1000, 369), ("2021", 2, 631, 163), ("2022", 1, 900, 340), ("$\\frac{", 1, 50, 20)]
TABLE = pd.DataFrame(ROWS, columns=["cohort", "tenure", "at_risk", "lost"])


@pytest.fixture(scope="module")
def fitted():
    return fit(ShiftedBetaGeometric, TABLE)


def drawn(ax):
    ax.figure.canvas.draw()
    plt.close(ax.figure)
    return ax


def test_projections_are_drawn_to_their_ends_and_named():
    frame = projections(load_published_retention().query("customers == 'regular'"), renewals=7)
    ax = drawn(plots.plot_projections(frame))
    named = {text.get_text() for text in ax.texts}
    assert {"sBG", "BdW", "linear", "quadratic", "exponential", "one rate for all"} <= named
    assert ax.get_ylim() == (0, 1.02)


def test_the_triangle_has_a_row_for_each_cohort_and_shows_names_as_they_are(fitted):
    ax = drawn(plots.plot_triangle(retention_triangle(fitted, TABLE, renewals=3)))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["$\\frac{  (50)", "2021  (1,000)", "2022  (900)"]


def test_the_triangle_continues_each_cohort_from_where_it_stands(fitted):
    frame = retention_triangle(fitted, TABLE, renewals=2).set_index(["cohort", "tenure"])
    assert frame.loc[("2021", 2), "share"] == pytest.approx(0.468)
    step = frame.loc[("2021", 3), "share"] / frame.loc[("2021", 2), "share"]
    assert step == pytest.approx(float(fitted.model.retention_rate(3)))
    assert frame["forecast"].groupby("cohort").sum().eq(2).all()


def test_a_cohort_first_seen_late_begins_at_the_models_share(fitted):
    late = pd.DataFrame({"cohort": "2020", "tenure": [4, 5], "at_risk": [100, 90], "lost": [10, 5]})
    frame = retention_triangle(fitted, late, renewals=1)
    assert frame["share"].iloc[0] == pytest.approx(0.9 * float(fitted.model.survival_function(3)))


def test_who_remains_is_drawn_from_today_on(fitted):
    today = pd.DataFrame({"tenure": [1, 2], "weight": [560, 468]})
    ax = drawn(plots.plot_remaining(forecast_retention(fitted, today, renewals=4)))
    first = ax.lines[0].get_xydata()[0]
    np.testing.assert_allclose(first, [0, 1028])
    last = ax.lines[0].get_ydata()[-1]
    assert ax.get_title(loc="left") == f"{last:,.0f} of 1,028 customers are expected to stay for 4 renewals"


def test_planning_ranges_are_the_bands_of_a_forecast_that_has_them(fitted):
    today = pd.DataFrame({"tenure": [1, 2], "weight": [560, 468]})
    past = pd.DataFrame(columns=["renewals", "until", "customers", "actual", "expected", "churn_variance"])
    planned = forecast_retention(fitted, today, renewals=4, past_errors=past)
    planned.attrs["title"] = "Most stay"
    ax = drawn(plots.plot_remaining(planned))
    wide = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert np.isclose(wide, planned["planning_lower_95"].iloc[-1]).any()
    assert np.isclose(wide, planned["planning_upper_95"].iloc[-1]).any()
    assert ax.get_title(loc="left") == "Most stay"


def test_each_event_is_named_once_over_its_months(churn_by_month):
    ax = drawn(plots.plot_churn_by_month(churn_by_month))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), churn_by_month["expected"])
    assert len([patch for patch in ax.patches if patch.get_width() == 1]) == 2
    outside = ((churn_by_month["churn"] - churn_by_month["expected"]) / churn_by_month["chance"]).abs() > 1.96
    assert f"in {outside.sum()} of {len(outside)} months" in ax.get_title(loc="left")
    assert [text.get_text() for text in ax.texts].count(ax.texts[0].get_text()) == 1


def test_annual_churn_is_counted_in_years(churn_by_month):
    by_year = churn_by_month.head(3).set_axis(["2022", "2023", "2024"])
    for frame, word in ((by_year, "of 3 years"), (churn_by_month, f"of {len(churn_by_month)} months")):
        assert drawn(plots.plot_churn_by_month(frame)).get_title(loc="left").endswith(word)
