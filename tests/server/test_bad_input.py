"""Garbage at the port: an error for its sender, nothing for anybody else."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from polynya.server.local import Warehouse
from tests.server.conftest import Http

GARBAGE = [
    b"",
    b"\x00" * 4096,
    os.urandom(4096),
    b"GET",
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
    b"POST /queries/v1/query-request HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /queries/v1/query-request HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    b"SELECT 1;\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_bytes_at_the_port(warehouse: Warehouse, connect: Callable[..., SnowflakeConnection], garbage: bytes) -> None:
    parameters = warehouse.connection_parameters
    with socket.create_connection((parameters["host"], parameters["port"]), timeout=10) as raw:
        try:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(65536)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert connect().cursor().execute("SELECT 1").fetchone() == (1,)


BODIES = [
    ("not json", b"SELECT 1"),
    ("not an object", b"[1, 2]"),
    ("not gzip", b"\x1f\x8b" + b"x" * 100),
    ("half gzip", gzip.compress(b"{}" * 100)[:20]),
    ("not utf-8", b'{"sqlText": "\xff"}'),
    ("wrong types", json.dumps({"sqlText": ["SELECT 1"], "parameters": 5, "bindings": "x"}).encode()),
    ("nested", b"[" * 100_000),
]
PATHS = [
    "/session/v1/login-request",
    "/session/token-request",
    "/session/heartbeat",
    "/queries/v1/query-request",
    "/queries/v1/abort-request",
    "/telemetry/send",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [case[1] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies(http_client: Http, path: str, body: bytes) -> None:
    http_client.call("POST", path, body)
    assert http_client.statuses[-1] == 200
    assert http_client.query("SELECT 1")["success"]


@pytest.mark.parametrize("body", [case[1] for case in BODIES], ids=[case[0] for case in BODIES])
def test_statement_that_is_none(http_client: Http, body: bytes) -> None:
    reply = http_client.call("POST", "/queries/v1/query-request", body)
    assert reply["success"] is False
    assert len(reply["code"]) == 6


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/queries/v1/query-request", 405),
        ("GET", "/x/../../etc/passwd", 404),
        ("PUT", "/session", 405),
    ],
)
def test_addresses_that_nobody_asks_for(warehouse: Warehouse, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection(
        warehouse.connection_parameters["host"], warehouse.connection_parameters["port"]
    )
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


def test_ten_megabytes_of_statement(connect: Callable[..., SnowflakeConnection]) -> None:
    text = "x" * 10_000_000
    cursor = connect().cursor()
    assert cursor.execute(f"SELECT LENGTH('{text}') AS n").fetchone() == (10_000_000,)
    assert cursor.execute(f"SELECT 1 /* {text} */").fetchone() == (1,)


@pytest.mark.parametrize("depth", [500, 2000, 50_000])
def test_deeply_nested_statement(connect: Callable[..., SnowflakeConnection], depth: int) -> None:
    cursor = connect().cursor()
    try:
        assert cursor.execute("SELECT " + "(" * depth + "1" + ")" * depth + " AS a").fetchone() == (1,)
    except ProgrammingError as error:
        assert depth > 500
        assert error.errno != 603, error
    assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_unknown_content_is_an_error_not_a_silence(connect: Callable[..., SnowflakeConnection]) -> None:
    cursor = connect().cursor()
    for text in ("\x00", "SELECT '", "/*", "💥", "SELECT 1 FROM", "''''", "$$"):
        with pytest.raises(Exception, match=r"\d{6} \(\w{5}\)"):
            cursor.execute(text)
    assert cursor.execute("SELECT 1").fetchone() == (1,)
