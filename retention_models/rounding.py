"""Numbers as people read them: three digits that matter."""

from __future__ import annotations

import math

import pandas as pd


def significant(frame: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The frame with its floats rounded to so many significant digits, for display.

    Whole parts are kept (1665.5 becomes 1666, not 1670), and a column without any fraction left is shown without.
    Dates and text stay as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> significant(pd.DataFrame({"expected": [166.4, 1665.513], "error": [0.123456, -0.02], "actual": [0, 1882]}))
       expected  error  actual
    0       166  0.123       0
    1      1666 -0.020    1882
    """
    shown = frame.copy()
    for name in frame.select_dtypes("float"):
        shown[name] = _rounded(frame[name], digits)
    return shown


def _rounded(values: pd.Series, digits: int) -> pd.Series:
    shown = pd.Series([_rounded_number(value, digits) for value in values], index=values.index, dtype=float)
    return shown.astype(int) if (shown % 1 == 0).all() else shown


def _rounded_number(value: float, digits: int) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))
