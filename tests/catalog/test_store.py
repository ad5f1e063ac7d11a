"""The catalog: names, temporary objects, what a file gives back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polynya.catalog.bootstrap import create_account
from polynya.catalog.context import Context
from polynya.catalog.model import (
    CatalogObject,
    ColumnDef,
    Database,
    FileFormat,
    GenericObject,
    Grant,
    Role,
    Routine,
    Schema,
    Sequence,
    Stage,
    Table,
    User,
    View,
    Warehouse,
)
from polynya.catalog.passwords import hash_password, verify_password
from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError
from polynya.types.sqltype import BOOLEAN, FLOAT, INTEGER, VARCHAR, SqlType, number, timestamp

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.sqlite")
    create_account(opened, account_name="acme", admin="admin", password="secret")
    yield opened
    opened.close()


@pytest.fixture
def context(catalog: Catalog) -> Context:
    """With the current schema DB.S."""
    database = Database(id=catalog.new_id(), parent=0, name="DB", owner="SYSADMIN", created_on=NOW)
    catalog.add(database)
    catalog.add(Schema(id=catalog.new_id(), parent=database.id, name="S", owner="SYSADMIN", created_on=NOW))
    return Context(catalog, 1, "ADMIN", "ACME", role="ACCOUNTADMIN", database="DB", schema="S")


def schema_id(context: Context) -> int:
    return context.catalog.get(context, "SCHEMA", ["S"]).id


def table(context: Context, name: str, kind: str = "TABLE") -> Table:
    return Table(
        id=context.catalog.new_id(), parent=schema_id(context), name=name, owner="SYSADMIN", created_on=NOW, kind=kind
    )


TYPES = [
    number(10, 2), FLOAT, VARCHAR, BOOLEAN, timestamp("TZ", 3), SqlType("VECTOR", element=FLOAT, length=3),
    SqlType("ARRAY", element=SqlType("MAP", key=VARCHAR, element=INTEGER, element_nullable=False)),
    SqlType("OBJECT", fields=(("a", VARCHAR), ("B", SqlType("ARRAY")))),
]  # fmt: skip
COLUMNS = [ColumnDef(f"C{index}", kind, f"C{index}", default="1") for index, kind in enumerate(TYPES)]
OBJECTS: list[CatalogObject] = [
    Database(id=1, parent=0, name="D", owner="R", created_on=NOW, transient=True, comment="x", tags={7: "v"}),
    Schema(id=2, parent=1, name="s t", owner="R", created_on=NOW, options={"N": [1, {"a": None}]}),
    Table(id=3, parent=2, name="T", owner="R", created_on=NOW, columns=COLUMNS, stored_as='lake.main."t_3"', snapshot=7),
    View(id=4, parent=2, name="V", owner="R", created_on=NOW, query="SELECT 1", text="...", columns=COLUMNS[:1]),
    Sequence(id=5, parent=2, name="Q", owner="R", created_on=NOW, start=3, increment=-2, next_value=1),
    Stage(id=6, parent=2, name="ST", owner="R", created_on=NOW, url="s3://b/", file_format={"TYPE": "CSV"}),
    FileFormat(id=7, parent=2, name="FF", owner="R", created_on=NOW, format={"NULL_IF": ["", "\\N"]}),
    Routine(
        id=8, parent=2, name="F", owner="R", created_on=NOW, arguments=[("A", INTEGER, None), ("B", VARCHAR, "'x'")],
        returns_table=[("X", FLOAT)], body="select 1",
    ),
    Routine(id=9, parent=2, name="G", owner="R", created_on=NOW, kind="PROCEDURE", returns=VARCHAR),
    Role(id=10, parent=0, name="R", owner="", created_on=NOW),
    User(id=11, parent=0, name="U", owner="R", created_on=NOW, public_keys=["k"], disabled=True),
    Warehouse(id=12, parent=0, name="W", owner="R", created_on=NOW, size="Large", state="SUSPENDED"),
    GenericObject(id=13, parent=2, name="TG", owner="R", created_on=NOW, kind="TAG", text="create tag"),
]  # fmt: skip


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: type(item).__name__)
def test_objects_come_back_as_they_were(tmp_path: Path, item: CatalogObject) -> None:
    catalog = Catalog.open(tmp_path / "catalog.sqlite")
    catalog.add(item)
    catalog.close()
    again = Catalog.open(tmp_path / "catalog.sqlite")
    assert again.by_id(item.id) == item
    again.close()


def test_grants_parameters_and_ids_come_back(tmp_path: Path) -> None:
    grant = Grant("SELECT", "TABLE", "D.S.T", "ROLE", "R", grant_option=True, granted_by="X", created_on=NOW)
    catalog = Catalog.open(tmp_path / "catalog.sqlite")
    first = catalog.new_id()
    catalog.grant(grant)
    catalog.set_account_parameter("TIMEZONE", "UTC")
    again = Catalog.open(tmp_path / "catalog.sqlite")  # without close: the process was killed
    assert again.grants() == [grant]
    assert again.account_parameters == {"TIMEZONE": "UTC"}
    assert again.new_id() > first
    again.close()
    catalog.close()


NOT_FOUND = [
    (["T"], 2003, "Object 'T' does not exist or not authorized."),
    (["DB", "S", "t"], 2003, "Object 'DB.S.\"t\"' does not exist or not authorized."),
    (["S9", "T"], 2003, "Schema 'DB.S9' does not exist or not authorized."),
    (["D9", "S", "T"], 2003, "Database 'D9' does not exist or not authorized."),
    (["A", "B", "C", "D"], 1003, "too many parts"),
]


@pytest.mark.parametrize(("parts", "code", "text"), NOT_FOUND, ids=lambda value: str(value))
def test_what_is_missing_is_named(context: Context, parts: list[str], code: int, text: str) -> None:
    with pytest.raises(SnowflakeError) as caught:
        context.catalog.get(context, "TABLE", parts)
    assert caught.value.code == code
    assert text in caught.value.message


@pytest.mark.parametrize(("database", "schema", "code"), [(None, None, 90105), ("DB", None, 90106)])
def test_unqualified_names_need_a_current_schema(
    context: Context, database: str | None, schema: str | None, code: int
) -> None:
    context.database, context.schema = database, schema
    with pytest.raises(SnowflakeError) as caught:
        context.catalog.find(context, "TABLE", ["T"])
    assert caught.value.code == code


def test_temporary_hides_permanent(context: Context) -> None:
    catalog = context.catalog
    permanent, temporary = table(context, "T"), table(context, "T", "TEMPORARY")
    catalog.add(permanent)
    catalog.add_temporary(context, temporary)
    assert catalog.get(context, "TABLE", ["DB", "", "T"][-1:]) is temporary
    catalog.drop_temporary(context, temporary)
    assert catalog.get(context, "TABLE", ["T"]) is permanent


def test_a_dropped_schema_takes_its_tables_and_brings_them_back(context: Context) -> None:
    catalog = context.catalog
    catalog.add(table(context, "T"))
    schema = catalog.get(context, "SCHEMA", ["S"])
    catalog.drop(schema)
    assert catalog.find(context, "TABLE", ["DB", "S", "T"]) is None
    assert catalog.all("TABLE") == []
    catalog.undrop(schema)
    assert catalog.find(context, "TABLE", ["DB", "S", "T"]) is not None


def test_names_are_taken_once_and_free_after_a_rename(context: Context) -> None:
    catalog = context.catalog
    first = table(context, "T")
    catalog.add(first)
    with pytest.raises(SnowflakeError) as caught:
        catalog.add(table(context, "T"))
    assert caught.value.code == 2002
    first.name = "T2"
    catalog.update(first)
    catalog.add(table(context, "T"))
    assert [item.name for item in catalog.children(first.parent, "TABLE")] == ["T", "T2"]


def test_overloads(context: Context) -> None:
    catalog = context.catalog
    for types in ([], [INTEGER], [VARCHAR]):
        catalog.add(
            Routine(
                id=catalog.new_id(), parent=schema_id(context), name="F", owner="R", created_on=NOW,
                arguments=[("A", kind, None) for kind in types],
            )
        )  # fmt: skip
    assert [routine.signature for routine in catalog.routines(context, "FUNCTION", ["F"])] == [
        "F()",
        "F(NUMBER)",
        "F(VARCHAR)",
    ]
    assert catalog.routines(context, "PROCEDURE", ["F"]) == []


def test_a_sequence_never_gives_a_value_twice(context: Context, tmp_path: Path) -> None:
    catalog = context.catalog
    sequence = Sequence(
        id=catalog.new_id(), parent=schema_id(context), name="Q", owner="R", created_on=NOW, increment=5
    )
    catalog.add(sequence)
    assert list(catalog.draw(sequence, 3)) == [1, 6, 11]
    assert list(catalog.draw(sequence, 1)) == [16]
    killed = Catalog.open(tmp_path / "catalog.sqlite")  # as after a kill: the file is ahead
    found = killed.by_id(sequence.id)
    assert isinstance(found, Sequence)
    assert found.next_value > 16
    killed.close()


def test_roles_are_inherited(catalog: Catalog) -> None:
    assert catalog.roles_of("ADMIN") == [
        "ACCOUNTADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN", "PUBLIC",
    ]  # fmt: skip
    assert catalog.roles_of("NOBODY") == ["PUBLIC"]


RENAMED = [
    ("TABLE", "DB.S.T", "DB.S.U", "DB.S.U"),
    ("SCHEMA", "DB.S", "DB.Z", "DB.Z.T"),
    ("DATABASE", "DB", "DC", "DC.S.T"),
    ("TABLE", "DB.S.OTHER", "DB.S.U", "DB.S.T"),
    ("SCHEMA", "DB.S", None, None),
]


@pytest.mark.parametrize(("kind", "old", "new", "expected"), RENAMED)
def test_grants_follow_names(catalog: Catalog, kind: str, old: str, new: str | None, expected: str | None) -> None:
    catalog.grant(Grant("SELECT", "TABLE", "DB.S.T", "ROLE", "R"))
    catalog.rename_in_grants(kind, old, new)
    assert [grant.on_name for grant in catalog.grants_to("ROLE", "R")] == ([expected] if expected else [])


def test_passwords() -> None:
    stored = hash_password("pass ✓")
    assert verify_password("pass ✓", stored)
    assert not verify_password("pass", stored)
    assert not verify_password("", "")
    assert stored != hash_password("pass ✓")
