"""Differences, lifts and contrasts: published values, tea-tasting, by hand, and what must hold of any."""

import math

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.arms.contrasts import factorial_contrasts
from retention_models.interventions.arms.cost_breakdown import cost_per_retained
from retention_models.interventions.arms.costs import Costs
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import (
    any_difference,
    contrast_effects,
    differences,
    factorial_effects,
    programme_effect,
)
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.sensitivity import non_inferiority
from retention_models.interventions.planning.sequential import interim_look

SPEND = {"mean": {}, "cuped": {"adjust_for": ("pre",)}, "ratio": {"per": "orders"},
         "ratio_cuped": {"per": "orders", "adjust_for": ("pre",)}}  # fmt: skip


def counted(**arms):
    """An experiment from arm=(n, count)."""
    table = pd.DataFrame([{"arm": arm, "n": n, "y": count} for arm, (n, count) in arms.items()])
    return Experiment.from_counts(table, Plan(assigned_by="random", control=next(iter(arms))), outcome="y")


def test_nsw_difference_with_hc2_is_as_published(nsw, peers):
    """The published 1794.3433 is a float32 sum of the same rows; exactly it is 1794.3424."""
    test = Experiment.from_rows(nsw, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["re78"])
    effect = differences(test, Outcome(column="re78"))[0]
    assert effect.estimate == pytest.approx(peers["nsw"]["difference"]["estimate"], rel=1e-12)
    assert effect.std_error == pytest.approx(peers["nsw"]["difference"]["std_error"], rel=1e-12)
    assert (round(effect.estimate, 2), round(effect.std_error, 3)) == (1794.34, 670.997)


@pytest.mark.parametrize("name", SPEND)
def test_means_ratios_and_cuped_agree_with_tea_tasting(cuped, peers, name):
    test = Experiment.from_rows(
        cuped,
        Plan(assigned_by="random", control="control"),
        arm="arm",
        outcomes=["spend", "orders"],
        covariates=["pre"],
    )
    expected, outcome = peers["tea_tasting"][name], Outcome(column="spend", **SPEND[name])
    effect, lift = differences(test, outcome)[0], differences(test, outcome, scale="ratio")[0]
    found = [effect.estimate, effect.lower, effect.upper, lift.estimate - 1, lift.lower - 1, lift.upper - 1]
    keys = [f"{kind}effect_size{end}" for kind in ("", "rel_") for end in ("", "_ci_lower", "_ci_upper")]
    same = 4 if outcome.adjust_for else 6  # tea-tasting leaves out the covariates' own error, which a ratio keeps
    np.testing.assert_allclose(found[:same], [expected[key] for key in keys[:same]], rtol=1e-9)
    assert effect.p_value == pytest.approx(expected["pvalue"], rel=1e-6)


def test_the_stamp_cards_z_is_as_published():
    """Nunes & Dreze (2006): 28 against 51 of 150, z 3.0149, p .00257."""
    test = counted(eight=(150, 28), ten=(150, 51))
    found = any_difference(test, Outcome(column="y"))
    assert math.sqrt(found.chi_squared) == pytest.approx(3.0149, abs=5e-5)
    assert found.p_value == pytest.approx(0.00257, abs=5e-6)
    assert found.df == 1


def test_any_difference_is_pearsons_chi_squared():
    test = counted(a=(100, 30), b=(200, 80), c=(150, 30))
    seen = np.array([[30, 70], [80, 120], [30, 120]])
    expected = seen.sum(1, keepdims=True) * seen.sum(0) / seen.sum()
    found = any_difference(test, Outcome(column="y"))
    assert found.chi_squared == pytest.approx(np.sum((seen - expected) ** 2 / expected))
    assert found.df == 2


def test_a_difference_of_shares_by_hand():
    effect = differences(counted(a=(100, 20), b=(200, 60)), Outcome(column="y"))[0]
    assert effect.estimate == pytest.approx(0.1)
    assert effect.std_error == pytest.approx(math.sqrt(0.2 * 0.8 / 99 + 0.3 * 0.7 / 199))
    assert effect.n == 300


def test_a_lift_by_hand():
    effect = differences(counted(a=(100, 20), b=(200, 60)), Outcome(column="y"), scale="ratio")[0]
    assert effect.estimate == pytest.approx(1.5)
    assert effect.std_error == pytest.approx(math.sqrt(0.8 / 0.2 / 99 + 0.7 / 0.3 / 199))
    assert math.log(effect.upper) - math.log(1.5) == pytest.approx(math.log(1.5) - math.log(effect.lower))


