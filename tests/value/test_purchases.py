"""Value of purchases: published totals, discounting, intervals, segments, break-even, messages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.value.break_even import paying_customers
from retention_models.value.purchases import discount_rate
from retention_models.value.spending import expected_spend, paying_share

MONEY = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
each_model = pytest.mark.parametrize("model", [rm.BGNBD, rm.ParetoNBD], ids=lambda model: model.__name__)


@pytest.fixture(scope="module")
def customers():
    return rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")


@pytest.fixture(scope="module")
def fits(customers):
    return {model: rm.fit(model, customers) for model in (rm.BGNBD, rm.ParetoNBD, rm.GammaGamma)}


def test_a_rate_a_year_becomes_a_continuous_rate_a_unit():
    assert discount_rate(0.15, "W") == pytest.approx(np.log(1.15) * 7 / 365.25, rel=1e-14)
    assert discount_rate(0.15, "D") * 7 == pytest.approx(discount_rate(0.15, "W"), rel=1e-14)
    assert discount_rate(0, "h") == 0


def test_published_value_of_the_whole_cdnow_cohort():
    """Fader, Hardie & Lee (2005), RFM and CLV: 30 % margin, 15 % a year, mean about 47, total just over 1.1 million.

    Theirs is the Pareto/NBD of the 1/10 sample over 78 weeks (r .56, alpha 12.56, s .41, beta 10.51), applied to all.
    """
    everyone = rm.summarize(rm.datasets.load_cdnow(full=True))
    assert len(everyone) == 23_570
    purchases = rm.fit(rm.ParetoNBD, rm.summarize(rm.datasets.load_cdnow()))
    np.testing.assert_allclose(purchases.params, [0.5629966, 12.5590370, 0.4081095, 10.5148048], rtol=2e-3)
    spend = rm.fit(rm.GammaGamma, everyone)
    total = rm.total_value(purchases, everyone, rm.Terms(horizon=np.inf, **MONEY), spend=spend).iloc[0]
    assert total["value"] == pytest.approx(1.11e6, rel=0.05)
    assert total["value_per_customer"] == pytest.approx(47, rel=0.05)
    assert total["value_lower"] < total["value"] < total["value_upper"]


@each_model
def test_value_is_margin_times_amount_times_discounted_purchases(customers, fits, model):
    few = customers.head(50)
    value = rm.customer_value(fits[model], few, rm.Terms(horizon=39, **MONEY), spend=fits[rm.GammaGamma])
    columns = [few[name].to_numpy(dtype=float) for name in model.columns]
    rate = np.log(1.15) * 7 / 365.25
    discounted = fits[model].model.discounted_expected_purchases(rate, *columns, horizon=39)
    amount = fits[rm.GammaGamma].model.expected_spend(few["frequency"], few["monetary_value"])
    np.testing.assert_allclose(value["value"], 0.3 * amount * discounted, rtol=1e-12)
    assert (value["spend_estimate"] == "posterior mean").all()
    assert (value["value_lower"] < value["value"]).all()
    assert (value["value"] < value["value_upper"]).all()


@each_model
def test_without_discount_value_counts_expected_purchases(customers, fits, model):
    undiscounted = rm.customer_value(
        fits[model],
        customers,
        rm.Terms(horizon=39, time_unit="W", annual_discount_rate=0, margin=1),
        spend=fits[rm.GammaGamma],
    )
    expected = rm.predict(fits[model], customers, horizon=39, level=None)["expected_purchases"]
    np.testing.assert_allclose(undiscounted["discounted_purchases"], expected, rtol=1e-7)


@each_model
def test_a_longer_horizon_is_worth_more_and_ends_at_the_whole_life(customers, fits, model):
    total = [
        rm.total_value(fits[model], customers, rm.Terms(horizon=h, **MONEY), spend=fits[rm.GammaGamma])["value"].iloc[0]
        for h in (10, 100, 1000, 3000, np.inf)
    ]
    assert np.all(np.diff(total) > 0)
    assert total[-2] == pytest.approx(total[-1], rel=1e-3)


def test_segments_add_up_and_their_intervals_carry_the_shared_parameters(customers, fits):
    segment = np.where(customers["frequency"] > 0, "repeat", "once")
    arguments = (fits[rm.ParetoNBD], customers, rm.Terms(horizon=39, **MONEY))
    parts = rm.total_value(*arguments, spend=fits[rm.GammaGamma], by=segment)
    whole = rm.total_value(*arguments, spend=fits[rm.GammaGamma]).iloc[0]
    each = rm.customer_value(*arguments, spend=fits[rm.GammaGamma])
    assert list(parts.index) == ["once", "repeat"]
    assert parts["value"].sum() == pytest.approx(whole["value"])
    assert each["value"].sum() == pytest.approx(whole["value"])
    assert parts["customers"].tolist() == [1411, 946]
    width = parts["value_upper"] - parts["value_lower"]
    assert np.hypot(*width) < (whole["value_upper"] - whole["value_lower"]) * 1.01 < width.sum() * 1.02


def test_segments_are_the_same_in_any_order_of_their_labels_and_as_a_column(customers, fits):
    segment = pd.Series(np.where(customers["frequency"] > 0, "repeat", "once"), index=customers.index, name="kind")
    purchases, terms, spend = fits[rm.ParetoNBD], rm.Terms(horizon=39, **MONEY), {"spend": fits[rm.GammaGamma]}
    parts = rm.total_value(purchases, customers, terms, by=segment, **spend)
    shuffled = rm.total_value(purchases, customers, terms, by=segment.sort_values(), **spend)
    column = rm.total_value(purchases, customers.assign(kind=segment), terms, by="kind", **spend)
    pd.testing.assert_frame_equal(shuffled, parts)
    pd.testing.assert_frame_equal(column, parts)


def test_a_fit_that_counts_weeks_does_not_value_a_table_that_counts_days(customers, fits):
    weekly = rm.fit(rm.BGNBD, rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-28", granularity="W"))
    with pytest.raises(ValueError, match="fitted with granularity 'W', the table was made with 'D'"):
        rm.customer_value(weekly, customers, rm.Terms(horizon=39, **MONEY), spend=fits[rm.GammaGamma])


def test_totals_say_how_much_of_them_rests_on_medians(customers, fits):
    spend = replace(fits[rm.GammaGamma], model=rm.GammaGamma(p=2.0, q=0.9, v=20.0))
    segment = np.where(customers["frequency"] > 0, "repeat", "once")
    arguments = (fits[rm.BGNBD], customers, rm.Terms(horizon=39, **MONEY))
    parts = rm.total_value(*arguments, spend=spend, by=segment)
    assert parts["share_of_medians"].to_dict() == {"once": 1.0, "repeat": 0.0}
    whole = rm.total_value(*arguments, spend=spend).iloc[0]
    assert whole["share_of_medians"] == pytest.approx(parts.loc["once", "value"] / parts["value"].sum())
    plain = rm.total_value(fits[rm.BGNBD], customers, rm.Terms(horizon=39, **MONEY), spend=fits[rm.GammaGamma]).iloc[0]
    assert plain["share_of_medians"] == 0
    assert whole["value_per_customer_upper"] == pytest.approx(whole["value_upper"] / len(customers))


def test_interval_agrees_with_parameter_draws(customers, fits):
    few = customers.iloc[[0, 5, 100, 500]]
    purchases, spend = fits[rm.ParetoNBD], fits[rm.GammaGamma]
    rng = np.random.default_rng(1)
    columns = [few[name].to_numpy(dtype=float) for name in purchases.model.columns]
    rate = discount_rate(0.15, "W")
    drawn = 0.3 * purchases.draw(3000, rng).discounted_expected_purchases(rate, *columns, horizon=39)
    x, m = few["frequency"].to_numpy(dtype=float), few["monetary_value"].to_numpy()
    drawn = drawn * spend.draw(3000, rng).expected_spend(x, m)
    value = rm.customer_value(purchases, few, rm.Terms(horizon=39, **MONEY), spend=spend)
    np.testing.assert_allclose(value["value_lower"], np.quantile(drawn, 0.025, axis=0), rtol=0.06)
    np.testing.assert_allclose(value["value_upper"], np.quantile(drawn, 0.975, axis=0), rtol=0.06)


def test_weights_count_customers(customers, fits):
    columns = ("frequency", "recency", "T", "monetary_value")
    arguments = {"horizon": 39, **MONEY}
    compressed = rm.total_value(
        fits[rm.ParetoNBD],
        rm.logs.compress(customers, columns=columns),
        rm.Terms(**arguments),
        spend=fits[rm.GammaGamma],
    )
    pd.testing.assert_frame_equal(
        compressed, rm.total_value(fits[rm.ParetoNBD], customers, rm.Terms(**arguments), spend=fits[rm.GammaGamma])
    )


def test_break_even_uplift_is_cost_over_value(customers, fits):
    value = rm.customer_value(fits[rm.ParetoNBD], customers, rm.Terms(horizon=39, **MONEY), spend=fits[rm.GammaGamma])
    uplift = rm.value.break_even_uplift(value, cost=2.0)
    np.testing.assert_allclose(uplift["break_even_uplift"] * value["value"], 2.0)
    assert (uplift["break_even_uplift_lower"] <= uplift["break_even_uplift"]).all()
    assert (uplift["break_even_uplift"] <= uplift["break_even_uplift_upper"]).all()
    with pytest.raises(ValueError, match="cost must be an amount of money above 0"):
        rm.value.break_even_uplift(value, cost=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"margin": 0}, "margin must be the share of the amount that is earned"),
        ({"margin": np.nan}, "margin must be the share of the amount that is earned"),
        ({"annual_discount_rate": -0.1}, "annual_discount_rate must be 0 or above"),
        ({"margin": 30}, "margin must be the share .*; got 30; did you mean 0.3?"),
        ({"annual_discount_rate": 15}, "annual_discount_rate must be 0 or above and below 1, .*; did you mean 0.15?"),
        ({"time_unit": "D"}, "time_unit is 'D', but the table was made with time_unit 'W'"),
        ({"time_unit": "M"}, "time_unit is .M., but the table was made with time_unit .W."),
        ({"horizon": 0}, "horizon must be a number above 0"),
        ({"horizon": np.nan}, "horizon must be a number above 0, .* or numpy.inf; got nan"),
        ({"margin": "a third"}, "margin must be the share of the amount that is earned"),
        ({"annual_discount_rate": "15 %"}, "annual_discount_rate must be 0 or above"),
        ({"by": ["a"]}, "by has 1 labels for 2,357 customers"),
    ],
)
def test_money_that_makes_no_sense_is_an_error(customers, fits, changed, message):
    by, stated = changed.get("by"), {"horizon": 39, **MONEY, **{k: v for k, v in changed.items() if k != "by"}}
    with pytest.raises(ValueError, match=message):
        rm.total_value(fits[rm.ParetoNBD], customers, rm.Terms(**stated), spend=fits[rm.GammaGamma], by=by)


def test_what_is_no_fit_of_the_right_kind_is_an_error(customers, fits):
    purchases, spend = fits[rm.BGNBD], fits[rm.GammaGamma]
    with pytest.raises(
        TypeError, match="fit is a fit of spending; pass a fit of purchases as fit, and this one as spend="
    ):
        rm.customer_value(spend, customers, rm.Terms(horizon=39, **MONEY), spend=purchases)
    with pytest.raises(TypeError, match=r"spend must be the Fit of a model of spending.*; got a fit of BGNBD"):
        rm.total_value(purchases, customers, rm.Terms(horizon=39, **MONEY), spend=purchases)
    with pytest.raises(TypeError, match=r"fit must be .*, as rm.fit returns it; got a BGNBD"):
        rm.customer_value(purchases.model, customers, rm.Terms(horizon=39, **MONEY), spend=spend)


def test_break_even_uplift_needs_values_and_is_never_reached_where_there_is_none(customers):
    with pytest.raises(ValueError, match="value lacks value, value_upper, value_lower; pass the table that customer_v"):
        rm.value.break_even_uplift(customers, cost=2)
    nothing = pd.DataFrame({"value": [0.0], "value_lower": [0.0], "value_upper": [1.0]})
    uplift = rm.value.break_even_uplift(nothing, cost=2)
    assert uplift.iloc[0].tolist() == [np.inf, 2.0, np.inf]
    assert paying_customers(uplift)["customers"].tolist() == [0] * 7


def test_an_infinite_value_is_an_error_that_says_what_to_do(customers, fits):
    with pytest.raises(ValueError, match="give an annual_discount_rate above 0 or a finite horizon"):
        rm.customer_value(
            fits[rm.ParetoNBD],
            customers,
            rm.Terms(horizon=np.inf, time_unit="W", annual_discount_rate=0, margin=1),
            spend=fits[rm.GammaGamma],
        )


@pytest.fixture(scope="module")
def partly_free():
    """Customers of whom 30 % never pay, what each one's mean amount is in truth, and the fits."""
    rng = np.random.default_rng(1)
    made = rm.BGNBD(r=0.6, alpha=6.0, a=0.8, b=2.5).simulate(rng.uniform(20, 52, 4000), rng)
    spent = rm.GammaGamma(p=6.0, q=4.0, v=10.0).simulate(made["frequency"].to_numpy(), rng)
    pays = rng.random(len(made)) > 0.3
    made["monetary_value"] = np.where(pays, spent["monetary_value"], 0.0)
    return made, pays * spent["mean_amount"].to_numpy(), rm.fit(rm.BGNBD, made), rm.fit(rm.GammaGamma, made)


