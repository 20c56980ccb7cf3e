"""Customers who leave without saying so: models of repeat purchases and of spend.

Each model is a frozen dataclass of its parameters, in the letters of its paper. ``rm.fit(Model, customers)`` estimates
them; a model with given parameters needs no data.

- ``ParetoNBD``: customers may leave at any moment
- ``BGNBD``, ``MBGNBD``: they may leave after a repeat purchase, or after any purchase
- ``BGCNBD``, ``MBGCNBD``: the same with purchases in a regular rhythm
- ``NBD``: nobody leaves: the benchmark
- ``BGBB``: purchases at opportunities, one a period
- ``GammaGamma``: the amount of a purchase

All have the same methods in the same order: ``log_likelihood``, ``probability_alive``, ``expected_purchases`` and more.

>>> import retention_models as rm
>>> cdnow = rm.ParetoNBD(r=0.553, alpha=10.58, s=0.606, beta=11.66)
>>> round(float(cdnow.probability_alive(frequency=26, recency=30.86, T=31.0)), 3)
0.998
>>> round(float(cdnow.expected_purchases(39, frequency=26, recency=30.86, T=31.0)), 1)
20.1

Behind the door:

- ``purchase_model``: the base of all purchase models
- ``betageometric``: the base of the BG family
- ``poisson_gamma``: gamma-mixed Poisson counts
- ``erlang``: purchases that take several stages
- ``erlang_counts``: their counts
- ``erlang_discounted``: their present value
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
