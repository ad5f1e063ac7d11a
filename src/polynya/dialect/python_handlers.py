"""Routines in Python as the workers take them, and what their statements let them do."""

from __future__ import annotations

from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.model import Routine
from polynya.catalog.parameters import PYTHON_MEMORY_MB, PYTHON_TIMEOUT_SECONDS
from polynya.catalog.rights import with_rights_of
from polynya.dialect.python_logs import log_level, log_sink
from polynya.dialect.python_secrets import secrets_of
from polynya.runtime.handler import LOG_LEVEL, Handler, Job
from polynya.stages.file_urls import open_staged
from polynya.stages.imports import fetch_imports
from polynya.stages.store import StageStore


def handler_of(routine: Routine, context: Context, stages: StageStore) -> Handler:
    """A routine for the workers, with its imports as they are in their stages now.

    Args:
        routine: in Python.
        context: of the session that calls it.
        stages: where its imports are.

    Raises:
        SnowflakeError: 002003 or 001304 if an import is gone.
    """
    options = routine.options
    # Whoever may call a routine needs no right on what it is made of.
    owners = with_rights_of(context, routine.owner)
    return Handler(
        kind="TABLE FUNCTION" if routine.kind == "FUNCTION" and routine.returns_table is not None else routine.kind,
        name=routine.name,
        entry=str(options["HANDLER"]),
        body=routine.body,
        imports=fetch_imports(options.get("IMPORTS", ()), owners, stages, str(options.get("CREATOR", ""))),
        arguments=tuple((name, sql_type) for name, sql_type, _ in routine.arguments),
        returns=routine.returns,
        returns_table=None if routine.returns_table is None else tuple(routine.returns_table),
        strict=bool(options.get("STRICT")),
        domain=context.user,
        timezone=str(context.parameter("TIMEZONE")),
    )


def job_of(execution: Any, routine: Routine, *, procedure: bool = False) -> Job:
    """What a statement lets the handlers do that it calls.

    Args:
        execution: of the statement (``statements.base.Execution``).
        routine: the handler's.
        procedure: the handler is a procedure's: only the statement's own timeout ends it.
    """
    context: Context = execution.context
    level = log_level(context, routine)
    return Job(
        query_id=context.query_id,
        cancelled=execution.cancelled,
        memory_bytes=int(context.parameter(PYTHON_MEMORY_MB)) << 20,
        seconds=0.0 if procedure else float(context.parameter(PYTHON_TIMEOUT_SECONDS)),
        open_file=lambda address: open_staged(address, context, execution.stages),
        log=log_sink(execution, routine, level),
        workers=execution.workers(),
        environment=_environment(context) | {LOG_LEVEL: level} | secrets_of(routine, context),
    )


def _environment(context: Context) -> dict[str, str]:
    """The names of what is current, as a handler may ask for them; what is not set is left out."""
    current = {
        "ACCOUNT": context.account, "USER": context.user, "ROLE": context.role, "WAREHOUSE": context.warehouse,
        "DATABASE": context.database, "SCHEMA": context.schema,
    }  # fmt: skip
    return {name: value for name, value in current.items() if value is not None}
