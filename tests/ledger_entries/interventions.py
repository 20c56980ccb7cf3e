"""Experiments: every design, the money in them, and the table of evidence."""

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.inputs import REFERENCE, business, engines, mailing, mailing_sources, shop, spells
from retention_models.interventions.arms import cost_breakdown
from retention_models.interventions.designs import encouragement, from_counts
from retention_models.interventions.designs.contract_arms import spells_since_observation
from retention_models.interventions.effects import multiplicity, sensitivity

PLAN = rm.Plan(assigned_by="random", control="none", shares={"none": 1, "mail": 1, "gift": 1})
COLUMNS = {"arm": "arm", "outcomes": ["bought", "amount", "visits", "got", "used"], "covariates": ["before"]}
BOUGHT = rm.Outcome(column="bought", unit="share of customers", horizon=30, time_unit="D")
AMOUNT = rm.Outcome(column="amount", unit="EUR per customer", horizon=30, time_unit="D")
RATIO = rm.Outcome(column="amount", per="visits", unit="EUR per visit")
CUPED = replace(AMOUNT, adjust_for=("before",))
COSTS = {
    "mail": rm.Costs(contact=0.2),
    "gift": rm.Costs(contact=0.4, contacts="got", redemption=1.0, redemptions="used"),
}
MONEY = {"terms": rm.Terms(price=0.5, currency="EUR"), "costs": COSTS}
WORTH = MONEY | {"terms": rm.Terms(price=25.0, currency="EUR")}
OUTCOMES = Parts(share=BOUGHT, amount=AMOUNT, ratio=RATIO, cuped=CUPED)


def experiment(rows=None, plan=PLAN, **more):
    return rm.Experiment.from_rows(mailing() if rows is None else rows, plan, **COLUMNS | more)


def designs():
    """The same rows as customers, in blocks, in clusters, with amounts cut."""
    clustered = mailing().assign(store=lambda d: d["arm"] + d["store"])
    return Parts(
        plain=experiment(),
        blocked=experiment(block="region"),
        clustered=experiment(clustered, rm.Plan(assigned_by="random", control="none", unit="store"), cluster="store"),
        capped=experiment(caps={"amount": 60.0}),
        winsorised=experiment(winsorise={"amount": 0.99}),
    )


def rows_of(effects):
    """Effects, and what follows from each."""
    return [
        Parts(
            effect=effect,
            p_value=tried(lambda effect=effect: effect.p_value),
            no_effect=effect.no_effect,
            working=effect.on_working_scale,
            priced=effect.priced,
            failed=[check.passed for check in effect.failed],
        )
        for effect in ([effects] if isinstance(effects, rm.Effect) else effects)
    ]


def all_designs(function):
    return each(lambda test: each(lambda outcome: function(test, outcome), OUTCOMES), designs())


entry("interventions.differences")(lambda: all_designs(lambda test, y: rows_of(rm.differences(test, y))))
entry("interventions.differences.money")(
    lambda: all_designs(lambda test, y: rows_of(rm.differences(test, y, **MONEY, level=0.9)))
)
entry("interventions.lin")(lambda: all_designs(lambda test, y: rows_of(rm.differences(test, y, adjustment="Lin"))))
entry("interventions.lifts")(lambda: all_designs(lambda test, y: rows_of(rm.differences(test, y, scale="ratio"))))
entry("interventions.pairwise")(lambda: all_designs(lambda test, y: rows_of(rm.differences(test, y, pairwise=True))))
entry("interventions.programme")(
    lambda: all_designs(lambda test, y: rows_of(rm.interventions.programme_effect(test, y, **MONEY)))
)
entry("interventions.any_difference")(lambda: all_designs(rm.interventions.any_difference))
entry("interventions.baseline")(lambda: rows_of(rm.differences(experiment(), CUPED, **MONEY, baseline="mail")))
entry("interventions.lin.money")(lambda: rows_of(rm.differences(experiment(), CUPED, **MONEY, adjustment="Lin")))
entry("interventions.experiment.engines")(
    lambda: each(lambda rows: Parts(table=experiment(rows).table(), checks=experiment(rows).checks), mailing_sources())
)


