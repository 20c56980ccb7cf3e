"""What each picture shows: its lines, points, bars and words."""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.patches import Rectangle

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, tried
from ledger_entries.inputs import CUT, MONEY, active, customers, fits, fitted, kept, log, monthly_fit, spells
from ledger_entries.interventions import BOUGHT, CUPED, WORTH, experiment
from retention_models import evaluation, plots
from retention_models.logs.transactions.describe import cohorts, rfm, rhythm
from retention_models.narrative import contracts

mpl.use("Agg")
SBG = "ShiftedBetaGeometric"


def drawn(ax):
    """The data and the words of one picture; its figure is closed."""
    if isinstance(ax, list | tuple | np.ndarray):
        return [drawn(one) for one in np.ravel(ax)]
    found = Parts(
        lines=[np.asarray(line.get_xydata(), dtype=float) for line in ax.lines],
        points=[np.asarray(c.get_offsets(), dtype=float) for c in ax.collections if isinstance(c, PathCollection)],
        areas=[
            np.asarray(path.vertices, dtype=float)
            for c in ax.collections
            if isinstance(c, PolyCollection)
            for path in c.get_paths()
        ],
        meshes=[np.ma.filled(c.get_array(), np.nan) for c in ax.collections if isinstance(c, QuadMesh)],
        images=[np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan) for image in ax.images],
        bars=[np.array(bar.get_bbox().bounds) for bar in ax.patches if isinstance(bar, Rectangle)],
        words=[ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *(text.get_text() for text in ax.texts)],
        legend=[text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else [],
        ticks=[label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())],
    )
    plt.close(ax.figure)
    return found


def picture(name, function):
    entry(f"plots.{name}")(lambda: tried(lambda: drawn(function())))


def waiting():
    second, gaps = rhythm.time_to_second_purchase(log()), rhythm.purchase_gaps(log())
    return second["share"].to_frame("second").join(gaps["share"].rename("gaps"), how="inner").rename_axis("days")


def tracked():
    return evaluation.tracking({"Pareto/NBD": fitted("ParetoNBD")}, log(), calibration_end=CUT, period="W")


def held():
    named = rfm.rfm_segments(log().window(observation_end=CUT))["segment"].loc[customers().index]
    spend = fitted("GammaGamma")
    return rm.value.value_by_segment(
        fitted("ParetoNBD"), customers(), rm.Terms(horizon=26, **MONEY), named, spend=spend
    )


def effects():
    return rm.evidence_table([*rm.differences(experiment(), BOUGHT, **WORTH), *rm.differences(experiment(), CUPED)])


def matrix():
    return evaluation.history_matrix(fitted("MBGNBD"), T=39.0, horizon=39, max_frequency=6, steps=12)


def expected():
    return rm.predict(fitted("MBGNBD"), customers(), 39, level=None)["expected_purchases"]


picture("periods", lambda: plots.plot_periods(cohorts.purchases_per_period(log())))
picture("cohorts", lambda: plots.plot_retention(cohorts.cohort_retention(log())))
picture("waiting", lambda: plots.plot_waiting(waiting()))
picture("season", lambda: plots.plot_season(rhythm.season(log(), by="weekday")))
picture("tracking", lambda: plots.plot_tracking(tracked()))
picture("tracking_sum", lambda: plots.plot_tracking(tracked(), cumulative=True))
picture("season_left", lambda: plots.plot_season(evaluation.season_left(tracked()), "Pareto/NBD"))
picture("segments", lambda: plots.plot_segments(held()))
picture("concentration", lambda: plots.plot_concentration(evaluation.concentration(expected())))
picture("by_frequency", lambda: plots.plot_by_frequency(evaluation.holdout_by_frequency(fits(), customers())))
picture("pit", lambda: plots.plot_pit(evaluation.calibration(fitted("MBGNBD"), customers())))
picture("matrix", lambda: plots.plot_history_matrix(matrix(), "probability_alive"))
picture("history", lambda: plots.plot_alive_history(evaluation.alive_history(fitted("MBGNBD"), log(), 111, steps=20)))
picture("parameters", lambda: plots.plot_parameters(fitted("ParetoNBD").table()))
picture(
    "survival", lambda: plots.plot_survival(rm.survival.curve_table(rm.fitting.survival_curves(spells(), by="plan")))
)
picture("causes", lambda: plots.plot_causes(rm.survival.curve_table(rm.fitting.cause_curves(spells()))))
picture("triangle", lambda: plots.plot_triangle(rm.forecast.retention_triangle(monthly_fit(SBG), kept(), renewals=6)))
picture(
    "remaining",
    lambda: plots.plot_remaining(rm.forecast_retention(monthly_fit(SBG), active(), renewals=12)),
)
picture("projections", lambda: plots.plot_projections(next(iter(contracts.projections_by_table(kept()).values()))))
picture("evidence", lambda: plots.plot_evidence(next(iter(effects().panels.values()))))
picture("panels", lambda: plots.plot_panels(effects().panels))
picture("values", lambda: plots.plot_values(effects().table))
