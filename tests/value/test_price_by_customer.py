"""Value of contracts whose customers pay different prices: the sum over contracts that are valued one by one."""

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

KEPT = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
EACH = pd.DataFrame(
    {"tenure": [0, 0, 0, 2, 2, 5], "price": [10.0, 25.0, 0.0, 40.0, 8.0, 100.0], "plan": list("ababbb")}
)
ROWS = pd.DataFrame(
    {
        "tenure": [0, 2, 5],
        "weight": [3, 2, 1],
        "price": [35 / 3, 24.0, 100.0],
        "price_std": [np.std([0, 10, 25]), 16, 0],
    }
)


def terms(price, **more):
    return rm.Terms(price=price, margin=0.5, annual_discount_rate=0.1, billing_period="Y", **more)


@pytest.fixture(scope="module")
def fit():
    return rm.fit(rm.ShiftedBetaGeometric, KEPT)


def one_by_one(value):
    """A value of each contract, by its own price."""
    return [value(EACH.iloc[[row]], terms(EACH["price"][row])) for row in range(len(EACH))]


@pytest.mark.parametrize("customers", [EACH, ROWS], ids=["contracts", "rows of contracts"])
def test_the_value_of_all_is_the_sum_over_contracts_valued_one_by_one(fit, customers):
    """The chance in the sum is that of independent contracts, also where a row knows only mean and spread of prices."""
    total = rm.total_value(fit, customers, terms("price")).loc["all"]
    single = pd.concat(one_by_one(lambda row, own: rm.total_value(fit, row, own)))
    for name in ("customers", "value", "naive_value"):
        assert total[name] == pytest.approx(single[name].sum(), rel=1e-12)
    whole = rm.total_value(fit, EACH.assign(weight=EACH["price"]), terms(1.0)).loc["all"]
    assert total[["value_lower", "value_upper"]].tolist() == pytest.approx(
        whole[["value_lower", "value_upper"]].tolist(), rel=1e-9
    )
    spread = [np.log(total[f"{name}_upper"] / total["value"]) for name in ("value", "outcome")]
    chance = sum(
        np.log(each["outcome_upper"] / each["value"]) ** 2 * each["value"] ** 2
        - np.log(each["value_upper"] / each["value"]) ** 2 * each["value"] ** 2
        for _, each in single[single["value"] > 0].iterrows()
    )
    assert (spread[1] ** 2 - spread[0] ** 2) * total["value"] ** 2 == pytest.approx(chance, rel=1e-9)


def test_each_customer_is_worth_what_their_price_makes_of_a_payment(fit):
    found = rm.customer_value(fit, EACH, terms("price"))
    single = pd.concat(one_by_one(lambda row, own: rm.customer_value(fit, row, own)))
    pd.testing.assert_frame_equal(found, single)
    curve = rm.customer_value(fit.model, EACH, terms("price"))
    np.testing.assert_allclose(curve["value"], found["value"], rtol=1e-12)
    total = rm.total_value(fit.model, EACH, terms("price"), by="plan")
    np.testing.assert_allclose(total["value"], found["value"].groupby(EACH["plan"]).sum(), rtol=1e-12)


def test_a_saved_customer_pays_the_price_of_those_who_leave(fit):
    saved = rm.saved_value(fit, EACH, terms("price"))
    single = pd.concat(one_by_one(lambda row, own: rm.saved_value(fit, row, own).iloc[:1]))
    leaving = single["leaving"].to_numpy()
    for tenure, rows in [*EACH.groupby("tenure").indices.items(), ("all", np.arange(len(EACH)))]:
        theirs, left = single.iloc[rows], leaving[rows]
        assert saved.loc[tenure, "value"] == pytest.approx(np.average(theirs["value"], weights=left))
        assert saved.loc[tenure, "renewing_value"] == pytest.approx(
            np.average(theirs["renewing_value"], weights=1 - left)
        )
        assert saved.loc[tenure, "naive_value"] == pytest.approx(theirs["naive_value"].mean())
    pd.testing.assert_frame_equal(rm.saved_value(fit, ROWS, terms("price")), saved)


def test_a_tenure_without_customers_has_the_value_that_one_would_have(fit):
    empty = pd.DataFrame({"tenure": [0, 3], "weight": [5, 0], "price": [10.0, 40.0]})
    saved, usual = (rm.saved_value(fit, empty, terms(price)) for price in ("price", 40.0))
    assert saved.loc[3, "value"] == pytest.approx(usual.loc[3, "value"])
    assert saved.loc["all", "value"] == pytest.approx(usual.loc["all", "value"] / 4)


