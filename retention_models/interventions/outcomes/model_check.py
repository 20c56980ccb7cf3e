"""Whether a purchase model, fitted to each arm, tells the same story as the arms themselves."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.core.formatting import format_together, three_digits, with_interval
from retention_models.estimation.model import Model
from retention_models.fitting.estimate import fit
from retention_models.interventions.effects.effect import Effect
from retention_models.tables.engines import collect, open_frame


def purchase_model_check(
    effect: Effect, model_class: type[Model], rows: Any, *, arm: str, treated: str, control: str, horizon_days: int
) -> Check:
    """A model of purchases, fitted to each arm from the assignment on, against the difference that was seen.

    The difference between the arms as drawn is the effect; the model's is only compared with it: it passes when it lies
    within the effect's interval.

    Parameters
    ----------
    effect
        The design-based difference in ``purchases`` per customer.
    model_class
        A purchase model, such as ``ParetoNBD``. Its clock starts at the assignment.
    rows
        What ``purchase_outcomes`` returned.
    arm
        The column of the arms.
    treated, control
        The two arms of the effect.
    horizon_days
        The window of the outcomes.
    """
    names = {"purchases": "frequency", "days_to_last": "recency", arm: "arm"}
    seen = collect(open_frame(rows).select(*(nw.col(name).alias(new) for name, new in names.items())))
    expected = [_expected(model_class, seen[seen["arm"] == name], horizon_days) for name in (treated, control)]
    difference = expected[0] - expected[1]
    passed = effect.lower <= difference <= effect.upper
    first, second = format_together(*expected)
    return Check(
        "purchase model",
        bool(passed),
        f"{model_class.__name__}, fitted to each arm's purchases since the assignment, expects {first} "
        f"against {second}, a difference of {three_digits(difference)}; the arms differ by "
        f"{with_interval(effect.estimate, effect.lower, effect.upper)}.",
    )


def _expected(model_class: type[Model], seen: pd.DataFrame, horizon_days: int) -> float:
    """Purchases that the model fitted to an arm expects of a customer within the window."""
    customers = seen[["frequency", "recency"]].assign(T=float(horizon_days))
    model: Any = fit(model_class, customers).model
    return float(np.asarray(model.expected_purchases_new(float(horizon_days))))
