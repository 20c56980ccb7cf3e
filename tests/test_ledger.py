"""The ledger tells what changed: numbers, names and sentences apart. The ledger itself is run by make ledger."""

import runpy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parent
LEDGER = runpy.run_path(str(HERE / "ledger.py"))
FLATTEN = runpy.run_path(str(HERE / "ledger_entries" / "flatten.py"))


def flat(value):
    return FLATTEN["computed"]("entry", lambda: value)[0]


def changed(before, after):
    before, after = flat(before), flat(after)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_renamed_column_changes_the_names_alone():
    frame = pd.DataFrame({"a": [1.0, np.inf], "b": ["x", None]})
    assert changed(frame, frame.rename(columns={"a": "z"})) == {"entry.columns"}
    assert changed(frame, frame.assign(a=2.0)) == {"entry.0"}
    assert changed(frame, frame.set_axis(["first", "last"])) == {"entry.index.0"}


def test_a_renamed_field_changes_the_names_alone():
    @dataclass
    class Before:
        made: float
        detail: str

    @dataclass
    class After:
        value: float
        detail: str

    assert changed(Before(1.0, "it holds"), After(1.0, "it holds")) == {"entry.fields"}
    assert changed(Before(1.0, "it holds"), Before(1.0, "it does not hold")) == {"text.entry.1"}


def test_a_refusal_is_an_entry():
    def refuse():
        raise ValueError("no such thing")

    leaves, _ = FLATTEN["computed"]("entry", refuse)
    assert leaves == {"entry.raises": ["ValueError"], "text.entry.message": ["no such thing"]}


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ([1.0], [1.0 + 5e-11], True),
        ([1.0], [1.0 + 5e-10], False),
        ([1e-9, 1e3], [1.5e-9, 1e3], True),
        ([1e-9], [1.5e-9], False),
        ([float("nan"), float("inf")], [float("nan"), float("inf")], True),
        ([float("nan")], [0.0], False),
        ([None], [0.0], False),
        ([True], [1], False),
        (["a"], ["b"], False),
        ([1.0], [1.0, 2.0], False),
    ],
)
def test_numbers_agree_to_the_tolerance_and_all_else_exactly(before, after, same):
    assert (LEDGER["differ"](before, after) == "") is same


def test_what_changed_must_be_named(capsys, tmp_path):
    compare, file = LEDGER["compare"], tmp_path / "changes.txt"
    before, after = {"a.0": [1.0], "b": [1.0], "text.c": ["one"]}, {"a.0": [2.0], "d": [1.0], "text.c": ["two"]}
    assert compare(before, after, {}) == 1
    assert "b: is missing" in capsys.readouterr().out
    file.write_text("# why\na.*  corrected\nb  left out\nd  is what b was\ntext.*  reworded\ne  never was\n")
    assert compare(before, after, LEDGER["read_changes"](file)) == 0
    assert "nothing changed at e" in capsys.readouterr().out
    file.write_text("a.*\n")
    with pytest.raises(SystemExit, match="has no reason"):
        LEDGER["read_changes"](file)
