# The commands of this repository; `make help` lists them. Each makes .venv where it is missing and nothing outside it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FAST := not slow and not train and not sweep
CLIP := examples/01_keyword_spotting/yes.wav

.DEFAULT_GOAL := help
.PHONY: help demo test check lint bench sweep zoo figures wheel clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

demo: $(VENV)/.installed-demo ## build a keyword spotting firmware, run it in emulation on a spoken clip, prove its outputs
	$(BIN)/tinyml build kws_ds_cnn_s --board nano33ble --input $(CLIP)

test: $(VENV)/.installed-all ## run every test but the long sweep
	$(BIN)/python -m pytest -m "not sweep" -n 2

check: $(VENV)/.installed-all lint ## lint, types and the fast tests, in under a minute
	$(BIN)/python -m pytest -q -m "$(FAST)" -n 2

lint: $(VENV)/.installed-all ## lint, formatting and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-all ## instructions and memory of the MLPerf Tiny models beside other engines'
	$(BIN)/python -m tests.bench

sweep: $(VENV)/.installed-all ## thousands of random graphs against the reference; then `make zoo`; takes hours
	$(BIN)/python -m pytest -m sweep -n 2
	$(MAKE) zoo

zoo: $(VENV)/.installed-all ## train every network of the catalogue shortly on one task and measure it (docs/zoo-benchmark.md)
	$(BIN)/python -m tests.bench.zoo

figures: $(VENV)/.installed-all ## measure the model catalogue again, after changes to kernels or plans
	$(BIN)/python -m tinyml.models_table
	$(BIN)/python -m tinyml.report.models_page > docs/models.md
	$(BIN)/python -m tinyml.report.memory_figures

wheel: $(VENV)/.installed-all ## build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist

clean: ## remove what was built, but not .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; name another: make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[zig,unicorn]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,zig,unicorn,dev]'
	@touch $@ $(VENV)/.installed-demo
