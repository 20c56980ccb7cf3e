"""The answers on all efforts: short headlines that say what to stop, to keep and to test."""

from dataclasses import replace

import pandas as pd
import pytest

import retention_models as rm
from retention_models.narrative import budget_answer, register_answer, register_facts

LONGEST_HEADLINE, MOST_ACTIONS = 25, 3


def effect(**stated):
    row = {
        "outcome": "margin", "unit": "EUR per customer", "estimand": "difference in means", "scale": "difference",
        "estimate": 1.0, "std_error": 0.1, "population": "customers", "assigned_by": "random",
    }  # fmt: skip
    return rm.Effect(**row | stated)


def make(values, **columns):
    """A register of efforts with these values per customer; None was never measured."""
    efforts = pd.DataFrame({"effort": list(values), "kind": "e-mail", "owner": "Ann", "department": "CRM"})
    efforts = efforts.assign(**{"reach": 10_000, "cost_per_contact": 1.0, "ends": "2027-01-01"} | columns)
    register = rm.read_register(efforts, as_of="2026-06-30", currency="EUR")
    for name, value in values.items():
        if value is not None:
            money = {"value": value, "value_lower": value - 0.2, "value_upper": value + 0.2, "cost": 1.0}
            register = register.add(effect(intervention=name, n=4_000, **money))
    return register


ALL = {"letter": 1.0, "coupon": -1.0, "mail": 0.1, "club": None}


def test_the_headline_splits_the_money_by_what_is_known():
    answer = register_answer(make(ALL))
    assert answer.headline == (
        "Of EUR 40,000 a year on 4 efforts, EUR 10,000 is proven to pay, EUR 10,000 loses money, EUR 10,000 undecided, "
        "EUR 10,000 not measured."
    )
    assert answer.actions == (
        "Stop “coupon”: it loses EUR 8,000 to 12,000 a year.",
        "Go on with “letter”: it earns EUR 10,000 a year.",
        "Test “club” first, which costs EUR 10,000 a year; Ann owns it.",
    )
    assert [figure.value for figure in answer.figures][:4] == ["EUR 40,000", "EUR 10,000", "EUR 10,000", "EUR 10,000"]


@pytest.mark.parametrize(
    ("values", "columns", "action"),
    [
        ({"club": None}, {"owner": ""}, "it has no owner yet"),
        ({"club": None}, {"cost_per_contact": None}, "Test “club” first; Ann owns it."),
        ({"letter": 1.0}, {"ends": "2026-01-01"}, "Start “letter”: it earns EUR 10,000 a year."),
        ({"letter": 1.0}, {"reach": None}, "Go on with “letter”."),
        ({"mail": 0.1}, {}, "Test “mail” again."),
        ({"a": -1.0, "b": -2.0, "c": -3.0}, {}, "So do “b” and “a”."),
    ],
)
def test_actions_say_what_the_register_knows(values, columns, action):
    assert action in " ".join(register_answer(make(values, **columns)).actions)


@pytest.mark.parametrize("names", [["letter"], ["letter", "coupon"], list(ALL), ["club"], ["mail"], ["coupon"]])
def test_answers_are_short_whatever_is_known(names):
    register = make({name: ALL[name] for name in names})
    budget = rm.allocate_budget(register, 25_000, draws=20)
    for answer in (register_answer(register), budget_answer(budget, currency="EUR")):
        assert len(answer.headline.split()) <= LONGEST_HEADLINE
        assert len(answer.actions) <= MOST_ACTIONS
        assert 3 <= len(answer.figures) <= 5


def test_the_budget_says_what_to_move_and_how_sure_that_is():
    register = make({"letter": 1.0, "coupon": -1.0}, ends=["2026-01-01", "2027-01-01"])
    answer = budget_answer(rm.allocate_budget(register, 10_000, draws=50), currency="EUR")
    moved = "Move EUR 10,000 from “coupon” to “letter”: it pays with probability more than 99 %."
    assert answer.headline == moved


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        ({"club": None}, "No effort has evidence that may decide. Test “club” first."),
        ({"coupon": -1.0}, "Stop spending EUR 10,000 on “coupon”: to stop pays with probability more than 99 %."),
        ({"letter": 1.0}, "Spend EUR 10,000 on “letter”."),
    ],
)
def test_other_budgets_have_headlines_of_their_own(values, headline):
    answer = budget_answer(rm.allocate_budget(make(values), 10_000, draws=50), currency="EUR")
    assert answer.headline == headline


