"""The one gate for HTML: prose, tables and formulas are rebuilt from elements known to be harmless.

Whatever a cell printed or an author wrote is parsed, and only the elements and attributes listed here are
written again, closed and escaped; so no page runs a script, loads anything, or is broken by a customer id
that looks like a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder, tostring

_VOID = frozenset({"br", "col", "hr", "img"})
_ELEMENTS = _VOID | frozenset(
    "a abbr b blockquote caption code colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 i ins "
    "kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var "
    "math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt "
    "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover".split()
)
_ATTRIBUTES = frozenset(
    "alt colspan rowspan scope span start title "
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height largeop "
    "linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel "
    "separator stretchy symmetric voffset width".split()
)
_UNSEEN = frozenset({"script", "style", "template", "title", "noscript", "iframe", "object", "svg"})
_LINK = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,")
_EXPONENT = re.compile(r"(?<=\d)[eE](?=[-+]?\d)")
_DEEPEST = 100
_NO_VALUE = frozenset({"", "-", "\u2013", "\u2014", "\u2026", "...", "nan", "NaN", "NaT", "None", "<NA>", "inf", "-inf"})


def parse(html: str) -> Element:
    """The harmless part of ``html`` as a tree under one ``div``; tables scroll, and their numbers align right."""
    builder = _Gate()
    builder.feed(html)
    root = builder.tree()
    for parent in list(root.iter()):
        for position, child in enumerate(parent):
            if child.tag == "table":
                _merge_index_names(child)
                _align(child)
                parent[position] = _scrolling(child)
    return root


def render(root: Element) -> str:
    """HTML inside ``root``, the ``div`` that `parse` returned.

    Examples
    --------
    >>> render(parse("<b onclick='steal()'>1 < 2</b><script>alert(1)</script>"))
    '<b>1 &lt; 2</b>'
    """
    return tostring(root, encoding="unicode", method="html").removeprefix("<div>").removesuffix("</div>")


def plain(element: Element) -> str:
    """Text of the element, without markup and with single spaces."""
    return " ".join("".join(element.itertext()).split())


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
            or (tag == "a" and name == "href" and _LINK.match(value or ""))
            or (tag == "img" and name == "src" and _PICTURE.match(value or ""))
        ):
            yield name, value or ""


def _scrolling(table: Element) -> Element:
    """The table in a box that scrolls sideways, also by keyboard."""
    caption = table.find("caption")
    label = "Table" if caption is None else plain(caption)
    box = Element("div", {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": label})
    box.tail, table.tail = table.tail, None
    box.append(table)
    return box


def _merge_index_names(table: Element) -> None:
    """Move the names of a pandas index, which stand in a row of their own, into the empty corner above them."""
    head = table.find("thead")
    if head is None or len(head) < 2:
        return
    above, names = list(head[-2]), list(head[-1])
    named = [cell for cell in names if plain(cell)]
    corner = above[: len(named)]
    if named == names[: len(named)] and len(above) == len(names) and not any(map(plain, corner)):
        for cell, name in zip(corner, named, strict=True):
            cell.text = plain(name)
        head.remove(head[-1])


def _align(table: Element) -> None:
    """Mark row headings, and the cells of columns that hold numbers, headings with them.

    Columns are counted from the right, because row headings that span several rows are missing on the left.
    """
    for heading in table.iterfind(".//tbody//th"):
        heading.set("scope", "row")
    rows = [list(_columns(row)) for row in table.iter("tr")]
    words = {column for row in rows for column, cell in row if cell.tag == "td" and not _is_number(plain(cell))}
    numbers = {column for row in rows for column, cell in row if cell.tag == "td"} - words
    for row in rows:
        for column, cell in row:
            if _span(cell) > 1:
                cell.set("class", "group")
            elif column in numbers:
                cell.set("class", "number")


def _columns(row: Element) -> Iterator[tuple[int, Element]]:
    """Cells of a row with their column, the last one being 1."""
    column = 1
    for cell in reversed([cell for cell in row if cell.tag in ("td", "th")]):
        yield column, cell
        column += _span(cell)


def _span(cell: Element) -> int:
    text = cell.get("colspan", "")
    return int(text) if text.isdecimal() else 1


def _is_number(text: str) -> bool:
    """Whether the text holds digits and no letters, or stands for a missing number."""
    return text in _NO_VALUE or (any(map(str.isdecimal, text)) and not re.search(r"[^\W\d]", _EXPONENT.sub("", text)))
