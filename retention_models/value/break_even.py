"""When an offer pays: how much it would have to change, and for how many customers.

Value says what there is to lose or to gain with a customer. It does not say whom an offer would move; that takes an
experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

UPLIFTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
TYPICAL_SHARE = 0.1


def paying_customers(uplift: pd.DataFrame, *, uplifts: Sequence[float] = UPLIFTS) -> pd.DataFrame:
    """For how many customers an offer would pay if it raised their purchases by so much.

    Parameters
    ----------
    uplift
        From ``break_even_uplift``.
    uplifts
        Shares by which the offer might raise purchases.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``uplift`` (text): the number of ``customers`` whose break-even uplift is no higher, their ``share``,
        and ``share_lower, share_upper``, which count those whose whole interval is no higher, and any part of it.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.value.break_even import paying_customers
    >>> needed = pd.Series([0.04, 0.08, 0.3, 2.0])
    >>> uplift = pd.DataFrame({"break_even_uplift": needed, "break_even_uplift_lower": needed / 2,
    ...     "break_even_uplift_upper": needed * 2})
    >>> paying_customers(uplift, uplifts=(0.05, 0.1))
            customers  share  share_lower  share_upper
    uplift
    5 %             1   0.25         0.00          0.5
    10 %            2   0.50         0.25          0.5
    """
    ends = {"share": "", "share_lower": "_upper", "share_upper": "_lower"}
    needed = {name: np.sort(uplift[f"break_even_uplift{end}"]) for name, end in ends.items()}
    counts = {name: np.searchsorted(values, uplifts, side="right") for name, values in needed.items()}
    shares = pd.DataFrame(counts, index=pd.Index([f"{100 * share:g} %" for share in uplifts], name="uplift")) / len(
        uplift
    )
    shares.insert(0, "customers", counts["share"])
    return shares


def typical_cost(customers: Any) -> float:
    """A tenth of what a repeat purchase costs on average: an offer to reckon with where none is given.

    ``customers`` is a summary; where it has no money a purchase counts one.
    """
    if "monetary_value" not in customers.columns:
        return TYPICAL_SHARE
    repeat, mean = customers["frequency"].to_numpy(dtype=float), customers["monetary_value"].to_numpy(dtype=float)
    return TYPICAL_SHARE * float(repeat @ mean / repeat.sum())
