"""Time and memory against lifetimes and tea-tasting, in one run: a table of ratios.

``make bench`` runs this with the project's Python and hands it the Python of an environment that holds both, and that
of one that holds diff-diff.
Each task runs in a fresh process that reports its seconds (the best of its repeats; imports and reading of files do
not count) and its peak memory, so a ratio compares like with like on this machine and this day.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import efforts
from contracts_run import print_contracts
from roll_outs_run import print_roll_outs
from trials import print_trials

HERE = Path(__file__).parent

# (what, our task, the task to compare with, the ratio hoped for, data)
COMPARISONS = [
    ("summarise 1 million transactions: lifetimes", "summarize", "summarize", 4, "log_1m"),
    (
        "summarise 1 million, Parquet: hand-written SQL on DuckDB",
        "summarize_parquet",
        "summarize_sql",
        1 / 1.5,
        "log_1m",
    ),
    ("summarise 10 million transactions: lifetimes", "summarize", "summarize", 4, "log_10m"),
    ("summarise 10 million, Parquet: hand-written SQL", "summarize_parquet", "summarize_sql", 1 / 1.5, "log_10m"),
    ("fit BG/NBD, 1 million customers: lifetimes", "fit_bgnbd", "fit_bgnbd", 15, "customers_1m"),
    ("fit BG/NBD, the same on grouped rows: lifetimes", "fit_bgnbd_grouped", "fit_bgnbd_grouped", 5, "customers_1m"),
    ("fit Pareto/NBD, 100,000 customers: lifetimes", "fit_paretonbd", "fit_paretonbd", 50, "customers_100k"),
    ("predict 1 million customers, no intervals: lifetimes", "predict", "predict", 1, "customers_1m"),
    ("predict and value 1 million customers, with intervals: lifetimes without", "value", "value", 1, "customers_1m"),
]
SQL = {"summarize_sql"}

# Seconds after which a fit of lifetimes is not waited for any longer
PATIENCE = 300

# Fits of every model: (model, whether lifetimes has it, small table, large table)
FITS = [
    ("NBD", False, "models_cdnow", "models_100k"),
    ("ParetoNBD", True, "models_cdnow", "models_100k"),
    ("BGNBD", True, "models_cdnow", "models_100k"),
    ("MBGNBD", True, "models_cdnow", "models_100k"),
    ("BGCNBD", False, "models_cdnow", "models_100k"),
    ("MBGCNBD", False, "models_cdnow", "models_100k"),
    ("BGBB", True, "donors", "donors_100k"),
]

# Tests of 1 million customers in 3 arms: what, our task, tea-tasting's task or None where it has no like: it reads
# Parquet only through another engine that has to be brought, and sums only through its own tables.
EXPERIMENTS = [
    ("3 outcomes, one by CUPED, pandas", "from_pandas", "from_pandas"),
    ("the same, Parquet, never loaded", "from_parquet", None),
    ("the same, from sums (a GROUP BY gave them)", "from_sums", None),
    ("Lin's regression, HC2 errors, pandas", "lin_from_pandas", None),
    ("300,000 households, CR2 errors, pandas", "clusters_from_pandas", None),
]


def measure(python, script, task, folder, data, *, patience=None, one_thread=False):
    """Seconds, peak megabytes and a number to compare, of one task in a process of its own.

    None where it is not done after ``patience`` seconds. With ``one_thread``, linear algebra takes one: on a busy
    machine its threads wait for each other.
    """
    environment = os.environ | ({"OPENBLAS_NUM_THREADS": "1"} if one_thread else {})
    command = [python, "-W", "ignore", str(HERE / script), task, str(folder), data]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience, env=environment)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"{script} {task} {data} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare_fits(peer, folder):
    """Print the seconds of every model's fit, beside those of lifetimes where it has the model."""
    print(f"\n{'fit of every model':40} {'ours':>9} {'theirs':>9} {'faster':>8}  first parameter (ours, theirs)")
    for model, is_shared, *tables in FITS:
        for data in tables:
            ours = measure(sys.executable, "models.py", model, folder, data)
            theirs = measure(peer, "peer_models.py", model, folder, data, patience=PATIENCE) if is_shared else None
            print(f"{f'{model}, {data}':40} {line_of_fit(ours, theirs, is_shared)}", flush=True)


def line_of_fit(ours, theirs, is_shared):
    """Seconds of a fit, those of lifetimes where it has the model and came to an end, and the first parameters."""
    seconds, result = f"{ours['seconds']:8.2f}s", f"{ours['result']:.4f}"
    if not is_shared:
        return f"{seconds} {'':>9} {'':>8}  {result}"
    if theirs is None:
        at_least = f">{PATIENCE / ours['seconds']:.0f}x"
        return f"{seconds} {f'>{PATIENCE}s':>9} {at_least:>8}  {result}"
    ratio = theirs["seconds"] / ours["seconds"]
    return f"{seconds} {theirs['seconds']:8.2f}s {ratio:7.1f}x  {result}, {theirs['result']:.4f}"


def main(peer, diff_diff):
    """Print the table, then the curve of a fit's time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(HERE / "make_data.py"), str(folder)], check=True)
        print(f"{'task':76} {'ours':>9} {'theirs':>9} {'faster':>8} {'hoped':>7} {'memory':>8}  results (ours, theirs)")
        for what, mine, theirs, hoped, data in COMPARISONS:
            ours = measure(sys.executable, "ours.py", mine, folder, data)
            other = (
                measure(sys.executable, "ours.py", theirs, folder, data)
                if theirs in SQL
                else measure(peer, "peer.py", theirs, folder, data)
            )
            ratio = other["seconds"] / ours["seconds"]
            memory = other["megabytes"] / ours["megabytes"]
            verdict = "" if ratio >= hoped else "  MISSED"
            print(
                f"{what:76} {ours['seconds']:8.2f}s {other['seconds']:8.2f}s {ratio:7.1f}x {hoped:6.1f}x "
                f"{memory:7.1f}x  "
                f"{ours['result']:.6g}, {other['result']:.6g}{verdict}",
                flush=True,
            )
        compare_fits(peer, folder)
        tell_experiments(peer, folder)
        print(
            "\ntime of a BG/NBD fit on distinct histories already counted (rm.logs.histories), by number of customers"
        )
        print(measure(sys.executable, "ours.py", "curve", folder, "customers_1m")["text"])
        print_contracts(measure, folder, peer)
        print_roll_outs(measure, folder, diff_diff)
        print_trials(measure, folder)
        efforts.main()


def tell_experiments(peer, folder):
    """Print time and memory of a test of 1 million customers in 3 arms, beside tea-tasting's where it has a like."""
    print(f"\n{'a test of 1 million customers in 3 arms':50} {'ours':>19} {'tea-tasting':>19}")
    for what, mine, theirs in EXPERIMENTS:
        ours = measure(sys.executable, "experiments.py", mine, folder, "experiment_1m")
        line = f"{what:50} {ours['seconds']:8.3f}s {ours['megabytes']:6.0f} MB"
        if theirs is not None:
            other = measure(peer, "peer_experiments.py", theirs, folder, "experiment_1m")
            line += f" {other['seconds']:8.3f}s {other['megabytes']:6.0f} MB"
            line += f"   {other['seconds'] / ours['seconds']:.1f}x   {ours['result']:.6g}, {other['result']:.6g}"
        print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
