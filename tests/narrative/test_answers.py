"""The answers of pages: a headline that says what to do, key figures, and how sure they are."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.core.check import Check
from retention_models.forecast.planning_range import ForecastErrors
from retention_models.narrative.answer import MIME
from retention_models.narrative.planning import past_error_text
from retention_models.narrative.purchases import status_text, written_range

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TERMS = rm.Terms(price=12, currency="EUR")


def campaign(buyers: int, *, cost: float = 0.2, assigned_by: str = "random", **plan: object):
    bought = [1] * 50 + [0] * 450 + [1] * buyers + [0] * (500 - buyers)
    rows = pd.DataFrame({"arm": ["none"] * 500 + ["mail"] * 500, "bought": bought})
    stated = (
        {"plan": rm.Plan(control="none", assigned_by=assigned_by, **plan)} if plan else {"assigned_by": assigned_by}
    )
    return rm.interventions.read_campaign(rows, TERMS, cost=cost, **stated)


def stored_answers():
    """The answer that each notebook's stored outputs hold."""
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text())["cells"]
        outputs = [o for c in cells if "decision" in c["metadata"].get("tags", []) for o in c["outputs"]]
        yield pytest.param(next(o["data"][MIME] for o in outputs if MIME in o.get("data", {})), id=path.stem)


@pytest.mark.parametrize("answer", list(stored_answers()))
def test_each_page_answers_in_few_words_with_figures_and_actions(answer):
    assert len(answer["headline"].split()) <= 25
    assert 3 <= len(answer["figures"]) <= 5
    assert 1 <= len(answer["actions"]) <= 3
    assert answer["sureness"]
    assert {"data"} < set(answer["facts"])
    for figure in answer["figures"]:
        assert figure["value"]
        assert len(figure["label"].split()) <= 8
    for sentence in (answer["headline"], *answer["actions"]):
        assert len(sentence.split()) <= 35


def test_a_campaign_that_pays_is_rolled_out_with_a_random_group_left_out():
    paying = campaign(90, reach=50_000)
    answer = rm.narrative.campaign_answer(paying, facts=rm.narrative.campaign_facts(paying, name="a/b/test.csv"))
    assert answer.headline.startswith("Roll out “mail” to 50,000 customers: EUR ")
    assert answer.headline in rm.narrative.recommendation(paying)
    assert answer.actions == ("Keep a random group out of the roll-out, to measure whether it goes on paying.",)
    labels = [figure.label for figure in answer.figures]
    assert labels == ["Value per customer, mail", "A year, 50,000 customers", "Customers in the test"]
    assert answer.figures[-1].range == "500 per group"
    assert answer.facts["data"] == "test.csv"
    assert answer.facts["groups"] == "none, mail"
    assert answer.facts["assigned by"] == "random"


def test_a_campaign_that_may_lose_is_tested_on_and_one_that_loses_is_stopped():
    unsure = rm.narrative.campaign_answer(campaign(90, cost=0.5))
    assert unsure.headline.startswith("Keep testing “mail”")
    assert unsure.actions == ("Do not roll out yet: a loss is possible.",)
    losing = rm.narrative.campaign_answer(campaign(50, cost=5.0))
    assert losing.headline == "Keep “none”: “mail” loses money."
    assert losing.sureness[0].startswith("“mail” lost EUR 5.00 (4.55 to 5.45) per treated customer against “none”")
    assert losing.actions[0].startswith("Spend the money elsewhere")


def test_what_chance_did_not_assign_and_what_is_broken_decides_nothing():
    chosen = rm.narrative.campaign_answer(campaign(90, assigned_by="rule"))
    assert chosen.headline.startswith("Do not decide by this comparison")
    assert chosen.actions == ("Assign customers at random in the next test.",)
    assert [figure.label for figure in chosen.figures] == ["Customers in the test"]
    broken = campaign(90, shares={"none": 3, "mail": 1})
    answer = rm.narrative.campaign_answer(broken, broken.experiment.checks)
    assert answer.headline.startswith("Do not decide by this test")
    assert answer.actions == ("Find out why, and repeat the test.",)
    assert answer.failures


@pytest.fixture(scope="module")
def shop(log, customers, fits):
    """The log, a fit, and what the pages on purchases show of them."""
    everyone = rm.summarize(log)
    terms = rm.Terms(horizon=39, time_unit="W", annual_discount_rate=0.15, margin=0.3, currency="USD")
    purchases, spend = rm.fit(rm.MBGNBD, everyone), rm.value.fit_spend(everyone)
    return log, everyone, terms, purchases, spend


