"""What engines must not change of a frame."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from retention_models.tables.engines import open_log
from retention_models.tables.frames import collect


@pytest.mark.slow
def test_dates_in_text_stay_with_their_rows_in_large_frames():
    """DuckDB joins what it parses to its list of spellings of UTC, on several threads, and shuffles the rows."""
    n = 150_000
    days = (pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(n) % 7_000, unit="D")).strftime("%Y-%m-%d")
    times = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="min")).dt.strftime(
        "%Y-%m-%d %H:%M"
    )
    for text, engine in ((days, lambda frame: frame), (times, pl.from_pandas)):
        frame = pd.DataFrame({"customer_id": np.arange(n), "date": text})
        for _ in range(2):
            read = collect(open_log(engine(frame), ["customer_id", "date"], {"customer_id": "id", "date": "day"}))
            wrong = read.sort_values("customer_id")["date"].to_numpy() != pd.to_datetime(frame["date"]).to_numpy()
            assert not wrong.any()
