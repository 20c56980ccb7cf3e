"""Formats of numbers and tables on pages, for the notebooks."""

import pandas as pd

from retention_models.core.formatting import p_value_text as p_value_text
from retention_models.core.formatting import three_digits as three_digits
from retention_models.core.formatting import with_intervals as with_intervals


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
        ``per_customer``, also with ``_lower`` and ``_upper``.
    """
    kept = table[[name for name in table if "share" not in str(name)]]
    short = kept.columns.str.replace("value_per_customer", "per_customer").str.replace("probability_alive", "alive")
    return kept.set_axis(short, axis="columns")
