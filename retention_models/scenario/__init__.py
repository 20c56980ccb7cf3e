"""Simulated businesses whose truth is known: what a method says of them can be held against it."""

from retention_models.scenario.letters import Arm, Trial
from retention_models.scenario.shop import Retail, retail

__all__ = ["Arm", "Retail", "Trial", "retail"]
