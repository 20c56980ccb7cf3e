"""Run notebooks and put their pages into a folder, with an index of all pages there: all of them or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from nbformat import NotebookNode

from retention_models.core.whole_files import write_whole
from retention_models.report.errors import ReportError, RequestError
from retention_models.report.execute import execute
from retention_models.report.index import read_entries
from retention_models.report.notebook import read_notebook
from retention_models.report.page import read_page
from retention_models.report.parameters import check_settings, set_parameters
from retention_models.report.render import render_index, render_page

PAGE_LINK = re.compile(r'<a href="([\w.-]+\.html)(?:#[^"]*)?">(.*?)</a>', re.DOTALL)  # to a page in the same folder


def publish(
    notebooks: Sequence[Path], output: Path, *, settings: Mapping[str, object] | None = None, show_code: bool = False
) -> Path:
    """Run the notebooks and write a page for each, named after it, into ``output``; returns the index.

    ``settings`` replace constants of the notebooks' ``parameters`` cells, by name. They are plain Python values, or
    paths: those may be relative to the working directory, and a page shows only their last part. Pages that are already
    in the folder stay, and stay in the index. Nothing is written before every notebook has run.

    Raises
    ------
    RequestError
        If there is no notebook, two would write the same page, or none has a parameter that ``settings`` names.
    ReportError
        If the folder cannot be written to (before anything runs), or a notebook fails.
    """
    sources = _read(notebooks)
    check_settings(settings or {}, {path.stem: notebook for path, notebook in sources.items()})
    _require_writable(output)
    pages = {}
    for path, notebook in sources.items():
        set_parameters(notebook, _each_path(settings or {}, lambda path: str(path.absolute())))
        execute(notebook, name=path.stem, folder=path.parent)
        set_parameters(notebook, _each_path(settings or {}, lambda path: path.name))
        pages[output / f"{path.stem}.html"] = render_page(read_page(notebook, path.stem), show_code=show_code)
    names = {page.name for page in (*pages, *output.glob("*.html"))} | {"index.html"}
    for page, html in pages.items():
        write_whole(page, _without_dead_links(html, names), newline="\n")
    write_whole(output / "index.html", render_index(read_entries(output.glob("*.html"))), newline="\n")
    return output / "index.html"


def _without_dead_links(html: str, names: Collection[str]) -> str:
    """The page with the text in place of links to pages beside it that were not written."""
    return PAGE_LINK.sub(lambda found: found[0] if found[1] in names else found[2], html)


def _each_path(settings: Mapping[str, object], write: Callable[[Path], str]) -> dict[str, object]:
    """The settings, those that are paths written in a certain way."""
    return {name: write(value) if isinstance(value, Path) else value for name, value in settings.items()}


def _read(paths: Sequence[Path]) -> dict[Path, NotebookNode]:
    """The notebooks, each of which has a page of its own."""
    if not paths:
        raise RequestError("there is no notebook to report on")
    names = ["index", *(path.stem for path in paths)]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(f"two pages would be called {repeated[0]}.html; rename a notebook, or name each only once")
    return {path: read_notebook(path) for path in paths}


def _require_writable(output: Path) -> None:
    """An error, before anything runs, if pages could not be written into the folder, which is made where it lacks."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise ReportError(f"cannot write reports to {output}: {error.strerror}") from error
