# `make help` lists the targets; each says in its comment what it does.

.DEFAULT_GOAL := help
.PHONY: help demo up test lint types floors migrations deployment unit coverage browser soak lock clean
.PHONY: for-demo for-test

BIN := .venv/bin
SANDBOX := SANDBOX=1
# Debian calls it python3, others python3.11; take the first that is new enough.
PYTHON := $(shell for name in python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	{ echo $$name; break; }; done)

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: for-demo ## the whole back office with a demo world; ARGS=--once ends by itself
	@$(BIN)/python manage.py demo $(ARGS)

up: for-demo ## the back office on this machine, as the environment configures it
	@$(BIN)/python manage.py up $(ARGS)

test: lint types floors migrations deployment unit ## everything that CI runs

lint: for-test ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: for-test ## mypy, strict
	$(BIN)/mypy issuer tests manage.py

floors: for-test ## import-linter: rooms import from floors below only
	$(BIN)/lint-imports

migrations: for-test ## no model has changed without a migration
	$(SANDBOX) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

deployment: for-test ## Django's checks of a production environment
	@.ci/as-production $(BIN)/python manage.py check --deploy --fail-level WARNING

unit: for-test ## the tests; ARGS=tests/ledger runs one room's
	$(BIN)/pytest -n 3 --dist loadfile $(ARGS)

coverage: for-test ## the tests, and which branches they reach: 95 % at least
	$(BIN)/pytest -n 3 --dist loadfile --cov --cov-report=term --cov-fail-under=95 $(ARGS)

browser: for-test ## only the tests that drive a browser
	$(BIN)/pytest -m browser $(ARGS)

soak: for-test ## hours of random histories, to find what the few of every run do not
	HISTORIES=soak $(BIN)/pytest -n 2 --dist loadfile -m history $(ARGS)

lock: for-test ## pin the packages of pyproject.toml anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--extra test -c requirements.txt pyproject.toml -o tests/requirements.txt

clean: ## remove what the targets made here; data in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	rm -rf issuer/chain/contracts/node_modules

for-demo for-test: for-%:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed:" \
		"apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) .ci/setup.py $*
