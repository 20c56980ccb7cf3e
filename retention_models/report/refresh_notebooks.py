"""Run notebooks in place and store their outputs, so that running them again changes nothing.

``python -m retention_models.report.refresh_notebooks notebooks`` does it for every notebook of a folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from retention_models.core.whole_files import write_whole
from retention_models.report.errors import ReportError
from retention_models.report.execute import execute
from retention_models.report.notebook import read_notebook


def refresh(path: Path) -> None:
    """Run the notebook at ``path`` and write it back with its outputs.

    Pictures are stored as a plain kernel draws them, which is what a later comparison runs. Whatever else
    differs from one editor or machine to the next (cell ids, fold states, language version) is pinned.

    Raises
    ------
    ReportError
        If a cell fails; the file is then left as it was.
    """
    notebook = read_notebook(path)
    execute(notebook, name=path.stem, folder=path.parent, figures="png")
    _pin(notebook)
    write_whole(path, nbformat.writes(notebook) + "\n")


def main(arguments: Sequence[str]) -> int:
    """Store the notebooks given, or in the folders given; returns the exit code."""
    try:
        for path in _notebooks(arguments):
            refresh(path)
    except ReportError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _notebooks(arguments: Sequence[str]) -> Iterator[Path]:
    for argument in map(Path, arguments):
        yield from sorted(argument.glob("*.ipynb")) if argument.is_dir() else [argument]


def _pin(notebook: NotebookNode) -> None:
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    seen: list[str] = []
    for cell in notebook.cells:
        seen.append(sha256(f"{cell.cell_type} {cell.source}".encode()).hexdigest()[:8])
        repeats = seen.count(seen[-1])
        cell.id = seen[-1] if repeats == 1 else f"{seen[-1]}-{repeats}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
