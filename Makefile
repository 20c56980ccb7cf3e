# Everything runs in .venv, which is built from requirements.lock when it is missing or older than the lock.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header
NOTEBOOKS = $(BIN)/pytest -n $(JOBS) --dist loadfile --nbval --nbval-cell-timeout=60 notebooks
# There are as many processes as cores: further threads of linear algebra would only wait for each other.
ONE = OPENBLAS_NUM_THREADS=1
PLAIN = NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
EVERYTHING = pyproject.toml --extra notebooks --extra data --extra spreadsheets --group test --group docs

.PHONY: report test test-all test-portable test-browser test-spark check lab lock notebooks bench ledger docs
.DEFAULT_GOAL := test

report: $(READY)           ## run every notebook and write reports/index.html
	$(BIN)/retention-models report --output reports

test: $(READY)             ## unit tests, doctests, and the notebooks against their committed outputs
	$(ONE) $(BIN)/pytest -n $(JOBS) -m "not slow and not spark and not browser"
	$(NOTEBOOKS)

test-all: $(READY)         ## the same, with the slow statistical tests
	$(ONE) $(BIN)/pytest -n $(JOBS) -m "not spark and not browser"
	$(NOTEBOOKS)

check: $(READY)            ## format, lint, types, and the wheel alone in an empty environment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest retention_models --concise --mypy-config-file pyproject.toml --allowlist tests/stubtest_allowlist.txt --ignore-unused-allowlist
	$(BIN)/python tests/check_wheel.py

test-portable: $(READY)    ## the notebooks again, on a plainer processor, and with one BLAS thread and two
	$(PLAIN) $(BIN)/python tests/check_plain_processor.py
	$(PLAIN) $(NOTEBOOKS)
	OPENBLAS_NUM_THREADS=1 $(NOTEBOOKS)
	OPENBLAS_NUM_THREADS=2 $(NOTEBOOKS)

notebooks: $(READY)        ## run the notebooks in place and store their outputs
	$(BIN)/python -m retention_models.report.refresh_notebooks notebooks

lab: $(READY)              ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

docs: $(READY)             ## the reference of the public functions as pages to read offline: docs/retention_models.html
	EAGER_IMPORT=1 $(BIN)/python tests/make_docs.py docs

bench: $(READY) .venv-peers/.ready .venv-diffdiff/.ready  ## time and memory, against others in their own environments
	$(BIN)/python tests/bench/run.py .venv-peers/bin/python .venv-diffdiff/bin/python

ledger: $(READY)           ## every number of BASE=<commit> against today's; what differs stands in tests/ledger_changes.txt
	@test -n "$(BASE)" || { echo "say which commit to compare with: make ledger BASE=<commit>"; exit 2; }
	there=$$(mktemp -d) && trap "git worktree remove --force $$there/base; rm -rf $$there" EXIT \
	&& git worktree add --quiet --detach $$there/base $(BASE) \
	&& (cd $$there/base && PYTHONPATH=$$there/base $(CURDIR)/$(BIN)/python tests/ledger.py write $$there/before.json) \
	&& PYTHONPATH=$(CURDIR) $(BIN)/python tests/ledger.py write $$there/after.json \
	&& $(BIN)/python tests/ledger.py compare $$there/before.json $$there/after.json --changes tests/ledger_changes.txt

test-browser: .venv-browser/.ready  ## every page in headless Chromium: overflow, contrast, requests, headings, print
	.venv-browser/bin/pytest -m browser tests/browser

test-spark: .venv-spark/.ready  ## the engine test on PySpark, which needs Java
	.venv-spark/bin/pytest -m spark tests/tables tests/logs tests/interventions

lock: $(BIN)/uv            ## renew requirements.lock, constraints.txt and the other locks from pyproject.toml
	$(COMPILE) --generate-hashes $(EVERYTHING) -o requirements.lock
	$(COMPILE) --no-annotate $(EVERYTHING) -c requirements.lock -o constraints.txt
	$(COMPILE) --generate-hashes $(EVERYTHING) --extra spark -c constraints.txt -o requirements-spark.lock
	$(COMPILE) --generate-hashes $(EVERYTHING) --group browser -c constraints.txt -o requirements-browser.lock

$(BIN)/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(READY): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	touch $@

.venv-peers/.ready: tests/bench/peers.txt | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-peers
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-peers/bin/python -r tests/bench/peers.txt
	touch $@

.venv-diffdiff/.ready: tests/bench/diff_diff.txt | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-diffdiff
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-diffdiff/bin/python -r tests/bench/diff_diff.txt
	touch $@

.venv-browser/.ready: requirements-browser.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-browser
	$(BIN)/uv pip sync --quiet --compile-bytecode --python .venv-browser/bin/python requirements-browser.lock
	$(BIN)/uv pip install --quiet --no-deps --python .venv-browser/bin/python --editable .
	touch $@

.venv-spark/.ready: requirements-spark.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-spark
	$(BIN)/uv pip sync --quiet --compile-bytecode --python .venv-spark/bin/python requirements-spark.lock
	$(BIN)/uv pip install --quiet --no-deps --python .venv-spark/bin/python --editable .
	touch $@
