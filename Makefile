# Two commands matter: `make demo` and `make test`. Both build what they need on a machine that has only Python 3.11+.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
LOCK_FLAGS := --quiet --universal -p 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock'
INSTALL_SELF := $(UV) pip install -q --no-deps --no-build-isolation -p $(BIN)/python -e .

.PHONY: demo test lint page tools lock docs types pictures bench bench-large proof format clean

demo: $(VENV)/demo.ok page
	@exec $(BIN)/sqal demo $(ARGS)

test: tools lint page
	$(BIN)/python dashboard/build.py --check
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

# The promises at their full counts: minutes, not seconds. The last -m wins over the one in pyproject.toml.
proof: tools page
	$(BIN)/pytest -n 2 --dist worksteal -m proof $(ARGS)

# The environment is made once per lock file; a changed lock makes it again.
$(UV):
	@echo "· making the virtual environment"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SQAL needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

# The development environment holds everything that the demo needs: where it is current, it serves.
$(VENV)/demo.ok: requirements/demo.txt pyproject.toml | $(UV)
	@if [ $(VENV)/dev.ok -nt requirements/dev.txt ] && [ $(VENV)/dev.ok -nt pyproject.toml ]; then touch $@; else \
	  echo "· installing the locked packages"; \
	  $(UV) pip sync -q --require-hashes -p $(BIN)/python requirements/demo.txt && $(INSTALL_SELF) && touch $@; fi

$(VENV)/dev.ok: requirements/dev.txt pyproject.toml | $(UV)
	@echo "· installing the locked packages for development"
	@$(UV) pip sync -q --require-hashes -p $(BIN)/python requirements/dev.txt
	@$(INSTALL_SELF)
	@touch $@

page: | $(UV)
	@$(BIN)/python dashboard/build.py

tools:
	@tests/tools.sh

lint: $(VENV)/dev.ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/dev.ok
	$(BIN)/python -m contract.reference > docs/contract.md

types: $(VENV)/dev.ok
	$(BIN)/python -m cloud.api.typescript > dashboard/src/api-types.ts

pictures: $(VENV)/dev.ok tools page
	$(BIN)/python -m docs.images.make

bench: $(VENV)/dev.ok tools page
	$(BIN)/python -m bench all --write

# 23 million samples: half an hour and 30 GB, where SQAL_BENCH_FOLDER says.
bench-large: $(VENV)/dev.ok tools
	$(BIN)/python -m bench queries_large --write

lock: | $(UV)
	$(UV) pip compile $(LOCK_FLAGS) --extra demo --extra client --group build pyproject.toml -o requirements/demo.txt
	$(UV) pip compile $(LOCK_FLAGS) --extra demo --extra client --group build --group dev -c requirements/demo.txt pyproject.toml -o requirements/dev.txt

format: $(VENV)/dev.ok
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) var dist build cloud/static dashboard/node_modules
