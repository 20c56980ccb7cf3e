import pytest

from retention_models.report.markdown import formula, markdown
from retention_models.report.markup import parse, render


def html(source: str, *, raw_html: bool = False) -> str:
    return render(parse(markdown(source, raw_html=raw_html)))


@pytest.mark.parametrize(
    "source", [r"$\frac{a}{b}$", r"$$\frac{a}{b}$$", r"\begin{align} \frac{a}{b} &= c \\ d &= e \end{align}"]
)
def test_formulas_become_mathml(source: str) -> None:
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in html(source)


def test_aligned_lines_are_a_table_without_numbers() -> None:
    mathml = formula(r"\begin{aligned} a &= b \\ c &= d \end{aligned}")
    assert mathml.count("<mtr>") == 2
    assert "(1)" not in mathml
    assert ">&<" not in mathml


def test_upright_letters_stay_upright() -> None:
    assert '<mi mathvariant="normal">' in formula(r"\mathrm{E}[X]")


@pytest.mark.parametrize("latex", [r"\nonsense{x}", r"\left( a < b", "a & b"])
def test_a_formula_that_cannot_be_translated_is_shown_as_written(latex: str) -> None:
    shown = formula(latex)
    assert shown.startswith("<code>")
    assert "<" not in shown.removeprefix("<code>").removesuffix("</code>")


def test_a_formula_cannot_smuggle_a_script() -> None:
    assert "<script" not in html(r"$\text{<script>alert(1)</script>} x$")


def test_two_sums_of_money_are_not_a_formula() -> None:
    assert html("from $3 to $5") == "<p>from $3 to $5</p>\n"


def test_html_in_markdown_made_from_data_is_shown_as_written() -> None:
    assert html("customer <b>7</b>") == "<p>customer &lt;b&gt;7&lt;/b&gt;</p>\n"
    assert html("customer <b>7</b>", raw_html=True) == "<p>customer <b>7</b></p>\n"


def test_a_link_to_a_notebook_leads_to_its_page() -> None:
    assert html("[who](01_who.ipynb#data)") == '<p><a href="01_who.html#data">who</a></p>\n'


def test_a_diagram_that_needs_a_script_is_shown_as_text() -> None:
    assert html("```mermaid\n<script>x</script>\n```") == "<pre>&lt;script&gt;x&lt;/script&gt;\n</pre>"
