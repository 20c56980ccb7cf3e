"""The audit trail of a register: it only grows, survives a kill and two writers, and refuses what it cannot read."""

import json
import subprocess
import sys

import pandas as pd
import pytest

import retention_models as rm
from retention_models.interventions.efforts.effort_log import read_log

WRITER = """
import sys
import retention_models as rm
register = rm.read_register(sys.argv[1], as_of="2026-06-30")
for i in range(15):
    register = register.add(rm.Effect(
        intervention="mail", outcome="margin", unit="EUR per customer", estimand="difference", scale="difference",
        estimate=i + 0.5, std_error=1.0, population="customers", n=10, assigned_by="random"), data=sys.argv[2])
"""


@pytest.fixture
def path(tmp_path):
    efforts = pd.DataFrame({"effort": ["mail"], "kind": ["e-mail"], "reach": [10], "cost_per_contact": [1.0]})
    efforts.to_csv(tmp_path / "efforts.csv", index=False)
    return tmp_path / "efforts.csv"


@pytest.fixture
def mail(effect):
    return effect(intervention="mail", value=1.0, value_lower=0.5, value_upper=1.5, measured_on="2026-05-01")


def read(path):
    return rm.read_register(path, as_of="2026-06-30")


def test_an_added_effect_is_read_again_with_all_that_was_stored(path, mail):
    read(path).add(mail, data="sha256 1234")
    (stored,) = read(path).measurements
    assert (stored.effect, stored.effort, stored.data) == (mail, "mail", "sha256 1234")
    line = json.loads(path.with_suffix(".jsonl").read_text())
    assert (line["retention_models"], line["measured_on"], line["assigned_by"]) == (
        rm.__version__,
        "2026-05-01",
        "random",
    )
    assert read(path).table.loc["mail", "state"] == "proven"


def test_the_trail_is_only_appended_to(path, mail):
    register = read(path).add(mail, data="first")
    before = path.with_suffix(".jsonl").read_bytes()
    register.add(mail, data="second")
    after = path.with_suffix(".jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 2


def test_the_same_effect_of_the_same_data_is_added_once(path, mail):
    register = read(path).add(mail, data="test")
    assert "Stored before" not in str(register)
    register = register.add([mail, mail], data="test")
    assert len(register.measurements) == len(read(path).measurements) == 1
    assert "Stored before from the same data, and not added again: 2 effects." in str(register)
    in_memory = rm.read_register(register.efforts.drop(columns="cost_per_year").reset_index(), as_of="2026-06-30")
    assert "again: 1 effect." in str(in_memory.add([mail, mail], data="test"))


def damaged(path):
    """The lines that the check of the trail counts."""
    check = next(each for each in read(path).checks if each.name == "Stored effects")
    assert check.passed == (check.size == 0)
    return check.size


@pytest.mark.parametrize("cut", [0.25, 0.5, 0.99])
def test_what_a_killed_writer_left_is_counted_until_its_effect_is_stored(path, mail, cut):
    log = path.with_suffix(".jsonl")
    read(path).add(mail, data="first")
    first = log.read_bytes()
    read(path).add(mail, data="second")
    torn = log.read_bytes()[: len(first) + int(cut * len(first))]
    log.write_bytes(torn)
    assert damaged(path) == 1
    read(path).add(mail, data="third")
    assert damaged(path) == 1
    register = read(path).add(mail, data="second")
    assert [each.data for each in register.measurements] == ["first", "third", "second"]
    assert damaged(path) == 0
    assert log.read_bytes().startswith(torn + b"\n")


def test_two_writers_lose_nothing(path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = read(path)
    assert found.checks[1].passed
    assert sorted(each.data for each in found.measurements) == ["a"] * 15 + ["b"] * 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line["effect"]["effect"].pop("assigned_by"), "line 1: money without assigned_by"),
        (lambda line: line["effect"]["effect"].update(design=None), "line 1: money without design"),
        (lambda line: line.update(format=9), "format 9 .*upgrade retention_models"),
        (lambda line: line.pop("effort"), "no line written by Register.add"),
        (lambda line: line.update(effect="x"), "line 1: "),
    ],
)
def test_a_whole_line_that_is_no_effect_is_refused_by_its_number(path, mail, change, message):
    read(path).add(mail, data="test")
    line = json.loads(path.with_suffix(".jsonl").read_text())
    change(line)
    path.with_suffix(".jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("line", ['{"effort": "m", "format": 1, "effect": {"effect": [1]}}', "[1, 2]", "3"])
def test_a_line_of_another_program_is_named_in_plain_words(tmp_path, line):
    (tmp_path / "efforts.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"line 1: this is no line written by Register\.add"):
        read_log(tmp_path / "efforts.jsonl")


def test_a_folder_in_place_of_the_trail_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        read_log(tmp_path)
