"""The table of evidence: what stands in it, what is ranked, what shares a heading, and what a reader is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from retention_models.core.check import Check
from retention_models.interventions.effects.derived_laws import Linear
from retention_models.interventions.effects.laws import Permutation
from retention_models.interventions.effects.ratio_laws import AndersonRubin
from retention_models.interventions.effects.table import evidence_table

WEAK = AndersonRubin(0.04, 0.1, 1e-4, 0.01, 0.0)  # an effect on compliers whose interval has no end


@pytest.fixture
def table(effect):
    def money(value):
        return {"cost": 0.5, "value": value, "value_lower": value - 0.5, "value_upper": value + 0.5}

    return evidence_table(
        [
            effect(intervention="poster"),
            effect(intervention="mail", **money(1.0)),
            effect(intervention="call", outcome="spend", unit="EUR per customer", **money(2.0)),
        effect(
            intervention="broken",
            checks=(Check("Sample ratio", False, detail="Half got lost."),),
            **money(9.0),
        ),
            effect(intervention="gift", scale="ratio", estimate=1.2, lower=1.1, upper=1.3),
            effect(intervention="<b>card</b>", scale="hazard ratio", estimate=0.8, lower=0.7, upper=0.9,
                   assigned_by="rule", checks=(Check("overlap", None, detail="Not tried."),)),
        ]
    )  # fmt: skip


def test_rows_with_a_value_and_sound_checks_are_ranked_and_all_are_shown(table):
    frame = table.table
    assert frame["intervention"].tolist() == ["call", "mail", "poster", "broken", "gift", "<b>card</b>"]
    assert frame["rank"].tolist()[:2] == [1, 2]
    assert frame["rank"].isna().tolist() == [False, False, True, True, True, True]
    assert frame["value"].isna().tolist() == [False, False, True, False, True, True]
    assert frame.loc[3, "failed"] == "Sample ratio"


def test_scales_and_units_never_share_a_panel(table):
    panels = table.panels
    assert list(panels) == ["Difference, share of customers", "Difference, EUR per customer", "Ratio", "Hazard ratio"]
    assert sum(len(panel) for panel in panels.values()) == 6
    for panel in panels.values():
        assert len(set(panel["scale"])) == 1


def test_only_ranks_money_and_plans_may_be_missing(table):
    missing = table.table.isna().any()
    money = {"cost", "value", "value_lower", "value_upper", "annual_value", "annual_value_lower", "annual_value_upper"}
    plans = {"smallest_gain", "reach", "measured_on", "expected_loss", "customers_of_next_test"}
    assert set(missing[missing].index) == {"rank", *money, *plans}


def test_it_reads_as_text(table):
    text = str(table)
    for heading in table.panels:
        assert f"{'Lift, in percent of the baseline' if heading == 'Ratio' else heading}\n" in text
    assert "! Sample ratio: FAILED. Half got lost. (broken)" in text
    assert "! overlap: not testable. Not tried. (<b>card</b>)" in text
    assert "Overturned by a hidden cause" in text
    assert text.endswith(
        "Roll out call. Its value is 2.00 (1.43 to 2.57) per treated customer, net of cost (97.5 % interval, 95 % for "
        "all 2)."
    )


def test_it_reads_as_html_and_names_are_only_names(table):
    html = table._repr_html_()
    assert "<b>card" not in html
    assert "&lt;b&gt;card" in html
    assert html.count("<table") == 4


@pytest.mark.parametrize(
    ("value", "lower", "headline", "at_full_scale"),
    [
        (1.0, 0.5, "Roll out mail. Its value is 1.00 (0.50 to 1.50)", "Roll out mail to 40,000 customers: 40,000 to "),
        (1.0, -0.5, "Keep testing mail. Its value is", "Keep testing mail with 9,000 customers. Its value is"),
        (-1.0, -2.0, "No effect is expected to pay. The best of 1 is mail: -1.0", "No effect is expected to pay."),
    ],
)
def test_the_decision_follows_the_best_value(effect, value, lower, headline, at_full_scale):
    row = effect(value=value, value_lower=lower, value_upper=2 * value - lower, cost=1.0)
    assert evidence_table([row]).decision.startswith(headline)
    at_scale = replace(row, reach=40_000, repeats=2, smallest_gain=0.5)
    decision = evidence_table([at_scale]).decision
    assert decision.startswith(at_full_scale)
    assert ("120,000 a year (2 times, each assumed to have this effect)." in decision) == (lower > 0)


def test_corrections_look_at_all_rows(table):
    raw = table.table["p_value"]
    strict = table.corrected()["p_corrected"]
    assert strict.min() == pytest.approx(6 * raw.min())
    assert (table.corrected("benjamini-hochberg")["p_corrected"] <= strict + 1e-15).all()
    with pytest.raises(ValueError, match="method must be one of holm, benjamini-hochberg; got 'none'"):
        table.corrected("none")


def test_shrinkage_stays_within_a_panel_and_on_its_scale(effect):
    ratios = [1.0, 1.1, 1.3, 2.0]
    rows = [effect(intervention=str(r), scale="ratio", estimate=r, std_error=0.2) for r in ratios]
    shrunk = evidence_table(rows).shrunk("Ratio")
    assert np.all(np.abs(np.log(shrunk["shrunk"]) - np.log(1.3)) <= np.abs(np.log(ratios) - np.log(1.3)) + 0.1)
    assert np.all((shrunk["shrunk_lower"] > 0) & (shrunk["shrunk_lower"] < shrunk["shrunk_upper"]))
    with pytest.raises(ValueError, match="no panel is called 'Odds'; there are Ratio"):
        evidence_table(rows).shrunk("Odds")


def test_an_interval_without_end_is_not_shrunk_by_its_standard_error(effect):
    rows = [effect(intervention=name) for name in "abcd"] + [effect(intervention="weak", law=WEAK, estimate=0.4)]
    with pytest.raises(ValueError, match="the interval of weak has an infinite limit"):
        evidence_table(rows).shrunk("Difference, share of customers")


def test_evidence_takes_effects_and_nothing_else(effect):
    with pytest.raises(TypeError, match="evidence_table needs effects; got DataFrame"):
        evidence_table([effect(), pd.DataFrame()])
    with pytest.raises(ValueError, match="there is no effect to show"):
        evidence_table([])


def test_the_best_of_many_must_be_better_than_chance_would_make_it(effect):
    value = {"value": 1.0, "value_lower": 0.1, "value_upper": 1.9, "cost": 0.0}
    alone = evidence_table([effect(intervention="a", **value)]).decision
    assert alone == "Roll out a. Its value is 1.00 (0.10 to 1.90) per treated customer, net of cost (95 % interval)."
    others = [
        effect(intervention=name, **{**value, "value": 0.5, "value_lower": -0.4, "value_upper": 1.4})
        for name in "bcdefgh"
    ]
    among = evidence_table([effect(intervention="a", **value), *others]).decision
    assert "99.4 % interval, 95 % for all 8" in among
    assert among.startswith("Keep testing a. ")
    assert among.endswith(": a loss is possible.")


PAYING = {"value": 5.0, "value_lower": 4.0, "value_upper": 6.0, "cost": 0.0}


@pytest.mark.parametrize("assigned_by", ["random", "rule", "choice", "unknown"])
def test_a_quasi_experimental_effect_pays_with_its_proviso_if_its_checks_passed(effect, assigned_by):
    checks = (Check("parallel trends", True, detail="They were."),)
    row = effect(assigned_by=assigned_by, design="quasi-experimental", checks=checks, **PAYING)
    sentence = "This is a quasi-experimental result: it assumes that the groups differ in the treatment only."
    assert evidence_table([row]).decision.endswith(sentence)
    assert evidence_table([replace(row, checks=())]).table["rank"].isna().all()
    for passed in (None, False):
        unsure = replace(row, checks=(Check("parallel trends", passed, detail="Not tried."),))
        assert evidence_table([unsure]).table["rank"].isna().all()
        assert evidence_table([unsure]).decision.startswith("No effect has both")


@pytest.mark.parametrize("assigned_by", ["rule", "choice", "unknown"])
def test_an_observational_difference_is_shown_and_never_ranked(effect, assigned_by):
    row = effect(assigned_by=assigned_by, **PAYING)
    table = evidence_table([row])
    assert row.design == "observational"
    assert table.table["rank"].isna().all()
    assert table.table["value"].tolist() == [5.0]
    assert table.decision.startswith("No difference is ranked: customers were not assigned at random")
    less = PAYING | {"value": 4.5, "value_upper": 5.0}
    beside = evidence_table([row, effect(intervention="call", **less)])
    assert beside.table["rank"].tolist()[0] == 1
    assert beside.decision.startswith("Roll out call. ")


def test_designs_are_ranked_by_themselves(effect):
    rows = [
        effect(
            intervention="roll-out",
            design="quasi-experimental",
            assigned_by="rule",
            checks=(Check("parallel trends", True, detail="They were."),),
            **PAYING,
        ),
        effect(intervention="mail", **PAYING | {"value": 4.5, "value_lower": 4.0, "value_upper": 5.0}),
        effect(intervention="call", **PAYING | {"value": 4.2, "value_lower": 4.0, "value_upper": 4.4}),
    ]
    table = evidence_table(rows)
    assert table.table[["intervention", "rank"]].to_numpy().tolist() == [["mail", 1], ["call", 2], ["roll-out", 1]]
    assert table.decision.startswith("Roll out mail. ")
    assert "Roll out roll-out. " in table.decision


def test_levels_are_told(effect):
    value = {"value": 1.0, "value_lower": 0.5, "value_upper": 1.5, "cost": 0.0}
    same = evidence_table([effect(**value), effect(intervention="call", **value)])
    for shown in (str(same), same._repr_html_()):
        assert "effect, 95 %" in shown
        assert "value, 95 %" in shown
    mixed = evidence_table([effect(level=0.5, **value), effect(intervention="call", **value)])
    for shown in (str(mixed), mixed._repr_html_()):
        assert "4.00 pp (2.04 to 5.96; 50 %)" in shown
        assert "1.00 (0.50 to 1.50; 95 %)" in shown


def test_a_value_whose_law_has_no_end_at_the_corrected_level_does_not_pay(effect):
    """Of 30 orders none tells more than 29 in 30: enough for 95 %, too few for the best of two."""
    ends = np.linspace(0.2, 0.39, 29)
    law = Permutation(0.4, 0.1, (-np.inf, *ends), (*(0.8 - ends[::-1]), np.inf))
    wedge = effect(intervention="stores", estimate=0.4, law=law, value=4.0, value_law=Linear(law, 10.0, 0.0), cost=0.0)
    mail = effect(value=1.0, value_lower=0.5, value_upper=1.5, cost=0.0)
    assert evidence_table([wedge]).decision.startswith("Roll out stores. ")
    both = evidence_table([wedge, mail]).decision
    assert both.startswith("Keep testing stores. Its value is 4.00 (-inf to inf)")
    assert both.endswith(": a loss is possible.")


def test_corrections_use_the_p_values_of_the_laws(effect):
    """The weak effect is surely not 0, whatever its size: by its ends it would be 1."""
    rows = [
        effect(intervention="weak", law=AndersonRubin(0.7, 0.05, 0.01, 0.01, 0.0), estimate=14.0),
        effect(std_error=0.02),
    ]
    table = evidence_table(rows).corrections
    assert table["p_value"].tolist() == pytest.approx([2.559625e-12, 0.0455003], rel=1e-6)
    assert table["holm"].tolist() == pytest.approx([2 * 2.559625e-12, 0.0455003], rel=1e-6)
