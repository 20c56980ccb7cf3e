"""Clusters, blocks and measured costs in tests among contracts: identities, the jackknife, coverage, errors."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_models as rm
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.contract_arms import contract_experiment
from retention_models.interventions.designs.contract_cells import restricted_mean, survival_at
from retention_models.interventions.designs.contracts import incremental_value, retention_difference, rmst_difference
from retention_models.interventions.effects.laws import StudentT

PLAN = Plan(assigned_by="random", control="none", shares={"none": 1, "offer": 1})
COUNTED = Costs(contact=1.0, contacts="calls", redemption=8.0, redemptions="used")
MONEY = {"terms": rm.Terms(price=10.0), "costs": {"none": COUNTED, "offer": COUNTED}}


@pytest.fixture(scope="module")
def rows():
    """347 customers of 60 shops in 2 regions; shops differ, and who stays long redeems more often."""
    rng = np.random.default_rng(8)
    shop = np.repeat(np.arange(60), rng.integers(2, 11, 60))
    offered, shared = shop % 2 == 1, rng.gamma(4, 1 / 4, 60)[shop]
    life = np.ceil(rng.exponential(np.where(offered, 9, 6) / shared))
    seen = rng.integers(6, 12, len(shop))
    return pd.DataFrame(
        {
            "arm": np.where(offered, "offer", "none"),
            "region": np.where(shop < 25, "north", "south"),
            "shop": [f"shop {number}" for number in shop],
            "tenure": np.minimum(life, seen),
            "churned": (life <= seen).astype(int),
            "used": np.where(offered & (life > 3), rng.poisson(1.5, len(shop)), 0),
            "calls": np.where(offered, 2, 0),
        }
    )


def made(rows, plan=PLAN, **options):
    return contract_experiment(rows, plan, arm="arm", time_unit="M", columns=["used", "calls"], **options)


def effects(test):
    """The three effects of a test: share retained, time, and time discounted with money."""
    return [
        retention_difference(test, horizon=5)[0],
        rmst_difference(test, horizon=5)[0],
        rmst_difference(test, horizon=5.5, rate=0.02, **MONEY)[0],
    ]


def numbers(test):
    return [
        x for e in effects(test) for x in (e.estimate, e.std_error, e.lower, e.cost or 0.0, e.value or 0.0, e.law.df)
    ] + [x for e in effects(test)[2:] for x in (e.value_law.std_error, e.value_law.df)]


def same(first, second):
    return numbers(first) == pytest.approx(numbers(second), rel=1e-12)


def test_squared_influence_is_the_variance_of_greenwood(rows):
    for cell in made(rows, block="region").cells:
        for horizon in (2, 5, 5.5, 0.5):
            pairs = (
                (survival_at(cell.curve, horizon), cell.curve.table(at=[horizon])["std_error"].iloc[0]),
                (restricted_mean(cell.curve, horizon, 0.0), cell.curve.restricted_mean(horizon).std_error),
                (restricted_mean(cell.curve, horizon, 0.1), cell.curve.restricted_mean(horizon, rate=0.1).std_error),
            )
            for quantity, std_error in pairs:
                influence = cell.influence(quantity)
                assert cell.n @ influence == pytest.approx(0, abs=1e-12)
                assert math.sqrt(cell.n @ influence**2) == pytest.approx(std_error, rel=1e-12, abs=1e-15)


def test_influence_is_what_another_customer_changes(rows):
    """The derivative of the estimate in the number of customers of a group, by a small weight."""
    (cell, _) = made(rows).cells
    step, more = 1e-4, np.eye(len(cell.n))[[0, 4, 9]]
    for quantity, of in ((5, survival_at), (5.5, lambda curve, t: restricted_mean(curve, t, 0.05))):
        influence = cell.influence(of(cell.curve, quantity))
        for one, psi in zip(more, influence[[0, 4, 9]], strict=True):
            up, down = (
                of(rm.kaplan_meier(cell.tenure, cell.churned, weight=cell.n + h * one), quantity).estimate
                for h in (step, -step)
            )
            assert (up - down) / (2 * step) == pytest.approx(psi, rel=1e-5, abs=1e-8)


def test_without_clusters_errors_are_those_of_independent_curves(rows):
    test = made(rows)
    none, offer = test.curves["none"], test.curves["offer"]
    share, time, money = effects(test)
    errors = [curve.table(at=[5])["std_error"].iloc[0] for curve in (none, offer)]
    assert share.std_error == pytest.approx(math.hypot(*errors), rel=1e-12)
    errors = [curve.restricted_mean(5).std_error for curve in (none, offer)]
    assert time.std_error == pytest.approx(math.hypot(*errors), rel=1e-12)
    assert time.estimate == pytest.approx(offer.restricted_mean(5).estimate - none.restricted_mean(5).estimate)
    assert {effect.law.df for effect in (share, time, money)} == {math.inf}


def test_leaving_at_once_ends_the_curve_without_variance():
    """All of one arm leave by month 3: what is summed is what a mean of times has."""
    rows = pd.DataFrame({"arm": ["none"] * 4 + ["offer"] * 4, "tenure": [1, 2, 3, 3, 2, 4, 5, 6], "churned": 1})
    effect = rmst_difference(contract_experiment(rows, PLAN, arm="arm", time_unit="M"), horizon=6)[0]
    variances = rows.groupby("arm")["tenure"].var(ddof=0) / 4
    assert effect.std_error == pytest.approx(math.sqrt(variances.sum()), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"block": "region"}, {"cluster": "shop"}])
def test_weights_are_repeated_rows(rows, options):
    keys = list(dict.fromkeys(["arm", "tenure", "churned", "used", "calls", *options.values()]))
    counted = rows.groupby(keys, as_index=False).size()
    assert len(counted) < len(rows)
    nobody = counted.head(1).assign(tenure=99, shop="no shop", size=0)
    counted = pd.concat([counted, nobody[counted.columns]])
    assert same(made(rows, **options), made(counted, weight="size", **options))


def test_customers_as_clusters_of_one_change_the_errors_by_the_divisor(rows):
    """n / (n - 1) in each arm, and n - 1 degrees of freedom."""
    rows = rows.assign(customer=range(len(rows)))
    single, plain = made(rows, cluster="customer"), made(rows)
    for one, of in zip(effects(single), effects(plain), strict=True):
        assert one.estimate == pytest.approx(of.estimate)
        inflation = [n / (n - 1) for n in plain.sizes.values()]
        assert min(inflation) < (one.std_error / of.std_error) ** 2 < max(inflation)
        assert min(plain.sizes.values()) - 1 < one.law.df < sum(plain.sizes.values())


def test_one_block_is_no_block(rows):
    blocked = made(rows.assign(region="all"), block="region")
    assert same(blocked, made(rows))
    assert effects(blocked)[0].estimand == effects(made(rows))[0].estimand


@pytest.mark.parametrize("options", [{}, {"cluster": "shop"}])
def test_blocks_are_averaged_by_their_share_of_customers(rows, options):
    together = effects(made(rows, block="region", **options))
    shares = rows["region"].value_counts(normalize=True)
    apart = {region: effects(made(rows[rows["region"] == region], **options)) for region in shares.index}
    for i, effect in enumerate(together):
        assert effect.estimate == pytest.approx(sum(shares[r] * apart[r][i].estimate for r in apart))
        assert effect.std_error == pytest.approx(math.hypot(*(shares[r] * apart[r][i].std_error for r in apart)))
    assert together[2].value == pytest.approx(sum(shares[r] * apart[r][2].value for r in apart))
    assert together[2].cost == pytest.approx(sum(shares[r] * apart[r][2].cost for r in apart))
    assert together[0].estimand.endswith("as assigned, compared within blocks")


def jackknifed(rows, of):
    """Value and variance of a quantity of one arm, leaving out one shop after the other."""
    left_out = np.array([of(rows[rows["shop"] != shop]) for shop in rows["shop"].unique()])
    return of(rows), (len(left_out) - 1) / len(left_out) * np.sum((left_out - left_out.mean()) ** 2)


@pytest.mark.parametrize("quantity", ["share", "time", "money"])
def test_errors_by_cluster_agree_with_leaving_out_one_cluster(rows, quantity):
    def of(part):
        curve = rm.kaplan_meier(part["tenure"], part["churned"])
        if quantity == "share":
            return float(curve.survival_function(5))
        time = curve.restricted_mean(5).estimate
        return time if quantity == "time" else 10 * time - 8 * part["used"].mean() - part["calls"].mean()

    (offer, its), (none, other) = (jackknifed(rows[rows["arm"] == arm], of) for arm in ("offer", "none"))
    test = made(rows, cluster="shop")
    measured = {
        "share": lambda: retention_difference(test, horizon=5)[0].law,
        "time": lambda: rmst_difference(test, horizon=5)[0].law,
        "money": lambda: rmst_difference(test, horizon=5, **MONEY)[0].value_law,
    }[quantity]()
    assert isinstance(measured, StudentT)
    assert measured.estimate == pytest.approx(offer - none)
    assert measured.std_error == pytest.approx(math.sqrt(its + other), rel=0.03)
    assert 20 < measured.df < 58


def test_clusters_are_wider_and_pass_the_check_of_the_unit(rows):
    plan = Plan(assigned_by="random", control="none", unit="shop")
    plain, clustered = made(rows, plan), made(rows, plan, cluster="shop")
    assert rmst_difference(clustered, horizon=5)[0].std_error > rmst_difference(plain, horizon=5)[0].std_error
    unit = {test: next(c for c in test.checks if c.name == "Unit of assignment") for test in (plain, clustered)}
    assert unit[plain].passed is False
    assert unit[clustered].passed is True
    assert "Errors by the assigned clusters (CR2; none 30, offer 30;" in unit[clustered].detail
    assert str(clustered).count(" 30") == 2
    assert "clusters" not in str(plain)


def test_the_plan_names_cluster_and_block_and_who_is_kept_out(rows):
    plan = Plan(assigned_by="random", control="none", cluster="shop", block="region", universal_control=0.1)
    kept_out = rows.head(30).assign(arm="universal control", shop=None, used=np.nan)
    assert same(made(pd.concat([rows, kept_out]), plan), made(rows, cluster="shop", block="region"))


def test_value_without_clusters_by_hand():
    """All are observed, so time is a plain mean, and net value a mean of customers' own."""
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"arm": ["none", "offer"] * 40, "tenure": rng.integers(1, 9, 80), "churned": 1, "calls": 1})
    rows["used"] = rng.binomial(rows["tenure"], 0.3) * (rows["arm"] == "offer")
    (effect,) = rmst_difference(made(rows), horizon=6, **MONEY)
    own = 10.0 * rows["tenure"].clip(upper=6) - 8.0 * rows["used"] - rows["calls"]
    means, variances = own.groupby(rows["arm"]).mean(), own.groupby(rows["arm"]).var(ddof=0) / 40
    assert effect.cost == pytest.approx(8 * rows.loc[rows["arm"] == "offer", "used"].mean())
    assert effect.value == pytest.approx(means["offer"] - means["none"])
    assert effect.value_law.std_error == pytest.approx(math.sqrt(variances.sum()))
    table = incremental_value(made(rows), **MONEY, horizon=6, rate=0.0)
    assert table.loc["offer"].tolist() == pytest.approx([effect.value, effect.value_lower, effect.value_upper])


