"""Markdown and formulas to HTML; formulas become MathML, which browsers set without a script."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

# The translator numbers each line of an align, and knows no aligned.
_UNNUMBERED = re.compile(r"\{(align|aligned)\}")
# It writes upright letters as character codes, which browsers would set in italics like any single letter.
_UPRIGHT = re.compile(r"<mi>(&#x000[0-9A-F]{2};)</mi>")
# Commands it does not know, and column separators outside a table, it leaves as they are.
_UNTRANSLATED = re.compile(r">(\\[A-Za-z]+|&)<")


def markdown(source: str, *, raw_html: bool = False, attachments: dict[str, Any] | None = None) -> str:
    """HTML of Markdown as Jupyter reads it; not yet fit for a page, `markup.parse` comes next.

    HTML inside the Markdown passes if ``raw_html``, and is shown as written otherwise: that is for Markdown
    made from data.
    """
    return MarkdownWithMath(renderer=_Renderer(escape=not raw_html, attachments=attachments)).render(source)


def formula(latex: str, *, display: str = "inline") -> str:
    r"""MathML of a formula, or its LaTeX as code where it cannot be translated.

    Examples
    --------
    >>> formula(r"\nonsense{x}")
    '<code>\\nonsense{x}</code>'
    """
    try:
        mathml = convert(_UNNUMBERED.sub(r"{align*}", latex), display=display)
    except Exception:  # the translator raises many kinds of error, and a formula must not stop a report
        return _as_code(latex)
    if _UNTRANSLATED.search(mathml):
        return _as_code(latex)
    return _UPRIGHT.sub(r'<mi mathvariant="normal">\1</mi>', mathml)


def _as_code(latex: str) -> str:
    return f"<code>{escape(latex)}</code>"


class _Renderer(IPythonRenderer):
    """Jupyter's own renderer with formulas as MathML, links to pages instead of notebooks, and without diagrams."""

    def __init__(self, *, escape: bool, attachments: dict[str, Any] | None) -> None:
        super().__init__(escape=escape, exclude_anchor_links=True, attachments=attachments)

    def block_math(self, body: str) -> str:
        return formula(body, display="block")

    def inline_math(self, body: str) -> str:
        if body != body.strip():  # two sums of money, not a formula
            return escape(f"${body}$")
        return formula(body)

    def latex_environment(self, name: str, body: str) -> str:
        return formula(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, re.sub(r"\.ipynb(?=$|#)", ".html", url), title)

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{escape(code)}</pre>"
