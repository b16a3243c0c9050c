# Everything a laptop and CI run. `make` alone lists the targets.

PYTHON ?= python3
# One exact torch, installed before anything that needs one: a range lets pip choose a build with
# gigabytes of CUDA libraries.
TORCH ?= torch==2.13.0
WORKERS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO_READY := $(VENV)/.demo-ready
READY := $(VENV)/.ready

# Other people's libraries have an environment of their own, without the real wandb.
INTEGRATIONS := .venv-integrations
INTEGRATIONS_PIP := $(INTEGRATIONS)/bin/python -m pip install --quiet --disable-pip-version-check
INTEGRATIONS_READY := $(INTEGRATIONS)/.ready
# fastai asks for torchvision, which has no build for every torch, and for spacy; what is tested
# here needs neither.
FASTAI := fastai==2.8.8 fastcore==2.0.6 fastdownload==0.0.8 fastprogress==1.0.5 \
  fasttransform==0.0.5 plum-dispatch==2.9.0

# The engines behind a service. chdb is large and used by one suite, so it has an environment of its
# own.
SERVERS_READY := $(VENV)/.servers-ready
CHDB := .venv-chdb
CHDB_READY := $(CHDB)/.ready
SERVER_STORES := postgresql,postgresql-merged,clickhouse,clickhouse-chdb,fleet,blobs-moto,blobs-rclone
HTTP_STORES := http-postgresql,http-clickhouse,http-fleet,http-rclone

# A real browser, and what looks at pages in it; npm's packages are pinned with their hashes in
# tests/browser/package-lock.json.
BROWSER_READY := $(VENV)/.browser-ready
BROWSER_TOOLS := .browser

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-integrations test-stores test-servers test-browser check lint types floors docs audit bench bench-faults clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Stamps: an environment is made once, and again when what it is made from changes.
$(DEMO_READY): pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Quark needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) '$(TORCH)'
	$(PIP) scikit-learn --editable .
	@touch $@

$(READY): $(DEMO_READY)
	$(PIP) --editable '.[hooks,pandas,service,test,dev]'
	@touch $@

$(SERVERS_READY): $(READY)
	$(PIP) --editable '.[test-servers]'
	@touch $@

$(BROWSER_READY): $(READY) tests/browser/package-lock.json
	$(PIP) --editable '.[test-browser]'
	@mkdir -p $(BROWSER_TOOLS)
	cp tests/browser/package.json tests/browser/package-lock.json $(BROWSER_TOOLS)
	npm ci --prefix $(BROWSER_TOOLS) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(CHDB_READY): Makefile
	$(PYTHON) -m venv $(CHDB)
	$(CHDB)/bin/python -m pip install --quiet --disable-pip-version-check chdb==4.4.0
	@touch $@

venv: $(READY) ## make .venv with everything that the other targets need

demo: $(DEMO_READY) ## train on real digits, stop, read the run back, go on to the report
	@mkdir -p demo-runs
	QUARK_STORAGE_DIR=demo-runs QUARK_REPORT=0 $(BIN)/python examples/wandb_digits.py \
	  --checkpoint demo-runs/digits.pt --stop-after 7
	QUARK_STORAGE_DIR=demo-runs $(BIN)/python examples/demo_account.py
	QUARK_STORAGE_DIR=demo-runs $(BIN)/python examples/wandb_digits.py \
	  --checkpoint demo-runs/digits.pt

$(INTEGRATIONS_READY): pyproject.toml Makefile
	$(PYTHON) -m venv $(INTEGRATIONS)
	$(INTEGRATIONS_PIP) '$(TORCH)'
	$(INTEGRATIONS_PIP) --editable '.[media,pandas,sweeps,test-integrations]'
	$(INTEGRATIONS_PIP) --no-deps $(FASTAI)
	@touch $@

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
	  --ignore tests/integrations --ignore tests/servers --ignore tests/browser $(PYTEST_ARGS)

test-stores: $(SERVERS_READY) $(CHDB_READY) ## run the contract suites on real engines
	QUARK_TEST_CHDB_PYTHON=$(CURDIR)/$(CHDB)/bin/python $(BIN)/python -m pytest -n $(WORKERS) \
	  --dist worksteal tests/storage/test_*_contract.py \
	  --stores $(SERVER_STORES),$(HTTP_STORES) $(PYTEST_ARGS)

test-servers: $(SERVERS_READY) $(CHDB_READY) ## kill, cut and crowd services and engines
	QUARK_TEST_CHDB_PYTHON=$(CURDIR)/$(CHDB)/bin/python $(BIN)/python -m pytest tests/servers \
	  $(PYTEST_ARGS)

test-browser: $(BROWSER_READY) ## look at every page of the dashboard in a real Chromium
	@command -v chromium >/dev/null || [ -n "$$QUARK_TEST_CHROMIUM" ] \
	  || { echo "test-browser needs Chromium: apt-get install chromium, or name one in QUARK_TEST_CHROMIUM"; exit 1; }
	$(BIN)/python -m pytest tests/browser $(PYTEST_ARGS)

test-integrations: $(INTEGRATIONS_READY) ## train other people's libraries with Quark as their wandb
	$(INTEGRATIONS)/bin/python -m pytest -n $(WORKERS) --dist worksteal tests/integrations $(PYTEST_ARGS)

lint: $(READY) ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## check types
	$(BIN)/mypy

floors: $(READY) ## check who imports whom
	$(BIN)/lint-imports --no-cache

docs: $(READY) ## run the examples in documents and docstrings
	$(BIN)/python -m pytest -n $(WORKERS) tests/test_docs.py

check: lint types floors test ## all of the above: what CI runs

audit: $(SERVERS_READY) ## look for known holes in what is installed; needs PyPI's advisories
	$(BIN)/pip-audit --strict --progress-spinner off --skip-editable \
	  || { echo "audit: not done, or holes were found: see above"; exit 1; }

bench: $(READY) ## measure, and write a table and JSON
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-faults: $(READY) ## train broken and healthy runs; which faults are found, which alarms are false
	$(BIN)/python -m benchmarks.faults --workers $(WORKERS) $(BENCH_ARGS)

clean: ## remove the environment, caches and what the demo kept
	rm -rf $(VENV) $(INTEGRATIONS) $(CHDB) $(BROWSER_TOOLS) build dist demo-runs .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
