"""What is asked of data on contracts: a table that a model can learn from, a fit, customers by renewals made."""

from __future__ import annotations

from typing import Any

import numpy as np

from retention_models.estimation.model import Model, parameter_names
from retention_models.fitted import CONTRACTS, Fit
from retention_models.tables import Table, read_table


def require_contract_fit(given: Any) -> None:
    """An error unless what was given is the fit of a model of contracts."""
    if not (isinstance(given, Fit) and isinstance(given.model, CONTRACTS)):
        name = given.__name__ if isinstance(given, type) else type(given).__name__
        kind = f"a fit of {type(given.model).__name__}" if isinstance(given, Fit) else name
        raise TypeError(
            f"a fit of a model of contracts is needed, such as fit(ShiftedBetaGeometric, retention_table); got {kind}"
        )


def customers_by_tenure(customers: Any) -> Table:
    """The customers by tenure, which counts renewals.

    Raises
    ------
    ValueError
        When a tenure is no whole number, or there are no customers.
    """
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


def require_tenures(model_class: type[Model], table: Table, robust: bool) -> None:
    """An error where a retention table cannot tell a model's parameters apart, or not with robust errors."""
    name, parameters = model_class.__name__, len(parameter_names(model_class))
    _, at_risk, lost = table.columns
    if not np.any(lost > 0):
        raise ValueError(f"{name} learns from customers who leave, and lost is 0 in all rows; observe them for longer")
    if not np.any(lost < at_risk):
        raise ValueError(f"{name} learns from customers who stay, and lost equals at_risk in all rows")
    tenures = np.count_nonzero(at_risk > 0)
    if tenures < parameters:
        raise ValueError(
            f"{name} has {parameters} parameters and needs customers at risk at as many tenures; "
            f"the table has {tenures}"
        )
    _require_losses_before_the_last(model_class, table)
    if robust:
        raise ValueError("robust errors need a row for each customer, and a retention table holds only their sums")


def _require_losses_before_the_last(model_class: type[Model], table: Table) -> None:
    """An error where a chance to leave that grows with tenure would grow without end."""
    tenure, at_risk, lost = table.columns
    last = float(tenure[at_risk > 0].max())
    if "c" in parameter_names(model_class) and not np.any(lost[tenure < last] > 0):
        raise ValueError(
            f"{model_class.__name__} has a chance to leave that may grow with tenure, and nobody was lost before "
            f"renewal {last:g}, the last of the table: how fast it grows is not known; observe customers for longer, "
            "or choose a model without c"
        )


def origin_sentences(model_class: type[Model], table: Table) -> tuple[str, ...]:
    """What a reader of a fit must know where nobody was observed from the start of the contract."""
    if "at_risk" not in model_class.columns:
        return ()
    tenure, at_risk, _ = table.columns
    first = float(tenure[at_risk > 0].min())
    if first == 1:
        return ()
    return (
        f"Nobody was observed before renewal {first:g}: what the model says of earlier ones, and of survival from the "
        f"start, is an extrapolation. Ask it of customers given that they made {first - 1:g} renewals.",
    )
