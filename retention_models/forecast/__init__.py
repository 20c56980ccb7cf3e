"""Forecasts: purchases of each customer and of all together, and survivors among customers with contracts.

- ``predict``: P(alive), purchases and time to the next purchase of each customer, with intervals; or, with contracts,
  the chance to leave
- ``predict_total``: purchases of all customers together, or of each segment
- ``PastErrors``: errors of earlier forecasts, for the planning range; ``ForecastErrors`` of one total
- ``next_purchase_day``: the day by which 90 % of such customers have bought again
- ``predict_new``: purchases of new customers
- ``marginal_effect``: purchases before and after a change of a covariate
- ``forecast_retention``: active customers after each coming renewal
- ``predict_retention``: retention rate and survival of each row of a retention table
- ``retention_triangle``: retention by cohort and renewal, observed and forecast

``next_purchase`` finds the time by which 90 % of customers with a history have bought again; ``contracts`` forecasts
single customers with contracts; ``churn_errors`` turns a backtest of contracts into planning ranges.

>>> import retention_models as rm
>>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
>>> fit = rm.fit(rm.ParetoNBD, customers)
>>> rm.predict(fit, customers, horizon=39, level=None).loc[157].round(2)
probability_alive             1.00
expected_purchases           19.60
probability_no_purchase       0.02
time_to_next_purchase_p90     4.28
Name: 157, dtype: float64
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
