"""The same test with tea-tasting, as its documentation calls it; runs in an environment of its own."""

import pandas as pd
import tea_tasting as tt
from timing import run


def from_pandas(path):
    rows = pd.read_parquet(path)
    test = tt.Experiment(
        {
            "bought": tt.Mean("bought"),
            "purchases": tt.Mean("purchases"),
            "amount": tt.Mean("amount", covariate="amount_before"),
            "ratio": tt.SampleRatio({"none": 1, "mail": 1, "coupon": 1}),
        },
        variant="arm",
    )

    def task():
        found = test.analyze(rows, control="none", all_variants=True)["none", "mail"]["amount"]
        return (found.effect_size_ci_upper - found.effect_size_ci_lower) / (2 * 1.959964)

    return task


if __name__ == "__main__":
    run({"from_pandas": (from_pandas, 3)})
