"""A check of a purchase model, fitted to each arm, against the observed difference of the arms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import format_together, three_digits, with_interval
from retention_models.estimation.model import Model
from retention_models.fitting.estimate import fit
from retention_models.interventions.effects.effect import Effect
from retention_models.tables.engines import collect_table


def purchase_model_check(
    effect: Effect, model_class: type[Model], rows: Any, *, arm: str, treated: str, control: str, horizon_days: int
) -> Check:
    """Check of a purchase model, fitted to each arm since the assignment, against the observed difference.

    The difference between the randomised arms is the effect. The check passes if the model's difference lies within the
    interval of the effect.

    Parameters
    ----------
    effect
        The difference in ``purchases`` per customer between the arms.
    model_class
        A purchase model, such as ``ParetoNBD``. Its time starts at the assignment.
    rows
        The rows that ``purchase_outcomes`` returns.
    arm
        The column of the arms.
    treated, control
        The two arms of the effect.
    horizon_days
        The window of the outcomes, in days.
    """
    names = {"frequency": "purchases", "recency": "days_to_last", "arm": arm}
    seen = collect_table(rows, names, {"frequency": "number", "recency": "number", "arm": "text"})
    expected = [_expected(model_class, seen[seen["arm"] == name], horizon_days) for name in (treated, control)]
    difference = expected[0] - expected[1]
    passed = effect.lower <= difference <= effect.upper
    first, second = format_together(*expected)
    return Check(
        "Purchase model",
        bool(passed),
        detail=f"{model_class.__name__}, fitted to each arm's purchases since the assignment, expects {first} "
        f"against {second}, a difference of {three_digits(difference)}; the arms differ by "
        f"{with_interval(effect.estimate, effect.lower, effect.upper)}.",
    )


def _expected(model_class: type[Model], seen: pd.DataFrame, horizon_days: int) -> float:
    """Expected purchases per customer within the window, from the model fitted to an arm."""
    customers = seen[["frequency", "recency"]].assign(T=float(horizon_days))
    model: Any = fit(model_class, customers).model
    return float(np.asarray(model.expected_purchases_new(float(horizon_days))))
