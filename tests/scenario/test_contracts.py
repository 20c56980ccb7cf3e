"""The simulated subscription business: its logs are clean, and its truth is what right methods find."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.fitting.estimate import fit
from retention_models.fitting.spell_curves import cause_curves
from retention_models.logs.contracts.calendar_events import with_calendar
from retention_models.logs.contracts.log import read_contracts
from retention_models.logs.contracts.retention import retention_table
from retention_models.scenario import Rules, subscriptions
from retention_models.scenario.churn_process import CAUSES
from retention_models.survival.curves import kaplan_meier
from retention_models.survival.sbg import ShiftedBetaGeometric

NOTHING_ELSE = {
    "premium": 0.0, "friends": 0.0, "season": 0.0, "price_rise": 0.0, "competitor": 0.0, "payment": 0.0,
    "complaint": 0.0, "offer_effect": 0.0, "win_back": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def business():
    return subscriptions(np.random.default_rng(1), customers=12_000)


def read(business, **arguments):
    return read_contracts(
        business.contracts, sampling="acquisition", observation_end=business.observation_end, cause="cause", **arguments
    )


def test_the_logs_are_clean_and_complete(business):
    spells = read(business, covariates=["plan", "channel"])
    assert spells.set_aside == {}
    assert set(spells.settled) == {"spells of customers who came back"}
    assert spells.checks[1].passed
    assert set(business.contracts["cause"].dropna()) == set(CAUSES)
    ran = business.complaints.merge(business.contracts, on="customer_id")
    inside = (ran["date"] >= ran["start"]) & (ran["end"].isna() | (ran["date"] < ran["end"] + pd.Timedelta(31, "D")))
    assert inside.groupby([ran["customer_id"], ran["date"]]).any().all()
    assert business.contracts["customer_id"].nunique() == 12_000


def test_the_same_seed_gives_the_same_business():
    one, two = (subscriptions(np.random.default_rng(3), customers=500) for _ in range(2))
    pd.testing.assert_frame_equal(one.contracts, two.contracts)
    pd.testing.assert_frame_equal(one.renewals, two.renewals)


def test_where_nothing_else_is_the_matter_it_is_a_shifted_beta_geometric():
    business = subscriptions(np.random.default_rng(4), customers=30_000, rules=Rules(**NOTHING_ELSE))
    table = fit(ShiftedBetaGeometric, retention_table(read(business), period="M")).table()
    assert np.all(np.abs(table["estimate"] - [0.9, 12.0]) < 3 * table["std_error"])
    assert set(business.contracts["cause"].dropna()) == {"no need"}
    assert business.offer_effect == 0


def test_a_price_rise_is_found_by_its_calendar():
    rules = Rules(**{**NOTHING_ELSE, "price_rise": 1.0, "price_months": (20, 21, 22)})
    business = subscriptions(np.random.default_rng(5), customers=30_000, rules=rules)
    table = with_calendar(retention_table(read(business), period="M")).merge(business.calendar, on="calendar")
    found = fit(ShiftedBetaGeometric, table, calendar_covariates="price_rise").table()
    truth = [0.9, 12.0, np.log(2)]
    assert np.all(np.abs(found["estimate"] - truth) < 3 * found["std_error"])


def test_the_randomised_offer_is_found_and_covers_the_truth(business):
    """Mean renewals made in the half year after the assignment, arm against arm."""
    day = business.offers["assigned"].iloc[0]
    tested = business.offers.merge(business.contracts, on="customer_id")
    tested = tested[(tested["start"] < day) & (tested["end"].isna() | (tested["end"] >= day))]
    assert len(tested) == len(business.offers) == len(business.renewals)
    left = ((tested["end"].dt.year - day.year) * 12 + tested["end"].dt.month - day.month).fillna(99)
    means = {}
    for arm, months in left.groupby(tested["arm"]):
        curve = kaplan_meier(np.minimum(months + 1, 7), months < 6)
        means[arm] = curve.restricted_mean(7)
    difference = means["offer"].estimate - means["none"].estimate
    error = np.hypot(means["offer"].std_error, means["none"].std_error)
    assert business.offer_effect > 0.2
    assert abs(difference - business.offer_effect) < 3 * error
    assert (business.renewals["offer"] >= business.renewals["none"]).all()


def test_the_rows_of_the_offer_are_those_of_a_test_and_hold_the_truth(business):
    rows = business.offer_rows
    assert rows["customer_id"].is_unique
    assert rows["tenure"].between(1, 12).all()
    plan = rm.Plan(control="none", assigned_by=business.assigned_by)
    test = rm.contract_experiment(rows, plan, arm="arm", time_unit="M")
    effects = [
        *rm.interventions.retention_difference(test, horizon=6),
        *rm.interventions.rmst_difference(test, horizon=6),
    ]
    beside = business.beside(rm.evidence_table(effects).table)
    assert beside.index.get_level_values("outcome").tolist() == ["still a customer", "time as a customer"]
    assert beside["holds"].all()
    assert (beside["truth"] > 0).all()


@pytest.mark.slow
def test_intervals_of_the_offer_hold_its_truth_as_often_as_they_say():
    held = []
    for seed in range(1_000):
        business = subscriptions(np.random.default_rng(seed), customers=1_500, months=42)
        plan = rm.Plan(control="none", assigned_by="random")
        test = rm.contract_experiment(business.offer_rows, plan, arm="arm", time_unit="M")
        effects = [
            *rm.interventions.retention_difference(test, horizon=6),
            *rm.interventions.rmst_difference(test, horizon=6),
        ]
        held.append(business.beside(rm.evidence_table(effects).table)["holds"].to_numpy())
    assert ((np.mean(held, axis=0) >= 0.93) & (np.mean(held, axis=0) <= 0.985)).all()


def test_slow_answers_drive_customers_away():
    rules = Rules(**{**NOTHING_ELSE, "complaint": 0.1, "slow": 3.0, "fast": 0.0, "slow_share": 0.5})
    business = subscriptions(np.random.default_rng(6), customers=20_000, rules=rules)
    taken = (business.complaints["resolved"] - business.complaints["date"]).dt.days
    assert set(taken[taken < 10]) == {1, 2, 3}
    met = business.complaints.assign(slow=taken > 10).merge(business.contracts, on="customer_id")
    soon = met["end"].notna() & (met["end"] - met["date"] < pd.Timedelta(95, "D"))
    shares = soon.groupby(met["slow"]).mean()
    assert shares[True] > 1.5 * shares[False]


def test_causes_have_the_shares_of_their_intensities(business):
    payment = cause_curves(read(business))["all"].table(at=[365]).set_index("cause").loc["payment", "incidence"]
    assert 0.03 < payment < 1 - np.exp(-12 * 0.006)


def test_customers_come_back(business):
    again = business.contracts["customer_id"].duplicated().sum()
    ended = business.contracts["end"].notna().sum()
    assert 0.05 < again / ended < 0.1


def test_an_offer_beyond_the_observation_is_an_error():
    with pytest.raises(ValueError, match="the offer of month 44 works on 6 renewals, and 48 months are observed"):
        subscriptions(np.random.default_rng(1), offer_month=44)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"alpha": -1.0}, "alpha must be a number above 0; got -1.0"),
        ({"win_back": 2.0}, "win_back must be from 0 to 1; got 2.0"),
        ({"payment": -0.1}, "payment must be an intensity, 0 or more"),
        ({"slow": -2.0}, "slow must be a number, -1 or more"),
        ({"season": 1.5}, "season must be from -1 to 1"),
        ({"friends": np.nan}, "friends must be a number"),
    ],
)
def test_rules_that_cannot_be_are_named(rule, message):
    with pytest.raises(ValueError, match=message):
        Rules(**rule)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"customers": 0}, "customers must be a whole number, 1 or more"),
        ({"offer_month": 1.5}, "offer_month must be a whole number, 1 or more"),
        ({"opened": "2021-13"}, "opened must be a month such as '2021-01', not '2021-13'"),
    ],
)
def test_a_business_that_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        subscriptions(np.random.default_rng(1), **arguments)


def test_a_seed_is_as_good_as_a_generator():
    one, other = (subscriptions(rng, customers=50) for rng in (7, np.random.default_rng(7)))
    pd.testing.assert_frame_equal(one.contracts, other.contracts)


def test_the_expected_survival_is_that_of_customers_who_go_on_by_the_same_rules():
    """By hand where only the own chance and failed payments count, and by single months with complaints."""
    plain = Rules(**{**NOTHING_ELSE, "payment": 0.02})
    business = subscriptions(np.random.default_rng(8), customers=500, rules=plain)
    survival = business.expected_survival(3)
    chance = business.chances[survival.index].to_numpy()[:, None]
    by_hand = (1 - chance) ** np.arange(1, 4) * np.exp(-0.02 * np.arange(1, 4))
    np.testing.assert_allclose(survival, by_hand, rtol=1e-12)
    assert len(survival) == business.contracts["end"].isna().sum()


def test_the_expected_survival_is_what_a_longer_run_of_the_business_shows():
    """Two businesses of the same seed cannot share later months, so the mean of many is compared."""
    rules = Rules(price_months=(), competitor_months=(), win_back=0.0, offer_effect=0.0)
    expected, came = [], []
    for seed in range(12):
        business = subscriptions(seed, customers=1_500, months=36, offer_month=20, rules=rules)
        cut = pd.Timestamp("2023-01-01")
        known = business.contracts[business.contracts["start"] < cut]
        early = replace(
            business,
            contracts=known.assign(end=known["end"].where(known["end"] < cut)),
            complaints=business.complaints[business.complaints["date"] < cut],
            calendar=business.calendar.iloc[:24],
        )
        expected.append(early.expected_survival(11).sum())
        active = known[~(known["end"] < cut)]
        months = pd.PeriodIndex(pd.date_range("2023-01-31", periods=12, freq="ME"), freq="M")
        last = active["end"].dt.to_period("M")
        came.append([int((last.isna() | (last > month)).sum()) for month in months[:11]])
    ratio = np.sum(came, axis=0) / np.sum(expected, axis=0)
    assert ratio == pytest.approx(np.ones(11), abs=0.02)
