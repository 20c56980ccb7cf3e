"""Pages written from notebooks that really run; one kernel start is about a second, so runs are shared."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from retention_models.report import publish as module
from retention_models.report.errors import ReportError, RequestError
from retention_models.report.publish import publish

HOSTILE = "<script>alert(1)</script>"
CELLS = [
    new_markdown_cell("# Who buys again?\n\n## Question\n\nWho buys, and **when**?"),
    new_code_cell("import warnings\n\nimport matplotlib.pyplot as plt\nimport pandas as pd"),
    new_code_cell('weeks = 39  # to forecast\ncustomer = "Ada"', metadata={"tags": ["parameters"]}),
    new_code_cell("pd.DataFrame({'purchases': [weeks]}, index=[customer])"),
    new_code_cell(
        "#| fig-alt: A line and a square\n"
        "with plt.style.context('ggplot'):\n"
        "    fig, (left, right) = plt.subplots(1, 2, figsize=(3, 2))\n"
        "    line = left.plot([1, 3, 2], marker='o', clip_on=True)\n"
        "    image = right.pcolormesh([[1, 2], [3, 4]], rasterized=True)"
    ),
    new_code_cell(
        "%config InlineBackend.figure_formats = ['png']\nfig, ax = plt.subplots(figsize=(1, 1))\nline = ax.plot([1])"
    ),
    new_code_cell("warnings.warn('not much data')\nprint({'a', 'b', 'c'})"),
    new_code_cell("warnings.warn_explicit('from a library', UserWarning, warnings.__file__ + '/../decoder.py', 1)"),
    new_code_cell("print(f'{weeks} weeks')", metadata={"tags": ["decision"]}),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Output folders of two runs of the same notebook, started in different working directories."""
    source = tmp_path_factory.mktemp("notebooks") / "who_buys_again.ipynb"
    nbformat.write(new_notebook(cells=CELLS), source)
    outputs = (tmp_path_factory.mktemp("first") / "a" / "b", tmp_path_factory.mktemp("second"))
    for output in outputs:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(output.parent.parent)
            publish([source], output, settings={"customer": HOSTILE, "weeks": 52})
    return outputs


@pytest.fixture
def page(runs: tuple[Path, Path]) -> str:
    return (runs[0] / "who_buys_again.html").read_text(encoding="utf-8")


def test_running_again_gives_the_same_bytes(runs: tuple[Path, Path]) -> None:
    first, second = runs
    assert sorted(path.name for path in first.iterdir()) == ["index.html", "who_buys_again.html"]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_pictures_are_inside_the_page(page: str) -> None:
    pictures = re.findall(r'<img src="data:image/([a-z+]+);base64,([^"]+)" alt="([^"]+)"', page)
    assert [kind for kind, _, _ in pictures] == ["svg+xml", "png"]
    assert pictures[0][2] == "A line and a square"
    assert b"data:image/png;base64" in b64decode(pictures[0][1]), "the heat map is drawn as pixels"


def test_a_page_needs_no_script_and_nothing_from_outside(page: str) -> None:
    elements: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: elements.append((tag, dict(attrs)))  # type: ignore[method-assign]
    parser.feed(page)
    assert not {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "embed"}
    assert all(source.startswith("data:") for _, attributes in elements if (source := attributes.get("src")))
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page


def test_settings_reach_the_cells_and_hostile_ones_are_escaped(page: str) -> None:
    assert "<script" not in page
    assert f'<th scope="row">{"&lt;script&gt;alert(1)&lt;/script&gt;"}</th>' in page
    assert "<dt>weeks</dt><dd>52</dd>" in page
    assert '<meta name="decision" content="52 weeks">' in page


def test_neither_paths_nor_process_ids_show(page: str) -> None:
    assert "cell:1: UserWarning: not much data" in page
    assert "decoder.py:1: UserWarning: from a library" in page
    assert "/tmp" not in page


