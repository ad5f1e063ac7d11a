"""System functions: types, waiting, cancelling, references, what clients ask about the account.

A function with an effect must not have it while a statement is only bound or described: its value is read from an
Arrow stream, which begins when the engine runs the statement.

Source: docs.snowflake.com/en/sql-reference/functions-system
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

import pyarrow as pa

from polynya.catalog.references import reference_to
from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, derive, null
from polynya.dialect.functions.context import text, truth
from polynya.dialect.functions.numeric import numeric
from polynya.dialect.registry import Call, scalar
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, unsupported
from polynya.types.sqltype import VARCHAR, SqlType

# --- types ------------------------------------------------------------------------------------------------------------


def physical_type(sql_type: SqlType) -> str:
    """The storage class that SYSTEM$TYPEOF writes behind a type."""
    match sql_type.name:
        case "NUMBER":
            for digits, octets in ((2, 1), (4, 2), (9, 4), (18, 8)):
                if sql_type.precision <= digits:
                    return f"SB{octets}"
            return "SB16"
        case "FLOAT":
            return "DOUBLE"
        case "BOOLEAN":
            return "SB1"
        case "DATE":
            return "SB4"
        case "TIME":
            return "SB8"
    return "SB16" if sql_type.is_timestamp else "LOB"


@scalar("SYSTEM$TYPEOF", args=1)
def typeof(call: Call) -> Expr:
    """The argument's type and storage class, e.g. ``NUMBER(1,0)[SB1]``."""
    sql_type = call.arg(0).type
    return text(f"{sql_type}[{physical_type(sql_type)}]")


# --- effects ----------------------------------------------------------------------------------------------------------


def when_run(call: Call, effect: Callable[[], str | None]) -> Expr:
    """A text that an action gives, once, when the statement runs.

    Args:
        call: of the function.
        effect: the action.
    """
    schema = pa.schema([("value", pa.string())])

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch([pa.array([effect()], pa.string())], schema=schema)

    relation = call.binder.add_input(pa.RecordBatchReader.from_batches(schema, batches()))  # type: ignore[arg-type]
    return Expr(f"(SELECT value FROM {relation})", VARCHAR, volatile=True)


@scalar("SYSTEM$CANCEL_QUERY", args=1)
def cancel_query(call: Call) -> Expr:
    query_id, results = str(call.constant(0)), call.binder.results
    return when_run(call, lambda: results.abort(query_id))


@scalar("SYSTEM$CANCEL_ALL_QUERIES", args=(0, 1))
def cancel_all_queries(call: Call) -> Expr:
    """Cancels a session's statements; without a session, as connectors ask when they close, this session's."""
    given = call.constant(0)
    session_id = call.context.session_id if given is None else int(given)
    results, own = call.binder.results, call.context.query_id
    return when_run(call, lambda: results.abort_all(session_id, own))


_UNITS = {"MILLISECONDS": 0.001, "SECONDS": 1.0, "MINUTES": 60.0, "HOURS": 3600.0, "DAYS": 86400.0}
_STEP = 0.05  # seconds between looks whether the statement was cancelled


@python_function("sf_sleep", ["DOUBLE"], "DOUBLE", volatile=True)
def _sleep(until: float | None) -> float:
    """Sleeps one step, at most until a point of the monotonic clock (NULL: only looks at it); answers the clock."""
    now = time.monotonic()
    if until is not None:
        time.sleep(min(max(until - now, 0.0), _STEP))
        now = time.monotonic()
    return now


