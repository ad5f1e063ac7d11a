"""CREATE, ALTER, DROP and DESCRIBE SHARE, CREATE DATABASE ... FROM SHARE, and what GRANT checks of shares.

https://docs.snowflake.com/en/sql-reference/sql/create-share, .../alter-share, .../desc-share
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from polynya.catalog import rights
from polynya.catalog.imported import SHARE, SHARE_ID, imported_from, share_of
from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Database, GenericObject, View
from polynya.catalog.names import join_name, split_name
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, compilation_error, invalid_value, unsupported
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.objects import Create
from polynya.statements.sharing.imports import ImportedDatabases
from polynya.statements.sharing.offer import ACCOUNTS
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status
from polynya.types.sqltype import VARCHAR, timestamp

if TYPE_CHECKING:
    from polynya.statements.sharing.offer import Contents

IMPORTED_PRIVILEGES = "IMPORTED PRIVILEGES"
_SECURE_ONLY = "SECURE_OBJECTS_ONLY"
# What can be granted to a share, by kind.
# https://docs.snowflake.com/en/sql-reference/sql/grant-privilege-share
_GRANTABLE = {
    "DATABASE": ("USAGE", "REFERENCE_USAGE"),
    "SCHEMA": ("USAGE",),
    "TABLE": ("SELECT", "REFERENCES"),
    "DYNAMIC TABLE": ("SELECT",),
    "VIEW": ("SELECT",),
}


# --- the provider's statements ----------------------------------------------------------------------------------------


@statement("CREATE SHARE")
def create_share(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "SHARE")
    require(execution, "CREATE SHARE")
    place = objects.place_of(execution, "SHARE", create.parts)
    existing = objects.look(execution, create, "SHARE", place)
    if existing.keep is not None:
        return existing.keep
    share = GenericObject(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind="SHARE", text=stream.text,
    )  # fmt: skip
    _set(share, objects.read_properties(stream))
    stream.expect_end()
    objects.put(execution, share, existing.replaced)
    return status(f"Share {share.name} successfully created.")


@statement("ALTER SHARE")
def alter_share(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "SHARE")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    share = catalog.find(context, "SHARE", parts)
    if share is None and if_exists:
        return objects.done()
    share = catalog.get(context, "SHARE", parts)
    with objects.editing(execution, share):
        _alter(execution, stream, share)
        stream.expect_end()
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, share: GenericObject) -> None:
    own = execution.context.catalog.account_name
    accounts: list[str] = list(share.options.get(ACCOUNTS, []))
    if change := stream.accept_one("ADD", "REMOVE"):
        given = _read_accounts(stream, own)
        kept = [name for name in accounts if name not in given]
        share.options[ACCOUNTS] = kept + given if change == "ADD" else kept
        _set(share, objects.read_properties(stream))
    elif tagging.accept_tag_change(execution, stream, share):
        pass
    elif stream.accept("SET"):
        while not stream.done:
            before = stream.index
            if stream.at(ACCOUNTS):
                share.options[ACCOUNTS] = _read_accounts(stream, own)
            _set(share, objects.read_properties(stream))
            if stream.index == before:
                raise stream.error()
    elif stream.accept("UNSET"):
        if not stream.accept("COMMENT"):
            raise compilation_error(1420, "22023", f"invalid property '{stream.word()}' of UNSET for 'SHARE'")
        share.comment = ""
    else:
        raise stream.error()


def _read_accounts(stream: TokenStream, own: str) -> list[str]:
    """``ACCOUNTS = a, org.b``: the accounts' own names."""
    if not stream.accept_one(ACCOUNTS, "ACCOUNT"):
        raise stream.error()
    stream.expect("=")
    found: list[str] = []
    while True:
        name = stream.name()[-1].upper()
        if name == own:
            raise invalid_value(
                f"Following accounts cannot be added to this share: {own}. It is the provider's own account."
            )
        if name not in found:
            found.append(name)
        if not stream.accept(","):
            return found


