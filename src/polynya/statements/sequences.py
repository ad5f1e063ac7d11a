"""Sequences. https://docs.snowflake.com/en/sql-reference/sql/create-sequence"""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog.model import Sequence
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import read_integer
from polynya.types.resultset import ResultSet, status


@statement("CREATE SEQUENCE")
def create_sequence(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    create = objects.read_create(stream, "SEQUENCE")
    place = objects.place_of(execution, "SEQUENCE", create.parts)
    existing = objects.look(execution, create, "SEQUENCE", place)
    if existing.keep is not None:
        return existing.keep
    sequence = Sequence(
        id=catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), temporary=create.temporary,
    )  # fmt: skip
    if stream.accept("CLONE"):
        origin = catalog.get(context, "SEQUENCE", stream.name())
        sequence = replace(
            sequence, start=origin.start, increment=origin.increment, next_value=origin.next_value, ordered=origin.ordered,
            comment=origin.comment, tags=dict(origin.tags),
        )  # fmt: skip
    else:
        _read_options(execution, stream, sequence)
        sequence.next_value = sequence.start
    stream.expect_end()
    objects.put(execution, sequence, existing.replaced)
    return status(f"Sequence {sequence.name} successfully created.")


def _read_options(execution: Execution, stream: TokenStream, sequence: Sequence) -> None:
    if not stream.at("WITH", "TAG"):
        stream.accept("WITH")
    while not stream.done:
        if tagging.accept_tag_clause(execution, stream, sequence):
            pass
        elif stream.accept("START"):
            stream.accept("WITH")
            stream.accept("=")
            sequence.start = read_integer(stream)
        elif stream.accept("INCREMENT"):
            stream.accept("BY")
            stream.accept("=")
            sequence.increment = read_integer(stream)
            if sequence.increment == 0:
                raise compilation_error(2261, "22023", "invalid value [0] for parameter 'INCREMENT'")
        elif stream.accept("ORDER"):
            sequence.ordered = True
        elif stream.accept("NOORDER"):
            sequence.ordered = False
        elif stream.accept("COMMENT"):
            stream.expect("=")
            sequence.comment = stream.string()
        else:
            raise stream.error()
        stream.accept(",")


@statement("ALTER SEQUENCE")
def alter_sequence(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "SEQUENCE")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, "SEQUENCE", parts) is None:
        return objects.done()
    sequence = catalog.get(context, "SEQUENCE", parts)
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, sequence, new_name)
        return objects.done()
    with objects.editing(execution, sequence):
        if tagging.accept_tag_change(execution, stream, sequence):
            pass
        elif stream.accept("UNSET"):
            stream.expect("COMMENT")
            sequence.comment = ""
        else:
            stream.accept("SET")
            start = sequence.start
            _read_options(execution, stream, sequence)
            if sequence.start != start:
                raise compilation_error(2261, "0A000", "A sequence's START cannot be changed.")
        stream.expect_end()
    return objects.done()
