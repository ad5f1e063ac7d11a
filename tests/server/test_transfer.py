"""Files of clients on other machines: signed addresses instead of folders."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from polynya.server.transfer import for_remote


def own_address() -> str | None:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") or address == "0.0.0.0" else address


@pytest.fixture(scope="module")
def remote() -> Iterator[Warehouse]:
    """A server that its clients reach as if from another machine."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address besides loopback")
    with Warehouse(host=address) as running:
        with snowflake.connector.connect(**running.connection_parameters) as client:
            client.cursor().execute("CREATE DATABASE d")
        yield running


@pytest.fixture
def client(remote: Warehouse) -> Iterator[SnowflakeConnection]:
    with snowflake.connector.connect(**remote.connection_parameters, database="d", schema="public") as opened:
        opened.cursor().execute("CREATE OR REPLACE TEMPORARY STAGE s")
        yield opened


@pytest.mark.parametrize("compress", [True, False])
def test_put_and_get(client: SnowflakeConnection, tmp_path: Path, compress: bool) -> None:
    text = "1,a\n" * 100_000
    (tmp_path / "one file.csv").write_text(text)
    (tmp_path / "two.csv").write_text("2,b\n")
    cursor = client.cursor()
    cursor.execute(f"PUT 'file://{tmp_path}/*.csv' @s/folder AUTO_COMPRESS={compress}")
    assert sorted(row[6] for row in cursor.fetchall()) == ["UPLOADED", "UPLOADED"]
    suffix = ".gz" if compress else ""
    names = [row[0] for row in cursor.execute("LIST @s").fetchall()]
    assert names == [f"s/folder/one file.csv{suffix}", f"s/folder/two.csv{suffix}"]
    assert cursor.execute("SELECT COUNT(*) FROM @s").fetchone() == (100_001,)
    back = tmp_path / "back"
    back.mkdir()
    cursor.execute(f"GET @s/folder 'file://{back}'")
    assert sorted(row[2] for row in cursor.fetchall()) == ["DOWNLOADED", "DOWNLOADED"]
    if not compress:
        assert (back / "one file.csv").read_text() == text
    assert sorted(path.name for path in back.iterdir()) == [f"one file.csv{suffix}", f"two.csv{suffix}"]


def test_put_of_a_stream(remote: Warehouse) -> None:
    session = Session.builder.configs({**remote.connection_parameters, "database": "d", "schema": "public"}).create()
    try:
        session.sql("CREATE OR REPLACE TEMPORARY STAGE s").collect()
        session.file.put_stream(io.BytesIO(b"1,a\n2,b\n"), "@s/x.csv")
        assert [row.name for row in session.sql("LIST @s").collect()] == ["s/x.csv.gz"]
        assert session.sql("SELECT $2 FROM @s/x.csv.gz ORDER BY $1").collect()[1][0] == "b"
        assert session.file.get_stream("@s/x.csv.gz", decompress=True).read() == b"1,a\n2,b\n"
    finally:
        session.close()


def test_executemany_by_stage(remote: Warehouse) -> None:
    parameters = {**remote.connection_parameters, "database": "d", "schema": "public", "paramstyle": "qmark"}
    with snowflake.connector.connect(**parameters) as opened:
        cursor = opened.cursor()
        cursor.execute("CREATE OR REPLACE TABLE t (a INT, b VARCHAR)")
        rows = [(i, f"name {i}") for i in range(40_000)]
        cursor.executemany("INSERT INTO t VALUES (?, ?)", rows)
        assert cursor.execute("SELECT * FROM t ORDER BY a").fetchall() == rows


def test_signature_is_checked(warehouse: Warehouse, tmp_path: Path) -> None:
    parameters = warehouse.connection_parameters
    transfer = {
        "command": "UPLOAD",
        "src_locations": ["/somewhere/f.csv"],
        "stageInfo": {"locationType": "LOCAL_FS", "location": str(tmp_path), "creds": {}},
    }
    # Signed with this process's key, not the server's.
    forged = urlsplit(for_remote(transfer, "http://x")["stageInfo"]["presignedUrl"]).path
    for method, path in (
        ("PUT", forged),
        ("GET", forged.replace("/put/", "/get/")),
        ("PUT", "/stages/put/x/1/etc/passwd"),
    ):
        connection = http.client.HTTPConnection(parameters["host"], parameters["port"])
        connection.request(method, path, b"x" if method == "PUT" else None)
        assert connection.getresponse().status == 400
        connection.close()
    assert list(tmp_path.iterdir()) == []
