import base64
import csv
import io
import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from retention_models.core.check import Check
from retention_models.narrative.answer import Answer, KeyFigure
from retention_models.report.page import Code, Prose, read_page
from retention_models.report.render import render_page

HOSTILE = "<script>alert(1)</script>"


def printed(text: str, tag: str = "shown", name: str = "stdout") -> NotebookNode:
    return new_code_cell("...", metadata={"tags": [tag]}, outputs=[new_output("stream", name=name, text=text)])


def displayed(data: dict[str, str], source: str = "...", tag: str = "shown") -> NotebookNode:
    return new_code_cell(source, metadata={"tags": [tag]}, outputs=[new_output("display_data", data=data)])


def page(*cells: NotebookNode):
    return read_page(new_notebook(cells=list(cells)), "the_name")


def test_title_question_and_contents_come_from_the_prose() -> None:
    read = page(
        new_markdown_cell("# What is it *worth*?"),
        new_markdown_cell("## Question\n\nHow *much*?\n\nAnd why?\n\n### Detail\n\nx"),
        new_markdown_cell("## Detail"),
    )
    assert (read.title, read.question) == ("What is it worth?", "How much?")
    assert [(heading.level, heading.anchor, heading.text) for heading in read.contents] == [
        (2, "question", "Question"),
        (3, "detail", "Detail"),
        (2, "detail-2", "Detail"),
    ]
    assert '<h2 id="detail-2">Detail</h2>' in read.blocks[-1].html


def test_a_notebook_without_these_still_has_a_page() -> None:
    read = page(new_markdown_cell("some words"))
    assert (read.title, read.question, read.decision, read.provenance) == ("the_name", "", "", "")
    assert "some words" in render_page(read)


def test_the_decision_is_what_its_cell_printed_or_returned() -> None:
    assert page(printed("Spend 5.\n", "decision")).decision == "Spend 5."
    assert page(displayed({"text/plain": '"Don\'t."'}, tag="decision")).decision == "Don't."
    assert page(displayed({"text/plain": "'A' or B"}, tag="decision")).decision == "'A' or B"


def test_the_decision_is_highlighted_on_top_and_in_place() -> None:
    html = render_page(page(new_markdown_cell("# T\n\n## Decision"), printed("Spend 5.", "decision")))
    head, _, main = html.partition("<main")
    assert '<meta name="decision" content="Spend 5.">' in head
    assert "<p>Spend 5.</p>" in head
    assert '<p class="decision">Spend 5.</p>' in main


def test_footer_states_parameters_provenance_and_version() -> None:
    html = render_page(
        page(new_code_cell("horizon = 39", metadata={"tags": ["parameters"]}), printed("9 rows", "provenance"))
    )
    footer = html.partition("<footer>")[2]
    assert "<dt>horizon</dt><dd>39</dd>" in footer
    assert "9 rows" in footer
    assert "retention-models 0." in footer


def test_code_that_showed_nothing_shares_a_fold_with_the_next() -> None:
    read = page(
        new_code_cell("import numpy"), new_code_cell("n = 1"), printed("out"), new_markdown_cell("x"), printed("y")
    )
    first, prose, last = read.blocks
    assert isinstance(first, Code)
    assert isinstance(prose, Prose)
    assert isinstance(last, Code)
    assert first.source == "import numpy\n\nn = 1\n\n..."
    assert [output.content for output in first.outputs] == ["out"]


def test_code_is_folded_away_unless_asked_for() -> None:
    read = page(new_code_cell("n = 1"))
    assert '<details class="code">' in render_page(read)
    assert '<details class="code" open>' in render_page(read, show_code=True)


def test_the_richest_form_of_an_output_is_shown() -> None:
    (block,) = page(displayed({"text/plain": "plain", "text/html": "<b>rich</b>"})).blocks
    assert [(output.kind, output.content) for output in block.outputs] == [("html", "<b>rich</b>")]


