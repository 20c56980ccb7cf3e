"""The simulated shop: its logs follow the model, its truth is what the logs show, and the estimators find it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.paretonbd import ParetoNBD
from retention_models.interventions.arms.cells import cell_of_customers
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.encouragement import as_treated_difference, complier_effect
from retention_models.interventions.outcomes.model_check import purchase_model_check
from retention_models.interventions.outcomes.purchases import purchase_outcomes
from retention_models.logs.transactions.summary import summarize
from retention_models.scenario import Arm, retail
from retention_models.scenario.mailing import People, add_amounts, mail

MODEL = ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
PURCHASES = Outcome(column="purchases", unit="purchases per customer", horizon=56, time_unit="D")
ADJUSTED = Outcome(column="purchases", unit="purchases per customer", adjust_for=("purchases_before",))


@pytest.fixture(scope="module")
def shop():
    return retail(MODEL, np.random.default_rng(7), customers=12_000, new_customers=3_000)


def outcomes(shop, trial, **options):
    """The rows of a trial, with whether a letter arrived."""
    sent = trial.assignments["customer_id"].isin(trial.contacts["customer_id"]).astype(int)
    rows = purchase_outcomes(
        shop.transactions, trial.assignments.assign(letter=sent), horizon_days=shop.horizon_days,
        offer_days=shop.offer_days, same_day="set_aside", **options,
    )  # fmt: skip
    return rows.df()


def experiment(rows, **options):
    shares = dict.fromkeys(rows["arm"].unique(), 1)
    measured = ["purchases", "bought", "letter"]
    return Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none", shares=shares), arm="arm", outcomes=measured, **options
    )


@pytest.mark.parametrize("name", ["mailing", "onboarding"])
def test_the_logs_show_the_truth_of_the_arm_that_was_drawn(shop, name):
    trial = getattr(shop, name)
    rows = outcomes(shop, trial).set_index("customer_id")
    for arm, truth in trial.truth.groupby("arm"):
        for what in ("purchases", "bought"):
            assert (rows.loc[truth.index, what] == truth[f"{what}_{arm}"]).all()


def test_customers_before_the_mailing_are_those_of_the_model(shop):
    summary = summarize(shop.transactions, amount=None, calibration_end="2025-03-02", observation_end="2025-03-02")
    expected = MODEL.expected_purchases_new(summary["T"].to_numpy()).mean()
    assert len(summary) == pytest.approx(12_000, abs=60)
    assert summary["frequency"].mean() == pytest.approx(expected, abs=0.05)


def test_after_the_mailing_the_untouched_buy_as_the_model_says(shop):
    truth = shop.mailing.truth
    log = shop.transactions[shop.transactions["date"] < "2025-03-03"]
    summary = summarize(log, amount=None, calibration_end="2025-03-02", observation_end="2025-03-02")
    expected = MODEL.expected_purchases(8.0, *(summary[c].to_numpy() for c in ("frequency", "recency", "T"))).mean()
    assert truth["purchases_none"].mean() == pytest.approx(expected, abs=0.02)


def test_only_the_living_who_get_their_letter_change(shop):
    truth = shop.mailing.truth
    untouched = ~(truth["alive"] & truth["delivered"])
    for arm in ("generic", "personal", "coupon"):
        assert (truth.loc[untouched, f"purchases_{arm}"] == truth.loc[untouched, "purchases_none"]).all()
    gained = (truth["purchases_coupon"] >= truth["purchases_generic"]).mean()
    assert gained > 0.98


def test_letters_get_lost_more_often_where_customers_have_left(shop):
    arrived = shop.mailing.truth.groupby("alive")["delivered"].mean()
    assert arrived[True] == pytest.approx(0.8, abs=0.02)
    assert arrived[False] == pytest.approx(0.4, abs=0.02)
    sent = shop.mailing.truth.loc[shop.mailing.contacts["customer_id"]]
    assert sent["delivered"].all()
    assert (sent["arm"] != "none").all()


def test_coupons_are_redeemed_within_the_offer_by_their_arm(shop):
    used = shop.mailing.redemptions
    assert set(shop.mailing.truth.loc[used["customer_id"], "arm"]) == {"coupon"}
    days = (used["date"] - pd.Timestamp("2025-03-03")).dt.days
    assert days.between(1, shop.offer_days).all()


def test_the_same_seed_gives_the_same_shop():
    one, other = (retail(MODEL, np.random.default_rng(3), customers=300, new_customers=50) for _ in range(2))
    pd.testing.assert_frame_equal(one.transactions, other.transactions)
    pd.testing.assert_frame_equal(one.mailing.truth, other.mailing.truth)


def test_time_units_give_the_same_kind_of_shop():
    days = ParetoNBD(r=0.55, alpha=10.6 * 7, s=0.6, beta=11.7 * 7)
    one = retail(days, np.random.default_rng(4), customers=5_000, new_customers=100, time_unit="D")
    other = retail(MODEL, np.random.default_rng(5), customers=5_000, new_customers=100)
    assert len(one.transactions) == pytest.approx(len(other.transactions), rel=0.05)


def test_it_works_with_other_models():
    model = BGNBD(r=0.24, alpha=4.4, a=0.8, b=2.4)
    shop = retail(model, np.random.default_rng(6), customers=2_000, new_customers=100)
    assert shop.mailing.effects.loc["coupon", "purchases"] > 0


def test_estimators_recover_the_truth_and_the_naive_comparison_does_not(shop):
    rows = outcomes(shop, shop.mailing, lookback_days=364)
    test = experiment(rows, covariates=["purchases_before"])
    truth = shop.mailing.effects["purchases"]
    for effects in (
        differences(test, PURCHASES),
        differences(test, ADJUSTED),
        differences(test, ADJUSTED, adjustment="Lin"),
    ):
        for effect in effects:
            assert abs(effect.estimate - truth[effect.intervention]) < 3 * effect.std_error
    received = complier_effect(test, PURCHASES, received="letter", arm="coupon")
    moved = shop.mailing.truth["delivered"]
    on_movers = (shop.mailing.truth["purchases_coupon"] - shop.mailing.truth["purchases_none"])[moved].mean()
    assert abs(received.estimate - on_movers) < 3 * received.std_error
    naive = as_treated_difference(rows[rows["arm"] == "coupon"], PURCHASES, received="letter")
    assert naive.lower > on_movers + 0.05
    assert (naive.design, [check.name for check in naive.failed]) == ("observational", ["Random assignment"])


def test_the_truth_stands_beside_what_was_estimated(shop):
    told = {"purchases": 1.0, "bought": 0.5}
    rows = [(arm, name, x, x - 0.1, x + 0.1) for arm in ("coupon", "coupon, received") for name, x in told.items()]
    columns = ["intervention", "outcome", "estimate", "lower", "upper"]
    table = shop.mailing.beside(pd.DataFrame([*rows, ("coupon", "visits", 9.0, 8.0, 10.0)], columns=columns))
    assert table.index.tolist() == [row[:2] for row in rows]
    assert table.loc[("coupon", "bought"), "truth"] == shop.mailing.effects.loc["coupon", "bought"]
    reached = shop.mailing.effects_of_receiving.loc["coupon", "bought"]
    assert table.loc[("coupon, received", "bought"), "truth"] == reached > shop.mailing.effects.loc["coupon", "bought"]
    assert not table["holds"].any()


def test_what_was_recorded_of_each_is_in_the_rows(shop):
    rows = shop.mailing.rows
    assert rows["received"].sum() == len(shop.mailing.contacts)
    assert rows["redeemed"].sum() == len(shop.mailing.redemptions)
    assert not rows.loc[rows["arm"] == "none", ["received", "redeemed"]].to_numpy().any()


def test_adjusting_for_past_purchases_narrows_the_interval(shop):
    test = experiment(outcomes(shop, shop.mailing, lookback_days=364), covariates=["purchases_before"])
    plain, adjusted = differences(test, PURCHASES)[0], differences(test, ADJUSTED)[0]
    assert adjusted.std_error < 0.96 * plain.std_error


def test_a_purchase_model_of_each_arm_agrees_with_the_arms(shop):
    rows = outcomes(shop, shop.onboarding)
    effect = differences(experiment(rows), PURCHASES)[0]
    check = purchase_model_check(
        effect, ParetoNBD, rows, arm="arm", treated="onboarding", control="none", horizon_days=shop.horizon_days
    )
    assert check.passed
    assert "ParetoNBD, fitted to each arm's purchases since the assignment, expects" in check.detail


def test_money_and_coupons_of_the_truth_are_what_the_logs_show_on_average(shop):
    rows = (
        outcomes(shop, shop.mailing)
        .set_index("customer_id")
        .join(shop.mailing.rows.set_index("customer_id")["redeemed"])
    )
    for arm, truth in shop.mailing.truth.groupby("arm"):
        for what in ("amount", "redeemed"):
            gap = rows.loc[truth.index, what] - truth[f"{what}_{arm}"]
            assert abs(gap.mean()) <= 4 * gap.std() / np.sqrt(len(gap))
    assert (shop.mailing.truth["redeemed_none"] == 0).all()


def test_the_value_of_each_arm_recovers_the_truth(shop):
    rows = (
        outcomes(shop, shop.mailing)
        .set_index("customer_id")
        .join(shop.mailing.rows.set_index("customer_id")["redeemed"])
    )
    costs = {arm: Costs(contact=0.1, redemption=5.0, redemptions="redeemed") for arm in shop.mailing.effects.index}
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["amount", "redeemed"]
    )
    for effect in differences(test, Outcome(column="amount"), rm.Terms(price=0.4), costs=costs):
        truth = true_value(shop.mailing.effects.loc[effect.intervention])
        assert abs(effect.value - truth) < 3 * (effect.value_upper - effect.value_lower) / 3.92


def cells(arm, values):
    """The cells of arms straight from what was measured, shape (customers, columns)."""
    parts = {name: values[arm == name] for name in ("none", "coupon")}
    return tuple(
        cell_of_customers(name, "", len(y), y.mean(axis=0), (y - y.mean(axis=0)).T @ (y - y.mean(axis=0)))
        for name, y in parts.items()
    )


def true_value(effects):
    return 0.4 * effects["amount"] - 0.1 - 5.0 * effects["redeemed"]


@pytest.mark.slow
def test_intervals_of_value_cover_the_truth():
    """1,000 mailings with a coupon; the truth is the mean value on each mailing's own customers."""
    rng, covered = np.random.default_rng(12), []
    day, n, horizon = pd.Timestamp("2025-03-03"), 300, 56
    costs = {"coupon": Costs(contact=0.1, redemption=5.0, redemptions="redeemed")}
    arms = {"none": Arm(), "coupon": Arm(gain=0.3, pulled_forward=0.5, redeemed=0.9)}
    for _ in range(1_000):
        bought = np.unique(rng.integers((0, 1), (n, horizon + 1), (2 * n, 2)), axis=0)
        people = People(
            np.arange(n),
            pd.DatetimeIndex([day] * n),
            np.ones(n, dtype=bool),
            pd.DataFrame(bought, columns=["person", "day"]),
        )
        trial, seen = mail(people, arms, rng, offer_days=14, horizon_days=horizon, delivered=0.8)
        typical = rng.gamma(4.0, 10.0, n)
        amount = np.bincount(seen["person"], typical[seen["person"]] * rng.gamma(6.0, 1 / 6.0, len(seen)), minlength=n)
        arm, redeemed = trial.assignments["arm"].to_numpy(), trial.rows["redeemed"].to_numpy()
        test = Experiment(
            Plan(assigned_by="random", control="none"),
            ("amount", "redeemed"),
            cells(arm, np.column_stack([amount, redeemed])),
        )
        effect = differences(test, Outcome(column="amount"), rm.Terms(price=0.4), costs=costs)[0]
        truth = add_amounts(trial, typical).effects.loc["coupon"]
        covered.append(effect.value_lower <= true_value(truth) <= effect.value_upper)
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1_000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arms": {"mail": Arm()}}, "one arm must be called 'none'"),
        ({"offer_days": 60}, "must be longer than offer_days"),
        ({"delivered": 0.0}, "delivered is a share"),
    ],
)
def test_shops_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        retail(MODEL, np.random.default_rng(1), customers=100, new_customers=10, **options)
    with pytest.raises(ValueError, match="gain is a chance, from 0 to 1; got 2"):
        Arm(gain=2)


