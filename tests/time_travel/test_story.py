"""A model's data, found again: after more was loaded, after the table was dropped, after the server was killed."""

from __future__ import annotations

import snowflake.connector

from polynya.server.local import Warehouse
from tests.time_travel.conftest import Client

_NUMBERS = "SELECT COUNT(*), SUM(duration), COUNT(DISTINCT station), MIN(day), MAX(day) FROM {}"


def _client(warehouse: Warehouse) -> Client:
    parameters = {**warehouse.connection_parameters, "database": "BIKES", "schema": "PUBLIC"}
    return Client(snowflake.connector.connect(**parameters).cursor())


def _load(client: Client, first_day: str, rows: int) -> str:
    return client.run(
        "INSERT INTO trips SELECT DATEADD(MINUTE, SEQ4() * 7, "
        f"'{first_day}'::TIMESTAMP_NTZ)::DATE, SEQ4() % 42, 60 + SEQ4() % 3000 FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
    )


def test_the_same_numbers_as_before() -> None:
    with Warehouse() as warehouse:
        client = _client(warehouse)
        client("CREATE DATABASE bikes")
        client("CREATE TABLE trips (day DATE, station INT, duration INT)")
        load = _load(client, "2024-01-01", 50_000)
        numbers = client(_NUMBERS.format("trips"))
        client("CREATE TABLE trips_model_1 CLONE trips")
        _load(client, "2024-09-01", 20_000)
        correction = client.run("UPDATE trips SET duration = duration + 1 WHERE station = 3")
        later = client(_NUMBERS.format("trips"))
        client("ALTER TABLE trips ADD COLUMN weather VARCHAR DEFAULT 'unknown'")
        client("DROP TABLE trips")
        assert client(_NUMBERS.format("trips_model_1")) == numbers
        client("UNDROP TABLE trips")
        past = f"trips AT (STATEMENT => '{load}')"

        def check(client: Client) -> None:
            assert client(_NUMBERS.format("trips_model_1")) == numbers
            assert client(_NUMBERS.format(past)) == numbers
            assert client(_NUMBERS.format(f"trips AT (STATEMENT => '{correction}')")) == later != numbers
            assert client(_NUMBERS.format("trips")) == later

        check(client)
        warehouse.kill()
        warehouse.start()
        client = _client(warehouse)
        check(client)
        client("UPDATE trips_model_1 SET duration = 0 WHERE station = 5")
        assert client(_NUMBERS.format(past)) == numbers
        client(f"CREATE TABLE trips_again CLONE {past}")
        assert client(_NUMBERS.format("trips_again")) == numbers