def test_pictures_are_described_by_option_caption_or_section() -> None:
    svg = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
    read = page(
        new_markdown_cell("## Check"),
        displayed(svg),
        displayed(svg, "#| fig-cap: Sales a week\nplot()"),
        displayed(svg, '#| fig-cap: Sales a week\n#| fig-alt: "A falling line"\nplot()'),
    )
    pictures = [output for block in read.blocks[1:] for output in block.outputs]
    assert [(picture.caption, picture.description) for picture in pictures] == [
        ("", "Picture in the section “Check”"),
        ("Sales a week", "Sales a week"),
        ("Sales a week", "A falling line"),
    ]
    assert read.blocks[-1].source == "plot()"
    assert pictures[0].content == "data:image/svg+xml;base64,PHN2Zy8+"


def test_what_a_picture_says_of_itself_comes_before_options() -> None:
    output = new_output("display_data", data={"image/svg+xml": "<svg/>"}, metadata={"alt": "Sales fell\n by 12 %."})
    read = page(new_code_cell("#| fig-cap: Sales a week\n#| fig-alt: A falling line", outputs=[output]))
    (picture,) = read.blocks[0].outputs
    assert (picture.caption, picture.description) == ("Sales a week", "Sales fell by 12 %.")


def test_names_from_the_data_are_text_in_the_description_of_a_picture() -> None:
    hostile = f'" onerror="alert(1)">{HOSTILE} \' 12 %'
    for metadata in ({"alt": hostile}, {"alt": [hostile]}):
        output = new_output("display_data", data={"image/svg+xml": "<svg/>"}, metadata=metadata)
        html = render_page(page(new_code_cell("...", outputs=[output])))
        assert "<script" not in html
        assert "onerror=&#34;alert" in html
        assert 'onerror="' not in html


def test_a_table_has_its_caption() -> None:
    html = render_page(page(displayed({"text/html": "<table><tr><td>1</table>"}, "#| tbl-cap: Sales <1997\nsales")))
    assert "<figcaption>Sales &lt;1997</figcaption>" in html


def test_warnings_are_told_apart_and_colours_of_a_terminal_removed() -> None:
    html = render_page(page(printed("\x1b[31mcareful\x1b[0m\n", name="stderr")))
    assert '<pre class="warning">careful</pre>' in html


def test_what_a_page_cannot_show_is_said() -> None:
    html = render_page(page(displayed({"application/javascript": "alert(1)"})))
    assert "A page cannot show application/javascript." in html
    assert "alert" not in html


def test_formulas_that_a_cell_showed_become_mathml() -> None:
    assert "<math" in render_page(page(displayed({"text/latex": "$$x$$", "text/plain": "x"})))


def test_hostile_values_are_text_wherever_they_stand() -> None:
    html = render_page(
        page(
            new_markdown_cell(f"# `{HOSTILE}`\n\n## Question\n\nIs `{HOSTILE}` & <b onclick='x'>y</b> a customer?"),
            new_code_cell(f"customer = '{HOSTILE}'", metadata={"tags": ["parameters"]}),
            printed(HOSTILE, "provenance"),
            printed(HOSTILE, name="stderr"),
            displayed({"text/plain": HOSTILE}),
            displayed({"text/html": f"<b>{HOSTILE}</b><img src=x onerror=alert(1)>"}),
            displayed({"text/markdown": HOSTILE}),
            displayed({"text/latex": rf"$\text{{{HOSTILE}}}$"}),
            displayed({"image/png": '"><script>alert(1)</script>'}, f'#| fig-cap: "{HOSTILE}'),
            printed(f'"{HOSTILE}', "decision"),
        )
    )
    assert "<script" not in html
    assert "onerror" not in html.replace("&lt;img src=x onerror", "")
    assert "onclick" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8


def answer_cell(**more: object) -> NotebookNode:
    answer = Answer(
        headline="Spend 5.", figures=(KeyFigure("Value", "EUR 7", "EUR 5 to EUR 9"),), actions=("Spend it.",),
        sureness=("Quite.",),
        checks=(Check("a check", False, detail="It did not hold."), Check("fine", True, detail="It held.")),
        facts={"data": HOSTILE}, assumed="Assumed, not stated: a margin of 60 %.",
    )  # fmt: skip
    data = answer._repr_mimebundle_()
    return new_code_cell("...", metadata={"tags": ["decision"]}, outputs=[new_output("execute_result", data=data)])


