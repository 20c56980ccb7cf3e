"""Outcomes of a campaign whose customers have contracts: customers and time retained up to a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from retention_models.core.dates import span_name, unit_plural
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.campaign.columns import Roles
from retention_models.interventions.designs.contract_arms import ContractExperiment, contract_experiment
from retention_models.interventions.designs.contract_cells import RETAINED, TIME
from retention_models.tables.rules import check_complete


def read_contracts_of_campaign(
    frame: nw.LazyFrame[Any], roles: Roles, plan: Plan, horizon: float | None, time_unit: str | None
) -> ContractExperiment:
    """The survival curves of the arms; a ValueError without a horizon."""
    if horizon is None or time_unit is None:
        raise ValueError(
            "tenure needs horizon and time_unit, such as horizon=6 and time_unit='M': customers and time retained are "
            "compared up to a horizon"
        )
    if roles.customer_id is not None and roles.cluster is None:
        check_complete(frame, {}, {}, (roles.customer_id, roles.customer_id))
    return contract_experiment(
        frame.to_native(),
        plan,
        arm=roles.arm,
        time_unit=time_unit,
        tenure=str(roles.tenure),
        churned=str(roles.churned),
        cluster=roles.cluster,
        block=roles.block,
        columns=list(dict.fromkeys([*roles.extras, *roles.covariates])),
    )


def contract_units(time_unit: str) -> dict[str, str]:
    """The outcomes with their units: customers retained, and time."""
    return {RETAINED: "share of customers", TIME: f"{unit_plural(time_unit)} per customer"}


def contracts_sentence(outcomes: Sequence[Outcome]) -> str:
    """How contracts are compared, in words."""
    horizon, time_unit = outcomes[0].horizon, outcomes[0].time_unit
    assert horizon is not None
    assert time_unit is not None
    return (
        "The arms are compared by the share of customers retained, and the time as a customer, up to "
        f"{span_name(horizon, time_unit)} after the assignment. Nothing is extrapolated."
    )
