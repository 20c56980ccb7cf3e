"""What the value of contracts says in words."""

import re

import pandas as pd
import pytest

import retention_models as rm
from retention_models.core.check import Check
from retention_models.fitting.estimate import fit
from retention_models.narrative.answer import MIME
from retention_models.narrative.contract_values import (
    contract_answer,
    known_contract_values,
    second_spell_text,
    value_by_habit,
)
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.value.saved_customers import saved_value

TERMS = rm.Terms(price=100.0, annual_discount_rate=0.1, billing_period="Y", currency="EUR")
REGULAR = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})


def answer(model, kept, tenures, **more):
    found, base = fit(model, kept), pd.DataFrame({"tenure": tenures})
    parts = {"the model": rm.value.value_by_evidence(found, base, TERMS, kept)}
    return contract_answer(parts, saved_value(found, base, TERMS), terms=TERMS, customers=len(base), **more)


def test_the_answer_gives_the_base_within_what_was_seen_and_a_saved_customer():
    found = answer(ShiftedBetaGeometric, REGULAR, [0, 0, 2, 4])
    assert re.fullmatch(
        r"Spend at most EUR [\d,.]+ to keep a customer who would leave; all 4 are worth EUR [\d,]+ to [\d,]+ within 4 "
        r"renewals\.", found.headline
    )  # fmt: skip
    assert len(found.headline.split()) <= 25
    assert "one saved: from EUR 199 before the first renewal to EUR 383 after renewal 4." in found.actions[0]
    assert "Beyond these renewals the models add EUR " in " ".join(found.sureness)
    assert [figure.label for figure in found.figures] == [
        "Value, next 4 renewals", "A saved customer", "Expected to leave at the next renewal"
    ]  # fmt: skip


def test_both_ends_of_sorting_and_habit_are_told():
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 0, 3]})
    saved = saved_value(found, base, TERMS)
    leaving, renewing = saved["leaving"].iloc[:-1], saved["renewing_value"].iloc[:-1]
    habit = (leaving * renewing).sum() / leaving.sum()
    assert value_by_habit(saved) == pytest.approx(habit)
    assert habit > saved["value"].iloc[-1]
    told = answer(ShiftedBetaGeometric, REGULAR, [0, 0, 3])
    assert f"and {TERMS.written(habit)} if loyalty grows with tenure (habit). With one spell" in told.sureness[-1]
    assert told.figures[1].range.endswith(f" to {habit:.0f}")
    assert "habit" not in " ".join(answer(Geometric, REGULAR, [0, 3]).sureness)
    back = pd.DataFrame({"customers": [254], "renewals": [2051], "lost": [155], "if_sorting": [157], "if_habit": [103]})
    back = back.assign(sorting_share=1.0, sorting_share_lower=0.5, sorting_share_upper=1.5)
    told = answer(ShiftedBetaGeometric, REGULAR, [0, 0, 3], back=back)
    assert told.figures[1].range.endswith(f" to {saved['value_upper'].iloc[-1]:.0f}")


def test_the_range_covers_every_model_that_fits():
    rows = {"renewals": [4.0], "value": [100.0], "share_at_rare_tenures": [0.25]}
    low, high = (
        pd.DataFrame(rows | {"value_lower": [a], "value_upper": [b]}, index=["seen"]) for a, b in ((90, 110), (70, 95))
    )
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 3]})
    saved = saved_value(found, base, TERMS)
    told = contract_answer({"A": low, "B": high}, saved, terms=TERMS, customers=2)
    said = " ".join(told.sureness)
    assert "all 2 are worth EUR 70.00 to 110 within 4 renewals." in told.headline
    assert "covers parameters, over 2 models. 2 models fit about equally well." in said
    assert "25 % of the value is paid at tenures that fewer than 30 contracts have reached." in said
    assert "Beyond" not in said


def test_the_answer_tells_no_tenures_where_all_are_worth_the_same():
    assert answer(Geometric, REGULAR, [0, 2, 4]).actions[0].endswith("the value of one saved.")
    assert answer(ShiftedBetaGeometric, REGULAR, [2]).actions[0].endswith("the value of one saved.")