def test_customers_who_pay_nothing_are_told_and_count_in_value(partly_free):
    made, true, purchases, spend = partly_free
    free = ((made["frequency"] > 0) & (made["monetary_value"] == 0)).sum()
    assert spend.notes == (
        f"{free:,} of {(made['frequency'] > 0).sum():,} repeat buyers paid nothing and were left out: the model is one "
        "of customers who pay, and value counts the others in by their share.",
    )
    value = rm.customer_value(purchases, made, rm.Terms(horizon=52, **MONEY), spend=spend)
    once = (made["frequency"] == 0).to_numpy()
    assert value["expected_spend"][once].mean() == pytest.approx(true[once].mean(), rel=0.06)
    np.testing.assert_allclose(value["expected_spend"], expected_spend(spend, made))
    purchased = value["discounted_purchases"].to_numpy()
    assert purchased @ value["expected_spend"] == pytest.approx(purchased @ true, rel=0.06)


def test_the_share_who_pay_widens_intervals_and_leaves_payers_as_they_are(partly_free):
    made, _, purchases, spend = partly_free
    known = replace(spend, data={**spend.data, "left_out": {}})
    ours, plain = (
        rm.customer_value(purchases, made, rm.Terms(horizon=52, **MONEY), spend=fit) for fit in (spend, known)
    )
    has_paid = (made["monetary_value"] > 0).to_numpy()
    pd.testing.assert_frame_equal(ours[has_paid], plain[has_paid])
    relative = [table["value_upper"][~has_paid] / table["value_lower"][~has_paid] for table in (ours, plain)]
    assert (relative[0] > relative[1]).all()
    np.testing.assert_allclose(ours["value"][~has_paid], paying_share(spend) * plain["value"][~has_paid])


def test_a_log_in_which_nothing_costs_anything_is_said_to_have_no_amounts(customers):
    with pytest.raises(ValueError, match=r"the table has 0 besides 1,411 .* and 946 with a mean amount of 0; a log in"):
        rm.fit(rm.GammaGamma, customers.assign(monetary_value=0.0))