def test_each_pair_once_and_against_any_baseline():
    test = counted(a=(100, 20), b=(200, 60), c=(100, 50))
    outcome = Outcome(column="y")
    pairs = {effect.intervention: effect.estimate for effect in differences(test, outcome, pairwise=True)}
    assert pairs == {"b": pytest.approx(0.1), "c": pytest.approx(0.3), "c against b": pytest.approx(0.2)}
    against_b = differences(test, outcome, baseline="b")
    assert [e.intervention for e in against_b] == ["a against b", "c against b"]
    assert against_b[1].estimate == pytest.approx(0.2)


def test_blocks_are_compared_within(nsw):
    rows = nsw.assign(block=nsw["nodegree"].astype(str))
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["re78"], block="block"
    )
    effect = differences(test, Outcome(column="re78"))[0]
    estimate = variance = 0.0
    for _, part in rows.groupby("block"):
        share = len(part) / len(rows)
        treated, control = (part.loc[part["arm"] == arm, "re78"] for arm in ("treated", "control"))
        estimate += share * (treated.mean() - control.mean())
        variance += share**2 * (treated.var() / len(treated) + control.var() / len(control))
    assert effect.estimate == pytest.approx(estimate)
    assert effect.std_error == pytest.approx(math.sqrt(variance))
    assert "compared within blocks" in effect.estimand


def test_factorial_contrasts_by_hand():
    test = counted(none=(100, 10), mail=(100, 20), coupon=(100, 30), both=(100, 60))
    arms = {"none": (), "mail": ("mail",), "coupon": ("coupon",), "both": ("mail", "coupon")}
    effects = {e.intervention: e.estimate for e in factorial_effects(test, Outcome(column="y"), arms)}
    assert effects == {
        "mail": pytest.approx((0.1 + 0.3) / 2),
        "coupon": pytest.approx((0.2 + 0.4) / 2),
        "mail x coupon": pytest.approx(0.2),
    }


def test_factorial_contrasts_of_three_campaigns_are_orthogonal():
    arms = {"".join(c for c, on in zip("abc", f"{i:03b}", strict=True) if on == "1") or "-": [] for i in range(8)}
    arms = {name: [] if name == "-" else list(name) for name in arms}
    weights = np.array([list(w.values()) for w in factorial_contrasts(arms).values()])
    products = weights @ weights.T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    assert len(weights) == 6


def test_factorial_contrasts_need_every_combination():
    with pytest.raises(ValueError, match="2 campaigns need 4 arms, one for each combination"):
        factorial_contrasts({"none": [], "mail": ["mail"], "coupon": ["coupon"]})


def test_a_universal_hold_out_is_compared_with_all_campaigns_by_their_customers():
    test = counted(held=(1000, 100), mail=(3000, 450), call=(1000, 200))
    effect = programme_effect(test, Outcome(column="y"))
    assert effect.estimate == pytest.approx(0.75 * 0.15 + 0.25 * 0.2 - 0.1)
    assert effect.n == 5000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda t: differences(t, Outcome(column="spend")),
            r"spend was not measured in this experiment \(measured: y\)",
        ),
        (lambda t: differences(t, Outcome(column="y"), baseline="z"), "the baseline 'z' is not one of the arms a, b"),
        (
            lambda t: contrast_effects(t, Outcome(column="y"), {"odd": {"a": 1, "b": 1}}),
            "odd: the weights .* add up to 0",
        ),
        (lambda t: contrast_effects(t, Outcome(column="y"), {"odd": {"a": 0, "b": 0}}), "and not all of them may be 0"),
        (lambda t: contrast_effects(t, Outcome(column="y"), {"odd": {"a": 1, "z": -1}}), "there is no arm called z"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(counted(a=(100, 20), b=(200, 60)))


def test_outcomes_that_never_vary_are_refused():
    with pytest.raises(ValueError, match="y is the same for every customer"):
        differences(counted(a=(100, 0), b=(200, 0)), Outcome(column="y"))
    with pytest.raises(ValueError, match="not above 0 in a: a relative lift needs positive means"):
        differences(counted(a=(100, 0), b=(200, 5)), Outcome(column="y"), scale="ratio")


def test_any_difference_is_for_single_customers(nsw):
    test = Experiment.from_rows(
        nsw, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["re78"], block="nodegree"
    )
    with pytest.raises(ValueError, match="customers assigned one by one"):
        any_difference(test, Outcome(column="re78"))


def test_money_and_units_only_scale_the_numbers(cuped):
    scaled = cuped.assign(spend=cuped["spend"] * 1e5)
    outcome = Outcome(column="spend", adjust_for=("pre",))
    one, other = (
        differences(
            Experiment.from_rows(
                d, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["spend"], covariates=["pre"]
            ),
            outcome,
        )[0]
        for d in (cuped, scaled)
    )
    assert other.estimate == pytest.approx(1e5 * one.estimate)
    assert other.std_error == pytest.approx(1e5 * one.std_error)
    assert other.p_value == pytest.approx(one.p_value)


def test_too_many_covariates_for_few_clusters_fail_a_check():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"cluster": np.repeat(range(12), 10), "y": rng.normal(size=120), "x": rng.normal(size=120)})
    rows["arm"] = np.where(rows["cluster"] < 6, "a", "b")
    test = Experiment.from_rows(
        rows,
        Plan(assigned_by="random", control="a", unit="store"),
        arm="arm",
        outcomes=["y"],
        covariates=["x"],
        cluster="cluster",
    )
    failed = differences(test, Outcome(column="y", adjust_for=("x",)))[0].failed
    assert [check.name for check in failed] == ["Number of covariates"]
    assert differences(test, Outcome(column="y"))[0].failed == ()


