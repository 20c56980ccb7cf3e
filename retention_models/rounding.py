"""Numbers as people read them: three digits that matter, and an interval as one thing."""

from __future__ import annotations

import math

import pandas as pd

TINY = 1e-5  # below this, zeros would be all there is to read


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
    rounded = float(f"{value:.3g}") if abs(value) < 100 else round(value)  # 0.9996 becomes 1.00, not 1.000
    digits = max(2 - math.floor(math.log10(abs(rounded))), 0)
    return f"{rounded:,.{digits}f}"


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
            written = "{:,}".format if values.dtype.kind in "iu" else three_digits
            ends = [f"{written(a)} … {written(b)}" for a, b in zip(values, upper, strict=True)]
            beside = bool(columns) and columns[-1].name == quantity
            label = f"{100 * level:g} %"
            columns.append(pd.Series(ends, frame.index, name=label if beside else f"{quantity}, {label}", dtype=object))
    return pd.concat(columns, axis=1)
