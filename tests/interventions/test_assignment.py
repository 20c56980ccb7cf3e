"""Who decided who was treated: stated at every door, and only chance makes a difference an effect."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main

WORDS = ("random", "rule", "choice", "unknown")
NOT_RANDOM = WORDS[1:]
COUNTS = {"experiment": "e", "outcome": "o", "arm": ["a", "b"], "control": [True, False], "n": 90, "count": [30, 41]}
TERMS = rm.Terms(margin=0.3, currency="EUR")


@pytest.fixture(scope="module")
def joiners():
    """6,000 customers of whom nobody's purchases change; those who buy more are more likely to join."""
    rng = np.random.default_rng(1)
    rate = rng.gamma(0.8, 5.0, 6000)
    before, after = rng.poisson(rate), rng.poisson(rate)
    joined = rng.random(6000) < 1 - np.exp(-before / 6)
    return pd.DataFrame(
        {
            "customer_id": range(6000),
            "arm": np.where(joined, "member", "none"),
            "spend": after * 20.0,
            "orders": after,
            "joined": np.where(joined, "2024-03-01", None),
        }
    )


def aggregated(rows):
    sums = rows.assign(**{"spend*spend": rows["spend"] ** 2, "n": 1})
    return sums.groupby("arm", as_index=False)[["n", "spend", "spend*spend"]].sum()


def campaign(rows, assigned_by, **options):
    chosen = {"assigned": "joined", "measured_from": "2024-04-01"} if assigned_by == "choice" else {}
    asked = {"amount": "spend", "cost": 0.5, "control": "none", "assigned_by": assigned_by} | chosen | options
    return rm.interventions.read_campaign(rows, TERMS, **asked)


def effects_through(door, rows, assigned_by):
    plan = rm.Plan(control="none", assigned_by=assigned_by, measured_from="2024-04-01")
    spend = rm.Outcome(column="spend", unit="EUR per customer")
    if door == "from_rows":
        test = rm.Experiment.from_rows(rows, plan, arm="arm", outcomes=["spend"], joined="joined")
    elif door == "from_sums":
        test = rm.Experiment.from_sums(aggregated(rows), plan, columns=["spend"])
    else:
        return campaign(rows, assigned_by).effects
    return rm.differences(test, spend, TERMS, costs={"member": rm.Costs(contact=0.5)})


DOORS = ("from_rows", "from_sums", "read_campaign")


@pytest.mark.parametrize(("door", "assigned_by"), [*product(DOORS, WORDS)])
def test_the_word_reaches_the_row_and_only_chance_makes_it_randomised(door, assigned_by, joiners):
    if (door, assigned_by) == ("from_sums", "choice"):
        with pytest.raises(ValueError, match="assigned_by='choice' needs the rows of single customers with the day"):
            effects_through(door, joiners, assigned_by)
        return
    (effect,) = effects_through(door, joiners, assigned_by)
    assert effect.assigned_by == assigned_by
    assert effect.design == ("randomised" if assigned_by == "random" else "observational")
    assert effect.lower > 0  # what members buy more, though joining changes nothing
    table = rm.evidence_table([effect, rm.Effect.from_json(effect.to_json())])
    assert table.table["rank"].notna().all() == (assigned_by == "random")


@pytest.mark.parametrize("assigned_by", NOT_RANDOM)
def test_members_who_chose_themselves_are_not_recommended(assigned_by, joiners):
    compared = campaign(joiners, assigned_by)
    text = rm.narrative.recommendation(compared)
    assert "Roll out" not in text
    assert "EUR" not in text.replace("EUR per customer", "")
    assert text.startswith("Do not decide by this comparison: ")
    assert "Assign customers to the groups at random" in text
    assert compared.priced is None
    assert rm.interventions.cost_breakdown_by_arm(compared) is None
    assert rm.interventions.costs_per_retained(compared) == {}
    assert any(reason.startswith("This is no random test: ") for reason in compared.reasons)


def test_the_same_rows_assigned_at_random_are_recommended(joiners):
    assert rm.narrative.recommendation(campaign(joiners, "random")).startswith("Roll out “member”. ")


@pytest.mark.parametrize("assigned_by", [None, "choice"])  # rule and unknown go the way of None
def test_the_command_line_recommends_nothing_unless_it_is_told_that_chance_decided(assigned_by, joiners, tmp_path):
    joiners.to_csv(tmp_path / "members.csv", index=False)
    columns = ["--amount", "spend", "--outcome", "spend", "--margin", "0.3", "--control", "none", "--cost", "0.5"]
    stated = ["--assigned-by", assigned_by] if assigned_by else []
    chosen = ["--assigned", "joined", "--measured-from", "2024-04-01"] if assigned_by == "choice" else []
    command = ["experiment", str(tmp_path / "members.csv"), *columns, *stated, *chosen, "--output", str(tmp_path)]
    assert main(command) == 0
    page = (tmp_path / "06_did_the_campaign_work.html").read_text()
    assert "Do not decide by this comparison" in page
    assert "Roll out “member”" not in page
    assert "randomised" not in page


