"""Procedures that go wrong, and that the caller's session is none the worse for it."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session
from snowflake.snowpark.exceptions import SnowparkSQLException

from tests.procedures.conftest import Make


def test_a_handler_that_raises(session: Session, make: Make) -> None:
    make(
        "p()",
        "VARCHAR",
        """
        def helper():
            raise ValueError("not today")
        def main(session):
            helper()
        """,
    )
    with pytest.raises(SnowparkSQLException) as caught:
        session.call("p")
    text = str(caught.value)
    assert "100357 (P0000): Python Interpreter Error:\nTraceback (most recent call last):" in text
    assert "line 6, in main" in text
    assert "line 4, in helper" in text
    assert text.rstrip().endswith("ValueError: not today\n in function P with handler main")
    assert session.sql("SELECT 1").collect() == [Row(1)]


def test_a_nested_statements_error_is_told(session: Session, make: Make) -> None:
    make("p()", "VARCHAR", "def main(session):\n    return session.table('nowhere').collect()")
    with pytest.raises(SnowparkSQLException) as caught:
        session.call("p")
    text = str(caught.value)
    assert "100357" in text
    assert "snowflake.snowpark.exceptions.SnowparkSQLException" in text
    assert "002003 (42S02)" in text
    assert "NOWHERE' does not exist or not authorized" in text


def test_a_handler_may_catch_a_statements_error(session: Session, make: Make) -> None:
    make(
        "p()",
        "INT",
        """
        from snowflake.snowpark.exceptions import SnowparkSQLException
        def main(session):
            try:
                session.sql("SELECT nothing").collect()
            except SnowparkSQLException as error:
                return error.sql_error_code
        """,
    )
    assert session.call("p") == 904


@pytest.mark.parametrize(
    "body",
    [
        "import os\ndef main(session):\n    os._exit(3)",
        "import os, signal\ndef main(session):\n    os.kill(os.getpid(), signal.SIGKILL)",
        "def main(session):\n    raise SystemExit(1)",
        "import sys\ndef main(session):\n    session.sql('SELECT 1').collect_nowait()\n    sys.exit(2)",
    ],
)
def test_a_handler_that_ends_its_process(session: Session, make: Make, body: str) -> None:
    make("p()", "VARCHAR", body)
    with pytest.raises(SnowparkSQLException, match="100357"):
        session.call("p")
    assert session.sql("SELECT 1").collect() == [Row(1)]


@pytest.mark.parametrize("body", ["while True: pass", "session.sql('SELECT SYSTEM$WAIT(60)').collect()"])
def test_an_endless_procedure_is_cancelled(session: Session, make: Make, body: str) -> None:
    make("p()", "VARCHAR", f"def main(session):\n    {body}")
    make("outer()", "VARCHAR", "def main(session):\n    session.call('p')")
    for name in ("p", "outer"):
        cursor = session.connection.cursor()
        cursor.execute_async(f"CALL {name}()")
        query_id = str(cursor.sfqid)
        time.sleep(1.0)
        assert session.connection.is_still_running(session.connection.get_query_status(query_id))
        begun = time.monotonic()
        session.sql(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')").collect()
        with pytest.raises(ProgrammingError, match="canceled"):
            cursor.get_results_from_sfqid(query_id)
            cursor.fetchall()
        session.sql("CREATE OR REPLACE TABLE after_it (a INT)").collect()
        assert time.monotonic() - begun < 5
    running = session.sql(
        "SELECT COUNT(*) FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE execution_status = 'RUNNING' "
        "AND query_text LIKE '%WAIT(60)%' AND query_text NOT LIKE '%HISTORY%'"
    ).collect()
    assert running == [Row(0)]


def test_a_statement_timeout_ends_it(session: Session, make: Make) -> None:
    make("p()", "VARCHAR", "import time\ndef main(session):\n    time.sleep(60)")
    session.sql("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1").collect()
    with pytest.raises(SnowparkSQLException, match=r"000630 .*reached its statement or warehouse timeout of 1 second"):
        session.call("p")
    session.sql("ALTER SESSION UNSET STATEMENT_TIMEOUT_IN_SECONDS").collect()
    assert session.sql("SELECT 1").collect() == [Row(1)]


def test_a_jobs_end_is_the_procedures(session: Session, make: Make) -> None:
    make(
        "p()",
        "VARCHAR",
        "def main(session):\n    return session.sql('SELECT SYSTEM$WAIT(60)').collect_nowait().query_id",
    )
    begun = time.monotonic()
    query_id = session.call("p")
    assert time.monotonic() - begun < 20
    assert not session.connection.is_still_running(session.connection.get_query_status(query_id))


@pytest.mark.parametrize(
    ("returns", "value"), [("INT", "'text'"), ("DATE", "5"), ("BOOLEAN", "'maybe'"), ("FLOAT", "object()")]
)
def test_a_result_of_another_type(session: Session, make: Make, returns: str, value: str) -> None:
    make("p()", returns, f"def main(session):\n    return {value}")
    with pytest.raises(SnowparkSQLException, match=r"1003\d\d"):
        session.call("p")


@pytest.mark.parametrize(
    "body", ["def other(session):\n    pass", "def main(session:\n    pass", "import nowhere_at_all"]
)
def test_a_handler_that_does_not_load(session: Session, make: Make, body: str) -> None:
    with pytest.raises(SnowparkSQLException, match="in function P with handler main"):
        make("p()", "VARCHAR", body)  # a syntax error is found here already
        session.call("p")


def test_recursion_ends(session: Session, make: Make) -> None:
    make("p(n INT)", "INT", "def main(session, n):\n    return 0 if n == 0 else 1 + session.call('p', n - 1)")
    assert session.call("p", 3) == 3
    with pytest.raises(SnowparkSQLException, match="nested too deep: at most 16 calls in each other"):
        session.call("p", 100)
    assert session.call("p", 1) == 1


def test_the_session_is_gone_afterwards(session: Session, make: Make) -> None:
    """What a worker keeps of one call is of no use in the next."""
    make(
        "p(again BOOLEAN)",
        "VARCHAR",
        """
        kept = []
        def main(session, again):
            kept.append(session)
            if again and len(kept) > 1:
                return str(kept[0].sql("SELECT 1").collect())
            return "kept"
        """,
    )
    session.call("p", False)
    for _ in range(4):  # until the same worker is asked
        try:
            assert session.call("p", True) == "kept"
        except SnowparkSQLException as error:
            assert "in function P with handler main" in str(error)
            assert "Row(" not in str(error)
            break


def test_a_token_ends_with_its_procedure(session: Session, make: Make, warehouse: object) -> None:
    import json
    import urllib.request

    make("p()", "VARCHAR", "def main(session):\n    return session.connection.rest.token")
    token = session.call("p")
    address = f"http://127.0.0.1:{warehouse.connection_parameters['port']}"  # type: ignore[attr-defined]
    request = urllib.request.Request(
        f"{address}/queries/v1/query-request?requestId=1",
        json.dumps({"sqlText": "SELECT 1"}).encode(),
        {"Authorization": f'Snowflake Token="{token}"', "Content-Type": "application/json"},
    )
    assert json.loads(urllib.request.urlopen(request).read())["code"] == "390111"


def test_a_door_opens_to_its_own_session_only(session: Session, make: Make) -> None:
    make(
        "p(token VARCHAR)",
        "VARCHAR",
        """
        import json
        from polynya.runtime import channel
        def main(session, token):
            body = json.dumps({"sqlText": "SELECT 1"}).encode()
            codes = []
            for offered in (token, session.connection.rest.token, "nonsense"):
                headers = {"Authorization": f'Snowflake Token="{offered}"', "Content-Type": "application/json"}
                _, _, answer = channel.current().request("POST", "/queries/v1/query-request", headers, body)
                codes.append(json.loads(answer)["code"])
            _, _, answer = channel.current().request("GET", "/stages/get/00/99999999999/etc/passwd", {})
            return str([*codes, answer[:11]])
        """,
    )
    found = session.call("p", session.connection.rest.token)
    assert ast.literal_eval(found) == ["390104", None, "390111", b"This addres"]


def test_closing_the_connection_inside_leaves_the_callers_open(session: Session, make: Make) -> None:
    make("p()", "VARCHAR", "def main(session):\n    session.connection.rest.delete_session()\n    return 'closed'")
    session.sql("CREATE TEMPORARY TABLE kept AS SELECT 1 AS a").collect()
    assert session.call("p") == "closed"
    assert session.table("kept").collect() == [Row(1)]


def test_other_statements_of_the_session_run_beside_it(
    connect: Callable[..., SnowflakeConnection], session: Session, make: Make
) -> None:
    make("p()", "VARCHAR", "import time\ndef main(session):\n    time.sleep(3)\n    return 'done'")
    answers: list[str] = []
    thread = threading.Thread(
        target=lambda: answers.append(session.connection.cursor().execute("CALL p()").fetchone()[0])
    )
    thread.start()
    time.sleep(0.5)
    begun = time.monotonic()
    assert session.connection.cursor().execute("SELECT 1").fetchall() == [(1,)]
    assert time.monotonic() - begun < 2
    thread.join()
    assert answers == ["done"]
