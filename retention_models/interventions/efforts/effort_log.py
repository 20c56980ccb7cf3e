"""Measured effects of efforts as JSON lines beside the register: an audit trail that only grows.

A line holds one effect with its law and checks, the effort it belongs to, the checksum of its data, and the version
that wrote it. Lines are appended in one write under a lock, so that two writers do not mix. What a killed writer left
half written stays where it is, and is never read as an effect. It is counted as damaged until the trail holds a whole
line that begins alike, but for version and time: the effect that was not stored then.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retention_models.core.formatting import Part, Presentation
from retention_models.core.version import __version__
from retention_models.interventions.effects.effect import Effect

FORMAT = 1
WHEN = re.compile(r'("retention_models"|"added"): "[^"]*"?')  # what differs between two lines of one effect
NO_LINE = "this is no line written by Register.add, which has effort, format and effect"


@dataclass(frozen=True, slots=True, repr=False)
class Measurement(Presentation):
    """An effect as it was stored: for which effort, from which data, and when.

    ``data`` is the checksum of the data, or the name of the test; empty where nobody stated one.
    """

    effort: str
    effect: Effect
    data: str = ""
    added: str = ""

    def _parts(self) -> Sequence[Part]:
        return [f"{self.effort}: {self.effect}"]

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two measurements the same: the same effect of the same effort, from the same data."""
        return self.effort, self.data, json.dumps(json.loads(self.effect.to_json())["effect"], sort_keys=True)

    def line(self) -> str:
        """The line of the audit trail."""
        effect = json.loads(self.effect.to_json())
        stored = {
            "retention_models": __version__,
            "format": FORMAT,
            "added": self.added,
            "effort": self.effort,
            "data": self.data,
            "measured_on": effect["effect"]["measured_on"],
            "assigned_by": self.effect.assigned_by,
            "effect": effect,
        }
        return json.dumps(stored, allow_nan=False)


def log_path(register: Path) -> Path:
    """The audit trail beside the file of a register."""
    return register.with_suffix(".jsonl")


def read_log(path: Path) -> tuple[list[Measurement], int]:
    """The measurements of an audit trail, in the order in which they were added, and the number of damaged lines.

    A damaged line whose effect was stored by another line is not counted.

    Raises
    ------
    ValueError
        When a line is whole and yet no effect of this version, such as money without a design. It names the line.
    """
    if path.is_dir():
        raise ValueError(
            f"{path} is a folder; the effects of the register are stored in a file of that name: rename it"
        )
    if not path.exists():
        return [], 0
    found, whole, damaged = [], [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            stored = json.loads(line)
        except ValueError:
            damaged.append(WHEN.sub(r'\1: ""', line))
            continue
        try:
            found.append(_measurement(stored))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        except (TypeError, LookupError, AttributeError):
            raise ValueError(f"{path}, line {number}: {NO_LINE}") from None
        whole.append(WHEN.sub(r'\1: ""', line))
    return found, sum(not any(line.startswith(torn) for line in whole) for torn in damaged)


def _measurement(stored: Any) -> Measurement:
    whole = isinstance(stored, dict) and {"effort", "effect", "format"} <= stored.keys()
    if not whole or not isinstance(stored["effect"], dict):
        raise ValueError(NO_LINE)
    if stored["format"] != FORMAT:
        raise ValueError(
            f"format {stored['format']!r} (written by version {stored.get('retention_models')}); version {__version__} "
            f"reads format {FORMAT}: upgrade retention_models"
        )
    inner = stored["effect"].get("effect", {})
    for needed in ("assigned_by", "design"):
        if inner.get("value") is not None and not inner.get(needed):
            raise ValueError(f"money without {needed}: state who decided which customers were treated, and the design")
    effect = Effect.from_json(json.dumps(stored["effect"]))
    return Measurement(str(stored["effort"]), effect, str(stored.get("data", "")), str(stored.get("added", "")))


def append_to_log(path: Path, measurements: Iterable[Measurement]) -> tuple[list[Measurement], list[Measurement]]:
    """Append measurements that the trail does not hold yet; those that it held before, and those that are new."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with path.open("ab+") as file, _locked(file.fileno()):
        there, _ = read_log(path)
        new = {each.key: replace(each, added=each.added or now) for each in measurements}
        known = {each.key for each in there}
        added = [each for key, each in new.items() if key not in known]
        if added:
            file.seek(0, os.SEEK_END)
            torn = b"" if file.tell() == 0 or _last_byte(file) == b"\n" else b"\n"
            file.write(torn + "".join(f"{each.line()}\n" for each in added).encode())
            file.flush()
            os.fsync(file.fileno())
    return there, added


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    """A lock that other writers wait for; where the system has none, appending in one write must do."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
