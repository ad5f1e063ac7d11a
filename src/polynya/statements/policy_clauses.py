"""Policies on tables, views and columns: the clauses of CREATE and ALTER that put them there and take them away.

https://docs.snowflake.com/en/sql-reference/sql/alter-table, .../alter-table-column, .../alter-view
"""

from __future__ import annotations

from dataclasses import dataclass

from polynya.catalog import rights
from polynya.catalog.model import Attachment, CatalogObject, ColumnDef, GenericObject, Policy, Table, View
from polynya.catalog.policies import MASKING, ROW_ACCESS, TAG_POLICIES, policy_of
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, invalid_identifier, unsupported
from polynya.statements.base import Execution
from polynya.statements.column_definitions import ColumnText, read_names
from polynya.types.sqltype import SqlType

# Other kinds of policies that Snowflake has.
_OTHERS = ("AGGREGATION", "PROJECTION", "JOIN", "STORAGE LIFECYCLE", "PRIVACY")


@dataclass(frozen=True, slots=True)
class Clause:
    """A policy as a clause names it.

    Args:
        policy: of the catalog.
        columns: names of its arguments' columns; for a masking policy the masked column first, or none without USING.
    """

    policy: Policy
    columns: list[str]


# --- reading --------------------------------------------------------------------------------------------------------------


def read_row_access(execution: Execution, stream: TokenStream) -> Clause | None:
    """``[WITH] ROW ACCESS POLICY name ON (columns)``; None if something else comes next."""
    if not (stream.accept("WITH", *ROW_ACCESS.split()) or stream.accept(*ROW_ACCESS.split())):
        _refuse_others(stream)
        return None
    policy: Policy = execution.context.catalog.get(execution.context, ROW_ACCESS, stream.name())
    stream.expect("ON")
    return Clause(policy, read_names(stream))


def read_masking(execution: Execution, stream: TokenStream) -> Clause | None:
    """``[WITH] MASKING POLICY name [USING (columns)]``; None if something else comes next."""
    if not (stream.accept("WITH", *MASKING.split()) or stream.accept(*MASKING.split())):
        _refuse_others(stream)
        return None
    policy: Policy = execution.context.catalog.get(execution.context, MASKING, stream.name())
    return Clause(policy, read_names(stream) if stream.accept("USING") else [])


def _refuse_others(stream: TokenStream) -> None:
    for kind in _OTHERS:
        for words in (("WITH", *kind.split(), "POLICY"), (*kind.split(), "POLICY")):
            if stream.at(*words):
                raise unsupported(f"{kind} POLICY")


def accept_row_access_change(execution: Execution, stream: TokenStream, item: Table | View) -> bool:
    """Carries out ``ADD | DROP ROW ACCESS POLICY ...`` of an ALTER, if it comes next; whether it did."""
    if not stream.at_one("ADD ROW ACCESS", "DROP ROW ACCESS", "DROP ALL ROW ACCESS"):
        for kind in _OTHERS:
            if stream.at_one(*(f"{verb} {kind} POLICY" for verb in ("ADD", "DROP", "SET", "UNSET"))):
                raise unsupported(f"{kind} POLICY")
        return False
    dropped = False
    if stream.accept("DROP", "ALL", "ROW", "ACCESS", "POLICIES"):
        _drop_row_access(execution, item, None)
        stream.expect_end()
        return True
    if stream.accept("DROP", *ROW_ACCESS.split()):
        policy: Policy = execution.context.catalog.get(execution.context, ROW_ACCESS, stream.name())
        _drop_row_access(execution, item, policy)
        dropped = True
        stream.accept(",")
    if not dropped or not stream.done:
        stream.expect("ADD")
        clause = read_row_access(execution, stream)
        if clause is None:
            raise stream.error()
        add_row_access(execution, item, clause)
    stream.expect_end()
    return True


