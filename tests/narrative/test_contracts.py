"""What the value of contracts says in words."""

import pandas as pd
import pytest

import retention_models as rm
from retention_models.fitting.estimate import fit
from retention_models.narrative.contract_values import saving_sentence, value_by_habit
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.value.saved_customers import saved_value

TERMS = rm.Terms(price=100.0, annual_discount_rate=0.1, billing_period="Y", currency="EUR")
REGULAR = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})


def sentence(model, kept, tenures):
    found, base = fit(model, kept), pd.DataFrame({"tenure": tenures})
    parts = {"the model": rm.value.value_by_evidence(found, base, TERMS, kept)}
    return saving_sentence(parts, saved_value(found, base, TERMS), terms=TERMS, customers=len(base))


def test_the_sentence_tells_between_which_values_of_which_tenures_a_saved_customer_lies():
    said = sentence(ShiftedBetaGeometric, REGULAR, [0, 0, 2, 4])
    assert " within that time, from EUR 199 before the first renewal to EUR 383 after renewal 4: keeping one" in said
    assert said.startswith("The 4 customers are worth EUR ")
    assert "over the next 4 renewals, as many as the log is long (by the model)." in said
    assert "Beyond, the models extrapolate another EUR " in said


def test_both_ends_of_sorting_and_habit_are_told():
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 0, 3]})
    saved = saved_value(found, base, TERMS)
    leaving, renewing = saved["leaving"].iloc[:-1], saved["renewing_value"].iloc[:-1]
    habit = (leaving * renewing).sum() / leaving.sum()
    assert value_by_habit(saved) == pytest.approx(habit)
    assert habit > saved["value"].iloc[-1]
    said = sentence(ShiftedBetaGeometric, REGULAR, [0, 0, 3])
    assert f"if loyalty is a habit that grows with tenure, it is {TERMS.written(habit)}. With one spell" in said
    assert "habit" not in sentence(Geometric, REGULAR, [0, 3])


def test_the_range_covers_every_model_that_fits():
    rows = {"renewals": [4.0], "value": [100.0], "share_at_rare_tenures": [0.25]}
    low, high = (
        pd.DataFrame(rows | {"value_lower": [a], "value_upper": [b]}, index=["seen"]) for a, b in ((90, 110), (70, 95))
    )
    found, base = fit(ShiftedBetaGeometric, REGULAR), pd.DataFrame({"tenure": [0, 3]})
    saved = saved_value(found, base, TERMS)
    said = saving_sentence({"A": low, "B": high}, saved, terms=TERMS, customers=2)
    assert "are worth EUR 70.0 to EUR 110 over the next 4 renewals" in said
    assert "(2 models fit about equally well). 25 % of that is paid at tenures" in said
    assert "Beyond" not in said


def test_the_sentence_tells_no_range_where_all_are_worth_the_same():
    assert ", from EUR" not in sentence(Geometric, REGULAR, [0, 2, 4])
    assert ", from EUR" not in sentence(ShiftedBetaGeometric, REGULAR, [2])


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
    assert "region has one level only (north)" in str(alone)
    (none,) = rm.narrative.group_as_covariate(fitted, table, None)
    assert str(none) == "No group was named: one model describes all customers."
    one_rate = rm.fit(rm.survival.Geometric, table)
    (unknown,) = rm.narrative.group_as_covariate(one_rate, table, "my plan")
    assert "Geometric takes no churn_covariates" in str(unknown)
