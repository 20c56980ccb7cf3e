"""What customers are worth: purchases and payments to come, discounted, with intervals.

- ``Terms``: horizon, margin, discount rate, price and currency
- ``customer_value``: the value of each customer; ``total_value`` of all or of segments
- ``value_by_segment``: segments side by side; ``value_by_horizon``
- ``saved_value``: a customer with a contract who was about to leave and was kept
- ``break_even_uplift``: how much an offer must change to earn its cost; ``paying_customers``
- ``marginal_value``: the same customers with a covariate changed
- ``discounted_lifetime``: of a new contract; ``discounted_residual_lifetime``, ``retention_elasticity``
- ``fit_spend``: the amount of a purchase; ``spend_by_frequency``, ``spend_independence_check``

>>> import retention_models as rm
>>> customers = rm.summarize(rm.datasets.load_cdnow())
>>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
>>> terms = rm.Terms(horizon=52, time_unit="W", margin=0.3, annual_discount_rate=0.15, currency="USD")
>>> total = rm.total_value(purchases, customers, terms, spend=spend)
>>> total[["customers", "value", "value_lower", "value_upper"]].round(0)
         customers    value  value_lower  value_upper
segment
all           2357  20910.0      19564.0      22349.0

Behind the door:

- ``purchases``: the value of purchases
- ``payments``: the payments of contracts
- ``value_component``: one component of a value, with its error
- ``external_models``: survival curves of other libraries
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