def test_the_tail_has_the_interval_of_the_clusters(rows):
    test = made(rows, cluster="shop")
    table = incremental_value(test, **MONEY, horizon=5, rate=0.01, residual_lifetime=8.0)
    kept = retention_difference(test, horizon=5)[0]
    worth = 10 * 8 * math.exp(-0.05)
    assert math.isfinite(kept.law.df)
    assert table.loc["offer", ["tail_lower", "tail_upper"]].tolist() == pytest.approx(
        [worth * kept.lower, worth * kept.upper]
    )


def test_a_constant_number_of_contacts_is_no_uncertainty(rows):
    """0.7 calls each are as certain as a fixed cost, with all digits."""
    money = {"terms": rm.Terms(price=10.0), "costs": {"offer": Costs(contact=3.0, contacts="calls")}}
    fixed = {"terms": rm.Terms(price=10.0), "costs": {"offer": Costs(contact=3.0 * 0.7)}}
    test = made(rows.assign(calls=0.7))
    counted, stated = (rmst_difference(test, horizon=5, **costs)[0] for costs in (money, fixed))
    assert counted.value == pytest.approx(stated.value, rel=1e-12)
    assert counted.value_law.std_error == pytest.approx(stated.value_law.std_error, rel=1e-12)


def test_engines_give_the_same_numbers(rows, tmp_path):
    rows.to_csv(tmp_path / "rows.csv", index=False)
    options = {"cluster": "shop", "block": "region"}
    for source in (pl.DataFrame(rows.to_dict("list")).lazy(), tmp_path / "rows.csv"):
        assert same(made(source, **options), made(rows, **options))


