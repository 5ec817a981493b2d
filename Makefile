# make run · make test: on a fresh machine with Python, make and git, each makes .venv, installs with the constraints, and goes.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Processes that test side by side, a file each.
WORKERS ?= 2

.PHONY: run test check proof clean

run: .venv/installed
	$(BIN)/python launch.py $(ARGS)

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile $(ARGS)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proof: .venv/installed
	$(BIN)/python -m pytest -m slow $(ARGS)

clean:
	rm -rf .venv

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(f"vat: needs Python 3.11 or newer; got {sys.version.split()[0]}. Use make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
