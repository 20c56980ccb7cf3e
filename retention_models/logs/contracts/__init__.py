"""Contract logs: read, checked, reduced to retention tables.

- ``log``: ``read_contracts`` and ``Spells``
- ``rows``: contracts as rows of a file or frame
- ``contract_prices``: what customers pay at the end of observation
- ``spells``: contracts joined to spells, and their observation
- ``retention``: ``retention_table`` and ``active_customers``
- ``retention_counts``: customers at risk and lost
- ``calendar_events``: renewals by the calendar, and what happened when
- ``snapshot``: tables of tenures without dates
- ``tenures``: their rows, in whole periods
- ``event_words``: words for customers who churned or stayed
- ``last_day``: the last day that a log knows
- ``settings``: settings chosen from a log
- ``tenure_settings``: settings chosen from a table of tenures
"""
