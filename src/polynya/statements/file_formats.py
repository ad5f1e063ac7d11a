"""CREATE, ALTER, DROP and DESCRIBE FILE FORMAT.

Source: docs.snowflake.com/en/sql-reference/sql/create-file-format.
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.model import FileFormat
from polynya.dialect.tokens import TokenStream
from polynya.errors import does_not_exist
from polynya.stages import formats
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.format_options import read_options
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status
from polynya.types.sqltype import VARCHAR

KIND = "FILE FORMAT"


@statement("CREATE FILE FORMAT")
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    modifiers = objects.read_create(stream, KIND)
    options: dict[str, Any]
    if stream.accept("CLONE"):
        source: FileFormat = execution.context.catalog.get(execution.context, KIND, stream.name())
        execution.require("USAGE", source)
        options = {**source.format, "COMMENT": source.comment}
    else:
        options = read_options(stream)
    stream.expect_end()
    comment = str(options.pop("COMMENT", ""))
    formats.file_format(options)
    place = objects.place_of(execution, KIND, modifiers.parts)
    existing = objects.look(execution, modifiers, KIND, place)
    if existing.keep is not None:
        return existing.keep
    item = FileFormat(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), comment=comment, format={"TYPE": "CSV", **options}, temporary=modifiers.temporary,
    )  # fmt: skip
    objects.put(execution, item, existing.replaced)
    return status(f"File format {place.name} successfully created.")


@statement("ALTER FILE FORMAT")
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER", "FILE", "FORMAT")
    if_exists = stream.accept("IF", "EXISTS")
    item = _find(execution, stream.name(), if_exists)
    if item is None:
        return objects.done()
    if stream.accept("RENAME", "TO"):
        objects.rename(execution, item, stream.name())
        return objects.done()
    execution.require("OWNERSHIP", item)
    stream.expect("SET")
    options = read_options(stream)
    stream.expect_end()
    if "COMMENT" in options:
        item.comment = str(options.pop("COMMENT"))
    changed: dict[str, Any] = {**item.format, **options}
    formats.file_format(changed)
    item.format = changed
    objects.save(execution, item)
    return objects.done()


@statement("DROP FILE FORMAT")
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("DROP", "FILE", "FORMAT")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    item = _find(execution, parts, if_exists)
    if item is None:
        return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
    objects.remove(execution, item)
    return status(f"{item.name} successfully dropped.")


@statement("DESCRIBE FILE FORMAT", "DESC FILE FORMAT")
def describe(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect("FILE", "FORMAT")
    item = execution.context.catalog.get(execution.context, KIND, stream.name())
    stream.expect_end()
    columns = [Column(name, VARCHAR) for name in ("property", "property_type", "property_value", "property_default")]
    return rows(columns, list(formats.describe(item.format)), StatementType.DESCRIBE)


def _find(execution: Execution, parts: list[str], if_exists: bool) -> FileFormat | None:
    context = execution.context
    found = context.catalog.find(context, KIND, parts)
    if found is None and not if_exists:
        context.catalog.get(context, KIND, parts)
        raise does_not_exist("File format", objects.full_text(parts))
    return found
