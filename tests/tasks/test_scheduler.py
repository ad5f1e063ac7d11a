"""The scheduler: a due task runs once, also after a restart; a stopping server waits for no task."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from polynya.catalog.context import Context
from polynya.catalog.model import Task
from polynya.session.account import Account
from polynya.session.session import Session

SOON = timedelta(seconds=9.8)  # of an interval of 10 seconds


def _open(home: Path) -> tuple[Account, Callable[[str], None]]:
    account = Account(home)
    context = Context(catalog=account.catalog, session_id=0, user="U", account="A", role="ACCOUNTADMIN")
    context.database, context.schema, context.unrestricted = "D", "PUBLIC", True
    session = Session(account, context)
    account.open_session(session)

    def run(sql: str) -> None:
        session.execute(sql)

    return account, run


def _task(account: Account, name: str) -> Task:
    return next(task for task in account.catalog.all("TASK") if task.name == name)


def _runs(account: Account) -> list[dict[str, Any]]:
    return account.tasks.runs("task")


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen")


def _move_beat(account: Account, task: Task) -> None:
    """Lets a task's next run come in a moment."""
    task.options["RESUMED"] = (datetime.now(UTC) - SOON).isoformat()
    account.catalog.update(task)
    account.tasks.changed()


def test_due_tasks_run_once_and_schedules_survive(tmp_path: Path) -> None:
    account, run = _open(tmp_path)
    try:
        run("CREATE DATABASE d")
        run("CREATE TASK tick SCHEDULE = '10 SECONDS' AS SELECT 1")
        assert account.tasks._scheduler is None  # nothing to watch, nobody wakes
        run("ALTER TASK tick RESUME")
        task = _task(account, "TICK")
        _move_beat(account, task)
        _until(lambda: [record["STATE"] for record in _runs(account)] == ["SUCCEEDED"])
        assert _runs(account)[0]["SCHEDULED_FROM"] == "SCHEDULE"
        assert abs(_runs(account)[0]["QUERY_START_TIME"] - _runs(account)[0]["SCHEDULED_TIME"]) < timedelta(seconds=2)
        upcoming = account.tasks.next_run(task)
        assert upcoming is not None and upcoming > datetime.now(UTC) + timedelta(seconds=5)
        account.tasks.changed()
        time.sleep(0.1)
        assert len(_runs(account)) == 1
        account.tasks._history.add("task", {**_runs(account)[0], "STATE": "EXECUTING", "COMPLETED_TIME": None})
    finally:
        assert account.close()
    account, run = _open(tmp_path)
    try:
        assert [record["STATE"] for record in _runs(account)] == ["SUCCEEDED", "FAILED"]  # a crash cut it off
        assert "stopped" in _runs(account)[1]["ERROR_MESSAGE"]
        task = _task(account, "TICK")
        assert task.started
        _move_beat(account, task)
        _until(lambda: len(_runs(account)) == 3)
        run("ALTER TASK tick SUSPEND")
        assert account.tasks.next_run(task) is None
    finally:
        assert account.close()


def test_runs_do_not_overlap_and_stop_with_the_server(tmp_path: Path) -> None:
    account, run = _open(tmp_path)
    closed = False
    try:
        run("CREATE WAREHOUSE wh")
        run("CREATE DATABASE d")
        run("CREATE TASK slow SCHEDULE = '10 SECONDS' AS CALL SYSTEM$WAIT(30)")
        run("ALTER TASK slow RESUME")
        run("EXECUTE TASK slow")
        _until(lambda: any(record["QUERY_ID"] for record in _runs(account)))
        _move_beat(account, _task(account, "SLOW"))
        time.sleep(0.2)
        time.sleep(0.2)
        assert len(_runs(account)) == 1  # the time that has come meanwhile is left out
        run("EXECUTE TASK slow")  # this one waits
        assert len(_runs(account)) == 1
        run("SELECT SYSTEM$USER_TASK_CANCEL_ONGOING_EXECUTIONS('slow')")
        _until(lambda: [record["STATE"] for record in _runs(account)] == ["CANCELLED", "EXECUTING"])
        began = time.monotonic()
        assert account.close()
        closed = True
        assert time.monotonic() - began < 5
    finally:
        if not closed:
            account.close()
    account, _ = _open(tmp_path)
    try:
        assert [record["STATE"] for record in _runs(account)] == ["CANCELLED", "CANCELLED"]
    finally:
        account.close()
