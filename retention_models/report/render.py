"""Pages to HTML through the templates beside this file; every value is escaped unless a template says ``safe``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert.filters import Highlight2HTML

from retention_models.core.version import __version__
from retention_models.report.index import Entry
from retention_models.report.page import Page


def render_page(page: Page, *, show_code: bool = False) -> str:
    """HTML of one page; its code is folded away unless ``show_code``."""
    return _environment().get_template("page.html.j2").render(page=page, show_code=show_code, version=__version__)


def render_index(entries: Sequence[Entry]) -> str:
    """HTML of the index over the pages."""
    return _environment().get_template("index.html.j2").render(entries=entries, version=__version__)


def _highlight(source: str) -> str:
    """Python as HTML, in a box that scrolls also by keyboard."""
    return str(Highlight2HTML(pygments_lexer="python3")(source)).replace("<pre>", '<pre tabindex="0">', 1)


def _unbroken(text: str) -> str:
    """The text with each percent sign on the line of its number."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = _unbroken
    environment.filters["json"] = json.dumps
    environment.filters["highlight"] = _highlight
    return environment
