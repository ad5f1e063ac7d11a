"""Roles: CREATE and ALTER. https://docs.snowflake.com/en/sql-reference/sql/create-role"""

from __future__ import annotations

from polynya.catalog.model import Role
from polynya.dialect.tokens import TokenStream
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status


@statement("CREATE ROLE")
def create_role(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "ROLE")
    place = objects.place_of(execution, "ROLE", create.parts)
    existing = objects.look(execution, create, "ROLE", place)
    if existing.keep is not None:
        return existing.keep
    role = Role(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(),
    )  # fmt: skip
    objects.set_properties(role, objects.read_properties(stream))
    tagging.accept_tag_clause(execution, stream, role)
    stream.expect_end()
    objects.put(execution, role, existing.replaced)
    return status(f"Role {role.name} successfully created.")


@statement("ALTER ROLE")
def alter_role(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "ROLE")
    if_exists = stream.accept("IF", "EXISTS")
    name = stream.identifier()
    role = catalog.child(0, "ROLE", name)
    if role is None:
        if if_exists:
            return objects.done()
        role = catalog.get(context, "ROLE", [name])
    with objects.editing(execution, role):
        _alter_role(execution, stream, role)
    return objects.done()


def _alter_role(execution: Execution, stream: TokenStream, role: Role) -> None:
    context, name = execution.context, role.name
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, role, new_name)
        if context.role == name:
            context.role = role.name
    elif tagging.accept_tag_change(execution, stream, role):
        pass
    elif stream.accept("SET"):
        objects.set_properties(role, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, role)
    else:
        raise stream.error()
    stream.expect_end()
