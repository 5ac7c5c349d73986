# make cifar [ARGS="--config bn --train.epochs 2"]   train one of the chapter's networks
# make test [PYTEST_ARGS="-m slow"]                   the test suite without its slowest tests, or these
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?= --config selu

.PHONY: cifar test lint install clean

cifar: .venv/installed
	$(BIN)/python -m experiments.cifar $(ARGS)

test: .venv/installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv
