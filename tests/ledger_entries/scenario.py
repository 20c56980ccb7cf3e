"""Simulated businesses: what a seed makes, and the truth about it."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts
from ledger_entries.inputs import business, shop
from retention_models import scenario


@entry("scenario.shop")
def of_shop():
    made = shop()
    return Parts(
        transactions=made.transactions,
        horizon=made.horizon_days,
        offer=made.offer_days,
        trials=[
            Parts(trial=trial, rows=trial.rows, effects=trial.effects, receiving=trial.effects_of_receiving)
            for trial in (made.mailing, made.onboarding)
        ],
    )


@entry("scenario.shop_asked")
def of_another():
    arms = {"none": scenario.Arm(), "gift": scenario.Arm(gain=0.3, pulled_forward=0.2, redeemed=0.5)}
    model = rm.MBGNBD(r=0.5, alpha=6.0, a=0.9, b=1.6)
    made = scenario.retail(model, np.random.default_rng(2), customers=600, new_customers=0, arms=arms, time_unit="W")
    return Parts(transactions=made.transactions, truth=made.mailing.truth, effects=made.mailing.effects)


@entry("scenario.subscriptions")
def of_subscriptions():
    return Parts(made=business(), effect=business().offer_effect)


@entry("scenario.subscriptions_asked")
def of_others():
    rules = scenario.Rules(alpha=1.2, offer_effect=0.5)
    made = scenario.subscriptions(np.random.default_rng(1), customers=300, months=24, offer_month=12, rules=rules)
    return Parts(made=made, effect=made.offer_effect)
