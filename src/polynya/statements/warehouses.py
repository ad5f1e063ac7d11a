"""Warehouses: stored and shown; ``session.warehouses`` runs statements on them.

https://docs.snowflake.com/en/sql-reference/sql/create-warehouse
"""

from __future__ import annotations

from typing import Any

from polynya.catalog import rights
from polynya.catalog.model import Warehouse
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, invalid_value
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status

_SIZES = {
    "XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large",
    "XXLARGE": "2X-Large", "X2LARGE": "2X-Large", "2XLARGE": "2X-Large", "XXXLARGE": "3X-Large", "X3LARGE": "3X-Large",
    "3XLARGE": "3X-Large", "X4LARGE": "4X-Large", "4XLARGE": "4X-Large", "X5LARGE": "5X-Large", "5XLARGE": "5X-Large",
    "X6LARGE": "6X-Large", "6XLARGE": "6X-Large",
}  # fmt: skip
_PROPERTIES = {
    "WAREHOUSE_TYPE", "WAREHOUSE_SIZE", "RESOURCE_CONSTRAINT", "MAX_CLUSTER_COUNT", "MIN_CLUSTER_COUNT",
    "SCALING_POLICY", "AUTO_SUSPEND", "AUTO_RESUME", "INITIALLY_SUSPENDED", "RESOURCE_MONITOR", "COMMENT", "GENERATION",
    "ENABLE_QUERY_ACCELERATION", "QUERY_ACCELERATION_MAX_SCALE_FACTOR", "MAX_CONCURRENCY_LEVEL", "WAIT_FOR_COMPLETION",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "STATEMENT_TIMEOUT_IN_SECONDS",
}  # fmt: skip


@statement("CREATE WAREHOUSE")
def create_warehouse(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "WAREHOUSE")
    place = objects.place_of(execution, "WAREHOUSE", create.parts)
    existing = objects.look(execution, create, "WAREHOUSE", place)
    if existing.keep is not None:
        return existing.keep
    warehouse = Warehouse(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(),
    )  # fmt: skip
    stream.accept("WITH")
    properties = objects.read_properties(stream)
    tagging.accept_tag_clause(execution, stream, warehouse)
    stream.expect_end()
    _set(warehouse, properties)
    objects.put(execution, warehouse, existing.replaced)
    execution.context.warehouse = warehouse.name
    execution.results.warehouse_changed(warehouse)
    return status(f"Warehouse {warehouse.name} successfully created.")


def _set(warehouse: Warehouse, properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        if name not in _PROPERTIES:
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'WAREHOUSE'")
        if name == "WAREHOUSE_SIZE":
            size = _SIZES.get(str(value).upper().replace("-", "").replace(" ", ""))
            if size is None:
                raise invalid_value(f"invalid value [{value}] for parameter 'WAREHOUSE_SIZE'", 1008)
            warehouse.size = size
        elif name == "INITIALLY_SUSPENDED":
            warehouse.state = "SUSPENDED" if value is True else "STARTED"
        else:
            objects.set_properties(warehouse, {name: value})


@statement("ALTER WAREHOUSE")
def alter_warehouse(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "WAREHOUSE")
    if_exists = stream.accept("IF", "EXISTS")
    if stream.at_one("SUSPEND", "RESUME", "SET", "UNSET", "ABORT"):
        if context.warehouse is None:
            raise SnowflakeError(606, "57P03", "No active warehouse selected in the current session.")
        name = context.warehouse
    else:
        name = stream.identifier()
    warehouse = catalog.child(0, "WAREHOUSE", name)
    if warehouse is None:
        if if_exists:
            return objects.done()
        warehouse = catalog.get(context, "WAREHOUSE", [name])
    if not rights.sees(context, warehouse) and if_exists:
        return objects.done()
    with objects.editing(execution, warehouse, _privileges(execution, stream)):
        _alter(execution, stream, warehouse)
    execution.results.warehouse_changed(warehouse)
    return objects.done()


def _privileges(execution: Execution, stream: TokenStream) -> str | tuple[str, ...] | None:
    """What an ALTER WAREHOUSE needs on its warehouse; None for who may do all with every warehouse."""
    if stream.at_one("SET TAG", "UNSET TAG"):
        return "OWNERSHIP"
    changes = stream.at_one("SET", "UNSET")
    if (changes or not stream.at("RENAME")) and rights.has_account(execution.context, "MANAGE WAREHOUSES"):
        return None
    return "MODIFY" if changes else "OWNERSHIP" if stream.at("RENAME") else "OPERATE"


def _alter(execution: Execution, stream: TokenStream, warehouse: Warehouse) -> None:
    context, name = execution.context, warehouse.name
    if stream.accept("SUSPEND"):
        _switch(warehouse, "SUSPENDED", "suspended", 90064)
    elif stream.accept("RESUME"):
        if not (stream.accept("IF", "SUSPENDED") and warehouse.state == "STARTED"):
            _switch(warehouse, "STARTED", "resumed", 90063)
            warehouse.resumed_on = objects.now()
    elif stream.accept("ABORT", "ALL", "QUERIES"):
        _abort(execution, name)
    elif stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, warehouse, new_name)
        if context.warehouse == name:
            context.warehouse = warehouse.name
    elif tagging.accept_tag_change(execution, stream, warehouse):
        pass
    elif stream.accept("SET"):
        _set(warehouse, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, warehouse)
    else:
        raise stream.error()
    stream.expect_end()


def _switch(warehouse: Warehouse, state: str, verb: str, code: int) -> None:
    if warehouse.state == state:
        raise SnowflakeError(code, "22000", f"Invalid state. Warehouse '{warehouse.name}' cannot be {verb}.")
    warehouse.state = state


def _abort(execution: Execution, name: str) -> None:
    """ABORT ALL QUERIES of a warehouse."""
    own = execution.context.query_id
    for query in execution.results.history():
        if (
            query.get("WAREHOUSE_NAME") == name
            and query.get("EXECUTION_STATUS") == "RUNNING"
            and query["QUERY_ID"] != own
        ):
            execution.results.abort(query["QUERY_ID"])
