"""What a page says, taken from a notebook that has run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from nbformat import NotebookNode

from retention_models.report import markup
from retention_models.report.markdown import markdown
from retention_models.report.notebook import tagged
from retention_models.report.outputs import Output, read_answer, read_outputs, shown_text, split_options
from retention_models.report.parameters import read_parameters

FOLDED = "For the analyst"  # a heading whose section a page folds away


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


@dataclass
class Fold:
    """Blocks that a page folds away, under a title."""

    title: str
    blocks: list[Prose | Code]


@dataclass(frozen=True)
class Page:
    """Everything that a page says; ``question`` and ``decision`` are sentences, empty where there is none.

    ``answer`` holds the plain values of a ``narrative.Answer``, and is empty where the decision is mere text.
    ``pictures`` carry the answer and stand on top.
    """

    title: str
    question: str
    decision: str
    contents: list[Heading]
    blocks: list[Prose | Code | Fold]
    parameters: dict[str, str]
    provenance: str
    answer: dict[str, Any] = field(default_factory=dict)
    pictures: list[Output] = field(default_factory=list)

    @property
    def assumed(self) -> frozenset[str]:
        """Parameters that nobody stated."""
        return frozenset(re.findall(r"\w+", self.parameters.get("assumed", "")))


def read_page(notebook: NotebookNode, name: str) -> Page:
    """The page of a notebook that has run; its ``name`` is the title where it has no first-level heading.

    The question is the first paragraph under the title or the heading "Question"; the decision and the provenance are
    what the cells tagged ``decision`` and ``provenance`` showed.
    """
    outline = _Outline()
    whole: list[Prose | Code | Fold] = []
    blocks: Any = whole
    pictures: list[Output] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            root = markup.parse(markdown(cell.source, raw_html=True, attachments=cell.get("attachments")))
            if len(root) and root[0].tag in ("h2", "h3"):
                blocks = whole
                if (title := markup.plain(root[0])) == FOLDED:
                    root.remove(root[0])
                    whole.append(Fold(title, blocks := []))
            outline.read(root)
            if html := markup.render(root).strip():
                blocks.append(Prose(html))
        elif cell.cell_type == "code":
            _add_code(blocks, cell, outline.section or name, pictures)
    decision = tagged(notebook, "decision")
    answer = read_answer(decision)
    return Page(
        title=outline.title or name,
        question=outline.question,
        decision=str(answer.get("headline", shown_text(decision))),
        contents=[heading for heading in outline.headings if heading.level == 2 or not answer],
        blocks=whole,
        parameters=read_parameters(notebook),
        provenance=shown_text(tagged(notebook, "provenance")),
        answer=answer,
        pictures=pictures,
    )


def _add_code(blocks: list[Prose | Code | Fold], cell: NotebookNode, section: str, pictures: list[Output]) -> None:
    """Append a code cell; the code of cells that showed nothing joins that of the next, in one fold.

    Pictures of a cell with ``#| place: top`` join ``pictures`` instead.
    """
    source, options = split_options(cell.source)
    outputs = list(read_outputs(cell, section))
    if options.get("place") == "top":
        pictures += [output for output in outputs if output.kind == "picture"]
        outputs = [output for output in outputs if output.kind != "picture"]
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
            elif element.tag == "p" and not self.question and self.title and not self.headings:
                self.question = text
                root.remove(element)
            elif element.tag == "p" and not self.question and self.section.lower() == "question":
                self.question = text

    def _anchor(self, text: str) -> str:
        anchor = re.sub(r"\W+", "-", text.lower()).strip("-") or "section"
        self._anchors[anchor] += 1
        return anchor if self._anchors[anchor] == 1 else f"{anchor}-{self._anchors[anchor]}"
