# Everything runs in .venv, made from the package registry on first use. Needs Python 3.11+ and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .polynya
TRIPS ?=
WEATHER ?=
TABNET ?=
TESTS ?= tests
SNOWFLAKE_CONNECTION ?=
PORT ?= 8501
DATABASE ?= CITIBIKEML
AIRFLOW_PORT ?= 8080
AIRFLOW_DIR := $(HOME_DIR)/airflow
PORT_DOCS ?= 8000

.PHONY: help demo app notebooks weather airflow airflow-stop stop clean-demo test test-long test-airflow screenshots lint format bench soak docs docs-serve docs-written clean

help: ## Lists what make can do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# What the demo needs; the app, TabNet (PyTorch, which is large), tests and benchmarks need more.
$(VENV)/.installed: EXTRA = tripcast
$(VENV)/.installed-tabnet: EXTRA = tripcast,tabnet
$(VENV)/.installed-app: EXTRA = app
$(VENV)/.installed-notebooks: EXTRA = notebooks
$(VENV)/.installed-dev: EXTRA = dev
$(VENV)/.installed $(VENV)/.installed-tabnet $(VENV)/.installed-app $(VENV)/.installed-notebooks $(VENV)/.installed-dev: pyproject.toml
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

# The app also opens on an empty warehouse and says which command makes what. Where `make airflow` runs, months are run there.
app: $(VENV)/.installed-app ## Starts the warehouse and the planner's app at http://127.0.0.1:8501 (PORT=); Ctrl-C stops the app
	@test -f $(HOME_DIR)/connections.toml || $(BIN)/polynya init --home $(HOME_DIR)
	@$(BIN)/polynya start --home $(HOME_DIR)
	@eval "$$($(BIN)/polynya env --home $(HOME_DIR))" && \
		eval "$$($(BIN)/python -m tripcast.dags.standalone env --home $(AIRFLOW_DIR))" && $(BIN)/tripcast app --port $(PORT)

# Copies, so that what is run and changed in them stays out of git; in a database of their own, so that their small synthetic
# trips do not mix with the demo's.
NOTEBOOKS_DIR := $(HOME_DIR)/notebooks
notebooks: $(VENV)/.installed-notebooks ## Starts the warehouse and the notebooks in JupyterLab (TRIPS=, WEATHER=, DATABASE=CITIBIKEML); Ctrl-C stops it
	@test -f $(HOME_DIR)/connections.toml || $(BIN)/polynya init --home $(HOME_DIR)
	@$(BIN)/polynya start --home $(HOME_DIR)
	@test -z "$(WEATHER)" || $(MAKE) --no-print-directory weather
	@mkdir -p $(NOTEBOOKS_DIR); for file in notebooks/*.ipynb; do \
		test -e $(NOTEBOOKS_DIR)/$${file##*/} || cp $$file $(NOTEBOOKS_DIR); done
	@eval "$$($(BIN)/polynya env --home $(HOME_DIR))" && export TRIPCAST_DATABASE=$(DATABASE) TRIPS="$(if $(TRIPS),$(abspath $(TRIPS)))" && \
		exec $(BIN)/jupyter lab --notebook-dir=$(NOTEBOOKS_DIR)

# The guide's weather listing: a folder of Parquet files that the demo's warehouse has as a share, from which the demo takes it.
weather:
	@$(BIN)/tripcast weather publish --file "$(WEATHER)" --folder $(HOME_DIR)/weather > /dev/null
	@$(BIN)/polynya share list --home $(HOME_DIR) | grep -q '^TRIPCAST_DATA.GLOBAL_WEATHER ' || \
		$(BIN)/polynya share add TRIPCAST_DATA.GLOBAL_WEATHER --folder $(HOME_DIR)/weather --home $(HOME_DIR)

# Airflow has an environment of its own, as it wants other versions. uv installs it in seconds, pip in a minute where there is no uv.
AIRFLOW_BIN := $(VENV)/airflow/bin
$(VENV)/.installed-airflow: src/tripcast/dags/requirements.txt src/tripcast/dags/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@test -x $(AIRFLOW_BIN)/python || $(PYTHON) -m venv $(VENV)/airflow
	@echo "Installing into $(VENV)/airflow ..."
	@INSTALL="$(AIRFLOW_BIN)/python -m pip install -qq --disable-pip-version-check"; \
		if $$INSTALL uv 2> /dev/null; then INSTALL="$(AIRFLOW_BIN)/uv pip install --quiet --python $(AIRFLOW_BIN)/python"; fi; \
		$$INSTALL -r src/tripcast/dags/requirements.txt -c src/tripcast/dags/constraints.txt && $$INSTALL --no-deps -e .
	@touch $@

