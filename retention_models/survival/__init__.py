"""Customers who say when they leave: curves without a model, and models of the chance to leave."""
