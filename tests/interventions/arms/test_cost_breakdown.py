"""Money: net value by hand, where it went, and Fieller's interval for the cost of one customer kept."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

import retention_models as rm
from retention_models.interventions.arms.cost_breakdown import cost_breakdown, cost_per_retained
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.contract_arms import contract_experiment
from retention_models.interventions.designs.contracts import incremental_value
from retention_models.interventions.effects.ratio_laws import Fieller

BUY = Outcome(column="buy", unit="purchases per customer")


@pytest.fixture(scope="module")
def test_rows():
    rng = np.random.default_rng(21)
    arm = rng.permutation(["none", "coupon"] * 3_000)
    buy = rng.poisson(0.3 + 0.1 * (arm == "coupon"))
    used = np.minimum(buy, rng.poisson(0.25, 6_000)) * (arm == "coupon")
    return pd.DataFrame({"arm": arm, "buy": buy, "used": used})


@pytest.fixture(scope="module")
def coupon(test_rows):
    return Experiment.from_rows(
        test_rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["buy", "used"]
    )


COSTS = {"coupon": Costs(contact=0.5, redemption=3.0, redemptions="used")}


def test_value_is_that_of_a_column_of_money_made_by_hand(coupon, test_rows):
    treated = test_rows["arm"] == "coupon"
    money = test_rows.assign(net=20 * test_rows["buy"] - 3 * test_rows["used"] - 0.5 * treated)
    by_hand = Experiment.from_rows(money, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["net"])
    net = differences(by_hand, Outcome(column="net"))[0]
    effect = differences(coupon, BUY, rm.Terms(price=20.0), costs=COSTS)[0]
    np.testing.assert_allclose(effect.priced, (net.estimate, net.lower, net.upper), rtol=1e-9)
    assert effect.cost == pytest.approx(0.5 + 3 * test_rows.loc[treated, "used"].mean())


def test_contacts_may_be_counted(coupon):
    counted = differences(coupon, BUY, rm.Terms(price=20.0), costs={"coupon": Costs(contact=2.0, contacts="used")})[0]
    redeemed = differences(
        coupon, BUY, rm.Terms(price=20.0), costs={"coupon": Costs(redemption=2.0, redemptions="used")}
    )[0]
    assert counted.priced == redeemed.priced


def test_lines_of_money_add_up(coupon):
    lines = cost_breakdown(coupon, BUY, rm.Terms(price=20.0), costs=COSTS, purchases="buy")
    amount = lines["amount"]
    assert amount["gross gain"] + amount["contacts"] + amount["redemptions"] == pytest.approx(amount["net value"])
    table = coupon.table()
    anyway = table.loc["coupon", "used"] - (table.loc["coupon", "buy"] - table.loc["none", "buy"])
    assert amount["subsidised purchases"] == pytest.approx(-3 * anyway)
    assert np.all((lines["lower"] <= amount) & (amount <= lines["upper"]))


def test_lines_need_a_column_of_redemptions(coupon):
    with pytest.raises(ValueError, match="coupon has no redemptions to split"):
        cost_breakdown(coupon, BUY, rm.Terms(price=20.0), costs={"coupon": Costs(contact=1.0)}, purchases="buy")
    assert "subsidised purchases" not in cost_breakdown(coupon, BUY, rm.Terms(price=20.0)).index


def test_cost_per_kept_by_hand(coupon):
    """A fixed cost: Fieller's interval is the cost over the ends of the effect."""
    costs = {"coupon": Costs(contact=0.5)}
    found, effect = cost_per_retained(coupon, BUY, costs), differences(coupon, BUY)[0]
    assert found.estimate == pytest.approx(0.5 / effect.estimate)
    assert (found.lower, found.upper) == (pytest.approx(0.5 / effect.upper), pytest.approx(0.5 / effect.lower))
    assert found.is_bounded
    assert str(found).startswith("coupon, buy: each additional one cost 5.45 (4.11 to 8.09).")


def test_cost_per_kept_has_no_limit_where_the_effect_may_be_zero():
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [500, 500], "stay": [200, 210]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none"), outcome="stay")
    found = cost_per_retained(test, Outcome(column="stay"), {"mail": Costs(contact=1.0)})
    effect = differences(test, Outcome(column="stay"))[0]
    assert found.lower == pytest.approx(1.0 / effect.upper)
    assert found.upper == math.inf
    assert not found.is_bounded
    assert "without upper limit: an effect of zero, or a loss, is not ruled out" in found.sentence


def test_cost_per_kept_covers_the_true_ratio():
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(2_000):
        x, y = rng.multivariate_normal([2.0, 0.5], [[0.09, 0.03], [0.03, 0.04]])
        found = Fieller(x, y, 0.09, 0.04, 0.03).confidence_set(0.95)
        covered.append(
            (found.lower <= 4 <= found.upper) if not found.outside else (found.lower <= 4 or found.upper >= 4)
        )
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


ONE = 1 - 2 * ndtr(-1.0)  # the level of an interval that reaches one standard error