def _set(share: GenericObject, properties: dict[str, Any]) -> None:
    for key in properties:
        if key not in ("COMMENT", _SECURE_ONLY, "SHARE_RESTRICTIONS"):
            raise compilation_error(1420, "22023", f"invalid property '{key}' for 'SHARE'")
    objects.set_properties(share, properties)


@statement("DROP SHARE")
def drop_share(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP", "SHARE")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    share = catalog.find(context, "SHARE", parts)
    if share is None and if_exists:
        return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
    share = catalog.get(context, "SHARE", parts)
    objects.remove(execution, share)
    return status(f"{share.name} successfully dropped.")


# --- GRANT --------------------------------------------------------------------------------------------------------------


def check_grant(
    execution: Execution, privileges: list[str], items: list[CatalogObject], holder_kind: str, holder: str
) -> list[str]:
    """Checks a GRANT that has to do with shares; answers the privileges as they are kept.

    Args:
        execution: of the GRANT.
        privileges, items: what is granted, and on which objects.
        holder_kind, holder: to whom.

    Raises:
        SnowflakeError: where Snowflake refuses it.
    """
    catalog = execution.context.catalog
    for item in items:
        if privileges == [IMPORTED_PRIVILEGES]:
            if not share_of(item) and "ORIGIN" not in item.options:
                raise compilation_error(3001, "42501", f"'{item.name}' is not a database made from a share.")
        elif holder_kind == "SHARE":
            _check_shareable(execution, privileges, item, holder)
        elif imported_from(catalog, item):
            raise compilation_error(
                3011, "42501",
                "Granting individual privileges on imported database is not allowed. Use 'GRANT IMPORTED PRIVILEGES' instead.",
            )  # fmt: skip
    return ["USAGE"] if privileges == [IMPORTED_PRIVILEGES] else privileges


def _check_shareable(execution: Execution, privileges: list[str], item: CatalogObject, holder: str) -> None:
    catalog = execution.context.catalog
    kind = sql_kind(item)
    if kind not in _GRANTABLE:
        raise unsupported(f"GRANT ON {kind} TO SHARE")
    wrong = [privilege for privilege in privileges if privilege not in _GRANTABLE[kind]]
    if wrong:
        raise compilation_error(3011, "42501", f"{wrong[0]} on {kind} cannot be granted to a share.")
    if imported_from(catalog, item):
        raise compilation_error(
            3011, "42501", f"'{item.name}' belongs to a shared database, which cannot be shared again."
        )
    share = catalog.child(0, "SHARE", holder)
    if isinstance(item, View):
        _check_view(execution, item)
    if isinstance(item, View) and not item.secure and share.options.get(_SECURE_ONLY, True) is not False:
        raise compilation_error(
            3011, "42501",
            f"View '{item.name}' is not secure: only secure views can be granted to the share '{holder}', whose "
            f"{_SECURE_ONLY} is TRUE.",
        )  # fmt: skip
    if kind == "DATABASE" and "USAGE" in privileges:
        used = [
            split_name(grant.on_name)[0]
            for grant in catalog.grants_to("SHARE", holder)
            if (grant.privilege, grant.on_kind) == ("USAGE", "DATABASE")
        ]
        if [name for name in used if name != item.name]:
            raise compilation_error(
                3011,
                "42501",
                f"The share '{holder}' has USAGE on database '{used[0]}' already; a share has one database.",
            )


def _check_view(execution: Execution, view: View) -> None:
    """Raises if a view reads what cannot be shared again."""
    catalog = execution.context.catalog
    bound = bind_query(f"SELECT * FROM {catalog.full_name(view)}", execution.context, describe_only=True)
    for item in bound.objects:
        if imported_from(catalog, item):
            raise compilation_error(
                3011, "42501", f"View '{view.name}' reads a shared database, which cannot be shared again."
            )


def require(execution: Execution, privilege: str) -> None:
    """Raises 003001 unless the current role, or one that it inherits, has a privilege on the account; as for all that is
    created, secondary roles do not count."""
    context = execution.context
    if rights.primary_rights(context).globally(privilege):
        return
    raise SnowflakeError(
        3001, "42501",
        f"SQL access control error:\nInsufficient privileges to operate on account '{context.catalog.account_name}'. "
        f"The role needs {privilege}.",
    )  # fmt: skip


# --- the consumer's statements ------------------------------------------------------------------------------------------


def imports_of(execution: Execution) -> ImportedDatabases:
    """What keeps the account's imported databases."""
    return cast(ImportedDatabases, execution.context.catalog.imports)


def read_share(execution: Execution, parts: list[str]) -> tuple[str, str]:
    """(account, share) of ``share``, ``account.share`` or ``organization.account.share``."""
    return (parts[-2] if len(parts) > 1 else execution.context.catalog.account_name), parts[-1]


def import_share(execution: Execution, stream: TokenStream, create: Create) -> ResultSet:
    """``CREATE DATABASE name FROM SHARE account.share``, after the word FROM."""
    catalog, context = execution.context.catalog, execution.context
    if not stream.accept("SHARE"):
        raise unsupported("CREATE DATABASE ... FROM " + " ".join(stream.words(stream.index + 1)[-1:]))
    account, name = read_share(execution, stream.name())
    properties = objects.read_properties(stream)
    stream.expect_end()
    for key in properties:
        if key != "COMMENT":  # which stays the provider's
            raise unsupported(f"{key} of CREATE DATABASE ... FROM SHARE")
    require(execution, "IMPORT SHARE")
    place = objects.place_of(execution, "DATABASE", create.parts)
    existing = objects.look(execution, create, "DATABASE", place)
    if existing.keep is not None:
        return existing.keep
    if account == catalog.account_name:
        raise compilation_error(
            3011, "42501", f"The share '{name}' is this account's own: a database is made from another account's share."
        )
    imports = imports_of(execution)
    head = imports.head(account, name)
    for other in catalog.children(0, "DATABASE"):
        if share_of(other) == head.full_name and other is not existing.replaced:
            raise already_exists(f"{other.name} (the database that was made from the share {head.full_name})")
    database = Database(
        id=catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution), created_on=objects.now(),
        comment=head.comment, options={SHARE: head.full_name, SHARE_ID: head.id, "KIND": "IMPORTED DATABASE"},
    )  # fmt: skip
    objects.put(execution, database, existing.replaced)
    names = {schema.name for schema in catalog.children(database.id, "SCHEMA")}
    context.database, context.schema = database.name, "PUBLIC" if "PUBLIC" in names else None
    return status(f"Database {database.name} successfully created.")


