"""Forecasts held against what came: every name of the room."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each
from ledger_entries.inputs import (
    CUT,
    END,
    cdnow,
    customers,
    engines,
    everyone,
    fits,
    fitted,
    kept,
    log,
    logs,
    months,
    published,
    spells,
    with_covariates,
)
from retention_models import evaluation
from retention_models.narrative import contracts, purchases

BEST = "MBGNBD"


def some(**more):
    return {"Pareto/NBD": fitted("ParetoNBD"), "MBG/NBD": fitted("MBGNBD"), **more}


@entry("evaluation.compare")
def compare():
    return evaluation.compare(fits(), customers(), replicates=0)


@entry("evaluation.compare_drawn")
def compare_drawn():
    pair = {name: fits()[name] for name in ("BG/NBD", "NBD")}
    return evaluation.compare(pair, customers(), replicates=9, rng=np.random.default_rng(2))


@entry("evaluation.scores")
def scores():
    return Parts(
        all=evaluation.holdout_scores(fits(), customers()),
        covariates=evaluation.holdout_scores({"BG/NBD": with_covariates()}, customers(), level=0.8),
        opportunities=evaluation.holdout_scores({"BG/BB": rm.fit(rm.BGBB, months())}, months()),
        one=evaluation.holdout_scores(fitted(BEST), customers()),
    )


@entry("evaluation.holdout_check")
def holdout_check():
    by_letter = Parts(zip("abcd", fits().values(), strict=True))
    return each(lambda fit: evaluation.holdout_check(fit, customers()), by_letter)


@entry("evaluation.by_frequency")
def by_frequency():
    return Parts(
        holdout=evaluation.holdout_by_frequency(fits(), customers()),
        status=evaluation.status_by_frequency(fits(), customers(), max_frequency=3),
    )


@entry("evaluation.by_group")
def by_group():
    people = customers()
    by = people["frequency"].clip(upper=3)
    return Parts(
        holdout=evaluation.holdout_by_group(some(), people, by),
        status=rm.forecast.status_by_group(fitted(BEST), people, by),
        status_all=rm.forecast.status_by_group(fitted(BEST), people, level=0.8),
        new=rm.forecast.new_customer_by_group(rm.fit(rm.BGNBD, people, by="cohort"), 39),
    )


@entry("evaluation.calibration")
def calibration():
    return Parts(
        ten=evaluation.calibration(fitted(BEST), customers()),
        five=evaluation.calibration(fitted("ParetoNBD"), customers(), bins=5),
    )


@entry("evaluation.ranking")
def ranking():
    expected = rm.predict(fitted(BEST), customers(), 39, level=None)["expected_purchases"]
    return Parts(
        gain=evaluation.gain_table(fitted(BEST), customers()),
        gain_5=evaluation.gain_table(fitted("ParetoNBD"), customers(), groups=5),
        concentration=evaluation.concentration(expected),
    )


@entry("evaluation.tracking")
def tracking():
    def of(source):
        return evaluation.tracking(some(), source, calibration_end=CUT, period="W")

    found = evaluation.tracking(some(), log(), calibration_end=CUT, period="W")
    daily = evaluation.tracking(some(), log(), calibration_end=CUT, period="D")
    return Parts(
        weeks=each(of, Parts({name: rm.read_transactions(source) for name, source in logs().items()})),
        error=evaluation.tracking_error(found),
        season=evaluation.season_left(found),
        season_daily=evaluation.season_left(daily),
    )


@entry("evaluation.timing")
def timing():
    return Parts(
        all=evaluation.timing_check(log(), everyone()),
        cut=evaluation.timing_check(log().window(observation_end=CUT), customers()),
        given=evaluation.timing_check(log().window(observation_end=CUT), customers(), cnbd=fitted("MBGCNBD")),
    )


HALF_A_YEAR = rm.Terms(horizon=26, time_unit="W")


@entry("evaluation.rolling")
def rolling():
    def of(source):
        days = evaluation.earlier_origins(source, horizon=26, count=3)
        found = evaluation.backtest(source, rm.MBGNBD, HALF_A_YEAR, origins=days).table
        return Parts(origins=days, frame=found, check=evaluation.backtest_check(found))

    return each(of, Parts({name: rm.read_transactions(source) for name, source in logs().items()}))


@entry("evaluation.forecast_sentence")
def sentence():
    origins = evaluation.earlier_origins(log(), horizon=26)
    backtest = evaluation.backtest(log(), rm.MBGNBD, HALF_A_YEAR, origins=origins).table
    everyone, errors = rm.summarize(log()), evaluation.past_errors(log(), rm.MBGNBD, horizon=26)
    total = rm.predict_total(rm.fit(rm.MBGNBD, everyone), everyone, 26, past_errors=errors)
    return Parts(
        origins=origins,
        total=total,
        said=purchases.forecast_sentence(total, errors, everyone, 26),
        check=evaluation.backtest_check(backtest),
    )


@entry("evaluation.histories")
def histories():
    return Parts(
        matrix=evaluation.history_matrix(fitted(BEST), T=39.0, horizon=39, max_frequency=6, steps=12),
        alive=evaluation.alive_history(fitted("ParetoNBD"), cdnow(), 1, steps=40),
        alive_until=evaluation.alive_history(fitted(BEST), log(), 111, observation_end=END, steps=30),
        alive_engines=each(
            lambda source: evaluation.alive_history(fitted(BEST), source, 111, observation_end=END, steps=5),
            engines(cdnow(), "cdnow_again"),
        ),
    )


@entry("evaluation.contracts")
def contracts_at_earlier_days():
    window = {"period": "M", "origins": ["2023-06-30", "2023-12-31"], "renewals": 6}
    found = evaluation.backtest_retention(rm.ShiftedBetaGeometric, spells(), **window)
    return Parts(frame=found, check=evaluation.backtest_check(found))


@entry("evaluation.projections")
def projections():
    found = evaluation.projections(published(), renewals=5)
    book = contracts.projections_by_table(kept(), rm.datasets.load_published_retention())
    return Parts(
        frame=found,
        errors=evaluation.projection_errors(found),
        book=book,
        book_errors=contracts.projection_error_table(book),
        notes=contracts.projection_notes(book),
    )
