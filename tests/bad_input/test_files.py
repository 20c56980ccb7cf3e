"""Files survive: what is written is whole or not there, and what cannot be read is named."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import retention_models as rm
from retention_models.core.whole_files import whole_file, work_folder, write_whole
from retention_models.interventions.effects.effect import Effect
from retention_models.report import publish as publishing
from retention_models.report import refresh_notebooks
from retention_models.report.publish import publish
from retention_models.report.written_tables import write_table

FIT = rm.fit(rm.NBD, rm.NBD(0.8, 6).simulate(np.full(200, 40.0), np.random.default_rng(1)))
STUDY = {"intervention": "call", "outcome": "churn", "unit": "share", "estimand": "difference", "population": "all"}
EFFECT = Effect(**STUDY, n=800, assigned_by="random", scale="difference", estimate=0.1, std_error=0.02)
TABLE = pd.DataFrame({"score": [1.5, 2.5]}, index=pd.Index(["a", "b"], name="customer_id"))
NOTEBOOK = nbformat.writes(new_notebook(cells=[new_markdown_cell("# Who?"), new_code_cell("n = 1")]))


def refresh(path, monkeypatch):
    path.write_text(NOTEBOOK, encoding="utf-8")
    monkeypatch.setattr(refresh_notebooks, "execute", lambda *_, **__: None)
    refresh_notebooks.refresh(path)


def page(path, monkeypatch):
    source = path.parent / "source" / f"{path.stem}.ipynb"
    source.parent.mkdir(exist_ok=True)
    source.write_text(NOTEBOOK, encoding="utf-8")
    monkeypatch.setattr(publishing, "execute", lambda *_, **__: None)
    publish([source], path.parent)


WRITERS = {
    "fit.json": lambda path, _: FIT.to_json(path),
    "effect.json": lambda path, _: EFFECT.to_json(path),
    "scores.csv": lambda path, _: write_table(TABLE, path),
    "scores.parquet": lambda path, _: write_table(TABLE, path),
    "who.ipynb": refresh,
    "who.html": page,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(name, tmp_path, monkeypatch):
    path = tmp_path / name
    WRITERS[name](path, monkeypatch)
    old = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        WRITERS[name](path, monkeypatch)
    expected = NOTEBOOK.encode() if name == "who.ipynb" else old  # the test itself has written the notebook
    assert path.read_bytes() == expected
    assert not list(tmp_path.glob(".unfinished-*"))


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_keeps_its_permissions_and_a_link_stays_a_link(name, tmp_path, monkeypatch):
    path = tmp_path / name
    WRITERS[name](path, monkeypatch)
    path.chmod(0o640)
    WRITERS[name](path, monkeypatch)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (tmp_path / "link").symlink_to(path)
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert path.read_text(encoding="utf-8") == "new"


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    write_whole(tmp_path / "new", "x")
    (tmp_path / "plain").write_text("x", encoding="utf-8")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_no_file_is_written_to_as_it_is():
    write_whole(os.devnull, "gone")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(os.name != "posix", reason="asks the system for processes")
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = [tmp_path / f".unfinished-{ended.pid}-abc.json", tmp_path / f"retention-models-{ended.pid}-abc"]
    kept = [tmp_path / f".unfinished-{os.getppid()}-abc.json", tmp_path / ".unfinished-mine-abc", tmp_path / "a-1-b"]
    for path in (left[0], *kept):
        path.write_text("half", encoding="utf-8")
    left[1].mkdir()
    (left[1] / "kernel.json").write_text("half", encoding="utf-8")
    with whole_file(tmp_path / "fit.json") as unfinished:
        unfinished.write_text("whole", encoding="utf-8")
    with work_folder() as folder:
        assert folder.is_dir()
    assert not any(path.exists() for path in (*left, folder))
    assert all(path.exists() for path in kept)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_request_to_end_removes_the_work_folder(tmp_path):
    script = (
        "import time\nfrom retention_models import cli\nfrom retention_models.core.whole_files import work_folder\n"
        "with cli._ending_in_order(), work_folder() as folder:\n    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    folder = Path(run.stdout.readline().strip())
    assert folder.parent == tmp_path
    assert folder.is_dir()
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=20) == 143
    run.stdout.close()
    assert not folder.exists()


def damaged_page(path):
    """A Parquet file whose end is right, and in whose middle some bytes are not."""
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 50_000), unit="D")
    log = {"customer_id": rng.integers(0, 700, 50_000), "date": days, "amount": rng.gamma(2, 3, 50_000).round(2)}
    write_table(pd.DataFrame(log).set_index("customer_id"), path)
    bytes_ = bytearray(path.read_bytes())
    bytes_[8:12] = b"\xff" * 4
    path.write_bytes(bytes_)


FILES = {
    "page.parquet": (damaged_page, "page.parquet"),
    "end.parquet": (lambda path: path.write_bytes(b"PAR1" + b"\0" * 50), "end.parquet"),
    "long.csv": (
        lambda path: path.write_text(",".join(f"{i}{'c' * 900}" for i in range(1_000)) + "\n"),
        "no column 'customer_id', 'date'; it has .* and 980 more",
    ),
    "wide.csv": (lambda path: path.write_text("customer_id," + "x" * 200_000 + "\n1,2\n"), "wide.csv"),
    "line.csv": (lambda path: path.write_text("x" * 3_000_000), "line.csv"),
    "half.csv.gz": (lambda path: path.write_bytes(b"\x1f\x8b\x08\0half"), "half.csv.gz"),
    "book.xlsx": (lambda path: path.write_bytes(b"PK\x03\x04 no workbook"), "book.xlsx"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_named_in_a_sentence(name, tmp_path):
    make, message = FILES[name]
    make(tmp_path / name)
    began = time.process_time()
    with pytest.raises(ValueError, match=message) as caught:
        rm.summarize(tmp_path / name, amount=None)
    assert len(str(caught.value)) < 4_000
    assert time.process_time() - began < 20


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["g*", "g[1-9]", "g?", "g'); SELECT 1; --", "g`", "$HOME"])
def test_the_name_of_a_file_that_is_there_is_no_pattern_and_no_code(name, ending, tmp_path):
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-02-01", "2024-03-01"]})
    for file in (name, "g1", "g22"):
        write_table(log.set_index("customer_id"), tmp_path / f"{file}{ending}")
    assert rm.read_transactions(tmp_path / f"{name}{ending}", amount=None).rows == 3


@pytest.mark.parametrize("address", ["https://example.com/log.csv", "s3://bucket/log.parquet", "file:///etc/log.csv"])
def test_nothing_is_fetched_from_an_address(address):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        rm.summarize(address, amount=None)
