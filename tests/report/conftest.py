from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a notebook of the given cells under a name, and returns its path."""

    def write_notebook(name: str, *cells: NotebookNode) -> Path:
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(v4.new_notebook(cells=list(cells)), path)
        return path

    return write_notebook