@statement("DESCRIBE SHARE", "DESC SHARE")
def describe_share(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog = execution.context.catalog
    stream.next()
    stream.expect("SHARE")
    account, name = read_share(execution, stream.name())
    stream.expect_end()
    if account == catalog.account_name:
        share = catalog.get(execution.context, "SHARE", [name])
        found: list[tuple[str, str, datetime | None]] = [
            (grant.on_kind.replace(" ", "_"), grant.on_name, grant.created_on)
            for grant in catalog.grants_to("SHARE", share.name)
        ]
    else:
        imports = imports_of(execution)
        head = imports.head(account, name)
        found = _listed(imports.contents(head), head.created_on)
    columns = [Column("kind", VARCHAR), Column("name", VARCHAR), Column("shared_on", timestamp("LTZ", 3))]
    return rows(columns, found, StatementType.DESCRIBE)


def _listed(contents: Contents, shared_on: datetime) -> list[tuple[str, str, datetime | None]]:
    """What a consumer sees of a share; its database has no name yet."""
    found: list[tuple[str, str, datetime | None]] = [("DATABASE", "<DB>", shared_on)]
    for schema in contents.schemas:
        found.append(("SCHEMA", f"<DB>.{join_name([schema])}", shared_on))
        found += [
            (sql_kind(item), f"<DB>.{join_name([schema, item.name])}", shared_on)
            for item in contents.items.get(schema, [])
        ]
    return found
