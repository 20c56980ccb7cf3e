"""Finding notebooks by name or path, and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from retention_models.core.package_files import project_folder
from retention_models.report.errors import ReportError, RequestError


def find_notebooks(names: Sequence[str]) -> list[Path]:
    """Paths of the notebooks asked for; all of the project's own, in order, when none is named.

    Each of ``names`` is a path to a notebook, or the name of one of the project's own, or its beginning (``02``).

    Raises
    ------
    RequestError
        If a notebook does not exist; the sentence lists those that do.
    """
    own = {path.stem: path for path in sorted(project_folder("notebooks").glob("*.ipynb"))}
    return [_find(name, own) for name in names] or list(own.values())


def read_notebook(path: Path) -> NotebookNode:
    """The notebook at ``path``, in the current format.

    Raises
    ------
    ReportError
        If the file is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError, AttributeError) as error:
        # AttributeError: JSON that is no mapping
        fault = error.message if isinstance(error, nbformat.ValidationError) else error
        raise ReportError(f"{path} is not a notebook that can be read: {fault}") from error


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """First code cell of the notebook that carries ``tag``, or None."""
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    return next((cell for cell in code if tag in cell.metadata.get("tags", ())), None)


def _find(name: str, own: dict[str, Path]) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    if path.parent == Path():
        found = [own[path.stem]] if path.stem in own else [own[stem] for stem in own if stem.startswith(name)]
        if len(found) == 1:
            return found[0]
    raise RequestError(f"no notebook {name}; there is a path to an .ipynb file, or one of {', '.join(own) or 'none'}")
