"""Numbers as people read them: three digits that matter, and an interval as one thing."""

from __future__ import annotations

import math

import pandas as pd

TINY = 1e-5  # below this, zeros would be all there is to read
NEXT_TO_NOTHING = 1e-4  # a number so many times smaller than its neighbour is shown as 0


def three_digits(value: float) -> str:
    """A number to three significant digits, whole parts kept: 1665.5 becomes 1,666, not 1,670; tiny ones as 1e-09.

    ``pd.set_option("display.float_format", three_digits)`` shows tables so.

    Examples
    --------
    >>> [three_digits(value) for value in (1665.513, 166.4, 23.4, 1.0, 0.0587, -0.02, 0.0)]
    ['1,666', '166', '23.4', '1.00', '0.0587', '-0.0200', '0']
    """
    if value == 0 or not math.isfinite(value) or abs(value) < TINY:
        return f"{abs(value) if value == 0 else value:.3g}"
    return _to(_decimals(value, 3), value)


def alike(*values: float) -> tuple[str, ...]:
    """Numbers that stand side by side, with as many decimals each: three digits of the largest, one of the smallest.

    Examples
    --------
    >>> alike(0.218, 0.0102, 0.427), alike(7.87, 5.9, 11.8), alike(1.2, 0.04, 31.0), alike(16312.0, -2.4)
    (('0.218', '0.010', '0.427'), ('7.9', '5.9', '11.8'), ('1.20', '0.04', '31.00'), ('16,312', '-2'))
    """
    sizes = [abs(value) for value in values if value != 0 and math.isfinite(value)]
    if not sizes or max(sizes) < TINY:
        return tuple(three_digits(value) for value in values)
    smallest = min(size for size in sizes if size >= NEXT_TO_NOTHING * max(sizes))
    decimals = max(_decimals(max(sizes), 3), _decimals(smallest, 1))
    return tuple(_to(decimals, value) for value in values)


def with_interval(estimate: float, lower: float, upper: float) -> str:
    """A number with its interval.

    Examples
    --------
    >>> with_interval(0.153, 0.0548, 0.252)
    '0.153 (0.055 to 0.252)'
    """
    middle, *ends = alike(estimate, lower, upper)
    return f"{middle} ({' to '.join(ends)})"


def with_intervals(frame: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The frame with each pair of columns ``x_lower, x_upper`` as one column of text, for display.

    It is named by the level alone where it stands right of ``x``, and otherwise by ``x`` as well.

    Examples
    --------
    >>> import pandas as pd
    >>> with_intervals(pd.DataFrame({"value": [16312.0], "value_lower": [15354.2], "value_upper": [17330.4]}))
         value             95 %
    0  16312.0  15,354 … 17,330
    """
    columns: list[pd.Series] = []
    for name, values in frame.items():
        quantity = str(name).removesuffix("_lower").removesuffix("_upper")
        if not {f"{quantity}_lower", f"{quantity}_upper"} <= set(frame.columns) or name == quantity:
            columns.append(values)
        elif str(name).endswith("_lower"):
            upper = frame[f"{quantity}_upper"]
            whole = values.dtype.kind in "iu"
            pairs = [(f"{a:,}", f"{b:,}") if whole else alike(a, b) for a, b in zip(values, upper, strict=True)]
            label = f"{100 * level:g} %"
            beside = bool(columns) and columns[-1].name == quantity
            shown = pd.Series([" … ".join(ends) for ends in pairs], frame.index, dtype=object)
            columns.append(shown.rename(label if beside else f"{quantity}, {label}"))
    return pd.concat(columns, axis=1)


def _decimals(value: float, digits: int) -> int:
    """How many decimals show so many significant digits: 2 for three of 1.234, and of 0.9996, which becomes 1.00."""
    return max(digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits}g}")))), 0)


def _to(decimals: int, value: float) -> str:
    """A number with so many decimals; what rounds to zero has no sign."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}" if math.isfinite(value) else f"{value:g}"
