"""The part of the benchmark on roll-outs: effects with bands against diff-diff, and panels against SQL by hand.

Both sides of the effects take one thread.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# (what, task, data, task of diff-diff or of SQL by hand, whether it is diff-diff's, ratio hoped for)
TASKS = [
    ("10,000 units x 104 periods, with bands: diff-diff without bands", "bands", "roll_out", "plain", True, 1),
    ("the same: diff-diff with bands (999 draws)", "bands", "roll_out", "bands", True, 1),
    ("panel of 10 million orders, Parquet: GROUP BY in SQL", "panel", "orders_10m", "panel_sql", False, 1 / 1.5),
    ("the same: two nested GROUP BY in SQL", "panel", "orders_10m", "panel_sql_twice", False, 1 / 1.5),
    ("churn of 10 million orders, Parquet", "churn", "orders_10m", None, False, None),
]


def print_roll_outs(measure, folder, diff_diff):
    """Print a line for each task; ``measure`` is that of run.py, ``diff_diff`` the Python that has diff-diff."""
    subprocess.run([sys.executable, str(HERE / "roll_outs.py"), "make", str(folder)], check=True)
    print(f"\n{'roll-outs':70} {'ours':>9} {'theirs':>9} {'faster':>8} {'hoped':>7} {'memory':>10}  results")
    for what, task, data, other, is_peer, hoped in TASKS:
        ours = measure(sys.executable, "roll_outs.py", task, folder, data, one_thread=is_peer)
        line = f"{what:70} {ours['seconds']:8.3f}s"
        if other is None:
            print(f"{line} {'':26} {ours['megabytes']:7.0f} MB  {ours['result']:.6g}", flush=True)
            continue
        script, python = ("roll_outs_peer.py", diff_diff) if is_peer else ("roll_outs.py", sys.executable)
        theirs = measure(python, script, other, folder, data, one_thread=is_peer)
        ratio = theirs["seconds"] / ours["seconds"]
        print(
            f"{line} {theirs['seconds']:8.3f}s {ratio:7.1f}x {hoped:6.1f}x {ours['megabytes']:7.0f} MB  "
            f"{ours['result']:.6g}, {theirs['result']:.6g}{'' if ratio >= hoped else '  MISSED'}",
            flush=True,
        )