def test_fieller_by_hand():
    """10 +- 1 over 5 +- 1, independent, 1 standard error: (25 - 1) r^2 - 100 r + 99 = 0."""
    found = Fieller(10.0, 5.0, 1.0, 1.0, 0.0).confidence_set(ONE)
    roots = np.sort(np.roots([24, -100, 99]))
    np.testing.assert_allclose([found.lower, found.upper], roots, rtol=1e-6)


@pytest.mark.parametrize(
    ("denominator", "text"),
    [(0.5, "upward without bound, or"), (0.0, "any number at all")],
)
def test_fieller_through_infinity(denominator, text):
    found = Fieller(3.0 if denominator else 0.5, denominator, 1.0, 1.0, 0.0).confidence_set(0.95)
    assert not found.is_bounded
    assert text in str(found)


def test_no_cost_or_no_effect_gives_no_cost_per_kept():
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [500, 500], "stay": [200, 200]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none"), outcome="stay")
    with pytest.raises(ValueError, match=r"cost 1\.00 more and kept 0 more: no cost per kept"):
        cost_per_retained(test, Outcome(column="stay"), {"mail": Costs(contact=1.0)})
    with pytest.raises(ValueError, match="cost 0 more"):
        cost_per_retained(test, Outcome(column="stay"), {})


def test_a_harmful_campaign_says_so():
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [5_000, 5_000], "stay": [2_500, 2_000]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none"), outcome="stay")
    found = cost_per_retained(test, Outcome(column="stay"), {"mail": Costs(contact=1.0)})
    assert "it cost money and made them fewer" in found.sentence


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Costs(contact=-1.0), "contact must be a cost of 0 or more"),
        (lambda: Costs(redemption=math.nan, redemptions="x"), "redemption must be a cost of 0 or more"),
        (lambda: Costs(redemption=3.0), "name the column that counts redemptions in redemptions="),
    ],
)
def test_impossible_costs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_money_is_checked_against_the_experiment(coupon):
    with pytest.raises(ValueError, match="costs are stated for letter; the arms are none, coupon"):
        differences(coupon, BUY, rm.Terms(price=1.0), costs={"letter": Costs(contact=1.0)})
    with pytest.raises(ValueError, match="opened was not measured"):
        differences(coupon, BUY, rm.Terms(price=1.0), costs={"coupon": Costs(contact=1.0, contacts="opened")})
    with pytest.raises(ValueError, match="not an amount per customer: price its numerator"):
        differences(coupon, Outcome(column="used", per="buy"), rm.Terms(price=1.0))
    with pytest.raises(ValueError, match="used is 0 for all customers of an arm"):
        differences(coupon, Outcome(column="buy", per="used"))


@pytest.mark.parametrize("kept", [100, 104, 110, 500])
def test_the_cost_of_one_more_lies_within_its_interval(kept):
    counts = pd.DataFrame({"arm": ["none", "mail"], "n": [1_000, 1_000], "stay": [105, kept]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none"), outcome="stay")
    found = cost_per_retained(test, Outcome(column="stay"), {"mail": Costs(contact=0.1)}, currency="EUR")
    assert found.lower <= found.estimate <= found.upper
    assert "EUR" in found.sentence


def test_the_value_of_contracts_carries_the_checks_of_their_test():
    rows = pd.DataFrame({"arm": ["none", "call"] * 50, "tenure": np.arange(1, 101), "churned": [1, 0] * 50})
    test = contract_experiment(
        rows, Plan(assigned_by="random", control="none", shares={"none": 9, "call": 1}), arm="arm", time_unit="M"
    )
    table = incremental_value(test, rm.Terms(price=3.0), horizon=24, rate=0.01)
    assert table.attrs["checks"][0]["passed"] is False


@pytest.mark.parametrize("price", [math.nan, math.inf, "9.90"])
def test_what_an_outcome_earns_is_a_number(price):
    with pytest.raises(ValueError, match="price must be an amount of money"):
        rm.Terms(price=price)


def test_value_needs_what_a_unit_earns(coupon):
    for stated in ({"terms": rm.Terms(currency="EUR")}, {"costs": COSTS}):
        with pytest.raises(ValueError, match="value needs what one unit of the outcome earns: pass terms"):
            differences(coupon, BUY, **stated)


@pytest.mark.parametrize("did", [0, 400])
def test_a_gain_that_nobody_made_is_as_uncertain_as_its_effect(did):
    counts = pd.DataFrame({"arm": ["none", "call"], "n": [400, 400], "stay": [did, did]})
    test = Experiment.from_counts(counts, Plan(assigned_by="random", control="none"), outcome="stay")
    money = {"terms": rm.Terms(price=12.0), "costs": {"call": rm.Costs(contact=0.5)}}
    outcome = rm.Outcome(column="stay", unit="share of customers")
    lines, (effect,) = rm.interventions.cost_breakdown(test, outcome, **money), rm.differences(test, outcome, **money)
    assert lines.loc["net value"].tolist() == pytest.approx([effect.value, effect.value_lower, effect.value_upper])
    assert lines.loc["gross gain"].tolist() == pytest.approx([12 * x for x in (0.0, effect.lower, effect.upper)])
