"""What tripcast's objects in the warehouse are called."""

from __future__ import annotations

import os

# another one where several people or projects share an account
DATABASE = os.environ.get("TRIPCAST_DATABASE") or "TRIPCAST"
SCHEMA = "PUBLIC"
ROLE = "TRIPCAST"

LOAD_STAGE = "LOAD_STAGE"
MODEL_STAGE = "MODEL_STAGE"
CSV_FORMAT = "TRIP_CSV"

LOAD_FILES = "LOAD_FILES"
LOAD_ISSUES = "LOAD_ISSUES"
TRIPS = "TRIPS"
STATIONS = "STATIONS"
STATION_ALIASES = "STATION_ALIASES"
STATION_DAYS = "STATION_DAYS"
WEATHER = "WEATHER"
HOLIDAYS = "HOLIDAYS"
DAYS = "DAYS"
FEATURES = "FEATURES"
FORECAST = "FORECAST"
BACKTEST = "BACKTEST"
EVAL = "EVAL"
EVAL_GUIDE = "EVAL_GUIDE"
MODELS = "MODELS"
CHAMPION = "CHAMPION"
RUNS = "RUNS"
DRIFT = "DRIFT"
FORGOTTEN = "FORGOTTEN"
FLAT_FORECAST = "FLAT_FORECAST"
FLAT_EVAL = "FLAT_EVAL"
MODEL_TAG = "MODEL_ID_TAG"

# by what they are for, as the guide names them; a warehouse's size is the first word of its name
WAREHOUSES = {
    "default_warehouse": "XSMALL_WH",
    "load_warehouse": "MEDIUM_WH",
    "train_warehouse": "LARGE_WH",
}
