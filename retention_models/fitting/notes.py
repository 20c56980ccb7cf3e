"""The notes of a fit, as sentences: choices made, parameters held, customers left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retention_models.btyd.gammagamma import PAID_NOTHING
from retention_models.estimation.likelihood import Optimum
from retention_models.estimation.model import Limit, Model, parameter_names
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.tables.customer_table import CustomerTable

VAGUE = 1.0  # a standard error of so many times the estimate calls for a note
VAGUE_CONTRACT = 0.4  # the same for models of contracts, which are there to be extrapolated


def notes_on(
    optimum: Optimum, covariate_terms: CovariateTerms, left_out: Mapping[str, int], table: CustomerTable
) -> tuple[str, ...]:
    """The notes on a fit to the customers of a table, others having been left out for the reasons given."""
    return (
        *_choice_sentences(optimum.model),
        *(_limit_sentence(limit, covariate_terms) for limit in optimum.limits),
        *_held_sentences(optimum, covariate_terms),
        *_free_sentences(left_out, round(table.n_customers)),
        *_flat_sentences(optimum, covariate_terms),
        *_origin_sentences(type(optimum.model), table),
    )


def _choice_sentences(model: Any) -> tuple[str, ...]:
    """Which whole numbers were chosen."""
    return tuple(
        f"{name} = {getattr(model, name)} was chosen for its likelihood; the standard errors are those at this {name}."
        for name in model.fixed
    )


def _limit_sentence(limit: Limit, covariate_terms: CovariateTerms) -> str:
    """What it means that a parameter was held at an edge."""
    among = " This holds among customers with the same covariates." if covariate_terms.is_of_customers else ""
    where = "0" if limit.towards == 0 else "infinity"
    lost = f"; the value of {' and '.join(limit.undetermined)} then means nothing" if limit.undetermined else ""
    return f"{limit.parameter} ran to {where} and is held there: {limit.model}{lost}.{among}"


def _held_sentences(optimum: Optimum, covariate_terms: CovariateTerms) -> tuple[str, ...]:
    """What it means that something was held because it makes no difference."""
    held = [str(label) for label in covariate_terms.coefficients.index if label not in optimum.free]
    flat = tuple(f"{name} makes no difference to these data and is held where it is." for name in optimum.undetermined)
    return flat + ((f"There {' and '.join(held)} make no difference and are held at 0.",) if held else ())


def _free_sentences(left_out: Mapping[str, int], n: int) -> tuple[str, ...]:
    """What it means for expected amounts that some repeat buyers never paid."""
    free = left_out.get(PAID_NOTHING, 0)
    if not free:
        return ()
    return (
        f"{free:,} of {free + n:,} repeat buyers paid nothing and were left out: the model is one of customers who "
        "pay, and value counts the others in by their share.",
    )


def _origin_sentences(model_class: type[Model], table: CustomerTable) -> tuple[str, ...]:
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


def _flat_sentences(optimum: Optimum, covariate_terms: CovariateTerms) -> tuple[str, ...]:
    """A sentence for each parameter that the data hardly determine; what covariates move depends on their origin."""
    model, model_class, moved = optimum.model, type(optimum.model), covariate_terms.fields(optimum.model)
    error = dict(zip(optimum.free, np.sqrt(np.diag(optimum.covariance)), strict=True))
    relative = {
        name: error[name] / float(getattr(model, name)) for name in parameter_names(model_class) if name in error
    }
    return tuple(
        vague_sentence(name, size)
        for name, size in relative.items()
        if name not in moved and size > (VAGUE_CONTRACT if "at_risk" in model_class.columns else VAGUE)
    )


def vague_sentence(name: str, size: float) -> str:
    """What it means that a standard error is so many times the estimate."""
    return f"{name} is hardly determined by these data: its standard error is {size:.1f} times its estimate."
