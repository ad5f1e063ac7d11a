"""Tokens expire, are renewed, and end with their session."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import snowflake.connector
from snowflake.connector.errors import ProgrammingError

from polynya.server.local import Warehouse
from polynya.server.times import Times
from tests.server.conftest import Http


@pytest.fixture(scope="module")
def hasty() -> Iterator[Warehouse]:
    """A server whose session tokens hold for a second, and whose sessions end after three idle ones."""
    with Warehouse(times=Times(session=1.0, master=3.0)) as running:
        yield running


def test_expired_token_is_told_and_renewed(hasty: Warehouse) -> None:
    client = Http(hasty.connection_parameters)
    client.login()
    time.sleep(1.2)
    assert client.query("SELECT 1")["code"] == "390112"
    renewed = client.call("POST", "/session/token-request", {"requestType": "RENEW"}, token=client.master)
    assert renewed["success"]
    client.token = renewed["data"]["sessionToken"]
    assert client.query("SELECT 1")["success"]


def test_connector_renews_by_itself(hasty: Warehouse) -> None:
    with snowflake.connector.connect(**hasty.connection_parameters) as client:
        time.sleep(1.2)
        assert client.cursor().execute("SELECT 1").fetchone() == (1,)


def test_idle_session_ends(hasty: Warehouse) -> None:
    client = snowflake.connector.connect(**hasty.connection_parameters)
    time.sleep(3.2)
    with pytest.raises(ProgrammingError) as caught:
        client.cursor().execute("SELECT 1")
    assert caught.value.errno == 390114


def test_unknown_token(anonymous: Http) -> None:
    anonymous.token = "ver:1-hint:0-unknown"
    assert anonymous.query("SELECT 1")["code"] == "390111"
    assert anonymous.call("POST", "/session/token-request", {})["code"] == "390114"


def test_no_token(anonymous: Http) -> None:
    for path in (
        "/queries/v1/query-request",
        "/session/heartbeat",
        "/session?delete=true",
        "/queries/v1/abort-request",
    ):
        assert anonymous.call("POST", path, {})["code"] == "390104"
    assert anonymous.call("GET", "/queries/01c0-x/result")["code"] == "390104"
    assert anonymous.call("GET", "/monitoring/queries/01c0-x")["code"] == "390104"


def test_master_token_is_no_session_token(http_client: Http) -> None:
    http_client.token = http_client.master
    assert not http_client.query("SELECT 1")["success"]


def test_logout_ends_the_session(http_client: Http) -> None:
    assert http_client.call("POST", "/session/heartbeat", {})["success"]
    assert http_client.call("POST", "/session?delete=true", {})["success"]
    assert http_client.query("SELECT 1")["code"] == "390111"
    assert http_client.call("POST", "/session/token-request", {}, token=http_client.master)["code"] == "390114"


def test_sessions_do_not_outlive_the_server_but_data_does() -> None:
    with Warehouse() as running:
        before = Http(running.connection_parameters)
        before.login()
        query_id = before.query("SELECT 42 AS answer")["data"]["queryId"]
        running.stop()
        running.start()
        before.parameters = running.connection_parameters
        assert before.query("SELECT 1")["code"] == "390111"
        after = Http(running.connection_parameters)
        after.login()
        kept = after.call("GET", f"/queries/{query_id}/result")
        assert kept["success"], kept
        assert kept["data"]["rowtype"][0]["name"] == "ANSWER"
        assert kept["data"]["total"] == 1
        assert after.call("GET", f"/monitoring/queries/{query_id}")["data"]["queries"][0]["status"] == "SUCCESS"
