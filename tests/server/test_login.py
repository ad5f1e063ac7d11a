"""Who may enter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError

from polynya.server.local import Warehouse
from tests.server.conftest import Http

REFUSED = [
    ("wrong password", {"PASSWORD": "wrong"}, "390100"),
    ("no password", {"PASSWORD": None}, "390100"),
    ("unknown user", {"LOGIN_NAME": "NOBODY"}, "390100"),
    ("no user", {"LOGIN_NAME": None}, "390100"),
    ("oauth", {"AUTHENTICATOR": "OAUTH", "TOKEN": "x"}, "390139"),
    ("access token", {"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "x"}, "394400"),
    ("browser", {"AUTHENTICATOR": "EXTERNALBROWSER"}, "390139"),
    ("bad key-pair token", {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": "not.a.token"}, "390144"),
    ("forged key-pair token", {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": "e30.e30.e30"}, "390144"),
]


@pytest.mark.parametrize(("data", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(anonymous: Http, data: dict, code: str) -> None:
    reply = anonymous.login(**data)
    assert not reply["success"]
    assert reply["code"] == code
    assert anonymous.statuses == [200]


def test_connector_shows_a_wrong_password(warehouse: Warehouse) -> None:
    with pytest.raises(DatabaseError, match="Incorrect username or password") as caught:
        snowflake.connector.connect(**{**warehouse.connection_parameters, "password": "wrong"})
    assert caught.value.errno == 390100


def test_user_is_found_in_any_case(connect: Callable[..., SnowflakeConnection]) -> None:
    assert connect(user="admin").role == "ACCOUNTADMIN"


def test_unknown_role_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(DatabaseError, match="Role 'NO_SUCH_ROLE' specified") as caught:
        snowflake.connector.connect(**{**warehouse.connection_parameters, "role": "no_such_role"})
    assert caught.value.errno == 390189


def test_inherited_role_may_be_asked_for(connect: Callable[..., SnowflakeConnection]) -> None:
    assert connect(role="sysadmin").role == "SYSADMIN"


def test_names_of_the_connection(connect: Callable[..., SnowflakeConnection], schema: str) -> None:
    database, _, name = schema.partition(".")
    client = connect(database=database.lower(), schema=f'"{name}"', warehouse="compute_wh")
    assert (client.database, client.schema, client.warehouse) == (database, name, "COMPUTE_WH")


def test_missing_database_leaves_none(connect: Callable[..., SnowflakeConnection]) -> None:
    client = connect(database="no_such_database", schema="s")
    assert (client.database, client.schema) == (None, None)


def test_database_alone_leaves_the_schema_unset(connect: Callable[..., SnowflakeConnection], schema: str) -> None:
    assert connect(database=schema.partition(".")[0]).schema is None


def test_session_parameters(connect: Callable[..., SnowflakeConnection]) -> None:
    client = connect(
        session_parameters={"TIMEZONE": "Asia/Tokyo", "QUERY_TAG": "t", "PYTHON_CONNECTOR_USE_NANOARROW": True}
    )
    assert client._session_parameters["TIMEZONE"] == "Asia/Tokyo"
    assert client._session_parameters["CLIENT_STAGE_ARRAY_BINDING_THRESHOLD"] == 65280


def test_key_pair(connect: Callable[..., SnowflakeConnection], warehouse: Warehouse) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    body = "".join(public.splitlines()[1:-1])
    connect().cursor().execute(f"CREATE OR REPLACE USER key_user RSA_PUBLIC_KEY='{body}' DEFAULT_ROLE=PUBLIC")
    parameters = {
        name: value for name, value in warehouse.connection_parameters.items() if name not in ("password", "role")
    }
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with snowflake.connector.connect(**{**parameters, "user": "key_user", "private_key": private}) as client:
        assert client.cursor().execute("SELECT CURRENT_USER()").fetchone() == ("KEY_USER",)
    other = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(DatabaseError) as caught:
        snowflake.connector.connect(**{**parameters, "user": "key_user", "private_key": other})
    assert caught.value.errno == 390144
