"""Whether the forecast came true: customer by customer, in total, period by period, and at earlier dates."""

from retention_models.evaluation.backtest_check import backtest_check
from retention_models.evaluation.backtest_contracts import backtest_retention
from retention_models.evaluation.backtest_purchases import earlier_origins, rolling_origins
from retention_models.evaluation.by_group import holdout_by_group, new_customer_by_group, status_by_group
from retention_models.evaluation.by_period import season_left, tracking, tracking_error
from retention_models.evaluation.comparison import Comparison, compare
from retention_models.evaluation.histories import alive_history, history_matrix
from retention_models.evaluation.holdout import (
    calibration,
    holdout_by_frequency,
    holdout_check,
    holdout_scores,
    status_by_frequency,
)
from retention_models.evaluation.projections import projection_errors, projections
from retention_models.evaluation.ranking import concentration, gain_table
from retention_models.evaluation.timing import timing_check

__all__ = [
    "Comparison",
    "alive_history",
    "backtest_check",
    "backtest_retention",
    "calibration",
    "compare",
    "concentration",
    "earlier_origins",
    "gain_table",
    "history_matrix",
    "holdout_by_frequency",
    "holdout_by_group",
    "holdout_check",
    "holdout_scores",
    "new_customer_by_group",
    "projection_errors",
    "projections",
    "rolling_origins",
    "season_left",
    "status_by_frequency",
    "status_by_group",
    "timing_check",
    "tracking",
    "tracking_error",
]