def test_the_customer_base_is_answered_by_the_second_order_and_the_segment(shop):
    log, everyone, terms, purchases, spend = shop
    second = rm.logs.time_to_second_purchase(log)
    segment = rm.logs.rfm_segments(log)["segment"].loc[everyone.index]
    held = rm.value.value_by_segment(purchases, everyone, terms, segment, spend=spend)
    status = rm.forecast.status_by_group(purchases, everyone)
    about = {"day": "1998-06-30", "terms": terms}
    answer = rm.narrative.customer_base_answer(status, second, held, **about)
    day = rm.logs.second_purchase_window(second)
    assert answer.headline == (
        f"Try for the second order until day {day:,}; segment “{held.index[0]}” holds "
        f"{100 * held['share_of_value'].iloc[0]:.0f} % of the value."
    )
    assert answer.sureness[0].endswith("are expected to still be customers on 1998-06-30.")
    open_check = Check("P(alive) in the holdout", None, detail="Too few.")
    untested = rm.narrative.customer_base_answer(status, second, held, alive=open_check, **about)
    assert untested.sureness[0].endswith("This log cannot test that number.")
    lost = Check("P(alive) in the holdout", False, detail="Many came back.")
    unknown = rm.narrative.customer_base_answer(status, second, held, alive=lost, **about)
    assert unknown.sureness[0].startswith("The log does not show who of 2,357 customers has left by 1998-06-30.")
    assert unknown.failures == (lost,)
    short = rm.narrative.customer_base_answer(status, second.head(3), held, **about)
    assert short.headline.startswith("The log is too short to say until when")


def test_value_is_answered_by_its_planning_range_and_what_acquisition_may_cost(shop):
    log, everyone, _, purchases, spend = shop
    window = {"horizon": 13, "time_unit": "W"}
    short = rm.Terms(horizon=13, time_unit="W", annual_discount_rate=0.15, margin=0.3, currency="USD")
    past = rm.evaluation.past_errors(log, rm.MBGNBD, horizon=13)
    total = rm.total_value(purchases, everyone, short, spend=spend, past_errors=past)
    worth = rm.customer_value(purchases, everyone, short, spend=spend)
    paying = rm.value.paying_customers(rm.value.break_even_uplift(worth, cost=1.0))
    before = rm.evaluation.new_customer_errors(log, rm.MBGNBD, **window)
    new = rm.value.new_customer_value(purchases, short, spend=spend, first_amount=30.0, past_errors=before)
    answer = rm.narrative.value_answer(total, past, paying, terms=short, cost=1.0, new=new)
    low, high = (float(f"{total[n].iloc[0]:.3g}") for n in ("planning_lower_80", "planning_upper_80"))
    span = f"USD {low:,.0f} to {high:,.0f} of margin"
    assert answer.headline == f"Plan with {span} from the 2,357 known customers over the next 13 weeks."
    least = short.written(float(f"{new['planning_lower_80'].iloc[0]:.3g}"))
    assert answer.actions[0] == f"Pay at most {least} to acquire a customer, to earn it within 13 weeks."
    years = tuple(date(year, 6, 30) for year in (1995, 1996, 1997))
    same = {"seasons": (0.0,) * 3, "variances": (1e-4,) * 3, "days_learnt": (365,) * 3, "origins": years}
    missed = replace(past, value=replace(past.value, log_ratios=(1.5, -1.5, 1.5), shorter=None, **same))
    assert rm.narrative.value_answer(total, missed, paying, terms=short, cost=1.0).headline == (
        f"Do not plan by {span} from the 2,357 known customers yet: none of 3 earlier forecasts held."
    )
    without = rm.narrative.value_answer(total, past, paying, terms=short, cost=1.0)
    assert len(without.figures) == 2
    assert without.actions[0].startswith("Make an offer that costs USD 1.00 to at most ")


def test_a_log_without_amounts_gets_no_cost_of_an_offer_in_purchases(shop):
    log, everyone, _, purchases, _ = shop
    counted = rm.Terms(horizon=13, time_unit="W", annual_discount_rate=0.15)
    past = rm.evaluation.past_errors(log, rm.MBGNBD, horizon=13)
    total = rm.total_value(purchases, everyone, counted, past_errors=past)
    worth = rm.customer_value(purchases, everyone, counted)
    paying = rm.value.paying_customers(rm.value.break_even_uplift(worth, cost=0.1))
    answer = rm.narrative.value_answer(total, past, paying, terms=counted, cost=0.1)
    assert answer.actions[0] == "Add a column of amounts, to learn what an offer or a new customer may cost."
    assert not any("offer pays" in figure.label or "Make an offer" in str(answer.actions) for figure in answer.figures)
    assert re.match(r"Plan with [\d,]+ to [\d,]+ purchases from ", answer.headline)


def test_models_that_expect_the_same_are_not_given_as_a_range():
    totals = {name: pd.DataFrame({"expected": [number]}) for name, number in (("A", 1501.0), ("B", 1499.0))}
    assert str(rm.narrative.alternatives_sentence(totals)).endswith("(A, B) expect about 1,500 purchases.")


