# Two commands matter: `make run` does the main job, `make test` checks everything that CI checks.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# `make run OPTIONS=--json STUDY=studies/fd001.toml`
STUDY ?= studies/quickstart.toml
OPTIONS ?=

.PHONY: run test check chaos lint types imports clean

run: $(VENV)/.run
	$(BIN)/amnl-tune run $(STUDY) $(OPTIONS)

test: lint types imports
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: lint types imports
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow"

# 200 random faults on real workers and a real PostgreSQL; FAULTS=50 for fewer
FAULTS ?= 200
chaos: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m chaos.campaign --faults $(FAULTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
