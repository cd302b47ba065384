# Everything happens in .venv; `make demo`, `make check` and `make test` make it where it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Both crates, with the features that the package is built with: nothing is compiled for one of them alone.
CARGO_ALL := --locked --quiet --workspace --features pyo3/extension-module
PYTEST := $(BIN)/python -m pytest -q
# Which tests are quick, and which run alone, is said in tests/tiers.py.
TOGETHER := -p no:benchmark -n 2 --dist loadfile
QUICK := $(TOGETHER) -m quick --hypothesis-profile quick

.PHONY: demo check test quick pythons lowest lint bench fuzz stress sabotage ci wheel release-wheel try-wheel clean

# The main job on a small real workspace.
demo: $(VENV)/.built
	$(BIN)/n4w demo

# While writing: lints, types, Rust's tests and the quick ones of Python.
check: lint quick
	cargo test $(CARGO_ALL) --all-targets

quick: $(VENV)/.built
	$(PYTEST) $(QUICK) tests

# All that a user needs to trust a checkout.
test: $(VENV)/.built
	cargo test $(CARGO_ALL)
	# Two at a time; then, alone, those with clocks, locks, kills and strace.
	$(PYTEST) $(TOGETHER) -m "not alone" tests
	$(PYTEST) -m alone tests

# The quick tests on the newest Python that is at hand, and on the oldest where .venv has another.
pythons: $(VENV)/.built
	$(BIN)/python tests/pythons.py $(VENV) -q -p no:cacheprovider $(QUICK) tests \
		--ignore tests/unit/test_messages.py

# And on the lowest versions of dependencies that pyproject.toml names, whose words may be others.
lowest: $(VENV)/.built $(VENV)/lowest/.installed
	PYTHONPATH=$(CURDIR)/python $(VENV)/lowest/bin/python -m pytest -q -p no:cacheprovider $(QUICK) tests \
		--ignore tests/unit/test_messages.py

# The long forms of the stress tests: an hour or two.
stress: $(VENV)/.built
	N4W_STRESS_ROUNDS=200 N4W_STRESS_STRIDE=1 N4W_STRESS_WRITERS=32 N4W_STRESS_SECONDS=60 \
		$(PYTEST) --hypothesis-profile stress --timeout 7200 tests/stress tests/property

# Breaks the package in each way that docs/testing.md lists; a test must notice.
sabotage: $(VENV)/.built
	$(BIN)/python tests/stress/sabotage.py

# Format, lints, types, and the core's independence of Python.
lint: $(VENV)/.built
	cargo fmt --check
	cargo clippy $(CARGO_ALL) --all-targets -- -D warnings
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

# What .ci/run runs: the lints, all tests, the other Pythons and versions, a small round of the benches, the wheel.
# Tests of nirs4all may not be skipped there.
ci: export N4W_NIRS4ALL = 1
ci: lint test lowest pythons
	$(PYTEST) benches --quick --benchmark-disable-gc
	$(MAKE) wheel

# A wheel of what the tests ran on, and the sources, tried as users get them.
wheel: $(VENV)/.built
	rm -rf dist
	$(BIN)/maturin build --locked --quiet --out dist
	$(BIN)/maturin sdist --out dist
	$(MAKE) try-wheel

# What is published: optimised throughout, and for every Linux with glibc 2.28 or later.
release-wheel: $(VENV)/.installed
	rm -rf dist
	$(BIN)/maturin build --locked --release --zig --compatibility manylinux_2_28 --out dist
	$(BIN)/maturin sdist --out dist
	$(MAKE) try-wheel

try-wheel:
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tests/wheel.py dist/*.whl

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
	rm -rf $(VENV) target dist
