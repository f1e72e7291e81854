.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Dagster reads dagster.yaml from this folder and stores its runs and events in data/dagster below it.
export DAGSTER_HOME ?= $(CURDIR)
# A command loads some thousand modules: compiling them again each time takes twice as long as all else.
export PYTHONDONTWRITEBYTECODE :=

# The first suitable Python found. To use another one: make PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN = $(VENV)/bin
# The tests of a file run in one process, so that shared fixtures are made once; in the order of conftest.py.
PYTEST = $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
# With uv if it is installed, otherwise with pip. The lock is complete, so nothing has to be resolved. Modules are
# compiled when they are first imported, since most never are.
PIP_INSTALL = $$(uv --version >/dev/null 2>&1 \
	&& echo "uv pip install --quiet --no-deps --python $(VENV)" \
	|| echo "$(BIN)/python -m pip install --quiet --no-deps --no-compile --disable-pip-version-check")

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: install
install: $(VENV)/.installed ## Set up .venv from requirements.lock, if it has changed

$(VENV)/.installed: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed. Set its path: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing the locked packages into $(VENV): a minute or two, once"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: install ## Land 60 days of the synthetic shop, build every table, print the report
	@$(BIN)/ecom demo

.PHONY: ui
ui: install ## Start Dagster on http://127.0.0.1:3000, web server and daemon
	@$(BIN)/ecom ui

.PHONY: docs
docs: install ## Write the catalogue of tables and columns, a site of static pages, to data/catalogue
	@$(BIN)/ecom docs

.PHONY: api
api: install ## Serve what was last published over HTTP, on http://127.0.0.1:8000
	@$(BIN)/ecom api

.PHONY: dashboard
dashboard: install ## Start the dashboard on http://127.0.0.1:8501
	@$(BIN)/ecom dashboard

.PHONY: test
test: install ## Run all tests but the long ones: a quarter of an hour
	@$(PYTEST) -m "not long"

.PHONY: coverage
coverage: install ## Run the same tests and list the lines that none of them runs: a third longer
	@$(PYTEST) -m "not long" --cov

.PHONY: test-long
test-long: install ## Run the long tests: histories, mutants, a real year, real daemons; all properties on all examples
	@$(BIN)/pytest -m "long or hypothesis" --hypothesis-profile=all-examples

.PHONY: test-quick
test-quick: install ## Run the quick tests
	@$(PYTEST) -q -m "not slow and not long"

.PHONY: lint
lint: install ## Check style, format and types; changes no file
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

.PHONY: check
check: lint test-quick ## Run lint and the quick tests: about a minute

.PHONY: format
format: install ## Format the code and apply automatic fixes
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench: install ## Run the benchmarks; results go to bench/results.md
	@$(BIN)/python -m bench

.PHONY: test-duckdb2
test-duckdb2: ## Run all tests but the long ones on DuckDB 2.0, in a separate venv
	@$(MAKE) .venv-duckdb2/.duckdb2 VENV=.venv-duckdb2
	@.venv-duckdb2/bin/pytest -n 2 -m "not long"

.venv-duckdb2/.duckdb2: requirements-duckdb2.lock .venv-duckdb2/.installed
	@$(PIP_INSTALL) --require-hashes -r requirements-duckdb2.lock
	@touch $@

# uv resolves for every platform and Python at once; without index URLs, a mirror works too.
LOCK = uv --no-config pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate

# What the image installs, and what builds the project in it.
IN_IMAGE = alerts dashboard postgres serving stream
BUILD = flit_core==3.12.0
AS_TESTED = --constraint requirements.lock

.PHONY: lock
lock: ## Rewrite the lock files from pyproject.toml (needs uv)
	@$(LOCK) --extra dev --output-file requirements.lock pyproject.toml
	@echo "$(BUILD)" | $(LOCK) $(AS_TESTED) --extra postgres --output-file requirements-core.lock pyproject.toml -
	@echo "$(BUILD)" | $(LOCK) $(AS_TESTED) $(IN_IMAGE:%=--extra %) \
		--output-file requirements-image.lock pyproject.toml -
	@echo "duckdb==2.0.0" | $(LOCK) --no-deps --output-file requirements-duckdb2.lock -

# Tools that look at the project from outside, in a venv of their own.
AUDIT = .venv-audit/bin
.venv-audit/.installed: requirements-audit.txt
	@"$(PYTHON)" -m venv .venv-audit
	@$(AUDIT)/python -m pip install --quiet --disable-pip-version-check -r requirements-audit.txt
	@touch $@

.PHONY: audit
audit: .venv-audit/.installed ## Look for known vulnerabilities, secrets, and mistakes in image, compose file and workflows
	@$(AUDIT)/pip-audit --disable-pip --require-hashes -r requirements-image.lock
	@$(AUDIT)/hadolint Dockerfile
	@$(AUDIT)/shellcheck docker/health docker/install docker/start docker/try .ci/run
	@$(AUDIT)/zizmor --offline .github
	@$(AUDIT)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@$(AUDIT)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(AUDIT)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

.PHONY: sbom
sbom: .venv-audit/.installed ## Write sbom.json, the packages of the image with their hashes, as CycloneDX
	@$(AUDIT)/cyclonedx-py requirements requirements-image.lock --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file sbom.json
	@echo "Wrote sbom.json."

.PHONY: clean
clean: ## Delete all generated data: landing zone, warehouse, snapshot, runs
	@find data -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