def test_contracts_that_were_read_keep_what_was_measured():
    days = {"observation_start": "2024-03-01", "observation_end": "2024-06-29"}
    log = pd.DataFrame(
        {
            "customer_id": range(12),
            "start": "2024-01-10",
            "end": ["2024-03-11", "2024-05-30", "2024-04-10", None, None, "2024-03-21"] * 2,
            "arm": ["none", "none", "call"] * 4,
            "team": ["a", "b", "c", "a", "b", "d"] * 2,
            "used": [0, 0, 1, 0, 0, 2] * 2,
        }
    )
    spells = rm.read_contracts(log, sampling="active_on", covariates=["arm", "team", "used"], **days)
    plan = Plan(assigned_by="random", control="none", cluster="team")
    test = contract_experiment(spells, plan, arm="arm", columns=["used"])
    (effect,) = rmst_difference(
        test, rm.Terms(price=1.0), costs={"call": Costs(redemption=2.0, redemptions="used")}, horizon=100
    )
    assert effect.cost == 3.0
    assert effect.law.df < 3
    with pytest.raises(ValueError, match=r"'calls' is not among the covariates of the contracts \(arm, team, used\)"):
        contract_experiment(spells, plan, arm="arm", columns=["calls"])


def test_if_nobody_left_clusters_count_as_one_customer_each(rows):
    """20 shops an arm, all of whose customers stay: Newcombe's interval of 0 in 20."""
    rows = pd.DataFrame({"arm": ["none", "offer"] * 100, "shop": np.arange(200) % 40, "tenure": 10.0, "churned": 0})
    test = contract_experiment(rows, PLAN, arm="arm", time_unit="M", cluster="shop")
    effect = retention_difference(test, horizon=5)[0]
    end = 1.959964**2 / (20 + 1.959964**2)
    assert (effect.estimate, effect.lower, effect.upper) == pytest.approx((0, -end, end))
    with pytest.raises(ValueError, match="is the same for every cluster of none and offer"):
        rmst_difference(test, horizon=5)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d.drop(columns="used"), {}, "has no column 'used'"),
        (
            lambda d: d.assign(used=d["used"].where(d.index > 1, np.inf)),
            {},
            "used is missing or not finite in 2 of 347 rows; write 0 for none",
        ),
        (
            lambda d: d.assign(calls=d["calls"].where(d.index != 3)),
            {},
            "calls is missing or not finite in 1 of 347 rows",
        ),
        (
            lambda d: d.assign(shop=d["shop"].where(d.index > 1)),
            {"cluster": "shop"},
            "shop is missing for 2 of 347 customers; fill it in",
        ),
        (
            lambda d: d.assign(region=d["region"].where(d.index > 1)),
            {"block": "region"},
            "region is missing for 2 of 347 customers; fill it in",
        ),
        (
            lambda d: d.assign(arm=np.where(d.index == 0, "offer", d["arm"])),
            {"cluster": "shop"},
            r"shop: 1 of 60 clusters \(first: shop 0\) have customers in more than one arm or block",
        ),
        (
            lambda d: d.assign(region=np.where(d.index == 0, "south", d["region"])),
            {"cluster": "shop", "block": "region"},
            r"shop: 1 of 60 clusters \(first: shop 0\) have customers in more than one arm or block",
        ),
        (
            lambda d: d.assign(region=np.where(d["arm"] == "none", d["region"], "south")),
            {"block": "region"},
            "block 'north' has no customers in offer; merge it",
        ),
        (lambda d: d.assign(shop=d["arm"]), {"cluster": "shop"}, "arm 'none' holds 1 cluster: with fewer than 2"),
    ],
)
def test_clusters_blocks_and_costs_that_cannot_be_are_refused(rows, change, options, message):
    with pytest.raises(ValueError, match=message):
        made(change(rows), **options)


