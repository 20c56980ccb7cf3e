"""Group-time effects of a small simulated roll-out by diff-diff, for test_staggered.py.

Run in an environment that holds diff-diff: python make_roll_outs.py. It writes roll_outs.json beside this file.
"""

import json
import warnings
from pathlib import Path

import diff_diff
import numpy as np
import pandas as pd

FIRST = [4] * 7 + [6] * 8 + [9] * 6 + [0] * 9  # 0 is never, as diff-diff writes it
PERIODS = 12


def panel():
    """Thirty units in twelve periods, with effects that grow and differ."""
    rng = np.random.default_rng(11)
    rows = []
    for unit, first in enumerate(FIRST):
        level = rng.normal(10, 2)
        for period in range(PERIODS):
            effect = (1 + 0.1 * first) * (period - first + 1) * 0.2 if first and period >= first else 0.0
            rows.append((unit, period, first, round(level + 0.3 * period + effect + rng.normal(), 6)))
    return pd.DataFrame(rows, columns=["unit", "period", "first", "y"])


def covariates(rows):
    """Two numbers of each unit, one of them in line with its level."""
    rng, level = np.random.default_rng(12), rows.groupby("unit")["y"].first()
    return pd.DataFrame(
        {"x1": (level / 3 + rng.normal(0, 1, len(level))).round(6), "x2": rng.gamma(2.0, 1.0, len(level)).round(6)}
    )


def main():
    """Write the panel and what diff-diff says of it, without covariates and with two."""
    rows = panel()
    known = covariates(rows)
    names = list(known)
    stored = {"diff_diff": diff_diff.__version__, "panel": rows.to_dict("list"), "covariates": known.to_dict("list")}
    stored["results"] = results(rows, None)
    stored["adjusted"] = results(rows.join(known, on="unit"), names)
    Path(__file__).with_name("roll_outs.json").write_text(json.dumps(stored) + "\n")


def results(rows, names):
    """The effects and their averages for each control group, anticipation and base."""
    found = []
    for control_group in ("never_treated", "not_yet_treated"):
        for anticipation in (0, 1):
            for base in ("varying", "universal"):
                model = diff_diff.CallawaySantAnna(
                    control_group=control_group, anticipation=anticipation, base_period=base, estimation_method="reg"
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    result = model.fit(rows, "y", "unit", "period", "first", covariates=names, aggregate="all")
                cells = [[int(g), int(t), float(e["effect"])] for (g, t), e in result.group_time_effects.items()]
                event = {str(e): float(v["effect"]) for e, v in (result.event_study_effects or {}).items()}
                group = {str(g): float(v["effect"]) for g, v in (result.group_effects or {}).items()}
                about = {"control_group": control_group, "anticipation": anticipation, "base": base}
                overall = {"overall": float(result.overall_att), "overall_se": float(result.overall_se)}
                found.append(about | {"cells": cells, "event": event, "group": group} | overall)
    return found


if __name__ == "__main__":
    main()
