"""Whether the forecast came true: customer by customer, in total, period by period, and at earlier dates."""

from retention_models.evaluation.choice import Choice, choose
from retention_models.evaluation.histories import alive_history, history_matrix
from retention_models.evaluation.holdout import (
    calibration,
    holdout_by_frequency,
    holdout_check,
    holdout_scores,
    status_by_frequency,
)
from retention_models.evaluation.ranking import concentration, gain_table
from retention_models.evaluation.rolling import backtest_check, earlier_origins, forecast_sentence, rolling_origins
from retention_models.evaluation.tracking import season_left, tracking, tracking_error

__all__ = [
    "Choice",
    "alive_history",
    "backtest_check",
    "calibration",
    "choose",
    "concentration",
    "earlier_origins",
    "forecast_sentence",
    "gain_table",
    "history_matrix",
    "holdout_by_frequency",
    "holdout_check",
    "holdout_scores",
    "rolling_origins",
    "season_left",
    "status_by_frequency",
    "tracking",
    "tracking_error",
]
