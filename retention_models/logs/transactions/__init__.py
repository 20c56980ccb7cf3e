"""Purchases: read, checked, reduced to what models need."""
