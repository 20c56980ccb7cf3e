"""What the pages of a folder say of themselves, for the index over them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A page in the index: its file name, title, question and decision, its answer, and the picture that carries it.

    ``answer`` holds the plain values of a ``narrative.Answer``, and is empty where a page has none.
    """

    file: str
    title: str
    question: str
    decision: str
    answer: dict[str, Any] = field(default_factory=dict)
    picture: str = ""


def read_entries(pages: Iterable[Path]) -> list[Entry]:
    """Entries of those of the files that are reports, in order of their names."""
    entries = (_read_entry(page) for page in sorted(pages, key=lambda page: page.name))
    return [entry for entry in entries if entry is not None]


def _read_entry(page: Path) -> Entry | None:
    top, _, _ = page.read_text(encoding="utf-8", errors="replace").partition("<main")
    about = _Top()
    about.feed(top)
    match about.meta:
        case {"generator": str(maker), "description": str(question), "decision": str(decision)}:
            if maker.startswith("retention-models "):
                answer = json.loads(about.meta.get("answer") or "{}")
                return Entry(page.name, about.title, question, decision, answer, about.picture)
    return None


class _Top(HTMLParser):
    """Collects the title, the named ``meta`` values, and the first picture above the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.meta: dict[str, str] = {}
        self.picture = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        match dict(attrs):
            case {"name": str(name), "content": str(content)} if tag == "meta":
                self.meta[name] = content
            case {"src": str(address)} if tag == "img" and not self.picture:
                self.picture = address

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
