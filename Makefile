# Everything a person types. `make run` and `make test` set up what they need by themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Immutable: the registry refuses a second image of one minute.
VERSION := $(or $(VERSION),$(shell date -u +v%Y%m%d-%H%M))
# Prefect's own files stay inside the checkout, and nothing is sent home.
export PREFECT_HOME ?= $(CURDIR)/.local/prefect
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export DO_NOT_TRACK ?= 1
# Recorded with every run, so that a forecast can be traced to its code.
export GIT_SHA ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: help install run serve test check up up-ecs down image image-check compose-check aws-check browser-check test-faults backfill-check mongosh-check screenshots deploy-check bootstrap deploy bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# requirements-dev.lock contains requirements.lock at the same versions, so the second only adds.
.venv/runtime.stamp: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing $$(grep -c '^[a-z].*==' $<) locked packages into .venv (about a minute)"
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/runtime.stamp
	@echo "Adding the locked packages of the tests"
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

install: .venv/dev.stamp ## Install everything into .venv

# Prefect makes its own folder, but not the one above it.
$(PREFECT_HOME):
	@mkdir -p $@

run: .venv/runtime.stamp | $(PREFECT_HOME) ## Run the pipeline once; with nothing configured, on demo data
	@$(BIN)/python -m flows.forecast $(ARGS)

serve: .venv/runtime.stamp | $(PREFECT_HOME) ## Serve the flow to a Prefect server (set PREFECT_API_URL)
	@$(BIN)/python -m flows.forecast serve

# What servers and killed runs leave behind goes with the folder; after a failure it stays.
define run_tests
@TMPDIR=$$(mktemp -d) && export TMPDIR \
  && $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(1) $(ARGS) \
  && rm -rf "$$TMPDIR"
endef

test: .venv/dev.stamp | $(PREFECT_HOME) ## Check and test everything, on real servers
	@$(MAKE) --no-print-directory check
	$(call run_tests)

test-faults: .venv/dev.stamp | $(PREFECT_HOME) ## Of the tests, only those that kill, cut, fill and corrupt
	$(call run_tests,-k "faults or termination or bad_input")

check: .venv/dev.stamp ## Format, lint, types, laws of import
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ty check --quiet
	@$(BIN)/lint-imports --no-cache > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }
	@echo "format, lint, types and imports: fine"

# A Docker engine and Debian's maker of root folders, for checks that start their own.
define install_engine
@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
  && ! { command -v dockerd && command -v iptables && command -v mmdebstrap \
    $(if $(PLATFORM),&& command -v qemu-aarch64-static); } > /dev/null; then \
  apt-get -o DPkg::Lock::Timeout=240 update -qq; \
  apt-get -o DPkg::Lock::Timeout=240 install -y -qq --no-install-recommends \
    docker.io iptables iproute2 mmdebstrap $(if $(PLATFORM),qemu-user-static) > /dev/null; fi
endef

up: ## Start everything on this machine: replica set, lake, Prefect, worker
	@deployments/compose/make-secrets.sh
	@$(MAKE) --no-print-directory image VERSION=local
	docker compose up --detach --wait
	@echo "Prefect: http://127.0.0.1:4200 (docs/how-to/run-with-compose.md)"

up-ecs: ## Run one forecast in a container, against the MONGODB_URI and LAKE_URI of elsewhere
	@test -n "$$MONGODB_URI" || { echo "MONGODB_URI is not set: name the replica set to write to." >&2; exit 2; }
	@deployments/compose/make-secrets.sh
	@$(MAKE) --no-print-directory image VERSION=local
	docker compose --profile ecs run --rm forecast-ecs

down: ## End what `make up` started; ARGS=--volumes forgets its data too
	docker compose --profile '*' down --remove-orphans $(ARGS)

# BUILD="--build-arg BASE=..." and the like goes to docker build, also from `up` and `up-ecs`.
image: ## Build the image; VERSION=v20261118-2000 names it
	docker build --build-arg VERSION=$(VERSION) --build-arg GIT_SHA=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) --tag forecast-pipeline:$(VERSION) $(BUILD) .

# PLATFORM=linux/arm64 does so for Graviton, on an emulated processor: a quarter of an hour.
image-check: .venv/dev.stamp | $(PREFECT_HOME) ## Build the image on an engine of its own and run it hardened
	$(install_engine)
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/python -m pytest -m image tests/deployment $(ARGS)

compose-check: .venv/dev.stamp | $(PREFECT_HOME) ## Bring the compose file up, run in it, cut the primary off
	$(install_engine)
	@$(BIN)/python -m pytest -m compose tests/deployment $(ARGS)

aws-check: .venv/dev.stamp | $(PREFECT_HOME) ## Apply the Terraform to a moto server and read back what it made
	@$(BIN)/python -m pytest -m aws tests/deployment $(ARGS)

browser-check: .venv/dev.stamp | $(PREFECT_HOME) ## Run the forecast from the Prefect UI in a real browser
	@$(BIN)/python -m pytest -m browser tests/deployment $(ARGS)

backfill-check: .venv/dev.stamp | $(PREFECT_HOME) ## Run twelve Wednesdays of 2019 over real data, check each score
	@$(BIN)/python -m pytest -m twelve tests/deployment $(ARGS)

mongosh-check: .venv/dev.stamp | $(PREFECT_HOME) ## Run what the documents show for mongosh (needs npm)
	@$(BIN)/python -m pytest -m mongosh tests/deployment $(ARGS)

screenshots: .venv/dev.stamp | $(PREFECT_HOME) ## Make the pictures of docs/images anew
	@$(BIN)/python -m tests.deployment.prefect_ui

# NAMES="forecast-weekly" does for some deployments only.
deploy-check: .venv/runtime.stamp | $(PREFECT_HOME) ## Look for faults of prefect.yaml, without a network
	@$(BIN)/python -m deployments.prefect check $(NAMES)

bootstrap: .venv/runtime.stamp | $(PREFECT_HOME) ## Make pools, alerts and automations on the Prefect server
	@$(BIN)/python -m deployments.prefect bootstrap $(NAMES)

deploy: .venv/runtime.stamp | $(PREFECT_HOME) ## Check and apply prefect.yaml, and tell what drifted
	@$(BIN)/python -m deployments.prefect deploy $(NAMES)

bench: .venv/dev.stamp | $(PREFECT_HOME) ## Measure; ARGS="ingest --json" picks one
	@$(BIN)/python -m tests.bench $(or $(ARGS),ingest)

lock: ## Resolve the locks anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --extra embedded --extra dask -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --extra embedded --extra dask --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove the environment, the demo lake and the embedded database
	rm -rf .venv .local