@entry("interventions.experiment")
def experiments():
    return each(
        lambda test: Parts(
            table=test.table(),
            checks=test.checks,
            arms=test.arms,
            n=test.n(),
            treated=test.n("mail", "gift"),
            ceilings=test.ceilings,
            cells=test.cells,
            means=test.arm_means("mail").mean,
        ),
        designs(),
    )


@entry("interventions.mismatch")
def mismatch():
    rows = mailing()
    some = rows[(rows["arm"] != "gift") | (rows["customer_id"] % 4 > 0)]
    return Parts(checks=experiment(some).checks, effects=rows_of(rm.differences(experiment(some), BOUGHT)))


@entry("interventions.published")
def published_tables():
    nsw = pd.read_csv(REFERENCE / "nsw.csv").assign(arm=lambda d: np.where(d["treat"] == 1, "treated", "control"))
    before = [name for name in ("re74", "re75", "age") if name in nsw]
    plan, after = (
        rm.Plan(assigned_by="random", control="control"),
        next(name for name in ("re78", "earnings") if name in nsw),
    )
    test = rm.Experiment.from_rows(nsw, plan, arm="arm", outcomes=[after], covariates=before, customer_id=None)
    outcome = rm.Outcome(column=after, adjust_for=tuple(before))
    return Parts(
        cuped=rows_of(rm.differences(test, outcome)), lin=rows_of(rm.differences(test, outcome, adjustment="Lin"))
    )


@entry("interventions.sums")
def of_sums():
    """The same test from sums, means and counts."""
    rows = mailing()
    names = ["amount", "bought", "before"]
    products = {f"{a}*{b}": rows[a] * rows[b] for a, b in combinations_with_replacement(names, 2)}
    sums = rows[["arm", *names]].assign(**products, n=1).groupby("arm", as_index=False).sum()
    means = rows.groupby("arm", as_index=False)["amount"].agg(["size", "mean", "std"])
    means = means.rename(columns={"size": "n", "std": "std_dev"})
    counted = rows.groupby("arm", as_index=False)["bought"].agg(["size", "sum"])
    counted = counted.rename(columns={"size": "n", "sum": "bought"})
    from_sums = rm.Experiment.from_sums(sums, PLAN, columns=["amount", "bought"], covariates=["before"])
    from_means = rm.Experiment.from_means(means, PLAN, outcome="amount")
    from_counts = rm.Experiment.from_counts(counted, PLAN, outcome="bought")
    return Parts(
        sums=rows_of(rm.differences(from_sums, CUPED)),
        lin=tried(rm.differences, from_sums, CUPED, adjustment="Lin"),
        means=rows_of(rm.differences(from_means, AMOUNT)),
        counts=rows_of(rm.differences(from_counts, BOUGHT)),
        lifts=rows_of(rm.differences(from_counts, BOUGHT, scale="ratio")),
    )


@entry("interventions.factorial")
def factorial():
    rng, n = np.random.default_rng(8), 2_000
    arm = np.array(["none", "mail", "call", "both"])[np.arange(n) % 4]
    y = rng.poisson(1 + 0.2 * np.isin(arm, ("mail", "both")) + 0.1 * np.isin(arm, ("call", "both")))
    rows = pd.DataFrame({"customer_id": np.arange(n), "arm": arm, "y": y})
    test = rm.Experiment.from_rows(rows, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["y"])
    campaigns = {"none": (), "mail": ("mail",), "call": ("call",), "both": ("mail", "call")}
    money = {
        "terms": rm.Terms(price=4.0),
        "costs": {name: rm.Costs(contact=0.1 * i) for i, name in enumerate(campaigns) if i},
    }
    outcome = rm.Outcome(column="y", unit="purchases per customer")
    return Parts(
        plain=rows_of(rm.interventions.factorial_effects(test, outcome, campaigns)),
        money=tried(lambda: rows_of(rm.interventions.factorial_effects(test, outcome, campaigns, **money))),
    )


