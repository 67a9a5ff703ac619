# Fencepost's commands. Each sets up what it needs in .venv first.

# The first Python that runs and is new enough: a name that is found may still be an empty shell.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
# What is imported is compiled by whoever imports it first. Pip would compile all that there is, half of its time.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=

# Files stay whole, because their tests share servers, and in the order that tests/conftest.py gives them.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=25

# Tests that draw examples, of which the gate takes a few.
DRAWN := plain_python or behind_the_wall or going_back or index_changes or by_facts or unsettled or number_of_workers \
  or is_read_back or one_guard or what_arrives or was_exported

# Tests of races, of which the gate takes the delays that differ.
RACES := before_a_choice_was_heard or while_a_job_opens or wrong_press or on_a_slow_network

.PHONY: help run test cover fuzz soak lint bench
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run ## serve on http://localhost:3051 in demo mode, with demo jobs or with JOBS=export.csv CLIENT=acme
ifdef JOBS
	$(BIN)/python -m core migrate
	$(BIN)/python -m core import --client "$(or $(CLIENT),imported)" "$(JOBS)"
endif
	FENCEPOST_DEMO=$${FENCEPOST_DEMO:-1} $(BIN)/python -m dashboard

# The checks run beside the tests. What they found is shown last, and fails the run as a test does.
test: .venv/dev ## check the code and run every test, the slowest 25 named
	@$(MAKE) --no-print-directory lint >.venv/lint.log 2>&1 & lint=$$!; \
	$(PYTEST); tests=$$?; \
	wait $$lint; lint=$$?; \
	cat .venv/lint.log; \
	exit $$((tests || lint))

cover: .venv/dev ## run every test and say which lines none of them reaches
	$(PYTEST) --cov --cov-report=term:skip-covered

fuzz: .venv/dev ## make up 1,000 requests of each kind from openapi.json, others with SEED=2
	$(BIN)/python -m pytest tests/api/test_openapi.py --examples=1000 --fuzz-seed=$(or $(SEED),1)

soak: .venv/dev ## a hundred pages in Chromium, its races after every delay, hundreds of drawn examples, exports of each kind, a flood of 30 s, 10,000 webhooks, 30,000 acts, 20 reviewers, 200 histories, pipx and uv, other Pythons
	$(BIN)/python -m pytest tests/browser/test_paging.py --pages=100
	$(BIN)/python -m pytest tests/browser/test_reviews_page.py -k many_verdicts --verdicts=120
	$(BIN)/python -m pytest tests/browser -k "$(RACES)" --delays
	$(BIN)/python -m pytest $$(grep -rl "@examples(" tests/core) -k "$(DRAWN)" --times=10
	$(BIN)/python -m pytest tests/system/test_pooler.py --exports=100
	$(BIN)/python -m pytest tests/dashboard/server/test_floods.py -s --flood=30
	$(BIN)/python -m pytest tests/core/keeping/test_growth.py --acts=30000
	$(BIN)/python -m pytest tests/core/facts/test_writing.py -k each_commit --histories=200
	$(BIN)/python -m pytest tests/core/webhooks/test_sender.py --webhooks=10000
	$(BIN)/python -m pytest tests/core/review/test_queues.py -s --reviewers-jobs=10000
	$(BIN)/python -m pytest tests/browser/test_installed.py -k one_command --installers
	$(BIN)/python -m pytest tests/system/test_pythons.py -rs --pythons

lint: .venv/dev ## check form and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/bench ## measure, each figure as a ratio against a named peer
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.write_cost
	$(BIN)/python -m benchmarks.export_cost

.venv/python:
	@test -n "$(PYTHON)" || \
	  { echo "Fencepost needs Python 3.11 or newer: install it, or say make PYTHON=/its/path." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "Python cannot make a virtual environment: install its venv package (Debian: python3-venv)." >&2; exit 1; }
# The one that comes with Python 3.11 takes twice as long, and does where there is no other.
	@$(PIP_INSTALL) pip==26.3 2>/dev/null || true
	@touch $@

.venv/run: .venv/python requirements.txt constraints.txt
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

.venv/bench: .venv/dev requirements-bench.txt
	$(PIP_INSTALL) -r requirements-bench.txt
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@
