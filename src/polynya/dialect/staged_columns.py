"""``$1:name::type`` over staged files that name their columns (Parquet, Avro, ORC): read as that column.

Snowpark's readers and clients that upload tables write this for every column. By way of the VARIANT ``$1`` each row
would be written as JSON and read back ten times slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from polynya.dialect import casts
from polynya.dialect.expression import Expr, quote
from polynya.types.sqltype import SqlType

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder

_PLAIN = {"FLOAT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ"}


def attribute_name(node: exp.Expr) -> str | None:
    """The name in ``$1:name``; None for anything else."""
    if not isinstance(node, exp.JSONExtract) or not isinstance(node.this, exp.Parameter) or node.this.name != "1":
        return None
    steps = node.expression.expressions if isinstance(node.expression, exp.JSONPath) else []
    if len(steps) != 2 or not isinstance(steps[1], exp.JSONPathKey):
        return None
    return str(steps[1].this)


def is_same_without_variant(own: SqlType, target: SqlType) -> bool:
    """Whether the cast of a file's column cannot fail, nor give anything else than by way of a VARIANT.

    Where it can fail the detour is taken: the error of a VARIANT's cast is another one.
    """
    match own.name, target.name:
        case "NUMBER", "NUMBER":
            return target.scale >= own.scale and target.precision - target.scale >= own.precision - own.scale
        case "NUMBER", "FLOAT":
            return True
        case "VARCHAR", "VARCHAR":
            return target.length >= own.length
    return own.name == target.name and own.name in _PLAIN


def cast_column(binder: Binder, node: exp.Expr, target: SqlType) -> Expr | None:
    """The operand of ``$1:name::type`` as the files' own column, cast; None where it is not that.

    Args:
        binder: of the scope in which it stands.
        node: what is cast.
        target: the type.
    """
    name = attribute_name(node)
    if name is None or len(binder.scope.relations) != 1:
        return None
    relation = binder.scope.relations[0]
    for column in relation.source.named_by_file:
        if column.name == name and is_same_without_variant(column.type, target):
            own = Expr(f"{relation.alias}.{quote(column.stored_as)}", column.type, True)
            return casts.cast(own, target, binder.context)
    return None
