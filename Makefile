# `make demo` shows it, `make test` proves it; both install what they need first.
.DEFAULT_GOAL := help
.PHONY: help demo check test guard faults audit bench docs oldest clean debian-packages browser shells
.DELETE_ON_ERROR:

BIN := .venv/bin
VENV := .venv/stamp
SHELL_FILES := deploy/hosts/scripts/*.sh deploy/unit/*.sh deploy/cli/shells/*.bash \
    scripts/debian-packages scripts/lock scripts/oldest scripts/python .ci/run bench/peers/*.sh

help:
	@echo "make demo    4 hosts, a deploy under load, no failed request (about 3 minutes)"
	@echo "make check   format, lint, types, the tests without the lab, what they cover (minutes)"
	@echo "make test    make check, then the promises on the lab's real hosts"
	@echo "make guard   10,000 damaged settings, SSH and AWS files, packages, command lines (an hour)"
	@echo "make faults  what a deploy survives: kills, cuts, bad releases, races (about 75 minutes)"
	@echo "make audit   every wall of SECURITY.md attacked, with and without it (about 4 minutes)"
	@echo "make docs    the documentation as a site, in .lab/site"
	@echo "make oldest  the fast tests with the oldest versions that pyproject.toml allows"
	@echo "make bench   the same job by us and by others, side by side (about 50 minutes)"
	@echo "make clean   take the lab down, remove what was made here"

# Wheels only, each by its hash: what builds a source archive is in no lock, and would run here.
# python3-venv first: without it Debian's Python leaves half a virtual environment behind.
$(VENV): requirements.lock requirements-dev.lock
	@scripts/debian-packages python
	@python=$$(scripts/python) && echo "making .venv with $$python" && \
	    "$$python" -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	    -r requirements-dev.lock
	@touch $@

debian-packages:
	@scripts/debian-packages lab

browser:
	@scripts/debian-packages browser

shells:
	@scripts/debian-packages shells

demo: debian-packages $(VENV)
	@$(BIN)/python -m lab.demo

check: $(VENV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy deploy changeover lab bench faults audit scripts tasks.py tests --exclude '^tests/lab/'
	$(BIN)/mypy tests/lab  # apart: two conftest.py in one run are one too many for it
	$(BIN)/shellcheck $(SHELL_FILES)
	@rm -f .lab/coverage.json
	$(BIN)/pytest -m "not lab" -n 3 --dist worksteal --cov --cov-report=json:.lab/coverage.json
	$(BIN)/python scripts/coverage_gate.py .lab/coverage.json

# A recipe line of its own, not a prerequisite: the lab's tests come last, their summary too.
test: debian-packages browser shells check
	$(BIN)/pytest -m lab -n 3 --dist worksteal --durations=40 --durations-min=20

# The fast tests take a few examples of each kind.
guard: $(VENV)
	EXAMPLES=10000 $(BIN)/pytest tests/guard -n 3 --dist worksteal

faults: debian-packages $(VENV)
	@$(BIN)/python -m faults

audit: debian-packages $(VENV)
	@$(BIN)/python -m audit

bench: debian-packages $(VENV)
	@$(BIN)/python -m bench

# A virtual environment of its own: what builds the site is no part of the checks.
.lab/docs/stamp: requirements-docs.lock
	@scripts/debian-packages python
	@python=$$(scripts/python) && "$$python" -m venv --clear .lab/docs
	@.lab/docs/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	    --only-binary :all: -r requirements-docs.lock
	@touch $@

docs: .lab/docs/stamp
	@.lab/docs/bin/mkdocs build --strict --site-dir .lab/site && echo .lab/site/index.html

oldest: $(VENV)
	@scripts/oldest -m "not lab" -n 3 --dist worksteal

clean:
	@if [ -x $(BIN)/inv ]; then $(BIN)/inv lab.down; fi
	rm -rf .venv .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
