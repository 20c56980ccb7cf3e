"""Checks of a purchase log.

- ``log_start``: whether first purchases are first
- ``accounts``: bulk accounts
- ``regularity``: whether purchase times are random
"""