def test_a_file_is_found_from_the_callers_folder_and_only_its_name_shows(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path / "shop")
    log = new_code_cell("log = None", metadata={"tags": ["parameters"]})
    path = write("any", log, new_code_cell("print(open(log).read())"))
    publish([path], tmp_path / "reports", settings={"log": Path("orders.csv")})
    page = (tmp_path / "reports" / "any.html").read_text(encoding="utf-8")
    assert "a,b\n1,2" in page
    assert "<dt>log</dt><dd>&#39;orders.csv&#39;</dd>" in page
    assert str(tmp_path) not in page


def test_the_index_shows_question_and_decision(runs: tuple[Path, Path]) -> None:
    index = (runs[0] / "index.html").read_text(encoding="utf-8")
    assert '<a href="who_buys_again.html">Who buys again?</a>' in index
    assert "<p>Who buys, and when?</p>" in index
    assert "<p>52 weeks</p>" in index


def test_a_failing_cell_is_named_and_earlier_pages_stay(write, tmp_path: Path) -> None:
    output = tmp_path / "reports"
    output.mkdir()
    before = {"good.html": b"an earlier page", "index.html": b"an earlier index"}
    for name, content in before.items():
        (output / name).write_bytes(content)
    good = write("good", new_markdown_cell("# Good"))
    bad = write("bad", new_markdown_cell("x"), new_code_cell("n = 1\nassert n == 2"), new_code_cell("n"))
    with pytest.raises(ReportError, match=r"^bad, cell 2 of 3 \(n = 1\) failed: AssertionError: assert n == 2$"):
        publish([good, bad], output)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_pages_of_earlier_runs_stay_in_the_index(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "execute", lambda notebook, **_: None)
    output = tmp_path / "reports"
    (output / "sub").mkdir(parents=True)
    (output / "other.html").write_text("<title>something else</title>")
    publish([write("b", new_markdown_cell("# Second & last"))], output)
    publish([write("a", new_markdown_cell("# First"))], output)
    index = (output / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<h2><a href="(.*)">(.*)</a></h2>', index) == [
        ("a.html", "First"),
        ("b.html", "Second &amp; last"),
    ]


def test_a_page_links_to_no_page_that_was_not_written(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "execute", lambda notebook, **_: None)
    linked = "See [the value](b.ipynb) and [the past](old.ipynb#there) or [a site](https://example.org/c.html)."
    output = tmp_path / "reports"
    output.mkdir()
    (output / "old.html").write_text("<title>old</title>")
    publish([write("a", new_markdown_cell(f"# First\n\n## Part\n\n{linked}"))], output)
    alone = (output / "a.html").read_text(encoding="utf-8")
    assert "See the value and " in alone
    assert 'href="old.html#there"' in alone
    assert 'href="https://example.org/c.html"' in alone
    both = [write(name, new_markdown_cell(f"# {name}\n\n## Part\n\n{linked}")) for name in ("a", "b")]
    publish(both, output)
    assert 'href="b.html"' in (output / "a.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_runs(
    write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "execute", lambda *_, **__: pytest.fail("a notebook ran"))
    (tmp_path / "file").write_text("in the way")
    for output in (tmp_path / "file", tmp_path / "file" / "reports"):
        with pytest.raises(ReportError, match=r"cannot write reports to .*file.*: (File exists|Not a directory)"):
            publish([write("any")], output)


def test_an_unknown_setting_is_refused_before_anything_runs(write, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no notebook has a parameter weeks; any has none"):
        publish([write("any")], tmp_path / "reports", settings={"weeks": 52})
    assert not (tmp_path / "reports").exists()


def test_two_notebooks_of_one_name_are_refused(write, tmp_path: Path) -> None:
    path = write("any")
    with pytest.raises(RequestError, match=r"two pages would be called any\.html"):
        publish([path, path], tmp_path)
    with pytest.raises(RequestError, match=r"two pages would be called index\.html"):
        publish([write("index")], tmp_path)


def test_no_notebook_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no notebook"):
        publish([], tmp_path)
