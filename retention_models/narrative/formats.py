"""Numbers and tables as pages show them: the formats that notebooks use."""

import pandas as pd

from retention_models.core.formatting import p_value_text as p_value_text
from retention_models.core.formatting import three_digits as three_digits
from retention_models.core.formatting import with_intervals as with_intervals


def display_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``value_by_segment`` or ``value_by_horizon`` that fit a page, the longest names shortened.

    Shares are left out.

    ``alive`` is ``probability_alive``, and ``per_customer`` is ``value_per_customer``, with their ``_lower, _upper``.
    """
    kept = table[[name for name in table if "share" not in str(name)]]
    short = kept.columns.str.replace("value_per_customer", "per_customer").str.replace("probability_alive", "alive")
    return kept.set_axis(short, axis="columns")
