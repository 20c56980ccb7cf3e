"""What the value of contracts says in words."""

import pandas as pd

import retention_models as rm
from retention_models.fitting.estimate import fit
from retention_models.narrative.contracts import saving_sentence
from retention_models.survival.homogeneous import Geometric
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.value.saved_customers import saved_value

TERMS = rm.Terms(price=100.0, annual_discount_rate=0.1, billing_period="Y", currency="EUR")
REGULAR = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})


def sentence(model, kept, tenures):
    found, base = fit(model, kept), pd.DataFrame({"tenure": tenures})
    total = rm.total_value(found, base, TERMS)
    return saving_sentence(total, saved_value(found, base, TERMS), terms=TERMS)


def test_the_sentence_tells_between_which_values_of_which_tenures_a_saved_customer_lies():
    said = sentence(ShiftedBetaGeometric, REGULAR, [0, 0, 2, 4])
    assert "), from EUR 199 before the first renewal to EUR 383 after renewal 4, which is the most" in said


def test_the_sentence_tells_no_range_where_all_are_worth_the_same():
    assert ", from EUR" not in sentence(Geometric, REGULAR, [0, 2, 4])
    assert ", from EUR" not in sentence(ShiftedBetaGeometric, REGULAR, [2])
