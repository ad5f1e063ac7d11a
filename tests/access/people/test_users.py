"""Users: passwords, lock-out, keys, types, and what ends with them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from polynya.server.local import Warehouse
from tests.access.people.conftest import PASSWORD, Login, Person, refused, rows
from tests.server.conftest import Http

Try = Callable[..., str]


@pytest.fixture
def attempt(warehouse: Warehouse) -> Try:
    """Logs in by hand: ``attempt(user, password)``; the code of the refusal, or ""."""

    def one(user: str, password: str | None = PASSWORD, **data: Any) -> str:
        client = Http(warehouse.connection_parameters)
        reply = client.login(**{"LOGIN_NAME": user, "PASSWORD": password, **data})
        if reply["success"]:
            client.call("POST", "/session?delete=true", {})
        return reply["code"] or ""

    return one


def described(connection: SnowflakeConnection, user: str) -> dict[str, str]:
    return {row[0]: row[1] for row in rows(connection, f"DESCRIBE USER {user}")}


def test_five_wrong_passwords_lock_the_user(connection: SnowflakeConnection, person: Person, attempt: Try) -> None:
    assert [attempt(person.name, "wrong") for _ in range(4)] + [attempt(person.name)] == ["390100"] * 4 + [""]
    assert {attempt(person.name, "wrong") for _ in range(5)} == {"390100"}
    assert attempt(person.name) == "390102"  # the right one does not help
    assert described(connection, person.name)["MINS_TO_UNLOCK"] == "15"
    rows(connection, f"ALTER USER {person.name} SET MINS_TO_UNLOCK = 0")
    assert attempt(person.name) == ""
    # It cannot be told from the answers whether there is such a user.
    assert [attempt("nobody_at_all", "wrong") for _ in range(6)] == ["390100"] * 5 + ["390102"]


def test_unknown_users_take_as_long_to_refuse(person: Person, attempt: Try) -> None:
    took = []
    for user in (person.name, "no_such_user_1"):
        best = []
        for _ in range(3):
            began = time.perf_counter()
            attempt(user, "wrong")
            best.append(time.perf_counter() - began)
        took.append(min(best))
    assert 0.4 < took[0] / took[1] < 2.5, took


def test_a_password_that_must_be_changed(
    connection: SnowflakeConnection, person: Person, warehouse: Warehouse, login: Login
) -> None:
    rows(connection, f"ALTER USER {person.name} SET MUST_CHANGE_PASSWORD = TRUE")
    with pytest.raises(Error, match="Specified password has expired") as caught:
        login(user=person.name, password=PASSWORD)
    assert caught.value.errno == 390106
    for weak in ("Short-1", "nothing-but-lower-1", "NO-LOWER-CASE-1", "No-Digit-Here", PASSWORD):
        with pytest.raises(Error, match="New password rejected by current password policy") as caught:
            login(user=person.name, password=PASSWORD, password_callback=lambda weak=weak: weak)
        assert caught.value.errno == 390106
    login(user=person.name, password=PASSWORD, password_callback=lambda: "Another-Horse-8")
    own = login(user=person.name, password="Another-Horse-8")
    refused(own, f"ALTER USER {person.name} SET PASSWORD = 'weak'", 3002, "'PASSWORD_TOO_SHORT': at least 8 characters")
    rows(own, f"ALTER USER {person.name} SET PASSWORD = 'Third-Horse-9'")
    login(user=person.name, password="Third-Horse-9")


OTHERS = [
    "SET DISABLED = TRUE", "SET MINS_TO_UNLOCK = 0", "SET TYPE = SERVICE", "SET LOGIN_NAME = 'x'", "RENAME TO x",
    "SET DAYS_TO_EXPIRY = 5", "SET MUST_CHANGE_PASSWORD = FALSE", "RESET PASSWORD", "UNSET RSA_PUBLIC_KEY",
]  # fmt: skip


def test_what_users_may_change_of_themselves(
    connection: SnowflakeConnection, person: Person, reader: SnowflakeConnection
) -> None:
    rows(
        reader,
        "ALTER USER SET DEFAULT_WAREHOUSE = compute_wh, EMAIL = 'a@b.example', TIMEZONE = 'UTC'",
        "ALTER USER UNSET EMAIL",
    )
    assert described(reader, person.name)["DEFAULT_WAREHOUSE"] == "COMPUTE_WH"
    for change in OTHERS:
        refused(reader, f"ALTER USER {person.name} {change}", 3001)
    refused(
        reader,
        "ALTER USER admin SET PASSWORD = 'Stolen-Horse-1'",
        3001,
        "Insufficient privileges to operate on user 'ADMIN'",
    )
    refused(reader, "DESCRIBE USER admin", 3001, "Insufficient privileges to operate on user 'ADMIN'")
    refused(reader, "CREATE USER access_x", 3001)
    refused(connection, "ALTER USER admin SET DISABLED = TRUE", 3001, "cannot be disabled")
    refused(connection, "DROP USER admin", 3001, "cannot be dropped")
    for statement, code, text in (
        ("SET TYPE = 'ROBOT'", 1008, "one of PERSON, SERVICE"),
        ("SET DEFAULT_SECONDARY_ROLES = ('SYSADMIN')", 1008, "('ALL') or ()"),
        ("SET DAYS_TO_EXPIRY = 'soon'", 1008, "DAYS_TO_EXPIRY"),
        ("SET RSA_PUBLIC_KEY = 'abc'", 1008, "Invalid public key"),
        ("SET LOGIN_NAME = 'admin'", 2002, "'ADMIN' already exists"),
        ("SET AUTHENTICATION POLICY x", 2, "AUTHENTICATION POLICY"),
    ):
        refused(connection, f"ALTER USER {person.name} {statement}", code, text)


@pytest.mark.parametrize("ending", ["ALTER USER {} SET DISABLED = TRUE", "DROP USER {}", "CREATE OR REPLACE USER {}"])
def test_sessions_end_with_their_user(
    connection: SnowflakeConnection, person: Person, login: Login, attempt: Try, ending: str
) -> None:
    before = login(user=person.name, password=PASSWORD)
    running = before.cursor()
    running.execute_async("SELECT SYSTEM$WAIT(30)")
    rows(connection, ending.format(person.name))
    with pytest.raises(Error) as caught:
        rows(before, "SELECT 1")
    assert caught.value.errno in (390111, 390114)
    history = (
        f"SELECT execution_status FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE query_id = '{running.sfqid}'"
    )
    until = time.monotonic() + 10
    while rows(connection, history) == [("RUNNING",)] and time.monotonic() < until:
        time.sleep(0.05)
    assert rows(connection, history) == [("FAILED_WITH_ERROR",)]
    assert attempt(person.name) == ("390101" if "DISABLED" in ending else "390100")
    assert attempt(person.name, "wrong") == "390100"  # who does not know the password learns nothing


def test_expired_users_cannot_log_in(connection: SnowflakeConnection, person: Person, attempt: Try) -> None:
    rows(connection, f"ALTER USER {person.name} SET DAYS_TO_EXPIRY = 3")
    assert attempt(person.name) == ""
    assert float(described(connection, person.name)["DAYS_TO_EXPIRY"]) == pytest.approx(3, abs=0.01)
    rows(connection, f"ALTER USER {person.name} SET DAYS_TO_EXPIRY = 0")
    assert attempt(person.name) == "390101"


@pytest.fixture(scope="module")
def keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(65537, 2048) for _ in range(2)]


def body(key: rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_keys_change_in_turns(
    connection: SnowflakeConnection, person: Person, login: Login, keys: list[rsa.RSAPrivateKey]
) -> None:
    name = person.name
    rows(connection, f"ALTER USER {name} SET TYPE = SERVICE, RSA_PUBLIC_KEY = '{body(keys[0])}'")
    refused(connection, f"ALTER USER {name} SET PASSWORD = 'Any-Horse-12'", 1422, "type SERVICE")
    with pytest.raises(Error):
        login(user=name, password=PASSWORD)
    rows(connection, f"ALTER USER {name} SET RSA_PUBLIC_KEY_2 = '{body(keys[1])}'")
    found = described(connection, name)
    assert found["RSA_PUBLIC_KEY_FP"].startswith("SHA256:")
    assert found["RSA_PUBLIC_KEY_FP"] != found["RSA_PUBLIC_KEY_2_FP"]
    for key in keys:
        assert rows(login(user=name, private_key=private(key)), "SELECT CURRENT_USER()") == [(name,)]
    rows(connection, f"ALTER USER {name} UNSET RSA_PUBLIC_KEY")
    login(user=name, private_key=private(keys[1]))
    with pytest.raises(Error) as caught:
        login(user=name, private_key=private(keys[0]))
    assert caught.value.errno == 390144


@pytest.fixture
def signed(
    keys: list[rsa.RSAPrivateKey], person: Person, connection: SnowflakeConnection, warehouse: Warehouse
) -> Iterator[Callable]:
    """Key-pair tokens as drivers make them, with what is to be wrong in them."""
    rows(connection, f"ALTER USER {person.name} SET RSA_PUBLIC_KEY = '{body(keys[0])}'")
    account = str(warehouse.connection_parameters["account"]).upper()
    fingerprint = described(connection, person.name)["RSA_PUBLIC_KEY_FP"]

    def make(
        *,
        key: int = 0,
        account: str = account,
        name: str = person.name,
        minutes: int = 1,
        issued: int = 0,
        **claims: Any,
    ) -> str:
        now = datetime.now(UTC) + timedelta(minutes=issued)
        content = {
            "iss": f"{account}.{name}.{fingerprint}",
            "sub": f"{account}.{name}",
            "iat": now,
            "exp": now + timedelta(minutes=minutes),
        }
        return jwt.encode({**content, **claims}, keys[key], algorithm="RS256")

    yield make


def test_forged_key_pair_tokens(signed: Callable[..., str], attempt: Try, person: Person) -> None:
    def enter(token: str, user: str = person.name) -> str:
        return attempt(user, None, AUTHENTICATOR="SNOWFLAKE_JWT", TOKEN=token)

    good = signed()
    assert enter(good) == ""
    unsigned = jwt.encode(jwt.decode(good, options={"verify_signature": False}), "", algorithm="none")
    assert enter(signed(key=1)) == "390144"
    assert enter(unsigned) == "390144"
    assert enter(signed(account="ELSEWHERE")) == "390144"
    assert enter(signed(name="ADMIN")) == "390144"
    assert enter(good, "admin") == "390144"
    assert enter(signed(sub=f"POLYNYA.{person.name}X")) == "390144"
    assert enter(signed(minutes=1, issued=-5)) == "394301"
    assert enter(signed(minutes=6000, issued=-90)) == "394301"  # at most an hour
