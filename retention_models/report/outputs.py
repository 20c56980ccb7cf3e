"""What a cell showed, as things a page can set: HTML, pictures, text."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from retention_models.narrative.answer import MIME
from retention_models.report import markup
from retention_models.report.markdown import formula, markdown
from retention_models.report.page_tables import with_downloads

CAPTION = "fig-cap"  # given once for each picture of a cell
_OPTION = re.compile(r"^#\| *(?P<name>[a-z-]+): *(?P<value>.+?) *$\n?", re.MULTILINE)
# Where on this machine a warning comes from: the folders at the beginning of a line, up to the file's own name.
_FOLDER = re.compile(r"^(?:[A-Za-z]:)?[/\\](?:[^\n/\\:]+[/\\])*(?=[^\n/\\:]+:\d+: )", re.MULTILINE)
_BY_PREFERENCE = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/latex", "text/plain")


@dataclass(frozen=True)
class Output:
    """One thing that a cell showed.

    ``content`` is harmless HTML for "html", a ``data:`` address for "picture", and plain text otherwise.
    ``description`` is what a picture shows, for those who cannot see it: its own alternative text, or else ``fig-alt``
    or the caption. ``width`` is in CSS pixels.
    """

    kind: Literal["html", "picture", "text", "warning", "decision"]
    content: str
    caption: str = ""
    description: str = ""
    width: int | None = None


def split_options(source: str) -> tuple[str, dict[str, str]]:
    r"""Code without its ``#| name: value`` lines, and what they say: ``fig-cap``, ``fig-alt``, ``tbl-cap``.

    Examples
    --------
    >>> split_options("#| fig-cap: Purchases a week\nax = plot_tracking(frame)")
    ('ax = plot_tracking(frame)', {'fig-cap': 'Purchases a week'})
    """
    options = {option["name"]: option["value"].strip("\"'") for option in _OPTION.finditer(source)}
    return _OPTION.sub("", source), options


def read_outputs(cell: NotebookNode, section: str) -> Iterator[Output]:
    """Outputs of a code cell that stands under the heading ``section``; each picture has the next of its captions."""
    _, options = split_options(cell.source)
    captions = iter([text.strip("\"'") for name, text in _OPTION.findall(cell.source) if name == CAPTION])
    if "decision" in cell.metadata.get("tags", ()) and (sentence := shown_text(cell)):
        if not read_answer(cell):
            yield Output("decision", sentence)
        return
    for output in cell.outputs:
        if output.output_type == "stream":
            text = strip_ansi(output.text).rstrip()
            yield Output("text", text) if output.name == "stdout" else Output("warning", _FOLDER.sub("", text))
        else:
            is_picture = any(kind.startswith("image/") for kind in output.data)
            yield _read_data(output, options | {CAPTION: next(captions, "")} if is_picture else options, section)


def read_answer(cell: NotebookNode | None) -> dict[str, Any]:
    """The plain values of the ``narrative.Answer`` that a cell showed; empty if it showed none."""
    outputs = [] if cell is None else cell.outputs
    return next((dict(output.data[MIME]) for output in outputs if MIME in output.get("data", {})), {})


def shown_text(cell: NotebookNode | None) -> str:
    """Text that a cell printed or returned, on one line; empty if there is no such cell."""
    if cell is None:
        return ""
    return " ".join(" ".join(map(_text, cell.outputs)).split())


def _text(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text if output.name == "stdout" else ""
    return _unquoted(output.data.get("text/plain", ""))


def _unquoted(text: str) -> str:
    """The string whose repr this is, or the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, str) else text


def _read_data(output: NotebookNode, options: dict[str, str], section: str) -> Output:
    kind = next((kind for kind in _BY_PREFERENCE if kind in output.data), None)
    match kind:
        case None:
            return Output("warning", f"A page cannot show {', '.join(output.data) or 'this output'}.")
        case "image/svg+xml" | "image/png" | "image/jpeg":
            caption = options.get("fig-cap", "")
            description = _alt(output) or options.get("fig-alt", caption) or f"Picture in the section “{section}”"
            width = output.metadata.get(kind, {}).get("width")
            return Output("picture", _address(kind, output.data[kind]), caption, description, width)
        case "text/plain":
            return Output("text", strip_ansi(output.data[kind]).rstrip())
        case _:
            html = markup.render(with_downloads(markup.parse(_html(kind, output.data[kind])), section))
            return Output("html", html, options.get("tbl-cap", ""))


def _alt(output: NotebookNode) -> str:
    """What the picture itself says it shows: the plots of this package put that into the metadata, on one line."""
    return " ".join(str(output.metadata.get("alt", "")).split())


def _html(kind: str, source: str) -> str:
    if kind == "text/markdown":
        return markdown(source)
    return formula(source.strip().strip("$"), display="block") if kind == "text/latex" else source


def _address(kind: str, data: str) -> str:
    """The picture itself as an address. As the source of an image, an SVG can neither run nor load anything."""
    encoded = base64.b64encode(data.encode()).decode() if kind == "image/svg+xml" else "".join(data.split())
    return f"data:{kind};base64,{encoded}"
