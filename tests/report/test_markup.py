import pandas as pd

from retention_models.report.markup import parse, plain, render


def test_a_table_says_which_columns_hold_numbers() -> None:
    frame = pd.DataFrame({"n": [1, 2], "share": ["12 %", "-3.1 %"], "small": [1e-9, None], "who": ["x", "y 2"]})
    root = parse(frame._repr_html_())
    assert [cell.get("class") for cell in root.iterfind(".//thead//th")] == [None, "number", "number", "number", None]
    assert [cell.get("class") for cell in root.iterfind(".//tbody//td")] == ["number", "number", "number", None] * 2


def test_columns_are_told_apart_below_merged_row_headings() -> None:
    index = pd.MultiIndex.from_tuples([("shop", "new"), ("shop", "old"), ("web", "new")], names=["channel", "cohort"])
    root = parse(pd.DataFrame({"n": [1, 2, 3], "note": ["a", "b", "c"]}, index=index)._repr_html_())
    assert [cell.get("class") for cell in root.iterfind(".//tbody//td")] == ["number", None] * 3
    assert [cell.get("class") for cell in root.iterfind(".//tbody//th")] == [None, None, "inner", None, None]


def test_index_names_stand_in_the_heading_row() -> None:
    frame = pd.DataFrame({"frequency": [1]}, index=pd.Index([17], name="customer_id"))
    root = parse(frame._repr_html_())
    assert [[plain(cell) for cell in row] for row in root.iterfind(".//thead/tr")] == [["customer_id", "frequency"]]
    assert [cell.get("scope") for cell in root.iterfind(".//tbody//th")] == ["row"]


def test_names_of_index_and_columns_keep_their_rows() -> None:
    frame = pd.DataFrame({"n": [1]}, index=pd.Index([17], name="customer_id")).rename_axis(columns="measure")
    root = parse(frame._repr_html_())
    assert [plain(row) for row in root.iterfind(".//thead/tr")] == ["measure n", "customer_id"]


def test_a_table_scrolls_by_keyboard_and_is_labelled_by_its_caption() -> None:
    (box,) = parse("<table><caption>Sales & <b>more</b></caption><tr><td>1</table>")
    assert box.attrib == {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": "Sales & more"}


def test_a_hostile_span_counts_as_one_column() -> None:
    root = parse(f"<table><tr><td colspan='{'9' * 5000}'>x</td><td colspan='-1'>1</td></table>")
    assert [cell.get("class") for cell in root.iter("td")] == [None, "number"]


def test_a_number_and_its_percent_sign_stay_on_one_line() -> None:
    assert render(parse("<p>5 % of <b>7 %</b> 3 %</p><code>5 % 3</code>")) == (
        "<p>5\u00a0% of <b>7\u00a0%</b> 3\u00a0%</p><code>5 % 3</code>"
    )


def test_headings_of_columns_may_break_after_a_word_and_keep_their_text() -> None:
    table = "<table><thead><tr><th>value_per_customer</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    assert ">value_<wbr>per_<wbr>customer</th>" in render(parse(table))