def accept_masking_change(execution: Execution, stream: TokenStream, item: Table | View, column: ColumnDef) -> bool:
    """Carries out ``SET | UNSET MASKING POLICY ...`` of a column, if it comes next; whether it did."""
    if stream.accept("UNSET", *MASKING.split()):
        if column.masking is None:
            raise compilation_error(3556, "22000", f"Column '{column.name}' has no masking policy to unset.")
        _check_allowed(execution, policy_of(execution.context.catalog, column.masking), item)
        column.masking = None
        return True
    if not stream.at("SET", *MASKING.split()):
        if stream.at_one("SET PROJECTION", "UNSET PROJECTION"):
            raise unsupported("PROJECTION POLICY")
        return False
    stream.expect("SET")
    clause = read_masking(execution, stream)
    assert clause is not None
    force = stream.accept("FORCE")
    set_masking(execution, item, column, clause, force=force)
    return True


def accept_tag_masking(execution: Execution, stream: TokenStream, tag: GenericObject) -> bool:
    """Carries out ``SET | UNSET MASKING POLICY p [, MASKING POLICY q] [FORCE]`` of ALTER TAG, if it comes next.

    Source: docs.snowflake.com/en/user-guide/tag-based-masking-policies.

    Raises:
        SnowflakeError: 003545 if the tag has a policy for the type already; 003001 without the right.
    """
    if not stream.at_one(f"SET {MASKING}", f"UNSET {MASKING}"):
        return False
    put = stream.word() == "SET"
    policies: list[Policy] = []
    while stream.accept(*MASKING.split()):
        policies.append(execution.context.catalog.get(execution.context, MASKING, stream.name()))
        stream.accept(",")
    force = put and stream.accept("FORCE")
    own: dict[str, int] = dict(tag.options.get(TAG_POLICIES, {}))
    for policy in policies:
        _check_allowed(execution, policy, tag)
        kind = policy.arguments[0][1].name
        if not put:
            if own.pop(kind, None) != policy.id:
                raise compilation_error(
                    3556, "22000", f"Tag '{tag.name}' has no masking policy '{policy.name}' to unset."
                )
            continue
        if len(policy.arguments) > 1:
            raise unsupported("a tag's masking policy with several arguments")
        if kind in own and not force:
            raise compilation_error(
                3545, "23505", f"Tag '{tag.name}' has a masking policy for the type {kind} already."
            )
        own[kind] = policy.id
    tag.options[TAG_POLICIES] = own
    return True


def check_tag_droppable(tag: GenericObject) -> None:
    """Refuses to drop a tag that masks columns: 003551."""
    if tag.options.get(TAG_POLICIES):
        raise compilation_error(3551, "42710", f"Tag {tag.name} cannot be dropped: masking policies are set on it.")


def is_policy_change(stream: TokenStream) -> bool:
    """Whether the rest of an ALTER TABLE or VIEW puts policies on it or takes them away, and does nothing else."""
    if stream.at_one("ADD ROW ACCESS", "DROP ROW ACCESS", "DROP ALL ROW ACCESS"):
        return True
    start = stream.index
    try:
        return stream.accept_one("MODIFY", "ALTER") is not None and _only_masking(stream)
    finally:
        stream.index = start


def _only_masking(stream: TokenStream) -> bool:
    """Whether all clauses of MODIFY set or unset masking policies."""
    stream.accept("(")
    while not stream.done:
        stream.accept("COLUMN")
        stream.next()  # its name
        if not (stream.accept("SET", *MASKING.split()) or stream.accept("UNSET", *MASKING.split())):
            return False
        while not stream.done and not stream.accept(","):
            if stream.at("("):
                stream.skip_parenthesis()
            else:
                stream.next()
    return True


# --- putting them on ------------------------------------------------------------------------------------------------------


def add_row_access(execution: Execution, item: Table | View, clause: Clause) -> None:
    """Puts a row access policy on a table or view.

    Raises:
        SnowflakeError: 003549 if it has one; 002023 if a column does not fit its argument; 003001 without the right.
    """
    _check_allowed(execution, clause.policy, item)
    if item.row_access is not None:
        raise SnowflakeError(
            3549, "23505",
            f"Object {item.name} already has a ROW_ACCESS_POLICY. Only one ROW_ACCESS_POLICY is allowed at a time.",
        )  # fmt: skip
    columns = _arguments(clause, item, clause.columns)
    for column in columns:
        if column.masking is not None:
            raise _in_both(column)
    item.row_access = Attachment(clause.policy.id, tuple(column.stored_as for column in columns))


