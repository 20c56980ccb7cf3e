"""Models of contracts: at fixed parameters, fitted, chosen, pooled, with covariates, and what they forecast."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.inputs import active, business, contract_fit, kept, kept_by_plan, monthly_fit, published
from ledger_entries.purchase_fits import numbers_of
from retention_models.fitting.pooled import cohort_check
from retention_models.logs.contracts.calendar_events import with_calendar

MODELS = {
    "geometric": rm.survival.Geometric(0.3),
    "discrete_weibull": rm.survival.DiscreteWeibull(0.3, 0.8),
    "sbg": rm.ShiftedBetaGeometric(0.7637, 1.2958),
    "bdw": rm.BetaDiscreteWeibull(0.26, 1.72, 1.58),
    "two_segments": rm.survival.TwoSegments(0.5, 0.105, 0.588),
}
NAMES = {name: type(model).__name__ for name, model in MODELS.items()}


def at_parameters(model):
    table = published()
    rows = tuple(table[name].to_numpy(dtype=float) for name in ("tenure", "at_risk", "lost"))
    tenure = np.array([0, 1, 2, 5, 12, 60])
    return Parts(
        log_likelihood=model.log_likelihood(*rows),
        score=model.score(*rows),
        survival=model.survival_function(tenure),
        survival_given=model.survival_function(tenure + 3, given=3),
        retention=model.retention_rate(tenure[1:]),
        hazard=model.hazard(tenure[1:]),
        saved=tried(lambda: model.survival_if_saved(tenure, 3)),
        lifetime=tried(lambda: model.expected_residual_lifetime(np.array([0, 1, 5]))),
        lifetime_within=model.expected_residual_lifetime(np.array([0, 1, 5]), horizon=12),
        loyal=tried(lambda: model.share_loyal(tenure)) if isinstance(model, rm.survival.TwoSegments) else None,
        simulate=model.simulate(np.full(200, 12), np.random.default_rng(4)),
        limits=model.limits,
    )


for name, model in MODELS.items():
    entry(f"contract_models.{name}")(lambda model=model: at_parameters(model))
    entry(f"contract_fits.published.{name}")(lambda name=name: numbers_of(contract_fit(NAMES[name])))
    entry(f"contract_fits.monthly.{name}")(lambda name=name: numbers_of(monthly_fit(NAMES[name])))
    entry(f"contract_forecast.{name}")(
        lambda name=name: rm.forecast_retention(monthly_fit(NAMES[name]), active(), renewals=12)
    )


@entry("contract_fits.by_plan")
def by_plan():
    return numbers_of(rm.fit(rm.ShiftedBetaGeometric, kept_by_plan(), by="plan"))


@entry("contract_fits.robust")
def robust():
    return tried(lambda: numbers_of(rm.fit(rm.ShiftedBetaGeometric, published(), robust=True)))


@entry("contract_fits.chosen")
def chosen():
    found = each(rm.fitting.select_contract_model, Parts(published=published(), monthly=kept()))
    return Parts(
        {
            name: Parts(
                fits={key: numbers_of(fit) for key, fit in models.fits.items()},
                tests=models.tests,
                name=models.name,
                reason=models.reason,
                table=models.table([1, 12, 24]),
            )
            for name, models in found.items()
        }
    )


@entry("contract_fits.pooled")
def pooled():
    return numbers_of(rm.fitting.fit_pooled(rm.ShiftedBetaGeometric, years()))


@entry("contract_fits.cohort_check")
def require_nonnegative():
    return cohort_check(rm.ShiftedBetaGeometric, kept(), renewals=12)


def years():
    """The monthly cohorts of each year together."""
    table = kept().assign(year=kept()["cohort"].astype(str).str[:4])
    found = table.groupby(["year", "tenure"], as_index=False)[["at_risk", "lost"]].sum()
    return found.rename(columns={"year": "cohort"})


def regressed(model, **covariates):
    table = with_calendar(kept_by_plan())
    found, plain = rm.fit(model, table, **covariates), rm.fit(model, table)
    scale = np.where(found.params.index.str.contains("[", regex=False), 1.0, found.params)
    return Parts(
        coefficients=found.covariate_terms.coefficients,
        covariance=found.covariance / np.outer(scale, scale),
        table=found.table(),
        log_likelihood=found.log_likelihood,
        aic=found.aic,
        count=found.n_parameters,
        model=found.model,
        notes=found.notes,
        plain=numbers_of(plain),
        test=rm.fitting.likelihood_ratio(plain, found),
        predicted=rm.forecast.predict_retention(found, table.head(40)),
    )


@entry("contract_covariates.sbg")
def covariates_sbg():
    return regressed(rm.ShiftedBetaGeometric, churn_covariates="plan")


@entry("contract_covariates.calendar")
def covariates_calendar():
    months = business().calendar
    raised = months.loc[months["price_rise"] > 0, "calendar"].astype(str).str[:7]
    table = with_calendar(kept_by_plan())
    table = table.assign(rise=table["calendar"].astype(str).str[:7].isin(raised).astype(int))
    found = rm.fit(rm.ShiftedBetaGeometric, table, churn_covariates="plan", calendar_covariates="rise")
    return Parts(table=found.table(), predicted=rm.forecast.predict_retention(found, table.head(40)))


@entry("contract_covariates.bdw")
def covariates_bdw():
    return regressed(rm.BetaDiscreteWeibull, churn_covariates="plan")


@entry("contract_forecast.by")
def forecast_by():
    people = active().assign(old=np.where(active()["tenure"] > 12, "old", "young"))
    return rm.forecast_retention(monthly_fit("ShiftedBetaGeometric"), people, renewals=6, by="old", level=0.8)


@entry("contract_forecast.triangle")
def triangle():
    return rm.forecast.retention_triangle(monthly_fit("ShiftedBetaGeometric"), kept(), renewals=6)
