"""Customers by arm: rows, sums, contrasts, costs, outcomes, and the checks of an experiment."""
