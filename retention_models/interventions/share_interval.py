"""The difference of two shares where a normal interval has no width: nobody, or everybody, did it.

Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
873-890, method 10: Wilson's score intervals of the two shares, combined.
"""

from __future__ import annotations

import math

from scipy.special import ndtri


def wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share among ``n`` customers; it has a width at 0 and 1 too.

    Examples
    --------
    >>> lower, upper = wilson(0.0, 100, 0.95)
    >>> lower, round(upper, 4)
    (0.0, 0.037)
    """
    z = float(ndtri((1 + level) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return (0.0 if share == 0 else centre - reach), (1.0 if share == 1 else centre + reach)


def newcombe(treated: tuple[float, float], control: tuple[float, float], level: float) -> tuple[float, float]:
    """The interval of treated minus control, each given as (share, n).

    Examples
    --------
    >>> [round(end, 4) for end in newcombe((56 / 70, 70), (48 / 80, 80), 0.95)]
    [0.0524, 0.3339]
    """
    (p, n), (q, m) = treated, control
    (low_p, high_p), (low_q, high_q) = wilson(p, n, level), wilson(q, m, level)
    return p - q - math.hypot(p - low_p, high_q - q), p - q + math.hypot(high_p - p, q - low_q)
