"""The command line against a server of its own, killed and started again where that is the point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import snowflake.connector
from click.testing import CliRunner
from test_load import bad_folder
from trip_rows import new, write_new

from polynya.server.local import Warehouse
from tripcast.cli import main
from tripcast.sources import archive
from tripcast.sources.synthetic import Generated, generate

pytestmark = pytest.mark.timeout(600)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home() -> Iterator[Warehouse]:
    with Warehouse() as running:
        yield running


def command(home: Warehouse, *arguments: str | Path) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, **home.home.environment()}
    return [sys.executable, "-m", "tripcast", *map(str, arguments)], environment


def run(home: Warehouse, *arguments: str | Path, code: int = 0) -> str:
    """Runs ``tripcast``; its standard output."""
    line, environment = command(home, *arguments)
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code in (0, 3) else done.stderr


@pytest.mark.long
def test_the_whole_way(home: Warehouse, synthetic: tuple[Path, Generated], tmp_path: Path) -> None:
    folder, made = synthetic
    empty = json.loads(run(home, "status", "--json"))
    assert (empty["trips"], empty["first_day"], empty["models"]) == (0, None, {})
    assert "tripcast setup" in run(home, "load", "--trips", folder, code=1)
    run(home, "setup")
    run(home, "setup")
    first = json.loads(run(home, "load", "--trips", folder, "--last", "2019-12", "--json"))
    rest = json.loads(run(home, "load", "--trips", folder, "--json"))
    assert first["trips"] < rest["trips"] == made.trips
    assert rest["skipped"] == first["loaded"]
    quick = ["--model", "seasonal_naive", "--model", "weekday_mean"]
    figures = json.loads(run(home, "evaluate", "--h", "7", "--n-windows", "3", "--step-size", "7", *quick, "--json"))
    assert len(figures["cutoffs"]) == 3
    made_by = json.loads(run(home, "forecast", "--h", "14", "--json"))
    assert (made_by["h"], made_by["model"]) == (14, figures["champion"]["model"])
    answer = json.loads(run(home, "status", "--json"))
    assert (answer["trips"], answer["stations"], answer["synthetic"]) == (made.trips, made.stations, True)
    assert answer["models"] == figures["models"]
    assert answer["champion"]["model"] == figures["champion"]["model"]
    assert f"{made.trips:,} synthetic trips" in run(home, "status")
    explained = json.loads(run(home, "explain", "Harbor & 1 St", "--json"))
    assert len(explained) == 14
    same = json.loads(run(home, "reproduce", made_by["model_id"], "--json"))
    assert (same["same"], same["rows"]) == (True, same["equal"])
    said = run(home, "demo", "--trips", folder, "--folder", tmp_path / "out", *quick, "--since", "2020-10-01")
    assert "SYNTHETIC" in said
    assert "WAPE" in said
    assert "No weather is shared" in said
    for name in ("forecast.png", "comparison.png"):
        assert (tmp_path / "out" / name).stat().st_size > 10_000


@pytest.mark.long
def test_a_month_whose_client_is_killed_goes_on(tmp_path: Path) -> None:
    """SIGKILL at moments of a month; the end is as in a warehouse where nothing was killed."""
    generate(tmp_path, trips=3_000, first="2019-01", last="2019-03", stations=4, seed=2)
    month = ["month", "2019-03", "--trips", tmp_path, "--model", "seasonal_naive", "--h", "7", "--json"]
    ends, took = [], 0.0
    for kills in ((), (0.25, 0.5, 0.75)):
        with Warehouse() as fresh:
            run(fresh, "setup")
            run(fresh, "load", "--trips", tmp_path, "--last", "2019-02")
            for share in kills:
                line, environment = command(fresh, *month)
                client = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(share * took)
                client.kill()
                client.wait()
            begun = time.perf_counter()
            done = json.loads(run(fresh, *month))
            took = time.perf_counter() - begun
            assert json.loads(run(fresh, *month))["model_id"] == done["model_id"]
            assert json.loads(run(fresh, "reproduce", done["model_id"], "--json"))["same"]
            with snowflake.connector.connect(
                **fresh.connection_parameters, database="TRIPCAST", schema="PUBLIC"
            ) as client:
                cursor = client.cursor()
                cursor.execute("SELECT * EXCLUDE (MODEL_ID) FROM FLAT_FORECAST ORDER BY STATION_ID, DAY")
                rows = cursor.fetchall()
                cursor.execute("SELECT COUNT(*), COUNT(FINISHED_AT) FROM RUNS")
                assert cursor.fetchone() == (1, 1)
                cursor.execute("SHOW SCHEMAS LIKE 'RUN_%' IN DATABASE TRIPCAST")
                assert cursor.fetchall() == []
            ends.append(rows)
    assert len(ends[0]) == 4 * 7
    assert ends[0] == ends[1]


def test_rides_are_forgotten_by_command(tmp_path: Path) -> None:
    write_new(tmp_path / "JC-202102-citibike-tripdata.csv", new(ride="AAA"), new(ride="BBB"))
    with Warehouse() as fresh:
        run(fresh, "setup")
        run(fresh, "load", "--trips", tmp_path)
        assert "no table holds ride ZZZ" in run(fresh, "forget", "--ride", "ZZZ", code=1)
        done = json.loads(run(fresh, "forget", "--ride", "AAA", "--json"))
        assert (done["rides"], done["models"], done["retrained"]) == (1, [], {})
        assert "DATA_RETENTION_TIME_IN_DAYS" in run(fresh, "forget", "--ride", "BBB")
        assert json.loads(run(fresh, "load", "--trips", tmp_path, "--json"))["trips"] == 0
        assert "No model yet" in run(fresh, "models")
        assert "nothing to report" in run(fresh, "report", "--folder", tmp_path / "out", code=1)
        assert "there is no model 'x'" in run(fresh, "reproduce", "x", code=1)


def test_real_trips_are_not_mixed_with_synthetic_ones(
    home: Warehouse, synthetic: tuple[Path, Generated], tmp_path: Path
) -> None:
    run(home, "setup")
    run(home, "load", "--trips", synthetic[0])
    bad_folder(tmp_path)
    assert "synthetic" in run(home, "load", "--trips", tmp_path, code=1)


def test_a_bad_folder_is_reported_with_exit_code_3(tmp_path: Path) -> None:
    bad_folder(tmp_path)
    with Warehouse() as fresh:
        run(fresh, "setup")
        said = run(fresh, "load", "--trips", tmp_path, code=3)
        assert "10 rejected" in said
        assert "mixed.csv, line 3: impossible start time" in said
        assert "mixed.csv, line 5: start station id is NULL (kept)" in said
        answer = json.loads(run(fresh, "status", "--json"))
        assert (answer["trips"], answer["files"]["rejected"], answer["lines_left_out"]) == (24, 10, 3)


def test_a_user_is_made_once(home: Warehouse) -> None:
    first = json.loads(run(home, "setup", "--user", "ANNA", "--json"))["first_passwords"]
    assert list(first) == ["ANNA"]
    assert json.loads(run(home, "setup", "--user", "ANNA", "--json"))["first_passwords"] == {}


@pytest.fixture(scope="module")
def many_trips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("many")
    return folder, generate(folder, trips=150_000, stations=20, seed=3).trips


@pytest.mark.parametrize("victim", ["client", "server"])
def test_a_load_killed_at_any_moment_is_finished_by_the_next(many_trips: tuple[Path, int], victim: str) -> None:
    folder, trips = many_trips
    with Warehouse() as fresh:
        run(fresh, "setup")
        struck = 0
        for tenths in (8, 11, 14, 17, 21, 26):
            line, environment = command(fresh, "load", "--trips", folder)
            client = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(tenths / 10)
            struck += client.poll() is None
            if victim == "server":
                fresh.kill()
            client.kill()
            client.wait()
            if victim == "server":
                fresh.start()
        assert struck >= 3  # else the delays above are too long for this machine
        report = json.loads(run(fresh, "load", "--trips", folder, "--json"))
        assert report["trips"] == trips
        again = json.loads(run(fresh, "load", "--trips", folder, "--json"))
        assert (again["trips"], again["skipped"]) == (trips, 41)


def test_two_loads_at_once_count_nothing_twice(synthetic: tuple[Path, Generated]) -> None:
    folder, made = synthetic
    with Warehouse() as fresh:
        run(fresh, "setup")
        line, environment = command(fresh, "load", "--trips", folder, "--json")
        clients = [subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for client in clients:
            client.communicate(timeout=300)
        assert json.loads(run(fresh, "load", "--trips", folder, "--json"))["trips"] == made.trips


# --- without a server -------------------------------------------------------------------------------------------------


def commands(group: click.Group, *path: str) -> Iterator[tuple[list[str], click.Command]]:
    for name, entry in group.commands.items():
        yield [*path, name], entry
        if isinstance(entry, click.Group):
            yield from commands(entry, *path, name)


def test_every_command_has_help_with_an_example() -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["--help"]).exit_code == 0
    for path, entry in commands(main):
        assert "Example: tripcast " in (entry.help or ""), path
        assert runner.invoke(main, [*path, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["load"], "Say what to load"),
        (["load", "--archive", "--synthetic", "5"], "Say what to load"),
        (["load", "--archive", "--month", "2020-13"], "is no month"),
        (["load", "--archive", "--month", "2020-01", "--first", "2019-01"], "excludes"),
        (["evaluate", "--h", "0"], "Invalid value"),
        (["evaluate", "--model", "oracle"], "there is no model 'oracle'; there are seasonal_naive"),
        (["forecast", "--parameter", "rounds"], "write NAME=VALUE"),
        (["month", "2020"], "is no month"),
        (["explain", "X", "--day", "tomorrow"], "is no day"),
        (["forget"], "Say what to forget"),
        (["nonsense"], "No such command"),
    ],
)
def test_mistyped_commands_say_what_to_type(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_without_a_warehouse_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["status", "--connection", "nowhere"])
    assert result.exit_code == 1
    assert "polynya start" in result.output
    assert len(result.output.strip().splitlines()) <= 3


def test_the_connection_of_the_checkout_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tripcast.connection import NoConnection, connect, connections_file

    for name in ("SNOWFLAKE_HOME", "SNOWFLAKE_CONNECTIONS", "POLYNYA_HOME", "TRIPCAST_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".polynya" / "connections.toml"
    file.parent.mkdir()
    file.write_text('[polynya]\naccount = "x"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert connections_file() == file
    with pytest.raises(NoConnection, match="has no connection 'other'; it has polynya"):
        connect("other")


def test_synthesize_writes_what_it_says(tmp_path: Path) -> None:
    arguments = ["synthesize", str(tmp_path), "--trips", "100", "--first", "2020-12", "--last", "2021-02", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert json.loads(result.output)["trips"] == 100
    assert len(list(tmp_path.glob("SYNTHETIC-*"))) == 3


def test_an_unreachable_archive_leads_to_synthetic_trips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tripcast import pipeline
    from tripcast.sources import choose

    def unreachable(*arguments: object, **options: object) -> None:
        raise archive.Unreachable("no network")

    monkeypatch.setattr(choose, "listing", unreachable)
    monkeypatch.setattr(choose, "generate", lambda folder, *rest, **options: generate(folder, 10))
    said: list[str] = []
    for before, count, note in ((None, 41, "synthetic trips"), (True, 41, "synthetic trips"), (False, 0, "are loaded")):
        monkeypatch.setattr(pipeline, "loaded_kind", lambda session, before=before: before)
        chosen = pipeline.choose_trips(None, None, tmp_path, said.append)  # type: ignore[arg-type]
        assert len(chosen.files) == count
        assert note in chosen.note
    assert any("no network" in line for line in said)
