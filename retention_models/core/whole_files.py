"""Files that are written whole or not at all, and work folders that do not stay behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".unfinished-"
WORK = "retention-models-"


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A file to write, in the folder of ``path``, which takes its place once it is complete.

    Until then, and after an error, a full disk or a kill, the old file stays as it is. The new one has its permissions.
    What earlier runs left behind in the folder is removed.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():  # a terminal or a pipe
        yield target
        return
    _remove_left_over(target.parent, UNFINISHED)
    unfinished = target.with_name(f"{UNFINISHED}{os.getpid()}-{uuid4().hex[:8]}{target.suffix}")
    try:
        unfinished.touch()
    except OSError as error:  # it names the file that was asked for
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        yield unfinished
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: str | Path, text: str, *, newline: str | None = None) -> None:
    """Write UTF-8 text to a file, all of it or nothing; half of a character pair becomes a question mark."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace", newline=newline)


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for the time of some work. Those of runs that were killed are removed."""
    _remove_left_over(Path(tempfile.gettempdir()), WORK)
    with tempfile.TemporaryDirectory(prefix=f"{WORK}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove_left_over(folder: Path, prefix: str) -> None:
    """Remove files and folders of this user whose process, named behind the prefix, has ended."""
    for path in folder.glob(f"{prefix}[0-9]*-*"):
        process = path.name.removeprefix(prefix).split("-")[0]
        if not (process.isdecimal() and _has_ended(int(process))) or path.is_symlink():
            continue
        with suppress(OSError):  # it belongs to somebody else
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _has_ended(process: int) -> bool:
    """Whether no such process runs. Where one cannot ask (Windows), it may run."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return False
