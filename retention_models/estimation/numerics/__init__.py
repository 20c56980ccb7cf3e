"""Special functions, quadrature and series with known accuracy."""
