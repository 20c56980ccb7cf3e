"""Pictures of pages and of stored notebooks say in words what they found."""

import re
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from retention_models.report.execute import execute
from retention_models.report.notebook import read_notebook
from retention_models.report.outputs import Output
from retention_models.report.page import Code, Fold, read_page
from retention_models.report.render import render_page

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SOURCE = """#| fig-cap: Share of each segment
import pandas as pd
import retention_models as rm
names = ['"><script>alert(1)</script>', "$loyal$"]
ax = rm.plots.plot_segment_shares(pd.DataFrame({"customers": [1, 3], "value": [9.0, 1.0]}, index=names))"""


def pictures(notebook: NotebookNode) -> list[Output]:
    """All pictures of the page of a notebook that has run."""
    page = read_page(notebook, "x")
    blocks = [inner for block in page.blocks for inner in (block.blocks if isinstance(block, Fold) else [block])]
    outputs = [output for block in blocks if isinstance(block, Code) for output in block.outputs]
    return [*page.pictures, *(output for output in outputs if output.kind == "picture")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pictures_of_stored_notebooks_say_what_they_found(path: Path) -> None:
    found = pictures(read_notebook(path))
    assert found
    for picture in found:
        assert picture.description != picture.caption
        assert len(re.findall(r"\d+", picture.description)) >= 3
        assert not re.search(r"\bnan\b|-0 %|\de-\d", picture.description)


@pytest.mark.parametrize("figures", ["svg", "png"])
def test_a_picture_carries_its_text_to_the_page_in_either_format(figures, tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Shares"), new_code_cell(SOURCE)])
    execute(notebook, name="shares", folder=tmp_path, figures=figures)
    (picture,) = pictures(notebook)
    assert "25 % and 90 %" in picture.description
    assert picture.description != picture.caption == "Share of each segment"
    html = render_page(read_page(notebook, "shares"))
    assert 'alt="&#34;&gt;&lt;script&gt;alert(1)' in html
    assert "<script" not in html
