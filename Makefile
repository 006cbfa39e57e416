# Every target works on a fresh clone: what it needs, `make venv` installs from the lock, checked by hash.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
CLIENTS := tests/collector/clients
TRACKERS := $(CLIENTS)/.venv/.installed
COMPILED := $(wildcard $(addprefix pipeline/core/*.,pyx pxd pxi))
WORKERS ?= 4
DATA ?= masir-data
LISTEN ?= 127.0.0.1:8088
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' --extra build --extra traces

.DEFAULT_GOAL := help
# Compiling every module anew at each start would double the time of the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv demo run test pytest lint format trackers dashboards bench faults load lock clean

help:  ## Show this help
	@echo "Masir: a live picture of your customers' journeys. To begin: make demo"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED)  ## Make .venv with Python 3.11 or newer, and .venv/bin/masir (PYTHON=python3.12 chooses one)

$(INSTALLED): pyproject.toml requirements-dev.lock $(COMPILED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Masir needs Python 3.11 or newer, and \`$(PYTHON)\` is not." >&2; \
		echo "Name one: make venv PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/# via/p' requirements-dev.lock | $(PIP) --require-hashes -r /dev/stdin
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)  ## Real and synthetic hits through the whole pipeline, and what came out
	@$(BIN)/masir demo

run: $(INSTALLED)  ## Collector, agents, store and metrics in one process (DATA=masir-data LISTEN=127.0.0.1:8088)
	@$(BIN)/masir run --data $(DATA) --listen $(LISTEN)

test: $(INSTALLED)  ## Lint and all tests, side by side
	$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: $(TRACKERS)  ## All tests, in WORKERS=4 processes: many of them wait
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 10

trackers: $(TRACKERS)  ## The real trackers that the tests drive (those of browsers and node need npm)

$(TRACKERS): $(INSTALLED) $(CLIENTS)/package-lock.json $(CLIENTS)/python/requirements.txt
	$(BIN)/uv venv --quiet --clear $(CLIENTS)/.venv
	$(BIN)/uv pip install --quiet --python $(CLIENTS)/.venv/bin/python --require-hashes \
		-r $(CLIENTS)/python/requirements.txt
	@if command -v npm >/dev/null; then npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund --silent; \
	else echo "npm is missing: the tests of trackers for browsers and node are left out"; fi
	@touch $@

lint: $(INSTALLED)  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## Let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dashboards: $(INSTALLED)  ## Write Grafana's dashboards anew from deploy/grafana/source
	$(BIN)/python -m deploy.grafana.source

bench: $(INSTALLED)  ## Speed beside plain Faust and Flink, latency, collector, outage (needs java, mvn, wrk; half an hour)
	@missed=0; for part in bench bench.kafka_load bench.latency bench.collector bench.outage; do \
		echo "python -m $$part"; $(BIN)/python -m $$part || missed=1; done; exit $$missed

faults: ROUNDS = 20
faults: $(INSTALLED)  ## kill -9 under load, ROUNDS=20, and what was lost or came twice (minutes)
	$(BIN)/python -m bench.faults --rounds $(ROUNDS)

load: ROUNDS = 5
load: $(INSTALLED)  ## The collector under load (needs wrk), then ROUNDS=5 of all fuzzing, new inputs each (minutes)
	$(BIN)/python -m bench.collector --seconds 60
	for round in $$(seq $(ROUNDS)); do $(BIN)/pytest -q -n $(WORKERS) -m hypothesis || exit 1; done

lock: $(INSTALLED)  ## Write the lock files anew from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	$(COMPILE) $(UPGRADE) --output-file requirements.lock pyproject.toml
	$(COMPILE) $(UPGRADE) --extra dev --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command 'make lock' $(UPGRADE) --output-file $(CLIENTS)/python/requirements.txt \
		$(CLIENTS)/python/requirements.in

clean:  ## Remove what can be made again: .venv, caches, the demo's data (never DATA)
	rm -rf $(VENV) $(CLIENTS)/.venv $(CLIENTS)/node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis masir-demo
	rm -f pipeline/core/*.c pipeline/core/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
