# Two commands matter on a fresh machine: `make demo` and `make test`. Both set everything up first.
PYTHON ?= python3
BIN := .venv/bin
# Tests at once: as many as cores, and SPARE more; `make test WORKERS=4` for another number.
SPARE := 0
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + $(SPARE))')
TOGETHER = -n $(WORKERS) --maxprocesses 8 --dist worksteal

# Tests start hundreds of processes, each of which would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo serve test test-fast containers coverage lint format hooks docs bench gallery pages gpu clean

setup: .venv/installed

# By uv where it is installed, which takes a fraction of pip's time; either compiles each module once.
UV := $(shell command -v uv)
ifdef UV
INSTALL = uv pip install --quiet --python $(BIN)/python --compile-bytecode
else
INSTALL = $(BIN)/python -m pip install --quiet
endif

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rankward needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(INSTALL) --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/rankward demo

serve: setup
	$(BIN)/rankward serve

# All tests: first those that share the machine with any others, then those that start whole services, two files at a time.
# Some of the first wait for other processes.
test: SPARE := 1
test: setup
	$(BIN)/python -m pytest $(TOGETHER) -m "not alone"
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m alone

# What is worth running after every change: no PostgreSQL, no browser, nothing that takes seconds to start.
test-fast: setup
	$(BIN)/python -m pytest $(TOGETHER) -q --fast

# The image and docker-compose.yml for real, with kills; needs a Docker engine and root, and says so where there is none.
containers: setup
	$(BIN)/python -m pytest -rs --containers --timeout 3600 tests/containers

# Lines and branches that the tests do not reach; what runs in processes of its own is not counted.
coverage: setup
	$(BIN)/python -m pytest $(TOGETHER) -q -m "not alone" --cov --cov-report term-missing

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Run the checks of .pre-commit-config.yaml at every commit.
hooks: setup
	$(BIN)/prek install

# The guide, from docs/, the presets and the OpenAPI document; the service shows it at /guide. Broken links end it.
docs: setup
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/python -m mkdocs build --strict --quiet

bench: setup
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m benchmarks

# Pictures of presets that have none, and docs/gallery.md; `make gallery NAMES="figure_1 symmetric"` draws these again.
gallery: setup
	$(BIN)/python -m benchmarks.gallery $(NAMES)

# The pictures of the pages in docs/images; needs Chromium.
pages: setup
	$(BIN)/python -m benchmarks.page_pictures

# Needs torch with CUDA, and no network: it takes the Python of .venv, or PYTHON where there is none.
gpu:
	$(firstword $(wildcard $(BIN)/python) $(PYTHON)) -m benchmarks.gpu

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .coverage *.egg-info
