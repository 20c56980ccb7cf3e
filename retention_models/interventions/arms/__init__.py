"""The arms of an experiment: rows, sums, contrasts, costs, outcomes, and checks."""
