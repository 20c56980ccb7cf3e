"""What happened: purchases and contracts, read, checked, and reduced to what models need.

A log stays where it lives: a pandas or Polars frame, a file, a DuckDB relation, or a Spark frame. ``read_transactions``
and ``read_contracts`` check it and count what they set aside. ``summarize`` and ``retention_table`` reduce it.

**Purchases**

- ``read_transactions``: a checked log of who bought what and when
- ``summarize``: frequency, recency, T and spend of each customer; also ``histories``, ``compress``
- ``opportunities``: the same for one occasion a period (BG/BB)
- ``choose_settings``: how to cut and measure a log, with the reason of each choice
- ``check_log_start``: whether first purchases are first; also ``check_accounts``, ``check_regularity``
- ``cohort_retention``: share of each cohort that bought, by period; ``retention_by_age`` over all cohorts
- ``time_to_second_purchase``: how soon new customers come back; ``purchase_gaps``, ``season``, ``rfm_segments``

**Contracts**

- ``read_contracts``: spells of customers with a start and an end
- ``retention_table``: at risk and lost by cohort and tenure; also from a table of tenures
- ``active_customers``: today's customers by tenure

One log, from its rows to the table that models need:

>>> import pandas as pd
>>> import retention_models as rm
>>> orders = pd.DataFrame({
...     "customer": ["Ann", "Ann", "Ann", "Bob"],
...     "day": ["2024-01-01", "2024-01-08", "2024-01-22", "2024-01-15"],
...     "total": [20.0, 30.0, 10.0, 15.0],
... })
>>> log = rm.read_transactions(orders, customer_id="customer", date="day", amount="total")
>>> rm.summarize(log, observation_end="2024-01-29", time_unit="W")[["frequency", "recency", "T", "monetary_value"]]
             frequency  recency    T  monetary_value
customer_id
Ann                  2      3.0  4.0            20.0
Bob                  0      0.0  2.0             0.0
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
