"""Simulated businesses whose truth is known: what a method says of them can be held against it."""

from retention_models.scenario.churn_process import Rules
from retention_models.scenario.mailing import Arm, Trial
from retention_models.scenario.shop import Retail, retail
from retention_models.scenario.subscriptions import Subscriptions, subscriptions

__all__ = ["Arm", "Retail", "Rules", "Subscriptions", "Trial", "retail", "subscriptions"]
