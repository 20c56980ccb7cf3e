"""Results as JSON text: the version that wrote them, and what is refused."""

import json

import pytest

from retention_models.core.stored_record import StoredRecord
from retention_models.core.version import __version__

PLAN = StoredRecord("plan", format=2, remedy="plan again")


def test_what_is_written_is_read_from_text_and_from_a_file(tmp_path):
    text = PLAN.write({"n": 3}, tmp_path / "plan.json")
    assert json.loads(text)["retention_models"] == __version__
    for source in (text, tmp_path / "plan.json", str(tmp_path / "plan.json")):
        assert PLAN.read(source, lambda stored: stored["n"]) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 3, "retention_models": "9.1"}', r"format 3 \(written by version 9.1\).* up to 2: .*or plan again"),
        ('{"n": 3}', "this is no plan written by to_json: the format is not stated"),
        ('{"format": 1}', r"or it is damaged \(it names no version; it lacks 'n'\)"),
        ('{"format": 1, ', "or it is damaged"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        PLAN.read(text, lambda stored: stored["n"])
