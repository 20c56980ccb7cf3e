"""Build the wheel, install it alone with core dependencies in an empty environment, and use it from another folder."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def readme_example() -> str:
    """The first Python block of the README that imports the package and needs no data extra."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "import retention_models" in block and "load_" not in block)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        run(UV, "build", "--quiet", "--wheel", "--out-dir", there, ROOT, cwd=ROOT)
        (wheel,) = there.glob("*.whl")
        python = there / "env" / "bin" / "python"
        run(UV, "venv", "--quiet", "--python", sys.executable, there / "env", cwd=there)
        run(UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", wheel, cwd=there)
        print(run(python, "-W", "error", "-c", readme_example(), cwd=there), end="")
        run(there / "env" / "bin" / "retention-models", "--help", cwd=there)
        run(python, "-m", "retention_models", "--version", cwd=there)
        for folder_name in ("notebooks", "data"):
            look = f"from retention_models.resources import project_folder as f; print(*f('{folder_name}').iterdir())"
            print(run(python, "-c", look, cwd=there).count("retention_models/_"), "files in", folder_name)
    print("the wheel works alone")


if __name__ == "__main__":
    main()
