# Everything runs in .venv, made from the package registry on first use. Needs Python 3.11+ and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .polynya
TRIPS ?=
WEATHER ?=
TABNET ?=
TESTS ?= tests
PORT ?= 8501

.PHONY: help demo app weather stop clean-demo test lint format bench clean

help: ## Lists what make can do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# What the demo needs; the app, TabNet (PyTorch, which is large), tests and benchmarks need more.
$(VENV)/.installed: EXTRA = tripcast
$(VENV)/.installed-tabnet: EXTRA = tripcast,tabnet
$(VENV)/.installed-app: EXTRA = app
$(VENV)/.installed-dev: EXTRA = dev
$(VENV)/.installed $(VENV)/.installed-tabnet $(VENV)/.installed-app $(VENV)/.installed-dev: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[$(EXTRA)]'
	@touch $@

demo: $(VENV)/.installed$(if $(TABNET),-tabnet) ## Starts the warehouse and runs the main job (TRIPS=folder of trip files, WEATHER=GHCN daily file, TABNET=yes)
	@test -f $(HOME_DIR)/connections.toml || $(BIN)/polynya init --home $(HOME_DIR)
	@$(BIN)/polynya start --home $(HOME_DIR)
	@test -z "$(WEATHER)" || $(MAKE) --no-print-directory weather
	@eval "$$($(BIN)/polynya env --home $(HOME_DIR))" && $(BIN)/tripcast demo $(if $(TRIPS),--trips "$(TRIPS)")
	@echo '  $(BIN)/polynya sql --home $(HOME_DIR) "SELECT * FROM TRIPCAST.PUBLIC.FORECAST LIMIT 5"'
	@echo '  make stop                                              stops the warehouse; its data stays'

# The app also opens on an empty warehouse and says which command makes what.
app: $(VENV)/.installed-app ## Starts the warehouse and the planner's app at http://127.0.0.1:8501 (PORT=); Ctrl-C stops the app
	@test -f $(HOME_DIR)/connections.toml || $(BIN)/polynya init --home $(HOME_DIR)
	@$(BIN)/polynya start --home $(HOME_DIR)
	@eval "$$($(BIN)/polynya env --home $(HOME_DIR))" && $(BIN)/tripcast app --port $(PORT)

# The guide's weather listing: a folder of Parquet files that the demo's warehouse has as a share, from which the demo takes it.
weather:
	@$(BIN)/tripcast weather publish --file "$(WEATHER)" --folder $(HOME_DIR)/weather > /dev/null
	@$(BIN)/polynya share list --home $(HOME_DIR) | grep -q '^TRIPCAST_DATA.GLOBAL_WEATHER ' || \
		$(BIN)/polynya share add TRIPCAST_DATA.GLOBAL_WEATHER --folder $(HOME_DIR)/weather --home $(HOME_DIR)

stop: ## Stops the demo's warehouse
	@test ! -d $(HOME_DIR) || $(BIN)/polynya stop --home $(HOME_DIR)

clean-demo: stop ## Stops the demo's warehouse and deletes its home
	rm -rf $(HOME_DIR)

# Snowflake's command line wants other versions than Snowpark: an environment of its own. Without it, its tests skip.
$(VENV)/.installed-snow: $(VENV)/.installed-dev tests/snow-requirements.txt
	@test -x $(VENV)/snow/bin/python || $(PYTHON) -m venv $(VENV)/snow
	@$(VENV)/snow/bin/python -m pip install -qq --disable-pip-version-check -r tests/snow-requirements.txt || echo "The snow command line cannot be installed: its tests are skipped."
	@touch $@

test: lint $(VENV)/.installed-snow ## Lint and the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

lint: $(VENV)/.installed-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-dev ## Formats the code
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

# The peers have an environment of their own: they want other versions of what Polynya stands on.
$(VENV)/.installed-peers: $(VENV)/.installed-dev benchmarks/requirements.txt
	@test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install -qq --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

bench: $(VENV)/.installed-peers ## Ratios against the best alternatives
	$(BIN)/python benchmarks/run.py

clean: clean-demo ## Also deletes .venv
	rm -rf $(VENV)