def test_parts_by_evidence_are_those_of_each_payment_counted_by_its_price(fit):
    found = rm.value.value_by_evidence(fit, EACH, terms("price"), KEPT)
    payments = rm.value.value_by_evidence(fit, EACH.assign(weight=EACH["price"]), terms(1.0), KEPT)
    pd.testing.assert_frame_equal(found, payments)
    free = rm.value.value_by_evidence(fit, EACH.assign(price=0.0), terms("price"), KEPT)
    assert free[["value", "value_upper", "share"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]] * 2


def test_groups_are_valued_at_their_own_prices():
    table = pd.concat([KEPT.assign(plan="a"), KEPT.assign(plan="b", lost=KEPT["lost"] // 2)], ignore_index=True)
    by_plan = rm.fit(rm.ShiftedBetaGeometric, table, by="plan")
    worth = rm.value.contract_value_by_group(by_plan, EACH, terms("price"), by="plan", renewals=4)
    for plan in "ab":
        own, theirs = by_plan.groups[plan], EACH[EACH["plan"] == plan]
        assert worth.loc[plan, "value"] == pytest.approx(
            rm.total_value(own, theirs, terms("price")).loc["all", "value"]
        )
        assert worth.loc[plan, "saved_value"] == rm.saved_value(own, theirs, terms("price")).loc["all", "value"]


def test_one_price_for_all_is_the_same_as_a_column_of_it(fit):
    same = EACH.assign(price=20.0)
    for value in (rm.total_value, rm.saved_value, rm.customer_value):
        pd.testing.assert_frame_equal(value(fit, same, terms("price")), value(fit, same, terms(20.0)))


def test_terms_say_whose_price_they_count():
    said = "Each payment is the customer's own price (in EUR), with a margin of 50 %, once a year"
    assert str(terms("fee", currency="EUR")).startswith(said)
    assert terms("fee").is_money
    with pytest.raises(ValueError, match="price must be one amount here, and not one for each payment or a column"):
        _ = terms("fee").unit_value
    for text in ("9.90", " ", "-1"):
        with pytest.raises(ValueError, match=f"got '{text}', which is text: write an amount without quotes"):
            terms(text)


@pytest.mark.parametrize(
    ("customers", "message"),
    [
        (
            EACH.drop(columns="price"),
            r"price 'price' of the terms is not a column of the customers \(columns: tenure, plan\)",
        ),
        (EACH.assign(price=-1.0), "price is below 0 for 6 of 6 rows"),
        (
            EACH.assign(price=EACH["price"].replace(8.0, np.nan)),
            "price is missing, infinite or not a number for 1 of 6",
        ),
    ],
    ids=["no column", "negative", "missing"],
)
def test_a_column_that_holds_no_prices_is_refused(fit, customers, message):
    for value in (rm.total_value, rm.saved_value, rm.customer_value):
        with pytest.raises(ValueError, match=message):
            value(fit, customers, terms("price"))


def test_where_there_are_no_customers_a_price_is_an_amount(fit):
    ask = (
        lambda own: rm.value.discounted_lifetime(fit, own),
        lambda own: rm.value.discounted_residual_lifetime(fit, 1, own),
        lambda own: rm.value.retention_elasticity(fit, own),
    )
    for value in ask:
        with pytest.raises(
            ValueError, match="price is the column 'price' of customers, and here there are no customers"
        ):
            value(terms("price"))


def test_a_new_contract_costs_what_the_newest_customers_pay(fit):
    endless, seen = terms("price"), terms("price", horizon=4)
    found = rm.narrative.new_contract_values({"sBG": fit}, endless, seen=seen, customers=ROWS).loc["sBG"]
    assert found["price"] == pytest.approx(35 / 3)
    assert found["new_contract"] == pytest.approx(rm.value.discounted_lifetime(fit, terms(35 / 3, horizon=4)))


def band_business(seed, n=8_000):
    """Contracts of two price bands, of which the dear one loses three times as many, and the true value of the base."""
    rng, until = np.random.default_rng(seed), pd.Timestamp("2024-01-01")
    dear = rng.random(n) < 0.5
    price = np.where(dear, rng.choice([30.0, 40.0, 50.0], n), rng.choice([8.0, 10.0, 12.0], n))
    leave = np.where(dear, rng.beta(1, 9, n), rng.beta(1, 29, n))
    months = pd.date_range("2021-01-01", periods=120, freq="MS")
    first = rng.integers(0, 36, n)
    start, end = months[first], months[first + np.minimum(rng.geometric(leave), 60)]
    runs = end > until
    columns = {"customer_id": range(n), "start": start, "end": pd.Series(end).where(~runs), "fee": price}
    spells = rm.read_contracts(
        pd.DataFrame(columns | {"band": np.where(dear, "dear", "cheap")}),
        sampling="acquisition",
        observation_end="2024-01-01",
        price="fee",
        covariates="band",
    )
    discount, keep = 1.1 ** (-1 / 12), 1 - leave[runs]
    return spells, float((price[runs] * keep / (1 - keep * discount)).sum())


@pytest.mark.slow
def test_where_dear_contracts_end_sooner_groups_by_price_are_right_and_one_model_is_not():
    """One model for all is 17 to 26 % too high in 6 such businesses, models of the bands -2 to +5 %."""
    errors = []
    for seed in range(3):
        spells, truth = band_business(seed)
        kept = rm.retention_table(spells, period="M", by="band")
        today = rm.logs.active_customers(spells, period="M", by="band")
        monthly = rm.Terms(price="price", annual_discount_rate=0.1, billing_period="M")
        found = rm.fit(rm.ShiftedBetaGeometric, kept, by="band")
        worth = rm.value.contract_value_by_group(found, today, monthly, by="band", renewals=12).loc["all"]
        assert worth["value_lower"] < truth < worth["value_upper"]
        errors.append((worth["value"] / truth - 1, worth["pooled_value"] / truth - 1))
    own, pooled = np.mean(errors, axis=0)
    assert abs(own) < 0.06
    assert pooled > 0.15


def test_risk_and_the_gain_of_removing_a_cause_count_each_customers_price(fit):
    risk = rm.value.contracts_at_risk(fit, EACH, terms("price"))
    single = pd.concat(one_by_one(lambda row, own: rm.value.contracts_at_risk(fit, row, own)))
    pd.testing.assert_frame_equal(risk, single)
    causes = KEPT.assign(lost_payment=[30, 20, 14, 11])
    found, payments = (
        rm.value.value_of_removing_cause(fit, customers, terms(price, horizon=5), causes, cause="payment")
        for customers, price in ((EACH, "price"), (EACH.assign(weight=EACH["price"]), 1.0))
    )
    pd.testing.assert_frame_equal(found.drop(columns="customers"), payments.drop(columns="customers"))


def test_planning_ranges_count_each_customers_price(fit):
    past = pd.DataFrame({"until": ["2024-12-31"], "customers": [1000], "actual": [640], "expected": [600.0]})
    past = past.assign(renewals=4, churn_variance=0.002).set_axis(["2023-12-31"])
    same = EACH.assign(price=20.0)
    for value in (rm.total_value, rm.saved_value):
        by_column, by_amount = (value(fit, same, terms(price), past_errors=past) for price in ("price", 20.0))
        assert "planning_lower_95" in by_column
        pd.testing.assert_frame_equal(by_column, by_amount)


def test_a_saved_customer_of_groups_is_the_mean_over_their_leavers():
    kept = {"a": [1000, 631, 468, 382, 326], "b": [1000, 869, 743, 653, 593]}
    rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
    table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    fit = rm.fit(rm.ShiftedBetaGeometric, table, by="plan")
    base = pd.DataFrame({"plan": ["a", "b", "b"], "tenure": [0, 0, 3], "weight": [50, 200, 100]})
    terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y", horizon=4)
    past = pd.DataFrame(columns=["renewals", "until", "customers", "actual", "expected", "churn_variance"])
    together = rm.saved_value(fit, base, terms, by="plan", past_errors=past)
    alone = {
        plan: rm.saved_value(fit.groups[plan], base[base["plan"] == plan], terms, past_errors=past) for plan in "ab"
    }
    for made, plans in ((0, "ab"), (3, "b"), ("all", "ab")):
        lines = pd.DataFrame([alone[plan].loc[made] for plan in plans])
        for name in ("value", "planning_lower_95", "planning_upper_80"):
            assert together.loc[made, name] == pytest.approx(np.average(lines[name], weights=lines["leaving"]))
        assert together.loc[made, "leaving"] == pytest.approx(lines["leaving"].sum())
    assert (together["value_lower"] < together["value"]).all()
    assert (together["planning_lower_95"] < together["value_lower"]).all()
    with pytest.raises(ValueError, match="the fit has no groups"):
        rm.saved_value(fit.groups["a"], base, terms, by="plan")
