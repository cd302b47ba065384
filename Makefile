# Everything happens in .venv; `make demo` and `make test` make it where it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lowest lint bench fuzz stress sabotage ci clean

# The main job on a small real workspace.
demo: $(VENV)/.built
	$(BIN)/n4w demo

# Rust and Python tests.
TOGETHER := tests/compat tests/property tests/unit
ALONE := $(addprefix tests/unit/test_,cache.py file_errors.py file_index.py hashes.py locks.py one_unreadable_thing.py resolve.py \
	watch.py)
test: $(VENV)/.built
	# Both crates, so that their dependencies are those that the package is built with.
	cargo test --locked --quiet --workspace --features pyo3/extension-module
	# Two at a time; then, alone, those with clocks, locks, kills and strace.
	$(BIN)/python -m pytest -q -p no:benchmark -n 2 --dist loadfile $(TOGETHER) $(addprefix --ignore ,$(ALONE))
	$(BIN)/python -m pytest -q $(ALONE) tests/stress

# What leans on dependencies, on the lowest versions that pyproject.toml names.
LEANING := $(addprefix tests/unit/test_,contents.py datasets_command.py mappings.py migrate.py old_queries.py \
	pages.py relations_commands.py run_commands.py scan_pruning.py values.py watch.py writer.py)
lowest: $(VENV)/.built $(VENV)/lowest/.installed
	PYTHONPATH=$(CURDIR)/python $(VENV)/lowest/bin/python -m pytest -q -p no:cacheprovider $(LEANING) \
		tests/property/test_column_types.py

# The long forms of the stress tests: an hour or two.
stress: $(VENV)/.built
	N4W_STRESS_ROUNDS=200 N4W_STRESS_STRIDE=1 N4W_STRESS_WRITERS=32 N4W_STRESS_SECONDS=60 N4W_STRESS_MODELS=300 \
		$(BIN)/python -m pytest -q --timeout 7200 tests/stress tests/property/test_writing.py

# Breaks the package in each way that docs/testing.md lists; a test must notice.
sabotage: $(VENV)/.built
	$(BIN)/python tests/stress/sabotage.py

# Format, lints, types, and the core's independence of Python.
lint: $(VENV)/.built
	cargo fmt --check
	cargo clippy --locked --quiet --workspace --all-targets --features pyo3/extension-module -- -D warnings
	! cargo tree --locked -p n4w-core -e normal | grep -i pyo3
	$(BIN)/ruff format --check python tests benches docs
	$(BIN)/ruff check python tests benches docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > .venv/imports || { cat .venv/imports; exit 1; }

# Full sizes, against the peers that docs/benchmarks.md names, on an optimised build.
bench: $(VENV)/.installed
	$(BIN)/maturin develop --release --quiet
	rm -f $(VENV)/.built
	$(BIN)/python benches/table.py $(BENCH)

# One minute on each target; needs a nightly toolchain and cargo-fuzz.
fuzz:
	cd rust/fuzz && for target in footer sketch; do cargo +nightly fuzz run $$target -- -max_total_time=60 || exit 1; done

# What .ci/run runs: the same tests, after the lints and before a small round of the benches.
ci: lint test lowest
	$(BIN)/python -m pytest -q benches --quick --benchmark-disable-gc
	$(BIN)/n4w demo --json > /dev/null

$(VENV)/.installed: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	touch $@

$(VENV)/lowest/.installed: pyproject.toml tests/lowest.py $(VENV)/.installed
	$(PYTHON) -m venv $(VENV)/lowest
	$(BIN)/python tests/lowest.py | $(VENV)/lowest/bin/python -m pip install --quiet --requirement /dev/stdin
	touch $@

$(VENV)/.built: $(VENV)/.installed Cargo.lock $(shell find rust python -name '*.rs' -o -name '*.toml' -o -name '*.pyi')
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --quiet
	touch $@

clean:
	rm -rf $(VENV) target
