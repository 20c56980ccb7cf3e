"""Every number of the public interface on fixed inputs, written to a file and compared with that of another commit.

``python tests/ledger.py write FILE`` computes the entries of ``tests/ledger_entries`` and writes them as JSON.
``python tests/ledger.py compare BEFORE AFTER --changes tests/ledger_changes.txt`` lists the leaves that differ, are
missing or new, and exits with 1 unless a line of the changes names each (a name or a glob, then the reason).
``make ledger BASE=<commit>`` does both for a commit and for what is here.

Leaves are named by the entry, then by position: renaming a column, a field or a class changes only the leaves that
hold names (``.columns``, ``.fields``, ``.keys``) and the sentences, which have leaves of their own (``text.*``).
"""

import argparse
import json
import math
import sys
from fnmatch import fnmatchcase
from pathlib import Path

RELATIVE = 1e-10
ABSOLUTE = 1e-12  # times the largest number of the leaf
SHOWN = 60


def differ(before: list, after: list) -> str:
    """How two leaves differ, in words; empty where they agree."""
    if len(before) != len(after):
        return f"{len(before)} values, now {len(after)}"
    finite = [abs(v) for v in (*before, *after) if is_number(v) and math.isfinite(v)]
    floor = ABSOLUTE * max(finite, default=0.0)
    wrong = [i for i, pair in enumerate(zip(before, after, strict=True)) if not agree(*pair, floor)]
    if not wrong:
        return ""
    at = max(wrong, key=lambda i: distance(before[i], after[i]))
    return f"{len(wrong)} of {len(before)} differ, most at {at}: {before[at]!r}, now {after[at]!r}"


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def agree(one: object, other: object, floor: float) -> bool:
    """Numbers to the tolerance, NaN with NaN, all else exactly and of one type."""
    if not (is_number(one) and is_number(other)):
        return type(one) is type(other) and one == other
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or abs(one - other) <= max(RELATIVE * max(abs(one), abs(other)), floor)


def distance(one: object, other: object) -> float:
    if not (is_number(one) and is_number(other)) or math.isnan(one - other):
        return math.inf
    return abs(one - other)


def read_changes(path: Path | None) -> dict[str, str]:
    """Name or glob -> reason, from lines ``name reason``; '#' begins a comment."""
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    found = {}
    for line in filter(None, (line.strip() for line in lines)):
        name, _, reason = line.partition(" ")
        if not name.startswith("#"):
            if not reason.strip():
                sys.exit(f"{path}: {name} has no reason")
            found[name] = reason.strip()
    return found


def compare(before: dict[str, list], after: dict[str, list], changes: dict[str, str]) -> int:
    """1 if a leaf differs, is missing or new, and no change names it; all are printed."""
    found = {name: "is missing" for name in before if name not in after}
    found |= {name: "is new" for name in after if name not in before}
    found |= {name: how for name in before if name in after and (how := differ(before[name], after[name]))}
    told = {name: [glob for glob in changes if fnmatchcase(name, glob)] for name in found}
    bad = sorted(
        (name for name, globs in told.items() if not globs), key=lambda n: (n not in before, n not in after, n)
    )
    for name in bad[:SHOWN]:
        print(f"{name}: {found[name]}")
    if len(bad) > SHOWN:
        print(f"... and {len(bad) - SHOWN} more")
    for glob in changes.keys() - {glob for globs in told.values() for glob in globs}:
        print(f"note: nothing changed at {glob}, which the changes name")
    compared, meant = len(before.keys() & after.keys()), len(found) - len(bad)
    print(f"{compared:,} leaves compared: {len(bad)} changed, {meant} on purpose")
    return int(bool(bad))


def write(path: Path, only: str, timed: bool) -> int:
    """Compute the entries whose name matches ``only``, and write their leaves."""
    from ledger_entries import all_entries
    from ledger_entries.flatten import computed

    ledger: dict[str, list] = {}
    for name, function in all_entries().items():
        if fnmatchcase(name, only):
            leaves, seconds = computed(name, function)
            ledger |= leaves
            if timed:
                print(f"{seconds:7.2f} s {len(leaves):6d} leaves  {name}", file=sys.stderr)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(ledger[name])}" for name in sorted(ledger))
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    numbers = sum(len(leaf) for leaf in ledger.values())
    print(f"{len(all_entries())} entries, {len(ledger):,} leaves, {numbers:,} values")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="compute every number and write it to FILE")
    writing.add_argument("file", type=Path)
    writing.add_argument("--only", default="*", help="glob of the entries to compute")
    writing.add_argument("--times", action="store_true", help="tell how long each entry takes")
    comparing = commands.add_parser("compare", help="compare two files")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--changes", type=Path, help="lines of a name or glob, and the reason")
    asked = parser.parse_args()
    if asked.command == "write":
        return write(asked.file, asked.only, asked.times)
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (asked.before, asked.after))
    return compare(before, after, read_changes(asked.changes))


if __name__ == "__main__":
    sys.exit(main())
