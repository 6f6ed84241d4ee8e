# `make demo` and `make test` are each enough on their own after a clone.
PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0

.PHONY: demo test lint bench bench-bundle bench-check clean

# torch comes first and alone, so that nothing else decides which build of it is installed.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

demo: .venv/installed
	$(BIN)/golf demo

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/python -m bench

bench-bundle: .venv/installed
	$(BIN)/python -m bench bundle

# REPO: a clone of the challenge, bare or not. MANIFEST: labelled entries of it, one JSON object a line.
MANIFEST ?= ../shared/compliance_dev.jsonl
bench-check: .venv/installed
	@if test -d "$(REPO)" && test -f "$(MANIFEST)"; \
	then $(BIN)/python -m toolkit.check.benchmark --repo "$(REPO)" --manifest "$(MANIFEST)"; \
	else echo "bench-check: expected REPO=<a clone of the challenge> and MANIFEST=<labelled entries>; nothing measured"; fi

# What installing and testing made; data, builds with their runs, and records stay.
clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
