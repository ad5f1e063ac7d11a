"""Secrets that a handler reads by ``_snowflake``, through a client."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError


def _function(secrets: str, expression: str, name: str = "f") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'run' "
        f"{secrets} AS $$\nimport _snowflake\n\ndef run():\n    return {expression}\n$$"
    )


def _value(connection: SnowflakeConnection, sql: str) -> Any:
    return connection.cursor().execute(sql).fetchone()[0]  # type: ignore[index,union-attr]


def test_a_generic_string(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'it''s a key'")
    expression = "_snowflake.get_generic_secret_string('cred') + ' ' + _snowflake.get_secret_type('cred')"
    cursor.execute(_function("SECRETS = ('cred' = api)", expression))
    assert _value(connection, "SELECT f()") == "it's a key GENERIC_STRING"


def test_a_password(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET login TYPE = PASSWORD USERNAME = 'me' PASSWORD = 'pass'")
    expression = "'/'.join(vars(_snowflake.get_username_password('cred')).values())"
    cursor.execute(_function("SECRETS = ('cred' = login)", expression))
    assert _value(connection, "SELECT f()") == "me/pass"


def test_a_changed_secret_is_read_anew(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'one'")
    cursor.execute(_function("SECRETS = ('cred' = api)", "_snowflake.get_generic_secret_string('cred')"))
    assert _value(connection, "SELECT f()") == "one"
    cursor.execute("ALTER SECRET api SET SECRET_STRING = 'two'")
    assert _value(connection, "SELECT f()") == "two"


def test_its_name_is_the_functions_schemas(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    schema = f"{connection.database}.{connection.schema}"
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'mine'")
    cursor.execute(_function("SECRETS = ('cred' = api)", "_snowflake.get_generic_secret_string('cred')"))
    cursor.execute(f"USE SCHEMA {connection.database}.information_schema")
    assert _value(connection, f"SELECT {schema}.f()") == "mine"


def test_another_functions_secret_is_not_its_own(connection: SnowflakeConnection) -> None:
    """Even where both run one after the other for the same user."""
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'hidden-text'")
    expression = "_snowflake.get_generic_secret_string('cred')"
    cursor.execute(_function("SECRETS = ('cred' = api)", expression))
    cursor.execute(_function("", expression, "g"))
    assert _value(connection, "SELECT f()") == "hidden-text"
    with pytest.raises(ProgrammingError, match="not granted to this function") as raised:
        cursor.execute("SELECT g()")
    assert "hidden-text" not in str(raised.value)


def test_a_secret_that_is_gone(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'x'")
    cursor.execute(_function("SECRETS = ('cred' = api)", "_snowflake.get_generic_secret_string('cred')"))
    cursor.execute("DROP SECRET api")
    with pytest.raises(ProgrammingError, match=r"Secret '.*API' does not exist") as raised:
        cursor.execute("SELECT f()")
    assert raised.value.errno == 2003


def test_a_token_of_a_provider_is_refused(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET token TYPE = OAUTH2 OAUTH_REFRESH_TOKEN = 'x'")
    cursor.execute(_function("SECRETS = ('cred' = token)", "_snowflake.get_oauth_access_token('cred')"))
    with pytest.raises(ProgrammingError, match="TYPE OAUTH2") as raised:
        cursor.execute("SELECT f()")
    assert raised.value.errno == 2


def test_the_value_is_shown_nowhere(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE SECRET api TYPE = GENERIC_STRING SECRET_STRING = 'very-hidden'")
    cursor.execute(_function("SECRETS = ('cred' = api)", "str(_snowflake.get_generic_secret_string('cred') != '')"))
    assert _value(connection, "SELECT f()") == "True"
    shown = []
    for sql in (
        "SHOW SECRETS",
        "DESCRIBE SECRET api",
        "SHOW FUNCTIONS LIKE 'f'",
        "DESCRIBE FUNCTION f()",
        "SELECT query_text FROM snowflake.account_usage.query_history",
    ):
        shown.append(str(cursor.execute(sql).fetchall()))  # type: ignore[union-attr]
    assert "SECRET" in "".join(shown)
    assert not any("very-hidden" in text for text in shown)