@scalar("SYSTEM$WAIT", args=(1, 2))
def wait(call: Call) -> Expr:
    """Waits, in short steps between which the engine notices that it was cancelled."""
    amount = numeric(call, 0)
    unit = str(call.constant(1, "SECONDS")).upper()
    if unit not in _UNITS:
        raise SnowflakeError(100130, "22023", f"Invalid time unit '{unit}' for function SYSTEM$WAIT")
    end = f"sf_sleep(NULL) + CAST({amount.sql} AS DOUBLE) * {_UNITS[unit]!r}"
    # One round of the recursion is one step of sleep.
    waited = (
        f"WITH RECURSIVE waiting(until, now) AS (SELECT {end}, 0::DOUBLE UNION ALL "
        "SELECT until, sf_sleep(until) FROM waiting WHERE now < until) SELECT count(*) FROM waiting"
    )
    return derive(
        f"'waited ' || CAST({amount.sql} AS VARCHAR) || ' {unit.lower()}' || left('', ({waited}))",
        VARCHAR,
        amount,
        simple=False,
    )


# --- references -------------------------------------------------------------------------------------------------------


@scalar("SYSTEM$REFERENCE", args=(2, None))
def reference(call: Call) -> Expr:
    """A name by which an object can be passed on; it is the same for the same object."""
    kind, name = str(call.constant(0)).upper(), str(call.constant(1))
    if kind in ("TABLE", "VIEW"):
        found = call.context.catalog.get(call.context, "TABLE", _name(name))
    else:
        found = call.context.catalog.get(call.context, kind, _name(name))
    return text(reference_to(kind, found.id))


def _name(written: str) -> list[str]:
    stream = TokenStream(written)
    parts = stream.name()
    stream.expect_end()
    return parts


@scalar("SYSTEM$QUERY_REFERENCE", args=(1, 3))
def query_reference(call: Call) -> Expr:
    """A name by which a query can be passed on."""
    query = str(call.constant(0))
    digest = blake2b(query.encode(), digest_size=20).hexdigest().upper()
    return text(f"QUERY_REF_{digest}")


# --- what clients ask -------------------------------------------------------------------------------------------------


@scalar("SYSTEM$CLIENT_VERSION_INFO", args=0)
def client_version_info(call: Call) -> Expr:
    """No client's version is known to be too old."""
    return text("[]")


@scalar("SYSTEM$ALLOWLIST", "SYSTEM$WHITELIST", args=0)
def allowlist(call: Call) -> Expr:
    """The addresses a client needs: only this server's, which it has already."""
    return text(json.dumps([]))


@scalar("SYSTEM$ARE_ANACONDA_TERMS_ACKNOWLEDGED", args=0)
def anaconda_terms(call: Call) -> Expr:
    return truth(True)


@scalar("SYSTEM$GET_DEFAULT_PYTHON_ARTIFACT_REPOSITORY", args=(1, 3))
def default_artifact_repository(call: Call) -> Expr:
    """What ALTER SCHEMA, DATABASE or ACCOUNT set as DEFAULT_PYTHON_ARTIFACT_REPOSITORY, innermost first, or NULL.

    Its arguments: Python's version, and perhaps the kind of an object ('schema', 'database', 'account') and its name.
    """
    context = call.context
    kind = str(call.constant(1, "schema")).upper()
    parts = _name(str(call.constant(2))) if len(call) > 2 else None
    option = "DEFAULT_PYTHON_ARTIFACT_REPOSITORY"
    if kind == "SCHEMA" and parts is None:
        parts = [context.database, context.schema] if context.database and context.schema else None
    if kind in ("SCHEMA", "DATABASE") and parts:
        found = context.catalog.get(context, kind, parts)
        while found is not None:
            value = found.options.get(option)
            if value:
                return text(str(value))
            found = context.catalog.by_id(found.parent) if found.parent else None
    value = context.catalog.account_parameters.get(option)
    return null(VARCHAR) if value is None else text(str(value))


@scalar(
    "SYSTEM$LAST_CHANGE_COMMIT_TIME", "SYSTEM$PIPE_STATUS",
    "SYSTEM$ESTIMATE_QUERY_ACCELERATION", "SYSTEM$CLUSTERING_INFORMATION", args=(0, None)
)  # fmt: skip
def not_here(call: Call) -> Expr:
    raise unsupported(call.name)
