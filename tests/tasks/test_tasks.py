"""Tasks by the real client: graphs, conditions, failures, what a task may ask, and who may run it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

Run = Callable[[str], list[tuple]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    cursor = connection.cursor()
    return lambda sql: cursor.execute(sql).fetchall()


@pytest.fixture
def go(run: Run, schema: str) -> Callable[..., dict[str, Any]]:
    """Executes a root task and answers what became of its graph's run, with the tasks' states."""

    def execute(root: str, text: str = "EXECUTE TASK {0}", runs: int = 1) -> dict[str, Any]:
        before = len(_graphs(run, root))
        run(text.format(root))
        for _ in range(1200):
            graphs = _graphs(run, root)
            if len(graphs) >= before + runs:
                break
            time.sleep(0.05)
        state, group, attempt, task, error = graphs[-1]
        tasks = dict(run(
            f"SELECT NAME, STATE FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY()) WHERE GRAPH_RUN_GROUP_ID = {group} "
            f"AND ATTEMPT_NUMBER = {attempt} AND SCHEMA_NAME = '{schema.partition('.')[2]}'"
        ))  # fmt: skip
        return {"state": state, "attempt": attempt, "first": task, "error": error, "tasks": tasks}

    return execute


def _graphs(run: Run, root: str) -> list[tuple]:
    return run(
        "SELECT STATE, GRAPH_RUN_GROUP_ID, ATTEMPT_NUMBER, FIRST_ERROR_TASK_NAME, FIRST_ERROR_MESSAGE FROM TABLE("
        f"INFORMATION_SCHEMA.COMPLETE_TASK_GRAPHS(ROOT_TASK_NAME => '{root}', ERROR_ONLY => FALSE)) "
        "WHERE SCHEMA_NAME = CURRENT_SCHEMA() ORDER BY QUERY_START_TIME"
    )


def test_a_graph(run: Run, go: Callable[..., dict[str, Any]], schema: str) -> None:
    run("CREATE TABLE log (name VARCHAR, what VARCHAR)")
    run(
        'CREATE TASK root SCHEDULE = \'1 HOUR\' CONFIG = $${"a": {"b": 7}, "c": "x"}$$ USER_TASK_TIMEOUT_MS = 60000 '
        "TIMEZONE = 'Asia/Tokyo' AS INSERT INTO log SELECT SYSTEM$CURRENT_USER_TASK_NAME(), "
        "CURRENT_USER() || CURRENT_ROLE() || SYSTEM$GET_TASK_GRAPH_CONFIG('a.b') || SYSTEM$GET_TASK_GRAPH_CONFIG('c') "
        "|| TO_CHAR(CURRENT_TIMESTAMP(), 'TZHTZM')"
    )
    run(
        "CREATE TASK one AFTER root AS BEGIN CALL SYSTEM$SET_RETURN_VALUE('from one'); INSERT INTO log VALUES ('one', ''); END"
    )
    run("CREATE TASK two AFTER root WHEN 1 = 2 AS SELECT 1")
    run("CREATE TASK after_two AFTER two AS SELECT 1")
    run("CREATE TASK asleep AFTER root AS SELECT 1")
    run(
        "CREATE TASK joined AFTER one, two, asleep AS INSERT INTO log SELECT 'joined', "
        "SYSTEM$GET_PREDECESSOR_RETURN_VALUE('ONE') || SYSTEM$TASK_RUNTIME_INFO('CURRENT_ROOT_TASK_NAME')"
    )
    run("CREATE TASK last FINALIZE = root AS INSERT INTO log VALUES ('last', '')")
    assert go("root")["tasks"] == {"ROOT": "SUCCEEDED"}  # the others are suspended
    run("TRUNCATE TABLE log")
    assert run("SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('root')") == [("true",)]
    run("ALTER TASK root SUSPEND")
    run("ALTER TASK asleep SUSPEND")
    done = go("root")
    assert done["state"] == "SUCCEEDED"
    assert done["tasks"] == {
        "ROOT": "SUCCEEDED", "ONE": "SUCCEEDED", "TWO": "SKIPPED", "JOINED": "SUCCEEDED", "LAST": "SUCCEEDED",
    }  # fmt: skip
    assert run("SELECT * FROM log") == [
        (f"{schema}.ROOT", "SYSTEMACCOUNTADMIN7x+0900"), ("one", ""), ("joined", f"from one{schema}.ROOT"), ("last", ""),
    ]  # fmt: skip
    found = run(
        "SELECT RETURN_VALUE, QUERY_ID IS NOT NULL, SCHEDULED_FROM, CONFIG, ERROR_CODE FROM "
        "TABLE(INFORMATION_SCHEMA.TASK_HISTORY(TASK_NAME => 'one')) WHERE SCHEMA_NAME = CURRENT_SCHEMA()"
    )
    assert [(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in found] == [
        ("from one", True, "EXECUTE TASK", {"a": {"b": 7}, "c": "x"}, None)
    ]
    skipped = run(
        "SELECT ERROR_CODE, ERROR_MESSAGE, QUERY_ID FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY(TASK_NAME => 'two')) WHERE SCHEMA_NAME = CURRENT_SCHEMA()"
    )
    assert skipped == [("040003", "Conditional expression for task evaluated to false.", None)]
    names = run("SELECT NAME FROM TABLE(INFORMATION_SCHEMA.TASK_DEPENDENTS(TASK_NAME => 'root', RECURSIVE => FALSE))")
    assert {name for (name,) in names} == {"ROOT", "ONE", "TWO", "ASLEEP", "LAST"}
    usage = (
        f"SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.TASK_HISTORY WHERE SCHEMA_NAME = '{schema.partition('.')[2]}'"
    )
    assert run(usage) == [(6,)]
    go("root", 'EXECUTE TASK {0} USING CONFIG = \'{{"a": {{"b": 8}}, "c": "y"}}\'')
    assert run("SELECT COUNT(*) FROM log WHERE what LIKE '%8y%'") == [(1,)]


def test_failures(run: Run, go: Callable[..., dict[str, Any]]) -> None:
    run("CREATE TABLE log (name VARCHAR)")
    run("CREATE TABLE divisor AS SELECT 0 AS n")
    run("CREATE TASK root SUSPEND_TASK_AFTER_NUM_FAILURES = 2 SCHEDULE = '1 HOUR' AS INSERT INTO log VALUES ('root')")
    run("CREATE TASK fails AFTER root AS INSERT INTO log SELECT 1 / n FROM divisor")
    run("CREATE TASK beside AFTER root AS INSERT INTO log VALUES ('beside')")
    run("CREATE TASK never AFTER fails AS INSERT INTO log VALUES ('never')")
    run("SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('root')")
    done = go("root")
    assert (done["state"], done["first"], done["error"]) == ("FAILED", "FAILS", "Division by zero")
    assert done["tasks"] == {"ROOT": "SUCCEEDED", "FAILS": "FAILED", "BESIDE": "SUCCEEDED"}
    failed = run("SELECT NAME, ERROR_CODE FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY(ERROR_ONLY => TRUE)) WHERE "
                 "SCHEMA_NAME = CURRENT_SCHEMA()")  # fmt: skip
    assert failed == [("FAILS", "100051")]
    run("UPDATE divisor SET n = 1")
    again = go("root", "EXECUTE TASK {0} RETRY LAST")
    assert (again["state"], again["attempt"]) == ("SUCCEEDED", 2)
    assert again["tasks"] == {"FAILS": "SUCCEEDED", "NEVER": "SUCCEEDED"}
    with pytest.raises(ProgrammingError, match="Cannot retry the last run"):
        run("EXECUTE TASK root RETRY LAST")
    run("UPDATE divisor SET n = 0")
    go("root")
    go("root")
    shown = run('SHOW TASKS LIKE \'root\' ->> SELECT "state", "last_suspended_reason" FROM $1')
    assert shown == [("suspended", "SUSPENDED_DUE_TO_ERRORS")]
    run("ALTER TASK root SET TASK_AUTO_RETRY_ATTEMPTS = 1, USER_TASK_TIMEOUT_MS = 300")
    run("ALTER TASK fails MODIFY AS SELECT 1")
    run("ALTER TASK root MODIFY AS CALL SYSTEM$WAIT(20)")
    timed_out = go("root", runs=2)
    assert (timed_out["state"], timed_out["attempt"], timed_out["first"]) == ("FAILED", 2, "ROOT")
    assert "timeout" in timed_out["error"]


def test_streams_decide_whether_a_task_runs(run: Run, go: Callable[..., dict[str, Any]]) -> None:
    run("CREATE TABLE t (id INT)")
    run("CREATE TABLE target (id INT)")
    run("CREATE STREAM s ON TABLE t")
    run(
        "CREATE TASK move SCHEDULE = '60 MINUTES' WHEN SYSTEM$STREAM_HAS_DATA('S') AS INSERT INTO target SELECT id FROM s"
    )
    assert go("move")["state"] == "SKIPPED"
    run("INSERT INTO t VALUES (1), (2)")
    assert go("move")["state"] == "SUCCEEDED"
    assert go("move")["state"] == "SKIPPED"
    assert run("SELECT COUNT(*) FROM target") == [(2,)]


def test_changes_of_a_graph(run: Run) -> None:
    run("CREATE TASK root SCHEDULE = '1 HOUR' AS SELECT 1")
    run("CREATE TASK a AFTER root AS SELECT 1")
    run("CREATE TASK b AS SELECT 2")
    run("ALTER TASK b ADD AFTER a")
    run("ALTER TASK b SET COMMENT = 'c', USER_TASK_TIMEOUT_MS = 1000, TIMEZONE = 'UTC'")
    run("ALTER TASK b UNSET COMMENT")
    run("ALTER TASK b MODIFY WHEN TRUE")
    run("ALTER TASK root RESUME")
    for statement in (
        "ALTER TASK a SET COMMENT = 'x'", "CREATE TASK c AFTER root AS SELECT 1", "DROP TASK a", "ALTER TASK b RESUME",
        "CREATE OR REPLACE TASK a AFTER root AS SELECT 2", "CREATE TASK f FINALIZE = root AS SELECT 1",
    ):  # fmt: skip
        with pytest.raises(ProgrammingError, match="Unable to update graph with root task") as raised:
            run(statement)
        assert raised.value.errno == 91083, statement
    run("ALTER TASK root SUSPEND")
    for statement, text in {
        "ALTER TASK root ADD AFTER b": "both a schedule and predecessors",
        "ALTER TASK a ADD AFTER b": "which runs after it",
        "CREATE TASK c SCHEDULE = '1 HOUR' AFTER a AS SELECT 1": "both a schedule and predecessors",
        "CREATE TASK c AFTER nobody AS SELECT 1": "does not exist",
        "CREATE TASK c FINALIZE = a AS SELECT 1": "is not a root task",
        "CREATE TASK c SCHEDULE = 'soon' AS SELECT 1": "SCHEDULE",
        "CREATE TASK c CONFIG = 'x' AS SELECT 1": "not a JSON object",
        "CREATE TASK c TASK_AUTO_RETRY_ATTEMPTS = 31 AS SELECT 1": "from 0 to 30",
        "CREATE TASK c NO_SUCH_OPTION = 1 AS SELECT 1": "NO_SUCH_OPTION",
        "CREATE TASK c SCHEDULE = '1 HOUR'": "syntax error",
        "EXECUTE TASK a": "is not a root task",
        "SELECT SYSTEM$SET_RETURN_VALUE('x')": "must be called from within a task",
    }.items():
        with pytest.raises(ProgrammingError) as raised:
            run(statement)
        assert text in str(raised.value.msg), statement
    run("CREATE TASK lonely AS SELECT 1")
    with pytest.raises(ProgrammingError, match="no schedule and no predecessor"):
        run("ALTER TASK lonely RESUME")
    run("CREATE OR REPLACE TASK a AFTER root AS SELECT 3")  # what ran after it still does
    shown = {row[1]: row for row in run("SHOW TASKS")}
    assert json.loads(shown["B"][9]) == [shown["A"][3] + "." + shown["A"][4] + ".A"]
    assert [row[1] for row in run("SHOW TASKS ROOT ONLY")] == ["LONELY", "ROOT"]
    run("CREATE OR ALTER TASK lonely SCHEDULE = '2 HOURS' COMMENT = 'now' AS SELECT 4")
    described = run("DESCRIBE TASK lonely")[0]
    assert (described[2], described[8], described[11]) == (shown["LONELY"][2], "2 HOURS", "SELECT 4")
    run("CREATE TASK copied CLONE lonely")
    run("DROP TASK a")
    assert [row[1] for row in run("SHOW TASKS ROOT ONLY")] == ["B", "COPIED", "LONELY", "ROOT"]
    assert run("DROP TASK IF EXISTS a") == [("Drop statement executed successfully (A already dropped).",)]


def test_rights(run: Run, go: Callable[..., dict[str, Any]], schema: str) -> None:
    """A task runs with its owner's role, which needs EXECUTE TASK; OPERATE is enough to start it."""
    database = schema.partition(".")[0]
    for statement in (
        "CREATE OR REPLACE ROLE tasks_owner", "GRANT ROLE tasks_owner TO ROLE ACCOUNTADMIN",
        f"GRANT USAGE ON DATABASE {database} TO ROLE tasks_owner",
        f"GRANT USAGE, CREATE TASK, CREATE TABLE ON SCHEMA {schema} TO ROLE tasks_owner",
        "CREATE TABLE secret (id INT)", "USE ROLE tasks_owner", "USE SECONDARY ROLES NONE",
        "CREATE TABLE seen (who VARCHAR)", "CREATE TASK mine AS INSERT INTO seen VALUES (CURRENT_ROLE())",
        "CREATE TASK nosy AS INSERT INTO secret VALUES (1)",
    ):  # fmt: skip
        run(statement)
    try:
        with pytest.raises(
            ProgrammingError, match="EXECUTE TASK privilege must be granted to owner role TASKS_OWNER"
        ) as raised:
            run("EXECUTE TASK mine")
        assert raised.value.errno == 3001
        run("USE ROLE ACCOUNTADMIN")
        run("GRANT EXECUTE TASK ON ACCOUNT TO ROLE tasks_owner")
        assert go("mine")["state"] == "SUCCEEDED"
        assert run("SELECT who FROM seen") == [("TASKS_OWNER",)]
        refused = go("nosy")
        assert refused["state"] == "FAILED"
        assert "SECRET" in refused["error"]
    finally:
        run("USE ROLE ACCOUNTADMIN")
        run("DROP ROLE tasks_owner")
