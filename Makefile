.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Dagster reads dagster.yaml from there and keeps what it knows in data/dagster below it.
export DAGSTER_HOME ?= $(CURDIR)

# The first Python found that will do. Another one: make PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN = $(VENV)/bin
# Each file's tests stay together, so that what they share is made once.
PYTEST = $(BIN)/pytest -n 2 --dist loadfile
# By uv where it is and by pip otherwise. The lock is complete, so nothing is left to resolve.
PIP_INSTALL = $$(uv --version >/dev/null 2>&1 \
	&& echo "uv pip install --quiet --no-deps --python $(VENV)" \
	|| echo "$(BIN)/python -m pip install --quiet --no-deps --disable-pip-version-check")

.PHONY: help
help: ## Print these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: install
install: $(VENV)/.installed ## Set up .venv from requirements.lock, if that has changed

$(VENV)/.installed: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing the locked packages into $(VENV): a minute or two, once"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: install ## Land 60 days of the synthetic shop, build every table, print the first page
	@$(BIN)/ecom demo

.PHONY: ui
ui: install ## Dagster on http://127.0.0.1:3000, web server and daemon
# Dagster's queue looks past the default limit of a pool that it has not met before.
	@cd "$$DAGSTER_HOME" && $(abspath $(BIN))/dagster instance concurrency set warehouse 1 >/dev/null
	@cd "$$DAGSTER_HOME" && $(abspath $(BIN))/dagster dev --host 127.0.0.1 --port 3000 -w $(CURDIR)/workspace.yaml

.PHONY: test
test: install ## All tests but the long ones, with coverage: under ten minutes
	@$(PYTEST) -m "not long" --cov

.PHONY: test-long
test-long: install ## The long tests: histories, mutants, a real year, real daemons
	@$(BIN)/pytest -m long

.PHONY: test-quick
test-quick: install ## The tests that take less than a second each
	@$(PYTEST) -q -m "not slow and not long"

.PHONY: lint
lint: install ## Lint, format and types, without changing a file
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

.PHONY: check
check: lint test-quick ## Lint, format, types and the quick tests: about a minute

.PHONY: format
format: install ## Format, and fix what can be fixed
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench: install ## Measure; figures and machine go to bench/
	@$(BIN)/python -m bench

.PHONY: test-duckdb2
test-duckdb2: ## All tests but the long ones on DuckDB 2.0, in a venv of their own
	@$(MAKE) .venv-duckdb2/.duckdb2 VENV=.venv-duckdb2
	@.venv-duckdb2/bin/pytest -n 2 -m "not long"

.venv-duckdb2/.duckdb2: requirements-duckdb2.lock .venv-duckdb2/.installed
	@$(PIP_INSTALL) --require-hashes -r requirements-duckdb2.lock
	@touch $@

# uv compiles for every platform and Python at once; without addresses, a mirror serves as well.
LOCK = uv --no-config pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate

.PHONY: lock
lock: ## Write the lock files anew from pyproject.toml (needs uv)
	@$(LOCK) --extra dev --output-file requirements.lock pyproject.toml
	@echo "duckdb==2.0.0" | $(LOCK) --no-deps --output-file requirements-duckdb2.lock -

.PHONY: clean
clean: ## Remove what the platform made: landing zone, warehouse, snapshot, runs
	@find data -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