def test_costs_must_count_what_was_measured(rows):
    costs = {"offer": Costs(redemption=8.0, redemptions="gifts")}
    with pytest.raises(ValueError, match=r"gifts was not measured, .* offer .*\(measured: used, calls\); name it in"):
        rmst_difference(made(rows), rm.Terms(price=1.0), costs=costs, horizon=5)
    with pytest.raises(ValueError, match=r"columns must be a list of texts, such as \['redeemed'\]"):
        contract_experiment(rows, PLAN, arm="arm", time_unit="M", columns="used")


@pytest.mark.parametrize("units", [{}, {"block": "region"}, {"cluster": "shop"}])
def test_without_censoring_a_test_at_a_horizon_is_the_experiment_on_what_was_seen(rows, units):
    """The pseudo-values are then the outcomes themselves: so are CUPED, costs and the balance of covariates."""
    rng = np.random.default_rng(3)
    rows = rows.assign(before=rng.normal(size=len(rows)) + rows["tenure"], churned=1)
    seen = rows.assign(kept=(rows["tenure"] > 5).astype(int), time=rows["tenure"].clip(upper=5))
    options = {"arm": "arm", "covariates": ["before"], "customer_id": None, **units}
    plain = rm.Experiment.from_rows(seen, PLAN, outcomes=["kept", "time", "used", "calls"], **options)
    test = contract_experiment(rows, PLAN, arm="arm", time_unit="M", columns=["used", "calls", "before"], **units)
    at_horizon = test.experiment_at(5, covariates=["before"])
    assert [str(check) for check in at_horizon.checks if check.name == "Balance before assignment"] == [
        str(check) for check in plain.checks if check.name == "Balance before assignment"
    ]
    for column, other, unit in (("still a customer", "kept", "share of customers"), ("time as a customer", "time", "")):
        for adjust_for in ((), ("before",)):
            first, second = (rm.Outcome(column=name, unit=unit, adjust_for=adjust_for) for name in (column, other))
            (mine,), (theirs,) = rm.differences(at_horizon, first, **MONEY), rm.differences(plain, second, **MONEY)
            for name in ("estimate", "lower", "upper", "value", "value_lower", "value_upper", "cost"):
                assert getattr(mine, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-12), name
    kept = rm.Outcome(column="still a customer"), rm.Outcome(column="kept")
    pair = zip((at_horizon, plain), kept, strict=True)
    costs = [rm.interventions.cost_per_retained(test, outcome, MONEY["costs"]) for test, outcome in pair]
    assert costs[0].estimate == pytest.approx(costs[1].estimate)