def test_customers_of_different_prices_are_compared_by_what_one_is_worth_in_its_own_price():
    """An expensive plan with few renewals and a cheap one with many: money would compare prices, not tenures."""
    base = pd.DataFrame({"tenure": [0, 1, 1, 4], "weight": 10.0, "price": [9.0, 9.0, 500.0, 9.0]})
    by_price = rm.Terms(price="price", annual_discount_rate=0.1, billing_period="Y", currency="EUR")
    one = rm.Terms(price=1.0, annual_discount_rate=0.1, billing_period="Y")
    found = fit(ShiftedBetaGeometric, REGULAR)
    parts = {"the model": rm.value.value_by_evidence(found, base, by_price, REGULAR)}
    saved, in_prices = (saved_value(found, base, terms) for terms in (by_price, one))
    assert saved["value"].iloc[:-1].argmax() == 1
    told = contract_answer(parts, saved, terms=by_price, customers=40, in_prices=in_prices)
    first, last = (rm.narrative.three_digits(in_prices["value"].loc[made]) for made in (0, 4))
    assert told.actions[0].endswith(
        f"one saved: from {first} times the price before the first renewal to {last} times the price after renewal 4."
    )
    assert re.match(
        r"Spend at most \d\.\d+ times the price to keep a customer who would leave; all 40 are ", told.headline
    )
    assert len(told.headline.split()) <= 25
    assert all("times the price" in figure.value for figure in told.figures if figure.label == "A saved customer")


def test_payments_ask_for_a_price_and_a_margin():
    counted = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 3]})
    parts = {"A": rm.value.value_by_evidence(found, base, counted, REGULAR)}
    told = contract_answer(parts, saved_value(found, base, counted), terms=counted, customers=2)
    assert told.actions[1] == "State the price and the margin, to read these values in money."
    assert re.search(r"are worth [\d.]+ to [\d.]+ payments within", told.headline)


def test_a_range_without_an_earlier_forecast_does_not_claim_their_errors():
    row = {"renewals": 4.0, "value": 100.0, "share_at_rare_tenures": 0.25, "value_lower": 90.0, "value_upper": 110.0}
    planned = pd.DataFrame(row | {"planning_lower_95": 80.0, "planning_upper_95": 120.0}, index=["seen"])
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 3]})
    saved = saved_value(found, base, TERMS)
    for n, covered in ((0, "a stated error of 5 % of churn"), (3, "the errors of earlier forecasts")):
        told = contract_answer({"A": planned}, saved, terms=TERMS, customers=2, earlier_forecasts=n)
        assert told.sureness[0] == f"The range (95 %) covers parameters, chance and {covered}."
        assert ("No earlier forecast can be tested." in told.sureness) == (n == 0)


def test_a_table_whose_churn_is_not_that_of_earlier_times_gives_no_value():
    failed = Check("Implied number of new customers", False, detail="More than a billion must have joined.")
    told = answer(ShiftedBetaGeometric, REGULAR, [0, 3], checks=[failed])
    assert told.headline.startswith("Do not plan with this table: its churn is not that of earlier times.")
    assert [figure.label for figure in told.figures] == ["Expected to leave at the next renewal"]
    assert "EUR" not in repr(told)


def test_the_parts_of_a_value_are_shown_without_inf_and_shares_in_percent():
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 3]})
    shown = rm.narrative.evidence_parts_table({"A": rm.value.value_by_evidence(found, base, TERMS, REGULAR)})
    assert shown.loc["A", "renewals"].tolist() == ["4", "no end"]
    assert shown["share"].str.endswith(" %").all()


