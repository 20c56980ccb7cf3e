"""Every page as a browser shows it: at three widths, in light and dark, and on paper."""

import itertools
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from retention_models.report.publish import publish

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="run by make test-browser")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NAMES = ["index", *(path.stem for path in NOTEBOOKS)]
WIDTHS = (375, 768, 1200)
MOST_PAGES = 8
LEAST_FILLED = 0.5  # of each printed sheet but the last: none is half empty


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the notebooks in this checkout."""
    return publish(NOTEBOOKS, tmp_path_factory.mktemp("site")).parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    chromium = which("chromium") or which("chromium-browser")
    assert chromium, "there is no chromium: install the package of that name"
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, site: Path) -> Iterator[Any]:
    """A function that opens a page, and fails on any message or request of it."""
    heard: list[str] = []
    contexts = []

    def open_page(name: str, width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("request", lambda request: heard.append(request.url) if "://" in request.url[:8] else None)
        page.goto((site / f"{name}.html").as_uri())
        return page

    yield open_page
    own = site.as_uri()
    assert [text for text in heard if not text.startswith((own, "data:"))] == []
    for context in contexts:
        context.close()


def unfold(page: Any) -> None:
    """Open everything that is folded."""
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_no_page_scrolls_sideways(name: str, width: int, opened: Any) -> None:
    page = opened(name, width)
    unfold(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.query_selector_all("script") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_serious(name: str, scheme: str, opened: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(name, color_scheme=scheme)
    unfold(page)
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{fault['id']}: {fault['help']} {[node['html'][:120] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("name", NAMES)
def test_on_a_dark_ground_pictures_are_dark(name: str, opened: Any) -> None:
    page = opened(name, color_scheme="dark")
    unfold(page)
    pictures = page.query_selector_all(".picture img, .cards img")
    assert pictures
    for picture in pictures:
        pixels = plt.imread(BytesIO(picture.screenshot()))[..., :3]
        assert np.median(pixels[[0, -1]]) < 0.15  # its ground, above and below what is drawn
        assert pixels.max() > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_headings_are_in_order_and_pictures_say_what_they_found(name: str, opened: Any) -> None:
    page = opened(name)
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    if name != "index":
        described = page.eval_on_selector_all("img", "all => all.map(one => one.alt)")
        captions = page.eval_on_selector_all("figure.picture figcaption", "all => all.map(one => one.textContent)")
        assert all(len(re.findall(r"\d+", text)) >= 3 for text in described)
        assert not set(described) & set(captions)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_prints_on_few_sheets(name: str, opened: Any) -> None:
    sheets = len(re.findall(rb"/Type\s*/Page\b", opened(name).pdf(format="A4")))
    assert 1 <= sheets <= MOST_PAGES


@pytest.mark.parametrize("folded", [True, False], ids=["as it opens", "unfolded"])
@pytest.mark.parametrize("name", NAMES)
def test_no_printed_sheet_but_the_last_is_half_empty(
    name: str, folded: bool, opened: Any, filled: Callable[[bytes], list[float]]
) -> None:
    page = opened(name)
    if not folded:
        page.eval_on_selector_all("details:not(.code)", "all => all.forEach(one => { one.open = true })")
    *sheets, last = filled(page.pdf(format="A4"))
    assert 0 < last <= 1
    assert all(LEAST_FILLED <= share <= 1.01 for share in sheets), [round(share, 2) for share in sheets]


def test_a_sheet_that_a_picture_left_half_empty_is_found(browser: Any, filled: Callable[[bytes], list[float]]) -> None:
    page = browser.new_page()
    page.set_content(
        "<style>@page { margin: 14mm } body { margin: 0 } div { border: 1px solid; break-inside: avoid; height: 200mm }"
        "</style><div style='height: 100mm'></div><div></div><div></div>"
    )
    shares = filled(page.pdf(format="A4"))
    page.close()
    assert shares == pytest.approx([100 / 269, 200 / 269, 200 / 269], abs=0.01)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_answer_is_on_the_first_screen_of_a_laptop_and_a_telephone(path: Path, opened: Any) -> None:
    for width, height in ((1200, 900), (375, 800)):
        page = opened(path.stem, width)
        box = page.query_selector("p.decision").bounding_box()
        assert box["y"] + box["height"] < height
