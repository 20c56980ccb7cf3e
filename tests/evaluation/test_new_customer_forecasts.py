"""Forecasts of new customers, made before they came."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.evaluation.new_customer_forecasts import new_customer_errors
from retention_models.value.spending import paying_share

MODEL = rm.MBGNBD(r=0.5, alpha=6.0, a=0.9, b=1.6)
START = date(2023, 1, 2)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    log = MODEL.simulate_transactions(rng.uniform(0, 104, 1500), rng, start=str(START), time_unit="W")
    return log.assign(amount=rng.gamma(4, 5, len(log)).round(2))


@pytest.fixture(scope="module")
def errors(rows):
    return new_customer_errors(rows, rm.MBGNBD, horizon=13, by=channel(rows))


def channel(rows):
    ids = pd.Index(rows["customer_id"].unique())
    return pd.Series(np.where(ids.to_numpy() % 3 == 0, "shop", "web"), ids)


def test_an_error_is_that_of_the_customers_who_came_after_the_origin(rows, errors):
    bought = rows.assign(day=rows["date"].dt.normalize()).groupby(["customer_id", "day"])["amount"].sum().reset_index()
    bought["first"] = bought.groupby("customer_id")["day"].transform("min")
    for origin, counts, value in zip(
        errors.counts.origins, errors.counts.log_ratios, errors.value.log_ratios, strict=True
    ):
        known = rm.summarize(rm.read_transactions(rows).window(observation_end=origin))
        fitted, spend = rm.fit(rm.MBGNBD, known), rm.fit(rm.GammaGamma, known)
        day = pd.Timestamp(origin)
        came = bought[(bought["first"] > day) & (bought["first"] <= day + pd.Timedelta(49, "D"))]
        again = came[(came["day"] > came["first"]) & (came["day"] <= came["first"] + pd.Timedelta(91, "D"))]
        n, each = came["customer_id"].nunique(), float(fitted.model.expected_purchases_new(13))
        assert counts == pytest.approx(np.log((len(again) + 0.5) / (n * each + 0.5)))
        amount = each * float(spend.model.expected_spend(0, 0)) * paying_share(spend)
        half = 0.5 * amount / each
        assert value == pytest.approx(np.log((again["amount"].sum() + half) / (n * amount + half)))


def test_a_forecast_is_over_when_its_last_customer_was_observed(errors):
    assert errors.counts.days_ahead == 91 + 49
    assert errors.as_of - timedelta(140) == errors.counts.origins[-1]
    assert errors.counts.coming_season == 0


def test_channels_have_errors_of_their_own(errors):
    assert set(errors.segments) == {"shop", "web"}
    for own in errors.segments.values():
        assert own.counts.model_variance >= errors.counts.model_variance
        assert own.counts.origins == errors.counts.origins


def test_engines_agree(rows, errors):
    found = new_customer_errors(duckdb.from_df(rows), rm.MBGNBD, horizon=13)
    assert found.counts.log_ratios == pytest.approx(errors.counts.log_ratios)
    assert found.value.log_ratios == pytest.approx(errors.value.log_ratios)
    named = rows.assign(customer_id="c" + rows["customer_id"].astype(str))
    assert new_customer_errors(named, rm.MBGNBD, horizon=13).counts.log_ratios == pytest.approx(found.counts.log_ratios)


def test_one_cohort_has_no_earlier_forecast_of_new_customers():
    errors = new_customer_errors(rm.datasets.load_cdnow(), rm.MBGNBD, horizon=26)
    assert errors.counts.origins == ()
    assert errors.counts.stated_share == 1.0


# The value of a new customer.

TERMS = rm.Terms(horizon=13, time_unit="W", annual_discount_rate=0.1, margin=0.3, currency="EUR")


@pytest.fixture(scope="module")
def customers(rows):
    return rm.summarize(rows)


@pytest.fixture(scope="module")
def fits(customers):
    return rm.fit(rm.MBGNBD, customers), rm.fit(rm.GammaGamma, customers)


def test_the_value_is_margin_times_amount_times_discounted_purchases(fits):
    purchases, spend = fits
    row = rm.value.new_customer_value(purchases, TERMS, spend=spend, first_amount=20.0).loc["all"]
    rate = np.log(1.1) * 7 / 365.25
    amount = float(spend.model.expected_spend(0, 0)) * paying_share(spend)
    ahead = float(purchases.model.discounted_expected_purchases_new(rate, horizon=13))
    endless = float(purchases.model.discounted_expected_purchases_new(rate))
    assert row["first_order"] == pytest.approx(6.0)
    assert row["repeat_value"] == pytest.approx(0.3 * amount * ahead, rel=1e-6)
    assert row["value"] == pytest.approx(6.0 + row["repeat_value"])
    assert row["beyond"] == pytest.approx(0.3 * amount * (endless - ahead), rel=1e-6)


def test_the_planning_range_rests_on_forecasts_of_new_customers(rows, fits, errors):
    purchases, spend = fits
    known = {"spend": spend, "first_amount": 20.0, "past_errors": errors}
    few, many = (rm.value.new_customer_value(purchases, TERMS, **known, cohort_size=n).loc["all"] for n in (30, 3000))
    width = [row["planning_upper_80"] - row["planning_lower_80"] for row in (few, many)]
    assert width[0] > width[1] > 0
    assert few["planning_lower_95"] < few["planning_lower_80"] < few["value"] < few["planning_upper_80"]
    usual = rm.value.new_customer_value(purchases, TERMS, **known).loc["all", "customers"]
    assert usual == pytest.approx(len(channel(rows)) * 13 / 104, rel=0.02)


def test_groups_have_values_amounts_and_errors_of_their_own(rows, customers, errors):
    labels = channel(rows)
    purchases, spend = rm.fit(rm.MBGNBD, customers, by=labels), rm.fit(rm.GammaGamma, customers)
    first = rm.logs.first_purchases(rows)["amount"]
    means = first.groupby(labels).mean()
    means["all"] = first.mean()
    table = rm.value.new_customer_value(purchases, TERMS, spend=spend, first_amount=means, past_errors=errors)
    assert table.index.tolist() == ["all", "shop", "web"]
    assert table["first_order"].tolist() == pytest.approx((0.3 * means[table.index]).tolist())
    alone = rm.value.new_customer_value(purchases.groups["web"], TERMS, spend=spend, first_amount=means["web"])
    assert table.loc["web", "repeat_value"] == pytest.approx(alone.loc["all", "repeat_value"])
    with pytest.raises(ValueError, match="first_amount has no amount for all, shop, web"):
        rm.value.new_customer_value(purchases, TERMS, spend=spend, first_amount={"phone": 3.0})


def test_kinds_are_told_apart_by_their_covariates(customers):
    web = pd.DataFrame({"web": (customers.index % 2).astype(float)}, customers.index)
    fit = rm.fit(rm.MBGNBD, customers.join(web), purchase_covariates="web")
    terms = rm.Terms(horizon=13, time_unit="W", annual_discount_rate=0.0)
    kinds = pd.DataFrame({"web": [0.0, 1.0]}, index=["shop", "web"])
    table = rm.value.new_customer_value(fit, terms, kinds=kinds)
    expected = rm.forecast.predict_new(fit, kinds, 13)["expected_purchases"]
    assert table["repeat_value"].tolist() == pytest.approx(expected.tolist())
    assert "beyond" not in table
    with pytest.raises(ValueError, match="web"):
        rm.value.new_customer_value(fit, terms, kinds=kinds.rename(columns={"web": "phone"}))


def test_what_contradicts_is_refused(fits):
    purchases, spend = fits
    with pytest.raises(ValueError, match="first_amount is money, but the terms count purchases"):
        rm.value.new_customer_value(
            purchases, rm.Terms(horizon=13, time_unit="W", annual_discount_rate=0.1), first_amount=20.0
        )
    with pytest.raises(ValueError, match="cohort_size must be"):
        rm.value.new_customer_value(purchases, TERMS, spend=spend, cohort_size=0)


def test_the_sentence_says_what_acquisition_may_cost_and_whether_keeping_is_cheaper(fits, errors):
    purchases, spend = fits
    new = rm.value.new_customer_value(purchases, TERMS, spend=spend, first_amount=20.0, past_errors=errors)
    row, tell = new.iloc[0], rm.narrative.new_customer_sentence
    text = tell(new, errors, terms=TERMS)
    assert text.startswith(
        f"A new customer is worth {TERMS.written(row['value'])} within 13 weeks after the first order"
    )
    assert "Of 7 earlier forecasts of new customers over 13 weeks" in text
    assert f"Acquisition may cost at most {TERMS.written(row['planning_lower_80'])}." in text
    assert text.endswith("by the model; no forecast tests them.")
    for cost, verdict in ((0.5, "pays"), (row["value"], "may or may not pay"), (500.0, "does not pay")):
        assert f"it {verdict} within this time" in tell(new, errors, terms=TERMS, acquisition_cost=cost)
    costs = {"acquisition_cost": 9.0, "retention_cost": 4.0}
    assert tell(new, errors, terms=TERMS, **costs).endswith(
        "Keeping a customer costs EUR 4.00, winning one EUR 9.00: keeping is cheaper here."
    )
    costs = {"acquisition_cost": 4.0, "retention_cost": 9.0}
    assert tell(new, errors, terms=TERMS, **costs).endswith("keeping is not cheaper here.")


def test_first_purchases_are_the_days_and_amounts_of_the_first_day(rows):
    first = rm.logs.first_purchases(rows)
    days = rows.assign(day=rows["date"].dt.normalize())
    begin = days.groupby("customer_id")["day"].min()
    amount = days[days["day"] == days["customer_id"].map(begin)].groupby("customer_id")["amount"].sum()
    assert first["first_purchase"].tolist() == begin.tolist()
    assert first["amount"].tolist() == pytest.approx(amount.tolist())
    assert list(rm.logs.first_purchases(rm.read_transactions(rows, amount=None))) == ["first_purchase"]


def test_segments_by_recency_name_the_days_since_the_last_purchase(rows):
    rfm = rm.logs.rfm_segments(rows)
    segments = rm.logs.recency_segments(rfm)
    for name, own in rfm.groupby(segments):
        low, high = own["days_since_last"].min(), own["days_since_last"].max()
        assert name == f"last purchase {low} to {high} days ago"
        assert len(set(own["recency_score"])) == 1


def test_models_that_the_data_hardly_tell_apart_are_all_heard():
    totals = {name: pd.DataFrame({"expected": [value]}) for name, value in (("A", 1512.0), ("B", 1487.0))}
    assert rm.narrative.alternatives_sentence(totals) == (
        "Models that fit the data about equally well (A, B) expect 1,490 to 1,510 purchases."
    )
    assert rm.narrative.alternatives_sentence({"A": totals["A"]}) == ""
    customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    fits = {model.__name__: rm.fit(model, customers) for model in (rm.ParetoNBD, rm.MBGNBD, rm.BGNBD)}
    assert rm.compare(fits, customers, replicates=0).alternatives == ["MBGNBD", "BGNBD"]
