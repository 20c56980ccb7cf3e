"""The allocation of a budget: offers to a million customers against a sort of as many numbers, draws against one solve.

Both halves of a ratio are timed in this run, one after the other.
"""

import time

import numpy as np
import pandas as pd

import retention_models as rm
from retention_models.interventions.efforts.knapsack import Knapsack

MOST_SORTS, MOST_SOLVES = 20, 250


def best_of(repeats, task):
    """The seconds of the fastest repeat."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def offers(rng):
    """Seconds of 1 million customers by 5 offers, and of sorting as many numbers."""
    cost, gain = rng.uniform(0.1, 5, (1_000_000, 5)), rng.gamma(1, 2, (1_000_000, 5)) - 1
    numbers = rng.random(5_000_000)
    hulls = best_of(3, lambda: rm.interventions.allocate_offers(cost, gain, 500_000))
    return hulls, best_of(3, lambda: np.sort(numbers))


def draws(rng):
    """Seconds of 200 draws over 20 efforts, and of solving one such problem."""
    m = 20
    rows = pd.DataFrame({"effort": [f"e{i}" for i in range(m)], "cost": rng.uniform(0.3, 4, m)})
    rows = rows.assign(reach=rng.integers(1_000, 50_000, m), value=rng.normal(0.3, 1, m), std_error=0.0)
    rows["design"] = "randomised"
    cost = (rows["cost"] * rows["reach"]).to_numpy(dtype=float)
    whole = np.ones(m, dtype=bool)
    problem = Knapsack(cost, np.zeros(m), np.arange(m), whole, 150_000.0, np.zeros((0, m)), np.zeros(0))
    gain = (rows["value"] * rows["reach"]).to_numpy(dtype=float)
    solves = best_of(3, lambda: [problem.solve(gain, whole) for _ in range(20)])
    return best_of(3, lambda: rm.allocate_budget(rows, 150_000, draws=200)), solves / 20


def main():
    """Print the two ratios with their limits."""
    rng = np.random.default_rng(0)
    print(f"\n{'allocation of a budget':62} {'ours':>9} {'beside':>9} {'ratio':>7} {'limit':>6}")
    for what, measured, limit in (
        ("1 million customers x 5 offers: np.sort of 5 million numbers", offers(rng), MOST_SORTS),
        ("200 draws over 20 efforts: one milp", draws(rng), MOST_SOLVES),
    ):
        ratio = measured[0] / measured[1]
        verdict = "" if ratio <= limit else "  MISSED"
        print(f"{what:62} {measured[0]:8.3f}s {measured[1]:8.4f}s {ratio:6.1f}x {limit:5}x{verdict}", flush=True)


if __name__ == "__main__":
    main()
