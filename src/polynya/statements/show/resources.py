"""SHOW AS RESOURCE and DESCRIBE AS RESOURCE: objects as JSON documents, for the catalog API of Snowflake's clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from polynya.catalog.model import CatalogObject, Table, View
from polynya.catalog.resources import resource
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.grant_targets import find_object
from polynya.statements.show.listing import TEXT, Request, answer, in_scope, read_request
from polynya.storage.sizes import table_sizes
from polynya.types.resultset import ResultSet, StatementType

_COLUMN = "As Resource"


def _databases(execution: Execution, request: Request) -> list[Any]:
    del request
    return execution.context.catalog.visible(execution.context, 0, "DATABASE")


def _schemas(execution: Execution, request: Request) -> list[Any]:
    catalog, context = execution.context.catalog, execution.context
    database = request.scope.database
    databases = [database] if database else catalog.visible(context, 0, "DATABASE")
    return [schema for one in databases for schema in catalog.visible(context, one.id, "SCHEMA")]


def _of_kind(kind: str, only: type | None = None) -> Callable[[Execution, Request], list[Any]]:
    def find(execution: Execution, request: Request) -> list[Any]:
        found = in_scope(execution, request.scope, kind)
        return [item for item in found if only is None or isinstance(item, only)]

    return find


# Plural as written -> (where it is looked for by default, what there is).
_PLURALS: dict[str, tuple[str, Callable[[Execution, Request], list[Any]]]] = {
    "DATABASES": ("ACCOUNT", _databases),
    "SCHEMAS": ("DATABASE", _schemas),
    "TABLES": ("CURRENT", _of_kind("TABLE", Table)),
    "VIEWS": ("CURRENT", _of_kind("TABLE", View)),
    "USER FUNCTIONS": ("CURRENT", _of_kind("FUNCTION")),
    "FUNCTIONS": ("CURRENT", _of_kind("FUNCTION")),
    "PROCEDURES": ("CURRENT", _of_kind("PROCEDURE")),
    "TASKS": ("CURRENT", _of_kind("TASK")),
}


@statement("SHOW AS RESOURCE")
def show_resources(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "AS", "RESOURCE")
    plural = stream.accept_one(*_PLURALS)
    if plural is None:
        raise stream.error()
    default, find = _PLURALS[plural]
    request = read_request(execution, stream, default=default)
    return _answer(execution, request.select(find(execution, request)))


@statement("DESCRIBE AS RESOURCE", "DESC AS RESOURCE")
def describe_resource(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect("AS", "RESOURCE")
    kind = stream.accept_one("DATABASE", "SCHEMA", "TABLE", "VIEW", "FUNCTION", "PROCEDURE", "TASK")
    if kind is None:
        raise stream.error()
    found = find_object(execution, kind, stream)
    stream.expect_end()
    result = _answer(execution, [found])
    result.statement_type = StatementType.DESCRIBE
    return result


def _answer(execution: Execution, found: list[CatalogObject]) -> ResultSet:
    sizes = table_sizes(execution.connection, [item for item in found if isinstance(item, Table)])
    catalog = execution.context.catalog
    return answer([(_COLUMN, TEXT, lambda item: json.dumps(resource(catalog, item, sizes.get(item.id))))], found)
