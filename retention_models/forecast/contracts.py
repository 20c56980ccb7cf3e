"""Forecasts of single customers with contracts: the chance to leave, and the payments to come."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_renewals
from retention_models.core.arrays import Array
from retention_models.estimation.estimates import POSITIVE, SHARE, with_interval_columns
from retention_models.fitting.retention_columns import read_contract_customers


def predict_contracts(fit: Any, customers: Any, renewals: float, level: float | None) -> pd.DataFrame:
    """The chance of each customer to leave at the coming renewals, and the payments to come; see ``predict``."""
    require_renewals("horizon", renewals, 1)
    source, table = read_contract_customers(fit, customers)
    leaving = source.estimate(partial(_leaving, renewals), table.rows)
    payments = source.estimate(partial(_payments, renewals), table.rows)
    forecast = {
        **with_interval_columns("probability_leaving", leaving, level, SHARE),
        **with_interval_columns("expected_payments", payments, level, POSITIVE),
    }
    return pd.DataFrame(forecast).take(table.row).set_axis(table.index)


def _leaving(renewals: float, model: Any, tenure: Array) -> Array:
    return np.asarray(1 - model.survival_function(tenure + renewals, given=tenure), dtype=float)


def _payments(renewals: float, model: Any, tenure: Array) -> Array:
    ahead = np.arange(1.0, renewals + 1)[:, None]
    return np.asarray(model.survival_function(tenure + ahead, given=tenure).sum(axis=0), dtype=float)
