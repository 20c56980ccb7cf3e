"""Whether numpy runs without the features of this processor that ``make test-portable`` switches off.

numpy ignores names that it does not know, so a run without them would prove nothing, unseen. Names are those of the
numpy that the lock pins; on another kind of processor, or one without these features, there is nothing to switch off.
"""

import os
import platform
import subprocess
import sys

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

VARIABLE = "NPY_DISABLE_CPU_FEATURES"


def main() -> int:
    """Say what is switched off; returns 1 where something still runs that was to be off."""
    wanted = os.environ.get(VARIABLE, "").split()
    if not wanted:
        print(f"{VARIABLE} is empty: nothing plays another processor.", file=sys.stderr)
        return 1
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        print(f"{platform.machine()} is no x86-64: the notebooks run with the features that it has.")
        return 0
    unknown = [name for name in wanted if name not in __cpu_dispatch__]
    still_on = [name for name in wanted if __cpu_features__.get(name)]
    if unknown or still_on:
        print(f"numpy does not know {unknown}, and still uses {still_on}, of {wanted}.", file=sys.stderr)
        print(f"It can switch off {__cpu_dispatch__}; name these in the Makefile.", file=sys.stderr)
        return 1
    here = _of_this_processor(wanted)
    if not here:
        print(f"This processor has none of {', '.join(wanted)}: it is as plain as the one to be played.")
    else:
        print(f"numpy runs without {', '.join(here)}.")
    return 0


def _of_this_processor(names: list[str]) -> list[str]:
    """Those of the features that numpy uses when nothing is switched off."""
    code = "from numpy._core._multiarray_umath import __cpu_features__ as f; print(*(n for n in f if f[n]))"
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [name for name in names if name in run.stdout.split()]


if __name__ == "__main__":
    sys.exit(main())
