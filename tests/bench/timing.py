"""Run one task of a benchmark and tell its seconds, its peak memory and a number to compare."""

import json
import resource
import sys
import time


def report(task, repeats):
    """Time a task, the best of its repeats, and print what was measured as one line of JSON."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        result = task()
        best = min(best, time.perf_counter() - begin)
    measured = {"seconds": best, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    print(json.dumps(measured | ({"text": result} if isinstance(result, str) else {"result": float(result)})))


def run(tasks):
    """Run the task that the command line names: task, folder, data."""
    name, folder, data = sys.argv[1:]
    prepare, repeats = tasks[name]
    report(prepare(f"{folder}/{data}.parquet"), repeats)
