"""What a model needs of a table: enough customers who differ, and covariates that can explain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from retention_models.btyd.gammagamma import PAID_NOTHING
from retention_models.estimation.model import Model, parameter_names
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.tables.customer_table import CustomerTable

SAME_AMOUNT = 1e-9  # relative differences that are those of arithmetic
FEWEST_CUSTOMERS = 5  # a coefficient; with fewer some level soon holds none who ever came back


def require_enough(model_class: type[Model], table: CustomerTable, left_out: Mapping[str, int]) -> None:
    """An error where no model could be fitted, with the reason."""
    name, n = model_class.__name__, table.n_customers
    if n < 2:
        reasons = " and ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        hint = "; a log in which nothing costs anything is one without amounts" if PAID_NOTHING in left_out else ""
        raise ValueError(
            f"{name} describes how customers differ, and needs more customers; the table has {n:g}"
            f"{f' besides {reasons}' if reasons else ''}{hint}"
        )
    if "frequency" in model_class.columns:
        frequency = table.columns[model_class.columns.index("frequency")]
        if not np.any(frequency * table.weight > 0):
            raise ValueError(
                f"{name} is estimated from repeat purchases, but frequency is 0 for all {n:,.0f} customers; "
                "calibration_end may be too early, or granularity too coarse"
            )
    if "monetary_value" in model_class.columns:
        amount = table.columns[model_class.columns.index("monetary_value")][table.weight > 0]
        if np.ptp(amount) <= SAME_AMOUNT * amount.max():
            raise ValueError(
                f"{name} is estimated from differences between amounts, but all {n:,.0f} repeat buyers paid "
                f"{amount.max():.6g} a "
                "purchase; leave amounts out (amount=None), and multiply what is counted by that"
            )
    if np.count_nonzero(table.weight) == 1:
        raise ValueError(
            f"{name} is estimated from differences between customers, but all {n:,.0f} customers have the same history"
        )


def require_tenures(model_class: type[Model], table: CustomerTable, robust: bool) -> None:
    """An error where a retention table cannot tell a model's parameters apart, or not with robust errors."""
    name, parameters = model_class.__name__, len(parameter_names(model_class))
    _, at_risk, lost = table.columns
    if not np.any(lost > 0):
        raise ValueError(
            f"{name} is estimated from customers who leave, but lost is 0 in all rows; observe the customers for longer"
        )
    if not np.any(lost < at_risk):
        raise ValueError(f"{name} is estimated from customers who stay, but lost equals at_risk in all rows")
    tenures = np.count_nonzero(at_risk > 0)
    if tenures < parameters:
        raise ValueError(
            f"{name} has {parameters} parameters and needs customers at risk at as many tenures; "
            f"the table has {tenures}"
        )
    _require_losses_before_the_last(model_class, table)
    if robust:
        raise ValueError("robust errors need a row for each customer, but a retention table has only their sums")


def require_roles(model_class: type[Model], roles: Iterable[str]) -> None:
    """An error where covariates are given in a role that the model does not know."""
    links = list(getattr(model_class, "links", {}))
    known = [*links, *(["calendar"] if "at_risk" in model_class.columns else [])]
    for role in roles:
        if role not in known:
            takes = ", ".join(f"{name}_covariates" for name in known) or "none"
            raise ValueError(f"{model_class.__name__} takes no {role}_covariates; it takes {takes}")


def require_not_explained(model_class: type[Model], names: Sequence[str], role: str) -> None:
    """An error where a covariate is what the model explains, or was not known when the forecast was made."""
    if "at_risk" in model_class.columns:
        outcomes: tuple[str, ...] = ("at_risk", "lost", "weight", *(["tenure"] if role == "churn" else []))
    elif "monetary_value" in model_class.columns:
        outcomes = ("monetary_value",)
    else:
        outcomes = ("frequency", "recency", "log_gaps", "monetary_value")  # the last is 0 where nobody came back
    circular = [name for name in names if name in outcomes or name.startswith("holdout_")]
    if circular:
        raise ValueError(
            f"{', '.join(circular)} is what {model_class.__name__} is to explain, or is later, so it cannot be a "
            "covariate; use what was known of the customers at their start"
        )


def require_few_coefficients(covariate_terms: CovariateTerms, table: CustomerTable) -> None:
    """An error where there are too many coefficients for so many customers."""
    if table.n_customers < FEWEST_CUSTOMERS * covariate_terms.n:
        term, labels = max(covariate_terms.terms.items(), key=lambda each: len(each[1]))
        raise ValueError(
            f"{covariate_terms.n:,} coefficients ({len(labels):,} of them of {term}) are too many for "
            f"{table.n_customers:,.0f} customers, at least {FEWEST_CUSTOMERS} for each; "
            "join levels, or leave covariates out"
        )


def _require_losses_before_the_last(model_class: type[Model], table: CustomerTable) -> None:
    """An error where a chance to leave that grows with tenure would grow without end."""
    tenure, at_risk, lost = table.columns
    last = float(tenure[at_risk > 0].max())
    if "c" in parameter_names(model_class) and not np.any(lost[tenure < last] > 0):
        raise ValueError(
            f"{model_class.__name__} may have a risk of churn that grows with tenure, but no customer was lost "
            f"before renewal {last:g}, the last of the table. Observe customers for longer, or choose a model without c"
        )
