from pathlib import Path

import pytest

from retention_models.report import notebook as module
from retention_models.report.errors import ReportError, RequestError
from retention_models.report.notebook import find_notebooks, read_notebook


@pytest.fixture
def project(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("02_worth", "01_who"):
        write(name)
    monkeypatch.setattr(module, "project_folder", lambda name: tmp_path)
    return tmp_path


def test_all_of_the_projects_notebooks_are_the_default(project: Path) -> None:
    assert [path.name for path in find_notebooks([])] == ["01_who.ipynb", "02_worth.ipynb"]


@pytest.mark.parametrize("name", ["02_worth", "02_worth.ipynb"])
def test_a_notebook_is_found_by_name_from_any_folder(project: Path, name: str, monkeypatch) -> None:
    monkeypatch.chdir("/")
    assert find_notebooks([name]) == [project / "02_worth.ipynb"]


def test_a_notebook_is_found_by_path(project: Path) -> None:
    (project / "own.ipynb").write_text("{}")
    assert find_notebooks([str(project / "own.ipynb")]) == [project / "own.ipynb"]


@pytest.mark.parametrize("name", ["03_none", "elsewhere/01_who.ipynb", ""])
def test_an_unknown_notebook_is_answered_with_those_there_are(project: Path, name: str) -> None:
    with pytest.raises(RequestError, match=r"no notebook .*one of 01_who, 02_worth"):
        find_notebooks([name])


@pytest.mark.parametrize("text", ["", "not json", '{"nbformat": 4, "nbformat_minor": 5}', "[]", "{}"])
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(ReportError, match=r"broken\.ipynb is not a notebook"):
        read_notebook(path)


def test_the_beginning_of_a_name_is_enough_where_it_says_which():
    (found,) = find_notebooks(["02"])
    assert found.stem == "02_what_is_a_customer_worth"
    with pytest.raises(RequestError, match=r"no notebook 0; there is a path to an \.ipynb file, or one of 0"):
        find_notebooks(["0"])
