# `make report` and `make test` set up everything they need, on a machine that has only Python and pip.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find mlpnb notebooks -name '*.py' -o -name '*.pyi' -o -name '*.ipynb')

.PHONY: report test lint lab app handouts docs bench bench-scaling soak pictures fuzz audit constraints clean

report: report/report.html  ## the question's grid on real fits: an HTML page, the notebook, the figure, the numbers
	@echo "Open report/report.html in a browser."

report/report.html: .venv/installed $(SOURCES)
	$(BIN)/mlpnb report --out report

test: lint  ## every check and every test
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: .venv/installed  ## JupyterLab, with the notebooks of this checkout
	$(BIN)/jupyter lab notebooks/01_the_question.ipynb

app: .venv/installed  ## the explorer as a web page, on this machine only
	$(BIN)/mlpnb app

bench: .venv/installed  ## the benchmarks' tables, and benchmarks/results-*.json
	$(BIN)/python benchmarks/question.py
	$(BIN)/python benchmarks/explanation.py
	$(BIN)/python benchmarks/estimators.py
	$(BIN)/python benchmarks/latency.py

# PyTorch is one of those compared, and asked for here alone: it is a large download.
bench-scaling: .venv/installed  ## growth with rows, features, units, networks, workers: docs/scaling.md and its picture; 25 minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/scaling.py

soak: .venv/installed  ## whether long work grows: an hour or two, the table of docs/trust.md, and benchmarks/results-soak.json
	$(BIN)/python benchmarks/soak.py

handouts: .venv/installed  ## pages with sliders that need no Python, and PDFs
	$(BIN)/mlpnb handout --out handouts

# A broken link fails it.
docs: .venv/installed  ## the documentation, with the notebooks executed: docs/_build/html/index.html
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html

pictures: .venv/installed  ## the README's picture and its answer, from real fits
	$(BIN)/python docs/pictures.py

# Made anew when what is asked for changes; otherwise setting up does nothing.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[app,distributed,docs,test]"
	touch $@

MINUTES ?= 10
fuzz: .venv/installed  ## what reads files, fuzzed for MINUTES each (10); corpus and findings in .fuzz/
	for target in csv parquet settings sweep; do $(BIN)/python fuzz/fuzz.py $$target $$((60 * $(MINUTES))) || exit 1; done

# A package that can't be looked up fails it too.
audit: .venv/installed  ## what constraints.txt pins, against the known vulnerabilities
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement constraints.txt || { \
	  echo "make audit: NOT AUDITED, or not clean; the lines above say why. Where they tell of a connection or of a" \
	    "package not found, the list of vulnerabilities can't be reached from here: run it where it can." >&2; exit 1; }

constraints: .venv/installed  ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable --exclude mlpnb > constraints.txt

clean:
	rm -rf .venv .fuzz report handouts docs/_build docs/notebooks docs/reference
