"""Statements over the protocol: formats, errors, asynchronous and long ones, abort, many clients at once."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import DatabaseError, ProgrammingError

from polynya.server.local import Warehouse
from polynya.server.times import Times
from tests.server.conftest import Http

Connect = Callable[..., SnowflakeConnection]
# Runs for minutes unless it is stopped.
ENDLESS = (
    "WITH a AS (SELECT SEQ4() AS i FROM TABLE(GENERATOR(ROWCOUNT => 1000000))) "
    "SELECT COUNT(*) FROM a x JOIN a y ON x.i + y.i <> -1 WHERE x.i * y.i % 7 = 3"
)


@pytest.fixture(scope="module")
def impatient() -> Iterator[Warehouse]:
    """A server that tells clients to ask again after half a second."""
    with Warehouse(times=Times(answer=0.5)) as running:
        yield running


def wait_for_status(client: SnowflakeConnection, query_id: str, wanted: set[QueryStatus]) -> QueryStatus:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = client.get_query_status(query_id)
        if status in wanted:
            return status
        time.sleep(0.02)
    raise AssertionError(f"still {status}")


# --- replies -----------------------------------------------------------------------------------------------------------


def test_reply_of_a_query(http_client: Http) -> None:
    data = http_client.query("SELECT 1 AS a, 'x' AS b")["data"]
    assert data["queryResultFormat"] == "arrow"
    assert data["rowsetBase64"]
    assert (data["total"], data["returned"]) == (1, 1)
    assert [column["name"] for column in data["rowtype"]] == ["A", "B"]
    assert [column["type"] for column in data["rowtype"]] == ["fixed", "text"]
    assert data["statementTypeId"] == 0x1000
    assert data["finalRoleName"] == "ACCOUNTADMIN"
    assert uuid.UUID(data["queryId"])


def test_json_for_other_drivers(anonymous: Http) -> None:
    anonymous.login(CLIENT_APP_ID="JavaScript")
    data = anonymous.query("SELECT 1 AS a, TRUE AS b, NULL AS c")["data"]
    assert data["queryResultFormat"] == "json"
    assert data["rowset"] == [["1", "1", None]]
    assert {"name": "TIMEZONE", "value": "America/Los_Angeles"} in data["parameters"]


def test_json_on_request(connect: Connect) -> None:
    client = connect(session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON"})
    cursor = client.cursor()
    assert cursor.execute("SELECT 1, 'x'").fetchall() == [(1, "x")]
    assert cursor._query_result_format == "json"


def test_describe_only_runs_nothing(http_client: Http) -> None:
    began = time.monotonic()
    data = http_client.query(ENDLESS, describeOnly=True)["data"]
    assert time.monotonic() - began < 5
    assert [column["name"] for column in data["rowtype"]] == ["COUNT(*)"]
    assert data["total"] == 0


@pytest.mark.parametrize("text", ["", "   ", ";", " -- nothing\n", "/* */"])
def test_empty_statement(http_client: Http, text: str) -> None:
    reply = http_client.query(text)
    assert (reply["success"], reply["code"]) == (False, "000900")


def test_error_reply(http_client: Http) -> None:
    reply = http_client.query("SELECT no_such_column FROM (SELECT 1 AS a)")
    assert not reply["success"]
    assert reply["code"] == "000904"
    assert reply["data"]["errorCode"] == "000904"
    assert reply["data"]["sqlState"] == "42000"
    assert uuid.UUID(reply["data"]["queryId"])
    assert reply["message"].startswith("SQL compilation error")


def test_connector_raises_with_code_state_and_query_id(connect: Connect) -> None:
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute("SELECT * FROM no_such_table")
    error = caught.value
    assert error.sfqid is not None
    assert error.errno is not None and error.sqlstate is not None
    assert str(error).startswith(f"{error.errno:06d} ({error.sqlstate}):")


def test_same_request_runs_once(http_client: Http) -> None:
    request_id = str(uuid.uuid4())
    first = http_client.query("SELECT RANDOM() AS r", request_id)
    again = http_client.query("SELECT RANDOM() AS r", request_id)
    assert first["data"]["queryId"] == again["data"]["queryId"]
    assert first["data"]["rowsetBase64"] == again["data"]["rowsetBase64"]


@pytest.mark.parametrize("style", ["pyformat", "format", "qmark", "numeric"])
def test_bind_styles(connect: Connect, style: str) -> None:
    text = {"pyformat": "%(a)s, %(b)s", "format": "%s, %s", "qmark": "?, ?", "numeric": ":1, :2"}[style]
    values: Any = {"a": 5, "b": "it's"} if style == "pyformat" else (5, "it's")
    assert connect(paramstyle=style).cursor().execute(f"SELECT {text}", values).fetchall() == [(5, "it's")]


def test_malformed_binds(http_client: Http) -> None:
    reply = http_client.query("SELECT ?", bindings=[1])
    assert not reply["success"]


# --- many rows -----------------------------------------------------------------------------------------------------------

MANY = (
    "SELECT SEQ8() AS id, 'name ' || id AS name, id / 7 AS part FROM TABLE(GENERATOR(ROWCOUNT => 400000)) ORDER BY id"
)


@pytest.mark.parametrize("form", ["ARROW", "JSON"])
def test_many_rows_come_in_chunks(connect: Connect, form: str) -> None:
    client = connect(session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form})
    cursor = client.cursor().execute(MANY)
    batches = cursor.get_result_batches()
    assert len(batches) > 2
    assert sum(batch.rowcount for batch in batches) == cursor.rowcount == 400_000
    total = count = 0
    for row in cursor:
        assert row[0] == count
        count += 1
        total += row[0]
    assert (count, total) == (400_000, 400_000 * 399_999 // 2)
    assert row[1] == "name 399999"


def test_many_rows_to_pandas(connect: Connect) -> None:
    frame = connect().cursor().execute(MANY).fetch_pandas_all()
    assert len(frame) == 400_000
    assert frame["ID"].sum() == 400_000 * 399_999 // 2
    assert str(frame["ID"].dtype) == "int64"


def test_chunks_of_a_result_that_was_put_aside(connect: Connect) -> None:
    """The server keeps few results in memory; one that it reads again is cut as its client was told."""
    cursor = connect().cursor()
    sql = "SELECT SEQ4() a, 'name ' || SEQ4() b, UNIFORM(1, 1000, RANDOM()) c FROM TABLE(GENERATOR(ROWCOUNT => 60000))"
    cursor.execute(sql)
    batches = cursor.get_result_batches()
    assert batches is not None and len(batches) > 1
    others = connect().cursor()
    for _ in range(16):
        others.execute(sql)
    numbers = [row[0] for batch in batches for row in batch.create_iter()]
    assert numbers == list(range(60_000))


def test_chunks_need_their_secret(http_client: Http) -> None:
    import http.client

    data = http_client.query(MANY)["data"]
    host, port = http_client.parameters["host"], http_client.parameters["port"]
    path = data["chunks"][0]["url"].partition(f":{port}")[2]
    parts = path.split("/")
    parts[3] = "0" * len(parts[3])
    beyond = re.sub(r"/\d+\?", "/400001?", path)
    for target, status in ((path, 200), ("/".join(parts), 404), (beyond, 404)):
        connection = http.client.HTTPConnection(host, port)
        connection.request("GET", target)
        assert connection.getresponse().status == status
        connection.close()


# --- statements that take time --------------------------------------------------------------------------------------------


def test_long_query_is_polled(impatient: Warehouse) -> None:
    client = Http(impatient.connection_parameters)
    client.login()
    request_id = str(uuid.uuid4())
    reply = client.query(ENDLESS, request_id)
    assert (reply["success"], reply["code"]) == (True, "333333")
    address = reply["data"]["getResultUrl"]
    assert client.call("GET", address)["code"] == "333333"
    assert client.call("POST", "/queries/v1/abort-request", {"requestId": request_id})["success"]
    reply = client.call("GET", address)
    assert (reply["success"], reply["code"]) == (False, "000604")


def test_connector_waits_for_a_long_query(impatient: Warehouse) -> None:
    with snowflake.connector.connect(**impatient.connection_parameters) as client:
        assert client.cursor().execute("SELECT SYSTEM$WAIT(2)").fetchall() == [("waited 2 seconds",)]


def test_asynchronous_query(connect: Connect) -> None:
    client = connect()
    cursor = client.cursor()
    query_id = cursor.execute_async("SELECT 42 AS answer")["queryId"]
    assert wait_for_status(client, query_id, {QueryStatus.SUCCESS})
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == [(42,)]
    assert cursor.description[0].name == "ANSWER"


def test_asynchronous_query_that_fails(connect: Connect) -> None:
    client = connect()
    cursor = client.cursor()
    query_id = cursor.execute_async("SELECT * FROM no_such_table")["queryId"]
    wait_for_status(client, query_id, {QueryStatus.FAILED_WITH_ERROR})
    with pytest.raises(ProgrammingError, match=r"does not exist|current database"):
        cursor.get_results_from_sfqid(query_id)


def test_cancel_from_another_cursor(connect: Connect) -> None:
    client = connect()
    cursor = client.cursor()
    query_id = cursor.execute_async(ENDLESS)["queryId"]
    wait_for_status(client, query_id, {QueryStatus.RUNNING})
    client.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    wait_for_status(client, query_id, {QueryStatus.FAILED_WITH_ERROR})
    with pytest.raises(DatabaseError, match="canceled"):
        cursor.get_results_from_sfqid(query_id)


def test_client_timeout_cancels(connect: Connect) -> None:
    began = time.monotonic()
    with pytest.raises(ProgrammingError) as caught:
        connect().cursor().execute(ENDLESS, timeout=1)
    assert caught.value.errno == 604
    assert time.monotonic() - began < 10


def test_statement_timeout(connect: Connect) -> None:
    client = connect(session_parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 1})
    with pytest.raises(ProgrammingError, match="timeout of 1 second") as caught:
        client.cursor().execute(ENDLESS)
    assert caught.value.errno == 630
    assert client.cursor().execute("SELECT 1").fetchone() == (1,)


def test_closing_a_session_cancels_what_it_runs(connect: Connect, http_client: Http) -> None:
    query_id = http_client.query(ENDLESS, asyncExec=True)["data"]["queryId"]
    client = connect()
    assert client.get_query_status(query_id) == QueryStatus.RUNNING
    assert http_client.call("POST", "/session?delete=true", {})["success"]
    assert wait_for_status(client, query_id, {QueryStatus.FAILED_WITH_ERROR})


def test_a_long_query_delays_nobody(connect: Connect) -> None:
    busy, other = connect(), connect()
    query_id = busy.cursor().execute_async(ENDLESS)["queryId"]
    try:
        cursor = other.cursor()
        times = []
        for _ in range(20):
            began = time.perf_counter()
            assert cursor.execute("SELECT 1").fetchone() == (1,)
            times.append(time.perf_counter() - began)
        assert sorted(times)[10] < 0.5
        assert busy.cursor().execute("SELECT 2").fetchone() == (2,)  # in the same session too
        assert busy.get_query_status(query_id) == QueryStatus.RUNNING
    finally:
        busy.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")


def test_many_clients_at_once(warehouse: Warehouse) -> None:
    def work(number: int) -> int:
        with snowflake.connector.connect(**warehouse.connection_parameters) as client:
            cursor = client.cursor()
            return sum(cursor.execute(f"SELECT {number} + {i}").fetchone()[0] for i in range(10))

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(24))) == [10 * number + 45 for number in range(24)]


def test_cursors_of_one_session_at_once(connect: Connect) -> None:
    client = connect()
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for i in range(10):
                assert client.cursor().execute(f"SELECT {number}, {i}").fetchall() == [(number, i)]
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# --- several statements -----------------------------------------------------------------------------------------------------


def test_several_statements(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute("SELECT 1 AS a; SELECT ';' AS b, 2 -- ;\n; SELECT $$;$$", num_statements=3)
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset() is not None
    assert cursor.fetchall() == [(";", 2)]
    assert cursor.nextset() is not None
    assert cursor.fetchall() == [(";",)]
    assert cursor.nextset() is None


def test_any_number_of_statements(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute("SELECT 1; SELECT 2;", num_statements=0)
    assert cursor.fetchall() == [(1,)]


def test_number_of_statements_is_checked(connect: Connect) -> None:
    cursor = connect().cursor()
    with pytest.raises(ProgrammingError, match="Actual statement count 2 did not match the desired statement count 1"):
        cursor.execute("SELECT 1; SELECT 2")
    with pytest.raises(ProgrammingError, match="Actual statement count 2 did not match the desired statement count 3"):
        cursor.execute("SELECT 1; SELECT 2", num_statements=3)


def test_error_among_several_statements(connect: Connect) -> None:
    with pytest.raises(ProgrammingError, match="NO_SUCH"):
        connect().cursor().execute("SELECT 1; SELECT no_such; SELECT 3", num_statements=3)


def test_several_statements_share_the_binds(connect: Connect) -> None:
    cursor = connect(paramstyle="qmark").cursor()
    cursor.execute("SELECT ?; SELECT '?', ?, ?", (1, 2, 3), num_statements=2)
    assert cursor.fetchall() == [(1,)]
    cursor.nextset()
    assert cursor.fetchall() == [("?", 2, 3)]


# --- results by id ----------------------------------------------------------------------------------------------------------


def test_result_of_an_earlier_query(connect: Connect) -> None:
    cursor = connect().cursor()
    query_id = cursor.execute("SELECT 1 AS a").sfqid
    other = connect().cursor()
    other.query_result(query_id)
    assert other.fetchall() == [(1,)]


def test_result_of_nothing(http_client: Http) -> None:
    for unknown in ("01c00000-0000-0000-0000-000000000000", "%2e%2e", "small.sqlite", "x"):
        reply = http_client.call("GET", f"/queries/{unknown}/result")
        assert (reply["success"], reply["code"]) == (False, "000709")
        assert http_client.call("GET", f"/monitoring/queries/{unknown}")["data"]["queries"] == []
