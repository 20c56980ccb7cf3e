"""Tables of a page: long ones folded, each with its cells as a CSV to download, in which no cell is a formula."""

from __future__ import annotations

import base64
import csv
import io
import re
from xml.etree.ElementTree import Element, SubElement

from retention_models.report.markup import plain
from retention_models.report.written_tables import without_formula

MOST_ROWS = 8  # that are shown unfolded


def with_downloads(root: Element, section: str) -> Element:
    """The tree with a link to a CSV under each table; tables with more than 8 rows are folded.

    Links are addresses that hold the data, so a page needs no script and no file beside it.
    """
    for parent in list(root.iter()):
        for position, child in enumerate(list(parent)):
            if child.get("class") == "scroll" and (table := child.find("table")) is not None:
                parent[position] = _folded(child, table, section)
    return root


def _folded(box: Element, table: Element, section: str) -> Element:
    """A table in its box, with its link, folded if it is long."""
    rows = [[plain(cell) for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
    n = len(table.findall("./tbody/tr"))
    whole = Element("details" if n > MOST_ROWS else "div", {"class": "table"})
    whole.tail, box.tail = box.tail, None
    if n > MOST_ROWS:
        SubElement(whole, "summary").text = f"Table with {n} rows"
    whole.append(box)
    name = re.sub(r"\W+", "-", section.lower()).strip("-") or "table"
    link = SubElement(whole, "a", {"class": "csv", "download": f"{name}.csv", "href": _address(rows)})
    link.text = "CSV"
    return whole


def _address(rows: list[list[str]]) -> str:
    """The cells as an address that holds a CSV."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [without_formula(cell.replace("\u00a0", " ")) for cell in row] for row in rows
    )
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.getvalue().encode()).decode()}"
