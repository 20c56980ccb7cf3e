import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from retention_models.report.errors import ReportError
from retention_models.report.execute import execute


def test_a_kernel_that_dies_is_named(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_code_cell("import os\nos._exit(1)")])
    with pytest.raises(ReportError, match=r"^greedy, cell 1 of 1 \(import os\) ended the kernel"):
        execute(notebook, name="greedy", folder=tmp_path)


def test_nothing_of_the_users_settings_reaches_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = new_notebook(
        cells=[
            new_code_cell("import os, sys\nprint(os.getcwd(), sys.executable)"),
            new_code_cell("print('an error is an error')\n1 / 0", metadata={"tags": ["raises-exception"]}),
        ]
    )
    with pytest.raises(ReportError, match=r"cell 2 of 2 .* failed: ZeroDivisionError: division by zero"):
        execute(notebook, name="any", folder=tmp_path)
    assert notebook.cells[0].outputs[0].text == f"{tmp_path} {sys.executable}\n"
