"""Differences over time: by hand, against dense sums, equal to those of a whole window, and with an honest band."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.effects.simultaneous_band import shared_error
from retention_models.interventions.outcomes.over_time import differences_over_time

PLAN = rm.Plan(assigned_by="random", control="none")
START, END = pd.Timestamp("2024-05-01"), "2024-06-30"
HORIZON, OFFER = 28, 10
ENDS = ["difference_lower", "difference_upper"]
POINTWISE = ["pointwise_lower", "pointwise_upper"]


def as_given(log, who, plan=PLAN, **options):
    options = {"horizon_days": HORIZON, "offer_days": OFFER, "observation_end": END} | options
    return differences_over_time(log, who, plan, **options)


def compare(log, who, plan=PLAN, **options):
    """On Polars, which plans queries of a few rows faster than DuckDB."""
    return as_given(in_polars(log), in_polars(who), plan, **options)


def in_polars(frame):
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame}) if isinstance(frame, pd.DataFrame) else frame


def simulated(customers=240, *, staggered=False, seed=3):
    """Customers in three arms, two regions and many households, and their purchases of 90 days."""
    rng = np.random.default_rng(seed)
    ids = np.arange(customers)
    who = pd.DataFrame(
        {
            "customer_id": ids,
            "assigned": START + pd.to_timedelta(rng.integers(0, 55, customers) if staggered else 0 * ids, unit="D"),
            "arm": np.array(["none", "mail", "call"])[ids % 3],
            "region": np.array(["north", "south", "south"])[ids // 3 % 3],
            "home": ids // 9 * 3 + ids % 3,
        }
    )
    person = rng.choice(ids, 12 * customers, p=rng.dirichlet(np.ones(customers)))
    date = pd.Timestamp("2024-04-01") + pd.to_timedelta(rng.integers(0, 91, len(person)), unit="D")
    return pd.DataFrame({"customer_id": person, "date": date, "amount": rng.gamma(2, 15, len(person)).round(2)}), who


@pytest.fixture(scope="module")
def found():
    return compare(*simulated())


@pytest.fixture(scope="module")
def staggered():
    return compare(*simulated(staggered=True))


def dense(log, who, outcome, horizon=HORIZON):
    """Cumulative outcomes of each customer, shape (n, horizon + 1), missing after the end of observation."""
    y = np.zeros((len(who), horizon + 1))
    days = log.groupby(["customer_id", "date"])["amount"].sum().reset_index()
    days = days.merge(who[["customer_id", "assigned"]])
    day = (days["date"] - days["assigned"]).dt.days.to_numpy()
    inside = (day >= 0) & (day <= horizon)
    added = days["amount"].to_numpy() if outcome == "amount" else np.ones(len(days))
    np.add.at(y, (days["customer_id"].to_numpy()[inside], day[inside]), added[inside])
    y = y.cumsum(axis=1)
    y = (y > 0) * 1.0 if outcome == "bought" else y
    follow_up = (pd.Timestamp(END) - who["assigned"]).dt.days.to_numpy()
    return np.where(follow_up[:, None] >= np.arange(horizon + 1), y, np.nan)


def influence(y, share):
    """What each customer of an arm adds to its mean of each day; a block counts by its share of all customers."""
    n = (~np.isnan(y)).sum(axis=0)
    return np.nan_to_num(share * (y - np.nanmean(y, axis=0)) / np.sqrt(n * (n - 1)))


def dense_band(y, who, arm, blocks, rng):
    """Estimates, pointwise ends and ends of the band of one arm, shape (5, days), from dense outcomes."""
    shares = [(~np.isnan(y[block])).sum(axis=0) / (~np.isnan(y)).sum(axis=0) for block in blocks]
    estimate, covariance, fourth = 0.0, 0.0, 0.0
    for name, sign in ((arm, 1), ("none", -1)):
        for block, share in zip(blocks, shares, strict=True):
            mine = y[block & (who["arm"] == name).to_numpy()]
            psi = influence(mine, share)
            estimate += sign * share * np.nanmean(mine, axis=0)
            covariance += psi.T @ psi
            fourth += (psi**2).sum(axis=0) ** 2 / ((~np.isnan(mine)).sum(axis=0) - 1)
    variance = np.diag(covariance)
    error = shared_error(covariance / np.sqrt(np.outer(variance, variance)), 0.95, rng)
    laws = [rm.interventions.StudentT(*law) for law in zip(estimate, variance**0.5, variance**2 / fourth, strict=True)]
    return np.array([[law.estimate, *law.interval(0.95), *law.ends(error)] for law in laws]).T


# By hand.


def test_a_small_test_by_hand():
    days = {"a": ["05-01", "05-03"], "b": ["05-02", "05-02"], "c": ["05-04", "05-05"], "d": ["04-30", "05-09"]}
    log = pd.DataFrame([(name, f"2024-{day}", 10.0) for name, each in days.items() for day in each])
    log.columns = ["customer_id", "date", "amount"]
    who = pd.DataFrame({"customer_id": list("abcd"), "assigned": START, "arm": ["mail", "mail", "none", "none"]})
    found = compare(log, who, horizon_days=9, offer_days=2, observation_end="2024-05-20")
    assert found.cumulative.loc["mail", "difference"].tolist() == [0.5, 1, 1.5, 1, 0.5, 0.5, 0.5, 0.5, 0, 0]
    weeks = found.by_week.loc["mail"]
    assert weeks[["first_day", "last_day"]].to_numpy().tolist() == [[0, 7], [8, 9]]
    assert weeks["difference"].tolist() == [0.5, -0.5]
    assert weeks["offer"].tolist() == ["partly within", "after"]
    assert [effect.estimate for effect in (*found.within_offer, *found.after_offer)] == [1.5, -1.5]
    bought = compare(log, who, outcome="bought", horizon_days=9, offer_days=2, observation_end="2024-05-20")
    assert bought.cumulative.loc["mail", "difference"].tolist() == [0.5, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0]
    assert bought.by_week.loc["mail", "difference"].tolist() == [0.5, -0.5]


def test_purchases_on_the_day_of_the_assignment_can_be_set_aside(found):
    kept = found.cumulative.loc["mail"]
    aside = compare(*simulated(), same_day="set_aside").cumulative.loc["mail"]
    assert (aside.loc[0, ["difference", *ENDS]] == 0).all()
    np.testing.assert_allclose(aside["difference"], kept["difference"] - kept.loc[0, "difference"], atol=1e-12)


# The same as what other ways give.


@pytest.mark.parametrize(
    ("outcome", "columns"),
    [("purchases", {}), ("bought", {}), ("amount", {"block": "region"}), ("amount", {"cluster": "home"})],
)
def test_the_last_day_has_the_interval_of_the_whole_window(outcome, columns):
    log, who = simulated()
    plan = rm.Plan(assigned_by="random", control="none", unit="home" if "cluster" in columns else "customer", **columns)
    found = compare(log, who, plan, outcome=outcome)
    rows = rm.purchase_outcomes(log, who, horizon_days=HORIZON, offer_days=OFFER, observation_end=END)
    test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=[outcome])
    for effect in rm.differences(test, rm.Outcome(column=outcome)):
        row = found.cumulative.loc[(effect.intervention, HORIZON)]
        expected = [effect.estimate, effect.lower, effect.upper, effect.n]
        actual = [*row[["difference", *POINTWISE]], row["customers"] + row["customers_control"]]
        np.testing.assert_allclose(actual, expected, rtol=1e-11)
    assert [check.passed for check in found.checks] == [check.passed for check in test.checks]


@pytest.mark.parametrize(("outcome", "block"), [("purchases", None), ("bought", None), ("amount", "region")])
def test_customers_observed_for_different_times_as_by_dense_influence(outcome, block):
    log, who = simulated(staggered=True)
    found = compare(log, who, rm.Plan(assigned_by="random", control="none", block=block), outcome=outcome).cumulative
    y, rng = dense(log, who, outcome), np.random.default_rng(0)
    region = who["region"].to_numpy()
    blocks = [region == name for name in ("north", "south")] if block else [region != ""]
    for arm in ("call", "mail"):
        expected = dense_band(y, who, arm, blocks, rng)
        np.testing.assert_allclose(found.loc[arm, ["difference", *POINTWISE, *ENDS]].T, expected, rtol=1e-8, atol=1e-12)
        observed = (~np.isnan(y[who["arm"] == arm])).sum(axis=0)
        assert found.loc[arm, "customers"].tolist() == observed.tolist()
    assert observed[-1] < observed[0]


def test_clusters_of_one_customer_are_customers(staggered):
    plan = rm.Plan(assigned_by="random", control="none", cluster="customer_id")
    single = compare(*simulated(staggered=True), plan).cumulative
    pd.testing.assert_frame_equal(single, staggered.cumulative, rtol=1e-9)


def test_customers_of_one_household_widen_the_band():
    log, who = simulated(90)
    copies = [(log.assign(customer_id=log["customer_id"] + 90 * i), who.assign(customer_id=who["customer_id"] + 90 * i))
              for i in range(4)]  # fmt: skip
    log, who = (pd.concat(part, ignore_index=True) for part in zip(*copies, strict=True))
    who["home"] = who["customer_id"] % 90
    alone, together = (
        compare(log, who, rm.Plan(assigned_by="random", control="none", cluster=cluster)).cumulative
        for cluster in (None, "home")
    )
    width = [(table[ENDS[1]] - table[ENDS[0]])[("mail", HORIZON)] for table in (alone, together)]
    assert width[1] / width[0] == pytest.approx(2, rel=0.1)


def test_every_engine_gives_the_same_numbers(tmp_path):
    log, who = simulated(60, staggered=True)
    expected = compare(log, who, outcome="amount")
    log.to_csv(tmp_path / "log.csv", index=False)
    who.to_csv(tmp_path / "who.csv", index=False)
    for name, frames in {"pandas": (log, who), "files": (tmp_path / "log.csv", tmp_path / "who.csv")}.items():
        found = as_given(*frames, outcome="amount")
        for table, other in ((found.cumulative, expected.cumulative), (found.by_week, expected.by_week)):
            pd.testing.assert_frame_equal(table, other, rtol=1e-9, atol=1e-9, obj=name)
        assert found.after_offer[0].estimate == pytest.approx(expected.after_offer[0].estimate, rel=1e-9)


# Identities.


def test_weeks_add_up_to_the_whole_and_so_do_offer_and_after(found):
    whole = found.cumulative["difference"].xs(HORIZON, level="day")
    weeks = found.by_week["difference"].groupby("arm", sort=False).sum()
    np.testing.assert_allclose(weeks, whole, atol=1e-12)
    parts = [
        before.estimate + after.estimate for before, after in zip(found.within_offer, found.after_offer, strict=True)
    ]
    np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_effects_of_the_offer_are_rows_of_evidence(found):
    effect = found.after_offer[1]
    assert (effect.intervention, effect.outcome) == ("mail", "purchases after the offer")
    assert effect.estimand == "difference in means, as assigned, days 11 to 28"
    assert (effect.horizon_text, effect.design, effect.n) == ("28 days", "randomised", 160)
    assert [check.name for check in effect.checks] == ["Sample ratio"]
    assert len(rm.evidence_table([*found.within_offer, *found.after_offer]).table) == 4
    assert "mail changes purchases after the offer by" in repr(found)


def test_the_band_contains_the_interval_of_each_day_and_is_the_same_every_time(staggered):
    table, log_and_who = staggered.cumulative, simulated(staggered=True)
    varying = table[ENDS[0]] < table["difference"]
    assert (table[ENDS[0]] < table[POINTWISE[0]])[varying].all()
    assert (table[ENDS[1]] > table[POINTWISE[1]])[varying].all()
    pd.testing.assert_frame_equal(compare(*log_and_who).cumulative, table, check_exact=True)
    assert not table[ENDS].equals(compare(*log_and_who, rng=1).cumulative[ENDS])


# What the band and the windows are for.


def test_an_offer_that_only_pulls_forward_gains_within_loses_after_and_adds_nothing():
    model = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.6, beta=11.7)
    arms = {"none": rm.scenario.Arm(), "coupon": rm.scenario.Arm(pulled_forward=0.9)}
    shop = rm.scenario.retail(model, 4, customers=6_000, new_customers=0, arms=arms)
    found = compare(
        shop.transactions, shop.mailing.assignments, observation_end=None, horizon_days=56, offer_days=shop.offer_days
    )
    assert found.within_offer[0].lower > 0
    assert found.after_offer[0].upper < 0
    band = found.cumulative.loc["coupon"]
    assert band.loc[14, "difference_lower"] > 0
    assert band.loc[56, "difference_lower"] < 0 < band.loc[56, "difference_upper"]
    truth = shop.mailing.effects.loc["coupon", "purchases"]
    assert band.loc[56, "difference_lower"] < truth < band.loc[56, "difference_upper"]


# What is left out is said.


def test_customers_assigned_after_the_log_and_days_that_too_few_reached_are_named():
    log, who = simulated(30)
    who["assigned"] += pd.to_timedelta([70, 70, 70, *[40] * 27], unit="D")
    found = compare(log, who)
    assert found.notes == (
        "Left out: 3 of 30 customers, assigned after the last day of the log (2024-06-30).",
        "Days after day 20 of 28 are not shown: some arm has fewer than 2 customers or clusters that were observed "
        "longer.",
    )
    assert found.cumulative.index.get_level_values("day").max() == 20
    assert found.cumulative["customers"].eq(9).all()
    assert found.by_week.loc["mail", "last_day"].tolist() == [7, 14, 20]
    assert [effect.horizon for effect in found.after_offer] == [20, 20]
    short = compare(log, who, offer_days=20)
    assert short.after_offer == ()
    assert (
        short.notes[2] == "No day after the offer is observed: purchases that it pulled forward still count as gained."
    )


def test_without_an_offer_there_is_nothing_within_or_after_it():
    found = compare(*simulated(60), offer_days=0)
    assert (found.within_offer, found.after_offer) == ((), ())
    assert set(found.by_week["offer"]) == {"no offer"}


def test_an_arm_without_variance_has_a_flat_band_and_no_effect():
    log, who = simulated(60)
    found = compare(log[log["date"] < START], who)
    assert (found.cumulative[["difference", *ENDS, *POINTWISE]] == 0).all(axis=None)
    assert found.after_offer == ()


def test_customers_kept_out_of_every_test_are_left_out():
    log, who = simulated(60)
    kept_out = who.assign(arm=who["arm"].replace("call", "universal control"))
    plan = rm.Plan(assigned_by="random", control="none", universal_control=0.3)
    found = compare(log, kept_out, plan).cumulative
    expected = compare(log, who[who["arm"] != "call"]).cumulative
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offer_days": 28}, r"horizon_days \(28\) must outlast the offer \(28 days\)"),
        ({"horizon_days": 1_001}, "horizon_days must be at most 1,000; got 1001"),
        ({"outcome": "visits"}, "outcome must be one of 'purchases', 'amount', 'bought', not 'visits'"),
        ({"arm": "group"}, "group"),
        ({"same_day": "drop"}, "same_day must be one of"),
        ({"level": 95}, "level must lie between 0 and 1"),
        ({"observation_end": "2024-04-30"}, "observation ends on 2024-04-30, before any follow-up: 60 of 60 customers"),
        ({"plan": rm.Plan(assigned_by="random", control="no mail")}, "the control 'no mail' is not one of the arms"),
        ({"plan": rm.Plan(assigned_by="random", control="none", block="city")}, "city"),
        ({"plan": rm.Plan(assigned_by="random", control="none", cluster="region")}, "appear in more than one arm"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, message):
    log, who = simulated(60)
    with pytest.raises(ValueError, match=message):
        compare(log, who, **changes)


def test_a_log_without_amounts_has_no_differences_of_them():
    log, who = simulated(60)
    with pytest.raises(ValueError, match="outcome='amount' needs a log with amounts"):
        compare(rm.read_transactions(log.drop(columns="amount"), amount=None), who, outcome="amount")
    early = log.head(1).assign(customer_id=log["customer_id"].max(), date=log["date"].min(), amount=-1e6)
    with pytest.raises(
        ValueError, match=r"with amounts; compare 'purchases' for others\. .* are returns without a purchase .*"
    ):
        compare(pd.concat([early, log]), who, outcome="amount")


def test_assignments_without_an_arm_or_of_one_customer_are_refused():
    log, who = simulated(60)
    with pytest.raises(ValueError, match="arm is missing for 1 of 60 customers"):
        as_given(log, who.assign(arm=who["arm"].where(who["customer_id"] > 0)))
    with pytest.raises(ValueError, match="1 of 61 assignments repeat a customer"):
        compare(log, pd.concat([who, who.head(1)]))
    with pytest.raises(ValueError, match="arm 'mail' holds 1 customer: with fewer than 2"):
        compare(log, pd.concat([who[who["arm"] != "mail"], who[who["arm"] == "mail"].head(1)]))


# Coverage.


def one_world(rng, customers, days, offer):
    """Orders at 4 % of the days; the coupon moves half of those of the days after its offer into the offer."""
    who = pd.DataFrame({"customer_id": np.arange(customers), "assigned": START})
    who["arm"] = np.array(["none", "plain", "coupon"])[rng.permutation(np.arange(customers) % 3)]
    person, day = np.nonzero(rng.random((customers, days)) < 0.04 * rng.gamma(2, 0.5, (customers, 1)))
    day = day + 1
    is_pulled = (who["arm"].to_numpy()[person] == "coupon") & (day > offer) & (day <= 2 * offer)
    day = np.where(is_pulled & (rng.random(len(day)) < 0.5), day - offer, day)
    date = START + pd.to_timedelta(day, unit="D")
    return pd.DataFrame({"customer_id": person, "date": date, "amount": rng.gamma(2, 0.5, len(day))}), who


@pytest.mark.slow
def test_the_band_holds_the_true_path_in_95_of_100_worlds_and_single_intervals_do_not():
    worlds, days, offer, rng = 1_000, 21, 7, np.random.default_rng(11)
    day = np.arange(days + 1)
    pulled = 0.02 * np.minimum(np.minimum(day, offer), np.maximum(2 * offer - day, 0))
    held = {(arm, kind): 0 for arm in ("plain", "coupon") for kind in ("band", "pointwise")}
    for _ in range(worlds):
        log, who = one_world(rng, 450, days, offer)
        options = {"outcome": "amount", "horizon_days": days, "offer_days": offer, "observation_end": "2024-05-22"}
        found = compare(log, who, **options).cumulative
        for arm, truth in (("plain", 0 * pulled), ("coupon", pulled)):
            for kind, names in (("band", ENDS), ("pointwise", POINTWISE)):
                lower, upper = found.loc[arm, names].to_numpy().T
                held[arm, kind] += bool(((lower <= truth) & (truth <= upper)).all())
    shares = {key: count / worlds for key, count in held.items()}
    for arm in ("plain", "coupon"):
        assert 0.93 < shares[arm, "band"] < 0.97, shares
        assert shares[arm, "pointwise"] < 0.88, shares


def test_a_first_purchase_that_nobody_made_has_an_interval_within_and_after_the_offer():
    log, who = simulated()
    effects = compare(log[log["date"] < START], who, outcome="bought")
    for effect in (*effects.within_offer, *effects.after_offer):
        assert effect.lower < 0 == effect.estimate < effect.upper
    assert len(effects.within_offer) == len(effects.after_offer) == 2
