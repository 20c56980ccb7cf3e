"""Trials of what customers choose themselves: known truth, what may be compared, and what is told of it."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.tree import DecisionTreeClassifier

import retention_models as rm
from retention_models.interventions.designs.trial_checks import check_history, check_unaffected
from retention_models.interventions.designs.trial_outcomes import Measure
from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.sensitivity import objection

WITHOUT_EFFECT = {"gain": 0.0, "stay": 0.0}


def parts(shop):
    """The log of the club's category, its contacts with discounts, and the category that it cannot touch."""
    orders = shop.transactions
    own, other = orders[orders["category"] == "own"], orders[orders["category"] == "other"]
    return own[["customer_id", "date", "amount"]], shop.contacts, rm.read_transactions(other, amount=None)


def trials(shop, **stated):
    log, contacts, other = parts(shop)
    known = rm.read_transactions(log), rm.read_contacts(contacts, value="value")
    return rm.target_trials(*known, **{"kind": "membership", "rewards": "discount", "unaffected": other} | stated)


@pytest.fixture(scope="module")
def shop():
    return rm.scenario.club(11, customers=4_000)


@pytest.fixture(scope="module")
def found(shop):
    return trials(shop)


@pytest.fixture(scope="module")
def nothing():
    """A club that changes nothing."""
    return trials(rm.scenario.club(4, customers=6_000, **WITHOUT_EFFECT))


def test_the_interval_holds_the_truth_of_both_estimands(shop, found):
    overall = found.overall()
    assert list(overall.index) == ["as_joined", "never_joined"]
    for estimand, row in overall.iterrows():
        assert abs(row["estimate"] - shop.truth.loc[estimand, "orders"]) < 3 * row["std_error"]
        assert row["lower"] < row["estimate"] < row["upper"]


def test_where_joining_changes_nothing_only_the_dashboard_sees_an_effect(nothing):
    naive = nothing.naive().iloc[0]
    assert 2.0 < naive["difference"] < 3.2
    assert naive["difference"] > 20 * naive["std_error"]
    row = nothing.overall().loc["as_joined"]
    assert abs(row["estimate"]) < 3 * row["std_error"]
    assert row["std_error"] < 0.1


def test_trials_of_each_week_without_an_order_are_biased_by_silent_leavers():
    shop = rm.scenario.club(4, customers=6_000, **WITHOUT_EFFECT)
    weekly = trials(shop, anchor=None, unaffected=None)
    assert weekly.overall().loc["as_joined", "estimate"] > 0.25
    effect = weekly.effect()
    assert effect.design == "observational"
    assert objection(effect)
    assert "silent leavers" in next(check for check in effect.checks if check.name == "Occasion of joining").remedy
    assert weekly.estimands == ("as_joined",)


def test_others_who_join_later_are_never_cut_off_without_weights(nothing):
    """Cutting them off at joining and no more leaves the quiet customers, and would be an effect of its own."""
    rows, occasions, whole = (
        nothing._comparison.rows,
        nothing._comparison.occasions,
        nothing._comparison.measures["orders"],
    )
    place, weights = rows.place[~rows.joined], nothing._comparison.found("as_joined").weights[~rows.joined]
    series = occasions.series
    customer, time = series.customer[place], series.time[place]
    later = np.where(occasions.joined[customer] > time, occasions.joined[customer], time + whole.last)
    begin, end = series.between(customer, time, np.minimum(time + whole.last, later))
    as_went = weights @ whole.as_joined(customer, time)
    weighted, _ = nothing._comparison.censoring.never_joined(whole, place)
    assert as_went - weights @ (end - begin) > 0.5
    assert abs(as_went - weights @ weighted) < 0.35


