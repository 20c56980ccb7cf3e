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
        ({"price": "ten"}, "price must be an amount of money"),
        ({"price": []}, "price must be an amount of money"),
        ({"price": [1.0, np.nan]}, "price must be an amount of money"),
        ({"billing_period": "W"}, "period must be 'M', 'Y' or a number of days"),
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
    with pytest.raises(TypeError, match="fit is a fit of spending; pass that of purchases, and this one as spend="):
        rm.total_value(spend, base, terms)
    with pytest.raises(TypeError, match="spend goes with a fit of purchases"):
        rm.total_value(rm.ShiftedBetaGeometric(1, 2), base, terms, spend=spend)
