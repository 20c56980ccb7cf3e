"""One door for the settings of both kinds of logs."""

import pandas as pd
import pytest

import retention_models as rm


def test_an_option_of_the_other_kind_of_log_is_named_with_what_there_is():
    log = pd.DataFrame({"user": [1, 1], "date": ["2024-01-01", "2024-02-01"]})
    with pytest.raises(
        TypeError, match=r"choose_settings has no option customer_id for a purchase log.*there are calib"
    ):
        rm.logs.choose_settings(log, customer_id="user")
    with pytest.raises(TypeError, match="choose_settings has no option horizon for a contract log; there are"):
        rm.logs.choose_settings(log, start="date", horizon=3)
