"""The project's own files: its notebooks and small data, wherever the package was installed from."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def project_folder(name: str) -> Path:
    """Folder of the project called ``name`` ("notebooks" or "data").

    A wheel carries it inside the package, with an underscore in front; in a source checkout it lies
    beside the package.

    Raises
    ------
    FileNotFoundError
        If it is in neither place.

    Examples
    --------
    >>> project_folder("notebooks").name in {"notebooks", "_notebooks"}
    True
    """
    for folder in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the folder {name!r} of retention-models is neither in {_PACKAGE} nor beside it; install the package again"
    )