@pytest.mark.parametrize(
    "door",
    [
        lambda rows: rm.Plan(control="none"),
        lambda rows: rm.interventions.read_campaign(rows, TERMS, amount="spend"),
        lambda rows: rm.interventions.stepped_wedge(
            rows, rm.Outcome(column="spend"), cluster="arm", period="orders", switched="arm", rng=1
        ),
        lambda rows: rm.interventions.effects_of_counts(
            pd.DataFrame(COUNTS)
        ),
        lambda rows: rm.Effect(
            intervention="a", outcome="b", unit="c", estimand="d", scale="difference", estimate=1.0, std_error=1.0,
            population="all", n=10,
        ),
    ],
    ids=["Plan", "read_campaign", "stepped_wedge", "effects_of_counts", "Effect"],
)  # fmt: skip
def test_without_the_word_a_type_error_names_all_four(door, joiners):
    with pytest.raises(TypeError, match="state who decided which customers were treated: assigned_by=") as error:
        door(joiners)
    assert all(f"'{word}'" in str(error.value) for word in WORDS)


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="assigned_by must be one of random, rule, choice, unknown; got 'lot'"):
        rm.Plan(control="none", assigned_by="lot")


@pytest.mark.parametrize(
    ("assigned_by", "design", "message"),
    [
        ("rule", "randomised", "a randomised effect needs assigned_by='random'"),
        ("unknown", "randomised", "a randomised effect needs assigned_by='random'"),
        ("random", "observational", "customers assigned at random make no observational effect"),
    ],
)
def test_a_design_that_contradicts_the_word_is_refused(assigned_by, design, message, joiners):
    (effect,) = effects_through("from_rows", joiners, "random")
    with pytest.raises(ValueError, match=message):
        replace(effect, assigned_by=assigned_by, design=design)


# Choice


def test_choice_needs_the_days_of_joining(joiners):
    plan = rm.Plan(control="none", assigned_by="choice", measured_from="2024-04-01")
    with pytest.raises(ValueError, match=r"assigned_by='choice' needs joined: .* \(immortal time\)"):
        rm.Experiment.from_rows(joiners, plan, arm="arm", outcomes=["spend"])
    with pytest.raises(ValueError, match="assigned_by='choice' needs measured_from"):
        rm.Experiment.from_rows(
            joiners, replace(plan, measured_from=None), arm="arm", outcomes=["spend"], joined="joined"
        )
    with pytest.raises(ValueError, match="column 'joined' has no dates"):
        rm.Experiment.from_rows(joiners.assign(joined=None), plan, arm="arm", outcomes=["spend"], joined="joined")


@pytest.mark.parametrize("late", [1, 40])
def test_who_joins_while_outcomes_are_measured_is_immortal(late, joiners):
    members = joiners.index[joiners["arm"] == "member"]
    rows = joiners.copy()
    rows.loc[members[:late], "joined"] = "2024-04-01"
    message = f"{late} of {len(members):,} customers joined on 2024-04-01 or later, while outcomes were measured"
    with pytest.raises(ValueError, match=message):
        campaign(rows, "choice")
    assert campaign(rows, "choice", measured_from="2024-04-02").effects[0].design == "observational"


def test_contracts_of_customers_who_chose_themselves_are_refused():
    rows = pd.DataFrame({"arm": ["none", "club"] * 20, "tenure": range(1, 41), "churned": [0, 1] * 20})
    with pytest.raises(
        ValueError, match=r"assigned_by='choice' cannot be analysed with contracts .* \(immortal time\)"
    ):
        rm.contract_experiment(rows, rm.Plan(control="none", assigned_by="choice"), arm="arm", time_unit="M")
    test = rm.contract_experiment(rows, rm.Plan(control="none", assigned_by="rule"), arm="arm", time_unit="M")
    assert rm.interventions.retention_difference(test, horizon=12)[0].design == "observational"


# Stored rows, loaders, designs


def test_a_row_stored_before_the_word_was_asked_is_unknown(joiners):
    (effect,) = effects_through("from_rows", joiners, "random")
    stored = json.loads(effect.to_json())
    del stored["effect"]["assigned_by"]
    assert stored["effect"]["design"] == "randomised"
    old = rm.Effect.from_json(json.dumps(stored))
    assert (old.assigned_by, old.design) == ("unknown", "observational")
    assert (old.estimate, old.lower, old.p_value) == (effect.estimate, effect.lower, effect.p_value)
    stored["effect"]["design"] = "quasi-experimental"
    assert rm.Effect.from_json(json.dumps(stored)).design == "quasi-experimental"


