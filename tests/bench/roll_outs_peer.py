"""The same roll-out with diff-diff, with and without the bands of its bootstrap; in an environment of its own."""

import pandas as pd
from diff_diff import CallawaySantAnna
from timing import run


def effects(draws):
    """The task with so many draws of the bootstrap; 0 gives no band."""

    def prepare(path):
        panel = pd.read_parquet(path)

        def task():
            model = CallawaySantAnna(
                control_group="not_yet_treated", estimation_method="reg", n_bootstrap=draws, seed=1
            )
            return model.fit(panel, "y", "unit", "period", "first", aggregate="all").overall_se

        return task

    return prepare


if __name__ == "__main__":
    run({"plain": (effects(0), 5), "bands": (effects(999), 1)})
