"""What is refused, and in which words; sentences elsewhere get leaves of their own by themselves."""

import numpy as np
import pandas as pd

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, tried
from ledger_entries.inputs import at_limit, cdnow, contracts, customers, fitted, kept, mailing, with_covariates
from ledger_entries.interventions import BOUGHT, MONEY, experiment


def stated(**prices):
    """Terms and costs of a campaign, as ``read_campaign`` takes them."""
    names = {"margin": "margin", "worth": "price", "currency": "currency"}
    terms = {names[name]: prices.pop(name) for name in list(prices) if name in names}
    return {"terms": rm.Terms(**terms), **prices}


@entry("text.refusals.logs")
def of_logs():
    log, until = cdnow(), {"observation_end": "2024-12-31"}
    return Parts(
        column=tried(rm.read_transactions, log, customer_id="user"),
        empty=tried(rm.read_transactions, log.head(0)),
        file=tried(rm.read_transactions, "nowhere.csv"),
        kind=tried(rm.read_transactions, log.to_dict("list")),
        refunds=tried(rm.read_transactions, log, refunds="ignore"),
        text_dates=tried(rm.read_transactions, log.assign(date="soon")),
        calibration=tried(rm.summarize, log, calibration_end="2001-01-01"),
        day=tried(rm.summarize, log, calibration_end="30.9.1997"),
        unit=tried(rm.summarize, log, time_unit="M"),
        period=tried(rm.logs.opportunities, log, period="Y", observation_end="1998-06-30"),
        design=tried(rm.read_contracts, contracts(), sampling="all", **until),
        starts=tried(rm.read_contracts, contracts().drop(columns="start"), sampling="acquisition", **until),
    )


@entry("text.refusals.fits")
def of_fits():
    people = customers()
    return Parts(
        missing=tried(rm.fit, rm.BGNBD, people.drop(columns="T")),
        negative=tried(rm.fit, rm.BGNBD, people.assign(frequency=-1)),
        order=tried(rm.fit, rm.BGNBD, people.assign(recency=people["T"] + 1)),
        few=tried(rm.fit, rm.BGNBD, people.head(2)),
        nan=tried(rm.fit, rm.BGNBD, people.assign(T=np.nan)),
        no_repeat=tried(rm.fit, rm.ParetoNBD, people.assign(frequency=0, recency=0.0)),
        covariate=tried(rm.fit, rm.BGNBD, people, purchase_covariates="height"),
        by=tried(rm.fit, rm.BGNBD, people, by="height"),
        spend=tried(rm.fit, rm.GammaGamma, people.drop(columns="monetary_value")),
        table=tried(rm.fit, rm.ShiftedBetaGeometric, people),
        parameters=tried(rm.BGNBD, r=-1.0, alpha=1.0, a=1.0, b=1.0),
        horizon=tried(rm.predict, fitted("BGNBD"), people, -1),
        wrong_fit=tried(rm.predict, fitted("GammaGamma"), people, 1),
        units=tried(rm.predict, fitted("BGNBD"), rm.summarize(cdnow(), time_unit="D"), 10),
        no_covariates=tried(rm.predict, with_covariates(), people.drop(columns="channel"), 10),
        json=tried(rm.Fit.from_json, "{}"),
        damaged=tried(rm.Fit.from_json, "{"),
        limit=at_limit().notes,
    )


@entry("text.refusals.value")
def of_value():
    money = {"horizon": 52, "time_unit": "W", "annual_discount_rate": 0.1, "margin": 0.3}
    fit, spend, people = fitted("ParetoNBD"), fitted("GammaGamma"), customers()
    return Parts(
        margin=tried(lambda: rm.customer_value(fit, people, rm.Terms(**money | {"margin": 30}), spend=spend)),
        rate=tried(
            lambda: rm.customer_value(fit, people, rm.Terms(**money | {"annual_discount_rate": -2}), spend=spend)
        ),
        unit=tried(lambda: rm.customer_value(fit, people, rm.Terms(**money | {"time_unit": "D"}), spend=spend)),
        swapped=tried(lambda: rm.customer_value(spend, people, rm.Terms(**money), spend=fit)),
        terms=tried(rm.Terms, annual_discount_rate=0.1, billing_period="W"),
        cost=tried(
            lambda: rm.value.break_even_uplift(rm.customer_value(fit, people, rm.Terms(**money), spend=spend), cost=-1)
        ),
        renewals=tried(lambda: rm.forecast_retention(fit, kept(), renewals=3)),
    )


@entry("text.refusals.experiments")
def of_experiments():
    rows = mailing()
    return Parts(
        control=tried(experiment, rows, rm.Plan(assigned_by="random", control="nobody")),
        missing=tried(experiment, rows.assign(amount=np.nan)),
        column=tried(experiment, rows.drop(columns="before")),
        twice=tried(experiment, pd.concat([rows, rows])),
        outcome=tried(rm.differences, experiment(), rm.Outcome(column="height")),
        covariate=tried(rm.differences, experiment(), rm.Outcome(column="amount", adjust_for=("visits",))),
        arm=tried(rm.interventions.cost_per_retained, experiment(), BOUGHT, MONEY["costs"], arm="fax"),
        costs=tried(rm.differences, experiment(), BOUGHT, rm.Terms(price=1.0), costs={"fax": rm.Costs(contact=1.0)}),
        campaign=tried(rm.interventions.read_campaign, rows, {"arm": "group"}, stated()),
        prices=tried(rm.Terms, margin=40),
        size=tried(rm.sample_size, rm.interventions.Proportion(0.1), 0.95),
        fractions=tried(rm.interventions.sequential_bounds, [0.5, 0.4]),
        e_value=tried(rm.interventions.e_value, -1.0),
    )
