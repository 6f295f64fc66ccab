# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/sh
PYTHON := .venv/bin/python
TYPED := vpsctl migrations tests/images tests/engines tests/project tests/benchmarks quickstart .ci

.DEFAULT_GOAL := help
.PHONY: help quickstart test check lint types contracts dead-code audit bench format lock clean venv setup-engine images engine26

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

quickstart: setup-engine ## set up this machine, deploy an example site, redeploy it under traffic
	@$(PYTHON) quickstart/quickstart.py

test: setup-engine images ## set up what is missing and run every test (ARGS="tests/unit -k name" picks some)
	@$(PYTHON) -m pytest -n 3 --dist loadfile $(ARGS)

check: lint types contracts dead-code audit ## lint, format, types, import contracts, dead code, dependency audit

lint: .venv/stamp
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: .venv/stamp
	@.venv/bin/mypy $(TYPED)

contracts: .venv/stamp
	@.venv/bin/lint-imports --no-logo

dead-code: .venv/stamp
	@.venv/bin/vulture

audit: .venv/stamp
	@$(PYTHON) .ci/audit.py

bench: setup-engine images ## run the benchmarks and print their tables (ARGS=switch picks one)
	@$(PYTHON) -m tests.benchmarks $(ARGS)

format: .venv/stamp ## format the code and mend what the linter can
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

lock: ## resolve the dependencies anew into requirements/ (ARGS=--upgrade for the newest)
	@sh quickstart/lock.sh $(ARGS)

venv: .venv/stamp ## make .venv from requirements/dev.txt

setup-engine: .venv/stamp ## install and start a Docker Engine where none answers
	@$(PYTHON) quickstart/engine.py

images: setup-engine ## pull the base images, or make stand-ins where no registry answers
	@$(PYTHON) -m tests.images

engine26: setup-engine ## start a second, newer Docker Engine (26.1) for the engine suite and print its address
	@$(PYTHON) -m tests.engines

clean: ## remove .venv and every cache of this checkout (containers and images stay)
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/stamp: requirements/dev.txt pyproject.toml quickstart/venv.sh
	@sh quickstart/venv.sh