airflow: $(VENV)/.installed $(VENV)/.installed-airflow ## Starts the warehouse and Airflow at http://127.0.0.1:8080 (AIRFLOW_PORT=, TRIPS=); Ctrl-C stops Airflow
	@test -f $(HOME_DIR)/connections.toml || $(BIN)/polynya init --home $(HOME_DIR)
	@$(BIN)/polynya start --home $(HOME_DIR)
	@eval "$$($(BIN)/polynya env --home $(HOME_DIR))"; \
		if [ -n "$(TRIPS)" ]; then export TRIPCAST_TRIPS="$(abspath $(TRIPS))"; \
		elif $(BIN)/tripcast status --json | grep -qE '"synthetic": true|"trips": 0,'; then \
			test -d $(AIRFLOW_DIR)/trips || $(BIN)/tripcast synthesize $(AIRFLOW_DIR)/trips; \
			export TRIPCAST_TRIPS="$(abspath $(AIRFLOW_DIR)/trips)"; \
		fi; \
		exec $(AIRFLOW_BIN)/python -m tripcast.dags.standalone start --home $(AIRFLOW_DIR) --port $(AIRFLOW_PORT)

airflow-stop: ## Stops Airflow
	@test ! -d $(AIRFLOW_DIR) || $(PYTHON) src/tripcast/dags/standalone.py stop --home $(AIRFLOW_DIR)

stop: airflow-stop ## Stops the demo's warehouse, and Airflow
	@test ! -d $(HOME_DIR) || $(BIN)/polynya stop --home $(HOME_DIR)

clean-demo: stop ## Stops the demo's warehouse and deletes its home
	rm -rf $(HOME_DIR)

# Snowflake's command line wants other versions than Snowpark: an environment of its own. Without it, its tests skip.
$(VENV)/.installed-snow: $(VENV)/.installed-dev tests/snow-requirements.txt
	@test -x $(VENV)/snow/bin/python || $(PYTHON) -m venv $(VENV)/snow
	@$(VENV)/snow/bin/python -m pip install -qq --disable-pip-version-check -r tests/snow-requirements.txt || echo "The snow command line cannot be installed: its tests are skipped."
	@touch $@

test: lint $(VENV)/.installed-snow ## Lint and the whole test suite; SNOWFLAKE_CONNECTION=name: the conformance tests, on that account
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(SNOWFLAKE_CONNECTION),-m conformance --polynya-connection $(SNOWFLAKE_CONNECTION)) $(TESTS)

# A failure to install Airflow is told, and its tests skip.
test-long: $(VENV)/.installed-dev ## The tests that make test skips for their time
	@$(MAKE) --no-print-directory $(VENV)/.installed-airflow || echo "Airflow cannot be installed: its tests are skipped."
	TEST_LONG=yes $(BIN)/python -m pytest -n 2 --dist loadfile -m long

test-airflow: $(VENV)/.installed-dev $(VENV)/.installed-airflow ## Runs a whole Airflow, its REST API called as the guide does (minutes)
	TEST_LONG=yes TRIPCAST_STANDALONE=yes $(BIN)/python -m pytest tests/airflow

screenshots: $(VENV)/.installed-dev ## Takes the pictures of docs/app.md in a headless browser
	TEST_LONG=yes TRIPCAST_SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/app/test_browser.py

lint: $(VENV)/.installed-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check src tests benchmarks notebooks docs/*.py
	$(BIN)/ruff format --check src tests benchmarks notebooks docs/*.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-dev ## Formats the code
	$(BIN)/ruff check --fix src tests benchmarks notebooks docs/*.py
	$(BIN)/ruff format src tests benchmarks notebooks docs/*.py

# The peers have an environment of their own: they want other versions of what Polynya stands on.
$(VENV)/.installed-peers: $(VENV)/.installed-dev benchmarks/requirements.txt
	@test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install -qq --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

soak: $(VENV)/.installed-dev ## Kills the server 200 times under load, then works ten minutes in 16 sessions (about 40 minutes)
	TEST_LONG=yes SOAK_KILLS=200 SOAK_SECONDS=600 $(BIN)/python -m pytest -s tests/durability

bench: $(VENV)/.installed-peers ## Ratios against the best alternatives
	$(BIN)/python benchmarks/run.py

# The site's tools have an environment of their own (docs/requirements.txt).
$(VENV)/.installed-docs: docs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@test -x $(VENV)/docs/bin/python || $(PYTHON) -m venv $(VENV)/docs
	@echo "Installing into $(VENV)/docs ..."
	@$(VENV)/docs/bin/python -m pip install -qq --disable-pip-version-check -r docs/requirements.txt
	@touch $@

# Not --quiet: warnings would not count as errors then.
docs: $(VENV)/.installed-docs ## The documentation as a site: build/docs/index.html
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build
	@echo "build/docs/index.html"

docs-serve: $(VENV)/.installed-docs ## Shows the site at http://127.0.0.1:8000 (PORT_DOCS=); Ctrl-C stops it
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs serve --dev-addr 127.0.0.1:$(PORT_DOCS)

docs-written: $(VENV)/.installed-dev ## Writes the pages and drawings that are made from the code
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/generate_configuration.py
	$(BIN)/python docs/draw_diagrams.py

clean: clean-demo ## Also deletes .venv
	rm -rf $(VENV)
