"""Tables of a roll-out: effects by periods since launch, by cohort and period, and the regression beside them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from retention_models.interventions.designs.group_time import GroupTime
from retention_models.interventions.designs.roll_out_averages import Averages
from retention_models.interventions.effects.simultaneous_band import band_ends


def event_table(averages: Averages, bins: int | None, level: float) -> pd.DataFrame:
    """Effects by periods since launch, with their intervals and the band; see ``RollOut.event_study``."""
    parts = averages.event_bins(bins)
    means, covariance = averages.of_bins(parts)
    variances = np.diag(covariance)
    known = np.flatnonzero(np.isfinite(variances))
    laws = [averages.law_of(means[place], variances[place]) for place in known]
    ends = np.full((len(parts), 5), np.nan)
    if len(known):
        own, rng = covariance[np.ix_(known, known)], np.random.default_rng(averages.seed)
        ends[known, 0] = [law.std_error for law in laws]
        ends[known, 1:3] = [law.interval(level) for law in laws]
        ends[known, 3:] = band_ends(laws, own, level, rng)
    index = pd.Index([int(part[0]) for part in parts], name="since")
    table = pd.DataFrame({"last": [int(part[-1]) for part in parts], "estimate": means}, index=index)
    numbers = ["std_error", "lower", "upper", "band_lower", "band_upper"]
    return table.join(pd.DataFrame(ends, index, numbers).astype("Float64"))


def average_rows(averages: Averages, kind: str, index: pd.Index, level: float) -> pd.DataFrame:
    """Averages of a kind with their errors; those that are not known are left out."""
    place = averages.places[kind]
    estimate, variance = averages.stacked[place], np.diag(averages.covariance)[place]
    known = np.isfinite(estimate)
    rows = []
    for mean, own in zip(estimate[known], variance[known], strict=True):
        ends = averages.law_of(mean, own).interval(level) if math.isfinite(own) else (math.nan, math.nan)
        rows.append((mean, math.sqrt(own), *ends))
    table = pd.DataFrame(rows, columns=["estimate", "std_error", "lower", "upper"], index=index[known])
    return table.astype("Float64")


def two_way_table(group_time: GroupTime) -> pd.DataFrame:
    """The regression on unit and period effects, and its negative weights; see ``RollOut.two_way_fixed_effects``."""
    treated = 1.0 * (np.arange(group_time.periods) >= group_time.first[:, None])
    weight = group_time.weights / group_time.weights.sum()
    net = treated - treated.mean(axis=1, keepdims=True) - weight @ treated + float(weight @ treated.mean(axis=1))
    net *= weight[:, None]
    total = float((net * treated).sum())
    share = net[treated > 0] / total
    row = {
        "estimate": float((net * group_time.values).sum() / total),
        "negative_cells": float((share < 0).mean()),
        "negative_weight": float(share[share < 0].sum()),
    }
    return pd.DataFrame([row], index=pd.Index(["two-way fixed effects"], name="method"))
