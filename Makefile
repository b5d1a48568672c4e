# Two commands for a newcomer: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit flows uat test-long check understanding knowledge bench bench-engine bench-audit bench-audit-10m docs rasa-verify ragflow-verify llm-verify clean browser ceph softhsm

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.demo: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Tightrope needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make demo PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies (about 140 MB to download, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.demo
	@echo "Installing the locked test dependencies (about 60 MB more, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.demo ## Run everything on this machine (CHECK=1: scripted check on free ports, exit 0 or 1)
	@$(BIN)/tightrope demo $(if $(CHECK),--check,)

test: $(VENV)/.dev browser ## All quick tests: checks, unit, integration, acceptance with a browser (under 20 minutes)
	@$(MAKE) --no-print-directory check
	@$(BIN)/coverage erase
	@$(PYTEST) tests/unit -n 2 --cov --cov-report= --cov-fail-under=0 -p no:cacheprovider
	@$(PYTEST) -m "not long" --ignore tests/unit --ignore tests/acceptance -n 2 --dist loadfile --cov --cov-append --cov-report= --cov-fail-under=0 -p no:cacheprovider
	@$(PYTEST) -m "not long" tests/acceptance --cov --cov-append --cov-report= --cov-fail-under=0 -p no:cacheprovider
	@$(BIN)/coverage combine -q 2>/dev/null || true
	@$(BIN)/coverage report

test-unit: $(VENV)/.dev ## Unit tests alone, no sockets (seconds)
	@$(PYTEST) tests/unit -n 2

flows: $(VENV)/.dev ## For flow authors: all that a change of flows, wording or lines can break (a minute or two)
	@$(PYTEST) tests/unit/rasa_files tests/unit/actions tests/unit/understanding tests/unit/rules -p no:cacheprovider

uat: $(VENV)/.demo ## All acceptance cases against the real parts (under five minutes); report in .tightrope/uat
	@$(BIN)/tightrope uat run

test-long: $(VENV)/.dev browser ceph softhsm ## Crash tests, WORM store on Ceph, the audit benchmark in small, acceptance cases and the whole demo check (under 60 minutes)
	@$(PYTEST) -m long
	@$(MAKE) --no-print-directory uat
	@$(MAKE) --no-print-directory demo CHECK=1

check: $(VENV)/.dev ## Formatting, lint, types, import contracts, module sizes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python -m tests.check_sizes

understanding: $(VENV)/.dev ## Encode and train anew after lines in data/understanding changed (a minute or two; 20 ms a new line)
	@$(BIN)/python -m tightrope.understanding.build

knowledge: $(VENV)/.dev ## Encode anew after documents in knowledge_base changed (0.2 s a new passage)
	@$(BIN)/python -m tightrope.knowledge.build

bench: $(VENV)/.dev ## Speed of the whole way of a message and of the audit log, beside bare yardsticks; writes docs/reports/ (20 minutes)
	@$(BIN)/python -m benchmarks.throughput
	@$(MAKE) --no-print-directory bench-audit

bench-engine: $(VENV)/.dev ## Speed of the engine alone: its core, served turns, and what more journeys cost; writes docs/reports/
	@$(BIN)/python -m benchmarks.engine.core
	@$(BIN)/python -m benchmarks.engine.served
	@$(BIN)/python -m benchmarks.engine.journeys

bench-audit: $(VENV)/.dev ## Figures of the audit log: release, batches, verification, growth, find and export, bytes a turn; writes docs/reports/ (a quarter of an hour)
	@$(BIN)/python -m benchmarks.audit

bench-audit-10m: $(VENV)/.dev ## Find and export one customer among 100 thousand, 1 and 10 million events; writes docs/reports/ (20 minutes, 35 GB of disk for that time)
	@$(BIN)/python -m benchmarks.audit.find_export

docs: $(VENV)/.dev ## Write docs/settings.md from the settings' own descriptions
	@$(BIN)/python -m tightrope.cli.settings_page > docs/settings.md

rasa-verify: $(VENV)/.dev ## The same project on Rasa Pro; needs the firm's licence key
	@bash deploy/rasa/verify.sh

ragflow-verify: $(VENV)/.dev ## RAGFlow's contract and our client against a real RAGFlow: RAGFLOW_URL=http://… RAGFLOW_KEY=ragflow-…
	@bash deploy/ragflow/verify.sh

llm-verify: $(VENV)/.dev ## A real vLLM on this CPU with models that know nothing: protocol, and 300 questions through the gate (0.7 GB, up to an hour)
	@bash deploy/vllm/verify/run.sh

browser: $(VENV)/.dev
	@bash deploy/browser.sh

ceph: $(VENV)/.dev
	@bash deploy/ceph/install.sh

softhsm:
	@bash deploy/softhsm.sh

clean: ## Remove the environment and the demo's data
	@rm -rf $(VENV) .tightrope