def test_an_answer_stands_on_top_with_its_figures_actions_and_failed_checks() -> None:
    read = page(new_markdown_cell("# T\n\nWhat is it?\n\n## Data"), answer_cell())
    html = render_page(read)
    head, _, main = html.partition("<main")
    assert read.decision == "Spend 5."
    assert '<meta name="decision" content="Spend 5.">' in head
    for part in (
        '<p class="question">What is it?</p>', '<p class="decision">Spend 5.</p>', "<strong>EUR 7</strong>",
        "EUR 5 to EUR 9", "<li>Spend it.</li>", "<li>Quite.</li>", "<strong>Check failed: a check.</strong> It did not",
        "1 passed, 1 failed", "Assumed, not stated: a margin of 60\u00a0%.",  # on one line with its number
    ):  # fmt: skip
        assert part in head
    assert "Spend 5." not in main
    assert "What is it?" not in main
    assert HOSTILE not in html


def test_sections_for_the_analyst_fold_until_the_next_heading() -> None:
    read = page(
        new_markdown_cell("# T\n\n## One"), new_markdown_cell("### For the analyst\n\nA formula."),
        printed("inside"), new_markdown_cell("## Two"), printed("outside"), answer_cell(),
    )  # fmt: skip
    assert [type(block).__name__ for block in read.blocks] == ["Prose", "Fold", "Prose", "Code", "Code"]
    html = render_page(read)
    fold = html[html.index('<details class="fold">') : html.index('<h2 id="two">')]
    assert "<summary>For the analyst</summary>" in fold
    assert "A formula." in fold
    assert "inside" in fold
    assert [heading.text for heading in read.contents] == ["One", "Two"]


def test_pictures_that_carry_the_answer_stand_on_top() -> None:
    picture = {"image/png": "AAAA", "text/plain": "x"}
    read = page(displayed(picture, "#| place: top\n#| fig-cap: The fan\nplot()"), answer_cell())
    head, _, main = render_page(read).partition("<main")
    assert "The fan" in head
    assert "data:image/png" in head
    assert "data:image/png" not in main


def test_parameters_that_nobody_stated_are_marked() -> None:
    source = "margin = 0.6\nprice = 10\nassumed = ['margin']"
    html = render_page(page(new_code_cell(source, metadata={"tags": ["parameters"]}), printed("x")))
    assert "<dt>margin (assumed)</dt>" in html
    assert "<dt>price</dt>" in html


def test_long_tables_fold_and_each_offers_its_cells() -> None:
    rows = "".join(f"<tr><th>{i}</th><td>=1+{i}</td></tr>" for i in range(9))
    long = f"<table><thead><tr><th>n</th><th>x</th></tr></thead><tbody>{rows}</tbody></table>"
    short = {"text/html": long.replace(rows, rows[: rows.index("</tr>") + 5])}
    html = render_page(page(new_markdown_cell("## My data!"), displayed({"text/html": long}), displayed(short)))
    assert html.count("<summary>Table with 9 rows</summary>") == 1
    links = re.findall(r'download="(.*?)" href="data:text/csv;charset=utf-8;base64,(.*?)"', html)
    assert [name for name, _ in links] == ["my-data.csv", "my-data.csv"]
    cells = list(csv.reader(io.StringIO(base64.b64decode(links[0][1]).decode())))
    assert cells[:2] == [["n", "x"], ["0", "'=1+0"]]
    assert len(cells) == 10


def test_each_picture_of_a_cell_has_its_own_caption() -> None:
    picture = {"image/png": "AAAA", "text/plain": "x"}
    cell = displayed(picture, "#| fig-cap: The first\n#| fig-cap: The second\nplot()")
    cell.outputs = [*cell.outputs, new_output("display_data", data={"text/html": "<p>between</p>"}), *cell.outputs * 2]
    shown = page(cell).blocks[0].outputs
    pictures = [output for output in shown if output.kind == "picture"]
    assert [output.caption for output in pictures] == ["The first", "The second", ""]
    assert [output.description for output in pictures][:2] == ["The first", "The second"]
    assert pictures[2].description