def test_with_censoring_it_has_greenwoods_variance(rows):
    test = made(rows)
    (kept,) = rm.differences(test.experiment_at(5), rm.Outcome(column="still a customer"))
    (exact,) = retention_difference(test, horizon=5)
    assert kept.estimate == pytest.approx(exact.estimate)
    assert kept.std_error == pytest.approx(exact.std_error, rel=0.01)
    (time,) = rm.differences(test.experiment_at(5), rm.Outcome(column="time as a customer"))
    assert time.estimate == pytest.approx(rmst_difference(test, horizon=5)[0].estimate)
    assert any(check.name == "Number of events" and check.passed for check in kept.checks)
    with pytest.raises(ValueError, match="age was not measured in this experiment"):
        test.experiment_at(5, covariates=["age"])
    with pytest.raises(ValueError, match="choose a horizon up to that, not 50"):
        test.experiment_at(50)


def test_covariates_known_before_make_the_interval_narrower_and_leave_the_effect(rows):
    rng = np.random.default_rng(1)
    known = rows.assign(before=rows["tenure"] + rng.normal(0, 2, len(rows)))
    test = contract_experiment(known, PLAN, arm="arm", time_unit="M", columns=["before"])
    at_horizon = test.experiment_at(5, covariates=["before"])
    plain, adjusted = (
        rm.differences(at_horizon, rm.Outcome(column="time as a customer", adjust_for=names))[0]
        for names in ((), ("before",))
    )
    assert adjusted.std_error < 0.9 * plain.std_error