def set_masking(
    execution: Execution, item: Table | View, column: ColumnDef, clause: Clause, *, force: bool = False
) -> None:
    """Puts a masking policy on a column.

    Args:
        execution: of the statement.
        item: the column's table or view.
        column: what is masked.
        clause: the policy.
        force: whether it replaces another one.

    Raises:
        SnowflakeError: 003545 if the column has one; 002023 if it does not fit the argument; 003001 without the right.
    """
    _check_allowed(execution, clause.policy, item)
    if column.masking is not None and not force:
        raise SnowflakeError(
            3545, "23505",
            f"SQL compilation error:\nSpecified column '{column.name}' already attached to another masking policy. A column "
            "cannot be attached to multiple masking policies. Please drop the current association in order to attach a new "
            "masking policy.",
        )  # fmt: skip
    names = clause.columns or [column.name]
    if names[0] != column.name:
        raise compilation_error(
            2023, "22000", f"USING must begin with the masked column '{column.name}', not with '{names[0]}'."
        )
    columns = _arguments(clause, item, names)
    if item.row_access is not None and column.stored_as in item.row_access.columns:
        raise _in_both(column)
    column.masking = Attachment(clause.policy.id, tuple(found.stored_as for found in columns))


def attach_columns(execution: Execution, item: Table | View, texts: list[ColumnText]) -> None:
    """Puts on new columns the masking policies that they were written with."""
    by_name = {column.name: column for column in item.columns}
    for text in texts:
        if text.masking is not None:
            set_masking(execution, item, by_name[text.name], text.masking)


def _in_both(column: ColumnDef) -> SnowflakeError:
    return compilation_error(
        3554, "22000",
        f"Column '{column.name}' cannot be masked and be an argument of a row access policy at the same time.",
    )  # fmt: skip


def _arguments(clause: Clause, item: Table | View, names: list[str]) -> list[ColumnDef]:
    """The columns of a policy's arguments.

    Raises:
        SnowflakeError: 000904 for an unknown column; 002023 if their number or types do not fit.
    """
    policy = clause.policy
    if len(names) != len(policy.arguments):
        raise compilation_error(
            2023, "22000", f"Policy '{policy.name}' has {len(policy.arguments)} argument(s), not {len(names)}."
        )
    by_name = {column.name: column for column in item.columns}
    found = []
    for name, (argument, kind, _) in zip(names, policy.arguments, strict=True):
        if name not in by_name:
            raise invalid_identifier(name)
        if not _fits(by_name[name].type, kind):
            raise compilation_error(
                2023, "22000",
                f"Column '{name}' has the type {by_name[name].type}, argument '{argument}' of policy '{policy.name}' the "
                f"type {kind}.",
            )  # fmt: skip
        found.append(by_name[name])
    return found


def _fits(column: SqlType, argument: SqlType) -> bool:
    return column.name == argument.name


def _drop_row_access(execution: Execution, item: Table | View, policy: Policy | None) -> None:
    current = item.row_access
    if current is None or (policy is not None and current.policy != policy.id):
        if policy is None:
            return
        raise compilation_error(3555, "22000", f"Row access policy '{policy.name}' is not attached to '{item.name}'.")
    _check_allowed(execution, policy_of(execution.context.catalog, current), item)
    item.row_access = None


def _check_allowed(execution: Execution, policy: Policy, item: CatalogObject) -> None:
    """A policy is put on and taken away by who has APPLY on the account, or owns the object and may apply the policy.

    Source: docs.snowflake.com/en/user-guide/security-column-intro (privileges).

    Raises:
        SnowflakeError: 003001.
    """
    context = execution.context
    if rights.has_account(context, f"APPLY {policy.kind}"):
        return
    rights.require(context, "OWNERSHIP", item)
    if not rights.owns(context, policy):
        rights.require(context, "APPLY", policy)
