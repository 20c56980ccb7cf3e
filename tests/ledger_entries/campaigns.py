"""A test read from a file, with its checks, its views and what it says to do."""

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.inputs import mailing, mailing_sources, shop
from retention_models.interventions.campaign import interim, views
from retention_models.interventions.outcomes import model_check


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


ROLES = {"outcome": ("bought",), "amount": "amount", "covariate": ("before",), "received": "got", "redeemed": "used"}
PRICES = stated(margin=0.5, cost={"mail": 0.2, "gift": 0.4}, redemption_cost=1.0, currency="EUR")
SHARES = {"none": 1, "mail": 1, "gift": 1}
TOLD = {"planned_shares": SHARES, "horizon": 30, "time_unit": "D", "looks": (0.25, 0.5, 0.75)}


def seen(campaign):
    """A campaign and every view of it."""
    cut = tried(views.with_ceiling, campaign)
    beside = views.ceiling_table(campaign, cut) if isinstance(cut, rm.Experiment) else None
    return Parts(
        table=campaign.table,
        provenance=campaign.provenance,
        reasons=campaign.reasons,
        outcomes=campaign.outcomes,
        priced=campaign.priced,
        money=campaign.money,
        costs=campaign.costs,
        planned=campaign.planned_customers,
        checks=campaign.experiment.checks,
        main=campaign.main_outcome,
        effects=campaign.effects,
        evidence=rm.evidence_table(campaign.effects).table,
        decision=rm.evidence_table(campaign.effects).decision,
        factors=tried(views.relative_lifts, campaign),
        other_ways=tried(views.difference_by_method, campaign),
        ceiling=beside,
        ceiling_check=None if beside is None else views.ceiling_check(beside),
        delivery=tried(views.effects_by_delivery, campaign),
        by_arm=tried(views.cost_breakdown_by_arm, campaign),
        kept=tried(views.cost_outcome, campaign),
        costs_per_retained=tried(views.costs_per_retained, campaign),
        models=tried(views.purchase_models, campaign, rm.MBGNBD),
        looks=tried(interim.interim_looks, campaign),
        verdict=rm.narrative.recommendation(campaign),
        verdict_doubted=rm.narrative.recommendation(
            campaign, [rm.Check("it holds", False, detail="it does not.")], level=0.8
        ),
    )


def read(rows=None, roles=ROLES, prices=PRICES, **told):
    return seen(
        rm.interventions.read_campaign(
            mailing() if rows is None else rows, **roles, **prices, **TOLD | told, assigned_by="random"
        )
    )


entry("campaign.plain")(read)
entry("campaign.unsaid")(
    lambda: seen(
        rm.interventions.read_campaign(mailing()[["customer_id", "arm", "bought"]], **stated(), assigned_by="random")
    )
)
entry("campaign.ordered")(lambda: read(roles=ROLES | {"assigned": "week"}, planned_customers=4_000))
entry("campaign.blocked")(lambda: read(roles=ROLES | {"block": "region"}))
entry("campaign.worth")(lambda: read(roles={"outcome": "bought"}, prices=stated(worth=20.0, cost=0.3)))
LEFT = {"outcome": "left", "lower_is_better": "left"}
entry("campaign.lower")(lambda: read(mailing().assign(left=lambda d: 1 - d["bought"]), LEFT, stated(worth=20.0)))


@entry("campaign.clustered")
def clustered():
    rows = mailing().assign(store=lambda d: d["arm"] + d["store"])
    return read(rows, ROLES | {"cluster": "store"})


@entry("campaign.engines")
def engines_agree():
    return each(
        lambda source: Parts(
            evidence=rm.evidence_table(
                rm.interventions.read_campaign(source, **ROLES, **PRICES, **TOLD, assigned_by="random").effects
            ).table,
            reasons=rm.interventions.read_campaign(source, **ROLES, **PRICES, **TOLD, assigned_by="random").reasons,
        ),
        mailing_sources(),
    )


@entry("campaign.shop")
def of_shop():
    days = {"horizon_days": shop().horizon_days, "offer_days": shop().offer_days, "lookback_days": 182}
    rows = rm.purchase_outcomes(shop().transactions, shop().mailing.rows, **days)
    rows = (rows if hasattr(rows, "sort_values") else rows.df()).sort_values("customer_id")
    roles = {
        "outcome": ["bought", "purchases"],
        "amount": "amount",
        "covariate": ["purchases_before", "amount_before"],
        "received": "received",
        "redeemed": "redeemed",
        "assigned": "customer_id",
    }
    prices = stated(margin=0.4, cost=0.1, redemption_cost=5.0, currency="USD")
    shares = {"none": 1, "generic": 1, "personal": 1, "coupon": 1}
    return seen(
        rm.interventions.read_campaign(
            rows,
            **roles,
            **prices,
            control="none",
            planned_shares=shares,
            horizon=56,
            time_unit="D",
            assigned_by="random",
        )
    )


@entry("campaign.model_check")
def models_of_the_arms():
    days = {"horizon_days": shop().horizon_days, "offer_days": shop().offer_days}
    rows = rm.purchase_outcomes(shop().transactions, shop().mailing.rows, **days)
    frame = rows if hasattr(rows, "sort_values") else rows.df()
    test = rm.Experiment.from_rows(
        frame, rm.Plan(assigned_by="random", control="none"), arm="arm", outcomes=["purchases"]
    )
    effect = rm.differences(test, rm.Outcome(column="purchases", unit="purchases per customer"))[0]
    asked = {"arm": "arm", "treated": effect.intervention, "control": "none", "horizon_days": shop().horizon_days}
    return Parts(
        mbg=tried(model_check.purchase_model_check, effect, rm.MBGNBD, frame, **asked),
        pareto=tried(model_check.purchase_model_check, effect, rm.ParetoNBD, frame, **asked),
    )