def test_a_block_that_was_not_observed_so_long_is_named(rows):
    early = rows.assign(tenure=rows["tenure"].where(rows["region"] == "north", rows["tenure"].clip(upper=4)))
    early["churned"] = early["churned"].where(rows["tenure"] == early["tenure"], 0)
    with pytest.raises(ValueError, match="no customer in none of block 'south' was observed for longer than 4 months"):
        retention_difference(made(early, block="region"), horizon=5)


def clustered_world(rng, means, shape, teams, size):
    """Customers of teams with a shared gamma frailty; of those offered who stay 3 months, 60 % redeem."""
    team = np.repeat(np.arange(2 * teams), size)
    offered = team % 2 == 1
    life = (
        rng.exponential(np.where(offered, means["offer"], means["none"])) / rng.gamma(shape, 1 / shape, 2 * teams)[team]
    )
    seen = rng.uniform(6, 18, len(team))
    return pd.DataFrame(
        {
            "arm": np.where(offered, "offer", "none"),
            "team": team,
            "tenure": np.minimum(life, seen),
            "churned": (life <= seen).astype(int),
            "used": (offered & (life > 3) & (rng.random(len(team)) < 0.6)).astype(int),
        }
    )


@pytest.mark.slow
def test_intervals_by_cluster_cover_the_true_time_and_net_value():
    """20 teams of 15 an arm with a shared frailty; without clusters the intervals of time are far too narrow."""
    means, shape = {"none": 10.0, "offer": 14.0}, 3.0

    def time(mean):
        """Area under (1 + t / (shape mean))^-shape up to month 6."""
        return shape * mean / (shape - 1) * (1 - (1 + 6 / (shape * mean)) ** (1 - shape))

    gain = time(means["offer"]) - time(means["none"])
    truth = gain, 20 * gain - 25 * 0.6 * (1 + 3 / (shape * means["offer"])) ** -shape
    rng, covered = np.random.default_rng(12), []
    money = {"terms": rm.Terms(price=20.0), "costs": {"offer": Costs(redemption=25.0, redemptions="used")}}
    for _ in range(1_500):
        rows = clustered_world(rng, means, shape, teams=20, size=15)
        hits = []
        for cluster in ("team", None):
            test = contract_experiment(rows, PLAN, arm="arm", time_unit="M", cluster=cluster, columns=["used"])
            effect = rmst_difference(test, horizon=6, **money)[0]
            hits += [effect.lower <= truth[0] <= effect.upper, effect.value_lower <= truth[1] <= effect.value_upper]
        covered.append(hits)
    time_covered, value_covered, time_plain, value_plain = np.mean(covered, axis=0)
    assert 0.93 < time_covered < 0.97
    assert 0.93 < value_covered < 0.97
    assert time_plain < 0.85
    assert value_plain < 0.85
