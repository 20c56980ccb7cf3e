"""How full the printed sheets of a page are, read from the PDF that Chromium writes."""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

MARGIN = 14 / 25.4 * 72  # of @page in report.css, in points
_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\s?(.*?)endobj", re.DOTALL)
_TOKEN = re.compile(rb"\((?:\\.|[^\\)])*\)|<[0-9A-Fa-f\s]*>|\[|\]|/[^\s/<>\[\]()]+|<<|>>|[^\s/<>\[\]()]+")
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)")


class Heights(NamedTuple):
    """How high a point lies on the sheet: ``x * point_x + y * point_y + shift``; a transformation without its left."""

    x: float
    y: float
    shift: float

    def of(self, x: float, y: float) -> float:
        return self.x * x + self.y * y + self.shift

    def within(self, a: float, b: float, c: float, d: float, e: float, f: float) -> "Heights":
        """The heights of points of a space that the matrix a to f carries into this one."""
        return Heights(self.of(a, b) - self.shift, self.of(c, d) - self.shift, self.of(e, f))


@pytest.fixture(scope="session")
def filled() -> Callable[[bytes], list[float]]:
    """A function from a PDF to the shares of its sheets, between the margins, that lie above the last ink."""
    return lambda pdf: list(_filled(pdf))


def _filled(pdf: bytes) -> Iterator[float]:
    objects = {int(found[1]): found[2] for found in _OBJECT.finditer(pdf)}
    for body in objects.values():
        if re.search(rb"/Type\s*/Page\b", body):
            height = float(_search(rb"/MediaBox \[0 0 [\d.]+ ([\d.]+)\]", body)[1])
            drawing = _stream(objects[int(_search(rb"/Contents (\d+)", body)[1])])
            yield 1 - (min(_ink(drawing)) - MARGIN) / (height - 2 * MARGIN)


def _search(pattern: bytes, text: bytes) -> re.Match[bytes]:
    found = re.search(pattern, text)
    assert found, pattern
    return found


def _stream(body: bytes) -> bytes:
    start = _search(rb"stream\r?\n", body).end()
    return zlib.decompressobj().decompress(body[start:]) if b"/FlateDecode" in body[:start] else body[start:]


def _ink(drawing: bytes) -> Iterator[float]:
    """The lowest point of each text, shape and picture, cut off where its clip ends."""
    heights, floor = Heights(0, 1, 0), 0.0
    stack: list[tuple[Heights, float]] = []
    numbers: list[float] = []
    path: list[float] = []
    clips = False
    for token in _TOKEN.findall(drawing):
        word = token.decode("latin1")
        if _NUMBER.fullmatch(word):
            numbers.append(float(word))
            continue
        match word:
            case "q":
                stack.append((heights, floor))
            case "Q":
                heights, floor = stack.pop()
            case "cm":
                heights = heights.within(*numbers[-6:])
            case "m" | "l" | "c":
                path += [heights.of(*point) for point in zip(numbers[::2], numbers[1::2], strict=True)]
            case "re":
                x, y, width, height = numbers[-4:]
                path += [heights.of(a, b) for a in (x, x + width) for b in (y, y + height)]
            case "W" | "W*":
                clips = True
            case "Tm":
                yield max(heights.within(*numbers[-6:]).shift, floor)
            case "Do":
                yield max(min(heights.of(a, b) for a in (0, 1) for b in (0, 1)), floor)
            case "n" | "f" | "f*" | "S" | "B" | "B*":
                if path and word != "n":
                    yield max(min(path), floor)
                floor = max(floor, min(path)) if path and clips else floor
                path, clips = [], False
        numbers = []
