import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def published():
    path = Path(__file__).parents[1] / "reference" / "cdnow_holdout.json"
    return json.loads(path.read_text(encoding="utf-8"))
