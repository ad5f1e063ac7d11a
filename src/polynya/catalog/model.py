"""The objects of an account, as plain data.

Names are stored resolved: upper case where they were written without quotes. Every object has an id that is never
used again; a parent id leads from a table to its schema, from a schema to its database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from polynya.types.sqltype import SqlType


@dataclass(slots=True)
class ColumnDef:
    """A column of a stored table.

    Args:
        name: as Snowflake shows it.
        type: Snowflake's type.
        stored_as: the column's name in the engine, which ignores case: unique in the table without regard to case.
        nullable: False for NOT NULL.
        default: SQL text of the default in Snowflake's dialect, or None.
        autoincrement: (sequence id) of an IDENTITY/AUTOINCREMENT column, or None.
        sequence: (id) of the sequence whose NEXTVAL is the default, or None.
        comment: or None.
        primary_key, unique: declared, never enforced, as in Snowflake.
        masking: its masking policy, or None.
    """

    name: str
    type: SqlType
    stored_as: str
    nullable: bool = True
    default: str | None = None
    autoincrement: int | None = None
    comment: str | None = None
    primary_key: bool = False
    unique: bool = False
    collation: str | None = None
    tags: dict[int, str] = field(default_factory=dict)
    masking: Attachment | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A policy on a table, a view or a column.

    Args:
        policy: its id.
        columns: engine names of the columns that are its arguments, in order; renaming a column does not change them.
        tag: id of the tag by which it is there; 0 for one of the column itself.
    """

    policy: int
    columns: tuple[str, ...]
    tag: int = 0


@dataclass(slots=True, kw_only=True)
class CatalogObject:
    """What all objects have.

    Args:
        id: unique in the account.
        parent: id of the schema, database or 0 (the account).
        name: resolved.
        owner: the owning role.
        created_on, dropped_on: UTC; dropped_on is None while it exists.
        options: settings that only SHOW and DESCRIBE read.
        tags: id of a tag -> its value; ``catalog.tags`` tells which of them exist, and what is inherited.
    """

    id: int
    parent: int
    name: str
    owner: str
    created_on: datetime
    dropped_on: datetime | None = None
    comment: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Database(CatalogObject):
    transient: bool = False


@dataclass(slots=True, kw_only=True)
class Schema(CatalogObject):
    transient: bool = False


@dataclass(slots=True)
class TableVersion:
    """What a table was until a moment: see ``Table`` for the fields.

    ``same_at`` is a snapshot at which what followed still had the same rows, for a clone that was written to.
    """

    stored_as: str
    snapshot: int | None
    columns: list[ColumnDef]
    until: datetime
    same_at: int | None = None


@dataclass(slots=True, kw_only=True)
class Table(CatalogObject):
    """A table and where its rows are.

    Args:
        kind: TABLE, TRANSIENT or TEMPORARY.
        columns: in order.
        stored_as: the table's name in the engine, fully qualified and quoted: ``lake.main."trips_17"`` for a
            permanent or transient table, ``temp.main."t_18"`` for a temporary one.
        snapshot: lake snapshot to read it at (a clone not yet written to), or None for the present.
        cluster_by: SQL text or "".
        dynamic_query: the text of a dynamic table's query, else "".
        past: what it was before its rows moved or its columns changed, oldest first.
        row_access: its row access policy, or None.
    """

    kind: str = "TABLE"
    columns: list[ColumnDef] = field(default_factory=list)
    stored_as: str = ""
    snapshot: int | None = None
    cluster_by: str = ""
    dynamic_query: str = ""
    past: list[TableVersion] = field(default_factory=list)
    row_access: Attachment | None = None


@dataclass(slots=True, kw_only=True)
class View(CatalogObject):
    """A view: its query's text, bound anew wherever it is used.

    Args:
        query: the SELECT in Snowflake's dialect.
        text: the whole CREATE VIEW statement, as SHOW VIEWS and GET_DDL print it.
        columns: names (and comments) the view gives its columns, with types as of creation.
        temporary: dropped with its session.
        row_access: its row access policy, or None.
    """

    query: str = ""
    text: str = ""
    columns: list[ColumnDef] = field(default_factory=list)
    temporary: bool = False
    secure: bool = False
    row_access: Attachment | None = None


@dataclass(slots=True, kw_only=True)
class Stream(CatalogObject):
    """A stream, and where it was created; where it is now, the lake knows (``storage.stream_offsets``).

    Args:
        table: id of the table whose changes it shows.
        append_only: only inserted rows.
        show_initial_rows: until it is first consumed, the rows that the table had count as inserted.
        stored_as, snapshot, moment: the table's rows in the lake from which it shows changes, and of when they are.
    """

    table: int = 0
    append_only: bool = False
    show_initial_rows: bool = False
    stored_as: str = ""
    snapshot: int = 0
    moment: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Task(CatalogObject):
    """A task.

    Args:
        definition: the SQL that it runs.
        warehouse: or "" for one that the server chooses.
        schedule: ``5 MINUTE``, ``10 SECOND``, ``USING CRON 0 9 * * * UTC``, or "".
        predecessors: ids of the tasks after which it runs.
        finalizes: id of the root task whose graph it finishes, or 0.
        condition: SQL of WHEN, or "".
        config: JSON text, or "".
        started: whether it runs on its schedule, or after its predecessors.
        last_committed_on, last_suspended_on: or None.
        suspended_reason: or "".
        failures: consecutive failed runs of its graph.
    """

    definition: str = ""
    warehouse: str = ""
    schedule: str = ""
    predecessors: list[int] = field(default_factory=list)
    finalizes: int = 0
    condition: str = ""
    config: str = ""
    started: bool = False
    last_committed_on: datetime | None = None
    last_suspended_on: datetime | None = None
    suspended_reason: str = ""
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Sequence(CatalogObject):
    start: int = 1
    increment: int = 1
    next_value: int = 1
    ordered: bool = False
    temporary: bool = False