def test_keeping_is_compared_with_winning():
    new = {"value": 12.0, "value_lower": 11.0, "value_upper": 13.0, "cost": 10.0, "reach": 500}
    found = rm.allocate_budget(make({"letter": 1.0}), 15_000, acquisition=new, draws=20)
    said = " ".join(budget_answer(found, currency="EUR").actions)
    assert "Keeping customers earns more: EUR 100 net per 100 spent on keeping, EUR 20.0 on winning." in said
    assert "Winning gets only what keeping cannot use." in said


def test_overlap_and_stale_evidence_are_told():
    contacts = pd.DataFrame({"customer_id": [1, 1, 2], "effort": ["letter", "mail", "mail"], "date": "2026-06-01"})
    register = make({"letter": 1.0, "mail": 0.1}, population=["students", ""])
    efforts = register.efforts.drop(columns="cost_per_year").reset_index()
    again = rm.read_register(efforts, as_of="2026-06-30", contacts=contacts)
    again = again.add([each.effect for each in register.measurements])
    said = " ".join(register_answer(again).sureness)
    assert "50 % of customers are in two or more" in said
    assert "on other customers: “letter”" in said


def test_facts_say_whose_data_and_as_of_when():
    facts = register_facts(make(ALL), name="efforts.csv")
    assert facts == {
        "data": "efforts.csv", "as of": "2026-06-30", "efforts": "4", "departments": "CRM", "stored effects": "3",
    }  # fmt: skip


def test_a_headline_names_all_efforts_whose_money_it_adds_up():
    answer = budget_answer(rm.allocate_budget(make({"a": -1.0, "b": -2.0}), 20_000, draws=20))
    assert answer.headline.startswith("Stop spending 20,000 on “a” and “b”: ")


def test_no_headline_cuts_an_effort_that_is_funded_in_full():
    register = make({"letter": 1.0, "mail": 2.0})
    cheap = [replace(each.effect, cost=0.2) for each in register.measurements]
    register = replace(register, measurements=()).add(cheap)
    answer = budget_answer(rm.allocate_budget(register, 50_000, draws=20))
    assert answer.headline == "Spend 20,000 on “letter” and “mail”."


def test_a_budget_that_earns_less_than_today_is_no_reason_to_stop():
    register = make({"letter": 1.0})
    answer = budget_answer(rm.allocate_budget(register, 8_000, draws=20), currency="EUR")
    assert answer.headline == (
        "Keep today's spending: EUR 8,000 in whole efforts earns less with probability more than 99 %."
    )


def test_unknown_costs_are_never_an_amount_of_zero():
    answer = register_answer(make({"letter": 1.0, "club": None}, cost_per_contact=None))
    assert answer.headline == "No effort has a stated cost. Proven to pay: 1 of 2 efforts."
    assert [figure.value for figure in answer.figures][:4] == ["not stated"] * 4


def test_evidence_out_of_date_is_not_called_unmeasured():
    answer = register_answer(make({"letter": 1.0}, population="students"))
    assert answer.headline.endswith("EUR 10,000 not measured or out of date.")


def test_efforts_that_nobody_measured_get_no_value_of_zero():
    answer = budget_answer(rm.allocate_budget(make({"club": None, "mail": None}), 10_000, draws=50), currency="EUR")
    assert [figure.label for figure in answer.figures] == ["Budget a year", "Without evidence", "Test first"]
    assert answer.actions[0].startswith("Test “club” before the money is spent")
    assert answer.sureness == ("Not funded, since nothing measured may decide: “club” and “mail”.",)


def test_a_page_names_the_file_and_not_its_folder():
    assert register_facts(make(ALL), name="/home/ann/efforts.csv")["data"] == "efforts.csv"
