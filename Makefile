# Letterbox: `make help` lists what can be made.
PYTHON ?= python3
BIN := .venv/bin
UV_COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help install run demo test test-fast coverage check docs openapi-lint openapi-clients screenshots bench soak lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the command `letterbox`, from the lock

# The pip and setuptools that come with Python are as old as it is: the lock has a pip, and nothing
# needs setuptools.
.venv/.installed: requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Letterbox needs Python 3.11 or newer: make install PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip uninstall -qq --yes setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## start everything in one process at http://127.0.0.1:8000
	@$(BIN)/letterbox serve --show-secrets

demo: install ## run with a simulated provider behind it, people who text, and replies
	@$(BIN)/letterbox demo

# More at work than two cores: some of them wait for processes or a browser (tests/conftest.py).
PYTEST := $(BIN)/pytest --dist loadgroup --no-loadscope-reorder
test test-fast: export PYTHONDONTWRITEBYTECODE :=
test: install ## run every test: SQLite, a real PostgreSQL, real processes, a real browser
	@$(BIN)/python -m tests.support.chromium
	@$(BIN)/python -m tests.support.debian
	$(PYTEST) -n 5

test-fast: install ## run the tests that need neither PostgreSQL nor processes nor a browser
	$(PYTEST) -n 2 -m "not slow"

coverage: install ## print which lines and branches the tests of test-fast reach, in twice their time
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --dist loadgroup --no-loadscope-reorder -n 2 -m "not slow"
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: install ## format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Both bring their tools by npm and pip; OPENAPI_OPTIONS=--if-possible skips them where that fails.
openapi-lint: install ## check the description of the interface by Spectral's and Redocly's rules
	$(BIN)/python -m tests.clients lint $(OPENAPI_OPTIONS)

openapi-clients: install ## generate, compile and use clients of the interface
	$(BIN)/python -m tests.clients compile $(OPENAPI_OPTIONS)

docs: install ## write the generated pages of docs/reference
	$(BIN)/python -m docs

screenshots: install ## have the demo sit for the pictures of the documentation
	@$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m docs.screenshots

bench: install ## print speed as ratios of one run
	$(BIN)/python -m benchmarks

soak: install ## run the long fault tests at full size
	@$(BIN)/python -m tests.support.debian
	LETTERBOX_SOAK=1 $(PYTEST) -n 2 -m soak --timeout 3600

lock: install ## resolve the newest releases again into the lock files
	$(UV_COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(UV_COMPILE) --upgrade pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
