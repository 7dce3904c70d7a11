# Two commands from a fresh clone: `make oneshot` and `make test`. Needs Python 3.11+, git and make.
# `make torture` breaks it everywhere it can be broken, which takes very long; BOUND=N tries N places of each kind
# (BOUND=2: some minutes).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: oneshot test torture check schemas clean

oneshot: $(VENV)/.ready
	$(BIN)/factory oneshot --base-ref HEAD --dry-run
	$(BIN)/factory print-report

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest

torture: $(VENV)/.ready-dev
	$(BIN)/python -m pytest --torture $(if $(BOUND),--bound $(BOUND)) tests/torture

check: $(VENV)/.ready-dev
	$(BIN)/python -m mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check

schemas: $(VENV)/.ready
	$(BIN)/factory schemas export schemas

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
