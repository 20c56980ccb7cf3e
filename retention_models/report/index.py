"""What the pages of a folder say of themselves, for the index over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A page in the index: its file name, title, question and decision."""

    file: str
    title: str
    question: str
    decision: str


def read_entries(pages: Iterable[Path]) -> list[Entry]:
    """Entries of those of the files that are reports, in order of their names."""
    entries = (_read_entry(page) for page in sorted(pages, key=lambda page: page.name))
    return [entry for entry in entries if entry is not None]


def _read_entry(page: Path) -> Entry | None:
    head, _, _ = page.read_text(encoding="utf-8", errors="replace").partition("</head>")
    about = _Head()
    about.feed(head)
    match about.meta:
        case {"generator": str(maker), "description": str(question), "decision": str(decision)}:
            return Entry(page.name, about.title, question, decision) if maker.startswith("retention-models ") else None
    return None


class _Head(HTMLParser):
    """Collects the title and the named ``meta`` values of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.meta: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        match dict(attrs):
            case {"name": str(name), "content": str(content)} if tag == "meta":
                self.meta[name] = content

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
