import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from retention_models import __version__
from retention_models.cli import main, report
from retention_models.report import publish as publishing

HEAVY = "{'numpy', 'pandas', 'matplotlib', 'duckdb', 'nbformat', 'nbclient', 'nbconvert', 'jinja2', 'tqdm'}"


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from retention_models.cli import main, report
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
assert not {HEAVY} & sys.modules.keys(), {HEAVY} & sys.modules.keys()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "report" in result.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "retention_models", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"retention-models {__version__}\n"


@pytest.fixture
def notebook(tmp_path: Path) -> str:
    path = tmp_path / "any.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What the command asked to be published, instead of publishing it."""
    calls: list[tuple] = []

    def publish(notebooks, output, **options):
        calls.append((notebooks, output, options))
        return output / "index.html"

    monkeypatch.setattr(publishing, "publish", publish)
    return calls


def test_report_prints_where_the_index_is(
    asked: list[tuple], notebook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", notebook, "--output", "pages", "--set", "weeks=52", "--set", "name=Ada", "--show-code"]
    assert main(arguments) == 0
    assert asked == [([Path(notebook)], Path("pages"), {"settings": {"weeks": 52, "name": "Ada"}, "show_code": True})]
    assert capsys.readouterr().out.split() == [str(Path("pages", "index.html"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nothing_of_that_name"], "retention-models: no notebook nothing_of_that_name; there is"),
        (["report", "--set", "weeks"], "retention-models: --set takes NAME=VALUE, not 'weeks'"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    asked: list[tuple], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not asked


@pytest.mark.parametrize("arguments", [[], ["predict_the_weather"], ["report", "--colour"]])
def test_an_unknown_command_or_option_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: retention-models" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(report, "find_spec", lambda module: None if module == "nbclient" else object())
    assert main(["report"]) == 1
    assert (
        capsys.readouterr().err
        == "retention-models: reports need nbclient; pip install 'retention-models[notebooks]'\n"
    )


def test_a_folder_in_the_way_is_a_failure(notebook: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["report", notebook, "--output", str(tmp_path / "file")]) == 1
    assert "cannot write reports to" in capsys.readouterr().err


def test_an_interruption_shows_no_traceback(monkeypatch, notebook: str, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "publish", interrupt)
    assert main(["report", notebook]) == 130
    assert capsys.readouterr().err == "retention-models: interrupted\n"
