"""Formats of numbers and tables on pages, for the notebooks."""

import pandas as pd

from retention_models.core.formatting import END_OF_INTERVAL, amount_text, format_together
from retention_models.core.formatting import p_value_text as p_value_text
from retention_models.core.formatting import three_digits as three_digits
from retention_models.core.formatting import with_intervals as with_intervals
from retention_models.value.terms import Terms

SMALLEST_PERCENT = 0.01  # below this, a share says no more than that it is small


def display_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``value_by_segment`` or ``value_by_horizon`` that fit on a page, with short names.

    Parameters
    ----------
    table
        The table that ``value_by_segment`` or ``value_by_horizon`` returns.

    Returns
    -------
    pandas.DataFrame
        Without the columns of shares. ``probability_alive`` becomes ``alive`` and ``value_per_customer`` becomes
        ``per_customer``, also with ``_lower`` and ``_upper``. Planning ranges become text, and stand in place of the
        intervals of parameters.
    """
    kept = table[[name for name in table if "share" not in str(name)]]
    if "planning" in kept:
        kept = _with_planning_ranges(kept)
    short = kept.columns.str.replace("value_per_customer", "per_customer").str.replace("probability_alive", "alive")
    return kept.set_axis(short, axis="columns")


def _with_planning_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """The value as planned, and both planning ranges as text, in place of the interval of parameters."""
    planned = table["planning"].where(table["planning"].notna(), table["value"])
    shown = table.drop(columns=[name for name in table if str(name).startswith(("value", "planning", "range"))])
    shown["value_per_customer"] = table["value_per_customer"] * planned / table["value"].where(table["value"] > 0, 1.0)
    shown["value"] = planned
    for level in (80, 95):
        ends = table[[f"planning_lower_{level}", f"planning_upper_{level}"]].itertuples(index=False)
        shown[f"{level} % range"] = [
            "no forecast tests it" if pd.isna(low) else " … ".join(format_together(low, high)) for low, high in ends
        ]
    return shown


def range_of_amounts(terms: Terms, lower: float, upper: float) -> str:
    """The two ends of a range, with their unit once: "EUR 464,000 to 611,000", "664 to 939 purchases"."""
    if terms.is_money:
        return f"{terms.written(lower)} to {amount_text(upper)}"
    return f"{three_digits(lower)} to {terms.written(upper)}"


def shares_as_percent(frame: pd.DataFrame, *columns: str, level: float = 0.95) -> pd.DataFrame:
    """The frame for display, with shares in percent, and each pair of columns ``x_lower, x_upper`` as one column.

    Parameters
    ----------
    frame
        A frame with shares, such as 0.153, and perhaps their intervals.
    *columns
        Names of the columns with shares; what the frame lacks is ignored.
    level
        Level of the intervals, for the names of the columns; 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        As from ``with_intervals``. Shares and their intervals are text, and very small ones "< 0.01 %". Whole numbers
        have thousands separators.

    Examples
    --------
    >>> import pandas as pd
    >>> shares = pd.DataFrame({"share": [0.5847, 4e-9], "share_lower": [0.561, 0], "share_upper": [0.608, 3e-8]})
    >>> shares_as_percent(shares, "share")
          share             95 %
    0    58.5 %  56.1 … 60.8 %
    1  < 0.01 %     0 … < 0.01 %
    """
    text: dict[str, pd.Series] = {}
    for name in frame.columns:
        end = END_OF_INTERVAL.fullmatch(str(name))
        if frame[name].dtype.kind in "iu" and not end:
            text[name] = frame[name].map("{:,}".format)
        elif name in columns:
            text[name] = frame[name].map(_percent)
        elif end and end[2] == "lower" and end[1] in columns:
            upper = f"{end[1]}_upper{end[3] or ''}"
            pairs = zip(frame[name], frame[upper], strict=True)
            text[name] = pd.Series([_percent_range(*pair) for pair in pairs], frame.index, dtype=object)
    shown = with_intervals(frame, level=level)
    for name, values in text.items():
        before = frame.columns[: frame.columns.get_loc(name)]
        shown.isetitem(sum(1 for each in before if not _is_upper_end(str(each))), list(values))
    return shown


def _is_upper_end(name: str) -> bool:
    """Whether a column is the second of a pair, which ``with_intervals`` does not show by itself."""
    end = END_OF_INTERVAL.fullmatch(name)
    return end is not None and end[2] == "upper"


def _percent(share: float) -> str:
    """A share in percent, to three digits."""
    if pd.isna(share):
        return "-"
    if 0 < abs(100 * share) < SMALLEST_PERCENT:
        return f"< {SMALLEST_PERCENT:g} %" if share > 0 else f"> -{SMALLEST_PERCENT:g} %"
    return f"{three_digits(float(f'{100 * share:.3g}'))} %"


def _percent_range(lower: float, upper: float) -> str:
    """Two shares as one text."""
    if pd.isna(lower) or pd.isna(upper):
        return "-"
    return " … ".join((_percent(lower).removesuffix(" %"), _percent(upper)))
