"""Money: what customers with and without contracts are worth, and what may be spent on them."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.contract_models import MODELS
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.inputs import (
    CUT,
    MONEY,
    active,
    customers,
    fitted,
    kept,
    log,
    monthly_fit,
    spells,
    with_covariates,
)
from ledger_entries.purchase_models import MODELS as PURCHASES
from retention_models import evaluation
from retention_models.logs.transactions.describe import rfm, rhythm
from retention_models.narrative import contracts, formats, purchases
from retention_models.narrative.contract_values import value_of_contact
from retention_models.value import break_even, payments, spending

CHANNEL = {"channel": "web"}


def spend():
    return fitted("GammaGamma")


def named():
    return rfm.rfm_segments(log().window(observation_end=CUT))["segment"].loc[customers().index]


def worth(horizon=52, model="ParetoNBD", spends=True):
    return rm.customer_value(
        fitted(model), customers(), rm.Terms(horizon=horizon, **MONEY), spend=spend() if spends else None
    )


entry("value.customer.year")(worth)
entry("value.customer.ever")(lambda: worth(np.inf, "MBGNBD"))
entry("value.customer.ever_pareto")(lambda: tried(worth, np.inf))
entry("value.customer.counted")(lambda: worth(26, spends=False))
entry("value.customer.covariates")(
    lambda: rm.customer_value(with_covariates(), customers().iloc[::5], rm.Terms(horizon=52, **MONEY), spend=spend())
)


@entry("value.total")
def total():
    people, fit = customers(), fitted("ParetoNBD")
    return Parts(
        all=rm.total_value(fit, people, rm.Terms(horizon=52, **MONEY), spend=spend()),
        by=rm.total_value(fit, people, rm.Terms(horizon=52, **MONEY), spend=spend(), by=named(), level=0.8),
        counted=rm.total_value(fit, people, rm.Terms(horizon=52, **MONEY)),
        ever=rm.total_value(fitted("MBGNBD"), people, rm.Terms(horizon=np.inf, **MONEY), spend=spend()),
        covariates=rm.total_value(with_covariates(), people, rm.Terms(horizon=52, **MONEY), spend=spend()),
    )


@entry("value.break_even")
def break_even_of_an_offer():
    needed = rm.value.break_even_uplift(worth(), cost=2.0)
    return Parts(uplift=needed, paying=break_even.paying_customers(needed), cost=purchases.typical_cost(customers()))


@entry("value.marginal")
def marginal():
    some = customers().iloc[::5]
    return Parts(
        now=rm.value.marginal_value(with_covariates(), some, CHANNEL, rm.Terms(horizon=26, **MONEY), spend=spend()),
        new=rm.value.marginal_value(with_covariates(), some, CHANNEL, rm.Terms(horizon=26, **MONEY), new=True),
    )


@entry("value.spend")
def spent():
    people = customers()
    return Parts(
        fit=spending.fit_spend(people).params,
        expected=spending.expected_spend(spend(), people),
        share=spending.paying_share(spend()),
        by_frequency=spending.spend_by_frequency(spend(), people),
        check=spending.spend_independence_check(spend(), people),
    )


@entry("value.tables")
def tabled():
    by_horizon = rm.value.value_by_horizon(
        fitted("ParetoNBD"), customers(), rm.Terms(**MONEY), spend=spend(), horizons=(13, 26, 52)
    )
    by_segment = rm.value.value_by_segment(
        fitted("ParetoNBD"), customers(), rm.Terms(horizon=26, **MONEY), named(), spend=spend()
    )
    return Parts(horizon=by_horizon, segment=by_segment, brief=formats.display_columns(by_segment))


@entry("value.sentences")
def sentences_of_value():
    terms = rm.Terms(horizon=39, time_unit="W", margin=0.3, annual_discount_rate=0.15, currency="USD")
    fit = fitted("ParetoNBD")
    everyone, errors = rm.summarize(log()), evaluation.past_errors(log(), rm.ParetoNBD, horizon=39)
    planned = {"spend": rm.value.fit_spend(everyone), "past_errors": errors}
    paying = break_even.paying_customers(rm.value.break_even_uplift(worth(), cost=2.0))
    second = rhythm.time_to_second_purchase(log())
    held = rm.value.value_by_segment(fit, customers(), rm.Terms(horizon=39, **MONEY), named(), spend=spend())
    total = rm.total_value(rm.fit(rm.ParetoNBD, everyone), everyone, rm.Terms(horizon=39, **MONEY), **planned)
    status = rm.forecast.status_by_group(fit, customers())
    return Parts(
        terms=terms,
        keywords={"margin": terms.margin, "annual_discount_rate": terms.annual_discount_rate},
        written=terms.written(1234.5),
        worth=rm.narrative.value_answer(total, errors, paying, terms=terms, cost=2.0).headline,
        base=rm.narrative.customer_base_answer(status, second, held, day=CUT, terms=terms).headline,
    )


YEARLY = rm.Terms(annual_discount_rate=0.1, billing_period="Y", price=100.0)
MONTHLY = rm.Terms(annual_discount_rate=0.1, billing_period="M", price=6.0)
TERMS = Parts(
    yearly=YEARLY,
    monthly=MONTHLY,
    arrears=rm.Terms(annual_discount_rate=0.1, billing_period="Y", payment="arrears"),
    within=rm.Terms(annual_discount_rate=0.1, billing_period="M", horizon=24),
)


@entry("value.contract.terms")
def terms():
    return each(
        lambda t: Parts(
            terms=t, discount=payments.payment_schedule(t).discount, renewals=payments.payment_schedule(t).renewals
        ),
        TERMS,
    )


for name, model in MODELS.items():
    entry(f"value.contract.lifetime.{name}")(
        lambda model=model: each(
            lambda terms: Parts(
                lifetime=tried(rm.value.discounted_lifetime, model, terms),
                residual=tried(rm.value.discounted_residual_lifetime, model, [1, 2, 5, 20], terms),
                after=tried(rm.value.discounted_residual_lifetime, model, [1, 2, 5], terms, moment="after_payment"),
                elasticity=tried(rm.value.retention_elasticity, model, terms),
            ),
            TERMS,
        )
    )


@entry("value.contract.fitted")
def contract_values():
    people = active()
    return Parts(
        {
            name: Parts(
                each=tried(rm.customer_value, monthly_fit(type(MODELS[name]).__name__), people, MONTHLY),
                total=tried(rm.total_value, monthly_fit(type(MODELS[name]).__name__), people, MONTHLY),
            )
            for name in MODELS
        }
    )


@entry("value.contract.groups")
def contract_groups():
    fit, people = monthly_fit("ShiftedBetaGeometric"), active()
    curve = next(iter(rm.fitting.survival_curves(spells()).values()))
    return Parts(
        ages=contracts.age_groups(people),
        by=rm.total_value(fit, people, MONTHLY, by=contracts.age_groups(people), level=0.8),
        after=rm.customer_value(fit, people, MONTHLY, moment="after_payment"),
        at_parameters=rm.customer_value(MODELS["sbg"], people, MONTHLY),
        of_curve=tried(rm.customer_value, curve, people, TERMS["within"]),
    )


@entry("value.contract.saved")
def saved():
    fit = monthly_fit("ShiftedBetaGeometric")
    found = rm.saved_value(fit, active(), MONTHLY)
    price = rm.Terms(price=10.0, margin=0.6, annual_discount_rate=0.1, billing_period="M", currency="EUR")
    return Parts(
        all=found,
        some=contracts.selected_tenures(found),
        bdw=tried(rm.saved_value, monthly_fit("BetaDiscreteWeibull"), active(), MONTHLY),
        contact=value_of_contact(found.iloc[0]),
        sentence=rm.narrative.contract_answer(
            {"sBG": rm.value.value_by_evidence(fit, active(), price, kept())}, found, terms=price, customers=6.0
        ).headline,
        written=price.written(1234.5),
    )


@entry("value.discounted_new")
def discounted_new():
    return each(lambda model: model.discounted_expected_purchases_new(0.0027, horizon=260.0), Parts(PURCHASES))
