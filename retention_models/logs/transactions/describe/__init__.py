"""Descriptions of a purchase log.

- ``cohorts``: purchases and cohort retention by period
- ``rhythm``: inter-purchase times and seasons
- ``rfm``: RFM segments
"""
