"""The part of the benchmark on contracts: curves against lifelines, many cohorts, and a large log."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# (what, task, data, with lifelines as well, seconds or ratio hoped for)
TASKS = [
    ("Kaplan-Meier, 100,000 customers, times all different: lifelines", "kaplan_meier", "continuous", True, 1),
    ("Kaplan-Meier, 100,000 customers, tied times: lifelines", "kaplan_meier", "tied", True, 1),
    ("shifted-beta-geometric of each of 1,000 cohorts", "fit_cohorts", "cohorts", False, 2),
    ("retention table of 10 million contracts, Parquet", "retention_table", "contracts_10m", False, 60),
]


def print_contracts(measure, folder, peer):
    """Print a line for each task; ``measure`` is that of run.py, ``folder`` takes the data."""
    subprocess.run([sys.executable, str(HERE / "contracts.py"), "make", str(folder)], check=True)
    print(f"\n{'contracts':70} {'ours':>9} {'theirs':>9} {'hoped':>9} {'memory':>10}  results")
    for what, task, data, compared, hoped in TASKS:
        ours = measure(sys.executable, "contracts.py", task, folder, data)
        theirs = measure(peer, "contracts_peer.py", task, folder, data) if compared else None
        good = theirs["seconds"] >= hoped * ours["seconds"] if theirs else ours["seconds"] <= hoped
        other = f"{theirs['seconds']:8.3f}s {hoped:8.1f}x" if theirs else f"{'':9} {hoped:7.1f} s"
        results = ", ".join(f"{one['result']:.6g}" for one in (ours, theirs) if one)
        print(
            f"{what:70} {ours['seconds']:8.3f}s {other} {ours['megabytes']:7.0f} MB  {results}"
            f"{'' if good else '  MISSED'}",
            flush=True,
        )
