from pathlib import Path

import pytest

from retention_models.core import package_files
from retention_models.core.package_files import project_folder


def test_the_wheels_own_copy_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_files, "_PACKAGE", tmp_path / "package")
    (tmp_path / "data").mkdir()
    assert project_folder("data") == tmp_path / "data"
    (tmp_path / "package" / "_data").mkdir(parents=True)
    assert project_folder("data") == tmp_path / "package" / "_data"


def test_a_folder_that_is_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_files, "_PACKAGE", tmp_path / "package")
    with pytest.raises(FileNotFoundError, match="the folder 'data' of retention-models"):
        project_folder("data")
