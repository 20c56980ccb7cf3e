"""HTML as trees: let through the gate, tables made fit to read, written out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from retention_models.report.sanitise_html import sanitise_html

_EXPONENT = re.compile(r"(?<=\d)[eE](?=[-+]?\d)")
_PERCENT = re.compile(r"(?<=\d) (?=%)")
_NO_VALUE = frozenset(
    {"", "-", "\u2013", "\u2014", "\u2026", "...", "nan", "NaN", "NaT", "None", "<NA>", "inf", "-inf"}
)


def parse(html: str) -> Element:
    """The harmless part of ``html`` as a tree under one ``div``; tables scroll, and their numbers align right.

    Lines do not break between a number and its percent sign, and may break after an underscore in a heading of a table.
    """
    root = sanitise_html(html)
    _hold_together(root)
    for parent in list(root.iter()):
        for position, child in enumerate(parent):
            if child.tag == "table":
                _merge_index_names(child)
                _align(child)
                _let_break(child)
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


def _hold_together(element: Element) -> None:
    """Put a space that does not break before each percent sign; code stays as it is."""
    for child in element:
        child.tail = child.tail and _PERCENT.sub("\u00a0", child.tail)
        if child.tag not in ("code", "pre"):
            child.text = child.text and _PERCENT.sub("\u00a0", child.text)
            _hold_together(child)


def _let_break(table: Element) -> None:
    """Let the names of columns break where one word in them ends."""
    for heading in table.iterfind(".//thead//th"):
        if len(heading) or "_" not in (heading.text or ""):
            continue
        heading.text, *words = re.split(r"(?<=_)", heading.text or "")
        for word in words:
            SubElement(heading, "wbr").tail = word


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

    Columns are counted from the right, because row headings that span several rows are missing on the left; the cell
    that is then the first of its row is marked, too, since it does not stand at the edge.
    """
    for heading in table.iterfind(".//tbody//th"):
        heading.set("scope", "row")
    rows = [list(_columns(row)) for row in table.iter("tr")]
    words = {column for row in rows for column, cell in row if cell.tag == "td" and not _is_number(plain(cell))}
    numbers = {column for row in rows for column, cell in row if cell.tag == "td"} - words
    width = max((_end(*row[-1]) for row in rows if row), default=0)
    for row in rows:
        for column, cell in row:
            if _span(cell) > 1:
                cell.set("class", "group")
            elif column in numbers:
                cell.set("class", "number")
        if row and _end(*row[-1]) < width:
            row[-1][1].set("class", "inner")


def _end(column: int, cell: Element) -> int:
    """The leftmost column that a cell covers."""
    return column + _span(cell) - 1


def _columns(row: Element) -> Iterator[tuple[int, Element]]:
    """Cells of a row with their column, the last one being 1."""
    column = 1
    for cell in reversed([cell for cell in row if cell.tag in ("td", "th")]):
        yield column, cell
        column += _span(cell)


def _span(cell: Element) -> int:
    text = cell.get("colspan", "")
    return int(text) if re.fullmatch(r"\d{1,3}", text) else 1


def _is_number(text: str) -> bool:
    """Whether the text holds digits and no letters, or stands for a missing number."""
    return text in _NO_VALUE or (any(map(str.isdecimal, text)) and not re.search(r"[^\W\d]", _EXPONENT.sub("", text)))
