"""The project holds together: versions in one place, the order of rooms, laziness, and that it stands alone."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from inspect import ismodule
from pathlib import Path

import pytest
import yaml

import retention_models
from retention_models.core.moved_names import new_place

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


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_stay_in_their_module(path):
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [
        alias.name for node in imports if (node.module or "").startswith("retention_models") for alias in node.names
    ]
    assert [name for name in ours if name.startswith("_") and not name.startswith("__")] == []


def test_no_module_is_imported_by_what_it_imports():
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules()}
    imports = {name: set() for name in names}
    for name, path in names.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                taken = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                imports[name] |= taken & names.keys()
    TopologicalSorter(imports).prepare()  # raises CycleError with the names of a circle


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


DOORS = {name: found for name in retention_models.__all__ if ismodule(found := getattr(retention_models, name))}


def test_every_promised_name_is_there():
    for door in (retention_models, *DOORS.values()):
        for name in getattr(door, "__all__", ()):
            assert getattr(door, name) is not None
            assert name in dir(door)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = retention_models.nothing


def test_the_top_holds_the_rooms_and_the_names_most_used():
    rooms = set(RANK) - {"core", "tables", "estimation", "cli", "__main__"}
    assert set(DOORS) == rooms
    assert len(set(retention_models.__all__) - rooms - {"__version__"}) == 44


def test_no_public_name_is_that_of_a_module_beside_it():
    """Else the name would turn into the module as soon as that is imported."""
    for room, door in DOORS.items():
        beside = {path.name.removesuffix(".py") for path in (PACKAGE / room).glob("*")}
        assert not beside & set(getattr(door, "__all__", ())), room


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("holm", "rm.holm is now rm.interventions.holm"),
        ("load_cdnow", "rm.load_cdnow is now rm.datasets.load_cdnow"),
        ("evidence", "rm.evidence is now rm.evidence_table"),
        ("share_kept", "rm.share_kept is now rm.interventions.retention_difference"),
        ("rolling_origins", "rm.rolling_origins is now rm.evaluation.backtest"),
        ("season", "season is at the door of a room: rm.logs.season"),
        ("nothing", "retention_models has no attribute 'nothing'"),
        ("lifts", r"rm.lifts is now rm.differences(..., scale='ratio')"),
    ],
)
def test_names_that_moved_say_where_they_are(name, place):
    with pytest.raises(AttributeError, match=re.escape(place)):
        getattr(retention_models, name)


def test_the_places_of_moved_names_are_there():
    old = (ROOT / "tests" / "reference" / "names_0_1_0.txt").read_text().split()
    for name in old:
        if name in retention_models.__all__:
            continue
        place = new_place(name)
        assert place, name
        found = retention_models
        for part in re.findall(r"is now rm\.([\w.]+)$", place):
            for step in part.split("."):
                found = getattr(found, step)


def code_of_readers():
    """The Python of README and notebooks, by where it stands."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    yield from (("README.md", block) for block in blocks)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        yield from ((path.name, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code")


def test_readme_and_notebooks_go_through_the_doors():
    for where, code in code_of_readers():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("retention_models"), f"{where}: {ast.unparse(node)}"
            if isinstance(node, ast.Import):
                assert all(alias.asname == "rm" for alias in node.names if "retention_models" in alias.name), where
        for room, name in re.findall(r"\brm\.(\w+)(?:\.(\w+))?", code):
            assert room in retention_models.__all__, f"{where}: rm.{room}"
            if room in DOORS:
                own = getattr(DOORS[room], "__all__", None) or dir(DOORS[room])
                assert name in own, f"{where}: rm.{room}.{name}"


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
    lines = [*PROJECT["dependencies"], *extras["notebooks"], *extras["data"], *extras["spreadsheets"], *groups["test"]]
    return {normal(re.split(r"[<>=!~ \[;]", line)[0]) for line in lines}


def test_locks_pin_what_pyproject_names_and_agree():
    locked = pins("requirements.lock")
    assert required() <= set(locked)
    assert pins("constraints.txt") == locked
    for file, more in (("requirements-spark.lock", "pyspark"), ("requirements-browser.lock", "playwright")):
        others = pins(file)
        assert {name: others[name] for name in locked} == locked
        assert more in others


def test_lock_is_hashed_and_names_no_address():
    for file in ("requirements.lock", "requirements-spark.lock", "requirements-browser.lock"):
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
    assert pip[-1] == "-e .[notebooks,data,spreadsheets]"


def test_the_project_stands_alone():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    machine = re.compile(r"\.\./shared|(^|[^A-Za-z0-9_.])/(work|farm|root)/|://[a-z0-9.-]*(pypi|pythonhosted|npmjs)")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.exists() and path.suffix not in {".parquet", ".png"} and path != Path(__file__):
            assert not machine.search(path.read_text(encoding="utf-8", errors="replace")), name


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_is_on_the_map_of_its_room(path):
    """A stranger finds a module by the public name that it holds, or by its line in the docstring of its room."""
    if path.parent == PACKAGE or path.name == "__init__.py":
        return
    guide = ast.get_docstring(ast.parse((path.parent / "__init__.py").read_text())) or ""
    stub = PACKAGE / room(path) / "__init__.pyi"
    module = ".".join(path.relative_to(PACKAGE / room(path)).with_suffix("").parts)
    at_the_door = stub.exists() and f"from .{module} import" in stub.read_text()
    assert f"``{path.stem}``" in guide or at_the_door


