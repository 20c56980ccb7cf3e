"""What a page says, taken from a notebook that has run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from nbformat import NotebookNode

from retention_models.report import markup
from retention_models.report.markdown import markdown
from retention_models.report.notebook import tagged
from retention_models.report.outputs import Output, read_outputs, shown_text, split_options
from retention_models.report.parameters import read_parameters


@dataclass(frozen=True)
class Heading:
    """A heading of the page, for its table of contents."""

    level: int
    anchor: str
    text: str


@dataclass
class Prose:
    """Text that the author wrote, as HTML."""

    html: str


@dataclass
class Code:
    """Python, folded away on the page, and what it showed."""

    source: str
    outputs: list[Output]


@dataclass(frozen=True)
class Page:
    """Everything that a page says; ``question`` and ``decision`` are sentences, empty where there is none."""

    title: str
    question: str
    decision: str
    contents: list[Heading]
    blocks: list[Prose | Code]
    parameters: dict[str, str]
    provenance: str


def read_page(notebook: NotebookNode, name: str) -> Page:
    """The page of a notebook that has run; its ``name`` is the title where it has no first-level heading.

    The question is the first paragraph under the heading "Question"; the decision and the provenance are
    what the cells tagged ``decision`` and ``provenance`` showed.
    """
    outline = _Outline()
    blocks: list[Prose | Code] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            root = markup.parse(markdown(cell.source, raw_html=True, attachments=cell.get("attachments")))
            outline.read(root)
            if html := markup.render(root).strip():
                blocks.append(Prose(html))
        elif cell.cell_type == "code":
            _add_code(blocks, cell, outline.section or name)
    return Page(
        title=outline.title or name,
        question=outline.question,
        decision=shown_text(tagged(notebook, "decision")),
        contents=outline.headings,
        blocks=blocks,
        parameters=read_parameters(notebook),
        provenance=shown_text(tagged(notebook, "provenance")),
    )


def _add_code(blocks: list[Prose | Code], cell: NotebookNode, section: str) -> None:
    """Append a code cell; the code of cells that showed nothing joins that of the next, in one fold."""
    source, _ = split_options(cell.source)
    outputs = list(read_outputs(cell, section))
    match blocks:
        case [*_, Code(outputs=[]) as last]:
            last.source, last.outputs = f"{last.source}\n\n{source}", outputs
        case _:
            blocks.append(Code(source, outputs))


@dataclass
class _Outline:
    """Collects title, headings and question while the prose goes by, and gives headings their anchors."""

    title: str = ""
    question: str = ""
    headings: list[Heading] = field(default_factory=list)
    _anchors: Counter[str] = field(default_factory=lambda: Counter({"main": 1}))

    @property
    def section(self) -> str:
        """Text of the latest heading, or the title before the first."""
        return self.headings[-1].text if self.headings else self.title

    def read(self, root: Element) -> None:
        for element in list(root):
            text = markup.plain(element)
            if element.tag == "h1" and not self.title:
                self.title = text
                root.remove(element)
            elif element.tag in ("h2", "h3"):
                self.headings.append(Heading(int(element.tag[1]), self._anchor(text), text))
                element.set("id", self.headings[-1].anchor)
            elif element.tag == "p" and self.section.lower() == "question" and not self.question:
                self.question = text

    def _anchor(self, text: str) -> str:
        anchor = re.sub(r"\W+", "-", text.lower()).strip("-") or "section"
        self._anchors[anchor] += 1
        return anchor if self._anchors[anchor] == 1 else f"{anchor}-{self._anchors[anchor]}"
