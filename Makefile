# The commands of the project. `make run` and `make test` do all the set-up themselves.

# A start without bytecode compiles a thousand modules, every time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --no-input
OLDEST ?= /usr/lib/postgresql/15/bin
SYNC    = $(PIP) install --quiet --no-deps --no-compile --require-hashes -r

.PHONY: run setup test test-long check screenshots bench-ledger bench-sign-in bench-http bench-pages format lock demo-wavs clean

run: setup
	@exec $(BIN)/talktime serve --demo

setup: $(VENV)/.talktime-run

test: $(VENV)/.talktime-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)
	@if [ -x $(OLDEST)/postgres ]; then \
		echo "The books, the calls and who sees what, once more on the oldest PostgreSQL that is supported:"; \
		TALKTIME_TEST_POSTGRES=$(OLDEST) $(BIN)/python -m pytest -n 2 -q tests/credits tests/calls tests/db/test_tenancy.py; \
	else echo "PostgreSQL 15 is not installed here ($(OLDEST)): the tests ran on the wheel's only."; fi

test-long: $(VENV)/.talktime-dev
	TALKTIME_TEST_LONG=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/.talktime-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/talktime db validate
	$(BIN)/python scripts/check_docs.py
	$(BIN)/python scripts/check_everyone.py
	$(BIN)/python scripts/check_openapi.py
	$(BIN)/python -m scripts.client check

# Every page in both themes and two widths, as pictures in screenshots/; ARGS="--who customer /calls" for some of them.
screenshots: $(VENV)/.talktime-dev
	$(BIN)/python -m scripts.screenshots $(ARGS)

# The books against pgbench's tpcb-like on a server of its own, in turn, in one run; ARGS=--quick for a minute of it.
bench-ledger: $(VENV)/.talktime-dev
	$(BIN)/python -m bench.ledger $(ARGS)

# Whether the time of a refused sign-in tells if an address has an account; 400 of them.
bench-sign-in: $(VENV)/.talktime-dev
	$(BIN)/python -m bench.sign_in

# Lists, rings and events over HTTP against real processes; ARGS=--quick for two minutes of it.
bench-http: $(VENV)/.talktime-dev
	$(BIN)/python -m bench.http $(ARGS)

# How long the server takes for each page with a year of calls in one account; ARGS=--quick for a tenth of it.
bench-pages: $(VENV)/.talktime-dev
	$(BIN)/python -m bench.pages $(ARGS)

format: $(VENV)/.talktime-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The locks name versions and hashes and no host, so they install from whichever index pip is set up with.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	--custom-compile-command "make lock" $(UPGRADE)
lock: $(VENV)/.talktime-dev
	$(COMPILE) --group build pyproject.toml -o requirements.lock
	$(COMPILE) --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Talktime needs Python 3.11 or newer: set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Talktime needs Python 3.11 or newer; $(PYTHON) is older: set PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making the virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.talktime-run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies (half a minute the first time) …"
	@$(SYNC) requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.talktime-dev: requirements-dev.lock $(VENV)/.talktime-run
	@echo "Installing what the tests need …"
	@$(SYNC) requirements-dev.lock
	@touch $@