def own_openings(code):
    """What code does to open frames and files by itself: imports of an engine, and calls that read."""
    engines, readers = {"duckdb", "polars", "pyspark"}, {"from_native", "read_csv", "read_parquet", "read_excel"}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in engines)
        elif isinstance(node, ast.ImportFrom):
            yield from ([node.module] if node.module and node.module.split(".")[0] in engines else [])
            yield from (alias.name for alias in node.names if alias.name in readers)
        elif isinstance(node, ast.Attribute) and node.attr in readers:
            yield node.attr


def test_frames_and_files_are_opened_at_one_door():
    found = {str(path.relative_to(PACKAGE)): list(own_openings(path.read_text())) for path in modules()}
    assert {path for path, opened in found.items() if opened} == {
        "tables/cleaning.py",
        "tables/customer_table.py",
        "tables/engines.py",
        "tables/files.py",
        "tables/frames.py",
        "tables/text_forms.py",
    }
    assert list(own_openings("import pandas as pd\npd.read_csv('log.csv')")) == ["read_csv"]
    assert list(own_openings("def f():\n    import duckdb")) == ["duckdb"]


CUTS = {
    *("replace", "translate", "partition", "rpartition", "split", "rsplit", "splitlines", "find", "index"),
    *("strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "startswith", "endswith"),
}
PATTERNS = {"sub", "subn", "split", "search", "match", "fullmatch", "findall", "finditer"}


def sentences_cut(code):
    """The lines in which code takes apart the text of an error, or a sentence of a check, a fit or a setting.

    A text counts if it is ``str(error)``, a field that holds a sentence, or a name that was given one of them.
    """
    tree = ast.parse(code)
    nodes = list(ast.walk(tree))
    errors = {node.name for node in nodes if isinstance(node, ast.ExceptHandler)}

    def is_sentence(node):
        if isinstance(node, ast.Subscript):
            return isinstance(node.value, ast.Attribute) and node.value.attr in {"args", "notes", "reasons"}
        if isinstance(node, ast.Call):
            to_text = isinstance(node.func, ast.Name) and node.func.id in {"str", "repr"}
            return to_text and any(isinstance(a, ast.Name) and a.id in errors for a in node.args)
        by_name = isinstance(node, ast.Name) and node.id in named
        return by_name or (isinstance(node, ast.Attribute) and node.attr in {"detail", "sentence"})

    named = set()
    given = [node for node in nodes if isinstance(node, ast.Assign) and is_sentence(node.value)]
    named = {target.id for node in given for target in node.targets if isinstance(target, ast.Name)}

    def is_cut(node):
        match node:
            case ast.Call(func=ast.Attribute(value=text, attr=method)):
                by_pattern = method in PATTERNS and any(map(is_sentence, node.args))
                return by_pattern or (method in CUTS and is_sentence(text))
            case ast.Subscript(value=text):
                return is_sentence(text)
            case ast.Compare(comparators=texts):
                return any(map(is_sentence, texts))
        return False

    return sorted(node.lineno for node in nodes if is_cut(node))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_sentence_is_taken_apart(path):
    assert sentences_cut(path.read_text()) == []


@pytest.mark.parametrize(
    ("expression", "is_cut"),
    [
        ("str(error).replace('date', name)", True),
        ("str(error).partition('Possible')[0]", True),
        ("str(error).splitlines()[0]", True),
        ("str(error).rstrip('.')", True),
        ("str(error)[:80]", True),
        ("re.sub('a', 'b', str(error))", True),
        ("pattern.search(str(error))", True),
        ("'column' in str(error)", True),
        ("error.args[0].split(':')", True),
        ("said.split(':')", True),
        ("check.detail.removesuffix('.')", True),
        ("fit.notes[0].replace('a', 'b')", True),
        ("plan.reasons['period'].partition('.')", True),
        ("f'{path}: {error}'", False),
        ("str(error)", False),
        ("str(path).replace('a', 'b')", False),
        ("fit.notes[0]", False),
        ("column.split(':')", False),
    ],
)
def test_taking_a_sentence_apart_is_found(expression, is_cut):
    code = f"try:\n    work()\nexcept ValueError as error:\n    said = str(error)\n    {expression}\n"
    assert sentences_cut(code) == ([5] if is_cut else [])


NEVER = (  # phrases that readers stumbled over
    "What the log can be trusted with", "How cohorts keep", "How soon they come back", "As to “", "one more cost",
    "bought anyway", "by lot", "it tells the same", "the sending did", "what was asked for, is told",
)  # fmt: skip
LONGEST, MEAN = 35, 18  # words of a sentence


def sentences_of(notebook):
    """The sentences of a notebook's prose, and of what its cells show outside tables."""
    for cell in json.loads(notebook.read_text())["cells"]:
        texts = ["".join(cell["source"])] if cell["cell_type"] == "markdown" else []
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            shown = re.sub(r"<table.*?</table>", "", html, flags=re.DOTALL)
            texts += re.findall(r"<(?:p|li)>(.*?)</(?:p|li)>", shown, flags=re.DOTALL)
        for text in texts:
            plain = re.sub(r"<[^>]+>|^#+ .*$", "", text, flags=re.MULTILINE)
            for paragraph in re.split(r"\n\s*\n|\n- ", plain):
                yield from (part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z“`*])", paragraph.strip()) if part)


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_pages_speak_in_short_plain_sentences(notebook):
    sentences = list(sentences_of(notebook))
    words = [len(sentence.split()) for sentence in sentences if len(sentence.split()) > 2]
    assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST] == []
    assert sum(words) / len(words) <= MEAN
    assert [phrase for phrase in NEVER if any(phrase in sentence for sentence in sentences)] == []
    assert len(json.loads(notebook.read_text())["cells"]) <= 25
