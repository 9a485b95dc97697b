# The same commands for people and for CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is Python 3.11 or 3.12 makes the environment; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
PINNED = $(BIN)/python -m uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header
ROWS ?= 1000000
YEARS ?= 2019-2023

##@ Use
.PHONY: help demo images
help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BIN)/.installed  ## Bring up the whole platform and fill it with demo data (ROWS=1000000 YEARS=2019-2023)
	@$(BIN)/headwater up
	@$(BIN)/headwater demo-data loans --rows $(ROWS) --years $(YEARS)
	@$(BIN)/headwater materialize --all --stale
	@$(BIN)/headwater dashboards push
	@$(BIN)/headwater tour

images: $(BIN)/.installed  ## Build the container images, where there is a container engine (see docs/compose.md)
	@$(BIN)/headwater images

##@ Develop
.PHONY: install pins lint types contracts unit deploy-test chart test test-full bench bench-readme format clean
install: $(BIN)/.installed-dev  ## Make .venv with everything that tests need

pins: $(BIN)/.installed-dev  ## Pin what pyproject.toml asks for; pins that still fit stay
	@$(PINNED) pyproject.toml --output-file requirements.txt
	@$(PINNED) pyproject.toml --group dev -c requirements.txt --output-file requirements-dev.txt

lint: $(BIN)/.installed-dev  ## Style and formatting
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(BIN)/.installed-dev  ## Types, strictly
	@$(BIN)/mypy

contracts: $(BIN)/.installed-dev  ## Which package may import which
	@$(BIN)/lint-imports --config pyproject.toml | tail -8

unit: $(BIN)/.installed-dev  ## Tests without services
	@$(BIN)/pytest tests/unit

deploy-test: $(BIN)/.installed-dev  ## Tests of the tree, the images, the compose file and the chart; none is started
	@$(BIN)/headwater fetch helm
	@$(BIN)/pytest tests/deploy

chart: $(BIN)/.installed-dev  ## Write what of the chart is made of the core, its values and its render
	@$(BIN)/headwater fetch helm
	@PYTHONPATH=tests/support $(BIN)/python tests/support/chart.py

test: lint types contracts  ## Tier 1: everything above, and the real services with small data
	@$(BIN)/headwater fetch
	@$(BIN)/pytest -m 'not full'

test-full: lint types contracts  ## Tier 1 and what takes long
	@$(BIN)/headwater fetch
	@$(BIN)/pytest

bench: $(BIN)/.installed-dev  ## Measure what the README claims, both sides in one run; prints one JSON
	@$(BIN)/headwater fetch
	@mkdir -p .headwater-bench
	@$(BIN)/python -m bench --out .headwater-bench/result.json

bench-readme: $(BIN)/.installed-dev  ## Write the README's figures from the last `make bench`
	@$(BIN)/python -m bench.readme .headwater-bench/result.json

format: $(BIN)/.installed-dev  ## Format the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:  ## Stop the box and remove it and .venv; fetched runtimes stay in the cache
	@if [ -x $(BIN)/headwater ]; then $(BIN)/headwater destroy --yes || true; fi
	@rm -rf .venv .headwater-test .headwater-bench .headwater-images build dist

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Headwater needs Python 3.11 or 3.12 and found neither; install one (for example the package python3.12) and run make again, or say make PYTHON=/path/to/python." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else "Headwater needs Python 3.11 or 3.12, not %d.%d; install one of them and run make again." % v)'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments; install its venv module (for example the package python3-venv) and run make again." >&2; exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

$(BIN)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what requirements.txt pins"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.txt \
		| awk -v all=$$(grep -c '^[a-z].*==' requirements.txt) \
			'/^Collecting/ {if (++n % 20 == 0) print "  " n " of about " all " packages"; fflush(); next} \
			/^(Building|Installing|Successfully)/ {print "  " substr($$0, 1, 60); fflush()}'
	@$(BIN)/pip install --disable-pip-version-check -q --no-deps -e .
	@touch $@

$(BIN)/.installed-dev: requirements-dev.txt $(BIN)/.installed
	@echo "Installing what requirements-dev.txt pins"
	@$(BIN)/pip install --disable-pip-version-check -q --require-hashes -r requirements-dev.txt
	@touch $@
