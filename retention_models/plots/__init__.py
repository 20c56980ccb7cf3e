"""Plots: each function plots a computed frame on given axes or on new ones. It computes nothing.

- ``plot_periods``: purchases in each calendar period; ``plot_season``, ``plot_waiting``
- ``plot_retention``: cohort retention; ``plot_segments``, ``plot_segment_shares``, ``plot_concentration``
- ``plot_tracking``: actual and expected purchases; ``plot_by_frequency``, ``plot_pit``
- ``plot_alive_history``: P(alive) of one customer over time; ``plot_history_matrix``
- ``plot_survival``: survival curves; ``plot_causes``, ``plot_triangle``, ``plot_remaining``
- ``plot_evidence``: effects with intervals; ``plot_panels``, ``plot_values``
- ``plot_earlier_forecasts``: earlier forecasts and what came; ``plot_reliability``, ``plot_churn_by_month``
- ``plot_action_map``: value against the chance to buy again; ``plot_money``: where the money of a campaign went
- ``plot_over_time``: differences by day since the assignment; ``plot_event_study``: by periods since launch
- ``plot_trials``: those who joined and others alike; ``plot_balance``: how much they differed
- ``plot_efforts``: money a year of each effort; ``plot_effort_costs``, ``plot_effort_calendar``, ``plot_allocation``
- ``plot_parameters``: parameter estimates; ``panels`` makes axes
- ``alt_text``: what a figure shows in words, for readers who cannot see it

>>> import pandas as pd
>>> import retention_models as rm
>>> waiting = pd.DataFrame({"second purchase": [0.1, 0.2]}, index=pd.Index([7, 14], name="days"))
>>> ax = rm.plots.plot_waiting(waiting)
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
