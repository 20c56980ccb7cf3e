"""Forecast error: by customer, in total, by period, and in backtests.

- ``compare``: models side by side: log-likelihood, holdout scores, and the model to use
- ``backtest``: forecasts made at earlier dates; ``backtest_retention`` for contracts
- ``second_spells``: whether customers who came back leave again as soon
- ``churn_by_month``: churn of contracts by calendar month, and what a model expects
- ``past_errors``: errors of earlier forecasts, for the planning range of the next one; ``new_customer_errors``
- ``holdout_scores``: forecast error in the holdout; ``holdout_by_frequency``, ``holdout_by_group``
- ``actual_over_expected``: whether a model expects too much or too little of a segment
- ``calibration``: whether forecast distributions are calibrated
- ``alive_reliability``: whether customers classified as lost stay away; ``alive_check``; ``fit_pause``
- ``tracking``: actual and expected purchases by calendar period; ``season_left``
- ``gain_table``: whether the ranking of customers finds the buyers; ``concentration``
- ``timing_check``: whether random purchase times are adequate; ``holdout_check``, ``backtest_check``

>>> import retention_models as rm
>>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
>>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "NBD": rm.fit(rm.NBD, customers)}
>>> rm.compare(fits, customers, replicates=0).name
'Pareto/NBD'

Behind the door:

- ``holdout_data``: the holdout of fits, and its forecast distributions
- ``loss_comparison``: losses of models compared
- ``season_term``: the season of last year that a model does not explain
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
