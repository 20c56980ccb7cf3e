from pathlib import Path

from retention_models.report.index import Entry, read_entries
from retention_models.report.page import Page
from retention_models.report.render import render_index, render_page


def page(title: str, question: str = "", decision: str = "") -> str:
    return render_page(Page(title, question, decision, contents=[], blocks=[], parameters={}, provenance=""))


def test_entries_are_read_back_from_the_pages_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text(page("Last"))
    (tmp_path / "a.html").write_text(page("<script> & 'so' on", 'What does "worth" mean?', "Spend < 5 & stop."))
    assert read_entries(tmp_path.glob("*.html")) == [
        Entry("a.html", "<script> & 'so' on", 'What does "worth" mean?', "Spend < 5 & stop."),
        Entry("b.html", "Last", "", ""),
    ]


def test_files_that_are_no_report_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(render_index([Entry("a.html", "A", "Q?", "D.")]))
    (tmp_path / "else.html").write_text('<title>x</title><meta name="generator" content="something else">')
    (tmp_path / "empty.html").write_bytes(b"\xff\xfe")
    assert read_entries(tmp_path.glob("*.html")) == []


def test_the_index_escapes_what_it_shows() -> None:
    html = render_index([Entry("a b.html", "<script>", "<script>", "<script>")])
    assert 'href="a%20b.html"' in html
    assert html.count("&lt;script&gt;") == 3
    assert "<script" not in html
