# What a person types. Every target sets up what is missing by itself; nothing is done twice.
SHELL := /bin/bash
RUN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench

help: ## show the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

setup:
	@bash tools/bootstrap.sh

demo: setup ## mine a real package into ./demo, prove its tasks, say where to look
	@$(RUN)/assay demo

# A file's tests stay together: they share what is slow to set up.
test: setup ## all tests, on all cores
	@$(RUN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: setup ## format, lint, types, import contract, fast tests
	@$(RUN)/ruff format --check -q .
	@$(RUN)/ruff check -q .
	@$(RUN)/mypy
	@$(RUN)/lint-imports --no-logo 2>/dev/null || $(RUN)/lint-imports
	@$(RUN)/python -m pytest -q -m "not sandbox and not docker and not network and not slow"

fix: setup ## format and mend what lint can mend
	@$(RUN)/ruff check -q --fix .
	@$(RUN)/ruff format -q .

bench: setup ## benchmarks: ratios as a table and as JSON
	@$(RUN)/python -m bench
