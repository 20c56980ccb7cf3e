"""Which models of contracts a table allows, and which is used."""

import numpy as np
import pandas as pd
import pytest

from retention_models.datasets import load_published_retention
from retention_models.evaluation.extrapolation import drawn_curves, projection_errors, projections
from retention_models.fitting.model_selection import select_contract_model
from retention_models.narrative.contracts import projection_error_table, projection_notes, projections_by_table

PUBLISHED = load_published_retention()
HIGH_END = PUBLISHED.query("customers == 'high end'")
REGULAR = PUBLISHED.query("customers == 'regular'")


def test_the_published_table_is_the_published_one():
    """Fader & Hardie (2007), survivors of 1,000 after twelve renewals."""
    left = PUBLISHED.groupby("customers")["lost"].sum()
    assert (1000 - left).to_dict() == {"high end": 394, "regular": 173}
    follows = PUBLISHED.groupby("customers").apply(
        lambda part: (part["at_risk"] - part["lost"]).iloc[:-1].tolist() == part["at_risk"].iloc[1:].tolist()
    )
    assert follows.all()


@pytest.mark.parametrize(
    ("table", "name"), [(REGULAR, "ShiftedBetaGeometric"), (HIGH_END, "BetaDiscreteWeibull")], ids=["regular", "high"]
)
def test_ageing_has_to_be_shown_before_it_is_used(table, name):
    models = select_contract_model(table[table["tenure"] <= 7])
    assert models.name == name
    assert models.chosen is models.fits[name]
    assert str(models).startswith(f"{name} is used. ShiftedBetaGeometric is")


def test_a_table_of_two_renewals_does_without_the_richest_model_and_says_why():
    models = select_contract_model(REGULAR[REGULAR["tenure"] <= 2])
    assert models.name == "ShiftedBetaGeometric"
    assert str(models) == (
        "ShiftedBetaGeometric is used. BetaDiscreteWeibull cannot be fitted: BetaDiscreteWeibull has 3 parameters and "
        "needs customers at risk at as many tenures; the table has 2."
    )


def test_a_table_of_one_renewal_has_one_rate():
    models = select_contract_model(REGULAR[REGULAR["tenure"] == 1])
    assert models.name == "Geometric"
    assert float(models.chosen.model.retention_rate(1)) == pytest.approx(0.631)


def test_nothing_can_be_learnt_where_nobody_leaves():
    with pytest.raises(ValueError, match="is estimated from customers who leave"):
        select_contract_model(pd.DataFrame({"tenure": [1, 2], "at_risk": [9, 9], "lost": [0, 0]}))


def test_the_drawn_curves_are_those_of_the_paper():
    """High end, years 0 to 7: y = .925 - .071 t, and y = .997 - .142 t + .010 t^2."""
    survival = np.array([1.0, 0.869, 0.743, 0.653, 0.593, 0.551, 0.517, 0.491])
    drawn = drawn_curves(survival, np.array([0, 1, 2]))
    level, slope = drawn["linear"].iloc[0], drawn["linear"].diff().iloc[1]
    assert (round(level, 3), round(slope, 3)) == (0.925, -0.071)
    bend = np.diff(drawn["quadratic"], 2)[0] / 2
    assert (round(drawn["quadratic"].iloc[0], 3), round(bend, 3)) == (0.997, 0.010)


def test_models_project_better_than_drawn_curves_on_the_published_table():
    """S(12) from 7 renewals as in published_values: regular .170 and .177, high end .378 and .404."""
    for table, sbg, bdw in ((REGULAR, 0.1700, 0.1773), (HIGH_END, 0.3780, 0.4039)):
        frame = projections(table, renewals=7)
        assert frame["sBG"].iloc[-1] == pytest.approx(sbg, abs=6e-5)
        assert frame["BdW"].iloc[-1] == pytest.approx(bdw, abs=6e-5)
        errors = projection_errors(frame)["error"]
        assert errors[["sBG", "BdW"]].max() < errors.drop(["sBG", "BdW"]).min()


def test_what_came_is_the_kaplan_meier_share_and_its_numbers():
    frame = projections(REGULAR, renewals=4)
    assert frame["actual"].iloc[[0, 4, 12]].tolist() == pytest.approx([1, 0.326, 0.173])
    assert frame["at_risk"].iloc[[0, 4, 12]].tolist() == [1000, 326, 173]
    assert frame["used"].sum() == 5


def test_a_table_seen_from_a_later_renewal_on_is_projected_from_there():
    late = HIGH_END[HIGH_END["tenure"] >= 4]
    frame = projections(late, renewals=3)
    assert frame.index.tolist() == list(range(3, 13))
    assert frame["sBG"].iloc[0] == pytest.approx(1)
    assert frame["actual"].iloc[-1] == pytest.approx(394 / 653)


@pytest.mark.parametrize("renewals", [0, 12, 13, 2.5])
def test_some_renewals_must_be_kept_back(renewals):
    with pytest.raises(ValueError, match="renewals must be a whole number"):
        projections(REGULAR, renewals=renewals)


def test_the_book_holds_what_is_long_enough_and_says_what_is_flat():
    book = projections_by_table(REGULAR[REGULAR["tenure"] <= 4], PUBLISHED)
    assert list(book) == ["published, regular", "published, high end"]
    assert book["published, regular"].attrs["name"] == "published, regular"
    notes = [str(note) for note in projection_notes(book)]
    assert any("high end, sBG: alpha is hardly determined" in note for note in notes)
    assert projection_error_table(book).index.get_level_values("table").unique().tolist() == list(book)


def test_an_empty_book_says_why():
    book = projections_by_table(REGULAR[REGULAR["tenure"] <= 4])
    assert projection_error_table(book).empty
    assert "too few renewals" in projection_notes(book)[0]
