"""What statements check of network policies: their lists, who is locked out by them, and whether they are in use.

https://docs.snowflake.com/en/sql-reference/sql/create-network-policy, .../alter-network-policy, .../drop-network-policy
"""

from __future__ import annotations

from polynya.catalog.model import GenericObject, User
from polynya.catalog.network_policies import KIND, PARAMETER, admits, named, network, rule_named
from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError, does_not_exist, invalid_value, unsupported
from polynya.statements.base import Execution
from polynya.statements.objects import full_text

_LISTS = ("ALLOWED_IP_LIST", "BLOCKED_IP_LIST", "ALLOWED_NETWORK_RULE_LIST", "BLOCKED_NETWORK_RULE_LIST")


def check_policy(execution: Execution, policy: GenericObject) -> None:
    """Checks a new or altered policy's lists; the rules in them get their full names.

    Raises:
        SnowflakeError: 001420 for an unknown property, 001008 for what is no address, 002003 for a rule that does not exist;
            that of ``check_own_address`` for a policy in use.
    """
    catalog = execution.context.catalog
    for name in policy.options:
        if name not in _LISTS:
            raise SnowflakeError(1420, "22023", f"SQL compilation error:\ninvalid property '{name}' for '{KIND}'")
    for name in _LISTS[:2]:
        _check_addresses(name, policy.options.get(name) or [])
    for name in _LISTS[2:]:
        if policy.options.get(name):
            policy.options[name] = [_rule(execution, rule) for rule in policy.options[name]]
    if policy.name in (named_by(catalog, None), named_by(catalog, _own(execution))):
        check_own_address(execution, policy)


def check_activation(execution: Execution, name: str, user: User | None) -> str:
    """The name of a policy that is to count for the account or a user.

    Args:
        execution: of the statement.
        name: as it was written.
        user: whose; None for the account.

    Raises:
        SnowflakeError: 002003 if there is none; that of ``check_own_address``.
    """
    catalog = execution.context.catalog
    policy = named(catalog, name)
    if policy is None:
        raise does_not_exist("Network policy", name)
    own = _own(execution)
    if (user is None and not (own and own.options.get(PARAMETER))) or (user is not None and user is own):
        check_own_address(execution, policy)
    return policy.name


def check_own_address(execution: Execution, policy: GenericObject) -> None:
    """Refuses what would lock out the session that asks for it.

    Raises:
        SnowflakeError: 001008 with the address.
    """
    address = str(execution.context.client.get("CLIENT_IP") or "")
    if address and not admits(execution.context.catalog, policy, address):
        raise invalid_value(
            f"Network policy {policy.name} cannot be activated. Requestor IP address, {address}, must be included in the "
            "allowed list and excluded from the blocked list"
        )


def check_unused(catalog: Catalog, policy: GenericObject) -> None:
    """Refuses to drop a policy that counts for the account or a user.

    Raises:
        SnowflakeError: 003001-like, with who uses it.
    """
    users = [user.name for user in catalog.children(0, "USER") if named_by(catalog, user, own=True) == policy.name]
    used = ["the account"] * (named_by(catalog, None) == policy.name) + users
    if used:
        raise SnowflakeError(
            1500,
            "42601",
            f"Cannot drop network policy {policy.name}: it is set for {', '.join(used[:5])}. Unset it first.",
        )


def named_by(catalog: Catalog, user: User | None, *, own: bool = False) -> str | None:
    """The name of the policy that counts for a user, or the account; with ``own`` only what is set for the user itself."""
    name = user.options.get(PARAMETER) if user is not None else None
    if not name and not own:
        name = catalog.account_parameters.get(PARAMETER)
    policy = named(catalog, str(name)) if name else None
    return policy.name if policy else None


def _own(execution: Execution) -> User | None:
    found: User | None = execution.context.catalog.child(0, "USER", execution.context.user)
    return found


def _check_addresses(name: str, values: list[str]) -> None:
    for value in values:
        try:
            network(str(value))
        except ValueError:
            raise invalid_value(
                f"invalid value [{value}] for parameter '{name}': an IP address or a range like 192.168.1.0/24"
            ) from None


def _rule(execution: Execution, name: str) -> str:
    from polynya.dialect.tokens import TokenStream

    context = execution.context
    rule = rule_named(context.catalog, name)
    if rule is None:
        rule = context.catalog.get(context, "NETWORK RULE", TokenStream(name).name())
    kind, mode = str(rule.options.get("TYPE")).upper(), str(rule.options.get("MODE")).upper()
    if mode != "INGRESS" or kind not in ("IPV4", "IPV6"):
        raise unsupported(f"network rule {rule.name} of MODE = {mode}, TYPE = {kind} in a network policy")
    _check_addresses("VALUE_LIST", rule.options.get("VALUE_LIST") or [])
    return full_text(context.catalog.path(rule))
