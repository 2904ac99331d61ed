# `make` alone tells what there is. Needs Python 3.11 to 3.13 and make; everything else goes into .venv.

PYTHON ?= python3
SEEDS ?= 1000 200
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help venv run explore test proof validate seeds lint check pictures notebooks baselines pairs power bench kernel-object object-proof golden clean

help: ## list the targets (what you see now)
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

venv: $(INSTALLED) ## make .venv with everything at its pinned version
$(INSTALLED): setup.cfg setup.py pyproject.toml constraints.txt hgeisim/drivers/explored/compiled/search.c
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

run: $(INSTALLED) ## simulate a big.LITTLE machine: a table, and a picture in out/big-little
	$(BIN)/hgeisim run big-little --out out/big-little
	$(BIN)/hgeisim plot out/big-little
	@echo "The picture: $(CURDIR)/out/big-little/occupancy.png"

explore: $(INSTALLED) ## search a patch for a race (it has one, so exit status 1 is expected)
	@echo "Exit status 1 means that something was found, as it should be here."
	$(BIN)/hgeisim explore patch-race --variant v6.12+percpu-v2 || test $$? -eq 1

test: $(INSTALLED) ## run the tests, on all cores
	$(BIN)/python -m pytest -q -n auto -m "not proof"

proof: $(INSTALLED) ## run the tests that take minutes: whole searches in two ways, broken patches in time
	$(BIN)/python -m pytest -q -n auto -m proof

validate: $(INSTALLED) ## the simulator against theory, to 1 %, and docs/validation.md; three hours of CPU
	$(BIN)/python -m benchmarks.validation

seeds: $(INSTALLED) ## 200 seeds of each scenario, on all cores; may be stopped and started again
	$(BIN)/python -m benchmarks.seeds $(SEEDS)

lint: $(INSTALLED) ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint test ## everything that must hold before a commit

pictures: $(INSTALLED) ## draw the pictures of README.md and docs/ again
	$(BIN)/hgeisim run big-little --out out/big-little
	$(BIN)/hgeisim plot out/big-little -o docs/big-little.png
	$(BIN)/hgeisim run big-little --variant v7.1 --out out/v7.1
	$(BIN)/hgeisim plot out/v7.1 -o docs/big-little-v7.1.png
	$(BIN)/hgeisim run big-little --variant v6.18 --out out/v6.18 || test $$? -eq 1
	$(BIN)/hgeisim plot out/v6.18 -o docs/big-little-v6.18.png
	$(BIN)/hgeisim trace import tests/data/traces/18-storm-3132.txt.gz --lines 3,1,3,2 --out out/real
	$(BIN)/hgeisim plot out/real -o docs/trace-real.png
	$(BIN)/hgeisim run scenarios/traces/18-storm-3132.toml --out out/simulated || test $$? -eq 1
	$(BIN)/hgeisim plot out/simulated -o docs/trace-simulated.png
	$(BIN)/hgeisim locks show v7.3 --format png --out docs/lock-order.png

notebooks: $(INSTALLED) ## execute the notebooks, so that they carry their outputs
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[notebook]'
	$(BIN)/python -m benchmarks.notebooks

baselines: $(INSTALLED) ## search shipped kernels again, for patches to be compared with; minutes on all cores
	$(BIN)/python -m benchmarks.baselines

pairs: $(INSTALLED) ## search everything against everything, and write docs/pairs.md; some minutes
	$(BIN)/python -m benchmarks.pairs

power: $(INSTALLED) ## plant faults in all scenarios, and write docs/power.md; some minutes
	$(BIN)/python -m benchmarks.power

bench: $(INSTALLED) ## measure what the seam, recording and studies cost, and how fast a search is
	$(BIN)/python -m benchmarks.seam
	$(BIN)/python -m benchmarks.bytecodes
	$(BIN)/python -m benchmarks.whole
	$(BIN)/python -m benchmarks.explore
	$(BIN)/python -m benchmarks.spin
	$(BIN)/python -m benchmarks.lock_order
	$(BIN)/python -m benchmarks.recording
	$(BIN)/python -m benchmarks.studies

kernel-object: $(INSTALLED) ## build aia.o and aia_imsic.o of v6.12 for RISC-V, to run them; two minutes
	VERSION='$(VERSION)' PATCH='$(PATCH)' PREEMPTION='$(PREEMPTION)' OPTIONS='$(OPTIONS)' $(BIN)/python -m benchmarks.kernel_object

object-proof: $(INSTALLED) ## compare the objects of make kernel-object with the model, exhaustively; some minutes
	$(BIN)/python -m benchmarks.object_proof

golden: $(INSTALLED) ## rewrite expected texts, fingerprints and import graph; then read the diff
	HGEISIM_UPDATE=1 $(BIN)/python -m pytest -q -n auto -m "not proof"

clean: ## remove what make made
	rm -rf .venv out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
