"""The project holds together: versions in one place, the order of rooms, laziness, and that it stands alone."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import retention_models

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "retention_models"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

ORDER = [
    ("core",),
    ("tables",),
    ("estimation",),
    ("btyd", "survival"),
    ("logs", "datasets", "scenario"),
    ("fitting",),
    ("forecast",),
    ("value",),
    ("evaluation",),
    ("interventions",),
    ("narrative",),
    ("plots",),
    ("report",),
    ("cli",),
    ("__main__",),
]  # rooms, from the ground up: each imports from lower ones only
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# File names that may stand in several rooms, where these tell the same story.
MIRRORS = {"plots", "cli", "narrative"}
STORIES = {"purchases", "contracts", "retention"}


def modules():
    return sorted(
        path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts and path != PACKAGE / "__init__.py"
    )


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """The rooms of the package that a module imports, at any place in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "retention_models":
            names = [f"retention_models.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            names = [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == "retention_models" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward_only(path):
    here = room(path)
    for there in imported_rooms(path):
        assert there == here or RANK[there] < RANK[here], f"{here} imports {there}"


def test_every_room_has_its_place_in_the_order():
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "_data", "_notebooks"} == set(RANK)


def test_loose_modules_are_the_three_agreed_on():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "datasets.py"}


def test_file_names_repeat_only_among_mirrors():
    """A name stands once, but for pictures, commands and words of a room, and the parts of the logs."""
    seen = {}
    for path in modules():
        parts = path.relative_to(PACKAGE).parts
        if path.name != "__init__.py" and parts[0] not in MIRRORS and path.stem not in STORIES:
            seen.setdefault(path.stem, set()).add("logs" if parts[0] == "logs" else "/".join(parts[:-1]))
    assert {name: rooms for name, rooms in seen.items() if len(rooms) > 1} == {}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_top_floor_knows_pictures_and_pages(path):
    if RANK[room(path)] < RANK["plots"]:
        text = path.read_text()
        assert not re.search(r"^\s*(import|from) (matplotlib|nbformat|nbconvert|nbclient)\b", text, re.MULTILINE)


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("matplotlib", "duckdb", "sklearn", "scipy.stats", "nbconvert", "formulaic", "pandas", "numpy")
    code = f"import sys, retention_models; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_fitting_and_predicting_load_no_plotting_and_no_statistics_package():
    heavy = ("matplotlib", "duckdb", "sklearn", "scipy.stats", "nbconvert", "formulaic")
    code = (
        f"import sys, retention_models as rm; rm.fit, rm.predict, rm.summarize;"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_promised_name_is_there():
    for name in retention_models.__all__:
        assert getattr(retention_models, name) is not None
        assert name in dir(retention_models)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = retention_models.nothing


def test_names_for_type_checkers_and_for_users_are_the_same():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    typed = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert typed == set(retention_models.__all__) - {"__version__"}


def test_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert retention_models.__version__ == version
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def pins(file):
    """Name -> the (version, marker) pairs pinned in a lock, hashes left aside."""
    found = {}
    for line in (ROOT / file).read_text().splitlines():
        match = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^ ;\\]+)\s*(?:;\s*([^\\]*?))?\s*\\?$", line)
        if match:
            found.setdefault(normal(match[1]), set()).add((match[2], (match[3] or "").strip()))
    return found


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def required():
    """Every distribution that pyproject names, spark aside."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["notebooks"], *extras["data"], *groups["test"]]
    return {normal(re.split(r"[<>=!~ \[;]", line)[0]) for line in lines}


def test_locks_pin_what_pyproject_names_and_agree():
    locked = pins("requirements.lock")
    assert required() <= set(locked)
    assert pins("constraints.txt") == locked
    spark = pins("requirements-spark.lock")
    assert {name: spark[name] for name in locked} == locked
    assert "pyspark" in spark


def test_lock_is_hashed_and_names_no_address():
    for file in ("requirements.lock", "requirements-spark.lock"):
        text = (ROOT / file).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > len(pins(file))


def test_environment_names_the_six_packages_and_takes_pins_from_the_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"][0] == f"python{PROJECT['requires-python']}"
    pip = environment["dependencies"][-1]["pip"]
    assert pip[0] == "-c constraints.txt"
    assert pip[1:-1] == ["lifetimes", "pandas", "numpy", "matplotlib", "jupyterlab", "nbval"]
    assert set(pip[1:-1]) <= required()
    assert pip[-1] == "-e .[notebooks,data]"


def test_the_project_stands_alone():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    machine = re.compile(r"\.\./shared|(^|[^A-Za-z0-9_.])/(work|farm|root)/|://[a-z0-9.-]*(pypi|pythonhosted|npmjs)")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.exists() and path.suffix not in {".parquet", ".png"} and path != Path(__file__):
            assert not machine.search(path.read_text(encoding="utf-8", errors="replace")), name
