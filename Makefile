# make cifar [ARGS="--config bn --train.epochs 2"]   train one of the chapter's networks
# make test [PYTEST_ARGS="-k oracle"]                the fast suite on the pinned versions, or a part of it
# make test-all                                      the fast suite, then the slow tests
# make test-newest                                   the fast suite on Python 3.13 and constraints-newest.txt
# make bench-gpu [BENCH_ARGS="--rounds 3"]            measure on this machine's GPU, in .venv-gpu, and write its record
# make test-tpu                                      compile for a TPU without one, in .venv-tpu
# make docs                                          the pages as a site, in site/
# make newest                                        renew constraints-newest.txt from the package index
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?= --config selu
PYTEST := -m pytest -n auto --dist loadfile

NEWEST := .venv-newest
NEWEST_PIP := $(NEWEST)/bin/python -m pip --disable-pip-version-check
# The first of PYTHON313, python3.13 and pyenv's that starts (pyenv's stand-in on the PATH may not).
FIND_313 = for python in "$(PYTHON313)" python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && echo "$$python" && break; done
SKIP := echo "skipped: no Python 3.13 (set PYTHON313)"

TPU := .venv-tpu
GPU := .venv-gpu
# The questions that a GPU answers. Fused layers come first, each in a process of its own.
ON_A_GPU := fused throughput mc_dropout memory sweep floor kernels

.PHONY: cifar test test-all test-newest test-tpu bench-gpu newest lint docs install clean
WORDS := jaxdeep bench experiments docs README.md CHANGELOG.md CONTRIBUTING.md $(wildcard docs/*.md docs/extend/*.md)

cifar: .venv/installed
	$(BIN)/python -m experiments.cifar $(ARGS)

test: .venv/installed-test
	$(BIN)/python $(PYTEST) $(PYTEST_ARGS)

test-all: .venv/installed-test
	HYPOTHESIS_PROFILE=full $(BIN)/python $(PYTEST) -m "slow or not slow" $(PYTEST_ARGS)

test-newest:
	@python=$$($(FIND_313)); if [ -z "$$python" ]; then $(SKIP); exit 0; fi; set -ex; \
	if ! cmp -s constraints-newest.txt $(NEWEST)/installed || [ pyproject.toml -nt $(NEWEST)/installed ]; then \
		test -x $(NEWEST)/bin/python || "$$python" -m venv $(NEWEST); \
		$(NEWEST_PIP) install --quiet --constraint constraints-newest.txt --editable '.[test]'; \
		cp constraints-newest.txt $(NEWEST)/installed; \
	fi; \
	$(NEWEST)/bin/python $(PYTEST) $(PYTEST_ARGS)

test-tpu: $(TPU)/installed
	TPU_SKIP_MDS_QUERY=1 $(TPU)/bin/python -m pytest -m "slow or not slow" tests/test_compilers.py tests/test_bench_scaling.py $(PYTEST_ARGS)

bench-gpu: $(GPU)/installed
	set -e; for question in $(ON_A_GPU); do $(GPU)/bin/python -m bench $$question $(BENCH_ARGS); done
	$(GPU)/bin/python -m bench results

newest:
	@python=$$($(FIND_313)); if [ -z "$$python" ]; then $(SKIP); exit 0; fi; set -ex; \
	rm -rf $(NEWEST); "$$python" -m venv $(NEWEST); \
	$(NEWEST_PIP) install --quiet --editable '.[test]'; \
	{ echo "# What make test-newest tests on Python 3.13: the newest versions at the time of make newest."; \
	  $(NEWEST_PIP) freeze --exclude-editable --exclude jaxdeep; } > constraints-newest.txt; \
	cp constraints-newest.txt $(NEWEST)/installed

lint: .venv/installed-docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m docs.words $(WORDS)

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The pages are in site/index.html."

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

.venv/installed-docs: .venv/installed-test
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

$(TPU)/installed: pyproject.toml constraints.txt
	test -x $(TPU)/bin/python || $(PYTHON) -m venv $(TPU)
	$(TPU)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
		--editable '.[bench-tpu]' pytest hypothesis
	touch $@

$(GPU)/installed: pyproject.toml constraints.txt
	test -x $(GPU)/bin/python || $(PYTHON) -m venv $(GPU)
	$(GPU)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
		--editable '.[bench,bench-cuda]'
	touch $@

clean:
	rm -rf .venv $(NEWEST) $(TPU) $(GPU) site
