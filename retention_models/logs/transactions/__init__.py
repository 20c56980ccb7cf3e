"""Purchase logs: read, checked, reduced to what models need.

- ``log``: ``Transactions``
- ``read_log``: ``read_transactions``
- ``purchases``: purchases within a log, and the days that count
- ``calendar``: calibration, holdout and time unit of a summary
- ``by_engine``: customers aggregated where the log lies
- ``in_memory``: customers aggregated in pandas
- ``summary``: ``summarize``, ``histories``, ``compress``
- ``returns``: negative amounts, netted against the purchases that they cancel
- ``opportunities``: one occasion a period
- ``settings``: settings chosen from a log
"""
