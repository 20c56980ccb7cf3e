"""What to expect: purchases of each customer and of all together, and how many customers with contracts remain.

- ``predict``: P(alive) and purchases of each customer, with intervals
- ``predict_total``: purchases of all customers together
- ``predict_new``: purchases of customers who join today
- ``marginal_effect``: the same customers with a covariate changed
- ``forecast_retention``: how many of today's customers remain after each renewal
- ``retention_triangle``: cohorts by renewals, with the empty corner filled

>>> import retention_models as rm
>>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
>>> fit = rm.fit(rm.ParetoNBD, customers)
>>> rm.predict(fit, customers, horizon=39, level=None).loc[[1]].round(2)
             probability_alive  expected_purchases
customer_id
1                         0.87                1.46
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
