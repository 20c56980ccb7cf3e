"""Fits of purchases and spend, and what follows from them: predictions, tests, bootstrap, changed covariates."""

import json

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each
from ledger_entries.inputs import at_limit, customers, engines, everyone, fitted, months, with_covariates

AT = 39.0


def numbers_of(fit):
    """All of a fit; the groups by position, their labels as keys."""
    return Parts(
        parameters=fit.params,
        covariance=fit.covariance,
        table=fit.table(),
        table_80=fit.table(level=0.8),
        log_likelihood=fit.log_likelihood,
        aic=fit.aic,
        bic=fit.bic,
        count=fit.n_parameters,
        customers=fit.n_customers,
        notes=fit.notes,
        checks=fit.checks,
        data=fit.data,
        provenance=fit.provenance,
        groups={label: numbers_of(group) for label, group in fit.groups.items()},
    )


def an_entry(name, function):
    entry(f"fits.{name}")(lambda: numbers_of(function()))


for name, model in {
    "pareto_nbd": "ParetoNBD",
    "bg_nbd": "BGNBD",
    "mbg_nbd": "MBGNBD",
    "mbg_cnbd": "MBGCNBD",
    "nbd": "NBD",
    "gamma_gamma": "GammaGamma",
}.items():
    an_entry(name, lambda model=model: fitted(model))
an_entry("bg_cnbd", lambda: rm.fit(rm.BGCNBD, everyone()))
an_entry("bg_bb", lambda: rm.fit(rm.BGBB, months()))
an_entry("donors", lambda: rm.fit(rm.BGBB, rm.datasets.load_donations()))
an_entry("robust", lambda: rm.fit(rm.BGNBD, customers(), robust=True))
an_entry("compressed", lambda: rm.fit(rm.ParetoNBD, rm.logs.compress(customers())))
an_entry("covariates.bg_nbd", with_covariates)
an_entry("covariates.pareto_nbd", lambda: rm.fit(rm.ParetoNBD, customers(), purchase_covariates="channel"))
an_entry("covariates.mbg_nbd", lambda: rm.fit(rm.MBGNBD, customers(), dropout_covariates="age"))
an_entry("covariates.gamma_gamma", lambda: rm.fit(rm.GammaGamma, customers(), spend_covariates="channel"))
an_entry("by.cohort", lambda: rm.fit(rm.BGNBD, customers(), by="cohort"))
an_entry("by.channel", lambda: rm.fit(rm.MBGNBD, customers(), by=customers()["channel"]))
an_entry("limit", at_limit)

OF = {"pareto_nbd": "ParetoNBD", "mbg_nbd": "MBGNBD", "mbg_cnbd": "MBGCNBD", "nbd": "NBD"}
for name, model in OF.items():
    entry(f"predict.{name}")(lambda model=model: rm.predict(fitted(model), customers().iloc[::4], AT))
    entry(f"predict_total.{name}")(lambda model=model: rm.predict_total(fitted(model), customers(), AT))


@entry("fits.engines")
def on_engines():
    columns = customers()[["frequency", "recency", "T"]].reset_index()
    sources = engines(columns, "histories")
    frames = Parts({name: sources[name] for name in ("pandas", "polars", "duckdb")})
    return each(lambda source: numbers_of(rm.fit(rm.BGNBD, source)), frames)


@entry("predict.covariates")
def predict_covariates():
    return rm.predict(with_covariates(), customers().iloc[::4], AT, level=0.8)


@entry("predict.opportunities")
def predict_opportunities():
    return rm.predict(rm.fit(rm.BGBB, rm.datasets.load_donations()), rm.datasets.load_donations(), 5)


@entry("predict_total.covariates")
def total_covariates():
    return rm.predict_total(with_covariates(), customers(), AT)


@entry("predict_new.plain")
def new_plain():
    return rm.forecast.predict_new(fitted("ParetoNBD"), customers().head(3), 26)


@entry("predict_new.covariates")
def new_covariates():
    return rm.forecast.predict_new(with_covariates(), customers().head(12), 26)


@entry("marginal_effect")
def marginal_effect():
    some = customers().iloc[::5]
    return Parts(
        level=rm.forecast.marginal_effect(with_covariates(), some, {"channel": "web"}, 26),
        function=rm.forecast.marginal_effect(with_covariates(), some, {"age": lambda age: age + 1}, 26),
        new=rm.forecast.marginal_effect(with_covariates(), some, {"channel": "web"}, 26, new=True),
    )


@entry("wald")
def wald():
    return rm.fitting.wald(with_covariates())


@entry("likelihood_ratio")
def likelihood_ratio():
    return Parts(
        nested=rm.fitting.likelihood_ratio(fitted("NBD"), fitted("ParetoNBD"), customers(), replicates=0),
        covariates=rm.fitting.likelihood_ratio(fitted("BGNBD"), with_covariates(), customers()),
        drawn=rm.fitting.likelihood_ratio(
            fitted("NBD"), fitted("BGNBD"), customers(), replicates=9, rng=np.random.default_rng(1)
        ),
    )


@entry("bootstrap")
def bootstrap():
    found = rm.bootstrap(fitted("BGNBD"), customers(), replicates=40, rng=np.random.default_rng(1))
    return Parts(
        table=found.table(),
        draws=found.draws,
        at_limit=found.at_limit,
        failures=found.failures,
        notes=found.notes,
        drawn=found.draw(5, np.random.default_rng(3)),
        interval=found.interval(lambda model, *rows: model.probability_alive(*rows), customers().head(5)),
    )


@entry("fits.draw")
def draw():
    return Parts(
        plain=fitted("ParetoNBD").draw(5, np.random.default_rng(3)),
        covariates=with_covariates().draw(5, np.random.default_rng(3), customers().head(4)),
    )


@entry("fits.json")
def stored():
    """A round trip, and the names that are in the file."""
    text = with_covariates().to_json()
    return Parts(again=numbers_of(rm.Fit.from_json(text)), stored=sorted(json.loads(text)))
