"""Run notebooks and put their pages into a folder, with an index of all pages there: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

from retention_models.report.errors import ReportError, RequestError
from retention_models.report.execute import execute
from retention_models.report.notebook import read_notebook
from retention_models.report.page import read_page
from retention_models.report.parameters import check_settings, set_parameters
from retention_models.report.render import Entry, render_index, render_page


def publish(
    notebooks: Sequence[Path], output: Path, *, settings: Mapping[str, object] | None = None, show_code: bool = False
) -> Path:
    """Run the notebooks and write a page for each, named after it, into ``output``; returns the index.

    ``settings`` replace constants of the notebooks' ``parameters`` cells, by name; they are plain Python values.
    Pages that are already in the folder stay, and stay in the index. Nothing is written before every notebook
    has run.

    Raises
    ------
    RequestError
        If there is no notebook, or none of them has a parameter that ``settings`` names.
    ReportError
        If the folder cannot be written to (before anything runs), or a notebook fails.
    """
    settings = settings or {}
    sources = {path: read_notebook(path) for path in notebooks}
    if not sources:
        raise RequestError("there is no notebook to report on")
    check_settings(settings, {path.stem: notebook for path, notebook in sources.items()})
    with _workshop(output) as workshop:
        for path, notebook in sources.items():
            set_parameters(notebook, settings)
            execute(notebook, name=path.stem, folder=path.parent)
            page = render_page(read_page(notebook, path.stem), show_code=show_code)
            _write(Path(workshop, f"{path.stem}.html"), page)
        made = sorted(Path(workshop).iterdir())
        there = {page.name: page for page in [*output.glob("*.html"), *made]}
        entries = [entry for name in sorted(there) if (entry := read_entry(there[name]))]
        _write(Path(workshop, "index.html"), render_index(entries))
        for page in [*made, Path(workshop, "index.html")]:
            page.replace(output / page.name)
    return output / "index.html"


def read_entry(path: Path) -> Entry | None:
    """What the page at ``path`` says of itself; None for the index and for files that are no report."""
    head, _, _ = path.read_text(encoding="utf-8", errors="replace").partition("</head>")
    about = _Head()
    about.feed(head)
    if not about.meta.get("generator", "").startswith("retention-models ") or "decision" not in about.meta:
        return None
    return Entry(path.name, about.title, about.meta["description"], about.meta["decision"])


class _Head(HTMLParser):
    """Collects the title and the named ``meta`` values of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.meta: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        values = dict(attrs)
        if tag == "meta" and "name" in values:
            self.meta[values["name"] or ""] = values["content"] or ""

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False


def _workshop(output: Path) -> TemporaryDirectory[str]:
    """A folder inside ``output``, where pages wait until all are made; it shows that ``output`` can be written to."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".unfinished-", dir=output)
    except OSError as error:
        raise ReportError(f"cannot write reports to {output}: {error.strerror}") from error


def _write(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8", errors="replace", newline="\n")
