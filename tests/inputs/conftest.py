"""Most of the many inputs are read from one kind of source in the quick suite, and from all kinds in the slow one."""

from zlib import crc32

import pytest

ENGINES = ("workbook", "Polars", "DuckDB", "pandas")
QUICK = 12  # one in so many of these is quick, too


def pytest_collection_modifyitems(items):
    for item in items:
        of_engine = any(f"-{engine}]" in item.name or f"[{engine}-" in item.name for engine in ENGINES)
        if "inputs" in item.path.parts and of_engine and crc32(item.name.encode()) % QUICK:
            item.add_marker(pytest.mark.slow)
