"""ALTER SESSION and ALTER ACCOUNT: parameters. https://docs.snowflake.com/en/sql-reference/sql/alter-session"""

from __future__ import annotations

from typing import Any

from polynya.catalog.network_policies import PARAMETER
from polynya.catalog.parameters import DEFAULTS, EVENT_TABLE, OBJECT_DEFAULTS, coerce
from polynya.catalog.retention import DAYS, LEAST_DAYS, check_days
from polynya.catalog.tags import account_tags, set_account_tags
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, invalid_value, unsupported
from polynya.statements import network_policies, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.objects import DONE, read_value
from polynya.types.resultset import ResultSet, StatementType, status

# Switches that clients set and that have no documented meaning: kept, shown, without effect.
_INTERNAL = (
    "ENABLE_",
    "FORCE_",
    "IGNORE_",
    "FEATURE_",
    "PYTHON_",
    "SNOWPARK_",
    "CLIENT_",
    "JDBC_",
    "ODBC_",
    "JS_",
    "GO_",
    "USE_",
    "UI_",
    "_",
)


@statement("ALTER SESSION")
def alter_session(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER", "SESSION")
    context = execution.context
    if stream.accept("SET"):
        given = read_parameters(stream)
        values = {name: check(name, value, "SESSION") for name, value in given.items()}
        context.parameters = {**context.parameters, **values}
    elif stream.accept("UNSET"):
        names = _names(stream)
        for name in names:
            check(name, None, "SESSION")
        context.parameters = {name: value for name, value in context.parameters.items() if name not in names}
    else:
        raise stream.error()
    stream.expect_end()
    return status(DONE, StatementType.SCL)


@statement("ALTER ACCOUNT")
def alter_account(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER", "ACCOUNT")
    catalog = execution.context.catalog
    # No privilege allows it but being ACCOUNTADMIN, save for tags.
    if not (stream.at("SET", "TAG") or stream.at("UNSET", "TAG")):
        execution.require_account("ALTER ACCOUNT")
    else:
        execution.require_account(tagging.APPLY)
    changed = tagging.read_tag_change(execution, stream, account_tags(catalog))
    if changed is not None:
        stream.expect_end()
        set_account_tags(catalog, changed)
        return status(DONE)
    if stream.at_one("SET PASSWORD", "SET RESOURCE_MONITOR"):
        raise unsupported("ALTER ACCOUNT " + " ".join(stream.words()[2:4]))
    if stream.accept("SET"):
        given = read_parameters(stream)
        for name, value in {name: check(name, value, "ACCOUNT") for name, value in given.items()}.items():
            if name == PARAMETER and value:
                value = network_policies.check_activation(execution, str(value), None)
            catalog.set_account_parameter(name, value)
    elif stream.accept("UNSET"):
        for name in _names(stream):
            catalog.set_account_parameter(name, None)
    else:
        raise stream.error()
    stream.expect_end()
    return status(DONE)


def read_parameters(stream: TokenStream) -> dict[str, Any]:
    """``NAME = value [,] ...``; a value is a literal, a word, or text in double quotes."""
    found: dict[str, Any] = {}
    while True:
        name = stream.word()
        stream.expect("=")
        quoted = stream.current is not None and stream.current.token_type.name == "IDENTIFIER"
        if name == "EVENT_TABLE" and not stream.at_string():
            found[name] = ".".join(stream.name())
        else:
            found[name] = stream.next().text if quoted else read_value(stream)
        stream.accept(",")
        if stream.done:
            return found


def check(name: str, value: Any, level: str) -> Any:
    """A parameter's value in its own type; None where only the name is to be checked.

    Args:
        name: upper case.
        value: as it was written.
        level: SESSION, ACCOUNT or USER, for the error.

    Raises:
        SnowflakeError: 001420 for an unknown parameter, 001008 for a value that cannot be.
    """
    known = name in DEFAULTS or name.startswith(_INTERNAL) or (level != "SESSION" and name in OBJECT_DEFAULTS)
    if not known:
        raise compilation_error(1420, "22023", f"invalid property '{name}' for '{level}'")
    if value is None:
        return None
    if name == "EVENT_TABLE":
        if str(value).lower() != EVENT_TABLE:
            raise unsupported("an EVENT_TABLE other than SNOWFLAKE.TELEMETRY.EVENTS")
        return EVENT_TABLE
    if name in (DAYS, LEAST_DAYS):
        return check_days(name, value)
    if name == "TIMEZONE":
        _check_timezone(str(value))
    return coerce(name, value)


def _check_timezone(name: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise invalid_value(f"invalid value [{name}] for parameter 'TIMEZONE'", 1006) from None


def _names(stream: TokenStream) -> list[str]:
    names = [stream.word()]
    while not stream.done:
        stream.accept(",")
        names.append(stream.word())
    return names
