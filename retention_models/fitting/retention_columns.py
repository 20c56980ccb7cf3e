"""The arguments of forecasts of contracts: a fit of a contract model, and customers by tenure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.fitting.models import CONTRACTS
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Uncertainty, uncertainty_of
from retention_models.tables.customer_table import Customers, CustomerTable, open_customers, read_table
from retention_models.tables.groups import read_groups


def read_contract_customers(fit: Any, customers: Any) -> tuple[Uncertainty, CustomerTable]:
    """The uncertainty of a contract model, and the customers by tenure, which counts renewals, and covariates.

    Raises
    ------
    TypeError
        When ``fit`` is no fit of a model of contracts.
    ValueError
        When a tenure is no whole number, or there are no customers, or the rows are those of a retention table.
    """
    source, customers = contract_uncertainty(fit), open_customers(customers)
    return source, customers_by_tenure(customers).with_covariates(source.blocks(customers))


def contract_uncertainty(fit: Any) -> Uncertainty:
    """The uncertainty of a fit of a contract model; a TypeError for anything else."""
    given = fit.model if isinstance(fit, Fit | Uncertainty) else None
    if not isinstance(given, CONTRACTS):
        name = fit.__name__ if isinstance(fit, type) else type(fit).__name__
        kind = f"a fit of {type(given).__name__}" if given is not None else name
        raise TypeError(
            f"a fit of a model of contracts is needed, such as fit(ShiftedBetaGeometric, retention_table); got {kind}"
        )
    return uncertainty_of(fit)


def customers_by_tenure(customers: Any) -> CustomerTable:
    """The customers by tenure, which counts renewals.

    Raises
    ------
    ValueError
        When a tenure is no whole number, or there are no customers, or the rows are those of a retention table.
    """
    if {"at_risk", "lost"} <= set(getattr(customers, "columns", ())):
        raise ValueError(
            "at_risk and lost are columns of a retention table, whose rows are not customers: pass the customers of "
            "today, such as logs.active_customers(spells)"
        )
    table = read_table(customers, ("tenure",))
    part = table.columns[0] != np.floor(table.columns[0])
    if np.any(part):
        raise ValueError(
            f"tenure is not a whole number for {table.weight[part].sum():,.0f} of {table.n_customers:,.0f} customers; "
            "it counts the renewals made"
        )
    if table.n_customers == 0:
        raise ValueError("weight is 0 in all rows: there are no customers")
    return table


def models_of_groups(fit: Fit, customers: Customers, by: str) -> list[tuple[Fit, pd.DataFrame]]:
    """The model and the customers of each group; a group that could not be fitted has the model of all.

    Raises
    ------
    ValueError
        When the fit has no groups.
    """
    if not fit.groups:
        raise ValueError(f"the fit has no groups: fit the model with by={by!r}")
    frame = pd.DataFrame({name: customers.column(name).array for name in customers.columns})
    frame.attrs.update({str(name): value for name, value in customers.attrs.items()})
    return [(fit.groups.get(label, fit), frame[lines]) for label, lines in read_groups(customers, by).items()]
