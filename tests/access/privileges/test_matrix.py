"""Each kind of statement: allowed with exactly the documented privileges, refused without any one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import Error

from polynya.dialect.tokens import TokenStream
from polynya.statements import base, handlers
from tests.access.privileges.matrix import DENIED, FREE, HIDDEN, NOT_GRANTED, ROWS, Row

DATABASE, SCHEMA = "ACC", "ACC.S"
# Roles which the rows take in turn, one for each privilege that is left out.
POOL = [f"POOL_{number}" for number in range(6)]
_CONTAINERS = ("DATABASE ACC", "SCHEMA ACC.S", "ACCOUNT")


@pytest.fixture(scope="module")
def admin(as_user: Callable[..., SnowflakeConnection]) -> SnowflakeCursor:
    cursor = as_user().cursor()
    for role in POOL:
        _all(cursor, [
            f"CREATE ROLE {role}", f"GRANT ROLE {role} TO USER anna", f"GRANT USAGE ON DATABASE {DATABASE} TO ROLE {role}",
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO ROLE {role}",
        ])  # fmt: skip
    return cursor


@pytest.fixture(scope="module")
def holders(admin: SnowflakeCursor, as_user: Callable[..., SnowflakeConnection]) -> list[SnowflakeCursor]:
    """A session for each of the roles."""
    return [as_user("anna", role=role, warehouse="compute_wh").cursor() for role in POOL]


def _all(cursor: SnowflakeCursor, statements: list[str]) -> None:
    if statements:
        cursor.execute(";\n".join(statements), num_statements=len(statements))


def _given(need: str, role: str) -> str:
    """The GRANT of a need."""
    if need.startswith("ROLE "):
        return f"GRANT {need} TO ROLE {role}"
    text, option, _ = need.partition(" WITH GRANT OPTION")
    kept = " COPY CURRENT GRANTS" if need.startswith("OWNERSHIP") else ""
    return f"GRANT {text} TO ROLE {role}{kept}{option}"


def _object(need: str) -> str:
    return need.partition(" ON ")[2].partition(" WITH ")[0]


def _expected(row: Row, missing: str, others: list[str]) -> set[int]:
    """The error's number without one of the needs."""
    if row.code == 0:
        return {HIDDEN, DENIED, NOT_GRANTED}
    if row.code is not None:
        return {row.code}
    seen = _object(missing) in _CONTAINERS or any(_object(other) == _object(missing) for other in others)
    return {DENIED if seen else HIDDEN}


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{n}: {row.sql[:60]}" for n, row in enumerate(ROWS)])
def test_exactly_these_privileges(
    admin: SnowflakeCursor, holders: list[SnowflakeCursor], number: int, tmp_path: Path
) -> None:
    row = ROWS[number]
    (tmp_path / "put.csv").write_text("1\n")
    names = {"d": DATABASE, "s": SCHEMA, "n": number, "put": tmp_path / "put.csv", "get": tmp_path}
    sql, shows = row.sql.format(**names), row.shows.format(**names)
    needs, kept, first = ([text.format(**names) for text in texts] for texts in (row.needs, row.has, row.before))
    for index, missing in enumerate([*needs, ""]):
        role, cursor, held = POOL[index], holders[index], [*kept, *(need for need in needs if need != missing)]
        _all(admin, [*first, *(_given(need, role) for need in held)])
        if shows:
            listed = [str(cell) for found in cursor.execute(sql).fetchall() for cell in found]
            assert any(cell == shows or f'"{shows}"' in cell for cell in listed) == (not missing), missing
        elif missing:
            with pytest.raises(Error) as caught:
                cursor.execute(sql)
            assert caught.value.errno in _expected(row, missing, held), (missing, caught.value.msg)
        else:
            cursor.execute(sql)
        # What lies in them is the row's own; these are for all rows.
        shared = [need for need in held if need.startswith("ROLE ") or _object(need) in _CONTAINERS]
        first = [f"REVOKE {need} FROM ROLE {role}" for need in shared]
    if "WAREHOUSE" in sql:  # which it may have changed
        for one in (admin, holders[len(needs)]):
            one.execute("USE WAREHOUSE compute_wh")
    _all(admin, first)


def _words(sql: str) -> tuple[str, ...]:
    """Under which words the registry finds a statement's handler."""
    words = [word for word in TokenStream(sql).words() if word]
    if words[0] == "CREATE":
        words = ["CREATE", *(word for word in words[1:] if word not in base.CREATE_MODIFIERS)]
    return next((key for n in range(4, 0, -1) if (key := tuple(words[:n])) in base._HANDLERS), ())


def _plain(words: tuple[str, ...]) -> str:
    return " ".join(words).replace("DESC ", "DESCRIBE ", 1).replace("SHOW TERSE ", "SHOW ", 1)


def test_no_kind_of_statement_is_left_out() -> None:
    """A kind that is added without a decision on who may use it fails here."""
    handlers.load()
    decided = {_plain(_words(row.sql.replace("{", "").replace("}", ""))) for row in ROWS}
    known = {
        _plain(words) for words, handler in base._HANDLERS.items() if handler.__module__ != "polynya.statements.absent"
    }
    assert known - decided - FREE.keys() == set()


@pytest.mark.parametrize("missing", ["DATABASE ACC", "SCHEMA ACC.S"])
def test_a_role_reaches_nothing_without_a_privilege_on_what_it_lies_in(
    admin: SnowflakeCursor, as_user: Callable[..., SnowflakeConnection], missing: str
) -> None:
    role = f"REACH_{missing[:2]}"
    held = [place for place in ("DATABASE ACC", "SCHEMA ACC.S") if place != missing]
    _all(admin, [
        "CREATE TABLE IF NOT EXISTS acc.s.reached (a INT)", f"CREATE ROLE {role}", f"GRANT ROLE {role} TO USER anna",
        f"GRANT SELECT ON TABLE acc.s.reached TO ROLE {role}", *(f"GRANT USAGE ON {place} TO ROLE {role}" for place in held),
    ])  # fmt: skip
    anna = as_user("anna", role=role).cursor()
    with pytest.raises(Error) as caught:
        anna.execute("SELECT * FROM acc.s.reached")
    assert caught.value.errno == HIDDEN
    admin.execute(f"GRANT MONITOR ON {missing} TO ROLE {role}")  # any privilege will do
    assert anna.execute("SELECT * FROM acc.s.reached").fetchall() == []
