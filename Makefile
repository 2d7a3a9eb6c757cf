# Two commands do everything on a fresh machine: `make demo`, `make test`.
PYTHON ?= python3
BIN    := .venv/bin
UV     ?= uv
EXTRAS := --extra heic --extra encrypted --extra notify --extra postgres --extra role --extra web
MEMORY := $(shell grep -qs ' /dev/shm .*noexec' /proc/mounts || df -k --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000 {print "/dev/shm"}')
TEST_PROCESSES ?= 4
OF_LINT := tests/test_architecture.py tests/test_references.py tests/test_vocabulary.py tests/messages/test_catalogue.py \
	tests/messages/test_plain_words.py
BUNDLE ?= dist
LOCK   := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --no-header

.PHONY: demo test quick attack lives crash bench bench-short bench-hosts hosts chaos gauntlet trap lint docs pictures bundle format lock sample clean help

help:            ## this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

.venv/core: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/core requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: .venv/core ## import sample_data/ against the built-in sandbox; expects exit 3
	@$(BIN)/esign-import demo; code=$$?; \
	if [ $$code -eq 3 ]; then exit 0; else echo "make demo: expected exit 3, got $$code" >&2; exit 1; fi

# Tests wait for processes, sockets and the disk: more of them than cores, their files in memory where there is room
test quick: export PYTHONDONTWRITEBYTECODE =
test quick: export PYTEST_DEBUG_TEMPROOT = $(MEMORY)
test quick: export TMPDIR := $(or $(MEMORY),$(TMPDIR))
test: .venv/dev  ## all tests but those of `make lint` (under 5 minutes on two cores)
	@$(COMPILE)
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal $(OF_LINT:%=--ignore=%)

QUICK := not server and not browser and not office

quick: .venv/dev ## the tests that need no server, browser, LibreOffice or whole run (under 60 seconds on two cores)
	@$(COMPILE)
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal -m "$(QUICK)" $(OF_LINT:%=--ignore=%) \
		--ignore=tests/end_to_end --ignore=tests/web --ignore=tests/attack --ignore=tests/generated_rosters

# In a fresh clone each process would compile all modules: two do it before, each half of them
COMPILE = [ -d tests/end_to_end/__pycache__ ] || { $(BIN)/python -m pytest -q --co tests/end_to_end tests/reports >/dev/null & \
	$(BIN)/python -m pytest -q --co --ignore=tests/end_to_end --ignore=tests/reports >/dev/null; wait; }

attack: .venv/dev ## ways to a second or a wrong seal: mixed ledgers, odd answers, pasted columns, small pictures, other doctors' files (about 20 min, 37 on a busy machine)
	ATTACK=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal --tb=short tests/attack tests/end_to_end/test_wrong_pictures.py

lives: .venv/dev ## LIVES random hospitals of each kind from SEED on, six runs or forty steps on the page each: wrong pictures, rows held without need (about 30 min)
	LIVES=$(or $(LIVES),200) SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q -n 2 --tb=short \
		tests/attack/test_random_lives.py tests/attack/test_page_lives.py

crash: .venv/dev ## kill -9, signals and failing writes everywhere, 360 random kills, 60 randomised scenarios (about 8 min)
	CRASH=1 MACHINE=60 $(BIN)/python -m pytest -q tests/end_to_end/test_crash.py tests/end_to_end/test_machine.py \
		tests/end_to_end/test_same_person.py tests/end_to_end/test_ledger_load.py tests/ledger/test_ledger_load.py tests/ledger/test_ledger_crash.py \
		tests/end_to_end/test_three_runs.py tests/end_to_end/test_adopt.py tests/end_to_end/test_resolve.py \
		-k "not (same_person or adopt or resolve) or kill"

bench: .venv/dev ## every figure next to its baseline; writes docs/{en,zh}/performance.md (about 45 min on an idle machine)
	PYTHONPATH=. $(BIN)/python -m bench

bench-short: .venv/dev ## the same table with fewer rows and turns (5 min); writes nothing
	PYTHONPATH=. $(BIN)/python -m bench --short

bench-hosts: .venv/dev ## one quota for 1, 4 and 12 processes, and a small hospital beside large ones, also in the queue (about 20 min, needs PostgreSQL)
	PYTHONPATH=. $(BIN)/python -m bench.several_processes
	PYTHONPATH=. $(BIN)/python -m bench.several_hosts --slots

hosts: .venv/dev ## several hosts: dead, stopped and cut off processes, a server that crashes or is put back, storms, workers (about 20 min)
	HOSTS=1 $(BIN)/python -m pytest -q tests/end_to_end/test_workers.py tests/end_to_end/test_server_ledger.py \
		tests/end_to_end/test_server_faults.py tests/end_to_end/test_hospitals.py tests/end_to_end/test_restored_databases.py \
		tests/ledger/test_server_commits.py tests/ledger/test_server_hold.py tests/hosts/test_shared_rate_limiter.py \
		tests/end_to_end/test_hosts_page.py

chaos: .venv/dev ## ten hospitals on two hosts for CHAOS minutes: kills, stops, cuts, server crashes, an older database put back (60 min)
	CHAOS=$(or $(CHAOS),60) $(BIN)/python -m pytest -q -s tests/end_to_end/test_server_faults.py -k chaos

gauntlet: .venv/dev ## comparison with the official SDK under faults: duplicates, false successes, false failures (3 min)
	$(BIN)/python bench/gauntlet.py

trap: .venv/dev  ## twenty generated hospitals full of mistakes, marked copies of each format, all examples of the properties (about 10 min)
	TRAP_SEEDS=20 PIXEL_SEEDS=2 $(BIN)/python -m pytest -q -n 2 --dist loadscope tests/generated_rosters/test_traps.py \
		tests/generated_rosters/test_damaged_numbers.py tests/end_to_end/test_marked_copies.py tests/end_to_end/test_plain_copies.py \
		tests/end_to_end/test_sent_pixels.py tests/intake tests/planning tests/config tests/esign tests/domain tests/sending \
		tests/operations/test_init.py tests/reports/test_plain_copy.py tests/test_sample_data.py

lint: .venv/dev  ## ruff, mypy --strict, import rules, dead code, tests of architecture, names, words and messages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/python -m pytest -q $(OF_LINT)

docs: .venv/dev  ## write config.yaml and the tables of codes and keys again from the program
	PYTHONPATH=. $(BIN)/python docs/codes.py
	PYTHONPATH=. $(BIN)/python docs/keys.py

bundle:          ## a folder that runs without Python, by PyInstaller, in dist/, and starts it (about 2 minutes)
	$(PYTHON) ops/bundle/build.py $(BUNDLE)

format: .venv/dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:            ## renew the lock files (needs uv)
	$(LOCK) pyproject.toml $(EXTRAS) --group build --output-file requirements.lock
	$(LOCK) pyproject.toml $(EXTRAS) --group build --group dev --output-file requirements-dev.lock
	$(LOCK) --group pyproject.toml:bundle --output-file ops/bundle/requirements.lock

sample: .venv/dev ## draw sample_data/ again
	$(BIN)/python sample_data/make.py

pictures: .venv/dev ## draw docs/img/ again: workbook and pages of a demo run (needs LibreOffice, poppler-utils, chromium)
	$(BIN)/python docs/img/make.py

clean:           ## remove the environment and the demo
	rm -rf .venv demo
