# `make run` starts the app, `make test` runs everything CI runs; `make help` lists the rest.
# Needs Python 3.11 or newer, make and git. Another Python: make run PYTHON=python3.12

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8501
WORKSPACE ?= data/sample.gpkg
WORKERS ?= 2

BIN := .venv/bin
SETUP := $(PYTHON) tools/setup.py

.PHONY: help run test lint suite bench docs lock clean setup setup-test

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

run: setup ## set up, build the sample workspace if there is none, and serve the app
	@case "$(WORKSPACE)" in *://*) ;; *) test -e "$(WORKSPACE)" || { mkdir -p "$$(dirname "$(WORKSPACE)")" && $(BIN)/gridgis demo -w "$(WORKSPACE)"; } ;; esac
	@exec $(BIN)/gridgis serve -w "$(WORKSPACE)" --host $(HOST) --port $(PORT)

test: setup-test lint suite ## set up with test tools, then lint, types, doctests and the whole suite

lint: setup-test ## style, format and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

suite: setup-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

bench: setup-test ## speed and memory against other libraries, as one table (QUICK=1 for a short run)
	$(BIN)/python -m bench $(if $(QUICK),--quick)

docs: setup ## rewrite the generated reference pages and build the site into site/
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/docs_site.py

lock: setup-test ## resolve the dependencies anew, within the limits of pyproject.toml
	$(BIN)/python tools/lock.py

clean: ## remove the environment and everything made; data files stay
	rm -rf .venv build dist site artifacts gridgis/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis

setup:
	@$(SETUP) run

setup-test:
	@$(SETUP) test
