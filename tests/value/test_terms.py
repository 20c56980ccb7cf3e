"""The terms of value: what they state, what they refuse, and what a function that needs more asks for."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm


def test_terms_say_what_value_is_counted_in():
    terms = rm.Terms(margin=0.3, annual_discount_rate=0.15, currency="EUR")
    assert terms.written(1234.5) == "EUR 1,234"
    assert "30 % is counted as earned" in str(terms)
    assert "Amounts are in EUR." in str(terms)
    assert "Amounts" not in str(rm.Terms(margin=0.3, annual_discount_rate=0.15, currency=None))
    assert "&lt;b&gt;" in rm.Terms(margin=1, annual_discount_rate=0, currency="<b>")._repr_html_()


def test_terms_without_money_count_purchases_or_payments():
    purchases, payments = rm.Terms(annual_discount_rate=0), rm.Terms(annual_discount_rate=0.1, billing_period="M")
    assert purchases.written(12.34) == "12.3 purchases"
    assert str(purchases).startswith("The log has no money: value is counted in purchases")
    assert payments.written(12.34) == "12.3 payments"
    assert str(payments).startswith("No price was said: value is counted in payments, one a month.")


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"margin": 30}, r"margin must be the share .*; did you mean 0.3\?"),
        ({"annual_discount_rate": 15}, r"annual_discount_rate must be .*; did you mean 0.15\?"),
        ({"annual_discount_rate": -0.1}, "annual_discount_rate must be 0 or above"),
        ({"horizon": 0}, "horizon must be a number above 0"),
        ({"horizon": np.nan}, "horizon must be a number above 0"),
        ({"price": "10"}, "price must be an amount of money"),
        ({"price": []}, "price must be an amount of money"),
        ({"price": [1.0, np.nan]}, "price must be an amount of money"),
        ({"billing_period": "W"}, "billing_period must be 'M', 'Y' or a number of days"),
        ({"payment": "later"}, "payment must be one of 'advance', 'arrears'"),
    ],
)
def test_what_is_no_term_is_refused(terms, message):
    with pytest.raises(ValueError, match=message):
        rm.Terms(**terms)


def test_terms_compare_and_take_the_prices_of_single_payments():
    assert rm.Terms(price=[10, 8]) == rm.Terms(price=np.array([10.0, 8.0]))
    assert rm.Terms(price=10, margin=0.5).unit_value == 5.0
    assert rm.Terms(price=10).unit_value == 10.0
    with pytest.raises(ValueError, match="price must be one amount here"):
        _ = rm.Terms(price=[10, 8]).unit_value


def test_what_the_terms_lack_is_said_at_once():
    customers = pd.DataFrame({"frequency": [2, 0, 3], "recency": [3.0, 0.0, 8.0], "T": [9.0, 9.0, 9.0]})
    fit, renewals = rm.ParetoNBD(0.55, 10.6, 0.61, 11.7), pd.DataFrame({"tenure": [0]})
    found = rm.Fit(fit, pd.DataFrame(), -1.0, 3)
    with pytest.raises(ValueError, match=r"the terms lack horizon: how far ahead .*; the terms lack time_unit"):
        rm.customer_value(found, customers, rm.Terms(margin=0.3))
    with pytest.raises(ValueError, match="the terms lack billing_period: how long a contract runs"):
        rm.customer_value(rm.ShiftedBetaGeometric(1, 2), renewals, rm.Terms(annual_discount_rate=0.1))


def test_a_fit_on_the_wrong_road_is_named():
    spend = rm.Fit(rm.GammaGamma(6, 4, 15), pd.DataFrame(), -1.0, 3)
    terms, base = rm.Terms(annual_discount_rate=0.1, billing_period="Y"), pd.DataFrame({"tenure": [0]})
    with pytest.raises(
        TypeError, match="fit is a fit of spending; pass a fit of purchases as fit, and this one as spend="
    ):
        rm.total_value(spend, base, terms)
    with pytest.raises(TypeError, match="spend goes with a fit of purchases"):
        rm.total_value(rm.ShiftedBetaGeometric(1, 2), base, terms, spend=spend)


def test_other_things_than_terms_are_refused_by_type():
    base, plan = pd.DataFrame({"tenure": [0]}), rm.Plan(assigned_by="random", control="none")
    rows = pd.DataFrame({"arm": ["none", "mail"] * 20, "bought": [0, 1, 1, 1] * 10})
    test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["bought"])
    for ask in (
        lambda: rm.customer_value(rm.ShiftedBetaGeometric(1, 2), {"price": 1}, base),
        lambda: rm.value.discounted_lifetime(rm.ShiftedBetaGeometric(1, 2), 0.1),
        lambda: rm.value.value_by_horizon(rm.ParetoNBD(0.55, 10.6, 0.61, 11.7), base, {"margin": 0.3}, horizons=[26]),
        lambda: rm.differences(test, rm.Outcome(column="bought"), 12.0),
        lambda: rm.interventions.read_campaign(rows, {"price": 1}, outcome="bought", assigned_by="random"),
    ):
        with pytest.raises(TypeError, match=r"terms must be Terms, such as Terms\(horizon=52, .*, not \w+"):
            ask()


def test_the_billing_period_is_that_of_the_fit():
    tables = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 869, 743], "lost": [131, 126, 90]})
    tables.attrs["period"] = "M"
    fit, base = rm.fit(rm.ShiftedBetaGeometric, tables), pd.DataFrame({"tenure": [0, 3]})
    yearly, monthly = (rm.Terms(price=9, annual_discount_rate=0.1, billing_period=period) for period in "YM")
    for value in (rm.customer_value, rm.total_value, rm.saved_value):
        assert len(value(fit, base, monthly))
        with pytest.raises(
            ValueError, match="fitted to renewals by period 'M', but the terms state billing_period 'Y'"
        ):
            value(fit, base, yearly)


def test_a_retention_table_is_not_taken_for_customers():
    table = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 869, 743], "lost": [131, 126, 90]})
    fit, yearly = rm.fit(rm.ShiftedBetaGeometric, table), rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    for ask in (
        lambda: rm.customer_value(fit, table, yearly),
        lambda: rm.saved_value(fit, table, yearly),
        lambda: rm.forecast_retention(fit, table, renewals=3),
    ):
        with pytest.raises(ValueError, match=r"at_risk and lost are columns of a retention table, whose rows are not"):
            ask()


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ({"horizon": 52, "time_unit": "W"}, "Value counts the next 52 weeks."),
        ({"horizon": np.inf, "time_unit": "W"}, "Value counts the whole remaining life."),
        ({"horizon": 6, "billing_period": "M", "price": 9.0}, "Value counts the next 6 renewals."),
        ({"horizon": 3}, "Value counts the next 3 time units."),
        ({}, ""),
    ],
)
def test_terms_say_how_far_value_counts(stated, sentence):
    said = str(rm.Terms(annual_discount_rate=0.1, margin=0.3, **stated)).replace("\n", " ")
    assert said.endswith(sentence or "(annual_discount_rate 10 %).")
