"""The weather listing: from a GHCN daily file to the table WEATHER, through a share."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from snowflake.snowpark import Session

from polynya.cli import main as polynya
from polynya.server.local import Warehouse
from tripcast.cli import main as tripcast
from tripcast.sources.formats import BadFile
from tripcast.sources.weather import DATABASE, SCHEMA, SHARE, climatology, publish, read_history

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "weather" / "central_park_weather.csv"
HEADER = '"STATION","NAME","DATE","AWND","PRCP","SNOW","SNWD","TMAX","TMIN"\n'


def line(day: date, high: object = 60, low: object = 40, **other: object) -> str:
    values = {
        "AWND": "5.0",
        "PRCP": "0.10",
        "SNOW": "0.0",
        "SNWD": "",
        **{key: str(value) for key, value in other.items()},
    }
    return f'"USW0","PARK, NY US","{day}",' + ",".join(f'"{v}"' for v in (*values.values(), high, low)) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two years, 2023 at 60/40 and 2024 at 70/50; no SNWD, AWND only in the first."""
    path = tmp_path / "park.csv"
    days = [date(2023, 1, 1) + timedelta(days=number) for number in range(365 + 366)]
    path.write_text(HEADER + "".join(line(day) if day.year == 2023 else line(day, 70, 50, AWND="") for day in days))
    return path


def test_climatology_is_the_mean_of_the_calendar_day(file: Path) -> None:
    means = climatology(read_history(file).days)
    values, years = means[7, 1]
    assert (years, values["TMAX"], values["TAVG"], values["AWND"], values["SNWD"]) == (2, 65, 55, 5, None)
    values, years = means[2, 29]
    assert (years, values["TMAX"]) == (1, 70)
    common = [day for day in read_history(file).days if (day.day.month, day.day.day) != (2, 29)]
    assert climatology(common)[2, 29][0]["TMAX"] == 65


def test_published(file: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    made = publish(file, tmp_path / "out", today=date(2025, 3, 1))
    assert (made.days, made.absent, made.until) == (731, 0, date(2026, 3, 2))
    ahead = pq.read_table(tmp_path / "out" / SCHEMA / "FORECAST_DAY.parquet").to_pylist()
    assert [row["DATE_VALID_STD"] for row in ahead] == [date(2025, 1, 1) + timedelta(days=n) for n in range(365 + 61)]
    assert {row["SOURCE"] for row in ahead} == {"CLIMATOLOGY"}
    history = pq.read_table(tmp_path / "out" / SCHEMA / "HISTORY_DAY.parquet").to_pylist()
    assert {row["SOURCE"] for row in history} == {"MEASURED"}
    assert history[0]["AVG_TEMPERATURE_AIR_2M_F"] == 50
    assert history[0]["TOT_SNOWDEPTH_IN"] is None


@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        ("a,b\n1,2\n", "is no GHCN daily file: it has no column STATION", 1),
        (HEADER, "holds no day", None),
        (HEADER + line(date(2023, 1, 1)).replace("2023-01-01", "01/01/2023"), "'01/01/2023' is no date", 2),
        (HEADER + line(date(2023, 1, 1)) + line(date(2023, 1, 2), "warm"), "TMAX is 'warm'", 3),
        (HEADER + line(date(2023, 1, 1), 289), "which cannot be in standard units", 2),
        (HEADER + line(date(2023, 1, 1)) * 2, "holds 2023-01-01 twice", 3),
        (HEADER + line(date(2023, 1, 1)) + line(date(2023, 1, 2)).replace("USW0", "USW1"), "several stations", 3),
        (HEADER + line(date(2023, 1, 1)), "not every day of the year", None),
    ],
)
def test_bad_files(tmp_path: Path, text: str, reason: str, at: int | None) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=re.escape(reason)) as raised:
        publish(path, tmp_path / "out", date(2024, 1, 1))
    assert raised.value.line == at
    assert not (tmp_path / "out").exists()
    path.write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(BadFile, match="bad"):
        read_history(path)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with Warehouse(tmp_path_factory.mktemp("weather") / "home") as running:
        yield running


def call(warehouse: Warehouse, *arguments: object) -> subprocess.CompletedProcess[str]:
    """``tripcast ...`` in a process of its own: the connector reads where connections are when it is imported."""
    command = [sys.executable, "-m", "tripcast", *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | warehouse.environment, capture_output=True, text=True, timeout=60, check=False
    )


def run(warehouse: Warehouse, *arguments: object) -> dict:
    answer = call(warehouse, *arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.exists(), reason="the weather file is not there")
def test_central_park(warehouse: Warehouse, tmp_path: Path) -> None:
    """As the guide's section Data Science does it: take the listing, read it by its names, join it."""
    made = run(warehouse, "weather", "publish", "--file", REAL, "--folder", tmp_path / "w", "--until", "2024-12-31")
    assert (made["days"], made["station"]) == (5538, "USW00094728")
    run(warehouse, "setup")
    answer = call(warehouse, "weather", "load")
    assert (answer.returncode, "tripcast weather publish" in answer.stderr) == (1, True)
    add = ["share", "add", SHARE, "--folder", str(tmp_path / "w"), "--home", str(warehouse.home.path)]
    assert CliRunner().invoke(polynya, add).exit_code == 0
    for _ in range(2):  # again is the same
        assert run(warehouse, "weather", "load") == {"days": 5538 + 306}
    session = Session.builder.configs(
        {**warehouse.connection_parameters, "database": "TRIPCAST", "schema": "PUBLIC"}
    ).create()
    try:
        table = session.table("WEATHER")
        measured = {row["DATE"]: row for row in table.filter("SOURCE = 'MEASURED'").collect()}
        assert (measured[date(2009, 1, 1)]["TEMP_MAX"], measured[date(2009, 1, 1)]["WIND"]) == (26, 11.18)
        july = table.filter("DATE = '2024-07-04'").collect()[0]
        assert (july["SOURCE"], 78 < july["TEMP_MAX"] < 88) == ("CLIMATOLOGY", True)
        assert [
            row[0] for row in session.sql(f"SELECT DISTINCT YEARS FROM {DATABASE}.{SCHEMA}.CLIMATOLOGY_DAY").collect()
        ]
        comment = session.sql(f"SHOW TABLES LIKE 'FORECAST_DAY' IN DATABASE {DATABASE}").collect()[0]["comment"]
        assert comment == "Days to come: CLIMATOLOGY, not a forecast"
        session.sql(f"SHOW SHARES LIKE '{SHARE.split('.')[1]}'").collect()
    finally:
        session.close()


def test_command_says_what_to_type(file: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(tripcast, ["weather", "publish", "--file", str(file), "--folder", str(tmp_path / "w")])
    assert answer.exit_code == 0, answer.output
    assert f"polynya share add {SHARE} --folder {tmp_path / 'w'}" in answer.output
    answer = CliRunner().invoke(tripcast, ["weather", "publish", "--file", str(tmp_path / "none.csv")])
    assert (answer.exit_code, "none.csv" in answer.output) == (1, True)
    (tmp_path / "bad.csv").write_text(HEADER + line(date(2023, 1, 1), "warm"))
    answer = CliRunner().invoke(tripcast, ["weather", "publish", "--file", str(tmp_path / "bad.csv")])
    assert answer.output == "Error: line 2: bad.csv: TMAX is 'warm'\n"
