"""Contracts: read, checked, reduced to retention tables."""
