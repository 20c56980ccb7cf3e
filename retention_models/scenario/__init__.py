"""Simulated businesses whose truth is known: what a method says of them can be held against it."""

from retention_models.scenario.leaving import Rules
from retention_models.scenario.subscriptions import Subscriptions, subscriptions

__all__ = ["Rules", "Subscriptions", "subscriptions"]
