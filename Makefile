# Two commands are all it takes: `make demo` and `make test`. Both set everything up first: no root, nothing but Python 3.11.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test check unit integration features bench bench-features chaos lock clean

BIN := .venv/bin
UV := .uv/bin/uv
STAMP := .venv/.driftloop-setup
# The Pythons of this machine only: uv must not go and fetch one.
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := 1
DEMO ?=
# Beside card_fraud, which a process serves where nothing else is said.
DOMAINS := $(notdir $(patsubst %/__init__.py,%,$(wildcard features/domains/*/__init__.py)))
OTHER_DOMAINS := $(filter-out card_fraud,$(DOMAINS))
# Of bench-features.
RESULTS := benchmarks/results
WEEK := --train 2018-07-25:2018-07-31 --delay-days 7 --test 2018-08-08:2018-08-14
SEED ?= 1
# Processes of the tests that need servers.
JOBS ?= 3
FAULTS ?= 200
DATA ?= ../shared/data/handbook-transactions.parquet

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F '\t' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with everything that requirements.lock pins.

demo: $(STAMP) ## Set up, then show the whole loop turning (options: make demo DEMO="--data FILE").
	$(BIN)/driftloop demo $(DEMO)

test: check ## Set up, check, then run all tests.
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory integration

check: $(STAMP) ## Lint, format, types and the import table.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP) ## The unit tests and the contract suites: no broker.
	$(BIN)/pytest tests/unit tests/contracts -n 2 -q
	@for domain in $(OTHER_DOMAINS); do DRIFTLOOP_DOMAIN=$$domain $(BIN)/pytest tests/contracts/domains -q; done

# Several processes, a platform each: these tests wait for servers more than for a core. A file's tests stay together.
integration: $(STAMP) ## The tests that need a real broker, Redis and model server.
	$(BIN)/pytest tests --ignore tests/unit --ignore tests/contracts -n $(JOBS) --dist loadfile --no-loadscope-reorder -q

features: $(STAMP) ## Make what comes from each domain's features anew: features/transform/loops and docs/features*.md.
	@for domain in $(DOMAINS); do DRIFTLOOP_DOMAIN=$$domain $(BIN)/python -m features.catalogue.generate; done

bench-features: $(STAMP) ## Measure the features and write docs/benchmarks.md (DATA=FILE: the Handbook's transactions).
	$(BIN)/python -m benchmarks.transform --data $(DATA) --json $(RESULTS)/transform.json
	$(BIN)/python -m benchmarks.backfill --data $(DATA) --json $(RESULTS)/backfill.json
	$(BIN)/python -m benchmarks.feast --json $(RESULTS)/feast.json
	$(BIN)/python -m benchmarks.handbook --data $(DATA) $(WEEK) --json $(RESULTS)/handbook.json
	$(BIN)/python -m benchmarks.handbook --data $(DATA) $(WEEK) --train-from 2018-05-01 --models mlp --weeks 5 \
		--json $(RESULTS)/handbook-since-2018-05-01.json
	$(BIN)/python -m benchmarks.handbook --data $(DATA) $(WEEK) --train-from 2018-05-01 --models mlp --groups --seeds 1 \
		--json $(RESULTS)/handbook-groups.json
	$(BIN)/python -m benchmarks.report docs/benchmarks.md

bench: $(STAMP) ## Measure the streams (throughput beside Quix Streams and Faust, latency, growth, state) and write docs/benchmarks.md.
	$(BIN)/python -m benchmarks.streams.throughput --rounds 3 --json $(RESULTS)/streams-throughput.json
	$(BIN)/python -m benchmarks.streams.latency --json $(RESULTS)/streams-latency.json
	$(BIN)/python -m benchmarks.streams.tuning --json $(RESULTS)/streams-tuning.json
	$(BIN)/python -m benchmarks.streams.growth --json $(RESULTS)/streams-growth.json
	$(BIN)/python -m benchmarks.streams.cards --json $(RESULTS)/streams-cards.json
	$(BIN)/python -m benchmarks.streams.state --json $(RESULTS)/streams-state.json
	$(BIN)/python -m benchmarks.wire --json $(RESULTS)/wire.json
	$(BIN)/python -m benchmarks.report docs/benchmarks.md

chaos: $(STAMP) ## Inject faults into a running platform and write docs/chaos.md (SEED=1 FAULTS=200).
	$(BIN)/python -m tests.chaos --seed $(SEED) --faults $(FAULTS) --report

lock: $(UV) ## Resolve pyproject.toml anew into requirements.lock.
	$(UV) pip compile pyproject.toml --all-extras --universal --generate-hashes --no-annotate --custom-compile-command "make lock" --python-version 3.11 -q -o requirements.lock

clean: ## Remove .venv and .uv (the platform's data stays).
	rm -rf .venv .uv

# Where the lock and pyproject.toml are as they were at the last set-up, nothing is done.
$(STAMP): requirements.lock pyproject.toml $(UV)
	$(UV) venv --quiet --allow-existing --python .uv/bin/python .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m streams.scoring.warm_up
	@touch $@

$(UV):
	@python=$$(.ci/python311); \
	"$$python" -m venv .uv; \
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
