"""The same curves with lifelines, as its documentation calls it; runs in the environment of the peers."""

import pandas as pd
from lifelines import KaplanMeierFitter
from timing import run


def kaplan_meier(path):
    frame = pd.read_parquet(path)
    return lambda: float(
        KaplanMeierFitter().fit(frame["tenure"], frame["churned"]).survival_function_at_times(20).iloc[0]
    )


if __name__ == "__main__":
    run({"kaplan_meier": (kaplan_meier, 5)})
