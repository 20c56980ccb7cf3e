"""Customers who leave without saying so: the buy-till-you-die models."""
