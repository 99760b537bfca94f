# `make demo`, `make test` and `make docs` set up all they need: Python >= 3.11 and make are enough.
PYTHON ?= python3
BIN := .venv/bin
# Plain output in logs, and no tests that depend on the user's terminal.
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BUILD_DOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

.PHONY: demo test check docs format bench fuzz clean

demo: .venv/run.stamp
	$(BIN)/gram demo -o demo/

test: check

# Two workers of one thread each: with more, threads of one wait for those of the other.
check: .venv/dev.stamp
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

docs: .venv/docs.stamp
	$(BUILD_DOCS)
	@echo "The pages are in site/: open site/index.html, or, with search, run $(BIN)/python -m http.server -d site"

format: .venv/dev.stamp
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

# An hour or so: every file that is written or read, damaged anew each time.
fuzz: .venv/dev.stamp
	GRAM_FUZZ_ROUNDS=$${GRAM_FUZZ_ROUNDS:-20000} GRAM_FUZZ_SEED=$${GRAM_FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m pytest tests/fuzz

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/bench_help.py
	$(BIN)/python benchmarks/bench_start.py
	$(BIN)/python benchmarks/bench_ranking.py
	$(BIN)/python benchmarks/bench_embed.py
	$(BIN)/python benchmarks/bench_losses.py --only time
	$(BIN)/python benchmarks/bench_losses.py --only products
	$(BIN)/python benchmarks/bench_eval.py

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit("gramcli needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	touch $@

.venv/run.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

.venv/dev.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ .venv/run.stamp .venv/docs.stamp

.venv/docs.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@ .venv/run.stamp

clean:
	rm -rf .venv demo site
