import json
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from retention_models.report.refresh_notebooks import main


def test_storing_again_changes_nothing(write, tmp_path: Path) -> None:
    path = write(
        "any",
        new_markdown_cell("# Title"),
        new_code_cell("import matplotlib.pyplot as plt\nax = plt.figure(figsize=(1, 1)).subplots()"),
        new_code_cell("1 + 1", metadata={"tags": ["parameters"], "collapsed": True}),
        new_code_cell("1 + 1"),
    )
    assert main([str(tmp_path)]) == 0
    first = path.read_bytes()
    assert main([str(path)]) == 0
    assert path.read_bytes() == first
    stored = json.loads(first)
    assert stored["cells"][1]["outputs"][0]["data"].keys() == {"image/png", "text/plain"}
    assert stored["cells"][2]["metadata"] == {"tags": ["parameters"]}
    assert stored["cells"][3]["outputs"][0]["data"]["text/plain"] == ["2"]
    ids = [cell["id"] for cell in stored["cells"]]
    assert ids[3] == f"{ids[2]}-2"
    assert stored["metadata"]["language_info"] == {"name": "python"}


def test_a_notebook_that_fails_is_left_as_it_was(write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("any", new_code_cell("1 / 0"))
    before = path.read_bytes()
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    assert capsys.readouterr().err == "any, cell 1 of 1 (1 / 0) failed: ZeroDivisionError: division by zero\n"
