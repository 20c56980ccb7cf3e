import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def untidy():
    """A log of 60 customers over 300 days with everything that the rules are for, in columns of plain types."""
    rng = np.random.default_rng(7)
    n = 1_500
    seconds = rng.integers(0, 300 * 86_400, n)
    frame = pd.DataFrame(
        {
            "customer_id": rng.integers(1, 61, n).astype(float),
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(seconds, unit="s"),
            "amount": rng.gamma(2.0, 15.0, n).round(2),
            "channel": rng.choice(["web", "shop"], n),
        }
    )
    frame["date"] = frame["date"].astype("datetime64[us]")
    frame.loc[::97, "customer_id"] = np.nan
    frame.loc[::89, "date"] = pd.NaT
    frame.loc[::83, "amount"] = np.nan
    frame.loc[::79, "amount"] = np.inf
    frame.loc[::13, "amount"] *= -1
    frame.loc[::71, "amount"] = 0.0
    return frame
