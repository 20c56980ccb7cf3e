"""The register of efforts: states by rules, money by group, gaps, overlaps, and bad input with its message."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.efforts.effort_file import KINDS, read_kind

AS_OF = "2026-06-30"


def measured(intervention, gain, error, **others):
    """An effect with money; its value has a normal law."""
    stated = {
        "intervention": intervention, "outcome": "margin", "unit": "EUR per customer", "scale": "difference",
        "estimand": "difference in means", "estimate": gain, "std_error": error, "population": "customers", "n": 4_000,
        "assigned_by": "random", "cost": 0.5, "value": gain, "value_lower": gain - 1.959964 * error,
        "value_upper": gain + 1.959964 * error, "measured_on": "2026-03-01",
    }  # fmt: skip
    return rm.Effect(**stated | others)


PASSED = rm.Check("Earlier periods", True, detail="Alike.")
FAILED = rm.Check("Sample ratio", False, detail="Half got lost.")
IDLE = rm.Check("Ceiling", False, detail="Hangs on few.", decides=False)
RULE = {"assigned_by": "rule", "design": "quasi-experimental"}

# Fourteen efforts, each with its effects and the state that the rules give it.
CASES = {
    "letter": ([measured("letter", 1.0, 0.2)], "proven"),
    "coupon": ([measured("coupon", -1.0, 0.2)], "harmful"),
    "e-mail": ([measured("e-mail", 0.1, 0.2)], "undecided"),
    "club": ([], "unmeasured"),
    "old club": ([measured("old club", 1.0, 0.2, measured_on="2024-03-01")], "stale"),
    "students": ([measured("students", 1.0, 0.2)], "stale"),
    "join": ([measured("join", 1.0, 0.1, assigned_by="choice")], "undecided"),
    "stores": ([measured("stores", 1.0, 0.2, checks=(PASSED,), **RULE)], "proven"),
    "regions": ([measured("regions", 1.0, 0.2, checks=(replace(PASSED, passed=None),), **RULE)], "undecided"),
    "broken": ([measured("broken", 1.0, 0.2, checks=(FAILED,))], "undecided"),
    "ceiling": ([measured("ceiling", 1.0, 0.2, checks=(IDLE,))], "proven"),
    "dear": ([measured("dear", 1.0, 0.2)], "harmful"),
    "no money": ([measured("no money", 1.0, 0.2, value=None, value_lower=None, value_upper=None)], "undecided"),
    "twice": ([measured("twice", 1.0, 0.2), measured("twice", -1.0, 0.2, n=5_000)], "undecided"),
}


@pytest.fixture
def efforts():
    frame = pd.DataFrame({"effort": list(CASES), "kind": "e-mail", "owner": "Ann", "department": "CRM"})
    frame["cost_per_contact"], frame["reach"], frame["fixed_cost"] = 0.5, 10_000.0, 0.0
    frame["started"], frame["ends"], frame["review_date"] = "2025-01-01", "2027-01-01", None
    frame["population"] = ""
    frame = frame.set_index("effort")
    frame.loc["old club", "review_date"] = "2026-01-01"
    frame.loc["students", "population"] = "students"
    frame.loc["dear", "fixed_cost"] = 40_000.0
    return frame.reset_index()


@pytest.fixture
def register(efforts):
    found = rm.read_register(efforts, as_of=AS_OF, currency="EUR")
    for effects, _ in CASES.values():
        found = found.add(effects) if effects else found
    return found


def test_each_effort_has_the_state_that_the_rules_give_it(register):
    assert register.table["state"].to_dict() == {name: state for name, (_, state) in CASES.items()}


def test_each_state_says_why(register):
    reason = register.table["reason"]
    assert reason["join"] == "an observational difference proves nothing"
    assert "Sample ratio" in reason["broken"]
    assert "2024-03-01" in reason["old club"]
    assert "students" in reason["students"]
    assert "another that it loses money" in reason["twice"]
    assert "no value was measured" in reason["no money"]
    assert "fixed" not in reason["letter"]


def test_money_of_a_year_is_reach_times_value_less_the_fixed_cost(register):
    table = register.table
    assert table.loc["letter", "annual_value"] == pytest.approx(10_000.0)
    assert table.loc["letter", "annual_value_lower"] == pytest.approx(10_000 * (1 - 1.959964 * 0.2))
    assert table.loc["dear", "annual_value"] == pytest.approx(-30_000.0)
    assert table.loc[["join", "broken", "no money", "club"], "annual_value"].isna().all()


def test_an_undecided_effort_names_the_test_that_would_decide(efforts):
    small = measured("e-mail", 0.1, 0.2, smallest_gain=0.25)
    found = rm.read_register(efforts, as_of=AS_OF).add([small, measured("letter", 1.0, 0.2)]).table
    needed = found["customers_to_decide"]
    assert needed["e-mail"] == int(np.ceil(4_000 * (1.959964 * 0.2 / 0.25) ** 2))  # half width of the interval: 0.25
    assert pd.isna(needed["letter"])


def test_no_test_smaller_than_the_one_that_did_not_decide_is_said_to_decide(register):
    row = register.table.loc["e-mail"]  # its interval is 0.39 wide to each side, and a contact costs 0.50
    assert pd.isna(row["customers_to_decide"])
    assert row["reason"].endswith("gain and loss, and its test was as large as the smallest gain that matters needs")
    assert register.table.loc["join", "customers_to_decide"] < 4_000  # a random test may be smaller than a comparison


def test_a_register_without_reach_cannot_pay_back_a_fixed_cost(efforts):
    efforts.loc[0, ["reach", "fixed_cost"]] = [np.nan, 10.0]
    found = rm.read_register(efforts, as_of=AS_OF).add(measured("letter", 1.0, 0.2))
    assert found.table.loc["letter", "state"] == "undecided"
    assert "reach is missing" in found.table.loc["letter", "reason"]
    assert rm.read_register(efforts, as_of=AS_OF).add(measured("letter", 1.0, 0.2, reach=100)).table.loc[
        "letter", "annual_value"
    ] == pytest.approx(90.0)


def test_of_two_tests_one_must_decide_at_half_the_error(efforts):
    two = [measured("letter", 0.43, 0.2), measured("letter", 0.1, 0.2, n=9)]
    found = rm.read_register(efforts, as_of=AS_OF).add(two)
    assert found.table.loc["letter", "state"] == "undecided"  # 0.43 is 2.15 errors from 0, and 2.24 are needed
    found = rm.read_register(efforts, as_of=AS_OF).add([measured("letter", 0.46, 0.2), two[1]])
    assert found.table.loc["letter", "state"] == "proven"
    assert len(found.evidence.query("effort == 'letter'")) == 2


def test_three_tests_are_pooled_and_their_heterogeneity_is_shown(efforts):
    three = [measured("letter", value, 0.2, n=n) for n, value in enumerate((0.5, 1.0, 1.5), start=10)]
    rows = rm.read_register(efforts, as_of=AS_OF).add(three).evidence.query("effort == 'letter'")
    assert rows["data"].iloc[-1] == "pooled (3)"
    assert rows["heterogeneity"].iloc[-1] == pytest.approx(np.sqrt(0.25 - 0.04))  # Paule and Mandel, equal errors
    assert rows["value"].iloc[-1] == pytest.approx(1.0)
    half = rows["value_upper"].iloc[-1] - 1.0
    assert half == pytest.approx(4.302653 * np.sqrt(0.25 / 3), rel=1e-6)  # t with 2 degrees of freedom


def test_effects_on_the_same_data_are_one_piece_of_evidence(efforts):
    same = [measured("letter", 1.0, 0.2, outcome=name) for name in ("margin", "margin of members")]
    found = rm.read_register(efforts, as_of=AS_OF).add(same, data="test of May")
    assert found.table.loc["letter", "pieces"] == 1
    assert found.evidence.query("effort == 'letter'")["data"].tolist() == ["test of May"]


def test_money_is_summed_by_state_and_by_department(register):
    money = register.money()
    assert money["efforts"].sum() == len(CASES)
    assert money.loc["proven", "efforts"] == 3
    assert money.loc["proven", "annual_value"] == pytest.approx(30_000.0)
    spread = money.loc["proven", "annual_value_upper"] - 30_000
    assert spread == pytest.approx(1.959964 * 2_000 * np.sqrt(3), rel=1e-6)
    by = register.money(by="department")
    assert by.loc["CRM", "unmeasured"] == 5_000
    assert by.loc["CRM", "cost_per_year"] == 14 * 5_000 + 40_000
    with pytest.raises(ValueError, match="by must be one of"):
        register.money(by="month")


def test_the_whole_stands_beside_the_sum_of_the_parts(register):
    whole = measured("all", 1.0, 0.3, reach=40_000)
    totals = register.totals(whole)
    assert totals.loc["all efforts together", "annual_value"] == 40_000
    assert totals.loc["sum of the parts", "efforts"] == 7
    with pytest.raises(ValueError, match="needs a value, reach"):
        register.totals(measured("all", 1.0, 0.3))


def test_customers_in_several_efforts_are_counted_on_every_engine(efforts):
    contacts = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 3, 3, 3, 4],
            "effort": ["letter", "e-mail", "letter", "letter", "e-mail", "e-mail", "letter"],
            "date": ["2026-01-01"] * 6 + ["2024-01-01"],
        }
    )
    for given in (contacts, pl.from_pandas(contacts)):
        found = rm.read_register(efforts, as_of=AS_OF, contacts=given)
        assert found.overlap.loc["letter", "e-mail"] == 2
        assert found.overlap.loc["letter", "letter"] == 3  # the one of 2024 is not of the last year
        assert found.overlap.attrs["share_in_several"] == pytest.approx(2 / 3)
        assert found.totals().attrs["share_in_several"] == pytest.approx(2 / 3)


def test_gaps_name_what_is_missing(efforts):
    efforts.loc[0, "owner"], efforts.loc[1, "ends"] = "unknown", None
    efforts.loc[2, ["cost_per_contact", "fixed_cost"]] = np.nan
    register = rm.read_register(efforts, as_of=AS_OF)
    assert register.gaps["owner"].to_dict() == {"letter": True, "coupon": False, "e-mail": False}
    assert register.gaps.loc["coupon", "ends"]
    assert register.gaps.loc["e-mail", "cost_per_year"]
    check = register.checks[0]
    assert check.passed is False
    assert "1 without an owner, 1 without a cost, 1 without an end" in check.detail


def test_effects_of_no_effort_are_named(register):
    assert register.unmatched == ()
    found = register.add(measured("billboard", 1.0, 0.2))
    assert found.unmatched == ("billboard",)
    assert "billboard" in str(found)
    assert register.add(measured("arm 2", 1.0, 0.2), effort="Letter").unmatched == ()
    assert register.add(measured("arm 2", 1.0, 0.2), effort={"arm 2": "club"}).table.loc["club", "state"] == "proven"


def test_rows_that_are_not_randomised_say_what_would_overturn_them(register):
    overturn = register.evidence.set_index("effort")["overturn"]
    assert "Overturned by a hidden difference" in overturn["join"]
    assert overturn["letter"] == ""


def test_shrinkage_is_per_cost_and_leaves_out_what_may_not_decide(register):
    shrunk = register.shrunk()
    assert set(shrunk.index) == {
        "letter",
        "coupon",
        "e-mail",
        "stores",
        "ceiling",
        "dear",
        "twice",
    }
    assert shrunk.loc["letter", "return"] == pytest.approx(2.0)
    assert shrunk.loc["letter", "annual_value"] == pytest.approx(10_000)
    assert abs(shrunk.loc["coupon", "shrunk"]) < 2.0
    assert (shrunk["pool"] == "e-mail").all()


def test_a_department_is_one_argument(efforts):
    efforts.loc[:3, "department"] = "Service"
    assert len(rm.read_register(efforts, department="Service", as_of=AS_OF).efforts) == 4
    with pytest.raises(ValueError, match="there are CRM, Service"):
        rm.read_register(efforts, department="Sales", as_of=AS_OF)


def changed(**values):
    def change(frame):
        for name, value in values.items():
            frame[name] = frame[name].astype(object) if name in frame else None
            frame.loc[0, name] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "keywords", "message"),
    [
        (changed(kind="mail"), {}, r"kind must be one of .*fails for 1 of 14 efforts \(first: letter, with 'mail'\)"),
        (changed(owner="Bob"), {"owners": ["Ann"]}, r"owner must be one of the owners Ann.*first: letter, with 'Bob'"),
        (changed(ends="2024-01-01"), {}, r"ends must not come before started; were the days exchanged\?.*2024-01-01"),
        (changed(review_date="2024-01-01"), {}, "review_date must not come before started"),
        (changed(started="soon"), {}, r"started must be a day such as 2026-12-31, or empty.*with 'soon'"),
        (changed(reach="many"), {}, r"reach must be a number, or empty.*'many'"),
        (changed(), {"customers": 9_000}, r"reach must not be above the 9,000 customers there are.*14 of 14"),
        (changed(reach=1.5), {}, "reach must be a whole number of customers"),
        (changed(fixed_cost=-1.0), {}, "fixed_cost must be a finite number, 0 or more, or empty.*with -1"),
        (changed(effort="coupon"), {}, r"effort must stand once.*2 of 14"),
        (changed(effort=""), {}, "effort must name the effort"),
        (lambda f: f.drop(columns="kind"), {}, "the register has no column 'kind'"),
        (lambda f: f.rename(columns={"owner": "ownr"}), {}, "a column 'ownr'; rename it to 'owner'"),
        (lambda f: f.iloc[:0], {}, "the register has no row"),
        (changed(evidence="gone.json"), {}, "evidence of letter: there is no file gone.json"),
        (changed(), {"as_of": "today"}, "as_of must be a day"),
        (changed(cost_per_contact=np.inf), {}, "cost_per_contact must be a finite number.*first: letter, with inf"),
        (lambda f: f.rename(columns=str.title), {}, "a column 'Effort'; rename it to 'effort'"),
    ],
)
def test_bad_input_is_refused_with_column_value_rule_and_count(efforts, change, keywords, message):
    with pytest.raises(ValueError, match=message):
        rm.read_register(change(efforts), **{"as_of": AS_OF} | keywords)


def test_there_must_be_an_effect_to_add(register):
    with pytest.raises(ValueError, match="no effect to add"):
        register.add([])
    with pytest.raises(TypeError, match="effects must be"):
        register.add(["letter"])


def test_stored_effects_that_evidence_names_are_read(efforts, tmp_path):
    measured("arm 2", 1.0, 0.2).to_json(tmp_path / "club.json")
    efforts["evidence"] = ""
    efforts.loc[3, "evidence"] = "club.json"
    efforts.loc[0, "evidence"] = "06_did_the_campaign_work.html"
    efforts.to_csv(tmp_path / "efforts.csv", index=False)
    found = rm.read_register(tmp_path / "efforts.csv", as_of=AS_OF)
    assert found.table.loc["club", "state"] == "proven"
    assert found.table.loc["letter", "reason"] == "a report is named, but no row of it is stored"


def test_a_file_and_a_frame_give_the_same_register(efforts, tmp_path):
    efforts.to_csv(tmp_path / "efforts.csv", index=False)
    of_file = rm.read_register(tmp_path / "efforts.csv", as_of=dt.date(2026, 6, 30))
    pd.testing.assert_frame_equal(of_file.table, rm.read_register(efforts, as_of=AS_OF).table)


def endless(name):
    """An effect whose interval has no end: five orders of the assignment tell nothing at 95 %."""
    ends = (-np.inf, -0.2, 0.1, 0.4, 1.0), (1.0, 1.4, 1.8, 2.0, np.inf)
    law = rm.interventions.effects.laws.Permutation(1.0, 0.2, *ends)
    return measured(name, 1.0, 0.2, value_law=law, value_lower=None, value_upper=None)


def test_an_interval_without_an_end_is_no_money_that_a_budget_may_trust(efforts):
    found = rm.read_register(efforts, as_of=AS_OF).add(endless("letter"))
    row = found.table.loc["letter"]
    assert row["state"] == "undecided"
    assert "has no end" in row["reason"]
    assert pd.isna(row["annual_value"])
    assert found.offers.set_index("effort")["value"].isna()["letter"]
    assert not np.isinf(found.evidence[["value_lower", "value_upper"]].astype(float)).any().any()


def test_effects_without_error_and_costs_below_zero_leave_the_tables_whole(efforts):
    efforts.loc[efforts["effort"] == "ceiling", "cost_per_contact"] = np.nan  # known by its test only
    found = rm.read_register(efforts, as_of=AS_OF)
    names = ["letter", "coupon", "e-mail", "club", "join"]
    found = found.add([measured(name, 0.1 * i, 0.0 if i == 0 else 0.2) for i, name in enumerate(names)])
    assert found.shrunk().loc["letter", ["pool", "shrunk"]].tolist() == ["not shrunk", 0.0]
    found = found.add(measured("ceiling", 1.0, 0.2, cost=-0.3))
    assert "ceiling" in found.shrunk().attrs["without_cost"]
    assert found.offers.set_index("effort")["cost"]["ceiling"] == 0


def test_an_end_in_the_year_9999_is_none(tmp_path):
    path = tmp_path / "efforts.csv"
    path.write_text("effort,kind,started,ends\nmail,e-mail,2025-01-01,9999-12-31\n", encoding="utf-8")
    found = rm.read_register(path, as_of=AS_OF)
    assert found.gaps.loc["mail", "ends"]
    assert rm.plots.plot_effort_calendar(found.calendar).get_title(loc="left") is not None


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("effort,kind\nM\u00e4iling,e-mail\n", "cp1252", "save it as UTF-8"),
        ('effort,kind,reach\nmail,e-mail,"20,000"\n', "utf-8", "can mean two things.*numbers like 1234.5"),
        ("effort,kind,started\nmail,e-mail,01/03/2025\n", "utf-8", "can mean two things.*days like 2026-12-31"),
        ("effort,kind\nmail,e-mail\n,\n", "utf-8", r"must name the effort; .*\(first: row 2, with ''\)"),
        ("effort,kind\nSTRASSE,e-mail\nstra\u00dfe,print\n", "utf-8", "must stand once"),
    ],
)
def test_a_file_as_people_write_it_is_refused_with_a_remedy_that_exists(tmp_path, text, encoding, message):
    path = tmp_path / "efforts.csv"
    path.write_text(text, encoding=encoding)
    with pytest.raises(ValueError, match=message) as refused:
        rm.read_register(path)
    assert "State one" not in str(refused.value)
    assert "encoding=" not in str(refused.value)


def test_owners_are_a_list_and_damaged_evidence_is_named(efforts, tmp_path):
    with pytest.raises(TypeError, match="owners must be a list of names"):
        rm.read_register(efforts, owners="Ann")
    (tmp_path / "x.json").write_text("{}")
    efforts["evidence"] = str(tmp_path / "x.json")
    with pytest.raises(ValueError, match=r"evidence of letter: .*x\.json: "):
        rm.read_register(efforts)


def test_a_register_without_costs_has_no_budget_and_says_what_to_fill_in():
    bare = rm.read_register(pd.DataFrame({"effort": ["mail"], "kind": ["e-mail"]}), as_of=AS_OF)
    with pytest.raises(ValueError, match="no effort of the register has both a cost and a reach; fill in"):
        rm.allocate_budget(bare, 500)


def test_stale_values_are_summed_in_their_state_only(efforts):
    found = rm.read_register(efforts, as_of=AS_OF)
    found = found.add([*CASES["letter"][0], *CASES["students"][0]])
    assert found.money().loc["stale", "annual_value"] == pytest.approx(10_000)
    assert found.money("department").loc["CRM", "annual_value"] == pytest.approx(10_000)
    assert found.totals()["annual_value"].tolist() == pytest.approx([10_000])


def test_contacts_in_capitals_are_the_same_effort(efforts):
    rows = [(1, "letter"), (1, "Letter"), (2, "LETTER"), (2, "coupon"), (3, "coupon")]
    contacts = pd.DataFrame(rows, columns=["customer_id", "effort"]).assign(date="2026-06-01")
    for frame in (contacts, pl.from_pandas(contacts)):
        found = rm.read_register(efforts, as_of=AS_OF, contacts=frame).overlap
        assert found.to_numpy().tolist() == [[2, 1], [1, 2]]
        assert found.attrs["in_several"] == 1


def test_the_picture_counts_no_row_that_may_not_decide(efforts):
    found = rm.read_register(efforts, as_of=AS_OF)
    found = found.add([effect for name in ("letter", "coupon", "students", "broken") for effect in CASES[name][0]])
    ax = rm.plots.plot_efforts(found.evidence)
    assert "1 of 14 rows above their costs, 1 below, 10 without money" in ax.get_title(loc="left")


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("E-Mail", "e-mail"), ("email", "e-mail"), ("e-mails", "e-mail"), ("Discounts", "discount"),
        ("point", "points"), ("Loyalty Program", "loyalty programme"), ("members\u2019 offers", "members' offer"),
        ("Winback", "win-back"), ("self service", "self-service"), ("Service", "service"),
    ],
)  # fmt: skip
def test_a_kind_is_read_in_capitals_with_or_without_hyphens_and_in_the_plural(written, kind):
    assert rm.read_register(pd.DataFrame({"effort": ["a"], "kind": [written]})).efforts["kind"].tolist() == [kind]


def test_no_two_kinds_are_read_alike_and_each_is_itself():
    assert [read_kind(kind) for kind in KINDS] == list(KINDS)
    assert read_kind("mail") == "mail"


def test_one_test_stored_in_capitals_and_not_is_one_piece(efforts):
    two = [measured("letter", 1.0, 0.2), measured("LETTER", 1.0, 0.2, outcome="margin of members")]
    assert rm.read_register(efforts, as_of=AS_OF).add(two, data="May").table.loc["letter", "pieces"] == 1


def test_what_was_measured_later_or_in_another_currency_is_no_evidence(efforts):
    later, dollars = (
        measured("letter", 1.0, 0.2, measured_on="2026-07-01"),
        measured("club", 1.0, 0.2, unit="USD a head"),
    )
    found = rm.read_register(efforts, as_of=AS_OF, currency="EUR").add([later, dollars]).table.loc[["letter", "club"]]
    assert found["state"].tolist() == ["unmeasured"] * 2
    assert found["reason"].tolist() == [
        "measured on 2026-07-01, which is after 2026-06-30",
        "measured in USD, and the register is in EUR",
    ]
    unnamed = rm.read_register(efforts, as_of=AS_OF).add([later, dollars, measured("letter", -1.0, 0.2)])
    assert unnamed.table.loc[["letter", "club"], "state"].tolist() == ["harmful", "proven"]


def test_an_effort_that_reaches_nobody_does_not_earn_its_fixed_cost(efforts):
    efforts.loc[0, ["reach", "fixed_cost"]] = [0, 10.0]
    found = rm.read_register(efforts, as_of=AS_OF).add(measured("letter", 1.0, 0.2)).table.loc["letter"]
    assert (found["state"], found["annual_value"]) == ("undecided", -10.0)
    assert "its reach is 0" in found["reason"]


@pytest.mark.parametrize("name", ["customer_id", "effort", "date"])
def test_contacts_with_gaps_are_refused(efforts, name):
    contacts = pd.DataFrame({"customer_id": ["a", "b"], "effort": "letter", "date": "2026-01-01"}).astype(object)
    contacts.loc[0, name] = None
    with pytest.raises(ValueError, match=f"the table of contacts has no {name} in 1 of 2 rows; fill it in"):
        rm.read_register(efforts, contacts=contacts, as_of=AS_OF)


def test_adding_refuses_a_misspelt_intervention_and_data_that_are_no_name(register):
    with pytest.raises(ValueError, match="effort names 'leter', which is the intervention of none of these effects"):
        register.add(measured("letter", 1.0, 0.2), effort={"leter": "letter"})
    with pytest.raises(TypeError, match="data must be"):
        register.add(measured("letter", 1.0, 0.2), data=5)


@pytest.mark.parametrize(
    ("costs", "currency", "said"),
    [
        (("1 EUR", "10 USD"), "", r"USD \(fixed_cost\) and EUR \(cost_per_contact\)"),
        (("1 USD", "10"), "EUR", r"EUR \(the register\) and USD \(cost_per_contact\)"),
        (("\u00a31", "\u20ac10"), "", r"EUR \(fixed_cost\) and GBP \(cost_per_contact\)"),
    ],
)
def test_costs_in_two_currencies_are_refused(costs, currency, said):
    frame = pd.DataFrame({"effort": ["a"], "kind": ["points"], "cost_per_contact": costs[:1], "fixed_cost": costs[1:]})
    with pytest.raises(ValueError, match=rf"the costs are in several currencies, {said}; convert them to one"):
        rm.read_register(frame, currency=currency)


def test_a_currency_beside_each_cost_is_read():
    frame = pd.DataFrame({"effort": ["a", "b"], "kind": "points", "cost_per_contact": ["\u20ac1.50", "\u20ac2"]})
    assert rm.read_register(frame, currency="EUR").efforts["cost_per_contact"].tolist() == [1.5, 2.0]


def on_stores(**others):
    """The effect of a roll-out on stores, worth 100 a store and week."""
    units = {"panel_unit": "store", "population": "40 units over 104 periods", "n": 40, "reach": 40, "cost": 30.0}
    weeks = {"repeats": 52, "horizon": 1, "time_unit": "W", "checks": (PASSED,)}
    return measured("club", 100.0, 20.0, **RULE | units | weeks | others)


def test_the_money_of_a_roll_out_counts_its_stores_not_the_customers_of_the_register(efforts):
    efforts.loc[efforts["effort"] == "club", "population"] = "members"
    register = rm.read_register(efforts, as_of=AS_OF, currency="EUR").add([on_stores()])
    assert register.table.loc["club", "state"] == "proven"
    assert register.table.loc["club", "annual_value"] == pytest.approx(40 * 52 * 100.0)
    rows = rm.allocate_budget(register, 1e9).table
    assert rows.loc["club", "cost"].item() == pytest.approx(40 * 52 * 30.0)
    assert register.shrunk().loc["club", "return"] == pytest.approx(100 / 30)


def test_without_the_number_of_stores_a_roll_out_has_no_money_of_a_year(efforts):
    efforts.loc[efforts["effort"] == "club", "fixed_cost"] = 1_000.0
    register = rm.read_register(efforts, as_of=AS_OF, currency="EUR").add([on_stores(reach=None)])
    assert register.table.loc["club", "state"] == "undecided"
    assert "reach in units (store) is missing" in register.table.loc["club", "reason"]
    assert pd.isna(register.table.loc["club", "annual_value"])
    assert "club" not in rm.allocate_budget(register, 1e9).table.index


def test_stores_and_customers_are_not_pooled(efforts):
    pieces = [measured("club", 1.0, 0.2, n=4_000 + i) for i in range(2)] + [on_stores()]
    register = rm.read_register(efforts, as_of=AS_OF, currency="EUR").add(pieces)
    evidence = register.evidence
    assert not evidence.loc[evidence["effort"] == "club", "data"].str.startswith("pooled").any()
