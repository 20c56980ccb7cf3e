"""Cohorts, rhythm and segments of a log of purchases."""
