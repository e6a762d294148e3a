# The environment lives in .venv; every target installs what it needs. Python 3.11+ and pip are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: help demo test test-cluster bench lint shots docs lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  ($(PYTHON) -m pip install --quiet --user virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV))
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@echo "installing the locked environment into $(VENV) ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q copilot detectors runbooks tui
	@touch $(STAMP)

demo: $(STAMP) ## From a fault to a verified fix, on the embedded lab
	@$(BIN)/infra-copilot demo $(ARGS)

test: $(STAMP) ## The whole test suite (what needs a real cluster is in test-cluster)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not cluster" $(ARGS)

test-cluster: $(STAMP) ## Build the real control plane (Go) and run what needs it
	@$(BIN)/python -m tests.cluster.build
	@$(BIN)/python -m pytest -m cluster $(ARGS)

bench: $(STAMP) ## Speed and quality, printed
	@$(BIN)/python -m evals.bench $(ARGS)

lint: $(STAMP) ## Style, types, arrows
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

shots: $(STAMP) ## Make the pictures of the README from the lab
	@$(BIN)/python -m evals.shots docs/pictures

docs: $(STAMP) ## Write the generated pages (causes, figures, commands)
	@$(BIN)/python -m evals.pages

lock: $(STAMP) ## Resolve anew
	@$(BIN)/uv pip compile --quiet --no-header --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --group dev --extra openai --extra anthropic --extra plot pyproject.toml -o requirements.lock

clean: ## Remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
