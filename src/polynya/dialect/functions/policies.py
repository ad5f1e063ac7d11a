"""POLICY_REFERENCES: where policies are.

Source: docs.snowflake.com/en/sql-reference/functions/policy_references.
"""

from __future__ import annotations

import pyarrow as pa

from polynya.catalog import rights
from polynya.catalog.model import Policy, Table, View
from polynya.catalog.policies import MASKING, ROW_ACCESS, Reference, references_of, references_to
from polynya.catalog.policy_views import REFERENCE_COLUMNS, reference_row
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, does_not_exist, invalid_value
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column

_DOMAINS = ("TABLE", "VIEW", "DYNAMIC TABLE")


@table_function("POLICY_REFERENCES")
def policy_references(call: Call) -> Source:
    """``POLICY_NAME => 'p'``, or ``REF_ENTITY_NAME => 't', REF_ENTITY_DOMAIN => 'table'``."""
    given = {name: call.binder.expression(node).constant for name, node in call.named.items()}
    if set(given) == {"POLICY_NAME"} and not call.nodes:
        found = references_to(call.context.catalog, _policy(call, str(given["POLICY_NAME"])))
    elif set(given) == {"REF_ENTITY_NAME", "REF_ENTITY_DOMAIN"} and not call.nodes:
        found = _on_entity(call, str(given["REF_ENTITY_NAME"]), str(given["REF_ENTITY_DOMAIN"]).upper())
    else:
        raise compilation_error(
            938,
            "22023",
            "POLICY_REFERENCES takes POLICY_NAME, or REF_ENTITY_NAME and REF_ENTITY_DOMAIN.",
            call.position,
        )
    seen = [reference_row(call.context.catalog, item) for item in found if rights.sees(call.context, item.item)]
    columns = source_columns([Column(name, kind) for name, kind in REFERENCE_COLUMNS])
    arrays = [pa.array([row[index] for row in seen], arrow_type(c.type)) for index, c in enumerate(columns)]
    relation = call.binder.add_input(pa.Table.from_arrays(arrays, names=[column.stored_as for column in columns]))
    return Source(f"(SELECT * FROM {relation})", columns)


def _parts(text: str) -> list[str]:
    stream = TokenStream(text)
    parts = stream.name()
    stream.expect_end()
    return parts


def _policy(call: Call, name: str) -> Policy:
    for kind in (ROW_ACCESS, MASKING):
        found = call.context.catalog.find(call.context, kind, _parts(name))
        if isinstance(found, Policy):
            return found
    raise does_not_exist("Policy", name.upper())


def _on_entity(call: Call, name: str, domain: str) -> list[Reference]:
    if domain not in _DOMAINS:
        raise invalid_value(f"Invalid value [{domain}] for REF_ENTITY_DOMAIN: one of {', '.join(_DOMAINS)} expected.")
    item = call.context.catalog.get(call.context, "TABLE", _parts(name))
    return list(references_of(call.context.catalog, item)) if isinstance(item, (Table, View)) else []