def seen_by_arm(shop):
    """The rows of the mailing straight from the truth of the arm that was drawn, which the logs show (see above)."""
    truth, log = shop.mailing.truth, shop.transactions
    before = log[log["date"] < "2025-03-03"].groupby("customer_id").size().reindex(truth.index, fill_value=0)
    drawn = np.where(truth["arm"] == "coupon", truth["purchases_coupon"], truth["purchases_none"])
    return pl.DataFrame({"arm": truth["arm"].to_list(), "purchases": drawn, "purchases_before": before.to_numpy()})


@pytest.mark.slow
@pytest.mark.parametrize("coupon", [Arm(gain=0.3, pulled_forward=0.5), Arm()], ids=["effect", "none"])
def test_intervals_cover_the_truth_and_find_nothing_where_nothing_is(coupon):
    """1,000 shops; the truth is the mean effect on each shop's own customers."""
    rng, covered, p = np.random.default_rng(8), [], []
    for _ in range(1_000):
        shop = retail(MODEL, rng, customers=400, new_customers=2, arms={"none": Arm(), "coupon": coupon})
        test = Experiment.from_rows(
            seen_by_arm(shop),
            Plan(assigned_by="random", control="none"),
            arm="arm",
            outcomes=["purchases"],
            covariates=["purchases_before"],
        )
        truth = shop.mailing.effects["purchases"].iloc[0]
        effects = [
            differences(test, PURCHASES)[0],
            differences(test, ADJUSTED)[0],
            differences(test, ADJUSTED, adjustment="Lin")[0],
        ]
        covered.append([effect.lower <= truth <= effect.upper for effect in effects])
        p.append([effect.p_value for effect in effects])
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.95, atol=3 * np.sqrt(0.05 * 0.95 / 1_000))
    if coupon == Arm():
        for values in np.sort(np.array(p), axis=0).T:
            assert np.max(np.abs(values - (np.arange(1_000) + 0.5) / 1_000)) * np.sqrt(1_000) < 1.95


def test_a_seed_is_as_good_as_a_generator():
    model = rm.ParetoNBD(0.55, 10.6, 0.61, 11.7)
    one, other = (
        rm.scenario.retail(model, rng, customers=300, new_customers=300) for rng in (7, np.random.default_rng(7))
    )
    pd.testing.assert_frame_equal(one.transactions, other.transactions)
