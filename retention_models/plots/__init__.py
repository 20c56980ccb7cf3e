"""Pictures: each function draws a computed frame on the axes given, or on new ones, and computes nothing."""

from retention_models.plots.contracts import plot_projections, plot_remaining, plot_triangle
from retention_models.plots.customers import plot_concentration, plot_retention, plot_segments
from retention_models.plots.evidence import plot_evidence, plot_panels, plot_values
from retention_models.plots.histories import plot_alive_history, plot_history_matrix
from retention_models.plots.holdout import plot_by_frequency, plot_pit, plot_tracking
from retention_models.plots.parameters import plot_parameters
from retention_models.plots.rhythm import plot_periods, plot_season, plot_waiting
from retention_models.plots.style import panels
from retention_models.plots.survival import plot_causes, plot_survival

__all__ = [
    "panels",
    "plot_alive_history",
    "plot_by_frequency",
    "plot_causes",
    "plot_concentration",
    "plot_evidence",
    "plot_history_matrix",
    "plot_panels",
    "plot_parameters",
    "plot_periods",
    "plot_pit",
    "plot_projections",
    "plot_remaining",
    "plot_retention",
    "plot_season",
    "plot_segments",
    "plot_survival",
    "plot_tracking",
    "plot_triangle",
    "plot_values",
    "plot_waiting",
]