def test_never_joining_is_as_joined_where_nobody_joins_later(shop):
    log, contacts, _ = parts(shop)
    last = contacts[contacts["kind"] == "membership"].sort_values("date")
    day = last["date"].iloc[len(last) // 2]
    on_one_day = last[last["date"].between(day, day + pd.Timedelta(6, "D"))]
    found = rm.target_trials(log, on_one_day, kind="membership", every="W", features=["orders_26", "recency"])
    overall = found.overall()["estimate"]
    few_later = found._comparison.occasions.joined < 1 << 22
    assert few_later.sum() <= len(on_one_day)
    assert overall["as_joined"] == pytest.approx(overall["never_joined"], abs=0.15)


def test_covariates_are_what_was_known_the_day_before(shop, found):
    log, _, _ = parts(shop)
    table = found._comparison.table(found._comparison.rows)
    rng = np.random.default_rng(1)
    origin = pd.Timestamp("1900-01-01")
    for row in rng.choice(len(table), 12, replace=False):
        place = found._comparison.rows.place[row]
        day = origin + pd.Timedelta(int(found._comparison.occasions.series.time[place]), "D")
        customer = found._comparison.log.customers[found._comparison.occasions.series.customer[place]]
        known = rm.logs.customer_features(log[log["customer_id"] == customer], as_of=day.date()).loc[customer]
        for name in known.index:
            assert table.loc[row, name] == pytest.approx(known[name], abs=1e-9), name


def test_a_permuted_future_changes_no_covariate(shop):
    log, contacts, _ = parts(shop)
    day = log["date"].sort_values().iloc[len(log) // 2].normalize()
    early = contacts[contacts["date"] < day]
    before = rm.target_trials(log, early, kind="membership", rng=3)
    later = log["date"] >= day
    shuffled = log.copy()
    shuffled.loc[later, "customer_id"] = np.random.default_rng(2).permutation(log.loc[later, "customer_id"])
    after = rm.target_trials(shuffled, early, kind="membership", rng=3)

    def known(found):
        own = found._comparison.rows.joined
        who, when = found._comparison.who(found._comparison.rows.place[own])
        names = found._comparison.log.customers[who]
        return (
            found._comparison.table(found._comparison.rows)[own]
            .assign(who=names, when=when)
            .sort_values(["when", "who"], ignore_index=True)
        )

    pd.testing.assert_frame_equal(known(before), known(after))


def test_each_engine_and_order_of_rows_gives_the_same(shop, tmp_path):
    log, contacts, _ = parts(shop)
    joins = shop.joins
    expected = rm.target_trials(log, joins, kind="membership").overall()
    path = tmp_path / "orders.parquet"
    log.to_parquet(path)
    sources = [log.sample(frac=1, random_state=1), pl.from_pandas(log), path, duckdb.from_df(log)]
    for source in sources:
        again = rm.target_trials(source, joins.sample(frac=1, random_state=2), kind="membership").overall()
        pd.testing.assert_frame_equal(again, expected)
    del contacts


def test_balance_is_worse_before_than_after(found):
    balance = found.balance()
    assert balance["before"].abs().max() > 0.2
    assert balance["after"].abs().max() < 0.1
    assert {"orders_26", "recency", "tenure", "amount_52", "second_order"} <= set(balance.index)


def test_both_groups_did_the_same_before(found):
    before = found.before(weeks=8)
    assert list(before.index) == list(range(-8, 0))
    assert before["joined"].sum() == pytest.approx(before["others"].sum(), rel=0.1)
    assert before["joined"].mean() > 0.1


def test_curves_end_at_the_effect(found):
    curves, overall = found.curves(), found.overall()
    last = curves.iloc[-1]
    assert list(curves.index) == list(range(1, 13))
    assert last["joined"] - last["as_joined"] == pytest.approx(overall.loc["as_joined", "estimate"])
    assert last["joined"] - last["never_joined"] == pytest.approx(overall.loc["never_joined", "estimate"])
    assert (curves["lower"] < curves["difference"]).all()
    assert curves["joined"].is_monotonic_increasing


def test_order_numbers_are_apart_and_the_first_is_not_settled(found):
    table = found.by_order_number()
    assert list(table.index) == ["first order", "second order", "later orders"]
    assert list(table["settled"]) == [False, True, True]
    assert table.loc[["second order", "later orders"], "joins"].sum() == found.joins
    assert found.left_out["joined at their first order, without a history"] == table.loc["first order", "joins"]


def test_all_joins_are_counted(shop, found):
    assert found.joins + sum(found.left_out.values()) == len(shop.joins)
    told = next(check for check in found.checks if check.name == "Joins compared").detail
    assert "Dated up to 7 days before the first order, and counted with it: " in told


def test_discounts_are_a_cost_that_the_value_bears(shop, found):
    effect = found.effect(rm.Terms(price=20.0, currency="EUR"), running_cost=1.0, reach=1_000)
    joined = found._comparison.rows.joined
    given = (
        found._comparison.measures["rewards"]
        .as_joined(*found._comparison.who(found._comparison.rows.place[joined]))
        .mean()
    )
    assert 0.6 * given < effect.cost - 1.0 < given  # others who join later have discounts too
    assert effect.value == pytest.approx(20 * effect.estimate - effect.cost)
    never = found.effect(rm.Terms(price=20.0), estimand="never_joined")
    assert never.cost == pytest.approx(given)
    assert never.value == pytest.approx(20 * never.estimate - given)
    assert shop.truth.loc["never_joined", "discounts"] == pytest.approx(given, rel=0.1)


def test_a_row_decides_only_if_something_untouched_was_looked_at(shop):
    strong = rm.scenario.club(5, customers=7_000, gain=0.6)
    effect = trials(strong).effect()
    assert effect.design == "quasi-experimental"
    assert not [check for check in effect.checks if check.passed is False]
    assert objection(effect) == ""
    blind = trials(strong, unaffected=None).effect()
    assert objection(blind) == "a quasi-experimental result needs checks that all passed"


def test_a_category_that_moved_as_well_fails_the_comparison(shop):
    """Purchases of the club itself stand in for what it should not touch."""
    log, contacts, _ = parts(rm.scenario.club(5, customers=4_000, gain=0.8))
    found = rm.target_trials(log, contacts, kind="membership", unaffected=rm.read_transactions(log, amount=None))
    check = next(check for check in found.checks if check.name == "Unaffected outcome")
    assert check.passed is False
    assert "rows)" in check.detail


def test_an_effect_that_still_falls_with_more_history_is_not_settled(found):
    history = found.by_history()
    assert list(history.index) == [13, 26, 52]
    assert history["step"].isna().tolist() == [True, False, False]
    assert history.loc[52, "step"] == pytest.approx(history.loc[52, "estimate"] - history.loc[26, "estimate"])
    falling = history.assign(estimate=[0.137, 0.086, 0.050], step=[np.nan, -0.051, -0.036], step_error=0.005)
    assert check_history(falling, 90.0).passed is False
    assert "not settled" in check_history(falling, 90.0).remedy
    assert check_history(falling.assign(step_error=0.05), 90.0).passed is True
    assert check_history(falling, 20.0).passed is None


@pytest.mark.parametrize("outcome", ["bought", "retained", "amount"])
def test_other_outcomes_hold_their_truth(shop, outcome):
    found = trials(shop, outcome=outcome)
    row = found.overall().loc["as_joined"]
    if outcome in shop.truth:
        assert abs(row["estimate"] - shop.truth.loc["as_joined", outcome]) < 3 * row["std_error"]
    assert found.curves().shape[0] == 12
    unit = found.effect().unit
    assert unit == ("money per customer" if outcome == "amount" else "share of customers")
    if outcome != "amount":
        assert 0 <= row["mean"] <= 1


def test_the_effect_on_many_alike_takes_overlap_weights(shop):
    found = trials(shop, target="overlap")
    row = found.overall().loc["as_joined"]
    assert found.target == "overlap"
    assert abs(row["estimate"] - shop.truth.loc["as_joined", "orders"]) < 3 * row["std_error"]
    assert found.balance()["after"].abs().max() < 0.05


def test_a_learner_is_cross_fitted(shop, found):
    learnt = trials(shop, learner=DecisionTreeClassifier(max_depth=4, min_samples_leaf=100))
    row, plain = learnt.overall().loc["as_joined"], found.overall().loc["as_joined"]
    assert learnt.estimands == ("as_joined",)
    assert abs(row["estimate"] - plain["estimate"]) < 2 * plain["std_error"]


def test_attributes_are_used_and_must_be_known_before(shop):
    log, contacts, _ = parts(shop)
    customers = np.sort(log["customer_id"].unique())
    town = pd.DataFrame({"customer_id": customers, "town": np.where(customers % 3 > 0, "Graz", "Linz"), "age": 40.0})
    found = rm.target_trials(log, contacts, kind="membership", attributes=town)
    assert {"town=Linz", "age"} <= set(found.features)
    late = town[["customer_id", "age"]].assign(date=log["date"].max())
    with pytest.raises(
        ValueError, match=r"age is not known before time zero at [\d,]+ of [\d,]+ occasions \(first: customer"
    ):
        rm.target_trials(log, contacts, kind="membership", attributes=late)
    with pytest.raises(ValueError, match="attributes are missing for 1 of"):
        rm.target_trials(log, contacts, kind="membership", attributes=town[1:])
    with pytest.raises(ValueError, match="1 more rows than customers"):
        rm.target_trials(log, contacts, kind="membership", attributes=pd.concat([town, town[:1]]))


def test_what_cannot_be_compared_says_so(shop):
    log, contacts, _ = parts(shop)
    joins = shop.joins
    with pytest.raises(ValueError, match="no kind 'club'; there are 'membership'"):
        rm.target_trials(log, joins, kind="club")
    with pytest.raises(ValueError, match="horizon of 1400 days is longer than the log"):
        rm.target_trials(log, joins, kind="membership", terms=rm.Terms(horizon=200, time_unit="W"))
    with pytest.raises(ValueError, match="time_unit of the horizon must be 'D' or 'W'"):
        rm.target_trials(log, joins, kind="membership", terms=rm.Terms(horizon=3, time_unit="M"))
    with pytest.raises(ValueError, match="features must be one of"):
        rm.target_trials(log, joins, kind="membership", features=["zip"])
    with pytest.raises(ValueError, match="no customer_id of the contacts is in the log"):
        rm.target_trials(log, joins.assign(customer_id=joins["customer_id"] + 10**6), kind="membership")
    long_ago = joins.assign(date=log["date"].min() - pd.Timedelta(30, "D"))
    with pytest.raises(ValueError, match=r"fewer than two customers joined .* joined before their first order"):
        rm.target_trials(log, long_ago, kind="membership")
    first = log.groupby("customer_id", as_index=False)["date"].min().assign(kind="membership")
    with pytest.raises(ValueError, match="joined at their first order, without a history"):
        rm.target_trials(log, first, kind="membership")
    with pytest.raises(ValueError, match="the outcome 'amount' needs"):
        rm.target_trials(rm.read_transactions(log, amount=None), joins, kind="membership", outcome="amount")
    with pytest.raises(ValueError, match=r"value is missing in .* contacts of the rewards \(discount\)"):
        rm.target_trials(log, contacts.drop(columns="value"), kind="membership", rewards="discount")
    with pytest.raises(ValueError, match="terms must have a price, for a count or a share; the outcome is orders"):
        rm.target_trials(log, joins, kind="membership").effect(rm.Terms())


def test_a_second_join_and_strangers_are_counted(shop):
    log, _, _ = parts(shop)
    joins = shop.joins
    strangers = joins[:5].assign(customer_id=range(10**6, 10**6 + 5))
    again = joins[:7].assign(date=joins["date"][:7] + pd.Timedelta(20, "D"))
    found = rm.target_trials(log, pd.concat([joins, strangers, again]), kind="membership")
    assert found.left_out["of customers who are not in the log"] == 5
    assert found.left_out["joined again, of customers who had joined before"] == 7
    assert found.overall().equals(rm.target_trials(log, joins, kind="membership").overall())


def test_a_visit_before_the_first_order_and_negative_numbers_change_little(shop):
    """Seen: a covariate that was no number at one occasion made all weights none, and the effect the mean."""
    log, _, _ = parts(shop)
    visits = log[["customer_id", "date"]].assign(kind="visit")
    early = visits.iloc[[0]].assign(date=log["date"].min() - pd.Timedelta(9, "D"))
    known = [rm.target_trials(log, pd.concat([shop.joins, *more]), kind="membership", anchor="visit").overall()
             for more in ([visits], [visits, early])]  # fmt: skip
    assert abs(known[0]["estimate"] - known[1]["estimate"]).max() < 0.1
    customers = np.sort(log["customer_id"].unique())
    score = pd.DataFrame({"customer_id": customers, "score": np.where(customers == customers[5], -50.0, 1.0)})
    row = rm.target_trials(log, shop.joins, kind="membership", attributes=score).overall().loc["never_joined"]
    assert row["estimate"] < 0.5 * row["mean"]


def test_a_gift_for_joining_costs_what_it_is(shop):
    log, _, _ = parts(shop)
    gifts = rm.read_contacts(shop.joins.assign(value=5.0), value="value")
    found = rm.target_trials(log, gifts, kind="membership", rewards="membership")
    effect = found.effect(rm.Terms(price=10.0), estimand="never_joined")
    assert effect.cost == pytest.approx(5.0)
    assert effect.value == pytest.approx(10 * effect.estimate - 5)


def test_less_churn_is_a_gain(subscribers):
    churned, retained = (adopted(subscribers, outcome).effect() for outcome in ("churned", "retained"))
    assert churned.estimate == pytest.approx(-retained.estimate)
    assert churned.value == pytest.approx(retained.value)
    assert churned.value > 0


def test_a_second_contract_has_its_own_tenure_and_words(subscribers):
    first = pd.DataFrame({"customer_id": range(400), "start": "2022-01-03", "end": "2022-09-20", "plan": "basic"})
    second = pd.DataFrame({"customer_id": range(400), "start": "2023-06-05", "end": None, "plan": "pro"})
    contracts = pd.concat([first, second[second["customer_id"] < 300]], ignore_index=True)
    for column in ("start", "end"):
        contracts[column] = pd.to_datetime(contracts[column])
    joins = pd.DataFrame({"customer_id": range(0, 300, 2), "date": "2023-10-09", "kind": "app"})
    spells = rm.read_contracts(contracts, sampling="acquisition", observation_end="2024-12-31", covariates=["plan"])
    found = rm.target_trials(spells, joins, kind="app", terms=rm.Terms(horizon=6, time_unit="M"))
    table = found._comparison.table(found._comparison.rows)
    assert (table["plan=pro"] == 1).all()
    assert (table["tenure"] == 4).all()


def test_tenure_counts_from_the_begin_of_a_contract_that_is_older_than_the_log(subscribers):
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2022-01-10") + pd.to_timedelta(rng.integers(0, 300, 400), "D")
    contracts = pd.DataFrame({"customer_id": range(400), "start": start, "end": pd.NaT})
    stated = {"sampling": "active_on", "observation_start": "2023-01-01", "observation_end": "2024-06-30"}
    joins = pd.DataFrame({"customer_id": range(0, 400, 3), "date": "2023-05-09", "kind": "app"})
    found = rm.target_trials(rm.read_contracts(contracts, **stated), joins, kind="app")
    rows, comparison = found._comparison.rows, found._comparison
    customer, time = comparison.who(rows.place)
    begun = (start.year - 1900) * 12 + start.month
    assert (comparison.table(rows)["tenure"] == time - begun.to_numpy()[comparison.log.customers[customer]]).all()


def test_an_unaffected_log_beside_contracts_counts_by_month(subscribers):
    calls = subscribers.contracts[["customer_id", "start"]].rename(columns={"start": "date"})
    calls = pd.concat([calls.assign(date=calls["date"] + pd.DateOffset(months=k)) for k in range(1, 30)])
    calls = calls[calls["date"] <= pd.Timestamp(subscribers.observation_end)]
    found = adopted(subscribers, "retained", unaffected=rm.read_transactions(calls, amount=None))
    check = next(each for each in found.checks if each.name == "Unaffected outcome")
    assert "would have been seen" in check.detail
    nothing = rm.read_transactions(calls[:50].assign(date=pd.Timestamp("2020-05-04")), amount=None)
    check = next(
        each for each in adopted(subscribers, "retained", unaffected=nothing).checks if each.name == check.name
    )
    assert check.detail.startswith("Nothing that it cannot touch happened within the horizon")


def test_all_joins_are_counted_where_each_period_is_a_time_zero(shop):
    log, _, _ = parts(shop)
    joins = shop.joins.copy()
    joins.loc[:99, "date"] = log["date"].min() - pd.Timedelta(200, "D")
    joins.loc[100:109, "date"] = log["date"].max() + pd.Timedelta(9, "D")
    found = rm.target_trials(log, joins, kind="membership", anchor=None)
    assert found.joins + sum(found.left_out.values()) == len(joins)
    assert found.left_out["joined after the end of the log"] == 10
    others = found._comparison.who(found._comparison.rows.place[~found._comparison.rows.joined])[0]
    assert not np.isin(found._comparison.log.customers[others], joins["customer_id"][:100]).any()


@pytest.mark.parametrize(("horizon", "last"), [(1, 1 / 7), (5, 5 / 7), (10, 10 / 7), (21, 3)])
def test_a_curve_ends_at_the_horizon_however_short(shop, horizon, last):
    log, _, _ = parts(shop)
    found = rm.target_trials(log, shop.joins, kind="membership", terms=rm.Terms(horizon=horizon, time_unit="D"))
    curve = found.curves().iloc[-1]
    assert curve.name == pytest.approx(last)
    assert curve["difference"] == pytest.approx(found.overall().loc["as_joined", "estimate"])


def test_names_and_learners_that_cannot_be_are_refused(shop, subscribers):
    log, _, _ = parts(shop)
    joins, customers = shop.joins, np.sort(log["customer_id"].unique())
    stated = {"kind": "membership"}
    for name in ("orders", "calendar", "orders_13", "contacts_mail"):
        with pytest.raises(ValueError, match=f"{name} is the name of a covariate that follows from the log"):
            rm.target_trials(log, joins, **stated, attributes=pd.DataFrame({"customer_id": customers, name: 1.0}))
    ages = pd.DataFrame({"customer_id": customers, "age": 40.0, "date": log["date"].min() - pd.Timedelta(9, "D")})
    with pytest.raises(ValueError, match="more rows than customers and days"):
        rm.target_trials(log, joins, **stated, attributes=pd.concat([ages, ages]))
    endless = ages.assign(age=np.where(customers == customers[0], np.inf, 40.0)).drop(columns="date")
    with pytest.raises(ValueError, match="age is infinite in 1 of"):
        rm.target_trials(log, joins, **stated, attributes=endless)
    with pytest.raises(TypeError, match="a learner must have fit and predict_proba"):
        rm.target_trials(log, joins, **stated, learner="forest")
    with pytest.raises(ValueError, match="'membership' is what was joined"):
        rm.target_trials(log, joins, **stated, unaffected="membership")
    with pytest.raises(ValueError, match="unaffected is neither a file nor a kind of contact: 'visitt'"):
        rm.target_trials(log, joins, **stated, unaffected="visitt")
    with pytest.raises(ValueError, match="with contracts each month is a time zero"):
        adopted(subscribers, "retained", anchor="visit")
    with pytest.raises(ValueError, match="contracts have no orders by week"):
        adopted(subscribers, "retained").by_history()
    few = joins.sort_values("date").iloc[-900:-885]
    with pytest.raises(ValueError, match=r"\d+ joins are too few for \d+ covariates"):
        rm.target_trials(log, few, **stated)


def test_a_measure_counts_what_it_says():
    log = pd.DataFrame({"customer_id": 1, "date": pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-09"])})
    series = trials_series(log)
    time = np.array([series.time[0]])
    who = np.array([0])
    assert Measure(series, 0, 2).as_joined(who, time).tolist() == [1.0]
    assert Measure(series, 0, 8).as_joined(who, time).tolist() == [2.0]
    assert Measure(series, 2, 8, "any").as_joined(who, time).tolist() == [1.0]
    assert Measure(series, 2, 7, "none").as_joined(who, time).tolist() == [1.0]
    assert Measure(replace(series, amount=np.array([1.0, 2.0, 4.0])), 0, 8, "money").as_joined(who, time).tolist() == [
        6.0
    ]


def trials_series(log):
    from retention_models.interventions.designs.trial_histories import Series

    days = (log["date"] - pd.Timestamp("1900-01-01")).dt.days.to_numpy()
    return Series.of(np.zeros(len(log), dtype=np.int64), days)


@pytest.fixture(scope="module")
def subscribers():
    """Subscribers who adopt self-service by choice, which halves their churn."""
    rules = rm.scenario.Rules(adoption=0.03, self_service=0.5, win_back=0.0)
    return rm.scenario.subscriptions(2, customers=6_000, rules=rules)


def adopted(business, outcome, horizon=6, **stated):
    spells = rm.read_contracts(
        business.contracts, sampling="acquisition", observation_end=business.observation_end, covariates=["plan"]
    )
    terms = rm.Terms(horizon=horizon, time_unit="M", price=9.0, currency="EUR")
    return rm.target_trials(spells, business.self_service, kind="self_service", outcome=outcome, terms=terms, **stated)


@pytest.mark.parametrize("outcome", ["retained", "churned", "time"])
def test_with_contracts_each_month_is_a_time_zero(subscribers, outcome):
    found = adopted(subscribers, outcome)
    truth = subscribers.adoption_truth
    known = {"retained": truth.loc[6], "churned": -truth.loc[6], "time": truth.loc[1:6].sum()}[outcome]
    for estimand, row in found.overall().iterrows():
        assert abs(row["estimate"] - known[estimand]) < 3 * row["std_error"]
    if outcome == "time":
        assert found.naive()["difference"].iloc[0] > 5 * known["as_joined"]
        assert found.effect().value == pytest.approx(9 * found.effect().estimate)
        assert found.effect().unit == "months per customer"
    assert list(found.by_order_number().index) == ["all"]
    assert found.joins + sum(found.left_out.values()) == len(subscribers.self_service)
    last = found.curves().iloc[-1]
    if outcome != "time":
        assert last["difference"] == pytest.approx(found.overall().loc["as_joined", "estimate"])


def test_contracts_take_months_and_a_kind_of_contact_that_is_not_touched(subscribers):
    with pytest.raises(ValueError, match="time_unit of the horizon must be 'M' here; got 'W'"):
        rm.target_trials(
            rm.read_contracts(
                subscribers.contracts, sampling="acquisition", observation_end=subscribers.observation_end
            ),
            subscribers.self_service,
            kind="self_service",
            terms=rm.Terms(horizon=6, time_unit="W"),
        )
    calls = subscribers.contracts[["customer_id", "start"]].rename(columns={"start": "date"})
    calls = calls.assign(date=calls["date"] + pd.Timedelta(200, "D"), kind="call")
    both = replace(subscribers, self_service=pd.concat([subscribers.self_service, calls]))
    check = next(
        each for each in adopted(both, "retained", unaffected="call").checks if each.name == "Unaffected outcome"
    )
    assert "What it cannot touch changed by" in check.detail


def test_those_who_adopt_after_leaving_are_counted(subscribers):
    gone = subscribers.contracts.dropna(subset="end").head(9)
    late = pd.DataFrame({"customer_id": gone["customer_id"], "date": gone["end"] + pd.Timedelta(70, "D")})
    known = subscribers.self_service[~subscribers.self_service["customer_id"].isin(gone["customer_id"])]
    found = adopted(replace(subscribers, self_service=pd.concat([known, late.assign(kind="self_service")])), "retained")
    assert found.left_out["joined at a time without a contract"] >= 9


@pytest.mark.slow
@pytest.mark.parametrize(("customers", "lowest"), [(3_000, 0.92), (10_000, 0.93)])
def test_intervals_as_joined_hold_the_truth(customers, lowest):
    """200 worlds each; 1,000 were run by hand (CHANGELOG)."""
    worlds = 200 if customers < 5_000 else 100
    held = 0
    for seed in range(worlds):
        shop = rm.scenario.club(40_000 + seed, customers=customers)
        row = rm.target_trials(parts(shop)[0], shop.joins, kind="membership").overall().loc["as_joined"]
        held += row["lower"] <= shop.truth.loc["as_joined", "orders"] <= row["upper"]
    slack = 2.6 * np.sqrt(0.05 * 0.95 / worlds)
    assert min(lowest, 0.95 - slack) <= held / worlds <= 0.97 + slack / 2


def test_a_change_too_small_to_be_seen_asks_for_more_and_accuses_nobody():
    """What could not be seen moving is no sign that members would have done more anyway."""
    seen, unseen = (check_unaffected(StudentT(move, 0.05), 1.0, 0.1, 500) for move in (0.3, 0.02))
    assert (seen.passed, unseen.passed) == (False, None)
    assert "would have done more anyway" in seen.remedy
    assert "more customers" in unseen.remedy
