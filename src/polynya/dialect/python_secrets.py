"""The secrets that a routine names in SECRETS, for its handler's ``_snowflake``.

Source: docs.snowflake.com/en/developer-guide/external-network-access/secret-api-reference.
"""

from __future__ import annotations

import json

from polynya.catalog.context import Context
from polynya.catalog.model import Routine
from polynya.catalog.names import join_name, split_name
from polynya.catalog.rights import with_rights_of
from polynya.errors import does_not_exist, unsupported
from polynya.runtime.sandbox import SECRET_PREFIX

# Of each type, the properties that a handler reads.
_PROPERTIES = {"GENERIC_STRING": ("SECRET_STRING",), "PASSWORD": ("USERNAME", "PASSWORD")}


def secrets_of(routine: Routine, context: Context) -> dict[str, str]:
    """What ``Job.environment`` holds of secrets: by variable, as JSON.

    Args:
        routine: its owner may read the secrets; a name of a secret without database or schema means the routine's own.
        context: of the session.

    Raises:
        SnowflakeError: 002003 if a secret does not exist; 000002 if it is of a type that handlers cannot read here.
    """
    found = {}
    for variable, written in (routine.options.get("SECRETS") or {}).items():
        parts = split_name(written)
        full = [*context.catalog.path(routine)[:-1][: 3 - len(parts)], *parts]
        secret = context.catalog.find(with_rights_of(context, routine.owner), "SECRET", full)
        if secret is None:
            raise does_not_exist("Secret", join_name(full))
        kind = str(secret.options.get("TYPE", "")).upper()
        if kind not in _PROPERTIES:
            raise unsupported(f"a secret of TYPE {kind or 'unknown'} in a Python handler")
        values = {name.lower(): secret.options.get(name, "") for name in _PROPERTIES[kind]}
        found[SECRET_PREFIX + variable] = json.dumps({"type": kind, **values})
    return found
