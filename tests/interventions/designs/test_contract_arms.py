"""Tests among contracts that the package has read itself: the clock starts where observation does."""

import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.designs.contract_arms import contract_experiment
from retention_models.interventions.designs.contracts import retention_difference, rmst_difference

DAYS = {"observation_start": "2024-03-01", "observation_end": "2024-06-29"}


@pytest.fixture(scope="module")
def log():
    """Eight customers who run on the first of March, tested from then; one has left before, one comes back."""
    ends = ["2024-03-11", "2024-05-30", "2024-04-10", None, None, None, "2024-03-21", None, "2024-02-01", "2024-06-20"]
    return pd.DataFrame(
        {
            "customer_id": [1, 2, 3, 4, 5, 6, 7, 8, 9, 1],
            "start": ["2024-01-10"] * 9 + ["2024-06-01"],
            "end": ends,
            "arm": ["none", "call"] * 4 + ["call", "none"],
        }
    )


@pytest.fixture(scope="module")
def test_of_calls(log):
    spells = rm.read_contracts(log, sampling="active_on", covariates=["arm"], **DAYS)
    return contract_experiment(
        spells, rm.Plan(assigned_by="random", control="none", shares={"none": 1, "call": 1}), arm="arm"
    )


def test_tenure_counts_from_the_assignment(test_of_calls):
    """Of 4 without a call 3 left, after 10, 20 and 40 days; of 4 called one, after 90; all watched for 120 days."""
    kept = retention_difference(test_of_calls, horizon=30)[0]
    assert (kept.estimate, kept.n, kept.horizon, kept.time_unit) == (0.5, 8, 30, "D")
    assert retention_difference(test_of_calls, horizon=100)[0].estimate == pytest.approx(0.75 - 0.25)
    longer = rmst_difference(test_of_calls, horizon=100)[0]
    assert longer.estimate == pytest.approx((3 * 100 + 90) / 4 - (10 + 20 + 40 + 100) / 4)
    assert longer.unit == "days per customer"


def test_who_came_back_had_left(test_of_calls):
    assert test_of_calls.sizes == {"call": 4, "none": 4}
    (check,) = (check for check in test_of_calls.checks if check.name == "Returning customers")
    assert check.detail == "Later spells of customers who came back do not count, because they had left: 1."


def test_contracts_assigned_as_they_begin_count_from_their_start(log):
    spells = rm.read_contracts(
        log.head(8), sampling="acquisition", covariates=["arm"], observation_end=DAYS["observation_end"]
    )
    effect = retention_difference(
        contract_experiment(spells, rm.Plan(assigned_by="random", control="none"), arm="arm"), horizon=80
    )[0]
    assert effect.estimate == 0.5


def test_files_and_frames_agree(log, test_of_calls, tmp_path):
    log.to_csv(tmp_path / "contracts.csv", index=False)
    spells = rm.read_contracts(tmp_path / "contracts.csv", sampling="active_on", covariates=["arm"], **DAYS)
    test = contract_experiment(spells, test_of_calls.plan, arm="arm")
    assert retention_difference(test, horizon=60) == retention_difference(test_of_calls, horizon=60)


def test_what_spells_cannot_be_is_refused(log):
    spells = rm.read_contracts(log, sampling="active_on", **DAYS)
    with pytest.raises(ValueError, match=r"'arm' is not among the covariates of the contracts \(none\)"):
        contract_experiment(spells, rm.Plan(assigned_by="random", control="none"), arm="arm")
    spells = rm.read_contracts(log, sampling="active_on", covariates=["arm"], **DAYS)
    with pytest.raises(ValueError, match="in days: leave out time_unit and weight"):
        contract_experiment(spells, rm.Plan(assigned_by="random", control="none"), arm="arm", time_unit="M")
    with pytest.raises(ValueError, match="state the unit of tenure"):
        contract_experiment(log.assign(tenure=1, churned=0), rm.Plan(assigned_by="random", control="none"), arm="arm")
