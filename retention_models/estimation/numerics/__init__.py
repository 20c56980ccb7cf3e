"""Special functions, quadrature and series with known accuracy.

- ``beta``: means over beta distributions
- ``gamma``: Gauss rules for gamma distributions
- ``quadrature``: integrals of decaying functions
- ``series``: sums in blocks to a tolerance
- ``special``: ratios of gamma functions at whole numbers
"""