def test_loaders_and_scenarios_state_theirs():
    assert set(rm.datasets.load_published_experiments()["assignment"]) == {"random"}
    shop = rm.scenario.retail(rm.ParetoNBD(0.55, 10.6, 0.61, 11.7), 1, customers=500, new_customers=100)
    assert shop.mailing.assigned_by == shop.onboarding.assigned_by == "random"
    assert rm.scenario.subscriptions(1, customers=300).assigned_by == "random"


def test_counts_take_the_word_from_a_column_or_from_the_caller():
    table = pd.DataFrame(COUNTS)
    for rows, options in ((table, {"assigned_by": "rule"}), (table.assign(assignment="rule"), {})):
        (effect,) = rm.interventions.effects_of_counts(rows, **options)
        assert effect.assigned_by == "rule"


@pytest.mark.parametrize(("assigned_by", "design"), [("random", "randomised"), ("rule", "quasi-experimental")])
def test_a_launch_order_that_chance_did_not_make_is_quasi_experimental(assigned_by, design):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame([(s, t) for s in range(12) for t in range(5)], columns=["store", "month"])
    rows["switched"] = (rows["month"] > rows["store"] // 3).astype(int)
    rows["kept"] = 0.6 + 0.05 * rows["switched"] + rng.normal(0, 0.02, len(rows))
    names = {"cluster": "store", "period": "month", "switched": "switched"}
    effect = rm.interventions.stepped_wedge(
        rows, rm.Outcome(column="kept"), **names, rng=np.random.default_rng(1), assigned_by=assigned_by
    )
    assert effect.design == design


@pytest.mark.parametrize(("assigned_by", "design"), [("random", "quasi-experimental"), ("rule", "observational")])
def test_receiving_after_a_random_invitation_is_quasi_experimental(assigned_by, design):
    rows = pd.DataFrame({"arm": ["none", "mail"] * 200, "got": [0, 1, 0, 0] * 100, "y": [0, 1, 1, 0, 0, 1, 0, 0] * 50})
    test = rm.Experiment.from_rows(
        rows, rm.Plan(control="none", assigned_by=assigned_by), arm="arm", outcomes=["y", "got"]
    )
    effect = rm.interventions.complier_effect(test, rm.Outcome(column="y"), received="got")
    assert effect.design == design


@pytest.mark.parametrize("assigned_by", NOT_RANDOM)
def test_only_a_random_test_may_stop_early(assigned_by, joiners):
    (effect,) = effects_through("from_rows", joiners, assigned_by)
    with pytest.raises(ValueError, match="only a test with groups drawn at random may stop early; of member, "):
        rm.interventions.interim_look(effect, [0.5])
    waves = joiners.assign(wave=joiners["customer_id"] % 10)
    if assigned_by != "choice":
        assert rm.interventions.interim_looks(campaign(waves, assigned_by, assigned="wave", looks=(0.5,))) is None


def worlds(count, gain, n, arms=("none", "mail", "call"), seed=1):
    """Shops in which a quarter of the customers buys; those who get mail spend more by ``gain``."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        arm = rng.permutation(np.resize(arms, n))
        bought = rng.random(n) < 0.25
        spend = rng.gamma(2.0, 20.0, n) * bought + gain * (arm == "mail")
        yield pd.DataFrame({"arm": arm, "spend": spend})


def recommended(rows, **options):
    test = rm.interventions.read_campaign(rows, TERMS, amount="spend", **options)
    return rm.narrative.recommendation(test).startswith("Roll out “")


@pytest.mark.slow
def test_of_worlds_without_effect_few_are_told_to_send_anything():
    """Of 1,000: at most 3.9 %, for both arms together."""
    shares = {"none": 1, "mail": 1, "call": 1}
    sent = [recommended(rows, assigned_by="random", planned_shares=shares) for rows in worlds(1000, 0.0, 600)]
    assert np.mean(sent) <= 0.039


@pytest.mark.slow
def test_a_gain_is_found_in_four_of_five_worlds_of_the_planned_size():
    sd = np.concatenate([rows["spend"] for rows in worlds(20, 0.0, 2000, seed=9)]).std()
    n = rm.sample_size(rm.interventions.Mean(sd), effect=4.0)
    found = [recommended(rows, assigned_by="random") for rows in worlds(1000, 4.0, n, ("none", "mail"))]
    assert 0.76 <= np.mean(found) <= 0.84


@pytest.mark.parametrize("assigned_by", NOT_RANDOM)
def test_whatever_the_gain_nothing_is_recommended_that_chance_did_not_assign(assigned_by):
    chosen = {"assigned": "joined", "measured_from": "2024-04-01"} if assigned_by == "choice" else {}
    for rows in worlds(40, 20.0, 600):
        dated = rows.assign(joined=np.where(rows["arm"] == "none", None, "2024-03-01"))
        assert not recommended(dated, assigned_by=assigned_by, **chosen)
