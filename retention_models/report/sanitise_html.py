"""The one gate for HTML: what cells showed and authors wrote is rebuilt from elements known to be harmless.

It is parsed, and only the elements and attributes listed here are kept, closed in order; so no page runs a
script, loads anything, or is broken by a customer id that looks like a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder

_TEXT = (
    "a abbr b blockquote br code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li "
    "mark ol p pre q s samp small span strong sub summary sup u ul var"
)
_TABLE = "caption col colgroup table tbody td tfoot th thead tr"
_FORMULA = (
    "math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt "
    "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover"
)
_TEXT_ATTRIBUTES = "alt colspan rowspan scope span start title"
_FORMULA_ATTRIBUTES = (
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height largeop "
    "linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel "
    "separator stretchy symmetric voffset width"
)
_ELEMENTS = frozenset(f"{_TEXT} {_TABLE} {_FORMULA}".split())
_VOID = frozenset({"br", "col", "hr", "img"})
_ATTRIBUTES = frozenset(f"{_TEXT_ATTRIBUTES} {_FORMULA_ATTRIBUTES}".split())
_UNSEEN = frozenset({"script", "style", "template", "title", "noscript", "iframe", "object", "svg"})
_LINK = re.compile(r"(https?://|mailto:|#).*|[\w-]+\.html(#.*)?", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[\w+/=]*", re.ASCII)
_DEEPEST = 100


def sanitise_html(html: str) -> Element:
    """The harmless part of ``html``, as a tree under one ``div``."""
    gate = _Gate()
    gate.feed(html)
    return gate.tree()


class _Gate(HTMLParser):
    """Builds a tree of what is allowed; the text of other elements stays, except that of `_UNSEEN` ones."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = TreeBuilder()
        self._builder.start("div", {})
        self._open: list[str] = []
        self._unseen: list[str] = []

    def tree(self) -> Element:
        self.close()
        for tag in [*reversed(self._open), "div"]:
            self._builder.end(tag)
        return self._builder.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _ELEMENTS and not self._unseen and len(self._open) < _DEEPEST:
            self._start(tag, dict(_safe_attributes(tag, attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag == self._unseen[-1]:
                self._unseen.pop()
        elif tag in self._open:
            while self._open[-1] != tag:
                self._builder.end(self._open.pop())
            self._builder.end(self._open.pop())

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._builder.data(data)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "img" and "src" not in attributes:  # a picture from elsewhere: its description stands for it
            self._builder.data(attributes.get("alt", ""))
            return
        self._builder.start(tag, attributes)
        if tag in _VOID:
            self._builder.end(tag)
        else:
            self._open.append(tag)


def _safe_attributes(tag: str, attributes: list[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    for name, value in attributes:
        if (
            name in _ATTRIBUTES
            or (tag == "a" and name == "href" and _LINK.fullmatch(value or ""))
            or (tag == "img" and name == "src" and _PICTURE.fullmatch(value or ""))
        ):
            yield name, value or ""
