"""Every door reads every kind of frame and file, with the result of a plain pandas frame."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.campaign.interim import interim_looks
from retention_models.interventions.campaign.read import read_campaign
from retention_models.interventions.designs.encouragement import as_treated_difference
from retention_models.interventions.designs.from_counts import effects_of_counts
from retention_models.tables.engines import collect, on_engine

N = 240
RNG = np.random.default_rng(11)
ARM = np.array(["none", "mail"])[np.arange(N) % 2]
DAYS = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), unit="D")
BOUGHT = (RNG.random(N) < 0.4).astype(int)

# Columns that nobody asks for have names that the readers use, or that engines take for something else.
UNASKED = {"_zone": 1, "_whole_id": 1, "_zone date": 1, "_whole customer_id": 1, "a.b": 1, 'a "b"': 1, "Date": "x"}

LOG = pd.DataFrame(
    {
        "customer_id": np.arange(N) % 61,
        "date": DAYS.astype("datetime64[us]"),
        "amount": np.where(np.arange(N) % 50 == 3, np.nan, RNG.gamma(2, 15, N).round(2)),
        **UNASKED,
    }
)
ENDS = pd.Series(DAYS.astype("datetime64[us]")) + pd.to_timedelta(RNG.integers(5, 200, N), unit="D")
CONTRACTS = pd.DataFrame(
    {
        "customer_id": np.arange(N),
        "start": DAYS.astype("datetime64[us]"),
        "end": ENDS.where(np.arange(N) % 3 > 0),
        "why": np.array(["price", "moved"])[np.arange(N) % 2],
        "plan.type": np.array(["basic", "full"])[np.arange(N) // 3 % 2],
        "city": 10 + np.arange(N) % 2,
        **UNASKED,
    }
)
SNAPSHOT = pd.DataFrame(
    {
        "tenure": 1 + RNG.integers(0, 20, N),
        "churned": np.where(RNG.random(N) < 0.3, "Yes", "No"),
        "plan.type": np.array(["basic", "full"])[np.arange(N) % 2],
        **UNASKED,
    }
)
ROWS = pd.DataFrame(
    {
        "customer_id": np.arange(N),
        "arm": ARM,
        "region": np.array(["north", "south"])[np.arange(N) // 2 % 2],
        "bought": BOUGHT,
        "spend": (BOUGHT * RNG.gamma(2, 20, N)).round(2),
        "before": RNG.gamma(2, 10, N).round(2),
        "got": ((ARM == "mail") & (np.arange(N) % 6 > 1)).astype(int),
        "week": 8 + np.arange(N) // 60,
        **UNASKED,
    }
)
SURVIVAL = pd.DataFrame(
    {"arm": ARM, "tenure": 1 + RNG.integers(0, 12, N), "churned": RNG.random(N) < 0.5, "n": 1 + np.arange(N) % 3}
)
WEDGE = pd.DataFrame([(shop, month) for shop in range(12) for month in range(8, 13)], columns=["shop", "month"])
WEDGE["on"] = (WEDGE["month"] - 8 > WEDGE["shop"] // 3).astype(int)
WEDGE["kept"] = (0.6 + 0.05 * WEDGE["on"] + RNG.normal(0, 0.02, len(WEDGE))).round(4)
MAILING = pd.DataFrame(
    {
        "customer_id": np.arange(61),
        "assigned": pd.Timestamp("2024-06-01").as_unit("us"),
        "arm": ARM[:61],
        "_id": 5,
        "days": 3,
        "plan.type": "basic",
    }
)
SUMS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "y": [40.5, 52.25], "y*y": [60.5, 70.25]})
MEANS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "mean": [4.5, 5.25], "std_dev": [1.5, 1.25]})
COUNTS = pd.DataFrame({"arm": ["none", "mail"], "n": [100, 110], "y": [40, 52]})
PUBLISHED = COUNTS.rename(columns={"y": "count"}).assign(
    experiment="E-mail", outcome="visit", control=[True, False], share=[1, 1], unit="share of customers"
)
HISTORIES = pd.DataFrame(
    {"frequency": np.arange(N) % 3, "recency": np.arange(N) % 3 * 1.5, "T": 5.5, "weight": 1 + np.arange(N) % 2}
)

PLAN = rm.Plan(control="none")
WINDOW = {"horizon_days": 28, "offer_days": 7, "observation_end": "2024-10-31"}
ROLES = {"covariate": "before", "block": "region", "received": "got", "assigned": "week"}


def sorted_rows(frame, by):
    return collect(on_engine(frame)).sort_values(by, ignore_index=True)


def spells(contracts):
    return rm.read_contracts(
        contracts,
        sampling="acquisition",
        observation_end="2024-11-30",
        cause="why",
        covariates=["plan.type", "city"],
    )


def spells_and_tables(contracts):
    read = spells(contracts)
    by = ["plan.type", "city"]
    yield sorted_rows(read.frame, "customer_id")
    yield rm.retention_table(read, period="M", by=by)
    yield rm.logs.active_customers(read, period="M", by=by)
    yield pd.DataFrame([read.set_aside, read.settled])


def tables_of(experiment):
    outcome = rm.Outcome(column=experiment.columns[0])
    return experiment.table(), rm.evidence_table(rm.differences(experiment, outcome)).table


def experiment(rows):
    return rm.Experiment.from_rows(rows, PLAN, arm="arm", outcomes=["bought", "spend"], block="region")


def outcomes(log, mailing):
    return sorted_rows(rm.purchase_outcomes(log, mailing, **WINDOW), "customer_id")


def campaign_tables(rows):
    campaign = read_campaign(rows, outcome=["bought", "spend"], **ROLES)
    yield rm.evidence_table(campaign.effects).table
    yield interim_looks(campaign)
    yield pd.DataFrame({"reason": campaign.reasons})


def chosen_campaign(rows):
    campaign = read_campaign(rows)
    return [campaign.table, pd.DataFrame({"reason": campaign.reasons})]


def curves(rows):
    test = rm.contract_experiment(rows, PLAN, arm="arm", time_unit="months", weight="n")
    yield from (rm.survival.curve_table({arm: curve}) for arm, curve in test.curves.items())
    yield pd.DataFrame({"n": test.sizes})


def wedge(rows):
    names = {"cluster": "shop", "period": "month", "switched": "on"}
    return rm.interventions.stepped_wedge(
        rows, rm.Outcome(column="kept"), **names, draws=500, rng=np.random.default_rng(1)
    )


DOORS = {
    "summarize": (LOG, lambda log: [rm.summarize(log, calibration_end="2024-08-31")]),
    "histories": (LOG, lambda log: [rm.logs.histories(log)]),
    "read_transactions": (LOG, lambda log: [sorted_rows(rm.read_transactions(log).frame, ["customer_id", "date"])]),
    "compress": (HISTORIES, lambda customers: [rm.logs.compress(customers)]),
    "read_contracts": (CONTRACTS, spells_and_tables),
    "retention_table_from_tenures": (
        SNAPSHOT,
        lambda rows: [rm.logs.retention_table_from_tenures(rows, sampling="window", by="plan.type")],
    ),
    "Experiment.from_rows": (ROWS, lambda rows: tables_of(experiment(rows))),
    "Experiment.from_sums": (SUMS, lambda sums: tables_of(rm.Experiment.from_sums(sums, PLAN, columns=["y"]))),
    "Experiment.from_means": (MEANS, lambda means: tables_of(rm.Experiment.from_means(means, PLAN, outcome="y"))),
    "Experiment.from_counts": (COUNTS, lambda counts: tables_of(rm.Experiment.from_counts(counts, PLAN, outcome="y"))),
    "effects_of_counts": (PUBLISHED, lambda counts: [rm.evidence_table(effects_of_counts(counts)).table]),
    "contract_experiment": (SURVIVAL, curves),
    "stepped_wedge": (WEDGE, lambda rows: [rm.evidence_table([wedge(rows)]).table]),
    "purchase_outcomes, log": (LOG, lambda log: [outcomes(log, MAILING)]),
    "purchase_outcomes, assignments": (MAILING, lambda mailing: [outcomes(LOG, mailing)]),
    "as_treated_difference": (
        ROWS,
        lambda rows: [
            rm.evidence_table([as_treated_difference(rows, rm.Outcome(column="spend"), received="got")]).table
        ],
    ),
    "read_campaign": (ROWS, campaign_tables),
    "read_campaign, outcome chosen": (ROWS[["customer_id", "arm", "region", "bought"]], chosen_campaign),
}


@cache
def of_plain_frame(door):
    plain, read = DOORS[door]
    return list(read(plain))


@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_every_source_like_a_plain_frame(door, source):
    plain, read = DOORS[door]
    for found, expected in zip(read(source(plain)), of_plain_frame(door), strict=True):
        pd.testing.assert_frame_equal(
            found, expected, check_dtype=False, check_index_type=False, check_column_type=False, rtol=1e-10, atol=1e-12
        )
