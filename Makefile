# make run · make test: on a fresh machine with Python, make and git, each makes .venv, installs with the constraints, and goes.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
# Processes that test side by side; tests/conftest.py says what each takes and when.
WORKERS ?= 2

.PHONY: run test check proof browser clean

run: .venv/installed
	$(BIN)/python launch.py $(ARGS)

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) $(ARGS)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proof: .venv/installed
	$(BIN)/python -m pytest -m slow $(ARGS)

# Debian's Chromium, for the tests that open the report and MLflow in it; without it they are skipped.
browser:
	command -v chromium && command -v chromedriver || { $(ROOT) apt-get update -qq && $(ROOT) apt-get install -y -qq --no-install-recommends chromium chromium-driver; }

clean:
	rm -rf .venv

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(f"vat: needs Python 3.11 or newer; got {sys.version.split()[0]}. Use make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
