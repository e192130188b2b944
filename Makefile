# `make study` runs the quick study, `make test` the tests, `make docs` makes a site of docs/; all set up .venv first.
# README.md says the same without make.
# Tests that start a Ray or hosts need the machine for themselves; the others run on two cores.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: study test lint docs guard clean

study: $(STAMP)
	$(BIN)/python studies/mosi_ablation.py

test: $(STAMP)
	$(BIN)/python -m pytest -m "not ray and not cluster" --numprocesses 2 --dist loadscope
	$(BIN)/python -m pytest -m "ray or cluster"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(STAMP)
	$(BIN)/sphinx-build -q -W --keep-going docs site

guard: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/guard.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Python 3.11 to 3.13 is needed, this is " + sys.version + "; name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
