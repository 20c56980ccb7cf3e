"""Purchase logs and contract logs: read, checked, described, and reduced to what models need.

A log stays where it is: a pandas or Polars frame, a file, a DuckDB relation, or a Spark frame. ``read_transactions``
and ``read_contracts`` check it and count the rows that they set aside. ``summarize`` and ``retention_table`` reduce it.

**Purchases**

- ``read_transactions``: a checked purchase log
- ``summarize``: repeat purchases, recency, T and spend of each customer; ``histories``, ``compress``
- ``opportunities``: the same for one occasion per period (BG/BB)
- ``choose_settings``: dates, time unit and horizon chosen from a log, with the reasons
- ``check_log_start``: data checks; also ``check_last_day``, ``check_accounts``, ``check_regularity``
- ``set_aside``: how much of a log may be unreadable
- ``cohort_retention``: cohort retention by period; ``retention_by_age`` over all cohorts
- ``time_to_second_purchase``, ``second_purchase_window``: the second purchase; ``purchase_gaps``, ``season``
- ``rfm_segments``: segments by the past; ``recency_segments``; ``first_purchases``

**Contracts**

- ``read_contracts``: a checked contract log, as spells with a start and an end
- ``retention_table``: customers at risk and lost, by cohort and tenure; also from a table of tenures
- ``active_customers``: active customers by tenure, also with mean prices; ``active_contracts``, one row each
- ``with_events``: a retention table with the month of each renewal, and what happened then

**Contacts**

- ``read_contacts``: memberships, messages, complaints, visits and whatever else touched customers, as ``Contacts``
- ``customer_features``: what was known of each customer strictly before a day

From the rows of a log to the table that models need:

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
