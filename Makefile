# make demo   a fresh clone -> .venv -> the bundled recordings through the bundled model
# make test   a fresh clone -> .venv -> the whole test suite
PYTHON ?= python3
VENV ?= .venv
# Where the real corpora lie, if you have them; tests that need one are skipped without it.
CORPORA ?= ../shared/corpora
# Address of an index that holds the CPU-only torch (see README, "Install"); empty: the usual one.
TORCH_INDEX ?=
# Test processes at a time; each uses one thread.
JOBS ?= 2

BIN := $(VENV)/bin
ifneq ($(wildcard $(CORPORA)),)
export ASR_CORPORA := $(abspath $(CORPORA))
endif

.PHONY: demo test check check-long results bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --constraint constraints.txt --index-url $(TORCH_INDEX) torch torchaudio)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python recipes/demo/run.py

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS)

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The stored models on their test sets again: fails when one got worse than recipes/*/results.json state.
results: $(VENV)/.installed
	$(BIN)/python recipes/results.py

# What takes minutes: a training killed twenty times at random moments; a worker of a Ray cluster killed.
check-long: $(VENV)/.installed
	ASR_KILLS=20 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/test_training_killed.py
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,ray]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/check_cluster.py

bench: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	for claim in benchmarks/[a-z]*.py; do $(BIN)/python $$claim || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find asr recipes tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
