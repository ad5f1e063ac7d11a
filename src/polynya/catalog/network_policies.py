"""Network policies: from which addresses users may come in.

A user's policy goes before the account's; of a policy, what is blocked goes before what is allowed.
https://docs.snowflake.com/en/user-guide/network-policies
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from polynya.catalog.model import GenericObject, User
from polynya.catalog.names import split_name
from polynya.catalog.store import Catalog

KIND = "NETWORK POLICY"
# The parameter of the account, and the property of a user.
PARAMETER = "NETWORK_POLICY"


def named(catalog: Catalog, name: str) -> GenericObject | None:
    """The policy of a name as the parameter has it, or None."""
    found: GenericObject | None = catalog.child(0, KIND, name) or catalog.child(0, KIND, name.upper())
    return found


def is_allowed(catalog: Catalog, user: User | None, address: str) -> bool:
    """Whether a user may come in from an address.

    Args:
        catalog: of the account.
        user: or None for nobody known: then the account's policy counts.
        address: of the client; "" where there is none, for what runs inside the server.
    """
    name = (user.options.get(PARAMETER) if user else None) or catalog.account_parameters.get(PARAMETER)
    policy = named(catalog, str(name)) if name else None
    return policy is None or not address or admits(catalog, policy, address)


def admits(catalog: Catalog, policy: GenericObject, address: str) -> bool:
    """Whether a policy lets an address in."""
    found = _address(address)
    if any(found in network for network in _networks(catalog, policy, "BLOCKED")):
        return False
    allowed = list(_networks(catalog, policy, "ALLOWED"))
    return not allowed or any(found in network for network in allowed)


def rule_named(catalog: Catalog, name: str) -> GenericObject | None:
    """The network rule of a full name, or None."""
    current = None
    parts = split_name(name)
    for kind, part in zip(("DATABASE", "SCHEMA", "NETWORK RULE"), parts, strict=False):
        current = catalog.child(current.id if current else 0, kind, part)
        if current is None:
            return None
    return current if isinstance(current, GenericObject) and len(parts) == 3 else None


@lru_cache(1000)
def network(text: str) -> IPv4Network | IPv6Network:
    """An address or a range in CIDR notation.

    Raises:
        ValueError: for anything else.
    """
    return ip_network(text, strict=False)


def _networks(catalog: Catalog, policy: GenericObject, word: str) -> Iterator[IPv4Network | IPv6Network]:
    for text in policy.options.get(f"{word}_IP_LIST") or []:
        yield network(text)
    for name in policy.options.get(f"{word}_NETWORK_RULE_LIST") or []:
        rule = rule_named(catalog, name)
        for text in rule.options.get("VALUE_LIST") or [] if rule else []:
            yield network(text)


@lru_cache(1000)
def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
