"""Plots that carry an answer show what their frames hold."""

import numpy as np

from retention_models import plots


def test_earlier_forecasts_show_intervals_and_what_came(earlier_forecasts):
    ax = plots.plot_earlier_forecasts(earlier_forecasts)
    expected, actual = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(expected, earlier_forecasts["expected"])
    np.testing.assert_allclose(actual, earlier_forecasts["actual"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2021-12-28", "2022-12-28"]
    assert ax.get_title(loc="left") == "What came lay inside the intervals of 1 of 2 earlier forecasts"


def test_the_waterfall_ends_where_the_net_value_does(money):
    ax = plots.plot_money(money)
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    gain, contacts, redeemed, subsidised, net, *_ = bars
    np.testing.assert_allclose(gain, (0.0, 0.8))
    np.testing.assert_allclose(contacts, (0.8, -0.15))
    np.testing.assert_allclose(redeemed, (0.65, -0.4))
    np.testing.assert_allclose(subsidised, (0.65, -0.3))
    np.testing.assert_allclose(sum(redeemed), net[1])
    assert len(bars) == len(money)
    assert "EUR" in ax.get_xlabel()
    assert ax.get_title(loc="left") == "Highest net value: $a$, EUR 0.25 per customer"


def test_refuted_groups_stand_out(reliability):
    ax = plots.plot_reliability(reliability)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["not refuted", "refuted"]
    assert ax.get_title(loc="left") == "1 of 2 groups of customers came back too often for the model"
    kept = plots.plot_reliability(reliability[~reliability["refuted"]])
    assert kept.get_title(loc="left").startswith("None of 1 group")


def test_the_map_names_its_corners(action_map):
    ax = plots.plot_action_map(action_map)
    assert {"worth winning back", "look after", "let grow"} <= {text.get_text() for text in ax.texts}
    best = action_map[action_map["value"] >= 70]
    assert ax.get_title(loc="left") == (
        f"{(best['chance'] < 0.5).sum()} of the best {len(best)} customers have a chance below 50 %"
    )
    assert ax.get_ylabel() == "value, EUR (above the line: the best fifth)"
