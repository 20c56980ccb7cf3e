"""Checks of a purchase log.

- ``log_start``: whether first purchases are first
- ``last_day``: whether the last day belongs to the log
- ``accounts``: bulk accounts
- ``regularity``: whether purchase times are random
"""
