"""Curves without a model: of customers, of causes, of groups."""

import numpy as np
import pandas as pd

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts
from ledger_entries.inputs import REFERENCE, spells
from retention_models.fitting.spell_curves import round_tenures


def lung(group=None):
    table = pd.read_csv(REFERENCE / "life_tables.csv", keep_default_na=False).query("data == 'lung'")
    table = table.assign(churned=table["cause"] != "")
    return table if group is None else table[table["group"] == group]


def drawn():
    """Two hundred customers with late entries, causes and weights."""
    rng = np.random.default_rng(12)
    entered, life = rng.uniform(0, 5, 200).round(1), rng.exponential(8, 200).round(1) + 0.1
    cause = rng.choice(["", "price", "moved"], 200)
    return {"tenure": entered + life, "entry": entered, "weight": rng.integers(1, 4, 200), "cause": cause}


def curve_numbers(curve):
    return Parts(
        curve=curve,
        steps=curve.steps,
        survival=curve.survival,
        std_error=curve.std_error,
        at=curve.survival_function([0.0, 1.5, 3.0, 10.0]),
        at_risk=curve.number_at_risk([0.0, 1.5, 3.0, 10.0]),
        mean=curve.restricted_mean(10.0),
        mean_discounted=curve.restricted_mean(10.0, rate=0.05),
        median=curve.quantile(),
        quartile=curve.quantile(0.25, level=0.8),
        table=curve.table(),
        table_at=curve.table(at=[1.0, 2.0, 5.0], level=0.9),
        hazard=curve.cumulative_hazard(),
    )


@entry("survival.kaplan_meier.plain")
def plain():
    rows = lung()
    return curve_numbers(rm.kaplan_meier(rows["tenure"], rows["churned"], weight=rows["weight"]))


@entry("survival.kaplan_meier.entry")
def entered():
    rows = drawn()
    curve = rm.kaplan_meier(rows["tenure"], rows["cause"] != "", entry=rows["entry"], weight=rows["weight"])
    return Parts(all=curve_numbers(curve), since=curve_numbers(curve.since(2.0)))


@entry("survival.aalen_johansen")
def causes():
    rows = drawn()
    found = rm.survival.aalen_johansen(rows["tenure"], rows["cause"], entry=rows["entry"], weight=rows["weight"])
    return Parts(
        curves=found,
        overall=found.overall,
        incidence=found.incidence,
        std_error=found.std_error,
        at=found.cumulative_incidence([1.0, 5.0, 12.0]),
        table=found.table(),
        table_at=found.table(level=0.8, at=[2.0, 6.0]),
    )


@entry("survival.log_rank")
def log_rank():
    names = sorted(lung()["group"].unique())
    of = {name: lung(name) for name in names}
    curves = {
        name: rm.kaplan_meier(rows["tenure"], rows["churned"], weight=rows["weight"]) for name, rows in of.items()
    }
    return Parts(
        lung=rm.survival.log_rank(curves), plans=rm.survival.log_rank(rm.fitting.survival_curves(spells(), by="plan"))
    )


@entry("survival.curves")
def of_spells():
    curves = rm.fitting.survival_curves(spells(), by="plan")
    return Parts(
        curves=curves,
        table=rm.survival.curve_table(curves),
        at=rm.survival.curve_table(curves, at=round_tenures(curves), level=0.9),
        tenures=round_tenures(curves, count=5),
        all=rm.survival.curve_table(rm.fitting.survival_curves(spells()), at=[30, 90, 365]),
    )


@entry("survival.causes")
def cause_curves():
    curves = rm.fitting.cause_curves(spells(), by="plan")
    return Parts(
        table=rm.survival.curve_table(curves),
        all=rm.survival.curve_table(rm.fitting.cause_curves(spells()), at=[30, 90, 365]),
    )
