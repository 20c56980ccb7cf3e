# Everything runs in .venv, built from requirements.lock when it is missing or older than the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := requirements.lock
JOBS ?= 2
SYNC = $(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python

.PHONY: report test test-all test-spark check lab lock notebooks bench clean
.DEFAULT_GOAL := test

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(READY): $(LOCK) pyproject.toml | $(BIN)/uv
	$(SYNC) $(LOCK)
	$(BIN)/python -m ensurepip --upgrade >/dev/null 2>&1 || true
	$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	touch $@
