"""Customer value: discounted future purchases and payments, with confidence intervals.

- ``Terms``: horizon, margin, discount rate, price and currency
- ``customer_value``: value of each customer; ``total_value`` of all customers or of segments
- ``new_customer_value``: value of a customer to be acquired
- ``value_by_segment``: segments compared; ``value_by_horizon``: horizons compared
- ``contract_value_by_group``: contracts by group, with models of their own; ``one_model_check``
- ``value_by_evidence``: the value of contracts within the renewals that were tested, that were seen, and beyond
- ``saved_value``: value of a customer with a contract who was about to leave and is kept
- ``contracts_at_risk``: chance of each customer with a contract to leave, and the value at risk
- ``value_of_removing_cause``: what today's customers are worth if nobody leaves for one of the causes
- ``break_even_uplift``: increase in purchases at which an offer earns its cost; ``paying_customers``
- ``marginal_value``: change in value when a covariate changes
- ``discounted_lifetime``: value of a new contract; ``discounted_residual_lifetime``, ``retention_elasticity``
- ``fit_spend``: amount per purchase; ``spend_by_frequency``, ``spend_independence_check``

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
- ``spending_chance``: chance in what customers spend
- ``payments``: the payments of contracts
- ``value_component``: one component of a value, with its error
- ``external_models``: survival curves of other libraries
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
