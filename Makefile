.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
KAFKA := infra/kafka/kafka-local.sh

.PHONY: help setup run demo test check chaos bench bench-large up migration schemas redrive republish reconcile kafka sbom audit

help:      ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/dev.stamp ## virtualenv with everything that development and tests need

$(VENV)/runtime.stamp: requirements/runtime.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/runtime.stamp
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/runtime.stamp ## the whole product in one process, http://127.0.0.1:8000
	@exec $(BIN)/python -m infra.embedded

demo: $(VENV)/runtime.stamp ## play the journey on an instance of its own and show what comes back
	@exec $(BIN)/python -m infra.demo

# Every assertion is rewritten by each pytest process where no bytecode may be kept.
test: export PYTHONDONTWRITEBYTECODE :=
test: check kafka ## everything that proves the product
	@$(BIN)/python -m pytest -q -n 3 --dist loadscope --no-loadscope-reorder tests

check: $(VENV)/dev.stamp ## ruff, mypy --strict, import-linter, frozen contracts
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy shared services infra
	@$(BIN)/lint-imports

kafka: ## fetch the Kafka broker for tests (Java 17 and Maven), where it can be had
	@$(KAFKA) fetch || { test -z "$$CI" || exit 1; echo "Kafka could not be fetched: its tests will be skipped."; }

chaos: $(VENV)/dev.stamp ## faults under load, then every invariant: make chaos minutes=30 [bus=kafka] [seed=1] [kills=100]
	@$(BIN)/python -m tests.fault.chaos --minutes $(or $(minutes),30) --bus $(or $(bus),embedded) $(if $(seed),--seed $(seed)) $(if $(kills),--kills $(kills))

bench: $(VENV)/dev.stamp ## ratios beside their floors
	@$(BIN)/python -m tests.bench

bench-large: $(VENV)/dev.stamp ## how the time per item grows to a million enterprises
	@$(BIN)/python -m tests.bench --large

up: $(VENV)/runtime.stamp ## the whole product in containers: PostgreSQL, Kafka, one process per role
	$(BIN)/python -m infra.secrets var/secrets
	docker compose build
	docker compose --profile ops up -d

migration: $(VENV)/dev.stamp ## make migration s=registry m="A sentence"
	@$(BIN)/python -m infra.cli migration "$(s)" "$(m)"

schemas: $(VENV)/dev.stamp ## rewrite the frozen event schemas, examples and OpenAPI; read the diff before committing
	@$(BIN)/python -m infra.cli schemas

sbom: $(VENV)/dev.stamp ## rewrite infra/sbom.json from the locks and the vendored files
	@$(BIN)/python -m infra.sbom

audit: $(VENV)/dev.stamp ## known vulnerabilities of what is locked, where a vulnerability service can be asked
	@if $(BIN)/python -c 'import socket; socket.create_connection(("api.osv.dev", 443), 5)' 2>/dev/null; \
	then $(BIN)/uv tool run pip-audit -s osv --require-hashes --disable-pip -r requirements/dev.txt; \
	else echo "SKIPPED: no vulnerability service can be reached from here; run make audit where there is a network."; fi

redrive: $(VENV)/runtime.stamp ## make redrive s=credit subject=<id>: replay what is set aside
	@$(BIN)/python -m infra.cli redrive "$(s)" "$(subject)"

republish: $(VENV)/runtime.stamp ## make republish s=audits since=2026-05-12T08:00+08:00: send again what a lost broker had
	@$(BIN)/python -m infra.cli republish "$(s)" "$(since)"

reconcile: $(VENV)/runtime.stamp ## make reconcile s=audits since=…: after a restore, find what differs from the bus and replay it
	@$(BIN)/python -m infra.cli reconcile "$(s)" "$(since)"