def test_a_group_is_a_covariate_where_the_model_knows_one():
    plans = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in plans.items() for t in range(4)]
    table = pd.DataFrame(rows, columns=["my plan", "tenure", "at_risk", "lost"])
    fitted = rm.fit(rm.ShiftedBetaGeometric, table)
    found, test = rm.narrative.group_as_covariate(fitted, table, "my plan")
    assert found.log_likelihood > fitted.log_likelihood
    assert test["p_value"].tolist() == ["< 0.001"]
    numbered = table.assign(region=table["my plan"].map({"regular": 1, "high end": 2}))
    again, _ = rm.narrative.group_as_covariate(fitted, numbered, "region")
    assert again.log_likelihood == pytest.approx(found.log_likelihood)
    (alone,) = rm.narrative.group_as_covariate(fitted, table.assign(region="north"), "region")
    assert "region has only one level (north)" in str(alone)
    (none,) = rm.narrative.group_as_covariate(fitted, table, None)
    assert str(none) == "No group was named: one model describes all customers."
    one_rate = rm.fit(rm.survival.Geometric, table)
    (unknown,) = rm.narrative.group_as_covariate(one_rate, table, "my plan")
    assert "Geometric takes no churn_covariates" in str(unknown)


@pytest.fixture(scope="module")
def business():
    """A simulated business, its retention table and its customers."""
    simulated = rm.scenario.subscriptions(5, customers=2_500)
    spells = rm.read_contracts(simulated.contracts, sampling="acquisition", observation_end="2024-12-28")
    kept, today = (make(spells, period="M") for make in (rm.retention_table, rm.logs.active_customers))
    return simulated, spells, kept, today


def test_what_a_simulated_business_is_worth_stands_beside_the_ranges(business):
    """By the scenario's own chances: every payment of every customer, discounted."""
    simulated, _, kept, today = business
    terms = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", currency="EUR")
    parts = {"sBG": rm.value.value_by_evidence(rm.fit(rm.ShiftedBetaGeometric, kept), today, terms, kept)}
    saved = saved_value(rm.fit(rm.ShiftedBetaGeometric, kept), today, terms)
    known = known_contract_values(simulated, parts, saved, terms=terms)
    survival = simulated.expected_survival(47)
    worth = sum(6 * 1.1 ** (-(ahead - 1) / 12) * survival[ahead].sum() for ahead in survival.columns)
    assert known.loc["all customers, 47 renewals", "truth"] == pytest.approx(worth)
    assert known.loc["all customers, 47 renewals", "lower"] == parts["sBG"].loc["seen", "value_lower"]
    leave = 1 - survival[1]
    kept_on = 6 * (1 + sum(survival[n] / survival[1] * 1.1 ** (-(n - 1) / 12) for n in range(2, 48)))
    assert known.loc["a saved customer", "truth"] == pytest.approx((leave * kept_on).sum() / leave.sum())
    assert known["holds"].tolist() == known["truth"].between(known["lower"], known["upper"]).tolist()


def test_a_calendar_is_used_where_there_is_one_and_its_effects_are_told(business):
    simulated, _, kept, _ = business
    fitted = rm.fit(rm.ShiftedBetaGeometric, kept)
    timed, formula, said = rm.narrative.calendar_model(fitted, rm.logs.with_events(kept, simulated.events))
    assert formula == "month + `price_rise` + `competitor` + `retention_offer`"
    assert "Churn has a season. Price rise multiplies churn by 1." in str(said)
    assert timed.aic < fitted.aic - 20
    for table, reason in ((kept, "the forecasts assume neither"), (kept.drop(columns="cohort"), "has no dates")):
        plain, formula, said = rm.narrative.calendar_model(fitted, table)
        assert plain is fitted
        assert formula is None
        assert reason in str(said)
    strike = rm.logs.with_events(kept.query("at_risk > 30"), {"strike": ["2021-02"]})
    for column in ("at_risk", "lost"):  # nobody came to a renewal in the month of the strike
        strike[column] *= 1 - strike["strike"]
    plain, formula, said = rm.narrative.calendar_model(fitted, strike.assign(month="01"))
    assert formula is None
    assert str(said).startswith("The model does not take the calendar. ")


def test_errors_that_the_calendar_explains_are_counted():
    before = pd.DataFrame({"inside": [True, False, False], "error": [0.01, 0.1, -0.1]})
    after = pd.DataFrame({"inside": [True, True, False], "error": [0.01, 0.02, -0.09]})
    said = rm.narrative.explained_text(before, after, events=["strike"])
    assert said == (
        "With the season and the events, the mean error of the earlier forecasts is 4.0 % instead of 7.0 %. "
        "Of 2 forecasts that failed, 1 then lies inside the interval."
    )
    assert "each then lies inside" in rm.narrative.explained_text(before, after.assign(inside=True))
    assert "none then lies inside" in rm.narrative.explained_text(before, before)
    assert rm.narrative.explained_text(before.assign(inside=True), after) == ""


