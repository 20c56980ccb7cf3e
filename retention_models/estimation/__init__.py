"""Estimation: likelihoods, Newton's method, intervals and quadrature, on arrays."""