@dataclass(slots=True, kw_only=True)
class Stage(CatalogObject):
    """A named stage.

    Args:
        url: "" for an internal stage, else file://, s3:// ...
        file_format: options of the format given at creation (upper-case keys), incl. FORMAT_NAME or TYPE.
        copy_options: COPY options given at creation.
        directory: folder of an internal stage's files, relative to the home's ``stages`` folder.
    """

    url: str = ""
    file_format: dict[str, Any] = field(default_factory=dict)
    copy_options: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    temporary: bool = False
    directory_table: bool = False


@dataclass(slots=True, kw_only=True)
class FileFormat(CatalogObject):
    """A named file format: ``format`` holds TYPE and its options, upper-case keys."""

    format: dict[str, Any] = field(default_factory=dict)
    temporary: bool = False


@dataclass(slots=True, kw_only=True)
class Routine(CatalogObject):
    """A function or procedure.

    Args:
        kind: FUNCTION, TABLE FUNCTION, AGGREGATE FUNCTION or PROCEDURE.
        language: SQL or PYTHON.
        arguments: (name, type, default SQL text or None).
        returns: a scalar's type, or None for a table.
        returns_table: columns of a table result, or None.
        body: the text between the quotes.
        options: HANDLER, RUNTIME_VERSION, PACKAGES, IMPORTS, EXECUTE AS, NULL handling ...
    """

    kind: str = "FUNCTION"
    language: str = "SQL"
    arguments: list[tuple[str, SqlType, str | None]] = field(default_factory=list)
    returns: SqlType | None = None
    returns_table: list[tuple[str, SqlType]] | None = None
    body: str = ""
    temporary: bool = False

    @property
    def signature(self) -> str:
        """Name and argument types, by which overloads differ: ``F(NUMBER, VARCHAR)``."""
        return f"{self.name}({', '.join(kind.name for _, kind, _ in self.arguments)})"


@dataclass(slots=True, kw_only=True)
class Policy(CatalogObject):
    """A row access or masking policy.

    Args:
        kind: "ROW ACCESS POLICY" or "MASKING POLICY".
        arguments: (name, type, None); a masking policy's first one is the masked column.
        returns: BOOLEAN of a row access policy.
        body: an SQL expression over the arguments.
    """

    kind: str = ""
    arguments: list[tuple[str, SqlType, str | None]] = field(default_factory=list)
    returns: SqlType | None = None
    body: str = ""


@dataclass(slots=True, kw_only=True)
class Role(CatalogObject):
    """A role; ``parent`` is 0. Grants of it are in the catalog's grant table."""


@dataclass(slots=True, kw_only=True)
class User(CatalogObject):
    """A user.

    Args:
        login_name: what is typed at login, upper case.
        password_hash: as ``catalog.passwords`` makes it, or "" (no password login).
        public_keys: PEM bodies for key-pair login.
        default_role, default_warehouse, default_namespace: or "".
        locked_until: after too many wrong passwords, or None.
        expires_at: when the user can no longer log in, or None.
        access_tokens: programmatic access tokens, as ``catalog.access_tokens`` keeps them: their secrets hashed.
    """

    login_name: str = ""
    password_hash: str = ""
    public_keys: list[str] = field(default_factory=list)
    default_role: str = ""
    default_warehouse: str = ""
    default_namespace: str = ""
    must_change_password: bool = False
    disabled: bool = False
    locked_until: datetime | None = None
    expires_at: datetime | None = None
    access_tokens: list[AccessToken] = field(default_factory=list)


@dataclass(slots=True)
class AccessToken:
    """A programmatic access token of a user.

    Args:
        name: unique among the user's.
        digest: SHA-256 of the secret, which is random: no salt is needed.
        role: the only role that a session of it has, or "" (any of the user's).
        created_by: user.
        mins_to_bypass: of MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT, or None.
        rotated_to: name of the token that has replaced it, or "".
    """

    name: str
    digest: str
    created_on: datetime
    expires_at: datetime
    created_by: str
    role: str = ""
    comment: str = ""
    disabled: bool = False
    mins_to_bypass: int | None = None
    rotated_to: str = ""


@dataclass(slots=True, kw_only=True)
class Warehouse(CatalogObject):
    """A warehouse.

    Args:
        size: X-Small, Small, ...: see ``catalog.warehouse_sizes``.
        state: STARTED or SUSPENDED.
        resumed_on: when it was last resumed, UTC; None if never.
    """

    size: str = "X-Small"
    state: str = "STARTED"
    resumed_on: datetime | None = None


@dataclass(slots=True, kw_only=True)
class GenericObject(CatalogObject):
    """An object that is only declared so far (secret, network rule, integration, tag, share ...): its statements are
    stored and shown, nothing acts on it. ``kind`` is its kind in SQL; ``text`` the statement that made it."""

    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege on an object, or a role, given to a role or user.

    Args:
        privilege: USAGE, SELECT, OWNERSHIP ...; USAGE for a role.
        on_kind, on_name: the object, e.g. ("WAREHOUSE", "WH"), ("ROLE", "ANALYST"), ("TABLE", "DB.S.T").
        to_kind, to_name: ("ROLE", name), ("USER", name) or ("SHARE", name).
        grant_option: may grant further.
        granted_by: role.
    """

    privilege: str
    on_kind: str
    on_name: str
    to_kind: str
    to_name: str
    grant_option: bool = False
    granted_by: str = ""
    future: bool = False
    created_on: datetime | None = None