def test_a_log_too_thin_for_a_forecast_says_what_would_settle_it(shop):
    log, everyone, *_ = shop
    settings = rm.logs.choose_settings(log)
    facts = rm.narrative.purchase_facts("x/y.csv", rm.narrative.overview(log))
    answer = rm.narrative.thin_log_answer(len(everyone), settings, facts=facts)
    assert "a longer log would settle" in answer.headline
    assert answer.facts["data"] == "y.csv"
    assert answer.facts["customers"] == "2,357"


def test_a_difference_within_chance_keeps_its_sign():
    bought = [1] * 50 + [0] * 450 + [1] * 45 + [0] * 455
    rows = pd.DataFrame({"arm": ["none"] * 500 + ["mail"] * 500, "bought": bought})
    campaign = rm.interventions.read_campaign(rows, rm.Terms(), assigned_by="rule")
    said = str(rm.narrative.recommendation(campaign))
    assert "With “mail”, “bought” differs by -1.00 percentage points (-4." in said
    assert "which may be chance." in said


def test_an_arm_that_is_not_expected_to_pay_is_not_called_worth_testing_first():
    """The table beside it says that no effect is expected to pay."""
    answer = rm.narrative.campaign_answer(campaign(60, cost=0.5, smallest_gain=0.1))
    assert answer.headline == "Keep “none”: “mail” is not expected to pay, though a gain is possible."
    assert "To decide: keep testing “mail” with " in " ".join(answer.sureness)
    assert answer.actions == ("Do not roll out: a loss is at least as likely as a gain.",)


def test_an_outcome_that_fell_says_that_more_counts_as_better():
    """A test of arrests would otherwise keep the control because arrests became fewer."""
    bought = [1] * 90 + [0] * 410 + [1] * 50 + [0] * 450
    rows = pd.DataFrame({"arm": ["none"] * 500 + ["mail"] * 500, "arrested": bought})
    fell = rm.interventions.read_campaign(rows, rm.Terms(), assigned_by="random")
    answer = rm.narrative.campaign_answer(fell)
    assert answer.headline == "Keep “none”."
    assert "if a lower one is, name it in lower_is_better." in answer.sureness[1]
    assert "a fall of 44 %" in answer.sureness[0]
    assert answer.actions == ("Do not roll out “mail”.",)
    better = rm.interventions.read_campaign(rows, rm.Terms(), assigned_by="random", lower_is_better=["arrested"])
    used = rm.narrative.campaign_answer(better)
    assert used.headline == "Use “mail”."
    assert used.actions[0].startswith("State what an outcome earns")


def test_customers_still_there_are_a_range_where_models_fit_equally_well():
    """Pages 01 and 02 may take different models: one number would claim more than the log knows."""
    status = pd.DataFrame({"customers": 60, "still_customers": [27.0, 34.0], "probability_alive": [0.45, 0.57]})
    status = status.assign(probability_alive_lower=0.3, probability_alive_upper=0.7)
    two = status_text(status.set_axis(["Pareto/NBD", "MBG/NBD"]), "2024-12-23", None)
    assert two == (
        "27 to 34 of 60 customers (45 to 57 %) are expected to still be customers on 2024-12-23. Pareto/NBD and "
        "MBG/NBD fit about equally well."
    )
    assert status_text(status.iloc[:1], "2024-12-23", None) == (
        "27 of 60 customers (45 %) are expected to still be customers on 2024-12-23."
    )


def test_published_intervals_with_a_failed_check_are_counted():
    counted = rm.datasets.load_published_experiments().dropna(subset="count")
    effects = rm.interventions.effects_of_counts(counted)
    lifts = rm.interventions.effects_of_counts(counted, scale="ratio")
    answer = rm.narrative.published_answer(effects, lifts)
    assert "10 of 10 published treatments changed their outcome, 4 of them with a failed check;" in answer.headline
    assert "Do not rely on 4 of 10 intervals: a check failed (Unit of assignment)." in answer.sureness


def test_forecasts_that_were_right_or_never_are_told_in_english():
    many = ForecastErrors(
        days_ahead=91, origins=tuple(date(2022, m, 1) for m in (3, 6, 9)), log_ratios=(0.001, 0.5, 0.5),
        seasons=(0.0,) * 3, variances=(1e-6,) * 3, days_learnt=(400, 500, 600),
    )  # fmt: skip
    errors = rm.forecast.PastErrors(horizon=13, time_unit="W", as_of=date(2023, 1, 1), days_learnt=760, counts=many)
    assert "from less than 1 % off to 39 % too low" in past_error_text(errors, many)


def test_a_range_of_amounts_has_its_currency_once():
    assert written_range("EUR", 147_312, 558_000) == "EUR 147,000 to 558,000"
    assert written_range("EUR", -np.inf, 5) == "without limit to EUR 5.00"
    assert written_range("", -1.5, 2.26) == "-1.50 to 2.26"
