# `make demo` and `make test` are each enough on their own after a clone.
PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0

.PHONY: demo test coverage lint docs bench bench-bundle bench-check bench-mix bench-weights clean

# torch comes first and alone, so that nothing else decides which build of it is installed.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

demo: .venv/installed
	$(BIN)/golf demo

# A process for each core, each with one thread: threads of several processes would wait for one another.
test: export OMP_NUM_THREADS = 1
test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadfile

# Apart from `test`, because tracing every line takes more time than the tests themselves. Programs that tests start in
# processes of their own are not traced.
coverage: export OMP_NUM_THREADS = 1
coverage: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report term:skip-covered

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The generated tables; sizes of scripts take minutes where the bundler has not kept them.
docs: .venv/installed
	$(BIN)/python -m docs.generate

bench: .venv/installed
	$(BIN)/python -m bench

bench-bundle: .venv/installed
	$(BIN)/python -m bench bundle

# REPO: a clone of the challenge, bare or not. MANIFEST: labelled entries of it, one JSON object a line.
MANIFEST ?= ../shared/compliance_dev.jsonl
bench-check: .venv/installed
	@if test -d "$(REPO)" && test -f "$(MANIFEST)"; \
	then $(BIN)/python -m bench.check --repo "$(REPO)" --manifest "$(MANIFEST)"; \
	else echo "bench-check: expected REPO=<a clone of the challenge> and MANIFEST=<labelled entries>; nothing measured"; fi

# TEXTS: a folder with dickens.zip of the Silesia corpus, wikitext2_valid.txt and shakespeare.txt. The first run trains
# a network; glibc is told to keep memory that is freed, since fresh pages cost training on CPUs much of its speed.
TEXTS ?= ../shared/data
bench-mix: export MALLOC_MMAP_THRESHOLD_ = 1073741824
bench-mix: export MALLOC_TRIM_THRESHOLD_ = 1073741824
bench-mix: .venv/installed
	@if test -f "$(TEXTS)/dickens.zip"; \
	then $(BIN)/python -m pip install --quiet --editable '.[bench]' && $(BIN)/python -m bench mix "$(TEXTS)"; \
	else echo "bench-mix: expected TEXTS=<a folder with dickens.zip>; nothing measured"; fi

# TEXTS as above; the network is that of bench-mix.
bench-weights: export MALLOC_MMAP_THRESHOLD_ = 1073741824
bench-weights: export MALLOC_TRIM_THRESHOLD_ = 1073741824
bench-weights: .venv/installed
	@if test -f "$(TEXTS)/dickens.zip"; \
	then $(BIN)/python -m bench weights "$(TEXTS)"; \
	else echo "bench-weights: expected TEXTS=<a folder with dickens.zip>; nothing measured"; fi

# What installing and testing made; data, builds with their runs, and records stay.
clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* *.egg-info