@entry("interventions.encouragement")
def on_those_who_received():
    """On those who received, by the assignment; and what comparing them with the others would say."""
    of_mail = mailing()[mailing()["arm"] != "gift"]
    return Parts(
        complier=each(
            lambda y: rows_of(rm.interventions.complier_effect(experiment(), y, received="got", arm="mail")),
            Parts(share=BOUGHT, amount=AMOUNT, cuped=CUPED),
        ),
        money=rows_of(rm.interventions.complier_effect(experiment(), AMOUNT, **MONEY, received="got", arm="gift")),
        naive=each(
            lambda rows: rows_of(encouragement.as_treated_difference(rows, AMOUNT, received="got")),
            engines(of_mail, "mailing_mail"),
        ),
    )


@entry("interventions.stepped_wedge")
def stepped_wedge():
    rng, clusters, periods = np.random.default_rng(5), 10, 6
    start = rng.permutation(np.resize(np.arange(1, periods), clusters))
    on = np.arange(periods) >= start[:, None]
    y = rng.normal(0, 2, clusters)[:, None] + 0.3 * np.arange(periods) + rng.normal(0, 1, on.shape) + on
    store, month = np.indices(on.shape)
    values = {"store": store, "month": month, "on": on.astype(int), "y": y}
    rows = pd.DataFrame({name: value.ravel() for name, value in values.items()})
    asked = {"cluster": "store", "period": "month", "switched": "on", "draws": 999}
    outcome = rm.Outcome(column="y", unit="EUR per customer", horizon=1, time_unit="M")

    def of(source):
        return rows_of(
            rm.interventions.stepped_wedge(source, outcome, rng=np.random.default_rng(0), **asked, assigned_by="random")
        )

    money = {"terms": rm.Terms(price=1.0), "costs": {"switched stores": rm.Costs(contact=0.2)}}
    return Parts(
        engines=each(of, engines(rows, "stores")),
        money=rows_of(
            rm.interventions.stepped_wedge(
                rows, outcome, **money, rng=np.random.default_rng(0), **asked, assigned_by="random"
            )
        ),
    )


def offers():
    """The retention offer of the simulated subscriptions, in months since it was made."""
    table = business().renewals.join(business().offers.set_index("customer_id")["arm"])
    kept = np.where(table["arm"] == "offer", table["offer"], table["none"]) if "offer" in table else None
    assert kept is not None, list(table)
    return pd.DataFrame({"arm": table["arm"].to_numpy(), "tenure": kept.clip(max=6), "churned": kept < 6}).query(
        "tenure > 0"
    )


@entry("interventions.contracts")
def of_contracts():
    plan = rm.Plan(assigned_by="random", control="none", shares={"none": 1, "offer": 1})
    test = rm.contract_experiment(offers(), plan, arm="arm", time_unit="M")
    money = {"terms": rm.Terms(price=10.0, currency="EUR"), "costs": {"offer": rm.Costs(contact=3.0)}}
    return Parts(
        test=test,
        treated=test.treated_arms,
        engines=each(
            lambda rows: rm.contract_experiment(rows, plan, arm="arm", time_unit="M"), engines(offers(), "offers")
        ),
        share=rows_of(rm.interventions.retention_difference(test, horizon=4)),
        time=rows_of(rm.interventions.rmst_difference(test, horizon=6, **money)),
        discounted=rows_of(rm.interventions.rmst_difference(test, horizon=6, rate=0.01, level=0.8)),
        value=rm.interventions.incremental_value(test, **money, horizon=6, rate=0.01),
        value_after=rm.interventions.incremental_value(test, **money, horizon=6, rate=0.01, residual_lifetime=20.0),
    )


@entry("interventions.spells")
def of_spells():
    plan = rm.Plan(assigned_by="random", control="basic")
    test = tried(lambda: rm.contract_experiment(spells(), plan, arm="plan", time_unit="D"))
    return Parts(test=test, rows=tried(lambda: spells_since_observation(spells(), "plan", "D", None)))