def test_only_what_was_known_before_may_be_adjusted_for():
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "before": rng.normal(size=400)})
    rows["opened"] = ((rows["arm"] == "mail") & (rng.random(400) < 0.5)).astype(int)
    rows["y"] = rows["opened"] + rng.normal(size=400)
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y", "opened"], covariates=["before"]
    )
    late = Outcome(column="y", adjust_for=("opened",))
    for adjustment in ("CUPED", "Lin"):
        with pytest.raises(ValueError, match=r"opened is not among the covariates of this experiment \(before\)"):
            differences(test, late, adjustment=adjustment)
    with pytest.raises(ValueError, match="before: an outcome is measured after the assignment, a covariate before"):
        Experiment.from_rows(
            rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["before"], covariates=["before"]
        )


def test_sums_carry_covariates_and_their_balance():
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "x": rng.normal(size=400)})
    rows["y"] = rows["x"] + rng.normal(size=400)
    products = rows.assign(**{"y*y": rows["y"] ** 2, "x*x": rows["x"] ** 2, "x*y": rows["x"] * rows["y"], "n": 1})
    sums = products.groupby("arm", as_index=False).sum()
    outcome = Outcome(column="y", adjust_for=("x",))
    one = Experiment.from_sums(sums, Plan(assigned_by="random", control="none"), columns=["y"], covariates=["x"])
    other = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"], covariates=["x"]
    )
    assert (
        [check.name for check in one.checks]
        == [check.name for check in other.checks]
        == ["Sample ratio", "Balance before assignment"]
    )
    assert differences(one, outcome)[0].estimate == pytest.approx(differences(other, outcome)[0].estimate)


def shares(**arms):
    table = pd.DataFrame([{"arm": arm, "n": n, "y": y} for arm, (n, y) in arms.items()])
    return Experiment.from_counts(table, Plan(assigned_by="random", control="none"), outcome="y")


def test_a_pair_in_which_nobody_did_it_keeps_its_row_and_the_others():
    """Newcombe by hand: Wilson's upper end of 0 / n is z^2 / (n + z^2)."""
    test = shares(none=(1_000, 0), mail=(1_000, 0), gift=(1_000, 40))
    mail, gift = differences(test, Outcome(column="y"), rm.Terms(price=10.0), costs={"mail": Costs(contact=0.1)})
    end = 1.959964**2 / (1_000 + 1.959964**2)
    assert (mail.estimate, mail.lower, mail.upper) == pytest.approx((0, -end, end))
    assert mail.p_value == 1.0
    assert mail.priced == pytest.approx((-0.1, -0.1 - 10 * end, -0.1 + 10 * end))
    assert [check.name for check in mail.failed] == ["Number of events"]
    assert gift.estimate == 0.04


def test_all_against_none_is_a_difference_with_an_interval():
    effect = differences(shares(none=(10, 0), mail=(10, 10)), Outcome(column="y"))[0]
    wilson = 1.959964**2 / (10 + 1.959964**2)
    assert (effect.estimate, effect.lower, effect.upper) == pytest.approx((1, 1 - math.sqrt(2) * wilson, 1))
    assert effect.p_value < 1e-3


