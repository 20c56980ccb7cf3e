"""Build the wheel, look that it is complete, install it alone in an empty environment, and use it elsewhere."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
DATA = {"data": "retention_models/_data", "notebooks": "retention_models/_notebooks"}
FOLDERS = {"retention_models": "retention_models", **DATA}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def source_files() -> set[str]:
    """What the wheel must hold, by its names there: modules, stubs, templates, data and notebooks of the checkout."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *FOLDERS, cwd=ROOT)
    files = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    parts = [name.partition("/") for name in files]
    return {f"{FOLDERS[folder]}/{rest}" for folder, _, rest in parts}


def check_complete(wheel: Path) -> None:
    """Exit with the names of what the source has and the wheel lacks, whole rooms first."""
    packed, wanted = set(zipfile.ZipFile(wheel).namelist()), source_files()
    missing = wanted - packed
    if missing:
        rooms = {folder(name) for name in wanted} - {folder(name) for name in packed}
        lacking = [*(f"{room}/ (all of it)" for room in sorted(rooms)), *sorted(missing)]
        sys.exit("\n  ".join([f"the wheel lacks {len(missing)} of {len(wanted)} files of the source:", *lacking]))
    print(f"{len(wanted)} files of the source in the wheel, {len({folder(name) for name in wanted})} folders")


def folder(name: str) -> str:
    return name.rpartition("/")[0]


def readme_example() -> str:
    """The first Python block of the README that imports the package and needs no data extra."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "import retention_models" in block and "load_" not in block)


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        there = Path(empty)
        run(UV, "build", "--quiet", "--wheel", "--out-dir", there, ROOT, cwd=ROOT)
        (wheel,) = there.glob("*.whl")
        if (ROOT / ".git").exists():
            check_complete(wheel)
        python = there / "env" / "bin" / "python"
        run(UV, "venv", "--quiet", "--python", sys.executable, there / "env", cwd=there)
        run(UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", wheel, cwd=there)
        print(run(python, "-W", "error", "-c", readme_example(), cwd=there), end="")
        run(there / "env" / "bin" / "retention-models", "--help", cwd=there)
        run(python, "-m", "retention_models", "--version", cwd=there)
        for folder_name in ("notebooks", "data"):
            door = "retention_models.core.package_files"
            look = f"from {door} import project_folder as f; print(*f('{folder_name}').iterdir())"
            print(run(python, "-c", look, cwd=there).count("retention_models/_"), "files in", folder_name)
    print("the wheel works alone")


if __name__ == "__main__":
    main()
