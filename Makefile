# `make demo` and `make test` are all that a fresh machine with Python 3.11 and make needs. The virtual environment is
# made again whenever pyproject.toml changes; nothing outside this folder is touched but, for `make test` as root on
# Debian or Ubuntu, system packages that are missing (scripts/system-packages).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEY := $(shell cksum < pyproject.toml | cut -d ' ' -f 1)
DEMO_STAMP := $(VENV)/.devproxy-demo-$(KEY)
TEST_STAMP := $(VENV)/.devproxy-test-$(KEY)
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# As many at a time as tests/conftest.py says, and whoever is done takes over from the others.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
BENCH_STAMP := bench/node_modules/.package-lock.json
# Debian keeps nginx and HAProxy where only root looks.
BENCH := PATH="$$PATH:/usr/local/sbin:/usr/sbin" $(BIN)/python -m bench

.DEFAULT_GOAL := help
.PHONY: help demo test test-matrix check lint fix docs docs-serve fuzz soak bench bench-quick bench-baseline cov clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F '|' '{printf "%-20s %s\n", $$1, $$2}'

demo: $(DEMO_STAMP) ## a page and a Socket.IO backend with devproxy in front; open the address it prints
	@exec $(BIN)/devproxy demo

test: $(TEST_STAMP) ## every test, with real browsers, real Socket.IO and real Vite (needs Node, Chromium, nginx, Caddy, HAProxy and tinyproxy)
	@scripts/system-packages test
	@$(PYTEST)

test-matrix: $(TEST_STAMP) ## unit and integration tests on every newer Python of this machine, on both event loops (ARGS="--only 3.13")
	@$(BIN)/python -m tests.matrix $(ARGS)

check: lint test ## what must be green before a commit: formatting, lint, types, floors, tests

lint: $(TEST_STAMP) ## the part of `make check` that runs nothing
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary --config-file tests/support/windows/mypy.ini
	@$(BIN)/lint-imports

fix: $(TEST_STAMP) ## repair formatting and what ruff can repair, and write the generated files again
	@$(BIN)/python -m docs.generate
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(TEST_STAMP) ## the documents as a site, in build/docs/html, every link followed
	@$(BIN)/python -m docs.site

docs-serve: $(TEST_STAMP) ## the same, shown on this machine and written again when a document changes
	@exec $(BIN)/python -m docs.site --serve

fuzz: $(TEST_STAMP) ## mutated messages without end (FUZZ_SECONDS=60, FUZZ_SEED=1); what breaks a rule is kept
	@$(BIN)/python -m tests.fuzz

soak: $(TEST_STAMP) ## ten minutes of a working day: hundreds of clients, servers that die and move; a million new requests (SOAK_SECONDS=60)
	@$(BIN)/python -m tests.soak

bench: $(TEST_STAMP) $(BENCH_STAMP) ## side by side with nginx, HAProxy, Caddy, http-proxy and Vite, in one run
	@scripts/system-packages bench
	@$(BENCH)

bench-quick: $(TEST_STAMP) $(BENCH_STAMP) ## the same with fewer rows and repetitions
	@scripts/system-packages bench
	@$(BENCH) --quick

bench-baseline: $(TEST_STAMP) ## save how much work an exchange is; NOTE="why" where it has grown by more than 2 %
	@$(BIN)/python -m bench.pipeline --baseline --note '$(NOTE)'

cov: $(TEST_STAMP) ## coverage of the unit, property and integration tests
	@$(BIN)/coverage run --branch --source=devproxy -m pytest -q tests/unit tests/property tests/integration
	@$(BIN)/coverage report --show-missing --skip-covered

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .venv-3.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: devproxy needs Python 3.11 or later" >&2; \
	    echo "help: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "help: on Debian and Ubuntu, apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# The environment for the tests holds everything that the demo needs.
$(DEMO_STAMP): $(BIN)/python
	@test -e $(TEST_STAMP) || { echo "installing devproxy into $(VENV)"; $(PIP) -e '.[demo]'; }
	@rm -f $(VENV)/.devproxy-demo-* && touch $@

$(TEST_STAMP): $(BIN)/python
	@echo "installing devproxy and what its tests need into $(VENV)"
	@$(PIP) -e '.[test]'
	@rm -f $(VENV)/.devproxy-test-* && touch $@

# npm writes this file when it is done; until then there is no npm, perhaps, and system-packages brings it.
$(BENCH_STAMP): bench/package-lock.json
	@scripts/system-packages bench
	@npm ci --prefix bench --silent --no-audit --no-fund && touch $@