@entry("interventions.payback")
def paid_back():
    test = experiment()
    return Parts(
        {
            arm: Parts(
                cost=rm.interventions.cost_per_retained(test, BOUGHT, COSTS, currency="EUR", arm=arm),
                bounded=cost_breakdown.cost_per_retained(test, BOUGHT, COSTS, arm=arm, level=0.5).is_bounded,
                lines=tried(rm.interventions.cost_breakdown, test, AMOUNT, **MONEY, arm=arm, purchases="bought"),
                lines_plain=tried(rm.interventions.cost_breakdown, test, BOUGHT, **WORTH, arm=arm, level=0.8),
            )
            for arm in ("mail", "gift")
        }
    )


@entry("interventions.evidence")
def evidence_table():
    test = experiment()
    effects = [e for y in (BOUGHT, CUPED) for e in rm.differences(test, y, **(WORTH if y is BOUGHT else MONEY))]
    found, factors = rm.evidence_table(effects), rm.evidence_table(rm.differences(test, BOUGHT, scale="ratio"))
    voters = rm.datasets.load_published_experiments().dropna(subset="count").query("experiment == 'Voter mail'")
    many = rm.evidence_table(from_counts.effects_of_counts(voters))
    ratios = rm.evidence_table(from_counts.effects_of_counts(voters, scale="ratio"))
    return Parts(
        effects=found.effects,
        table=found.table,
        panels=found.panels,
        holm=found.corrected(),
        bh=tried(found.corrected, "benjamini-hochberg"),
        corrections=found.corrections,
        decision=found.decision,
        factors=factors.table,
        many=many.table,
        many_decision=many.decision,
        shrunk=[many.shrunk(panel) for panel in many.panels],
        shrunk_ratios=[ratios.shrunk(panel, level=0.8) for panel in ratios.panels],
    )


@entry("interventions.counts")
def of_counts():
    table = rm.datasets.load_published_experiments().dropna(subset="count")
    return Parts(
        difference=rows_of(from_counts.effects_of_counts(table)),
        ratio=rows_of(from_counts.effects_of_counts(table, scale="ratio", level=0.9)),
        engines=each(from_counts.effects_of_counts, Parts(pandas=table, polars=engines(table, "counts")["polars"])),
    )


@entry("interventions.judgement")
def judged():
    effects = rm.differences(experiment(), BOUGHT)
    return Parts(
        harmless=[rm.interventions.non_inferiority(effect, 0.03) for effect in effects],
        harmless_less=[rm.interventions.non_inferiority(effect, 0.2, higher_is_better=False) for effect in effects],
        e_value=[rm.interventions.e_value(ratio) for ratio in (0.5, 1.0, 1.8)],
        overturn=[
            tried(sensitivity.sensitivity_sentence, effect)
            for effect in rm.differences(experiment(), BOUGHT, scale="ratio")
        ],
    )


@entry("interventions.multiplicity")
def corrected():
    p_values = [0.001, 0.04, 0.03, 0.5, 0.2, 1e-9]
    return Parts(
        holm=rm.interventions.holm(p_values),
        bh=rm.interventions.benjamini_hochberg(p_values),
        shrunk=multiplicity.shrink([0.1, 0.3, -0.1, 0.2], [0.1, 0.05, 0.1, 0.2]),
        alike=multiplicity.shrink([0.1] * 4, [0.1] * 4),
    )


@entry("interventions.shop_outcomes")
def outcomes():
    days = {"horizon_days": shop().horizon_days, "offer_days": shop().offer_days}
    log, rows = engines(shop().transactions, "shop_log"), engines(shop().mailing.rows, "shop_rows")
    return Parts(
        engines=Parts({name: tried(rm.purchase_outcomes, log[name], rows[name], **days) for name in log}),
        looked_back=rm.purchase_outcomes(log["pandas"], rows["pandas"], lookback_days=182, **days),
        later=tried(rm.purchase_outcomes, log["pandas"], rows["pandas"], same_day="set_aside", **days),
    )