def test_events_explain_nothing_where_none_was_named():
    before = pd.DataFrame({"inside": [False], "error": [0.1]})
    assert rm.narrative.explained_text(before, before).startswith("With the season, the mean error")


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.5, 1.4), "That speaks for sorting."),
        ((-0.3, 0.4), "That speaks for habit."),
        ((-0.3, 1.4), "That cannot tell which."),
        ((0.3, 0.7), "That cannot tell which."),
    ],
)
def test_second_spells_speak_for_one_end_or_for_none(ends, verdict):
    row = {"customers": 254, "renewals": 2051, "lost": 155, "if_sorting": 157.0, "if_habit": 103.0}
    row |= {"sorting_share": sum(ends) / 2, "sorting_share_lower": ends[0], "sorting_share_upper": ends[1]}
    said = second_spell_text(pd.DataFrame([row]))
    assert said.startswith("The 254 customers who came back have left 155 times; sorting expects 157 and habit 103. ")
    assert said.endswith(verdict)
    assert second_spell_text(pd.DataFrame([row | {"sorting_share": float("nan")}])).startswith("With one spell")


def test_a_contract_that_begins_today_is_valued_within_what_was_seen_and_beyond(business):
    _, _, kept, _ = business
    terms = rm.Terms(price=10.0, annual_discount_rate=0.1, billing_period="M")
    seen = rm.Terms(price=10.0, annual_discount_rate=0.1, billing_period="M", horizon=47)
    fits = rm.fitting.contract_alternatives(kept)
    table = rm.narrative.new_contract_values(fits, terms, seen=seen)
    for name, each in fits.items():
        assert table.loc[name].sum() == pytest.approx(rm.value.discounted_lifetime(each, terms))
    free = rm.Terms(price=10.0, annual_discount_rate=0.0, billing_period="M", horizon=47)
    assert rm.narrative.new_contract_values(fits, free, seen=free).columns.tolist() == ["new_contract"]


def test_the_answer_says_by_which_groups_without_which_events_and_what_failed():
    failed = Check("Forecasts at earlier dates", False, detail="One of three held.")
    planned = pd.DataFrame({"ahead": [2], "expected": [1.5], "planning_lower_80": [1.0], "planning_upper_80": [1.9]})
    told = answer(
        ShiftedBetaGeometric, REGULAR, [0, 3], events=["price_rise", "strike", "new_law"], by="plan", planned=planned,
        checks=[failed, Check("fine", True, detail="It is.")], facts={"data": "a log"},
        assumed="Assumed, not stated: much.",
    )  # fmt: skip
    said = " ".join(told.sureness)
    assert "covers parameters. The model is the model, fitted by plan." in said
    assert "The value assumes no further price rise, strike or new law." in said
    assert told.figures[1].label == "Customers who stay 2 renewals"
    assert (told.figures[1].value, told.figures[1].range) == ("2 of 2", "1 to 2")
    assert told.check_counts == "2 checks: 1 passed, 1 failed"
    text = repr(told)
    for part in (told.headline, "What to do: ", "Check failed: Forecasts at earlier dates. One of", told.assumed):
        assert part in text
    plain = told._repr_mimebundle_()[MIME]
    assert plain["headline"] == told.headline
    assert [check["name"] for check in plain["checks"]] == ["Forecasts at earlier dates"]


def test_a_curve_through_every_point_has_no_error():
    """Rounding errors such as 2e-12 percentage points are no digits to read."""
    kept = pd.DataFrame({"tenure": range(1, 7), "at_risk": [1000, 500, 300, 200, 150, 120]})
    kept = kept.assign(lost=[500, 200, 100, 50, 30, 20])
    table = rm.narrative.projection_error_table(rm.narrative.projections_by_table(kept))
    small = table["fitted_error"].abs() < 1e-4
    assert small.any()
    assert (table.loc[small, "fitted_error"] == 0).all()