def test_amounts_that_never_differ_name_their_arms():
    rows = pd.DataFrame({"arm": ["none", "mail", "gift"] * 10, "y": [0.0, 0.0, 5.0] * 5 + [0.0, 0.0, 7.0] * 5})
    test = Experiment.from_rows(rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"])
    with pytest.raises(ValueError, match="y is the same for every customer of mail and none: there"):
        differences(test, Outcome(column="y"))
    nothing = shares(none=(10, 0), mail=(10, 0))
    for compare in (differences, any_difference):
        with pytest.raises(ValueError, match="y is the same for every customer"):
            compare(nothing, Outcome(column="y"))


def test_events_are_counted_over_the_blocks_of_an_arm():
    rows = pd.DataFrame({"arm": ["none", "mail"] * 400, "region": np.arange(800) // 2 % 40})
    rows["y"] = (np.arange(800) // 2 % 19 == 0).astype(int)
    test = Experiment.from_rows(
        rows, Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"], block="region"
    )
    check = next(c for c in differences(test, Outcome(column="y"))[0].checks if c.name == "Number of events")
    assert check.passed
    assert f"({rows['y'].sum() // 2} in the smallest group)" in check.detail


def test_what_could_not_be_chosen_has_no_price():
    test = shares(none=(10_000, 1_000), mail=(10_000, 1_000), coupon=(10_000, 1_000), both=(10_000, 1_400))
    campaigns = {"none": (), "mail": ("mail",), "coupon": ("coupon",), "both": ("mail", "coupon")}
    costs = {arm: Costs(contact=0.1) for arm in ("mail", "coupon", "both")}
    mail, coupon, together = factorial_effects(test, Outcome(column="y"), campaigns, rm.Terms(price=50.0), costs=costs)
    assert mail.value == pytest.approx(50 * 0.02 - 0.05)
    assert coupon.value is not None
    assert together.value is None


def test_a_failed_check_goes_wherever_the_numbers_go():
    table = pd.DataFrame({"arm": ["none", "mail"], "n": [10_000, 9_000], "y": [1_000, 990]})
    test = Experiment.from_counts(
        table, Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1}), outcome="y"
    )
    outcome, money = Outcome(column="y"), {"terms": rm.Terms(price=10.0), "costs": {"mail": Costs(contact=0.01)}}
    effect = differences(test, outcome, **money)[0]
    assert str(effect).endswith("FAILED: Sample ratio.")
    assert "FAILED: Sample ratio" in str(interim_look(effect, [0.5]))
    assert str(cost_per_retained(test, outcome, money["costs"])).endswith("FAILED: Sample ratio.")
    assert [check.name for check in any_difference(test, outcome).failed] == ["Sample ratio"]
    assert test.table().attrs["checks"][0]["passed"] is False
    judged = non_inferiority(effect, 0.01)
    assert judged.passed is None
    earlier = Effect.from_json(effect.to_json().replace('"Sample ratio"', '"sample ratio"'))  # as 0.2.0 named the check
    assert non_inferiority(earlier, 0.01).passed is None
    assert "FAILED: Sample ratio" in judged.detail


def test_an_adjusted_lift_has_the_error_of_its_influence_values(cuped):
    """Log ratio of A = mean y - slope (mean x - overall mean x): each customer's share in it, squared and added up."""
    test = Experiment.from_rows(
        cuped, Plan(assigned_by="random", control="control"), arm="arm", outcomes=["spend"], covariates=["pre"]
    )
    effect = differences(test, Outcome(column="spend", adjust_for=("pre",)), scale="ratio")[0]
    centred = cuped[["spend", "pre"]] - cuped.groupby("arm")[["spend", "pre"]].transform("mean")
    everyone = cuped[["spend", "pre"]] - cuped[["spend", "pre"]].mean()
    slope = (everyone["spend"] @ everyone["pre"]) / (everyone["pre"] @ everyone["pre"])
    means, n = cuped.groupby("arm")[["spend", "pre"]].mean(), cuped.groupby("arm").size()
    adjusted = means["spend"] - slope * (means["pre"] - cuped["pre"].mean())
    weight = cuped["arm"].map({"treated": 1 / adjusted["treated"], "control": -1 / adjusted["control"]})
    size = cuped["arm"].map(n)
    left = 1 / adjusted["treated"] - 1 / adjusted["control"]
    values = weight * (centred["spend"] - slope * centred["pre"]) / size
    values += left * slope * centred["pre"] / len(cuped)
    assert effect.std_error == pytest.approx(np.sqrt((values**2 * size / (size - 1)).sum()), rel=1e-9)
